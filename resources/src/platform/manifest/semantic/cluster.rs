//! Rules of the control plane: version and support, endpoint, key, addons.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use jiff::ToSpan;

use super::super::defaults::has_role;
use super::super::diagnostic::{Code, Diagnostic, nearest, quoted};
use super::super::types::{Addons, AuthenticationMode, Cluster, Identity, Support};
use super::super::versions::{self, EXTENDED_PRICE, Version};
use super::Context;

/// The regions that rayplat knows of.
const REGIONS: [&str; 38] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// How long before the end of standard support a manifest is warned.
const NOTICE_DAYS: i32 = 60;

pub fn check(context: &mut Context<'_>) {
    let cluster: Cluster = context.section("/cluster").unwrap_or_default();
    region(context);
    version(context, &cluster);
    endpoint(context, &cluster);
    key_region(context, &cluster);
    exclusive(context, &cluster);
    service_cidr(context, &cluster);
    if let Some(addons) = context.section::<Addons>("/addons") {
        needed_addons(context, &addons);
        identities(context, &addons);
        node_permissions(context, &cluster, &addons);
        component_identities(context, &addons);
    }
}

/// The same for what is no add-on: without the agent nobody hands its role out.
fn component_identities(context: &mut Context<'_>, addons: &Addons) {
    if addons.eks_pod_identity_agent.as_ref().is_none_or(|addon| addon.enabled) {
        return;
    }
    for key in ["autoscaler", "termination_handler", "backup"] {
        let path = format!("{key}.identity");
        let wanted = context.json.pointer(&format!("/{key}/identity")).and_then(|identity| identity.as_str());
        if wanted == Some("pod_identity") {
            let found = Diagnostic::error(
                Code::Conflict,
                format!("`{key}` gets its role by Pod Identity, and the agent that hands it out is switched off"),
                "write `identity: irsa`, or keep eks-pod-identity-agent",
            );
            context.at(&path, found);
        }
    }
}

/// EKS's rule (API reference, `KubernetesNetworkConfigRequest`).
fn service_cidr(context: &mut Context<'_>, cluster: &Cluster) {
    const PATH: &str = "cluster.service_cidr";
    let Some(text) = &cluster.service_cidr else { return };
    let Ok(net) = text.parse::<Ipv4Net>() else {
        let message = format!("{} is not a network in CIDR notation", quoted(text));
        let cure = "write an address and a prefix length, for example 10.100.0.0/16";
        context.at(PATH, Diagnostic::error(Code::BadFormat, message, cure));
        return;
    };
    let found = if net.addr() != net.network() {
        Diagnostic::error(
            Code::BadFormat,
            format!("{text} has bits set after the first {}", net.prefix_len()),
            format!("write {}", net.trunc()),
        )
    } else if !net.addr().is_private() || !(12..=24).contains(&net.prefix_len()) {
        Diagnostic::error(
            Code::OutOfRange,
            format!("{text} cannot be the addresses of Services"),
            "write a block of /12 to /24 within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
        )
    } else {
        return;
    };
    context.at(PATH, found);
}

/// Only add-ons that call AWS have a role, and Pod Identity needs its agent.
fn identities(context: &mut Context<'_>, addons: &Addons) {
    let agent = addons.eks_pod_identity_agent.as_ref().is_none_or(|addon| addon.enabled);
    for (name, given, by_default) in addons.all() {
        let identity = given.and_then(|addon| addon.identity);
        if identity.is_some() && !has_role(name) {
            let found = Diagnostic::error(
                Code::Conflict,
                format!("{name} does not call AWS and has no role"),
                "remove `identity`",
            );
            context.at_key(&format!("addons.{name}.identity"), found);
        } else if has_role(name) && !agent && given.map_or(by_default, |addon| addon.enabled) {
            if identity == Some(Identity::Irsa) || given.is_some_and(|addon| !addon.own_role) {
                continue;
            }
            let found = Diagnostic::error(
                Code::Conflict,
                format!("{name} gets its role by Pod Identity, and the agent that hands it out is switched off"),
                format!("write `{name}: {{identity: irsa}}`, or keep eks-pod-identity-agent"),
            );
            context.at("addons.eks-pod-identity-agent.enabled", found);
        }
    }
}

fn region(context: &mut Context<'_>) {
    let region = context.json.get("region").and_then(|region| region.as_str());
    let Some(region) = region.filter(|region| !REGIONS.contains(region)) else {
        return;
    };
    let message = format!("rayplat does not know the region {region}");
    let cure = match nearest(region, REGIONS) {
        Some(near) => format!("did you mean {near}? If not, check that EKS is offered there"),
        None => "check the name, and that EKS is offered there".to_owned(),
    };
    context.at("region", Diagnostic::warning(Code::Risk, message, cure).rule("unknown-region"));
}

