//! Routes: one a destination in each table. They carry no tags: what stands in the table
//! says whose a route is.
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html>

use std::time::Duration;

use aws_sdk_ec2::{Client, types};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs,
    provider::{Action, Created, Current, Marks, Observed, Provider, Reading, Recovered},
};

use super::{
    Clients, InternetGatewayId, NatGatewayId, RouteTableId, call, call_fresh, ec2::UNSEEN, ec2_route_table::table,
    gone_is_ok,
};

inputs! {
    /// A route to one of two targets.
    pub struct RouteInputs, RouteArgs {
        /// Its table.
        pub route_table_id: RouteTableId,
        /// An IPv4 block, e.g. `0.0.0.0/0`.
        pub destination: String,
        /// The internet gateway that it leads to.
        pub gateway_id: Option<InternetGatewayId>,
        /// The NAT gateway that it leads to.
        pub nat_gateway_id: Option<NatGatewayId>,
    }
}

/// The kind.
pub struct Route {
    ec2: Client,
}

/// `TABLE/DESTINATION`.
fn id_of(inputs: &RouteInputs) -> String {
    format!("{}/{}", inputs.route_table_id, inputs.destination)
}

fn parts(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((id, ""))
}

fn observed(table_id: &str, route: &types::Route) -> RouteInputs {
    RouteInputs {
        route_table_id: table_id.into(),
        destination: route.destination_cidr_block().unwrap_or_default().to_owned(),
        gateway_id: route.gateway_id().map(InternetGatewayId::from),
        nat_gateway_id: route.nat_gateway_id().map(NatGatewayId::from),
    }
}

impl Route {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    /// What stands at a destination; `None` without such a route or table.
    async fn at(&self, ctx: &Ctx, table_id: &str, destination: &str) -> Result<Option<RouteInputs>, ProviderError> {
        let Some(table) = table(&self.ec2, ctx, table_id).await? else { return Ok(None) };
        let route = table.routes().iter().find(|route| route.destination_cidr_block() == Some(destination));
        Ok(route.map(|route| observed(table_id, route)))
    }
}

impl Provider for Route {
    type Inputs = RouteInputs;
    type Outputs = ();

    const TYPE: &'static str = "aws:ec2:Route";
    const REPLACE_ON: &'static [&'static str] = &["route_table_id", "destination"];
    const CONSISTENCY_WINDOW: Duration = UNSEEN;

    async fn create(&self, ctx: &Ctx, inputs: &RouteInputs) -> Result<Created<()>, ProviderError> {
        let created = Created { id: id_of(inputs), outputs: () };
        if ctx.resume().is_some() {
            return Ok(created);
        }
        // The same destination twice is refused, and looked at then.
        call_fresh(ctx, "ec2", "CreateRoute", Repeat::Once, "", || {
            self.ec2
                .create_route()
                .route_table_id(inputs.route_table_id.as_str())
                .destination_cidr_block(&inputs.destination)
                .set_gateway_id(inputs.gateway_id.as_ref().map(ToString::to_string))
                .set_nat_gateway_id(inputs.nat_gateway_id.as_ref().map(ToString::to_string))
                .send()
        })
        .await?;
        ctx.progress(&created.id);
        Ok(created)
    }

    async fn read(&self, ctx: &Ctx, current: &Current<RouteInputs, ()>) -> Reading<RouteInputs, ()> {
        let (table_id, destination) = parts(&current.id);
        let found = self.at(ctx, table_id, destination).await?;
        Ok(found.map(|inputs| Observed { inputs, outputs: () }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<RouteInputs, ()>,
        to: &RouteInputs,
    ) -> Result<(), ProviderError> {
        let (table_id, destination) = parts(&current.id);
        call_fresh(ctx, "ec2", "ReplaceRoute", Repeat::Safe, "", || {
            self.ec2
                .replace_route()
                .route_table_id(table_id)
                .destination_cidr_block(destination)
                .set_gateway_id(to.gateway_id.as_ref().map(ToString::to_string))
                .set_nat_gateway_id(to.nat_gateway_id.as_ref().map(ToString::to_string))
                .send()
        })
        .await
        .map(drop)
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<RouteInputs, ()>) -> Result<(), ProviderError> {
        let (table_id, destination) = parts(&current.id);
        let deleted = call(ctx, "ec2", "DeleteRoute", Repeat::Safe, || {
            self.ec2.delete_route().route_table_id(table_id).destination_cidr_block(destination).send()
        })
        .await;
        match deleted {
            // Some answers for a route that is gone have this code, and the words below.
            Err(error) if error.class == ErrorClass::Invalid && error.message.contains("no route with") => Ok(()),
            other => gone_is_ok(other),
        }
    }

    async fn marks(&self, _: &Ctx, _: &Current<RouteInputs, ()>) -> Result<Marks, ProviderError> {
        Ok(Marks::Bare)
    }

    async fn recover(&self, ctx: &Ctx, inputs: &RouteInputs) -> Result<Recovered, ProviderError> {
        let (id, found) = (id_of(inputs), self.at(ctx, inputs.route_table_id.as_str(), &inputs.destination).await?);
        Ok(match found {
            None => Recovered::Absent,
            Some(found) if found == *inputs => Recovered::Mine(id),
            Some(_) => Recovered::Foreign(format!("the route {id}, which leads elsewhere,")),
        })
    }

    fn expected(&self, _: Action) -> Duration {
        Duration::from_secs(1)
    }
}
