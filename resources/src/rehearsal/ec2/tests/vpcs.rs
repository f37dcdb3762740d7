//! VPCs, subnets and internet gateways.

use super::*;

#[test]
fn blocks_and_numbers_are_checked() {
    let mut account = account();
    for cidr in ["10.0.0.0/15", "10.0.0.0/29"] {
        assert_eq!(code(&mut account, "CreateVpc", json!({"CidrBlock": cidr})), "InvalidVpc.Range");
    }
    assert_eq!(code(&mut account, "CreateVpc", json!({"CidrBlock": "ten"})), "InvalidParameterValue");
    // A block is written in its canonical form; the seeded VPC counts.
    let made = ok(&mut account, "CreateVpc", json!({"CidrBlock": "10.4.5.6/16"}));
    assert_eq!((&made["vpc"]["cidrBlock"], &made["vpc"]["state"]), (&json!("10.4.0.0/16"), &json!("pending")));
    for n in 1..4 {
        vpc(&mut account, &format!("10.{n}.0.0/16"));
    }
    assert_eq!(code(&mut account, "CreateVpc", json!({"CidrBlock": "10.9.0.0/16"})), "VpcLimitExceeded");
}

#[test]
fn a_new_vpc_has_a_group_a_main_table_and_an_acl_which_go_with_it() {
    let mut account = account();
    let id = vpc(&mut account, "10.1.0.0/16");
    let of_it = json!({"Filter": [{"Name": "vpc-id", "Value": [id]}]});
    let groups = ok(&mut account, "DescribeSecurityGroups", of_it.clone());
    assert_eq!(groups["securityGroupInfo"][0]["groupName"], "default");
    let tables = ok(&mut account, "DescribeRouteTables", of_it.clone());
    assert_eq!(tables["routeTableSet"][0]["associationSet"][0]["main"], true);
    assert_eq!(tables["routeTableSet"][0]["routeSet"][0]["gatewayId"], "local");
    let main = json!({"RouteTableId": tables["routeTableSet"][0]["routeTableId"]});
    assert_eq!(code(&mut account, "DeleteRouteTable", main), "DependencyViolation");
    let acls = ok(&mut account, "DescribeNetworkAcls", of_it.clone());
    assert_eq!(acls["networkAclSet"][0]["default"], true);
    ok(&mut account, "DeleteVpc", json!({"VpcId": id}));
    for (operation, set) in [
        ("DescribeVpcs", "vpcSet"),
        ("DescribeSecurityGroups", "securityGroupInfo"),
        ("DescribeRouteTables", "routeTableSet"),
        ("DescribeNetworkAcls", "networkAclSet"),
    ] {
        assert_eq!(ok(&mut account, operation, of_it.clone())[set], json!([]), "{operation}");
    }
    assert_eq!(code(&mut account, "DeleteVpc", json!({"VpcId": id})), "InvalidVpcID.NotFound");
}

#[test]
fn names_are_off_until_they_are_asked_for() {
    let mut account = account();
    let id = vpc(&mut account, "10.1.0.0/16");
    let mut attribute = |name: &str| {
        let answer = ok(&mut account, "DescribeVpcAttribute", json!({"VpcId": id, "Attribute": name}));
        answer[name]["value"].as_bool().unwrap()
    };
    assert!(attribute("enableDnsSupport") && !attribute("enableDnsHostnames"));
    let on = json!({"Value": "true"});
    let both = json!({"VpcId": id, "EnableDnsSupport": on, "EnableDnsHostnames": on});
    assert_eq!(code(&mut account, "ModifyVpcAttribute", both), "InvalidParameterCombination");
    ok(&mut account, "ModifyVpcAttribute", json!({"VpcId": id, "EnableDnsHostnames": on}));
    let answer = ok(&mut account, "DescribeVpcAttribute", json!({"VpcId": id, "Attribute": "enableDnsHostnames"}));
    assert_eq!(answer["enableDnsHostnames"]["value"], true);
}

