//! The network: one that exists, or one of the platform's own.
//!
//! Its own has, in each zone, a private subnet for nodes and pods and a public one for load
//! balancers and NAT. Which part of the block a zone has follows from its letter alone.

use ipnet::Ipv4Net;
use rayplat_engine::{
    input::Input,
    stack::{Added, StackError},
    urn::Urn,
    value::Expr,
};

use super::{
    build::Builder,
    manifest::{ResolvedCreate, ResolvedNetwork, types::NatGateways},
    zones::slot,
};
use crate::aws::{
    RouteTableId, SecurityGroupId, SubnetId, Tags, VpcId,
    ec2_eip::{Eip, EipArgs},
    ec2_internet_gateway::{InternetGateway, InternetGatewayArgs},
    ec2_nat_gateway::{NatGateway, NatGatewayArgs},
    ec2_route::{Route, RouteArgs},
    ec2_route_table::{RouteTable, RouteTableArgs},
    ec2_route_table_association::{RouteTableAssociation, RouteTableAssociationArgs},
    ec2_security_group::{SecurityGroup, SecurityGroupArgs},
    ec2_security_group_rule::{SecurityGroupRule, SecurityGroupRuleArgs, Source},
    ec2_subnet::{Subnet, SubnetArgs},
    ec2_vpc::{Vpc, VpcArgs},
    ec2_vpc_endpoint::{EndpointKind, VpcEndpoint, VpcEndpointArgs},
};

/// What the rest of the platform needs of it.
pub(super) struct Network {
    pub vpc_id: Input<VpcId>,
    /// Subnets of nodes and control plane.
    pub subnet_ids: Input<Vec<SubnetId>>,
    /// What must stand before nodes start: they fetch their images at boot, and what
    /// they cannot reach then they miss for good. The control plane does not need it.
    pub way_out: Vec<Urn>,
    pub outputs: Vec<(String, Expr)>,
}

/// The private and the public block of a zone. Each private one is an eighth of the VPC's,
/// large enough for the /28 prefixes of pods; the last eighth holds the public ones, a /24
/// each where there is room, and a /27 at least, as load balancers want.
fn blocks(around: Ipv4Net, zone: &str) -> Option<(Ipv4Net, Ipv4Net)> {
    let slot = usize::from(slot(zone)?);
    let length = around.prefix_len() + 3;
    let private = around.subnets(length).ok()?.nth(slot)?;
    let last = around.subnets(length).ok()?.nth(7)?;
    let public = last.subnets((around.prefix_len() + 8).min(27)).ok()?.nth(slot)?;
    Some((private, public))
}

pub(super) fn build(builder: &mut Builder<'_>) -> Result<Network, StackError> {
    match &builder.manifest.network {
        ResolvedNetwork::Existing { vpc_id, subnet_ids } => {
            let subnets: Vec<SubnetId> = subnet_ids.iter().map(|id| SubnetId::from(id.as_str())).collect();
            Ok(Network {
                vpc_id: VpcId::from(vpc_id.as_str()).into(),
                subnet_ids: subnets.into(),
                way_out: Vec::new(),
                outputs: Vec::new(),
            })
        }
        ResolvedNetwork::Create { create } => Own::new(builder, create)?.build(),
    }
}

/// One zone of a network of the platform's own.
struct Place {
    zone: String,
    private: Ipv4Net,
    public: Ipv4Net,
}

/// A network of the platform's own, while it is put together.
struct Own<'a, 'b> {
    builder: &'a mut Builder<'b>,
    create: &'b ResolvedCreate,
    vpc: Added<Vpc>,
    places: Vec<Place>,
}

/// The way from the public subnets to the internet.
struct Public {
    gateway: Added<InternetGateway>,
    subnets: Vec<Added<Subnet>>,
    /// The route, and the subnets' associations with its table.
    way: Vec<Urn>,
}

/// The private subnets and their tables, zone by zone.
struct Private {
    subnets: Vec<Added<Subnet>>,
    tables: Vec<Added<RouteTable>>,
    associations: Vec<Urn>,
}

