//! Addresses, NAT gateways, route tables and routes.

use super::super::has_way_out;
use super::*;

/// A VPC with a public and a private subnet and an attached gateway.
struct Net {
    account: Account,
    vpc: String,
    public: String,
    private: String,
    gateway: String,
}

fn net() -> Net {
    let mut account = account();
    let id = vpc(&mut account, "10.1.0.0/16");
    let public = subnet(&mut account, &id, "10.1.224.0/24", "us-east-1a");
    let private = subnet(&mut account, &id, "10.1.0.0/19", "us-east-1a");
    let gateway = attached_gateway(&mut account, &id);
    Net { account, vpc: id, public, private, gateway }
}

fn nat(account: &mut Account, subnet: &str, address: &str, token: &str) -> String {
    let params = json!({"SubnetId": subnet, "AllocationId": address, "ClientToken": token});
    ok(account, "CreateNatGateway", params)["natGateway"]["natGatewayId"].as_str().unwrap().to_owned()
}

fn described(account: &mut Account, id: &str) -> Value {
    ok(account, "DescribeNatGateways", json!({"NatGatewayId": [id]}))["natGatewaySet"][0].clone()
}

fn table(account: &mut Account, vpc: &str, subnet: &str) -> String {
    let id = made(account, "CreateRouteTable", json!({"VpcId": vpc}), "routeTable", "routeTableId");
    ok(account, "AssociateRouteTable", json!({"RouteTableId": id, "SubnetId": subnet}));
    id
}

#[test]
fn addresses_are_few_and_free_before_they_are_released() {
    let mut account = account();
    let ids: Vec<String> = (0..5).map(|_| address(&mut account)).collect();
    assert_eq!(code(&mut account, "AllocateAddress", json!({"Domain": "vpc"})), "AddressLimitExceeded");
    ok(&mut account, "ReleaseAddress", json!({"AllocationId": ids[0]}));
    assert_eq!(code(&mut account, "ReleaseAddress", json!({"AllocationId": ids[0]})), "InvalidAllocationID.NotFound");
    assert_eq!(ok(&mut account, "DescribeAddresses", json!({}))["addressesSet"].as_array().unwrap().len(), 4);
}

#[test]
fn a_nat_gateways_life() {
    let Net { mut account, vpc, public, gateway, .. } = net();
    let address = address(&mut account);
    let id = nat(&mut account, &public, &address, "t");
    assert_eq!(nat(&mut account, &public, &address, "t"), id, "the token is replayed");
    later(&mut account, 30);
    assert_eq!(described(&mut account, &id)["state"], "pending");
    later(&mut account, 95);
    let found = described(&mut account, &id);
    assert_eq!(found["state"], "available");
    assert_eq!(found["natGatewayAddressSet"][0]["allocationId"], json!(address));
    let subnets = ok(&mut account, "DescribeSubnets", json!({"SubnetId": [public]}));
    assert_eq!(subnets["subnetSet"][0]["availableIpAddressCount"], 250);

    // It holds its address, its subnet and the internet gateway until it is deleted.
    ok(&mut account, "DeleteNatGateway", json!({"NatGatewayId": id}));
    assert_eq!(described(&mut account, &id)["state"], "deleting");
    let detach = json!({"InternetGatewayId": gateway, "VpcId": vpc});
    assert_eq!(code(&mut account, "ReleaseAddress", json!({"AllocationId": address})), "InvalidIPAddress.InUse");
    assert_eq!(code(&mut account, "DeleteSubnet", json!({"SubnetId": public})), "DependencyViolation");
    assert_eq!(code(&mut account, "DetachInternetGateway", detach.clone()), "DependencyViolation");
    later(&mut account, 75);
    assert_eq!(described(&mut account, &id)["state"], "deleted");
    ok(&mut account, "ReleaseAddress", json!({"AllocationId": address}));
    ok(&mut account, "DetachInternetGateway", detach);
    ok(&mut account, "DeleteSubnet", json!({"SubnetId": public}));
    // Shown for an hour.
    later(&mut account, 3500);
    assert_eq!(described(&mut account, &id)["state"], "deleted");
    later(&mut account, 110);
    assert_eq!(code(&mut account, "DescribeNatGateways", json!({"NatGatewayId": [id]})), "NatGatewayNotFound");
}

#[test]
fn what_is_wrong_with_a_nat_gateway_shows_as_its_state() {
    let Net { mut account, vpc, public, gateway, .. } = net();
    let (one, two) = (address(&mut account), address(&mut account));
    let params = json!({"SubnetId": public, "AllocationId": "eipalloc-9"});
    assert_eq!(code(&mut account, "CreateNatGateway", params), "InvalidAllocationID.NotFound");
    nat(&mut account, &public, &one, "a");
    let second = nat(&mut account, &public, &one, "b");
    later(&mut account, 20);
    let found = described(&mut account, &second);
    assert_eq!((&found["state"], &found["failureCode"]), (&json!("failed"), &json!("Resource.AlreadyAssociated")));
    account.ec2.internet_gateways.get_mut(&gateway).unwrap().vpc_id = None;
    let third = nat(&mut account, &public, &two, "c");
    later(&mut account, 20);
    assert_eq!(described(&mut account, &third)["failureCode"], "Gateway.NotAttached");
    assert_eq!(
        described(&mut account, &third)["failureMessage"],
        format!("Network {vpc} has no Internet gateway attached")
    );
    // A failed one has taken nothing.
    ok(&mut account, "ReleaseAddress", json!({"AllocationId": two}));
}

