//! Subnets. API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html>
//!
//! `CreateSubnet` has neither a client token nor a name: see `super::ec2::recovered`.

use std::time::Duration;

use aws_sdk_ec2::{
    Client,
    types::{self, AttributeBooleanValue, ResourceType, SubnetState},
};
use rayplat_engine::{
    context::{Ctx, Poll, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};

use super::{
    Clients, SubnetId, Tags, VpcId, all_tags, call, call_fresh,
    ec2::{
        UNSEEN, claim, discoveries, from_tags, of_resource, of_stack, recovered, refuse_second, retag, specification,
    },
    ec2_interfaces::{clear, with_holders},
    found, gone_is_ok, marks, unexpected, users_tags, vanished,
};

inputs! {
    /// A subnet.
    pub struct SubnetInputs, SubnetArgs {
        /// Its VPC.
        pub vpc_id: VpcId,
        /// Its block, a part of the VPC's.
        pub cidr: String,
        /// E.g. `us-east-1a`.
        pub availability_zone: String,
        /// Do instances get a public address?
        pub map_public_ip: bool,
        /// Tags; load balancers find their subnets by them.
        pub tags: Tags,
    }
}

outputs! {
    /// A subnet.
    pub struct SubnetOutputs, SubnetRefs {
        /// Its id.
        pub id: SubnetId,
    }
}

/// The kind.
pub struct Subnet {
    ec2: Client,
}

impl Subnet {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    async fn get(&self, ctx: &Ctx, id: &str) -> Result<Option<types::Subnet>, ProviderError> {
        let answer =
            call(ctx, "ec2", "DescribeSubnets", Repeat::Safe, || self.ec2.describe_subnets().subnet_ids(id).send())
                .await;
        Ok(found(answer)?.and_then(|answer| answer.subnets().first().cloned()))
    }

    /// Those that pass the filters, by id and tags.
    async fn listed(&self, ctx: &Ctx, filters: Vec<types::Filter>) -> Result<Vec<(String, Tags)>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeSubnets", Repeat::Safe, || {
            self.ec2.describe_subnets().set_filters(Some(filters.clone())).max_results(1000).send()
        })
        .await?;
        let found = answer.subnets().iter();
        Ok(found.map(|it| (it.subnet_id().unwrap_or_default().to_owned(), from_tags(it.tags()))).collect())
    }

    async fn search(&self, ctx: &Ctx) -> Result<Recovered, ProviderError> {
        Ok(recovered(ctx, self.listed(ctx, of_resource(ctx)).await?))
    }

    async fn set_public(&self, ctx: &Ctx, id: &str, on: bool) -> Result<(), ProviderError> {
        let on = AttributeBooleanValue::builder().value(on).build();
        call_fresh(ctx, "ec2", "ModifySubnetAttribute", Repeat::Safe, id, || {
            self.ec2.modify_subnet_attribute().subnet_id(id).map_public_ip_on_launch(on.clone()).send()
        })
        .await
        .map(drop)
    }

    /// What is left of a creation once the id is known.
    async fn finish(&self, ctx: &Ctx, id: &str, to: &SubnetInputs) -> Result<Created<SubnetOutputs>, ProviderError> {
        let subnet = ctx
            .wait(id, Duration::from_secs(2), Duration::from_secs(300), || async {
                Ok(match self.get(ctx, id).await? {
                    Some(subnet) if subnet.state() == Some(&SubnetState::Available) => Poll::Ready(subnet),
                    Some(_) => Poll::Pending("pending".to_owned()),
                    None => Poll::Pending("not visible yet".to_owned()),
                })
            })
            .await?;
        // An adopted one gets this intent's nonce.
        retag(ctx, &self.ec2, id, &from_tags(subnet.tags()), &all_tags(ctx, &to.tags)).await?;
        if subnet.map_public_ip_on_launch().unwrap_or_default() != to.map_public_ip {
            self.set_public(ctx, id, to.map_public_ip).await?;
        }
        Ok(Created { id: id.to_owned(), outputs: SubnetOutputs { id: id.into() } })
    }
}