impl<'a, 'b> Own<'a, 'b> {
    fn new(builder: &'a mut Builder<'b>, create: &'b ResolvedCreate) -> Result<Self, StackError> {
        let tags = named(builder, "");
        let vpc = builder.stack.add::<Vpc>(
            "main",
            VpcArgs {
                cidr: create.cidr.as_str().into(),
                // The cluster's private endpoint needs both.
                dns_support: true.into(),
                dns_hostnames: true.into(),
                tags: tags.into(),
            },
        )?;
        // The manifest's check has read the block.
        let around: Ipv4Net = create.cidr.parse().unwrap_or_default();
        let zones = builder.setting.zones.iter();
        let places = zones.filter_map(|zone| {
            let (private, public) = blocks(around, zone)?;
            Some(Place { zone: zone.clone(), private, public })
        });
        let places = places.collect();
        Ok(Self { builder, create, vpc, places })
    }

    fn build(mut self) -> Result<Network, StackError> {
        let private = self.private()?;
        let isolated = self.create.nat_gateways == NatGateways::None;
        let public = if isolated { None } else { Some(self.public()?) };
        let mut way_out = private.associations.clone();
        let mut addresses = Vec::new();
        if let Some(public) = &public {
            way_out.extend(public.way.iter().cloned());
            let (gateways, ips) = self.gateways(public)?;
            way_out.extend(self.routes_out(&private, &gateways)?);
            addresses = ips;
        }
        let endpoints = self.endpoints(&private)?;
        if isolated {
            way_out.extend(endpoints);
        }
        let ids = |subnets: &[Added<Subnet>]| Expr::List(subnets.iter().map(|it| it.out.id().expr()).collect());
        let outputs = [
            ("vpc_id", self.vpc.out.id().expr()),
            ("private_subnet_ids", ids(&private.subnets)),
            ("public_subnet_ids", ids(public.as_ref().map_or(&[], |public| &public.subnets))),
            ("nat_public_ips", Expr::List(addresses)),
        ];
        Ok(Network {
            vpc_id: self.vpc.out.id().into(),
            subnet_ids: private.subnets.iter().map(|it| it.out.id()).collect::<Vec<_>>().into(),
            way_out,
            outputs: outputs.map(|(name, expr)| (name.to_owned(), expr)).into(),
        })
    }

    /// A subnet in each zone, which load balancers find by `role`.
    fn subnets(&mut self, kind: &str, role: &str) -> Result<Vec<Added<Subnet>>, StackError> {
        let cluster = format!("kubernetes.io/cluster/{}", self.builder.name());
        let mut subnets = Vec::new();
        for place in &self.places {
            let mut tags = named(self.builder, &format!("{kind}-{}", place.zone));
            tags.insert(format!("kubernetes.io/role/{role}"), "1".to_owned());
            tags.insert(cluster.clone(), "shared".to_owned());
            let public = kind == "public";
            let cidr = if public { place.public } else { place.private };
            subnets.push(self.builder.stack.add::<Subnet>(
                &format!("{kind}-{}", place.zone),
                SubnetArgs {
                    vpc_id: self.vpc.out.id().into(),
                    cidr: cidr.to_string().into(),
                    availability_zone: place.zone.as_str().into(),
                    map_public_ip: public.into(),
                    tags: tags.into(),
                },
            )?);
        }
        Ok(subnets)
    }

    fn table(&mut self, name: &str) -> Result<Added<RouteTable>, StackError> {
        let tags = named(self.builder, name);
        let args = RouteTableArgs { vpc_id: self.vpc.out.id().into(), tags: tags.into() };
        self.builder.stack.add::<RouteTable>(name, args)
    }

    fn associate(&mut self, subnet: &Added<Subnet>, table: &Added<RouteTable>) -> Result<Urn, StackError> {
        let args =
            RouteTableAssociationArgs { subnet_id: subnet.out.id().into(), route_table_id: table.out.id().into() };
        Ok(self.builder.stack.add::<RouteTableAssociation>(subnet.urn.name(), args)?.urn)
    }