fn version(context: &mut Context<'_>, cluster: &Cluster) {
    const PATH: &str = "cluster.kubernetes_version";
    let name = &cluster.kubernetes_version;
    let today = context.today;
    let newest = versions::newest_in_standard_support(today)
        .map_or_else(|| versions::DEFAULT.to_owned(), |newest| format!("1.{}", newest.minor));
    let Some(version) = versions::look_up(name) else {
        let (oldest, latest) = (versions::ALL[0].minor, versions::ALL[versions::ALL.len() - 1].minor);
        let minor: u32 = name.trim_start_matches("1.").parse().unwrap_or_default();
        let (message, cure) = if minor < oldest {
            (
                format!("Kubernetes {name} is too old: EKS's support for it has ended or is about to"),
                format!("write \"{newest}\"; an existing cluster is upgraded one minor version at a time"),
            )
        } else {
            (
                format!("Kubernetes {name} is newer than this rayplat knows (up to 1.{latest})"),
                format!("write \"{newest}\", or use a newer rayplat"),
            )
        };
        context.at(PATH, Diagnostic::error(Code::KubernetesVersion, message, cure));
        return;
    };
    if version.extended_ends < today {
        let message = format!("EKS's support for Kubernetes {name} ended on {}", version.extended_ends);
        let cure = format!("write \"{newest}\"");
        context.at(PATH, Diagnostic::error(Code::KubernetesVersion, message, cure));
    } else if version.standard_ends < today {
        past_standard(context, cluster, version, &newest);
    } else if cluster.support == Support::Standard
        && today.checked_add(NOTICE_DAYS.days()).is_ok_and(|horizon| version.standard_ends < horizon)
    {
        let message = format!(
            "standard support for Kubernetes {name} ends on {}, and EKS then upgrades the control plane by itself",
            version.standard_ends
        );
        let cure = format!("plan the upgrade to \"{newest}\", or write `support: extended` ({EXTENDED_PRICE})");
        context.at(PATH, Diagnostic::warning(Code::KubernetesVersion, message, cure).rule("support-ends"));
    }
}

fn past_standard(context: &mut Context<'_>, cluster: &Cluster, version: Version, newest: &str) {
    const PATH: &str = "cluster.kubernetes_version";
    let name = &cluster.kubernetes_version;
    let (standard, extended) = (version.standard_ends, version.extended_ends);
    match cluster.support {
        Support::Standard => {
            let message =
                format!("standard support for Kubernetes {name} ended on {standard}, and `support` is standard");
            let cure = format!("write \"{newest}\", or `support: extended` until {extended} ({EXTENDED_PRICE})");
            context.at(PATH, Diagnostic::error(Code::KubernetesVersion, message, cure));
        }
        Support::Extended => {
            let message = format!("Kubernetes {name} is in extended support until {extended}: {EXTENDED_PRICE}");
            let cure = format!("write \"{newest}\" to pay the standard price");
            context.at(PATH, Diagnostic::warning(Code::KubernetesVersion, message, cure).rule("extended-support"));
        }
    }
}

fn endpoint(context: &mut Context<'_>, cluster: &Cluster) {
    let endpoint = &cluster.endpoint;
    if !endpoint.public && !endpoint.private {
        let found = Diagnostic::error(
            Code::Conflict,
            "the Kubernetes API would be reachable from nowhere: `public` and `private` are both false",
            "write `private: true`; nodes reach the API through the VPC",
        );
        context.at("cluster.endpoint.private", found);
    }
    if !endpoint.public && !endpoint.public_cidrs.is_empty() {
        let found = Diagnostic::error(
            Code::Conflict,
            "`public_cidrs` has no meaning while `public` is false",
            "write `public: true`, or remove `public_cidrs`",
        );
        context.at_key("cluster.endpoint.public_cidrs", found);
    }
    let open = endpoint.public_cidrs.is_empty() || endpoint.public_cidrs.iter().any(|cidr| cidr == "0.0.0.0/0");
    if endpoint.public && open {
        let found = Diagnostic::warning(
            Code::Risk,
            "the whole internet can reach the Kubernetes API",
            "write the networks of those who need it: `public_cidrs: [203.0.113.0/24]`",
        )
        .rule("open-endpoint");
        context.at("cluster.endpoint.public", found);
    }
    let mut seen: Vec<IpNet> = Vec::new();
    for (index, text) in endpoint.public_cidrs.iter().enumerate() {
        let path = format!("cluster.endpoint.public_cidrs[{index}]");
        match cidr(text) {
            Err((message, cure)) => {
                context.at(&path, Diagnostic::error(Code::BadFormat, message, cure));
            }
            Ok(net) => {
                if let Some(around) = seen.iter().find(|other| other.contains(&net)) {
                    let message = format!("{text} lies within {around}, which is there already");
                    let found =
                        Diagnostic::warning(Code::Conflict, message, "remove one of the two").rule("cidr-overlap");
                    context.at(&path, found);
                }
                seen.push(net);
            }
        }
    }
}

