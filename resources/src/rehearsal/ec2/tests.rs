//! EC2 through `Account::handle`.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::super::{Account, ApiError, Seed};
use super::{NewInterface, attach_interface, seed_network};

fn account() -> Account {
    let seed = Seed {
        account_id: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        seed: 7,
    };
    let mut account = Account::new(&seed, 1_795_521_600_000);
    seed_network(
        &mut account,
        Some("vpc-1"),
        &["subnet-1", "subnet-2"],
        "10.0.0.0/16",
    )
    .unwrap();
    account
}

fn ok(account: &mut Account, operation: &str, params: Value) -> Value {
    account.handle("ec2", operation, &params).unwrap()
}

fn code(account: &mut Account, operation: &str, params: Value) -> String {
    let before = serde_json::to_value(&*account).unwrap();
    let error: ApiError = account.handle("ec2", operation, &params).unwrap_err();
    assert_eq!(
        serde_json::to_value(&*account).unwrap()["ec2"],
        before["ec2"],
        "a refusal changed something"
    );
    error.code
}

fn group(account: &mut Account, name: &str) -> String {
    let params = json!({"GroupName": name, "GroupDescription": "d", "VpcId": "vpc-1"});
    ok(account, "CreateSecurityGroup", params)["groupId"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn https_from(cidr: &str) -> Value {
    json!([{"IpProtocol": "tcp", "FromPort": "443", "ToPort": "443", "IpRanges": [{"CidrIp": cidr}]}])
}

#[test]
fn seeding_twice_changes_nothing_and_puts_subnets_in_different_zones() {
    let mut account = account();
    let before = serde_json::to_value(&account).unwrap();
    let id = seed_network(&mut account, None, &["subnet-1", "subnet-2"], "10.0.0.0/16").unwrap();
    assert_eq!(id, "vpc-1");
    assert_eq!(serde_json::to_value(&account).unwrap(), before);
    let subnets = ok(
        &mut account,
        "DescribeSubnets",
        json!({"Filter": [{"Name": "vpc-id", "Value": ["vpc-1"]}]}),
    );
    let zones: Vec<&str> = subnets["subnetSet"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["availabilityZone"].as_str().unwrap())
        .collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b"]);
    assert_ne!(
        subnets["subnetSet"][0]["cidrBlock"],
        subnets["subnetSet"][1]["cidrBlock"]
    );
    assert!(seed_network(&mut account, Some("vpc-2"), &["subnet-1"], "10.1.0.0/16").is_err());
    assert!(seed_network(&mut account, None, &["subnet-9"], "10.1.0.0/99").is_err());
}

#[test]
fn unknown_networks_are_refused() {
    let mut account = account();
    assert_eq!(
        code(&mut account, "DescribeVpcs", json!({"VpcId": ["vpc-9"]})),
        "InvalidVpcID.NotFound"
    );
    assert_eq!(
        code(
            &mut account,
            "DescribeSubnets",
            json!({"SubnetId": ["subnet-9"]})
        ),
        "InvalidSubnetID.NotFound"
    );
    assert_eq!(
        code(
            &mut account,
            "DescribeVpcs",
            json!({"Filter": [{"Name": "nonsense", "Value": ["x"]}]})
        ),
        "InvalidParameterValue"
    );
}

#[test]
fn a_group_name_is_unique_in_its_vpc() {
    let mut account = account();
    group(&mut account, "nodes");
    let again = json!({"GroupName": "nodes", "GroupDescription": "d", "VpcId": "vpc-1"});
    assert_eq!(
        code(&mut account, "CreateSecurityGroup", again),
        "InvalidGroup.Duplicate"
    );
    let elsewhere = json!({"GroupName": "nodes", "GroupDescription": "d", "VpcId": "vpc-9"});
    assert_eq!(
        code(&mut account, "CreateSecurityGroup", elsewhere),
        "InvalidVpcID.NotFound"
    );
    let reserved = json!({"GroupName": "sg-nodes", "GroupDescription": "d", "VpcId": "vpc-1"});
    assert_eq!(
        code(&mut account, "CreateSecurityGroup", reserved),
        "InvalidParameterValue"
    );
}

#[test]
fn groups_are_found_by_tag_and_name_page_by_page() {
    let mut account = account();
    for index in 0..12 {
        let params = json!({
            "GroupName": format!("g{index}"), "GroupDescription": "d", "VpcId": "vpc-1",
            "TagSpecification": [{"ResourceType": "security-group", "Tag": [{"Key": "owner", "Value": "ray"}]}],
        });
        ok(&mut account, "CreateSecurityGroup", params);
    }
    let filter = json!([{"Name": "tag:owner", "Value": ["ray"]}]);
    let (mut seen, mut token) = (Vec::new(), None::<String>);
    loop {
        let mut params = json!({"Filter": filter, "MaxResults": "5"});
        if let Some(token) = &token {
            params["NextToken"] = json!(token);
        }
        let page = ok(&mut account, "DescribeSecurityGroups", params);
        let groups = page["securityGroupInfo"].as_array().unwrap();
        assert!(groups.len() <= 5);
        seen.extend(
            groups
                .iter()
                .map(|it| it["groupName"].as_str().unwrap().to_owned()),
        );
        match page["nextToken"].as_str() {
            Some(next) => token = Some(next.to_owned()),
            None => break,
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 12);
    let one = ok(
        &mut account,
        "DescribeSecurityGroups",
        json!({"Filter": [{"Name": "group-name", "Value": ["g3"]}, {"Name": "vpc-id", "Value": ["vpc-1"]}]}),
    );
    assert_eq!(one["securityGroupInfo"].as_array().unwrap().len(), 1);
    assert_eq!(
        code(
            &mut account,
            "DescribeSecurityGroups",
            json!({"MaxResults": "1"})
        ),
        "InvalidParameterValue"
    );
}

#[test]
fn rules_come_once_and_go_by_permission_or_id() {
    let mut account = account();
    let id = group(&mut account, "nodes");
    let params = json!({
        "GroupId": id, "IpPermissions": https_from("10.0.0.7/8"),
        "TagSpecification": [{"ResourceType": "security-group-rule", "Tag": [{"Key": "a", "Value": "b"}]}],
    });
    let rule = ok(&mut account, "AuthorizeSecurityGroupIngress", params)["securityGroupRuleSet"][0]
        .clone();
    assert_eq!(rule["cidrIpv4"], "10.0.0.0/8");
    assert_eq!(rule["isEgress"], false);
    assert_eq!(
        code(
            &mut account,
            "AuthorizeSecurityGroupIngress",
            json!({"GroupId": id, "IpPermissions": https_from("10.0.0.0/8")})
        ),
        "InvalidPermission.Duplicate"
    );
    // The same permission may stand in the other direction.
    ok(
        &mut account,
        "AuthorizeSecurityGroupEgress",
        json!({"GroupId": id, "IpPermissions": https_from("10.0.0.0/8")}),
    );
    let rule_id = rule["securityGroupRuleId"].clone();
    let found = ok(
        &mut account,
        "DescribeSecurityGroupRules",
        json!({"Filter": [{"Name": "group-id", "Value": [id]}, {"Name": "tag:a", "Value": ["b"]}]}),
    );
    assert_eq!(
        found["securityGroupRuleSet"][0]["securityGroupRuleId"],
        rule_id
    );
    let revoke = json!({"GroupId": id, "SecurityGroupRuleId": [rule_id]});
    ok(&mut account, "RevokeSecurityGroupIngress", revoke.clone());
    assert_eq!(
        code(&mut account, "RevokeSecurityGroupIngress", revoke),
        "InvalidSecurityGroupRuleId.NotFound"
    );
    assert_eq!(
        code(
            &mut account,
            "RevokeSecurityGroupIngress",
            json!({"GroupId": id, "IpPermissions": https_from("10.0.0.0/8")})
        ),
        "InvalidPermission.NotFound"
    );
}

#[test]
fn malformed_rules_are_refused() {
    let mut account = account();
    let id = group(&mut account, "nodes");
    for (permissions, expected) in [
        (https_from("10.0.0.300/8"), "InvalidParameterValue"),
        (
            json!([{"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]),
            "InvalidParameterValue",
        ),
        (
            json!([{"IpProtocol": "tcp", "FromPort": "9", "ToPort": "1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]),
            "InvalidParameterValue",
        ),
        (
            json!([{"IpProtocol": "-1", "Groups": [{"GroupId": "sg-00000000000000000"}]}]),
            "InvalidGroup.NotFound",
        ),
        (
            json!([{"IpProtocol": "-1", "Groups": [{"GroupId": "group"}]}]),
            "InvalidGroupId.Malformed",
        ),
        (
            json!([{"IpProtocol": "smtp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]),
            "InvalidPermission.Malformed",
        ),
        (json!([]), "MissingParameter"),
    ] {
        let params = json!({"GroupId": id, "IpPermissions": permissions});
        assert_eq!(
            code(&mut account, "AuthorizeSecurityGroupIngress", params),
            expected
        );
    }
}

#[test]
fn a_rule_is_changed_in_place() {
    let mut account = account();
    let id = group(&mut account, "nodes");
    let params = json!({"GroupId": id, "IpPermissions": https_from("10.0.0.0/8")});
    let added = ok(&mut account, "AuthorizeSecurityGroupIngress", params);
    let rule_id = added["securityGroupRuleSet"][0]["securityGroupRuleId"].clone();
    let change = json!({"GroupId": id, "SecurityGroupRule": [{
        "SecurityGroupRuleId": rule_id,
        "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": "80", "ToPort": "80", "CidrIpv4": "10.0.0.0/8", "Description": "web"},
    }]});
    ok(&mut account, "ModifySecurityGroupRules", change);
    let rules = ok(
        &mut account,
        "DescribeSecurityGroupRules",
        json!({"SecurityGroupRuleId": [rule_id]}),
    );
    assert_eq!(rules["securityGroupRuleSet"][0]["fromPort"], 80);
    assert_eq!(rules["securityGroupRuleSet"][0]["description"], "web");
}

#[test]
fn a_group_in_use_stays() {
    let mut account = account();
    let nodes = group(&mut account, "nodes");
    let other = group(&mut account, "other");
    let from_nodes = json!([{"IpProtocol": "-1", "Groups": [{"GroupId": nodes}]}]);
    let rule = json!({"GroupId": other, "IpPermissions": from_nodes});
    ok(&mut account, "AuthorizeSecurityGroupIngress", rule.clone());
    // A rule of its own that names the group itself does not hold it.
    let own = json!({"GroupId": nodes, "IpPermissions": rule["IpPermissions"]});
    ok(&mut account, "AuthorizeSecurityGroupIngress", own);
    assert_eq!(
        code(
            &mut account,
            "DeleteSecurityGroup",
            json!({"GroupId": nodes})
        ),
        "DependencyViolation"
    );
    ok(&mut account, "RevokeSecurityGroupIngress", rule);
    let interface = attach_interface(
        &mut account,
        NewInterface {
            subnet_id: "subnet-1",
            group_ids: std::slice::from_ref(&nodes),
            description: "left".to_owned(),
            owner: None,
            instance_id: None,
            tags: super::Tags::new(),
        },
    )
    .unwrap();
    assert_eq!(
        code(
            &mut account,
            "DeleteSecurityGroup",
            json!({"GroupId": nodes})
        ),
        "DependencyViolation"
    );
    ok(
        &mut account,
        "DeleteNetworkInterface",
        json!({"NetworkInterfaceId": interface}),
    );
    ok(
        &mut account,
        "DeleteSecurityGroup",
        json!({"GroupId": nodes}),
    );
    assert_eq!(
        code(
            &mut account,
            "DeleteSecurityGroup",
            json!({"GroupId": nodes})
        ),
        "InvalidGroup.NotFound"
    );
}

#[test]
fn the_default_group_and_an_interface_in_use_stay() {
    let mut account = account();
    let default = ok(
        &mut account,
        "DescribeSecurityGroups",
        json!({"Filter": [{"Name": "group-name", "Value": ["default"]}]}),
    );
    let id = default["securityGroupInfo"][0]["groupId"].clone();
    assert_eq!(
        code(&mut account, "DeleteSecurityGroup", json!({"GroupId": id})),
        "CannotDelete"
    );
    let new = NewInterface {
        subnet_id: "subnet-1",
        group_ids: &[id.as_str().unwrap().to_owned()],
        description: "Amazon EKS c".to_owned(),
        owner: Some("cluster/c".to_owned()),
        instance_id: None,
        tags: super::Tags::new(),
    };
    let interface = attach_interface(&mut account, new).unwrap();
    assert_eq!(
        code(
            &mut account,
            "DeleteNetworkInterface",
            json!({"NetworkInterfaceId": interface})
        ),
        "InvalidParameterValue"
    );
    let found = ok(
        &mut account,
        "DescribeNetworkInterfaces",
        json!({"Filter": [{"Name": "group-id", "Value": [id]}, {"Name": "status", "Value": ["in-use"]}]}),
    );
    assert_eq!(
        found["networkInterfaceSet"][0]["networkInterfaceId"],
        interface
    );
}

fn template(account: &mut Account, name: &str, token: &str) -> Value {
    let params = json!({
        "LaunchTemplateName": name, "ClientToken": token,
        "LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "required"}},
    });
    ok(account, "CreateLaunchTemplate", params)["launchTemplate"].clone()
}

#[test]
fn a_launch_template_is_made_once_for_a_token() {
    let mut account = account();
    let first = template(&mut account, "nodes", "token-1");
    assert_eq!(template(&mut account, "nodes", "token-1"), first);
    let other = json!({
        "LaunchTemplateName": "nodes", "ClientToken": "token-1",
        "LaunchTemplateData": {"MetadataOptions": {"HttpTokens": "optional"}},
    });
    assert_eq!(
        code(&mut account, "CreateLaunchTemplate", other),
        "IdempotentParameterMismatch"
    );
    let taken = json!({"LaunchTemplateName": "nodes", "ClientToken": "token-2", "LaunchTemplateData": {"ImageId": "ami-1"}});
    assert_eq!(
        code(&mut account, "CreateLaunchTemplate", taken),
        "InvalidLaunchTemplateName.AlreadyExistsException"
    );
    ok(
        &mut account,
        "DeleteLaunchTemplate",
        json!({"LaunchTemplateId": first["launchTemplateId"]}),
    );
    assert_eq!(
        code(
            &mut account,
            "DeleteLaunchTemplate",
            json!({"LaunchTemplateId": first["launchTemplateId"]})
        ),
        "InvalidLaunchTemplateId.NotFound"
    );
    // The token went with the template.
    assert_ne!(
        template(&mut account, "nodes", "token-1")["launchTemplateId"],
        first["launchTemplateId"]
    );
}

#[test]
fn launch_template_versions_are_numbered_and_never_reused() {
    let mut account = account();
    let id = template(&mut account, "nodes", "t")["launchTemplateId"].clone();
    let version = json!({
        "LaunchTemplateId": id, "ClientToken": "v2", "SourceVersion": "$Latest",
        "LaunchTemplateData": {"InstanceType": "m6g.xlarge"},
    });
    let second =
        ok(&mut account, "CreateLaunchTemplateVersion", version.clone())["launchTemplateVersion"]
            .clone();
    assert_eq!(second["versionNumber"], 2);
    assert_eq!(
        second["launchTemplateData"]["metadataOptions"]["httpTokens"],
        "required"
    );
    assert_eq!(
        ok(&mut account, "CreateLaunchTemplateVersion", version)["launchTemplateVersion"],
        second
    );
    let both = json!({"LaunchTemplateId": id, "LaunchTemplateVersion": ["$Latest", "$Default"]});
    let described = ok(&mut account, "DescribeLaunchTemplateVersions", both);
    let numbers: Vec<u64> = described["launchTemplateVersionSet"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["versionNumber"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [2, 1]);
    let going = json!({"LaunchTemplateId": id, "LaunchTemplateVersion": ["1", "2", "9"]});
    let deleted = ok(&mut account, "DeleteLaunchTemplateVersions", going);
    assert_eq!(
        deleted["successfullyDeletedLaunchTemplateVersionSet"][0]["versionNumber"],
        2
    );
    assert_eq!(
        deleted["unsuccessfullyDeletedLaunchTemplateVersionSet"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let third =
        json!({"LaunchTemplateId": id, "LaunchTemplateData": {"InstanceType": "m6g.xlarge"}});
    assert_eq!(
        ok(&mut account, "CreateLaunchTemplateVersion", third)["launchTemplateVersion"]["versionNumber"],
        3
    );
    ok(
        &mut account,
        "ModifyLaunchTemplate",
        json!({"LaunchTemplateId": id, "SetDefaultVersion": "3"}),
    );
    assert_eq!(
        code(
            &mut account,
            "ModifyLaunchTemplate",
            json!({"LaunchTemplateId": id, "SetDefaultVersion": "2"})
        ),
        "InvalidLaunchTemplateId.VersionNotFound"
    );
}

#[test]
fn malformed_launch_templates_are_refused() {
    let mut account = account();
    for (name, data, expected) in [
        (
            "ab",
            json!({"ImageId": "ami-1"}),
            "InvalidLaunchTemplateName.MalformedException",
        ),
        ("nodes", json!({}), "MissingParameter"),
        (
            "nodes",
            json!({"UserData": "%%%"}),
            "InvalidUserData.Malformed",
        ),
        (
            "nodes",
            json!({"MetadataOptions": {"HttpTokens": "never"}}),
            "InvalidParameterValue",
        ),
        (
            "nodes",
            json!({"MetadataOptions": {"HttpPutResponseHopLimit": "65"}}),
            "InvalidParameterValue",
        ),
    ] {
        let params = json!({"LaunchTemplateName": name, "LaunchTemplateData": data});
        assert_eq!(code(&mut account, "CreateLaunchTemplate", params), expected);
    }
    let both = json!({"LaunchTemplateId": "lt-0123456789abcdef0", "LaunchTemplateName": "nodes"});
    assert_eq!(
        code(&mut account, "DeleteLaunchTemplate", both),
        "InvalidParameterCombination"
    );
    let unknown = json!({"LaunchTemplateName": ["nodes"]});
    assert_eq!(
        code(&mut account, "DescribeLaunchTemplates", unknown),
        "InvalidLaunchTemplateName.NotFoundException"
    );
}

#[test]
fn tags_come_and_go_on_every_kind() {
    let mut account = account();
    let sg = group(&mut account, "nodes");
    let lt = template(&mut account, "nodes", "t")["launchTemplateId"].clone();
    let ids = json!(["vpc-1", "subnet-1", sg, lt]);
    let tags = json!([{"Key": "stack", "Value": "ray"}]);
    ok(
        &mut account,
        "CreateTags",
        json!({"ResourceId": ids, "Tag": tags}),
    );
    let filter = json!([{"Name": "key", "Value": ["stack"]}]);
    let found = ok(&mut account, "DescribeTags", json!({"Filter": filter}));
    assert_eq!(found["tagSet"].as_array().unwrap().len(), 4);
    // Another value: the tag stays.
    ok(
        &mut account,
        "DeleteTags",
        json!({"ResourceId": ids, "Tag": [{"Key": "stack", "Value": "x"}]}),
    );
    assert_eq!(
        ok(&mut account, "DescribeTags", json!({"Filter": filter}))["tagSet"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    ok(
        &mut account,
        "DeleteTags",
        json!({"ResourceId": ids, "Tag": [{"Key": "stack"}]}),
    );
    assert_eq!(
        ok(&mut account, "DescribeTags", json!({"Filter": filter}))["tagSet"],
        json!([])
    );
    assert_eq!(
        code(
            &mut account,
            "CreateTags",
            json!({"ResourceId": [sg], "Tag": [{"Key": "aws:x", "Value": "y"}]})
        ),
        "InvalidParameterValue"
    );
    assert_eq!(
        code(
            &mut account,
            "CreateTags",
            json!({"ResourceId": [sg, "sg-9"], "Tag": tags})
        ),
        "InvalidGroup.NotFound"
    );
}

#[test]
fn instance_types_have_their_shape_and_places() {
    let mut account = account();
    let types = ok(
        &mut account,
        "DescribeInstanceTypes",
        json!({"InstanceType": ["g4dn.xlarge", "m6g.xlarge"]}),
    );
    assert_eq!(
        types["instanceTypeSet"][0]["gpuInfo"]["gpus"][0]["name"],
        "T4"
    );
    assert_eq!(
        types["instanceTypeSet"][1]["processorInfo"]["supportedArchitectures"][0],
        "arm64"
    );
    assert_eq!(
        code(
            &mut account,
            "DescribeInstanceTypes",
            json!({"InstanceType": ["m9z.huge"]})
        ),
        "InvalidInstanceType"
    );
    let filter = json!([{"Name": "instance-type", "Value": ["p4d.*"]}]);
    let offerings = ok(
        &mut account,
        "DescribeInstanceTypeOfferings",
        json!({"LocationType": "availability-zone", "Filter": filter}),
    );
    assert_eq!(
        offerings["instanceTypeOfferingSet"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let zones = ok(&mut account, "DescribeAvailabilityZones", json!({}));
    assert_eq!(zones["availabilityZoneInfo"].as_array().unwrap().len(), 6);
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut account = account();
    let params =
        json!({"GroupName": "nodes", "GroupDescription": "d", "VpcId": "vpc-1", "DryRun": "true"});
    assert_eq!(
        code(&mut account, "CreateSecurityGroup", params),
        "DryRunOperation"
    );
    assert_eq!(
        code(&mut account, "LaunchRockets", json!({})),
        "InvalidAction"
    );
}
