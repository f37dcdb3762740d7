//! A stack with one of each kind of the VPC family: its life, its changes in place, a stop
//! at every call, and a lost response of each kind.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rayplat_engine::{
    apply::Interrupt,
    event::{Event, Events},
    ops::Report,
    plan::render::render,
    stack::Stack,
};
use rayplat_integration_tests::{World, failures, leftovers};
use rayplat_resources::{
    aws::{
        Tags,
        ec2_eip::{Eip, EipArgs},
        ec2_internet_gateway::{InternetGateway, InternetGatewayArgs},
        ec2_nat_gateway::{NatGateway, NatGatewayArgs},
        ec2_route::{Route, RouteArgs},
        ec2_route_table::{RouteTable, RouteTableArgs},
        ec2_route_table_association::{RouteTableAssociation, RouteTableAssociationArgs},
        ec2_subnet::{Subnet, SubnetArgs},
        ec2_vpc::{Vpc, VpcArgs},
        ec2_vpc_endpoint::{EndpointKind, VpcEndpoint, VpcEndpointArgs},
    },
    rehearsal::faults::{FaultKind, FaultRule, Faults, Moment},
};
use serde_json::json;

const STACK: &str = "one-of-each";

/// How the stack is to look.
#[derive(Clone, Copy)]
struct Look {
    team: &'static str,
    /// Public subnet, second subnet's table, endpoints' reach.
    wide: bool,
}

const FIRST: Look = Look { team: "a", wide: false };
const SECOND: Look = Look { team: "b", wide: true };