impl Provider for Subnet {
    type Inputs = SubnetInputs;
    type Outputs = SubnetOutputs;

    const TYPE: &'static str = "aws:ec2:Subnet";
    const REPLACE_ON: &'static [&'static str] = &["vpc_id", "cidr", "availability_zone"];
    const CONSISTENCY_WINDOW: Duration = UNSEEN;

    async fn create(&self, ctx: &Ctx, inputs: &SubnetInputs) -> Result<Created<SubnetOutputs>, ProviderError> {
        if let Some(id) = ctx.resume() {
            return self.finish(ctx, id, inputs).await;
        }
        refuse_second(&self.search(ctx).await?)?;
        let tags = specification(ResourceType::Subnet, &all_tags(ctx, &inputs.tags));
        let vpc_id = inputs.vpc_id.as_str();
        let answer = call_fresh(ctx, "ec2", "CreateSubnet", Repeat::Once, vpc_id, || {
            self.ec2
                .create_subnet()
                .vpc_id(vpc_id)
                .cidr_block(&inputs.cidr)
                .availability_zone(&inputs.availability_zone)
                .tag_specifications(tags.clone())
                .send()
        })
        .await?;
        let id = answer.subnet().and_then(|subnet| subnet.subnet_id());
        let id = id.ok_or_else(|| unexpected("CreateSubnet", "subnet id"))?;
        ctx.progress(id);
        self.finish(ctx, id, inputs).await
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<SubnetInputs, SubnetOutputs>,
    ) -> Reading<SubnetInputs, SubnetOutputs> {
        let Some(subnet) = self.get(ctx, &current.id).await? else { return Ok(None) };
        Ok(Some(Observed {
            inputs: SubnetInputs {
                vpc_id: subnet.vpc_id().unwrap_or_default().into(),
                cidr: subnet.cidr_block().unwrap_or_default().to_owned(),
                availability_zone: subnet.availability_zone().unwrap_or_default().to_owned(),
                map_public_ip: subnet.map_public_ip_on_launch().unwrap_or_default(),
                tags: users_tags(&from_tags(subnet.tags())),
            },
            outputs: SubnetOutputs { id: current.id.as_str().into() },
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<SubnetInputs, SubnetOutputs>,
        to: &SubnetInputs,
    ) -> Result<SubnetOutputs, ProviderError> {
        if current.inputs.map_public_ip != to.map_public_ip {
            self.set_public(ctx, &current.id, to.map_public_ip).await?;
        }
        retag(ctx, &self.ec2, &current.id, &current.inputs.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    /// A leaving interface holds the subnet for minutes, one that the VPC CNI has left behind for
    /// ever.
    async fn delete(&self, ctx: &Ctx, current: &Current<SubnetInputs, SubnetOutputs>) -> Result<(), ProviderError> {
        let id = &current.id;
        clear(ctx, &self.ec2, "subnet-id", id).await?;
        let deleted =
            call(ctx, "ec2", "DeleteSubnet", Repeat::Safe, || self.ec2.delete_subnet().subnet_id(id).send()).await;
        with_holders(ctx, &self.ec2, "subnet-id", id, gone_is_ok(deleted)).await
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<SubnetInputs, SubnetOutputs>) -> Result<Marks, ProviderError> {
        let found = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(found.tags())))
    }

    async fn claim(&self, ctx: &Ctx, current: &Current<SubnetInputs, SubnetOutputs>) -> Result<(), ProviderError> {
        claim(ctx, &self.ec2, &current.id).await
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let found = self.listed(ctx, vec![of_stack(ctx)]).await?;
        Ok(Some(discoveries(ctx, Self::TYPE, &found)))
    }

    async fn recover(&self, ctx: &Ctx, _: &SubnetInputs) -> Result<Recovered, ProviderError> {
        self.search(ctx).await
    }

    fn expected(&self, _: Action) -> Duration {
        Duration::from_secs(2)
    }
}