#[test]
fn one_route_a_destination_and_one_table_a_subnet() {
    let Net { mut account, vpc, public, private, gateway } = net();
    let id = table(&mut account, &vpc, &public);
    let route = |target: &str| json!({"RouteTableId": id, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": target});
    assert_eq!(code(&mut account, "CreateRoute", route("igw-9")), "InvalidGatewayID.NotFound");
    ok(&mut account, "CreateRoute", route(&gateway));
    assert_eq!(code(&mut account, "CreateRoute", route(&gateway)), "RouteAlreadyExists");
    let elsewhere = json!({"RouteTableId": id, "DestinationCidrBlock": "10.9.0.0/16", "GatewayId": gateway});
    assert_eq!(code(&mut account, "ReplaceRoute", elsewhere.clone()), "InvalidParameterValue");
    assert_eq!(code(&mut account, "DeleteRoute", elsewhere), "InvalidRoute.NotFound");
    let associate = json!({"RouteTableId": id, "SubnetId": public});
    assert_eq!(code(&mut account, "AssociateRouteTable", associate), "Resource.AlreadyAssociated");
    assert_eq!(code(&mut account, "DeleteRouteTable", json!({"RouteTableId": id})), "DependencyViolation");

    let other = table(&mut account, &vpc, &private);
    let of_private = json!({"Filter": [{"Name": "association.subnet-id", "Value": [private]}]});
    let found = ok(&mut account, "DescribeRouteTables", of_private.clone());
    let association = found["routeTableSet"][0]["associationSet"][0]["routeTableAssociationId"].clone();
    let replace = json!({"AssociationId": association, "RouteTableId": id});
    let replaced = ok(&mut account, "ReplaceRouteTableAssociation", replace.clone());
    assert_eq!(code(&mut account, "ReplaceRouteTableAssociation", replace), "InvalidAssociationID.NotFound");
    ok(&mut account, "DeleteRouteTable", json!({"RouteTableId": other}));
    let found = ok(&mut account, "DescribeRouteTables", of_private);
    assert_eq!(found["routeTableSet"][0]["routeTableId"], json!(id));
    ok(&mut account, "DisassociateRouteTable", json!({"AssociationId": replaced["newAssociationId"]}));
    // A subnet takes its association along.
    ok(&mut account, "DeleteSubnet", json!({"SubnetId": public}));
    ok(&mut account, "DeleteRouteTable", json!({"RouteTableId": id}));
}

#[test]
fn networks_are_not_mixed_up() {
    let Net { mut account, vpc: id, gateway, .. } = net();
    let other = vpc(&mut account, "10.2.0.0/16");
    let far = subnet(&mut account, &other, "10.2.0.0/24", "us-east-1a");
    let table = made(&mut account, "CreateRouteTable", json!({"VpcId": other}), "routeTable", "routeTableId");
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway});
    assert_eq!(code(&mut account, "CreateRoute", route), "InvalidParameterValue");
    let near = made(&mut account, "CreateRouteTable", json!({"VpcId": id}), "routeTable", "routeTableId");
    let associate = json!({"RouteTableId": near, "SubnetId": far});
    assert_eq!(code(&mut account, "AssociateRouteTable", associate), "InvalidParameterValue");
}

#[test]
fn a_private_subnet_leads_out_when_the_whole_way_stands() {
    let Net { mut account, vpc, public, private, gateway } = net();
    assert!(has_way_out(&account, "subnet-1"), "seeded");
    let address = address(&mut account);
    let id = nat(&mut account, &public, &address, "t");
    let inner = table(&mut account, &vpc, &private);
    let to_nat = json!({"RouteTableId": inner, "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": id});
    ok(&mut account, "CreateRoute", to_nat);
    assert!(!has_way_out(&account, &private), "the gateway is pending");
    later(&mut account, 125);
    assert!(!has_way_out(&account, &private), "its own subnet does not lead out");
    let outer = table(&mut account, &vpc, &public);
    let to_internet = json!({"RouteTableId": outer, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway});
    ok(&mut account, "CreateRoute", to_internet);
    assert!(has_way_out(&account, &private));
    assert!(!has_way_out(&account, &public), "nodes in it have no public address");
    // The gateway goes: a black hole.
    ok(&mut account, "DeleteNatGateway", json!({"NatGatewayId": id}));
    assert!(!has_way_out(&account, &private));
    let found = ok(&mut account, "DescribeRouteTables", json!({"RouteTableId": [inner]}));
    assert_eq!(found["routeTableSet"][0]["routeSet"][1]["state"], "blackhole");
}
