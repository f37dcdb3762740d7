//! Public NAT gateways.
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html>

use std::time::Duration;

use aws_sdk_ec2::{
    Client,
    types::{self, NatGatewayState, ResourceType},
};
use rayplat_engine::{
    context::{Ctx, Poll, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered, ReplaceOrder},
};

use super::{
    AllocationId, Clients, NatGatewayId, SubnetId, Tags, all_tags, call, call_fresh,
    ec2::{
        UNSEEN, claim, discoveries, from_tags, of_resource, of_stack, recovered, refuse_second, retag, specification,
    },
    found, gone_is_ok, marks, unexpected, users_tags, vanished,
};

inputs! {
    /// A public NAT gateway.
    pub struct NatGatewayInputs, NatGatewayArgs {
        /// Its subnet, which leads to an internet gateway.
        pub subnet_id: SubnetId,
        /// Its elastic address.
        pub allocation_id: AllocationId,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A NAT gateway.
    pub struct NatGatewayOutputs, NatGatewayRefs {
        /// Its id.
        pub id: NatGatewayId,
    }
}

/// The kind.
pub struct NatGateway {
    ec2: Client,
}

const CREATE: Duration = Duration::from_secs(100);
const DELETE: Duration = Duration::from_secs(50);
const LIMIT: Duration = Duration::from_secs(1_200);

fn is_leaving(gateway: &types::NatGateway) -> bool {
    gateway.state() == Some(&NatGatewayState::Deleting)
}

impl NatGateway {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    /// The gateway, unless it is gone: AWS shows a deleted one for about an hour.
    async fn get(&self, ctx: &Ctx, id: &str) -> Result<Option<types::NatGateway>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeNatGateways", Repeat::Safe, || {
            self.ec2.describe_nat_gateways().nat_gateway_ids(id).send()
        })
        .await;
        let gateway = found(answer)?.and_then(|answer| answer.nat_gateways().first().cloned());
        Ok(gateway.filter(|gateway| gateway.state() != Some(&NatGatewayState::Deleted)))
    }

    async fn listed(&self, ctx: &Ctx, filters: Vec<types::Filter>) -> Result<Vec<types::NatGateway>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeNatGateways", Repeat::Safe, || {
            self.ec2.describe_nat_gateways().set_filter(Some(filters.clone())).max_results(1000).send()
        })
        .await?;
        Ok(answer.nat_gateways.unwrap_or_default())
    }

    /// One that is on its way out is waited for, and counts as gone.
    async fn search(&self, ctx: &Ctx) -> Result<Recovered, ProviderError> {
        let mut standing = Vec::new();
        for gateway in self.listed(ctx, of_resource(ctx)).await? {
            let id = gateway.nat_gateway_id().unwrap_or_default();
            match gateway.state() {
                Some(NatGatewayState::Deleted) => {}
                Some(NatGatewayState::Deleting) => self.wait_gone(ctx, id).await?,
                _ => standing.push((id.to_owned(), from_tags(gateway.tags()))),
            }
        }
        Ok(recovered(ctx, standing))
    }

    async fn wait_available(&self, ctx: &Ctx, id: &str) -> Result<types::NatGateway, ProviderError> {
        ctx.wait(id, ctx.expected(), LIMIT, || async {
            let Some(gateway) = self.get(ctx, id).await? else {
                return Ok(Poll::Pending("not visible yet".to_owned()));
            };
            match gateway.state() {
                Some(NatGatewayState::Available) => Ok(Poll::Ready(gateway)),
                Some(NatGatewayState::Failed) => Err(failed(&gateway)),
                Some(NatGatewayState::Deleting) => Err(vanished(id)),
                other => Ok(Poll::Pending(other.map_or("pending", |state| state.as_str()).to_owned())),
            }
        })
        .await
    }

    async fn wait_gone(&self, ctx: &Ctx, id: &str) -> Result<(), ProviderError> {
        ctx.wait(id, DELETE, LIMIT, || async {
            Ok(match self.get(ctx, id).await? {
                None => Poll::Ready(()),
                Some(_) => Poll::Pending("deleting".to_owned()),
            })
        })
        .await
    }
}