    /// A table for each zone even if all lead to one gateway: another number of gateways
    /// then changes routes in place, and nothing else.
    fn private(&mut self) -> Result<Private, StackError> {
        let subnets = self.subnets("private", "internal-elb")?;
        let (mut tables, mut associations) = (Vec::new(), Vec::new());
        for subnet in &subnets {
            let table = self.table(subnet.urn.name())?;
            associations.push(self.associate(subnet, &table)?);
            tables.push(table);
        }
        Ok(Private { subnets, tables, associations })
    }

    fn public(&mut self) -> Result<Public, StackError> {
        let tags = named(self.builder, "");
        let args = InternetGatewayArgs { vpc_id: self.vpc.out.id().into(), tags: tags.into() };
        let gateway = self.builder.stack.add::<InternetGateway>("main", args)?;
        let subnets = self.subnets("public", "elb")?;
        let table = self.table("public")?;
        let route = self.builder.stack.add::<Route>(
            "public",
            RouteArgs {
                route_table_id: table.out.id().into(),
                destination: "0.0.0.0/0".into(),
                gateway_id: gateway.out.id().into(),
                ..RouteArgs::default()
            },
        )?;
        let mut way = vec![route.urn];
        for subnet in &subnets {
            way.push(self.associate(subnet, &table)?);
        }
        Ok(Public { gateway, subnets, way })
    }

    /// The NAT gateways: in the first zone, or in each. And their public addresses.
    fn gateways(&mut self, public: &Public) -> Result<(Vec<Added<NatGateway>>, Vec<Expr>), StackError> {
        let count = if self.create.nat_gateways == NatGateways::PerAz { self.places.len() } else { 1 };
        let (mut gateways, mut addresses) = (Vec::new(), Vec::new());
        for (place, subnet) in self.places.iter().zip(&public.subnets).take(count) {
            let tags = named(self.builder, &format!("nat-{}", place.zone));
            let address = self.builder.stack.add::<Eip>(&place.zone, EipArgs { tags: tags.clone().into() })?;
            // An internet gateway cannot be detached while an address maps into its VPC.
            self.builder.after(&address, [public.gateway.urn.clone()])?;
            let gateway = self.builder.stack.add::<NatGateway>(
                &place.zone,
                NatGatewayArgs {
                    subnet_id: subnet.out.id().into(),
                    allocation_id: address.out.allocation_id().into(),
                    tags: tags.into(),
                },
            )?;
            // Without an attached internet gateway AWS refuses to make it.
            self.builder.after(&gateway, [public.gateway.urn.clone()])?;
            addresses.push(address.out.public_ip().expr());
            gateways.push(gateway);
        }
        Ok((gateways, addresses))
    }

    /// Each zone's own gateway where it has one, else the first zone's.
    fn routes_out(&mut self, private: &Private, gateways: &[Added<NatGateway>]) -> Result<Vec<Urn>, StackError> {
        let mut routes = Vec::new();
        for (index, table) in private.tables.iter().enumerate() {
            let Some(gateway) = gateways.get(index).or(gateways.first()) else { continue };
            let route = self.builder.stack.add::<Route>(
                table.urn.name(),
                RouteArgs {
                    route_table_id: table.out.id().into(),
                    destination: "0.0.0.0/0".into(),
                    nat_gateway_id: gateway.out.id().into(),
                    ..RouteArgs::default()
                },
            )?;
            routes.push(route.urn);
        }
        Ok(routes)
    }

    fn endpoints(&mut self, private: &Private) -> Result<Vec<Urn>, StackError> {
        let region = &self.builder.setting.region;
        let services: Vec<(String, String)> = self
            .create
            .vpc_endpoints
            .iter()
            .map(|service| (service.clone(), format!("com.amazonaws.{region}.{service}")))
            .collect();
        let (gateways, interfaces): (Vec<_>, Vec<_>) =
            services.into_iter().partition(|(service, _)| matches!(service.as_str(), "s3" | "dynamodb"));
        let tables: Input<Vec<RouteTableId>> =
            private.tables.iter().map(|table| table.out.id()).collect::<Vec<_>>().into();
        let subnets: Input<Vec<SubnetId>> =
            private.subnets.iter().map(|subnet| subnet.out.id()).collect::<Vec<_>>().into();
        let mut urns = Vec::new();
        for (service, service_name) in gateways {
            let args = VpcEndpointArgs { route_table_ids: tables.clone(), ..self.endpoint(&service, service_name) };
            urns.push(self.builder.stack.add::<VpcEndpoint>(&service, args)?.urn);
        }
        if interfaces.is_empty() {
            return Ok(urns);
        }
        let (group, rule) = self.endpoint_group()?;
        urns.push(rule);
        for (service, service_name) in interfaces {
            let args = VpcEndpointArgs {
                kind: EndpointKind::Interface.into(),
                subnet_ids: subnets.clone(),
                security_group_ids: group.clone(),
                private_dns: true.into(),
                ..self.endpoint(&service, service_name)
            };
            urns.push(self.builder.stack.add::<VpcEndpoint>(&service, args)?.urn);
        }
        Ok(urns)
    }

