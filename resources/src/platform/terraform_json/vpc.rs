//! Networks. Attributes: `vpc`, `subnet`, `internet_gateway`, `nat_gateway`, `eip`, `route_table`,
//! `route`, `route_table_association`, `vpc_endpoint` of the AWS provider.

use rayplat_engine::value::Planned;
use serde_json::Value;

use super::values::{Part, Source, known, null, one};

pub(super) fn vpc(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_vpc",
        [
            ("cidr_block", source.get("cidr")),
            ("enable_dns_hostnames", source.get("dns_hostnames")),
            ("enable_dns_support", source.get("dns_support")),
            ("id", source.id()),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
        ],
    )
}

pub(super) fn subnet(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_subnet",
        [
            ("availability_zone", source.get("availability_zone")),
            ("cidr_block", source.get("cidr")),
            ("id", source.id()),
            ("map_public_ip_on_launch", source.get("map_public_ip")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("vpc_id", source.get("vpc_id")),
        ],
    )
}

pub(super) fn internet_gateway(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_internet_gateway",
        [
            ("id", source.id()),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("vpc_id", source.get("vpc_id")),
        ],
    )
}

pub(super) fn nat_gateway(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_nat_gateway",
        [
            ("allocation_id", source.get("allocation_id")),
            ("connectivity_type", known("public")),
            ("id", source.id()),
            ("subnet_id", source.get("subnet_id")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
        ],
    )
}

pub(super) fn eip(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_eip",
        [
            ("allocation_id", source.out("allocation_id")),
            ("domain", known("vpc")),
            ("id", source.out("allocation_id")),
            ("public_ip", source.out("public_ip")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
        ],
    )
}

pub(super) fn route_table(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_route_table",
        [
            ("id", source.id()),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("vpc_id", source.get("vpc_id")),
        ],
    )
}

pub(super) fn route(source: &Source<'_>) -> Vec<Part> {
    let destination = source.get("destination");
    let v6 = matches!(&destination, Planned::Known(Value::String(text)) if text.contains(':'));
    let (v4, v6) = if v6 { (null(), destination) } else { (destination, null()) };
    one(
        "aws_route",
        [
            ("destination_cidr_block", v4),
            ("destination_ipv6_cidr_block", v6),
            ("gateway_id", source.get("gateway_id")),
            ("id", source.id()),
            ("nat_gateway_id", source.get("nat_gateway_id")),
            ("route_table_id", source.get("route_table_id")),
        ],
    )
}

pub(super) fn route_table_association(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_route_table_association",
        [("id", source.id()), ("route_table_id", source.get("route_table_id")), ("subnet_id", source.get("subnet_id"))],
    )
}

pub(super) fn endpoint(source: &Source<'_>) -> Vec<Part> {
    let kind = match source.get("kind") {
        Planned::Known(Value::String(kind)) if kind.eq_ignore_ascii_case("interface") => known("Interface"),
        Planned::Known(Value::String(kind)) if kind.eq_ignore_ascii_case("gateway") => known("Gateway"),
        kind => kind,
    };
    one(
        "aws_vpc_endpoint",
        [
            ("id", source.id()),
            ("private_dns_enabled", source.get("private_dns")),
            ("route_table_ids", source.get("route_table_ids")),
            ("security_group_ids", source.get("security_group_ids")),
            ("service_name", source.get("service_name")),
            ("subnet_ids", source.get("subnet_ids")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("vpc_endpoint_type", kind),
            ("vpc_id", source.get("vpc_id")),
        ],
    )
}