/// A network as EKS takes it: IPv4 or IPv6, no host bits, not a private one.
fn cidr(text: &str) -> Result<IpNet, (String, String)> {
    let Ok(net) = text.parse::<IpNet>() else {
        let message = format!("{} is not a network in CIDR notation", quoted(text));
        let cure = match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => format!("write {address}/32 for this one address"),
            Ok(IpAddr::V6(address)) => format!("write {address}/128 for this one address"),
            Err(_) => "write an address and a prefix length, for example 203.0.113.0/24".to_owned(),
        };
        return Err((message, cure));
    };
    if net.addr() != net.network() {
        return Err((
            format!("{text} has bits set after the first {}", net.prefix_len()),
            format!(
                "write {}, the network, or {}/{} for the one address",
                net.trunc(),
                net.addr(),
                net.max_prefix_len()
            ),
        ));
    }
    if matches!(net, IpNet::V4(v4) if v4.addr().is_private() && v4.prefix_len() >= 8) {
        return Err((
            format!("{text} is a private network: nobody comes from it to the public endpoint"),
            "remove it; the VPC reaches the API through the private endpoint".to_owned(),
        ));
    }
    Ok(net)
}

fn key_region(context: &mut Context<'_>, cluster: &Cluster) {
    let region = context.json.get("region").and_then(|region| region.as_str());
    let key_region = cluster.secrets_key_arn.as_deref().and_then(|arn| arn.split(':').nth(3));
    let (Some(region), Some(key_region)) = (region, key_region) else {
        return;
    };
    if region != key_region {
        let found = Diagnostic::error(
            Code::Conflict,
            format!("the key is in {key_region} and the cluster in {region}: EKS takes keys of its own region only"),
            format!("give a key of {region}, or remove the line for a key of the platform's own"),
        );
        context.at("cluster.secrets_key_arn", found);
    }
}

/// What cannot be wanted together.
fn exclusive(context: &mut Context<'_>, cluster: &Cluster) {
    if cluster.authentication_mode == AuthenticationMode::ConfigMap && !cluster.admins.is_empty() {
        let found = Diagnostic::error(
            Code::Conflict,
            "`admins` are access entries, which `authentication_mode: config_map` does not know",
            "write `authentication_mode: api_and_config_map`, or enter them in the ConfigMap aws-auth",
        );
        context.at("cluster.admins", found);
    }
    if !cluster.secrets_encryption && cluster.secrets_key_arn.is_some() {
        let found = Diagnostic::error(
            Code::Conflict,
            "`secrets_key_arn` has no meaning while `secrets_encryption` is false",
            "write `secrets_encryption: true`, or remove `secrets_key_arn`",
        );
        context.at("cluster.secrets_key_arn", found);
    }
}

/// An add-on without a role of its own needs its policy on the nodes' role.
fn node_permissions(context: &mut Context<'_>, cluster: &Cluster, addons: &Addons) {
    for (name, given, _) in addons.all() {
        let policy = match name {
            "vpc-cni" => "AmazonEKS_CNI_Policy",
            "aws-ebs-csi-driver" => "service-role/AmazonEBSCSIDriverPolicy",
            _ => continue,
        };
        let on_nodes = given.is_some_and(|addon| addon.enabled && !addon.own_role);
        let last = |policy: &str| policy.rsplit('/').next().unwrap_or_default().to_owned();
        if on_nodes && !cluster.node_role_policies.iter().any(|given| last(given) == last(policy)) {
            let found = Diagnostic::error(
                Code::Conflict,
                format!("{name} uses the nodes' role, which has not got {policy}"),
                format!("add {policy} to cluster.node_role_policies, or remove `own_role: false`"),
            );
            context.at(&format!("addons.{name}.own_role"), found);
        }
    }
}

fn needed_addons(context: &mut Context<'_>, addons: &Addons) {
    for (name, given, _) in addons.all() {
        let without = match name {
            "vpc-cni" => "no node becomes ready",
            "kube-proxy" => "no Service can be reached",
            "coredns" => "no Service has a name",
            _ => continue,
        };
        if given.is_some_and(|addon| !addon.enabled) {
            let found = Diagnostic::warning(
                Code::Risk,
                format!("without {name} {without}"),
                "remove `enabled: false`, unless something else does its work",
            )
            .rule("addon-needed");
            context.at(&format!("addons.{name}.enabled"), found);
        }
    }
}