#[test]
fn subnets_lie_in_their_vpc_and_beside_each_other() {
    let mut account = account();
    let id = vpc(&mut account, "10.1.0.0/16");
    let first = subnet(&mut account, &id, "10.1.0.0/19", "us-east-1a");
    let refused = |account: &mut Account, vpc: &str, cidr: &str, zone: &str| {
        code(account, "CreateSubnet", json!({"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": zone}))
    };
    for inside in ["10.1.0.0/19", "10.1.16.0/20", "10.1.0.0/18"] {
        assert_eq!(refused(&mut account, &id, inside, "us-east-1b"), "InvalidSubnet.Conflict");
    }
    for outside in ["10.2.0.0/19", "10.1.32.0/29"] {
        assert_eq!(refused(&mut account, &id, outside, "us-east-1b"), "InvalidSubnet.Range");
    }
    assert_eq!(refused(&mut account, &id, "10.1.32.0/19", "us-east-1z"), "InvalidParameterValue");
    assert_eq!(refused(&mut account, "vpc-9", "10.1.32.0/19", "us-east-1b"), "InvalidVpcID.NotFound");
    let found = ok(&mut account, "DescribeSubnets", json!({"SubnetId": [first]}));
    assert_eq!(found["subnetSet"][0]["availableIpAddressCount"], 8187);
    assert_eq!(found["subnetSet"][0]["mapPublicIpOnLaunch"], false);
    let on = json!({"SubnetId": first, "MapPublicIpOnLaunch": {"Value": "true"}});
    ok(&mut account, "ModifySubnetAttribute", on);
    let found = ok(&mut account, "DescribeSubnets", json!({"SubnetId": [first]}));
    assert_eq!(found["subnetSet"][0]["mapPublicIpOnLaunch"], true);
    assert_eq!(code(&mut account, "DeleteVpc", json!({"VpcId": id})), "DependencyViolation");
    ok(&mut account, "DeleteSubnet", json!({"SubnetId": first}));
    assert_eq!(code(&mut account, "DeleteSubnet", json!({"SubnetId": first})), "InvalidSubnetID.NotFound");
}

#[test]
fn what_was_made_a_moment_ago_may_be_unseen() {
    let mut account = account();
    let mut unseen = 0;
    for n in 1..4 {
        let made = ok(&mut account, "CreateVpc", json!({"CidrBlock": format!("10.{n}.0.0/16")}));
        let id = json!({"VpcId": [made["vpc"]["vpcId"]]});
        unseen += u32::from(account.handle("ec2", "DescribeVpcs", &id).is_err());
        later(&mut account, 3);
        ok(&mut account, "DescribeVpcs", id);
    }
    for _ in 0..5 {
        let made = ok(&mut account, "CreateInternetGateway", json!({}));
        let id = json!({"InternetGatewayId": [made["internetGateway"]["internetGatewayId"]]});
        unseen += u32::from(account.handle("ec2", "DescribeInternetGateways", &id).is_err());
    }
    assert!((1..8).contains(&unseen), "{unseen}");
    assert_eq!(code(&mut account, "CreateInternetGateway", json!({})), "InternetGatewayLimitExceeded");
}

#[test]
fn an_internet_gateway_serves_one_vpc() {
    let mut account = account();
    let (one, two) = (vpc(&mut account, "10.1.0.0/16"), vpc(&mut account, "10.2.0.0/16"));
    let id = attached_gateway(&mut account, &one);
    let attach = |vpc: &str| json!({"InternetGatewayId": id, "VpcId": vpc});
    for vpc in [&one, &two] {
        assert_eq!(code(&mut account, "AttachInternetGateway", attach(vpc)), "Resource.AlreadyAssociated");
    }
    let other = made(&mut account, "CreateInternetGateway", json!({}), "internetGateway", "internetGatewayId");
    let params = json!({"InternetGatewayId": other, "VpcId": one});
    assert_eq!(code(&mut account, "AttachInternetGateway", params), "InvalidParameterValue");
    assert_eq!(code(&mut account, "DeleteInternetGateway", json!({"InternetGatewayId": id})), "DependencyViolation");
    assert_eq!(code(&mut account, "DeleteVpc", json!({"VpcId": one})), "DependencyViolation");
    assert_eq!(code(&mut account, "DetachInternetGateway", attach(&two)), "Gateway.NotAttached");
    ok(&mut account, "DetachInternetGateway", attach(&one));
    ok(&mut account, "DeleteInternetGateway", json!({"InternetGatewayId": id}));
    ok(&mut account, "DeleteVpc", json!({"VpcId": one}));
    let gone = json!({"InternetGatewayId": id});
    assert_eq!(code(&mut account, "DeleteInternetGateway", gone), "InvalidInternetGatewayID.NotFound");
}
