//! Route tables. Their routes and associations are kinds of their own.
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRouteTable.html>

use std::time::Duration;

use aws_sdk_ec2::{
    Client,
    types::{self, ResourceType},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};

use super::{
    Clients, RouteTableId, Tags, VpcId, all_tags, call, call_fresh,
    ec2::{
        UNSEEN, claim, discoveries, from_tags, of_resource, of_stack, recovered, refuse_second, retag, specification,
    },
    found, gone_is_ok, marks, unexpected, users_tags, vanished,
};

inputs! {
    /// A route table.
    pub struct RouteTableInputs, RouteTableArgs {
        /// Its VPC; the route to the VPC's own block is always there.
        pub vpc_id: VpcId,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A route table.
    pub struct RouteTableOutputs, RouteTableRefs {
        /// Its id.
        pub id: RouteTableId,
    }
}

/// The kind.
pub struct RouteTable {
    ec2: Client,
}

/// A table by its id; `None` if it is not there.
pub(super) async fn table(ec2: &Client, ctx: &Ctx, id: &str) -> Result<Option<types::RouteTable>, ProviderError> {
    let answer = call(ctx, "ec2", "DescribeRouteTables", Repeat::Safe, || {
        ec2.describe_route_tables().route_table_ids(id).send()
    })
    .await;
    Ok(found(answer)?.and_then(|answer| answer.route_tables().first().cloned()))
}

impl RouteTable {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    /// Those that pass the filters, by id and tags.
    async fn listed(&self, ctx: &Ctx, filters: Vec<types::Filter>) -> Result<Vec<(String, Tags)>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeRouteTables", Repeat::Safe, || {
            self.ec2.describe_route_tables().set_filters(Some(filters.clone())).max_results(1000).send()
        })
        .await?;
        let found = answer.route_tables().iter();
        Ok(found.map(|it| (it.route_table_id().unwrap_or_default().to_owned(), from_tags(it.tags()))).collect())
    }

    async fn search(&self, ctx: &Ctx) -> Result<Recovered, ProviderError> {
        Ok(recovered(ctx, self.listed(ctx, of_resource(ctx)).await?))
    }
}

impl Provider for RouteTable {
    type Inputs = RouteTableInputs;
    type Outputs = RouteTableOutputs;

    const TYPE: &'static str = "aws:ec2:RouteTable";
    const REPLACE_ON: &'static [&'static str] = &["vpc_id"];
    const CONSISTENCY_WINDOW: Duration = UNSEEN;

    async fn create(&self, ctx: &Ctx, inputs: &RouteTableInputs) -> Result<Created<RouteTableOutputs>, ProviderError> {
        let wanted = all_tags(ctx, &inputs.tags);
        if let Some(id) = ctx.resume() {
            let table = table(&self.ec2, ctx, id).await?.ok_or_else(|| vanished(id))?;
            // An adopted one gets this intent's nonce.
            retag(ctx, &self.ec2, id, &from_tags(table.tags()), &wanted).await?;
            return Ok(Created { id: id.to_owned(), outputs: RouteTableOutputs { id: id.into() } });
        }
        refuse_second(&self.search(ctx).await?)?;
        let (vpc_id, token) = (inputs.vpc_id.as_str(), ctx.token("CreateRouteTable"));
        let answer = call_fresh(ctx, "ec2", "CreateRouteTable", Repeat::Once, vpc_id, || {
            let tags = specification(ResourceType::RouteTable, &wanted);
            self.ec2.create_route_table().vpc_id(vpc_id).tag_specifications(tags).client_token(&token).send()
        })
        .await?;
        let id = answer.route_table().and_then(|table| table.route_table_id());
        let id = id.ok_or_else(|| unexpected("CreateRouteTable", "table id"))?;
        ctx.progress(id);
        Ok(Created { id: id.to_owned(), outputs: RouteTableOutputs { id: id.into() } })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<RouteTableInputs, RouteTableOutputs>,
    ) -> Reading<RouteTableInputs, RouteTableOutputs> {
        let Some(table) = table(&self.ec2, ctx, &current.id).await? else { return Ok(None) };
        Ok(Some(Observed {
            inputs: RouteTableInputs {
                vpc_id: table.vpc_id().unwrap_or_default().into(),
                tags: users_tags(&from_tags(table.tags())),
            },
            outputs: RouteTableOutputs { id: current.id.as_str().into() },
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<RouteTableInputs, RouteTableOutputs>,
        to: &RouteTableInputs,
    ) -> Result<RouteTableOutputs, ProviderError> {
        retag(ctx, &self.ec2, &current.id, &current.inputs.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    /// A subnet that somebody else associated holds it: the error names the subnet.
    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<RouteTableInputs, RouteTableOutputs>,
    ) -> Result<(), ProviderError> {
        let id = &current.id;
        let deleted = call(ctx, "ec2", "DeleteRouteTable", Repeat::Safe, || {
            self.ec2.delete_route_table().route_table_id(id).send()
        })
        .await;
        let error = match gone_is_ok(deleted) {
            Err(error) if error.code.as_deref() == Some("DependencyViolation") => error,
            other => return other,
        };
        let Some(table) = table(&self.ec2, ctx, id).await? else { return Ok(()) };
        let subnets: Vec<&str> = table.associations().iter().filter_map(|it| it.subnet_id()).collect();
        let hint = format!(
            "These subnets still use the table: {}. Give them another one, then run the same command again.",
            subnets.join(", ")
        );
        Err(if subnets.is_empty() { error } else { error.hint(hint) })
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<RouteTableInputs, RouteTableOutputs>,
    ) -> Result<Marks, ProviderError> {
        let found = table(&self.ec2, ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(found.tags())))
    }

    async fn claim(
        &self,
        ctx: &Ctx,
        current: &Current<RouteTableInputs, RouteTableOutputs>,
    ) -> Result<(), ProviderError> {
        claim(ctx, &self.ec2, &current.id).await
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let found = self.listed(ctx, vec![of_stack(ctx)]).await?;
        Ok(Some(discoveries(ctx, Self::TYPE, &found)))
    }

    async fn recover(&self, ctx: &Ctx, _: &RouteTableInputs) -> Result<Recovered, ProviderError> {
        self.search(ctx).await
    }

    fn expected(&self, _: Action) -> Duration {
        Duration::from_secs(1)
    }
}
