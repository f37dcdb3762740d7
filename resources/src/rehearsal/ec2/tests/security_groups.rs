use super::super::{NewInterface, Tags, attach_interface};
use super::*;

#[test]
fn a_group_name_is_unique_in_its_vpc() {
    let mut account = account();
    group(&mut account, "nodes");
    let again = json!({"GroupName": "nodes", "GroupDescription": "d", "VpcId": "vpc-1"});
    assert_eq!(code(&mut account, "CreateSecurityGroup", again), "InvalidGroup.Duplicate");
    let elsewhere = json!({"GroupName": "nodes", "GroupDescription": "d", "VpcId": "vpc-9"});
    assert_eq!(code(&mut account, "CreateSecurityGroup", elsewhere), "InvalidVpcID.NotFound");
    let reserved = json!({"GroupName": "sg-nodes", "GroupDescription": "d", "VpcId": "vpc-1"});
    assert_eq!(code(&mut account, "CreateSecurityGroup", reserved), "InvalidParameterValue");
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
        seen.extend(groups.iter().map(|it| it["groupName"].as_str().unwrap().to_owned()));
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
    assert_eq!(code(&mut account, "DescribeSecurityGroups", json!({"MaxResults": "1"})), "InvalidParameterValue");
}

#[test]
fn rules_come_once_and_go_by_permission_or_id() {
    let mut account = account();
    let id = group(&mut account, "nodes");
    let params = json!({
        "GroupId": id, "IpPermissions": https_from("10.0.0.7/8"),
        "TagSpecification": [{"ResourceType": "security-group-rule", "Tag": [{"Key": "a", "Value": "b"}]}],
    });
    let rule = ok(&mut account, "AuthorizeSecurityGroupIngress", params)["securityGroupRuleSet"][0].clone();
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
    ok(&mut account, "AuthorizeSecurityGroupEgress", json!({"GroupId": id, "IpPermissions": https_from("10.0.0.0/8")}));
    let rule_id = rule["securityGroupRuleId"].clone();
    let found = ok(
        &mut account,
        "DescribeSecurityGroupRules",
        json!({"Filter": [{"Name": "group-id", "Value": [id]}, {"Name": "tag:a", "Value": ["b"]}]}),
    );
    assert_eq!(found["securityGroupRuleSet"][0]["securityGroupRuleId"], rule_id);
    let revoke = json!({"GroupId": id, "SecurityGroupRuleId": [rule_id]});
    ok(&mut account, "RevokeSecurityGroupIngress", revoke.clone());
    assert_eq!(code(&mut account, "RevokeSecurityGroupIngress", revoke), "InvalidSecurityGroupRuleId.NotFound");
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
        (json!([{"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]), "InvalidParameterValue"),
        (
            json!([{"IpProtocol": "tcp", "FromPort": "9", "ToPort": "1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]),
            "InvalidParameterValue",
        ),
        (json!([{"IpProtocol": "-1", "Groups": [{"GroupId": "sg-00000000000000000"}]}]), "InvalidGroup.NotFound"),
        (json!([{"IpProtocol": "-1", "Groups": [{"GroupId": "group"}]}]), "InvalidGroupId.Malformed"),
        (json!([{"IpProtocol": "smtp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]), "InvalidPermission.Malformed"),
        (json!([]), "MissingParameter"),
    ] {
        let params = json!({"GroupId": id, "IpPermissions": permissions});
        assert_eq!(code(&mut account, "AuthorizeSecurityGroupIngress", params), expected);
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
    let rules = ok(&mut account, "DescribeSecurityGroupRules", json!({"SecurityGroupRuleId": [rule_id]}));
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
    assert_eq!(code(&mut account, "DeleteSecurityGroup", json!({"GroupId": nodes})), "DependencyViolation");
    ok(&mut account, "RevokeSecurityGroupIngress", rule);
    let interface = attach_interface(
        &mut account,
        NewInterface {
            subnet_id: "subnet-1",
            group_ids: std::slice::from_ref(&nodes),
            description: "left".to_owned(),
            owner: None,
            instance_id: None,
            tags: Tags::new(),
        },
    )
    .unwrap();
    assert_eq!(code(&mut account, "DeleteSecurityGroup", json!({"GroupId": nodes})), "DependencyViolation");
    ok(&mut account, "DeleteNetworkInterface", json!({"NetworkInterfaceId": interface}));
    ok(&mut account, "DeleteSecurityGroup", json!({"GroupId": nodes}));
    assert_eq!(code(&mut account, "DeleteSecurityGroup", json!({"GroupId": nodes})), "InvalidGroup.NotFound");
}

#[test]
fn the_default_group_and_an_interface_in_use_stay() {
    let mut account = account();
    let default =
        ok(&mut account, "DescribeSecurityGroups", json!({"Filter": [{"Name": "group-name", "Value": ["default"]}]}));
    let id = default["securityGroupInfo"][0]["groupId"].clone();
    assert_eq!(code(&mut account, "DeleteSecurityGroup", json!({"GroupId": id})), "CannotDelete");
    let new = NewInterface {
        subnet_id: "subnet-1",
        group_ids: &[id.as_str().unwrap().to_owned()],
        description: "Amazon EKS c".to_owned(),
        owner: Some("cluster/c".to_owned()),
        instance_id: None,
        tags: Tags::new(),
    };
    let interface = attach_interface(&mut account, new).unwrap();
    assert_eq!(
        code(&mut account, "DeleteNetworkInterface", json!({"NetworkInterfaceId": interface})),
        "InvalidParameterValue"
    );
    let found = ok(
        &mut account,
        "DescribeNetworkInterfaces",
        json!({"Filter": [{"Name": "group-id", "Value": [id]}, {"Name": "status", "Value": ["in-use"]}]}),
    );
    assert_eq!(found["networkInterfaceSet"][0]["networkInterfaceId"], interface);
}
