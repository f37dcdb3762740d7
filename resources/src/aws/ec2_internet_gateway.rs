//! Internet gateways, each attached to its VPC.
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateInternetGateway.html>
//!
//! `CreateInternetGateway` has neither a client token nor a name: see
//! `super::ec2::recovered`.

use std::time::Duration;

use aws_sdk_ec2::{
    Client,
    types::{self, ResourceType},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    plan::diff::{Change, structural},
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
    value::Planned,
};
use serde_json::Value;

use super::{
    Clients, InternetGatewayId, Tags, VpcId, all_tags, call, call_fresh,
    ec2::{
        UNSEEN, claim, discoveries, from_tags, of_resource, of_stack, recovered, refuse_second, retag, specification,
    },
    ec2_interfaces::with_holders,
    found, gone_is_ok, marks, unexpected, users_tags, vanished,
};

inputs! {
    /// An internet gateway.
    pub struct InternetGatewayInputs, InternetGatewayArgs {
        /// The VPC that it is attached to; as read, empty when somebody has detached it.
        pub vpc_id: VpcId,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// An internet gateway.
    pub struct InternetGatewayOutputs, InternetGatewayRefs {
        /// Its id.
        pub id: InternetGatewayId,
    }
}

/// The kind.
pub struct InternetGateway {
    ec2: Client,
}

fn attached_to(gateway: &types::InternetGateway) -> &str {
    gateway.attachments().first().and_then(|attachment| attachment.vpc_id()).unwrap_or_default()
}

impl InternetGateway {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    async fn get(&self, ctx: &Ctx, id: &str) -> Result<Option<types::InternetGateway>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeInternetGateways", Repeat::Safe, || {
            self.ec2.describe_internet_gateways().internet_gateway_ids(id).send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.internet_gateways().first().cloned()))
    }

    /// Those that pass the filters, by id and tags.
    async fn listed(&self, ctx: &Ctx, filters: Vec<types::Filter>) -> Result<Vec<(String, Tags)>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeInternetGateways", Repeat::Safe, || {
            self.ec2.describe_internet_gateways().set_filters(Some(filters.clone())).max_results(1000).send()
        })
        .await?;
        let found = answer.internet_gateways().iter();
        Ok(found.map(|it| (it.internet_gateway_id().unwrap_or_default().to_owned(), from_tags(it.tags()))).collect())
    }

    async fn search(&self, ctx: &Ctx) -> Result<Recovered, ProviderError> {
        Ok(recovered(ctx, self.listed(ctx, of_resource(ctx)).await?))
    }

    /// Attaches it, unless it is attached there already.
    async fn attach(&self, ctx: &Ctx, id: &str, vpc_id: &str) -> Result<(), ProviderError> {
        let attached = call_fresh(ctx, "ec2", "AttachInternetGateway", Repeat::Safe, "", || {
            self.ec2.attach_internet_gateway().internet_gateway_id(id).vpc_id(vpc_id).send()
        })
        .await;
        match attached {
            Ok(_) => Ok(()),
            Err(error) if error.class == ErrorClass::AlreadyExists => match self.get(ctx, id).await? {
                Some(gateway) if attached_to(&gateway) == vpc_id => Ok(()),
                // Said again, it would look like somebody else's object of the same name.
                _ => Err(ProviderError { class: ErrorClass::Invalid, ..error }),
            },
            Err(error) => Err(error),
        }
    }

    /// Detaches it. Public addresses in the VPC hold it: the engine tries again.
    async fn detach(&self, ctx: &Ctx, id: &str, vpc_id: &str) -> Result<(), ProviderError> {
        let detached = call(ctx, "ec2", "DetachInternetGateway", Repeat::Safe, || {
            self.ec2.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc_id).send()
        })
        .await;
        match detached {
            Err(error) if error.code.as_deref() == Some("Gateway.NotAttached") => Ok(()),
            other => with_holders(ctx, &self.ec2, "vpc-id", vpc_id, gone_is_ok(other)).await,
        }
    }
}

impl Provider for InternetGateway {
    type Inputs = InternetGatewayInputs;
    type Outputs = InternetGatewayOutputs;

