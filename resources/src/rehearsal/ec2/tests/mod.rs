//! EC2 through `Account::handle`.
#![allow(clippy::unwrap_used)]

mod endpoints;
mod launch_templates;
mod security_groups;
mod vpcs;
mod ways_out;

use serde_json::{Value, json};

use super::super::{Account, ApiError, Seed};
use super::seed_network;

fn account() -> Account {
    let seed = Seed { account_id: "111122223333".to_owned(), region: "us-east-1".to_owned(), seed: 7 };
    let mut account = Account::new(&seed, 1_795_521_600_000);
    seed_network(&mut account, Some("vpc-1"), &["subnet-1", "subnet-2"], "10.0.0.0/16").unwrap();
    account
}

fn ok(account: &mut Account, operation: &str, params: Value) -> Value {
    account.handle("ec2", operation, &params).unwrap()
}

fn code(account: &mut Account, operation: &str, params: Value) -> String {
    let before = serde_json::to_value(&*account).unwrap();
    let error: ApiError = account.handle("ec2", operation, &params).unwrap_err();
    assert_eq!(serde_json::to_value(&*account).unwrap()["ec2"], before["ec2"], "a refusal changed something");
    error.code
}

/// The first id in an answer: `vpcId`, `subnetId`, ... below its one member.
fn made(account: &mut Account, operation: &str, params: Value, member: &str, id: &str) -> String {
    let answer = ok(account, operation, params);
    let id = answer[member][id].as_str().unwrap().to_owned();
    // EC2 is eventually consistent: what was made is seen some seconds later.
    later(account, 3);
    id
}

fn later(account: &mut Account, seconds: u64) {
    account.now_ms += seconds * 1000;
    account.settle();
}

fn vpc(account: &mut Account, cidr: &str) -> String {
    made(account, "CreateVpc", json!({"CidrBlock": cidr}), "vpc", "vpcId")
}

fn subnet(account: &mut Account, vpc: &str, cidr: &str, zone: &str) -> String {
    let params = json!({"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": zone});
    made(account, "CreateSubnet", params, "subnet", "subnetId")
}

fn attached_gateway(account: &mut Account, vpc: &str) -> String {
    let id = made(account, "CreateInternetGateway", json!({}), "internetGateway", "internetGatewayId");
    ok(account, "AttachInternetGateway", json!({"InternetGatewayId": id, "VpcId": vpc}));
    id
}

fn address(account: &mut Account) -> String {
    let answer = ok(account, "AllocateAddress", json!({"Domain": "vpc"}));
    later(account, 3);
    answer["allocationId"].as_str().unwrap().to_owned()
}

fn group(account: &mut Account, name: &str) -> String {
    let params = json!({"GroupName": name, "GroupDescription": "d", "VpcId": "vpc-1"});
    ok(account, "CreateSecurityGroup", params)["groupId"].as_str().unwrap().to_owned()
}

fn https_from(cidr: &str) -> Value {
    json!([{"IpProtocol": "tcp", "FromPort": "443", "ToPort": "443", "IpRanges": [{"CidrIp": cidr}]}])
}

fn template(account: &mut Account, name: &str, token: &str) -> Value {
    let params = json!({
        "LaunchTemplateName": name, "ClientToken": token,
        "LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "required"}},
    });
    ok(account, "CreateLaunchTemplate", params)["launchTemplate"].clone()
}

#[test]
fn seeding_twice_changes_nothing_and_puts_subnets_in_different_zones() {
    let mut account = account();
    let before = serde_json::to_value(&account).unwrap();
    let id = seed_network(&mut account, None, &["subnet-1", "subnet-2"], "10.0.0.0/16").unwrap();
    assert_eq!(id, "vpc-1");
    assert_eq!(serde_json::to_value(&account).unwrap(), before);
    let subnets = ok(&mut account, "DescribeSubnets", json!({"Filter": [{"Name": "vpc-id", "Value": ["vpc-1"]}]}));
    let zones: Vec<&str> =
        subnets["subnetSet"].as_array().unwrap().iter().map(|it| it["availabilityZone"].as_str().unwrap()).collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b"]);
    assert_ne!(subnets["subnetSet"][0]["cidrBlock"], subnets["subnetSet"][1]["cidrBlock"]);
    let vpcs = ok(&mut account, "DescribeVpcs", json!({"VpcId": ["vpc-1"]}));
    assert_eq!(vpcs["vpcSet"][0]["cidrBlock"], "10.0.0.0/16");
    assert!(seed_network(&mut account, Some("vpc-2"), &["subnet-1"], "10.1.0.0/16").is_err());
    assert!(seed_network(&mut account, None, &["subnet-9"], "10.1.0.0/99").is_err());
}

