//! Rules of the control plane and the add-ons.

use serde_json::Value;

use super::{Context, rules};
use crate::platform::{
    instance_types,
    manifest::types::{Environment, LogType},
};

pub(super) fn check(context: &mut Context<'_>) {
    endpoint(context);
    logs(context);
    protection(context);
    coredns(context);
    ebs_csi(context);
    prefix_delegation(context);
}

fn endpoint(context: &mut Context<'_>) {
    let endpoint = &context.manifest().cluster.endpoint;
    let (public, private) = (endpoint.public, endpoint.private);
    if private && !public {
        context.at(
            "cluster.endpoint.public",
            &rules::PRIVATE_ENDPOINT,
            "the Kubernetes API is reached from within the VPC only",
            "run kubectl, Helm and CI there, or write `endpoint: {public: true, public_cidrs: [YOUR/CIDR]}`",
        );
    }
    if public && !private {
        context.at(
            "cluster.endpoint.private",
            &rules::PUBLIC_ONLY_ENDPOINT,
            "nodes reach the Kubernetes API through the internet",
            "write `private: true`; `public` may stay on beside it",
        );
    }
}

fn logs(context: &mut Context<'_>) {
    let cluster = &context.manifest().cluster;
    let audited = cluster.logs.enabled && cluster.logs.types.contains(&LogType::Audit);
    if cluster.secrets_key_arn.is_some() && audited {
        context.at(
            "cluster.secrets_key_arn",
            &rules::LOGS_UNENCRYPTED,
            "the given key encrypts secrets; the log group has AWS's own encryption",
            "remove `secrets_key_arn` for a key of the platform's own, whose policy lets CloudWatch Logs use it",
        );
    }
}

fn protection(context: &mut Context<'_>) {
    let manifest = context.manifest();
    if manifest.environment == Environment::Production && !manifest.cluster.deletion_protection {
        context.at(
            "cluster.deletion_protection",
            &rules::DELETION_PROTECTION,
            "a production cluster that EKS deletes for whoever may ask",
            "write `deletion_protection: true`; `down` then says to switch it off first",
        );
    }
}

fn coredns(context: &mut Context<'_>) {
    let Some(addon) = context.manifest().addons.get("coredns") else { return };
    let scaling = addon.configuration.get("autoScaling");
    let scales = scaling.and_then(|scaling| scaling.get("enabled")).and_then(Value::as_bool).unwrap_or_default();
    let least = match scales {
        true => scaling.and_then(|scaling| scaling.get("minReplicas")).and_then(Value::as_u64),
        false => addon.configuration.get("replicaCount").and_then(Value::as_u64),
    };
    // Two replicas are EKS's own default.
    let least = least.unwrap_or(2);
    if least < 4 {
        context.at(
            "addons.coredns.configuration",
            &rules::COREDNS_REPLICAS,
            format!("CoreDNS may be down to {least} replicas"),
            "write `configuration: {autoScaling: {enabled: true, minReplicas: 4}}`, or remove the line",
        );
    }
}

fn ebs_csi(context: &mut Context<'_>) {
    if !context.manifest().addons.contains_key("aws-ebs-csi-driver") {
        context.at(
            "addons.aws-ebs-csi-driver",
            &rules::EBS_CSI,
            "no EBS volume can be had: claims stay Pending",
            "remove `enabled: false`, unless no pod needs a volume",
        );
    }
}

/// vpc-cni is configured so that nodes take few pods.
fn prefix_delegation(context: &mut Context<'_>) {
    let manifest = context.manifest();
    let Some(addon) = manifest.addons.get("vpc-cni") else { return };
    let env = addon.configuration.get("env").and_then(|env| env.get("ENABLE_PREFIX_DELEGATION"));
    let on = match env {
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        Some(Value::Bool(on)) => *on,
        _ => false,
    };
    if on {
        return;
    }
    let pools = manifest.node_pools.iter().filter_map(|(name, pool)| {
        let first = instance_types::look_up(pool.instance_types.first()?)?;
        Some(format!("{name}: {} pods instead of {}", first.max_pods(false), first.max_pods(true)))
    });
    let pools: Vec<String> = pools.collect();
    context.at(
        "addons.vpc-cni.configuration",
        &rules::MAX_PODS,
        format!("prefix delegation is off ({})", pools.join(", ")),
        "remove the line: the platform switches it on before the first node is made",
    );
}