    const TYPE: &'static str = "aws:ec2:InternetGateway";
    const REPLACE_ON: &'static [&'static str] = &["vpc_id"];
    const CONSISTENCY_WINDOW: Duration = UNSEEN;

    /// One that somebody has detached is attached again; another VPC needs another.
    fn diff(&self, old: &Value, new: &Planned) -> Vec<Change> {
        let detached = old.get("vpc_id").and_then(Value::as_str).is_some_and(str::is_empty);
        structural(old, new, if detached { &[] } else { Self::REPLACE_ON })
    }

    async fn create(
        &self,
        ctx: &Ctx,
        inputs: &InternetGatewayInputs,
    ) -> Result<Created<InternetGatewayOutputs>, ProviderError> {
        let wanted = all_tags(ctx, &inputs.tags);
        let id = if let Some(id) = ctx.resume() {
            let gateway = self.get(ctx, id).await?.ok_or_else(|| vanished(id))?;
            // An adopted one gets this intent's nonce.
            retag(ctx, &self.ec2, id, &from_tags(gateway.tags()), &wanted).await?;
            id.to_owned()
        } else {
            refuse_second(&self.search(ctx).await?)?;
            let answer = call(ctx, "ec2", "CreateInternetGateway", Repeat::Once, || {
                let tags = specification(ResourceType::InternetGateway, &wanted);
                self.ec2.create_internet_gateway().tag_specifications(tags).send()
            })
            .await?;
            let id = answer.internet_gateway().and_then(|gateway| gateway.internet_gateway_id());
            let id = id.ok_or_else(|| unexpected("CreateInternetGateway", "gateway id"))?;
            ctx.progress(id);
            id.to_owned()
        };
        self.attach(ctx, &id, inputs.vpc_id.as_str()).await?;
        Ok(Created { outputs: InternetGatewayOutputs { id: id.as_str().into() }, id })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<InternetGatewayInputs, InternetGatewayOutputs>,
    ) -> Reading<InternetGatewayInputs, InternetGatewayOutputs> {
        let Some(gateway) = self.get(ctx, &current.id).await? else { return Ok(None) };
        Ok(Some(Observed {
            inputs: InternetGatewayInputs {
                vpc_id: attached_to(&gateway).into(),
                tags: users_tags(&from_tags(gateway.tags())),
            },
            outputs: InternetGatewayOutputs { id: current.id.as_str().into() },
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<InternetGatewayInputs, InternetGatewayOutputs>,
        to: &InternetGatewayInputs,
    ) -> Result<InternetGatewayOutputs, ProviderError> {
        if current.inputs.vpc_id != to.vpc_id {
            self.attach(ctx, &current.id, to.vpc_id.as_str()).await?;
        }
        retag(ctx, &self.ec2, &current.id, &current.inputs.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<InternetGatewayInputs, InternetGatewayOutputs>,
    ) -> Result<(), ProviderError> {
        let id = &current.id;
        let Some(gateway) = self.get(ctx, id).await? else { return Ok(()) };
        if !attached_to(&gateway).is_empty() {
            self.detach(ctx, id, attached_to(&gateway)).await?;
        }
        gone_is_ok(
            call(ctx, "ec2", "DeleteInternetGateway", Repeat::Safe, || {
                self.ec2.delete_internet_gateway().internet_gateway_id(id).send()
            })
            .await,
        )
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<InternetGatewayInputs, InternetGatewayOutputs>,
    ) -> Result<Marks, ProviderError> {
        let found = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(found.tags())))
    }

    async fn claim(
        &self,
        ctx: &Ctx,
        current: &Current<InternetGatewayInputs, InternetGatewayOutputs>,
    ) -> Result<(), ProviderError> {
        claim(ctx, &self.ec2, &current.id).await
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let found = self.listed(ctx, vec![of_stack(ctx)]).await?;
        Ok(Some(discoveries(ctx, Self::TYPE, &found)))
    }

    async fn recover(&self, ctx: &Ctx, _: &InternetGatewayInputs) -> Result<Recovered, ProviderError> {
        self.search(ctx).await
    }

    fn expected(&self, _: Action) -> Duration {
        Duration::from_secs(2)
    }
}