fn stack(look: Look) -> Stack {
    let mut stack = Stack::new(STACK);
    let tags = Tags::from([("team".to_owned(), look.team.to_owned())]);
    let args = VpcArgs {
        cidr: "10.5.0.0/16".into(),
        dns_support: true.into(),
        dns_hostnames: true.into(),
        tags: tags.clone().into(),
    };
    let vpc = stack.add::<Vpc>("main", args).unwrap();
    let subnet = |stack: &mut Stack, name: &str, cidr: &str, zone: &str, public: bool| {
        let args = SubnetArgs {
            vpc_id: vpc.out.id().into(),
            cidr: cidr.into(),
            availability_zone: zone.into(),
            map_public_ip: public.into(),
            tags: tags.clone().into(),
        };
        stack.add::<Subnet>(name, args).unwrap()
    };
    let public = subnet(&mut stack, "public", "10.5.224.0/24", "us-east-1a", look.wide);
    let one = subnet(&mut stack, "one", "10.5.0.0/19", "us-east-1a", false);
    let two = subnet(&mut stack, "two", "10.5.32.0/19", "us-east-1b", false);
    let args = InternetGatewayArgs { vpc_id: vpc.out.id().into(), tags: tags.clone().into() };
    let internet = stack.add::<InternetGateway>("main", args).unwrap();
    let address = stack.add::<Eip>("nat", EipArgs { tags: tags.clone().into() }).unwrap();
    let args = NatGatewayArgs {
        subnet_id: public.out.id().into(),
        allocation_id: address.out.allocation_id().into(),
        tags: tags.clone().into(),
    };
    let nat = stack.add::<NatGateway>("nat", args).unwrap();
    stack.after(&nat.urn, &internet.urn).unwrap();
    let table = |stack: &mut Stack, name: &str| {
        let args = RouteTableArgs { vpc_id: vpc.out.id().into(), tags: tags.clone().into() };
        stack.add::<RouteTable>(name, args).unwrap()
    };
    let (outer, inner) = (table(&mut stack, "outer"), table(&mut stack, "inner"));
    let to = |table: &rayplat_engine::stack::Added<RouteTable>| RouteArgs {
        route_table_id: table.out.id().into(),
        destination: "0.0.0.0/0".into(),
        ..RouteArgs::default()
    };
    stack.add::<Route>("outer", RouteArgs { gateway_id: internet.out.id().into(), ..to(&outer) }).unwrap();
    stack.add::<Route>("inner", RouteArgs { nat_gateway_id: nat.out.id().into(), ..to(&inner) }).unwrap();
    for (subnet, table) in [(&public, &outer), (&one, &inner), (&two, if look.wide { &outer } else { &inner })] {
        let args =
            RouteTableAssociationArgs { subnet_id: subnet.out.id().into(), route_table_id: table.out.id().into() };
        stack.add::<RouteTableAssociation>(subnet.urn.name(), args).unwrap();
    }
    let endpoint = |service: &str| VpcEndpointArgs {
        vpc_id: vpc.out.id().into(),
        service_name: format!("com.amazonaws.us-east-1.{service}").into(),
        tags: tags.clone().into(),
        ..VpcEndpointArgs::default()
    };
    let tables = if look.wide { vec![inner.out.id(), outer.out.id()] } else { vec![inner.out.id()] };
    stack.add::<VpcEndpoint>("s3", VpcEndpointArgs { route_table_ids: tables.into(), ..endpoint("s3") }).unwrap();
    let subnets = if look.wide { vec![one.out.id(), two.out.id()] } else { vec![one.out.id()] };
    let args = VpcEndpointArgs {
        kind: EndpointKind::Interface.into(),
        subnet_ids: subnets.into(),
        private_dns: true.into(),
        ..endpoint("sts")
    };
    stack.add::<VpcEndpoint>("sts", args).unwrap();
    stack
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

async fn up(world: &World, look: Look) -> (Report, Vec<Event>) {
    let (events, mut reader) = Events::channel();
    let engine = world.engine().await.0;
    let report = engine.up(&stack(look), events, Interrupt::default(), |_| true).await.unwrap();
    (report, std::iter::from_fn(|| reader.try_recv().ok()).collect())
}

async fn stand(world: &World, look: Look, what: &str) -> Report {
    let (report, events) = up(world, look).await;
    assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
    let again = world.engine().await.0.preview(&stack(look), Events::none()).await.unwrap();
    assert!(again.plan.is_empty(), "{what}: {}", render(&again.plan));
    report
}

async fn gone(world: &World, what: &str) {
    let (report, events) = world.down_of(STACK).await.unwrap();
    assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
    assert_eq!(leftovers(world), Vec::<String>::new(), "{what}");
}

#[test]
fn up_change_down() {
    for seed in 0..8 {
        block_on(async {
            let world = World::new(seed);
            let first = stand(&world, FIRST, "first").await;
            assert_eq!(first.summary.created, stack(FIRST).len() as u64);
            // Everything that can change, changes in place: tags of eleven, and the way of one subnet.
            let second = stand(&world, SECOND, "second").await;
            assert_eq!((second.summary.updated, second.summary.replaced), (12, 0), "{:?}", second.summary);
            assert_eq!((second.summary.created, second.summary.deleted), (0, 0));
            stand(&world, FIRST, "back").await;
            gone(&world, "down").await;
        });
    }
}

/// Stops `run` at its n-th call. False if it has fewer.
async fn stopped<F: Future>(world: &World, n: u64, moment: Moment, run: F) -> bool {
    let (faults, reached) = Faults::default().stop_at(n, moment);
    world.account.set_faults(faults);
    let stopped = tokio::select! {
        () = reached.notified() => true,
        _ = run => false,
    };
    world.account.set_faults(Faults::default());
    stopped
}

/// At every n-th call of `run`, before and after its effect, until it has no more.
fn at_every_call(least: u64, check: impl Fn(u64, Moment) -> bool) {
    let mut n = 1;
    while [Moment::BeforeEffect, Moment::AfterEffect].map(|moment| check(n, moment)) != [false, false] {
        n += 1;
    }
    assert!(n > least, "the run has only {n} calls");
}

#[test]
fn up_is_finished_after_a_stop_at_every_call() {
    let whole = block_on(async {
        let world = World::new(3);
        stand(&world, FIRST, "whole").await;
        leftovers(&world)
    });
    at_every_call(40, |n, moment| {
        block_on(async {
            let world = World::new(3);
            let stopped = stopped(&world, n, moment, up(&world, FIRST)).await;
            let what = format!("call {n}, {moment:?}");
            stand(&world, FIRST, &what).await;
            assert_eq!(leftovers(&world), whole, "{what}");
            stopped
        })
    });
}

#[test]
fn a_change_is_finished_after_a_stop_at_every_call() {
    at_every_call(30, |n, moment| {
        block_on(async {
            let world = World::new(4);
            stand(&world, FIRST, "first").await;
            let stopped = stopped(&world, n, moment, up(&world, SECOND)).await;
            stand(&world, SECOND, &format!("call {n}, {moment:?}")).await;
            stopped
        })
    });
}

#[test]
fn down_is_finished_after_a_stop_at_every_call() {
    at_every_call(30, |n, moment| {
        block_on(async {
            let world = World::new(5);
            stand(&world, FIRST, "first").await;
            let stopped = stopped(&world, n, moment, world.down_of(STACK)).await;
            gone(&world, &format!("call {n}, {moment:?}")).await;
            stopped
        })
    });
}

/// What makes, changes and destroys.
const CALLS: [&str; 28] = [
    "CreateVpc",
    "ModifyVpcAttribute",
    "CreateSubnet",
    "CreateInternetGateway",
    "AttachInternetGateway",
    "AllocateAddress",
    "CreateNatGateway",
    "CreateRouteTable",
    "CreateRoute",
    "AssociateRouteTable",
    "CreateVpcEndpoint",
    "CreateTags",
    "ModifySubnetAttribute",
    "ReplaceRouteTableAssociation",
    "ModifyVpcEndpoint",
    "DeleteVpcEndpoints",
    "DisassociateRouteTable",
    "DeleteRoute",
    "DeleteRouteTable",
    "DeleteNatGateway",
    "ReleaseAddress",
    "DetachInternetGateway",
    "DeleteInternetGateway",
    "DeleteSubnet",
    "DeleteVpc",
    "DescribeVpcs",
    "DescribeRouteTables",
    "DescribeNatGateways",
];

/// The response is lost: before the effect, after it, or it comes 10 s later. Nothing is
/// made twice and nothing stays.
#[test]
fn one_lost_response_of_each_call() {
    let whole = block_on(async {
        let world = World::new(6);
        stand(&world, SECOND, "whole").await;
        leftovers(&world)
    });
    for operation in CALLS {
        for kind in [FaultKind::LostBefore, FaultKind::LostAfter, FaultKind::Late(Duration::from_secs(10))] {
            block_on(async {
                let world = World::new(6);
                let what = format!("{operation}, {kind:?}");
                world.account.set_faults(Faults::new(1, vec![FaultRule::once("ec2", operation, kind)]));
                // An update whose outcome is not known fails; the next run looks and goes on.
                for look in [FIRST, SECOND, SECOND] {
                    up(&world, look).await;
                }
                stand(&world, SECOND, &what).await;
                assert_eq!(leftovers(&world), whole, "{what}");
                world.down_of(STACK).await.unwrap();
                gone(&world, &what).await;
                let struck = world.account.log().iter().filter(|line| line.error.as_deref() == Some("lost")).count();
                assert_eq!(struck, 1, "{what}");
            });
        }
    }
}

/// Somebody detaches the gateway, takes a route away and moves a subnet to another table.
#[test]
fn drift_is_found_and_mended() {
    block_on(async {
        let world = World::new(7);
        stand(&world, FIRST, "first").await;
        world.account.with_account(|account| {
            let gateway = account.ec2.internet_gateways.values().next().unwrap();
            let detach = json!({"InternetGatewayId": gateway.id, "VpcId": gateway.vpc_id});
            let to_nat =
                account.ec2.route_tables.values().find(|table| {
                    table.routes.iter().any(|route| format!("{:?}", route.target).contains("NatGateway"))
                });
            let route = json!({"RouteTableId": to_nat.unwrap().id, "DestinationCidrBlock": "0.0.0.0/0"});
            account.handle("ec2", "DeleteRoute", &route).unwrap();
            // A public address holds the gateway: as if AWS had taken it away.
            assert!(account.handle("ec2", "DetachInternetGateway", &detach).is_err());
            account.ec2.internet_gateways.values_mut().for_each(|gateway| gateway.vpc_id = None);
        });
        let report = stand(&world, FIRST, "mended").await;
        assert_eq!((report.summary.created, report.summary.updated), (1, 1), "{:?}", report.summary);
    });
}

/// An interface of the VPC CNI that was left behind holds its subnet: the error names it,
/// and what to do.
#[test]
fn a_deletion_that_is_held_says_by_what() {
    block_on(async {
        let world = World::new(8);
        stand(&world, FIRST, "first").await;
        let left = world.account.with_account(|account| {
            let subnet = account.ec2.subnets.values().find(|subnet| subnet.cidr.to_string() == "10.5.32.0/19").unwrap();
            let mut interface = account.ec2.network_interfaces.values().next().unwrap().clone();
            interface.id = "eni-0123456789abcdef0".to_owned();
            interface.subnet_id.clone_from(&subnet.id);
            interface.description = "aws-K8S-i-0123456789abcdef0".to_owned();
            (interface.owner, interface.instance_id) = (None, None);
            account.ec2.network_interfaces.insert(interface.id.clone(), interface.clone());
            interface.id
        });
        let (report, events) = world.down_of(STACK).await.unwrap();
        assert_eq!(report.summary.failed, 1);
        let hint = events.iter().find_map(|event| match event {
            Event::StepFailed { urn, error, .. } if urn.as_str() == "aws:ec2:Subnet/two" => error.hint.clone(),
            _ => None,
        });
        let hint = hint.unwrap();
        assert!(hint.contains(&format!("{left} (aws-K8S-i-0123456789abcdef0, available)")), "{hint}");
        assert!(hint.contains("aws ec2 delete-network-interface"), "{hint}");
        world.account.with_account(|account| {
            account.handle("ec2", "DeleteNetworkInterface", &json!({"NetworkInterfaceId": left})).unwrap();
        });
        gone(&world, "after the cure").await;
    });
}