#[test]
fn unknown_networks_are_refused() {
    let mut account = account();
    assert_eq!(code(&mut account, "DescribeVpcs", json!({"VpcId": ["vpc-9"]})), "InvalidVpcID.NotFound");
    assert_eq!(code(&mut account, "DescribeSubnets", json!({"SubnetId": ["subnet-9"]})), "InvalidSubnetID.NotFound");
    assert_eq!(
        code(&mut account, "DescribeVpcs", json!({"Filter": [{"Name": "nonsense", "Value": ["x"]}]})),
        "InvalidParameterValue"
    );
}

#[test]
fn tags_come_and_go_on_every_kind() {
    let mut account = account();
    let sg = group(&mut account, "nodes");
    let lt = template(&mut account, "nodes", "t")["launchTemplateId"].clone();
    let ids = json!(["vpc-1", "subnet-1", sg, lt]);
    let tags = json!([{"Key": "stack", "Value": "ray"}]);
    ok(&mut account, "CreateTags", json!({"ResourceId": ids, "Tag": tags}));
    let filter = json!([{"Name": "key", "Value": ["stack"]}]);
    let found = ok(&mut account, "DescribeTags", json!({"Filter": filter}));
    assert_eq!(found["tagSet"].as_array().unwrap().len(), 4);
    // Another value: the tag stays.
    ok(&mut account, "DeleteTags", json!({"ResourceId": ids, "Tag": [{"Key": "stack", "Value": "x"}]}));
    assert_eq!(ok(&mut account, "DescribeTags", json!({"Filter": filter}))["tagSet"].as_array().unwrap().len(), 4);
    ok(&mut account, "DeleteTags", json!({"ResourceId": ids, "Tag": [{"Key": "stack"}]}));
    assert_eq!(ok(&mut account, "DescribeTags", json!({"Filter": filter}))["tagSet"], json!([]));
    assert_eq!(
        code(&mut account, "CreateTags", json!({"ResourceId": [sg], "Tag": [{"Key": "aws:x", "Value": "y"}]})),
        "InvalidParameterValue"
    );
    assert_eq!(
        code(&mut account, "CreateTags", json!({"ResourceId": [sg, "sg-9"], "Tag": tags})),
        "InvalidGroup.NotFound"
    );
}

#[test]
fn instance_types_have_their_shape_and_places() {
    let mut account = account();
    let types = ok(&mut account, "DescribeInstanceTypes", json!({"InstanceType": ["g4dn.xlarge", "m6g.xlarge"]}));
    assert_eq!(types["instanceTypeSet"][0]["gpuInfo"]["gpus"][0]["name"], "T4");
    assert_eq!(types["instanceTypeSet"][1]["processorInfo"]["supportedArchitectures"][0], "arm64");
    assert_eq!(
        code(&mut account, "DescribeInstanceTypes", json!({"InstanceType": ["m9z.huge"]})),
        "InvalidInstanceType"
    );
    let filter = json!([{"Name": "instance-type", "Value": ["p4d.*"]}]);
    let offerings = ok(
        &mut account,
        "DescribeInstanceTypeOfferings",
        json!({"LocationType": "availability-zone", "Filter": filter}),
    );
    assert_eq!(offerings["instanceTypeOfferingSet"].as_array().unwrap().len(), 2);
    let zones = ok(&mut account, "DescribeAvailabilityZones", json!({}));
    assert_eq!(zones["availabilityZoneInfo"].as_array().unwrap().len(), 6);
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut account = account();
    let params = json!({"GroupName": "nodes", "GroupDescription": "d", "VpcId": "vpc-1", "DryRun": "true"});
    assert_eq!(code(&mut account, "CreateSecurityGroup", params), "DryRunOperation");
    assert_eq!(code(&mut account, "LaunchRockets", json!({})), "InvalidAction");
}
