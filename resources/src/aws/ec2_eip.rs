//! Elastic addresses.
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AllocateAddress.html>
//!
//! `AllocateAddress` has neither a client token nor a name: see `super::ec2::recovered`.

use std::time::Duration;

use aws_sdk_ec2::{
    Client,
    types::{self, DomainType, ResourceType},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};

use super::{
    AllocationId, Clients, Tags, all_tags, call,
    ec2::{
        UNSEEN, claim, discoveries, from_tags, of_resource, of_stack, recovered, refuse_second, retag, specification,
    },
    found, gone_is_ok, marks, unexpected, users_tags, vanished,
};

inputs! {
    /// An elastic address.
    pub struct EipInputs, EipArgs {
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// An elastic address.
    pub struct EipOutputs, EipRefs {
        /// Its allocation's id.
        pub allocation_id: AllocationId,
        /// The address.
        pub public_ip: String,
    }
}

/// The kind.
pub struct Eip {
    ec2: Client,
}

fn outputs_of(address: &types::Address) -> EipOutputs {
    EipOutputs {
        allocation_id: address.allocation_id().unwrap_or_default().into(),
        public_ip: address.public_ip().unwrap_or_default().to_owned(),
    }
}

impl Eip {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    async fn get(&self, ctx: &Ctx, id: &str) -> Result<Option<types::Address>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeAddresses", Repeat::Safe, || {
            self.ec2.describe_addresses().allocation_ids(id).send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.addresses().first().cloned()))
    }

    /// Those that pass the filters, by id and tags: all come on one page.
    async fn listed(&self, ctx: &Ctx, filters: Vec<types::Filter>) -> Result<Vec<(String, Tags)>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeAddresses", Repeat::Safe, || {
            self.ec2.describe_addresses().set_filters(Some(filters.clone())).send()
        })
        .await?;
        let found = answer.addresses().iter();
        Ok(found.map(|it| (it.allocation_id().unwrap_or_default().to_owned(), from_tags(it.tags()))).collect())
    }

    async fn search(&self, ctx: &Ctx) -> Result<Recovered, ProviderError> {
        Ok(recovered(ctx, self.listed(ctx, of_resource(ctx)).await?))
    }
}

impl Provider for Eip {
    type Inputs = EipInputs;
    type Outputs = EipOutputs;

    const TYPE: &'static str = "aws:ec2:Eip";
    const CONSISTENCY_WINDOW: Duration = UNSEEN;

    async fn create(&self, ctx: &Ctx, inputs: &EipInputs) -> Result<Created<EipOutputs>, ProviderError> {
        let wanted = all_tags(ctx, &inputs.tags);
        if let Some(id) = ctx.resume() {
            let address = self.get(ctx, id).await?.ok_or_else(|| vanished(id))?;
            // An adopted one gets this intent's nonce.
            retag(ctx, &self.ec2, id, &from_tags(address.tags()), &wanted).await?;
            return Ok(Created { id: id.to_owned(), outputs: outputs_of(&address) });
        }
        refuse_second(&self.search(ctx).await?)?;
        let answer = call(ctx, "ec2", "AllocateAddress", Repeat::Once, || {
            let tags = specification(ResourceType::ElasticIp, &wanted);
            self.ec2.allocate_address().domain(DomainType::Vpc).tag_specifications(tags).send()
        })
        .await?;
        let id = answer.allocation_id().ok_or_else(|| unexpected("AllocateAddress", "allocation id"))?;
        ctx.progress(id);
        let public_ip = answer.public_ip().ok_or_else(|| unexpected("AllocateAddress", "address"))?.to_owned();
        Ok(Created { id: id.to_owned(), outputs: EipOutputs { allocation_id: id.into(), public_ip } })
    }

    async fn read(&self, ctx: &Ctx, current: &Current<EipInputs, EipOutputs>) -> Reading<EipInputs, EipOutputs> {
        let Some(address) = self.get(ctx, &current.id).await? else { return Ok(None) };
        let inputs = EipInputs { tags: users_tags(&from_tags(address.tags())) };
        Ok(Some(Observed { inputs, outputs: outputs_of(&address) }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<EipInputs, EipOutputs>,
        to: &EipInputs,
    ) -> Result<EipOutputs, ProviderError> {
        retag(ctx, &self.ec2, &current.id, &current.inputs.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    /// What the address is mapped to holds it: the engine tries again.
    async fn delete(&self, ctx: &Ctx, current: &Current<EipInputs, EipOutputs>) -> Result<(), ProviderError> {
        gone_is_ok(
            call(ctx, "ec2", "ReleaseAddress", Repeat::Safe, || {
                self.ec2.release_address().allocation_id(&current.id).send()
            })
            .await,
        )
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<EipInputs, EipOutputs>) -> Result<Marks, ProviderError> {
        let found = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(found.tags())))
    }

    async fn claim(&self, ctx: &Ctx, current: &Current<EipInputs, EipOutputs>) -> Result<(), ProviderError> {
        claim(ctx, &self.ec2, &current.id).await
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let found = self.listed(ctx, vec![of_stack(ctx)]).await?;
        Ok(Some(discoveries(ctx, Self::TYPE, &found)))
    }

    async fn recover(&self, ctx: &Ctx, _: &EipInputs) -> Result<Recovered, ProviderError> {
        self.search(ctx).await
    }

    fn expected(&self, _: Action) -> Duration {
        Duration::from_secs(1)
    }
}
