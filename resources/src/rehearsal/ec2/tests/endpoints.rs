//! VPC endpoints.

use super::super::has_way_out;
use super::*;

fn services(account: &mut Account, vpc: &str, names: &[&str], subnet: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        let interface = json!({
            "VpcId": vpc, "ServiceName": format!("com.amazonaws.us-east-1.{name}"), "VpcEndpointType": "Interface",
            "SubnetId": [subnet], "PrivateDnsEnabled": "true",
        });
        let answer = ok(account, "CreateVpcEndpoint", interface);
        ids.push(answer["vpcEndpoint"]["vpcEndpointId"].as_str().unwrap().to_owned());
    }
    ids
}

fn named_vpc(account: &mut Account) -> (String, String) {
    let id = vpc(account, "10.1.0.0/16");
    let inside = subnet(account, &id, "10.1.0.0/19", "us-east-1a");
    (id, inside)
}

fn names_on(account: &mut Account, vpc: &str) {
    ok(account, "ModifyVpcAttribute", json!({"VpcId": vpc, "EnableDnsHostnames": {"Value": "true"}}));
}

#[test]
fn a_gateway_routes_at_once() {
    let mut account = account();
    let (id, _) = named_vpc(&mut account);
    let table = made(&mut account, "CreateRouteTable", json!({"VpcId": id}), "routeTable", "routeTableId");
    let s3 =
        json!({"VpcId": id, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableId": [table], "ClientToken": "t"});
    let made_one = ok(&mut account, "CreateVpcEndpoint", s3.clone());
    let endpoint = made_one["vpcEndpoint"]["vpcEndpointId"].clone();
    assert_eq!(ok(&mut account, "CreateVpcEndpoint", s3.clone())["vpcEndpoint"]["vpcEndpointId"], endpoint);
    let again = json!({"VpcId": id, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableId": [table]});
    assert_eq!(code(&mut account, "CreateVpcEndpoint", again), "RouteAlreadyExists");
    let nowhere = json!({"VpcId": id, "ServiceName": "com.amazonaws.eu-west-1.s3"});
    assert_eq!(code(&mut account, "CreateVpcEndpoint", nowhere), "InvalidServiceName");
    let no_gateway = json!({"VpcId": id, "ServiceName": "com.amazonaws.us-east-1.sts"});
    assert_eq!(code(&mut account, "CreateVpcEndpoint", no_gateway), "InvalidParameter");
    let found = ok(&mut account, "DescribeRouteTables", json!({"RouteTableId": [table]}));
    assert_eq!(found["routeTableSet"][0]["routeSet"][1]["gatewayId"], endpoint);
    let remove = json!({"VpcEndpointId": endpoint, "RemoveRouteTableId": [table]});
    ok(&mut account, "ModifyVpcEndpoint", remove);
    ok(&mut account, "DeleteRouteTable", json!({"RouteTableId": table}));
    let gone = ok(&mut account, "DeleteVpcEndpoints", json!({"VpcEndpointId": [endpoint, "vpce-9"]}));
    assert_eq!(gone["unsuccessful"][0]["error"]["code"], "InvalidVpcEndpointId.NotFound");
    assert_eq!(gone["unsuccessful"].as_array().unwrap().len(), 1);
    assert_eq!(ok(&mut account, "DescribeVpcEndpoints", json!({}))["vpcEndpointSet"], json!([]));
}

#[test]
fn an_interface_needs_names_and_holds_its_subnet_until_it_is_gone() {
    let mut account = account();
    let (id, inside) = named_vpc(&mut account);
    let sts = json!({
        "VpcId": id, "ServiceName": "com.amazonaws.us-east-1.sts", "VpcEndpointType": "Interface",
        "SubnetId": [inside], "PrivateDnsEnabled": "true",
    });
    assert_eq!(code(&mut account, "CreateVpcEndpoint", sts.clone()), "InvalidParameter");
    names_on(&mut account, &id);
    let endpoint = services(&mut account, &id, &["sts"], &inside).remove(0);
    assert_eq!(code(&mut account, "CreateVpcEndpoint", sts), "InvalidParameter", "one set of names");
    let state = |account: &mut Account| {
        ok(account, "DescribeVpcEndpoints", json!({"VpcEndpointId": [endpoint]}))["vpcEndpointSet"][0]["state"].clone()
    };
    assert_eq!(state(&mut account), "pending");
    later(&mut account, 115);
    assert_eq!(state(&mut account), "available");
    let twin = subnet(&mut account, &id, "10.1.32.0/19", "us-east-1a");
    let add = json!({"VpcEndpointId": endpoint, "AddSubnetId": [twin]});
    assert_eq!(code(&mut account, "ModifyVpcEndpoint", add), "DuplicateSubnetsInSameZone");
    ok(&mut account, "DeleteVpcEndpoints", json!({"VpcEndpointId": [endpoint]}));
    assert_eq!(state(&mut account), "deleting");
    assert_eq!(code(&mut account, "DeleteSubnet", json!({"SubnetId": inside})), "DependencyViolation");
    later(&mut account, 65);
    ok(&mut account, "DeleteSubnet", json!({"SubnetId": inside}));
}

#[test]
fn endpoints_of_all_that_nodes_need_are_a_way_out() {
    let mut account = account();
    let (id, inside) = named_vpc(&mut account);
    names_on(&mut account, &id);
    services(&mut account, &id, &["ec2", "ecr.api", "ecr.dkr", "sts"], &inside);
    later(&mut account, 115);
    assert!(!has_way_out(&account, &inside));
    ok(&mut account, "CreateVpcEndpoint", json!({"VpcId": id, "ServiceName": "com.amazonaws.us-east-1.s3"}));
    assert!(has_way_out(&account, &inside));
}
