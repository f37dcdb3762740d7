//! VPCs. API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html>
//!
//! `CreateVpc` has neither a client token nor a name: see `super::ec2::recovered`.

use std::time::Duration;

use aws_sdk_ec2::{
    Client,
    types::{self, AttributeBooleanValue, ResourceType, VpcAttributeName, VpcState},
};
use rayplat_engine::{
    context::{Ctx, Poll, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};

use super::{
    Clients, Tags, VpcId, all_tags, call, call_fresh,
    ec2::{
        UNSEEN, claim, discoveries, filter, from_tags, of_resource, of_stack, recovered, refuse_second, retag,
        specification,
    },
    ec2_interfaces::with_holders,
    found, gone_is_ok, marks, unexpected, users_tags, vanished,
};

inputs! {
    /// A VPC.
    pub struct VpcInputs, VpcArgs {
        /// Its IPv4 block, /16 to /28.
        pub cidr: String,
        /// Does AWS's resolver answer in it?
        pub dns_support: bool,
        /// Do instances have names? Private endpoints, the cluster's included, need both.
        pub dns_hostnames: bool,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A VPC.
    pub struct VpcOutputs, VpcRefs {
        /// Its id.
        pub id: VpcId,
    }
}

/// The kind.
pub struct Vpc {
    ec2: Client,
}

impl Vpc {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    async fn get(&self, ctx: &Ctx, id: &str) -> Result<Option<types::Vpc>, ProviderError> {
        let answer =
            call(ctx, "ec2", "DescribeVpcs", Repeat::Safe, || self.ec2.describe_vpcs().vpc_ids(id).send()).await;
        Ok(found(answer)?.and_then(|answer| answer.vpcs().first().cloned()))
    }

    /// Those that pass the filters, by id and tags.
    async fn listed(&self, ctx: &Ctx, filters: Vec<types::Filter>) -> Result<Vec<(String, Tags)>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeVpcs", Repeat::Safe, || {
            self.ec2.describe_vpcs().set_filters(Some(filters.clone())).max_results(1000).send()
        })
        .await?;
        let found = answer.vpcs().iter();
        Ok(found.map(|it| (it.vpc_id().unwrap_or_default().to_owned(), from_tags(it.tags()))).collect())
    }

    async fn search(&self, ctx: &Ctx) -> Result<Recovered, ProviderError> {
        Ok(recovered(ctx, self.listed(ctx, of_resource(ctx)).await?))
    }

    async fn attribute(&self, ctx: &Ctx, id: &str, name: VpcAttributeName) -> Result<bool, ProviderError> {
        let answer = call_fresh(ctx, "ec2", "DescribeVpcAttribute", Repeat::Safe, id, || {
            self.ec2.describe_vpc_attribute().vpc_id(id).attribute(name.clone()).send()
        })
        .await?;
        let value = if name == VpcAttributeName::EnableDnsSupport {
            answer.enable_dns_support()
        } else {
            answer.enable_dns_hostnames()
        };
        Ok(value.and_then(AttributeBooleanValue::value).unwrap_or_default())
    }

    async fn set_support(&self, ctx: &Ctx, id: &str, on: bool) -> Result<(), ProviderError> {
        let on = AttributeBooleanValue::builder().value(on).build();
        call_fresh(ctx, "ec2", "ModifyVpcAttribute", Repeat::Safe, id, || {
            self.ec2.modify_vpc_attribute().vpc_id(id).enable_dns_support(on.clone()).send()
        })
        .await
        .map(drop)
    }

    async fn set_hostnames(&self, ctx: &Ctx, id: &str, on: bool) -> Result<(), ProviderError> {
        let on = AttributeBooleanValue::builder().value(on).build();
        call_fresh(ctx, "ec2", "ModifyVpcAttribute", Repeat::Safe, id, || {
            self.ec2.modify_vpc_attribute().vpc_id(id).enable_dns_hostnames(on.clone()).send()
        })
        .await
        .map(drop)
    }

    /// One attribute a call; names need the resolver, so it comes on first and goes last.
    async fn set_dns(&self, ctx: &Ctx, id: &str, inputs: &VpcInputs) -> Result<(), ProviderError> {
        if inputs.dns_support {
            self.set_support(ctx, id, true).await?;
        }
        self.set_hostnames(ctx, id, inputs.dns_hostnames).await?;
        if !inputs.dns_support {
            self.set_support(ctx, id, false).await?;
        }
        Ok(())
    }

    /// What is left of a creation once the id is known.
    async fn finish(&self, ctx: &Ctx, id: &str, inputs: &VpcInputs) -> Result<Created<VpcOutputs>, ProviderError> {
        let vpc = ctx
            .wait(id, Duration::from_secs(2), Duration::from_secs(300), || async {
                Ok(match self.get(ctx, id).await? {
                    Some(vpc) if vpc.state() == Some(&VpcState::Available) => Poll::Ready(vpc),
                    Some(_) => Poll::Pending("pending".to_owned()),
                    None => Poll::Pending("not visible yet".to_owned()),
                })
            })
            .await?;
        // An adopted one gets this intent's nonce.
        retag(ctx, &self.ec2, id, &from_tags(vpc.tags()), &all_tags(ctx, &inputs.tags)).await?;
        self.set_dns(ctx, id, inputs).await?;
        Ok(Created { id: id.to_owned(), outputs: VpcOutputs { id: id.into() } })
    }
}