/// What AWS says of one that could not be made. It goes by itself, and its address is free.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html>
fn failed(gateway: &types::NatGateway) -> ProviderError {
    let message = gateway.failure_message().unwrap_or("the NAT gateway could not be made");
    let code = gateway.failure_code().unwrap_or("failed");
    ProviderError::new(ErrorClass::Failed, message).code(code).hint(match code {
        "Gateway.NotAttached" => "Attach an internet gateway to the VPC, then run the same command again.",
        "Resource.AlreadyAssociated" => "Its elastic address serves something else: free it, then run this again.",
        "InsufficientFreeAddressesInSubnet" => "Free addresses in its subnet, or give a larger one.",
        _ => "Run the same command again: it makes another one.",
    })
}

impl Provider for NatGateway {
    type Inputs = NatGatewayInputs;
    type Outputs = NatGatewayOutputs;

    const TYPE: &'static str = "aws:ec2:NatGateway";
    const REPLACE_ON: &'static [&'static str] = &["subnet_id", "allocation_id"];
    /// Two gateways cannot have one address.
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;
    const CONSISTENCY_WINDOW: Duration = UNSEEN;

    async fn create(&self, ctx: &Ctx, inputs: &NatGatewayInputs) -> Result<Created<NatGatewayOutputs>, ProviderError> {
        let wanted = all_tags(ctx, &inputs.tags);
        if let Some(id) = ctx.resume() {
            let gateway = self.wait_available(ctx, id).await?;
            // An adopted one gets this intent's nonce.
            retag(ctx, &self.ec2, id, &from_tags(gateway.tags()), &wanted).await?;
            return Ok(Created { id: id.to_owned(), outputs: NatGatewayOutputs { id: id.into() } });
        }
        refuse_second(&self.search(ctx).await?)?;
        let token = ctx.token("CreateNatGateway");
        let answer = call_fresh(ctx, "ec2", "CreateNatGateway", Repeat::Safe, "", || {
            self.ec2
                .create_nat_gateway()
                .subnet_id(inputs.subnet_id.as_str())
                .allocation_id(inputs.allocation_id.as_str())
                .tag_specifications(specification(ResourceType::Natgateway, &wanted))
                .client_token(&token)
                .send()
        })
        .await?;
        let id = answer.nat_gateway().and_then(|gateway| gateway.nat_gateway_id());
        let id = id.ok_or_else(|| unexpected("CreateNatGateway", "gateway id"))?;
        ctx.progress(id);
        self.wait_available(ctx, id).await?;
        Ok(Created { id: id.to_owned(), outputs: NatGatewayOutputs { id: id.into() } })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<NatGatewayInputs, NatGatewayOutputs>,
    ) -> Reading<NatGatewayInputs, NatGatewayOutputs> {
        let id = &current.id;
        let Some(gateway) = self.get(ctx, id).await? else { return Ok(None) };
        if is_leaving(&gateway) {
            self.wait_gone(ctx, id).await?;
            return Ok(None);
        }
        let address = gateway.nat_gateway_addresses().iter().find(|it| it.is_primary() != Some(false));
        Ok(Some(Observed {
            inputs: NatGatewayInputs {
                subnet_id: gateway.subnet_id().unwrap_or_default().into(),
                allocation_id: address.and_then(|it| it.allocation_id()).unwrap_or_default().into(),
                tags: users_tags(&from_tags(gateway.tags())),
            },
            outputs: NatGatewayOutputs { id: id.as_str().into() },
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<NatGatewayInputs, NatGatewayOutputs>,
        to: &NatGatewayInputs,
    ) -> Result<NatGatewayOutputs, ProviderError> {
        retag(ctx, &self.ec2, &current.id, &current.inputs.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    /// Until it is deleted its interface holds address, subnet and internet gateway.
    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<NatGatewayInputs, NatGatewayOutputs>,
    ) -> Result<(), ProviderError> {
        let id = &current.id;
        match self.get(ctx, id).await? {
            None => return Ok(()),
            Some(gateway) if is_leaving(&gateway) => {}
            Some(_) => gone_is_ok(
                call(ctx, "ec2", "DeleteNatGateway", Repeat::Safe, || {
                    self.ec2.delete_nat_gateway().nat_gateway_id(id).send()
                })
                .await,
            )?,
        }
        self.wait_gone(ctx, id).await
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<NatGatewayInputs, NatGatewayOutputs>,
    ) -> Result<Marks, ProviderError> {
        let found = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(found.tags())))
    }

    async fn claim(
        &self,
        ctx: &Ctx,
        current: &Current<NatGatewayInputs, NatGatewayOutputs>,
    ) -> Result<(), ProviderError> {
        claim(ctx, &self.ec2, &current.id).await
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let gateways = self.listed(ctx, vec![of_stack(ctx)]).await?;
        let standing = gateways.iter().filter(|it| it.state() != Some(&NatGatewayState::Deleted) && !is_leaving(it));
        let found: Vec<_> =
            standing.map(|it| (it.nat_gateway_id().unwrap_or_default().to_owned(), from_tags(it.tags()))).collect();
        Ok(Some(discoveries(ctx, Self::TYPE, &found)))
    }

    async fn recover(&self, ctx: &Ctx, _: &NatGatewayInputs) -> Result<Recovered, ProviderError> {
        self.search(ctx).await
    }

    fn expected(&self, action: Action) -> Duration {
        match action {
            Action::Create => CREATE,
            Action::Delete => DELETE,
            Action::Update | Action::Read => Duration::from_secs(1),
        }
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::scripted::{NONCE, Scripted, ctx, owner_tags};

    fn inputs() -> NatGatewayInputs {
        NatGatewayInputs { subnet_id: "subnet-1".into(), allocation_id: "eipalloc-1".into(), tags: Tags::new() }
    }

    fn gateways(state: &str, nonce: &str) -> Value {
        json!({"natGatewaySet": [{
            "natGatewayId": "nat-1", "subnetId": "subnet-1", "state": state,
            "natGatewayAddressSet": [{"allocationId": "eipalloc-1", "isPrimary": true}],
            "failureCode": "Resource.AlreadyAssociated", "failureMessage": "already associated",
            "tagSet": owner_tags(NatGateway::TYPE, nonce, "key", "value"),
        }]})
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_one_says_why_and_is_found_again() {
        let services = Scripted::new(|operation, params| match operation {
            "DescribeNatGateways" if params.get("Filter").is_some() => json!({"natGatewaySet": []}).into(),
            "DescribeNatGateways" => gateways("failed", NONCE).into(),
            "CreateNatGateway" => json!({"natGateway": {"natGatewayId": "nat-1", "state": "pending"}}).into(),
            other => panic!("{other}"),
        });
        let kind = NatGateway::new(&services.clients());
        let error = kind.create(&ctx(NatGateway::TYPE, None), &inputs()).await.unwrap_err();
        assert_eq!((error.class, error.code.as_deref()), (ErrorClass::Failed, Some("Resource.AlreadyAssociated")));
        assert!(error.hint.unwrap().contains("free it"));
        // It is ours, and waits to be deleted.
        let services = Scripted::new(|_, _| gateways("failed", NONCE).into());
        let found = NatGateway::new(&services.clients()).recover(&ctx(NatGateway::TYPE, None), &inputs()).await;
        assert_eq!(found, Ok(Recovered::Mine("nat-1".into())));
    }

    /// AWS shows a deleted gateway for an hour, with its tags.
    #[tokio::test(start_paused = true)]
    async fn a_deleted_one_is_gone() {
        let services = Scripted::new(|_, _| gateways("deleted", NONCE).into());
        let (kind, ctx) = (NatGateway::new(&services.clients()), ctx(NatGateway::TYPE, None));
        assert_eq!(kind.recover(&ctx, &inputs()).await, Ok(Recovered::Absent));
        let current = Current { id: "nat-1".into(), inputs: inputs(), outputs: NatGatewayOutputs::default() };
        assert_eq!(kind.read(&ctx, &current).await, Ok(None));
        assert_eq!(kind.delete(&ctx, &current).await, Ok(()));
        assert!(!services.operations().contains(&"DeleteNatGateway".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_leaving_is_waited_for() {
        let mut looks = 0;
        let services = Scripted::new(move |_, _| {
            looks += 1;
            gateways(if looks < 4 { "deleting" } else { "deleted" }, NONCE).into()
        });
        let kind = NatGateway::new(&services.clients());
        assert_eq!(kind.recover(&ctx(NatGateway::TYPE, None), &inputs()).await, Ok(Recovered::Absent));
        assert!(services.operations().len() >= 4);
    }
}
