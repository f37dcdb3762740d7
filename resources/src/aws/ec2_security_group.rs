//! Security groups. API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>

use std::time::Duration;

use aws_sdk_ec2::{Client, types};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};

use super::{
    Clients, SecurityGroupId, Tags, VpcId, all_tags, call, discovered,
    ec2::{filter, from_tags, of_stack, retag, specification},
    ec2_interfaces::{clear, with_holders},
    found, gone_is_ok, marks, ownership, unexpected, users_tags, vanished,
};

inputs! {
    /// A security group. AWS's rule that lets everything out stays.
    pub struct SecurityGroupInputs, SecurityGroupArgs {
        /// The beginning of its name; a short hash is added, 255 characters in all.
        pub name_prefix: String,
        /// Shown in the console.
        pub description: String,
        /// Its VPC.
        pub vpc_id: VpcId,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A security group.
    pub struct SecurityGroupOutputs, SecurityGroupRefs {
        /// Its id.
        pub id: SecurityGroupId,
    }
}

/// The kind.
pub struct SecurityGroup {
    ec2: Client,
}

impl SecurityGroup {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    async fn get(&self, ctx: &Ctx, id: &str) -> Result<Option<types::SecurityGroup>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeSecurityGroups", Repeat::Safe, || {
            self.ec2.describe_security_groups().group_ids(id).send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.security_groups().first().cloned()))
    }
}

impl Provider for SecurityGroup {
    type Inputs = SecurityGroupInputs;
    type Outputs = SecurityGroupOutputs;

    const TYPE: &'static str = "aws:ec2:SecurityGroup";
    const REPLACE_ON: &'static [&'static str] = &["name_prefix", "description", "vpc_id"];

    async fn create(
        &self,
        ctx: &Ctx,
        inputs: &SecurityGroupInputs,
    ) -> Result<Created<SecurityGroupOutputs>, ProviderError> {
        let wanted = all_tags(ctx, &inputs.tags);
        if let Some(id) = ctx.resume() {
            let group = self.get(ctx, id).await?.ok_or_else(|| vanished(id))?;
            retag(ctx, &self.ec2, id, &from_tags(group.tags()), &wanted).await?;
            return Ok(Created { id: id.to_owned(), outputs: SecurityGroupOutputs { id: id.into() } });
        }
        let name = ctx.unique_name(&inputs.name_prefix, 255);
        // Unique per name and VPC: a second one is refused, and looked at then.
        let answer = call(ctx, "ec2", "CreateSecurityGroup", Repeat::Once, || {
            self.ec2
                .create_security_group()
                .group_name(&name)
                .description(&inputs.description)
                .vpc_id(inputs.vpc_id.as_str())
                .tag_specifications(specification(types::ResourceType::SecurityGroup, &wanted))
                .send()
        })
        .await?;
        let id = answer.group_id().ok_or_else(|| unexpected("CreateSecurityGroup", "group id"))?.to_owned();
        ctx.progress(&id);
        Ok(Created { outputs: SecurityGroupOutputs { id: id.as_str().into() }, id })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<SecurityGroupInputs, SecurityGroupOutputs>,
    ) -> Reading<SecurityGroupInputs, SecurityGroupOutputs> {
        let Some(group) = self.get(ctx, &current.id).await? else { return Ok(None) };
        Ok(Some(Observed {
            inputs: SecurityGroupInputs {
                name_prefix: current.inputs.name_prefix.clone(),
                description: group.description().unwrap_or_default().to_owned(),
                vpc_id: group.vpc_id().unwrap_or_default().into(),
                tags: users_tags(&from_tags(group.tags())),
            },
            outputs: SecurityGroupOutputs { id: current.id.as_str().into() },
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<SecurityGroupInputs, SecurityGroupOutputs>,
        to: &SecurityGroupInputs,
    ) -> Result<SecurityGroupOutputs, ProviderError> {
        retag(ctx, &self.ec2, &current.id, &current.inputs.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    /// A leaving network interface holds the group for minutes, one that the VPC CNI has left
    /// behind for ever.
    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<SecurityGroupInputs, SecurityGroupOutputs>,
    ) -> Result<(), ProviderError> {
        clear(ctx, &self.ec2, "group-id", &current.id).await?;
        let deleted = call(ctx, "ec2", "DeleteSecurityGroup", Repeat::Safe, || {
            self.ec2.delete_security_group().group_id(&current.id).send()
        })
        .await;
        with_holders(ctx, &self.ec2, "group-id", &current.id, gone_is_ok(deleted)).await
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<SecurityGroupInputs, SecurityGroupOutputs>,
    ) -> Result<Marks, ProviderError> {
        let group = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(group.tags())))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &SecurityGroupInputs) -> Result<Recovered, ProviderError> {
        let name = ctx.unique_name(&inputs.name_prefix, 255);
        let answer = call(ctx, "ec2", "DescribeSecurityGroups", Repeat::Safe, || {
            self.ec2
                .describe_security_groups()
                .filters(filter("group-name", &name))
                .filters(filter("vpc-id", inputs.vpc_id.as_str()))
                .send()
        })
        .await?;
        Ok(match answer.security_groups().first() {
            Some(group) => ownership(ctx, &from_tags(group.tags())).recovered(group.group_id().unwrap_or_default()),
            None => Recovered::Absent,
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let answer = call(ctx, "ec2", "DescribeSecurityGroups", Repeat::Safe, || {
            self.ec2.describe_security_groups().filters(of_stack(ctx)).max_results(1000).send()
        })
        .await?;
        let groups = answer.security_groups().iter();
        let found = groups.filter_map(|group| discovered(ctx, Self::TYPE, group.group_id()?, &from_tags(group.tags())));
        Ok(Some(found.collect()))
    }

    fn expected(&self, _: Action) -> Duration {
        Duration::from_secs(1)
    }
}