    fn endpoint(&self, service: &str, service_name: String) -> VpcEndpointArgs {
        VpcEndpointArgs {
            vpc_id: self.vpc.out.id().into(),
            service_name: service_name.into(),
            tags: named(self.builder, service).into(),
            ..VpcEndpointArgs::default()
        }
    }

    /// Everything in the VPC may call the services.
    fn endpoint_group(&mut self) -> Result<(Input<Vec<SecurityGroupId>>, Urn), StackError> {
        let tags = self.builder.tags();
        let group = self.builder.stack.add::<SecurityGroup>(
            "endpoints",
            SecurityGroupArgs {
                name_prefix: format!("{}-endpoints", self.builder.name()).into(),
                description: format!("VPC endpoints of {}", self.builder.name()).into(),
                vpc_id: self.vpc.out.id().into(),
                tags: tags.clone().into(),
            },
        )?;
        let rule = self.builder.stack.add::<SecurityGroupRule>(
            "endpoints-https",
            SecurityGroupRuleArgs {
                group_id: group.out.id().into(),
                protocol: "tcp".into(),
                from_port: Some(443).into(),
                to_port: Some(443).into(),
                source: Source::Cidr(self.create.cidr.clone()).into(),
                description: "The VPC calls AWS".into(),
                tags: tags.into(),
                ..SecurityGroupRuleArgs::default()
            },
        )?;
        Ok((vec![group.out.id()].into(), rule.urn))
    }
}

/// The platform's tags, and a name for the console.
fn named(builder: &Builder<'_>, part: &str) -> Tags {
    let mut tags = builder.tags();
    let name = builder.name();
    tags.insert("Name".to_owned(), if part.is_empty() { name.to_owned() } else { format!("{name}-{part}") });
    tags
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn all(cidr: &str) -> Vec<(String, String)> {
        let around = cidr.parse().unwrap();
        let zone = |letter| blocks(around, &format!("us-east-1{letter}")).unwrap();
        ('a'..='g').map(zone).map(|(private, public)| (private.to_string(), public.to_string())).collect()
    }

    #[test]
    fn a_zones_blocks_follow_from_its_letter() {
        let blocks = all("10.0.0.0/16");
        assert_eq!(blocks[0], ("10.0.0.0/19".to_owned(), "10.0.224.0/24".to_owned()));
        assert_eq!(blocks[6], ("10.0.192.0/19".to_owned(), "10.0.230.0/24".to_owned()));
        assert_eq!(all("10.1.16.0/20")[2], ("10.1.20.0/23".to_owned(), "10.1.30.64/27".to_owned()));
        assert_eq!(super::blocks("10.0.0.0/16".parse().unwrap(), "us-east-1h"), None);
    }

    #[test]
    fn no_two_blocks_overlap() {
        for length in 16..=20 {
            let around: Ipv4Net = format!("10.0.0.0/{length}").parse().unwrap();
            let texts = all(&around.to_string());
            let nets: Vec<Ipv4Net> = texts.iter().flat_map(|(a, b)| [a, b]).map(|text| text.parse().unwrap()).collect();
            for (index, net) in nets.iter().enumerate() {
                assert!(around.contains(net));
                assert!(nets[..index].iter().all(|other| !other.contains(net) && !net.contains(other)), "{net}");
            }
        }
    }
}