impl Provider for Vpc {
    type Inputs = VpcInputs;
    type Outputs = VpcOutputs;

    const TYPE: &'static str = "aws:ec2:Vpc";
    const REPLACE_ON: &'static [&'static str] = &["cidr"];
    /// Everything stands in it, and a cluster cannot move to another.
    const REFUSE_REPLACE: bool = true;
    const CONSISTENCY_WINDOW: Duration = UNSEEN;

    async fn create(&self, ctx: &Ctx, inputs: &VpcInputs) -> Result<Created<VpcOutputs>, ProviderError> {
        if let Some(id) = ctx.resume() {
            return self.finish(ctx, id, inputs).await;
        }
        refuse_second(&self.search(ctx).await?)?;
        let tags = specification(ResourceType::Vpc, &all_tags(ctx, &inputs.tags));
        let answer = call(ctx, "ec2", "CreateVpc", Repeat::Once, || {
            self.ec2.create_vpc().cidr_block(&inputs.cidr).tag_specifications(tags.clone()).send()
        })
        .await?;
        let id = answer.vpc().and_then(|vpc| vpc.vpc_id()).ok_or_else(|| unexpected("CreateVpc", "VPC id"))?;
        ctx.progress(id);
        self.finish(ctx, id, inputs).await
    }

    async fn read(&self, ctx: &Ctx, current: &Current<VpcInputs, VpcOutputs>) -> Reading<VpcInputs, VpcOutputs> {
        let id = &current.id;
        let Some(vpc) = self.get(ctx, id).await? else { return Ok(None) };
        Ok(Some(Observed {
            inputs: VpcInputs {
                cidr: vpc.cidr_block().unwrap_or_default().to_owned(),
                dns_support: self.attribute(ctx, id, VpcAttributeName::EnableDnsSupport).await?,
                dns_hostnames: self.attribute(ctx, id, VpcAttributeName::EnableDnsHostnames).await?,
                tags: users_tags(&from_tags(vpc.tags())),
            },
            outputs: VpcOutputs { id: id.as_str().into() },
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<VpcInputs, VpcOutputs>,
        to: &VpcInputs,
    ) -> Result<VpcOutputs, ProviderError> {
        let from = &current.inputs;
        if (from.dns_support, from.dns_hostnames) != (to.dns_support, to.dns_hostnames) {
            self.set_dns(ctx, &current.id, to).await?;
        }
        retag(ctx, &self.ec2, &current.id, &from.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    /// What stands in it holds it. Beside interfaces those are mostly groups of load
    /// balancers that Kubernetes made: the error names both.
    async fn delete(&self, ctx: &Ctx, current: &Current<VpcInputs, VpcOutputs>) -> Result<(), ProviderError> {
        let id = &current.id;
        let deleted = call(ctx, "ec2", "DeleteVpc", Repeat::Safe, || self.ec2.delete_vpc().vpc_id(id).send()).await;
        let Err(error) = with_holders(ctx, &self.ec2, "vpc-id", id, gone_is_ok(deleted)).await else {
            return Ok(());
        };
        if error.class != rayplat_engine::error::ErrorClass::InUse {
            return Err(error);
        }
        let groups = call(ctx, "ec2", "DescribeSecurityGroups", Repeat::Safe, || {
            self.ec2.describe_security_groups().filters(filter("vpc-id", id)).send()
        })
        .await;
        let Ok(groups) = groups else { return Err(error) };
        let name = |group: &types::SecurityGroup| group.group_name().unwrap_or_default().to_owned();
        let groups: Vec<String> = groups
            .security_groups()
            .iter()
            .filter(|group| name(group) != "default")
            .map(|group| format!("{} ({})", group.group_id().unwrap_or_default(), name(group)))
            .collect();
        if groups.is_empty() {
            return Err(error);
        }
        let before = error.hint.clone().map(|hint| format!("{hint} ")).unwrap_or_default();
        let hint = format!(
            "{before}Security groups in it that are not this platform's: {}. Delete them if nobody needs them.",
            groups.join(", ")
        );
        Err(error.hint(hint))
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<VpcInputs, VpcOutputs>) -> Result<Marks, ProviderError> {
        let found = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(found.tags())))
    }

    async fn claim(&self, ctx: &Ctx, current: &Current<VpcInputs, VpcOutputs>) -> Result<(), ProviderError> {
        claim(ctx, &self.ec2, &current.id).await
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let found = self.listed(ctx, vec![of_stack(ctx)]).await?;
        Ok(Some(discoveries(ctx, Self::TYPE, &found)))
    }

    async fn recover(&self, ctx: &Ctx, _: &VpcInputs) -> Result<Recovered, ProviderError> {
        self.search(ctx).await
    }

    fn expected(&self, _: Action) -> Duration {
        Duration::from_secs(2)
    }
}
