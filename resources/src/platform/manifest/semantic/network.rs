//! Rules of the network: one of two forms, blocks, zones, and a way to what nodes need.

use ipnet::Ipv4Net;

use super::super::diagnostic::{Code, Diagnostic};
use super::super::network::{EndpointService, NEEDED_WITHOUT_NAT, NatGateways, Network, PREFIX_LENGTHS, Zones};
use super::super::types::{Autoscaler, Cluster};
use super::Context;

pub fn check(context: &mut Context<'_>) {
    forms(context);
    let Some(create) = context.section::<Network>("/network").and_then(|network| network.create) else {
        return;
    };
    block(context, &create.cidr);
    zones(context, &create.availability_zones);
    if create.nat_gateways == Some(NatGateways::None) {
        without_nat(context, &create.services());
    }
    china(context, &create.services());
}

/// Exactly one of the two forms, and that one whole.
fn forms(context: &mut Context<'_>) {
    if !context.written("network") || !context.json.get("network").is_some_and(serde_json::Value::is_object) {
        return;
    }
    let names = ["network.vpc_id", "network.subnet_ids"];
    let existing: Vec<&str> = names.into_iter().filter(|path| context.written(path)).collect();
    match (context.written("network.create"), existing.as_slice()) {
        (true, []) => {}
        (true, [first, ..]) => {
            let key = first.trim_start_matches("network.");
            let found = Diagnostic::error(
                Code::Conflict,
                format!("`create` makes a network, and `{key}` names one that exists: a platform has one network"),
                "remove `create` to use the network that exists, or `vpc_id` and `subnet_ids` to have one made",
            );
            context.at_key("network.create", found);
        }
        (false, []) => {
            let found = Diagnostic::error(
                Code::MissingKey,
                "`network` has neither `vpc_id` and `subnet_ids` nor `create`",
                "name a network that exists by `vpc_id` and `subnet_ids`, or write `create: {}` to have one made",
            );
            context.at_key("network", found);
        }
        (false, written) => {
            for path in names.into_iter().filter(|path| !written.contains(path)) {
                let key = path.trim_start_matches("network.");
                let found = Diagnostic::error(
                    Code::MissingKey,
                    format!("`network` has no `{key}`"),
                    format!("add `{key}`: a network that exists is named by `vpc_id` and `subnet_ids`"),
                );
                context.at_key("network", found);
            }
        }
    }
}

fn block(context: &mut Context<'_>, text: &str) {
    const PATH: &str = "network.create.cidr";
    // Its form was checked with the schema.
    let Ok(net) = text.parse::<Ipv4Net>() else { return };
    if net.addr() != net.network() {
        let message = format!("{text} has bits set after the first {}", net.prefix_len());
        let found = Diagnostic::error(Code::BadFormat, message, format!("write {}, the network", net.trunc()));
        context.at(PATH, found);
    }
    if !PREFIX_LENGTHS.contains(&net.prefix_len()) {
        let message = format!("a VPC for a platform is a /16 to a /20, not a /{}", net.prefix_len());
        let cure = format!("write {}/16, for example", net.network());
        context.at(PATH, Diagnostic::error(Code::OutOfRange, message, cure));
    } else if !net.addr().is_private() && !in_shared_space(net) {
        let found = Diagnostic::warning(
            Code::Risk,
            format!("{text} is not a private block: the VPC would not reach the hosts that own these addresses"),
            "write a block of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
        );
        context.at(PATH, found);
    }
}

/// 100.64.0.0/10, which belongs to nobody either (RFC 6598).
fn in_shared_space(net: Ipv4Net) -> bool {
    let octets = net.addr().octets();
    octets[0] == 100 && (64..128).contains(&octets[1])
}

fn zones(context: &mut Context<'_>, zones: &Zones) {
    let region = context.json.get("region").and_then(|region| region.as_str()).map(str::to_owned);
    let (Some(region), Zones::Names(names)) = (region, zones) else {
        return;
    };
    for (index, name) in names.iter().enumerate() {
        let path = format!("network.create.availability_zones[{index}]");
        let letter = name.strip_prefix(region.as_str());
        if letter.is_none_or(|letter| letter.len() != 1) {
            let message = format!("{name} is not a zone of {region}");
            let found = Diagnostic::error(Code::Conflict, message, format!("write a zone like {region}a"));
            context.at(&path, found);
        } else if letter.is_some_and(|letter| letter > "g") {
            let message = format!("{name}: rayplat has blocks for the zones a to g of a region");
            let found = Diagnostic::error(Code::OutOfRange, message, "choose another zone");
            context.at(&path, found);
        }
    }
}

fn without_nat(context: &mut Context<'_>, services: &[String]) {
    const PATH: &str = "network.create.nat_gateways";
    let autoscaler = context.section::<Autoscaler>("/autoscaler").unwrap_or_default().enabled;
    let needed = NEEDED_WITHOUT_NAT.iter().filter(|name| autoscaler || **name != "autoscaling");
    let needed: Vec<&str> = needed.copied().collect();
    let missing: Vec<&str> = needed.iter().filter(|name| !services.iter().any(|is| is == *name)).copied().collect();
    if !missing.is_empty() {
        let message = format!(
            "without NAT gateways nodes reach AWS through VPC endpoints only, and these are missing: {}",
            missing.join(", ")
        );
        let cure = format!("write `vpc_endpoints: [{}]` beside it, or `nat_gateways: single`", needed.join(", "));
        context.at(PATH, Diagnostic::error(Code::Conflict, message, cure));
    }
    let cluster: Cluster = context.section("/cluster").unwrap_or_default();
    if !cluster.endpoint.private {
        let found = Diagnostic::error(
            Code::Conflict,
            "without NAT gateways nodes reach the Kubernetes API by its private endpoint only, and that is off",
            "write `private: true` in `cluster.endpoint`, or `nat_gateways: single`",
        );
        context.at(PATH, found);
    }
}

/// In China some services' names begin with `cn.com.amazonaws` and some do not.
fn china(context: &mut Context<'_>, services: &[String]) {
    let region = context.json.get("region").and_then(|region| region.as_str()).unwrap_or_default();
    let gateways = [EndpointService::S3, EndpointService::DynamoDb].map(EndpointService::services).concat();
    let interfaces: Vec<&str> = services.iter().filter(|name| !gateways.contains(name)).map(String::as_str).collect();
    if region.starts_with("cn-") && !interfaces.is_empty() {
        let message = format!("rayplat does not know the endpoint services of {region}: {}", interfaces.join(", "));
        let cure = "leave s3 and dynamodb only, or name a network of your own by `vpc_id` and `subnet_ids`";
        context.at("network.create.vpc_endpoints", Diagnostic::error(Code::Conflict, message, cure));
    }
}
