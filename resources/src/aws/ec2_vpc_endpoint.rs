//! VPC endpoints: ways to AWS's services that do not leave the VPC.
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html>

use std::time::Duration;

use aws_sdk_ec2::{
    Client,
    types::{self, ResourceType, VpcEndpointType},
};
use rayplat_engine::{
    context::{Ctx, Poll, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};
use serde::{Deserialize, Serialize};

use super::{
    Clients, RouteTableId, SecurityGroupId, SubnetId, Tags, VpcEndpointId, VpcId, all_tags, call, call_fresh,
    ec2::{
        UNSEEN, claim, discoveries, from_tags, of_resource, of_stack, recovered, refuse_second, retag, specification,
    },
    errors, found,
    launch_template::same_members,
    marks, unexpected, users_tags, vanished,
};

/// How an endpoint is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    /// By routes: S3 and DynamoDB, free of charge.
    #[default]
    Gateway,
    /// By an interface in each subnet.
    Interface,
}

inputs! {
    /// A VPC endpoint.
    pub struct VpcEndpointInputs, VpcEndpointArgs {
        /// Its VPC.
        pub vpc_id: VpcId,
        /// E.g. `com.amazonaws.us-east-1.s3`.
        pub service_name: String,
        /// How it is reached.
        pub kind: EndpointKind,
        /// The tables that get a route to it, of a gateway.
        pub route_table_ids: Vec<RouteTableId>,
        /// At most one subnet a zone, of an interface.
        pub subnet_ids: Vec<SubnetId>,
        /// Who may use it, of an interface.
        pub security_group_ids: Vec<SecurityGroupId>,
        /// Does the service's own name lead to it? Of an interface.
        pub private_dns: bool,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A VPC endpoint.
    pub struct VpcEndpointOutputs, VpcEndpointRefs {
        /// Its id.
        pub id: VpcEndpointId,
    }
}

/// The kind.
pub struct VpcEndpoint {
    ec2: Client,
}

/// Of an interface; a gateway is there at once.
const CREATE: Duration = Duration::from_secs(80);
const DELETE: Duration = Duration::from_secs(45);
const LIMIT: Duration = Duration::from_secs(1_200);
/// Looks at a change whose response was lost before it is given up.
const ATTEMPTS: u32 = 5;

/// Its state in small letters: so EC2 answers, while the API's model (and with it the SDK's
/// type) has `Available` and its kin.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html>
fn state(endpoint: &types::VpcEndpoint) -> String {
    endpoint.state().map_or("", |state| state.as_str()).to_ascii_lowercase()
}

fn observed(endpoint: &types::VpcEndpoint, prior: &VpcEndpointInputs) -> VpcEndpointInputs {
    let interface = endpoint.vpc_endpoint_type() == Some(&VpcEndpointType::Interface);
    let groups = endpoint.groups().iter().map(|group| group.group_id().unwrap_or_default());
    VpcEndpointInputs {
        vpc_id: endpoint.vpc_id().unwrap_or_default().into(),
        service_name: endpoint.service_name().unwrap_or_default().to_owned(),
        kind: if interface { EndpointKind::Interface } else { EndpointKind::Gateway },
        route_table_ids: in_order(endpoint.route_table_ids().iter().map(String::as_str), &prior.route_table_ids),
        subnet_ids: in_order(endpoint.subnet_ids().iter().map(String::as_str), &prior.subnet_ids),
        security_group_ids: in_order(groups, &prior.security_group_ids),
        // A gateway has no names, whatever the answer says.
        private_dns: if interface { endpoint.private_dns_enabled().unwrap_or_default() } else { prior.private_dns },
        tags: users_tags(&from_tags(endpoint.tags())),
    }
}

/// The ids, in the order in which they were asked for if they are the same.
fn in_order<'a, T: From<&'a str> + Ord + Clone>(ids: impl Iterator<Item = &'a str>, prior: &[T]) -> Vec<T> {
    let ids: Vec<T> = ids.map(T::from).collect();
    if same_members(&ids, prior) { prior.to_vec() } else { ids }
}

fn texts<T: ToString>(ids: &[T]) -> Option<Vec<String>> {
    (!ids.is_empty()).then(|| ids.iter().map(ToString::to_string).collect())
}

/// What `to` has and `from` has not.
fn missing<T: PartialEq + ToString>(from: &[T], to: &[T]) -> Option<Vec<String>> {
    let more: Vec<String> = to.iter().filter(|id| !from.contains(id)).map(ToString::to_string).collect();
    (!more.is_empty()).then_some(more)
}

impl VpcEndpoint {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { ec2: clients.ec2.clone() }
    }

    async fn get(&self, ctx: &Ctx, id: &str) -> Result<Option<types::VpcEndpoint>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeVpcEndpoints", Repeat::Safe, || {
            self.ec2.describe_vpc_endpoints().vpc_endpoint_ids(id).send()
        })
        .await;
        let endpoint = found(answer)?.and_then(|answer| answer.vpc_endpoints().first().cloned());
        Ok(endpoint.filter(|endpoint| state(endpoint) != "deleted"))
    }

    async fn listed(&self, ctx: &Ctx, filters: Vec<types::Filter>) -> Result<Vec<types::VpcEndpoint>, ProviderError> {
        let answer = call(ctx, "ec2", "DescribeVpcEndpoints", Repeat::Safe, || {
            self.ec2.describe_vpc_endpoints().set_filters(Some(filters.clone())).max_results(1000).send()
        })
        .await?;
        Ok(answer.vpc_endpoints.unwrap_or_default())
    }

    /// One that is on its way out is waited for, and counts as gone.
    async fn search(&self, ctx: &Ctx) -> Result<Recovered, ProviderError> {
        let mut standing = Vec::new();
        for endpoint in self.listed(ctx, of_resource(ctx)).await? {
            let id = endpoint.vpc_endpoint_id().unwrap_or_default();
            match state(&endpoint).as_str() {
                "deleted" => {}
                "deleting" => self.wait_gone(ctx, id).await?,
                _ => standing.push((id.to_owned(), from_tags(endpoint.tags()))),
            }
        }
        Ok(recovered(ctx, standing))
    }

    async fn wait_available(&self, ctx: &Ctx, id: &str) -> Result<types::VpcEndpoint, ProviderError> {
        ctx.wait(id, ctx.expected(), LIMIT, || async {
            let Some(endpoint) = self.get(ctx, id).await? else {
                return Ok(Poll::Pending("not visible yet".to_owned()));
            };
            match state(&endpoint).as_str() {
                "available" => Ok(Poll::Ready(endpoint)),
                state @ ("failed" | "rejected" | "expired") => Err(failed(&endpoint, state)),
                "deleting" => Err(vanished(id)),
                other => Ok(Poll::Pending(other.to_owned())),
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

    async fn send_create(&self, ctx: &Ctx, inputs: &VpcEndpointInputs, tags: &Tags) -> Result<String, ProviderError> {
        let token = ctx.token("CreateVpcEndpoint");
        let interface = inputs.kind == EndpointKind::Interface;
        let kind = if interface { VpcEndpointType::Interface } else { VpcEndpointType::Gateway };
        let answer = call_fresh(ctx, "ec2", "CreateVpcEndpoint", Repeat::Safe, "", || {
            self.ec2
                .create_vpc_endpoint()
                .vpc_id(inputs.vpc_id.as_str())
                .service_name(&inputs.service_name)
                .vpc_endpoint_type(kind.clone())
                .set_route_table_ids(texts(&inputs.route_table_ids))
                .set_subnet_ids(texts(&inputs.subnet_ids))
                .set_security_group_ids(texts(&inputs.security_group_ids))
                .set_private_dns_enabled(interface.then_some(inputs.private_dns))
                .tag_specifications(specification(ResourceType::VpcEndpoint, tags))
                .client_token(&token)
                .send()
        })
        .await?;
        let id = answer.vpc_endpoint().and_then(|endpoint| endpoint.vpc_endpoint_id());
        id.map(str::to_owned).ok_or_else(|| unexpected("CreateVpcEndpoint", "endpoint id"))
    }

    /// Sends what differs. Not to be repeated blindly: a route that is there already is
    /// refused.
    async fn change(
        &self,
        ctx: &Ctx,
        id: &str,
        now: &VpcEndpointInputs,
        to: &VpcEndpointInputs,
    ) -> Result<(), ProviderError> {
        call_fresh(ctx, "ec2", "ModifyVpcEndpoint", Repeat::Once, "", || {
            self.ec2
                .modify_vpc_endpoint()
                .vpc_endpoint_id(id)
                .set_add_route_table_ids(missing(&now.route_table_ids, &to.route_table_ids))
                .set_remove_route_table_ids(missing(&to.route_table_ids, &now.route_table_ids))
                .set_add_subnet_ids(missing(&now.subnet_ids, &to.subnet_ids))
                .set_remove_subnet_ids(missing(&to.subnet_ids, &now.subnet_ids))
                .set_add_security_group_ids(missing(&now.security_group_ids, &to.security_group_ids))
                .set_remove_security_group_ids(missing(&to.security_group_ids, &now.security_group_ids))
                .set_private_dns_enabled((now.private_dns != to.private_dns).then_some(to.private_dns))
                .send()
        })
        .await
        .map(drop)
    }
}

fn failed(endpoint: &types::VpcEndpoint, state: &str) -> ProviderError {
    let said = endpoint.last_error().and_then(|error| error.message());
    let message = said.map_or_else(|| format!("the endpoint is {state}"), str::to_owned);
    ProviderError::new(ErrorClass::Failed, message)
}

fn created(id: &str) -> Created<VpcEndpointOutputs> {
    Created { id: id.to_owned(), outputs: VpcEndpointOutputs { id: id.into() } }
}

impl Provider for VpcEndpoint {
    type Inputs = VpcEndpointInputs;
    type Outputs = VpcEndpointOutputs;

    const TYPE: &'static str = "aws:ec2:VpcEndpoint";
    const REPLACE_ON: &'static [&'static str] = &["vpc_id", "service_name", "kind"];
    const CONSISTENCY_WINDOW: Duration = UNSEEN;

    async fn create(
        &self,
        ctx: &Ctx,
        inputs: &VpcEndpointInputs,
    ) -> Result<Created<VpcEndpointOutputs>, ProviderError> {
        let wanted = all_tags(ctx, &inputs.tags);
        if let Some(id) = ctx.resume() {
            let endpoint = self.wait_available(ctx, id).await?;
            // An adopted one gets this intent's nonce.
            retag(ctx, &self.ec2, id, &from_tags(endpoint.tags()), &wanted).await?;
            return Ok(created(id));
        }
        refuse_second(&self.search(ctx).await?)?;
        let id = self.send_create(ctx, inputs, &wanted).await?;
        ctx.progress(&id);
        self.wait_available(ctx, &id).await?;
        Ok(created(&id))
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<VpcEndpointInputs, VpcEndpointOutputs>,
    ) -> Reading<VpcEndpointInputs, VpcEndpointOutputs> {
        let id = &current.id;
        let Some(endpoint) = self.get(ctx, id).await? else { return Ok(None) };
        if state(&endpoint) == "deleting" {
            self.wait_gone(ctx, id).await?;
            return Ok(None);
        }
        Ok(Some(Observed { inputs: observed(&endpoint, &current.inputs), outputs: created(id).outputs }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<VpcEndpointInputs, VpcEndpointOutputs>,
        to: &VpcEndpointInputs,
    ) -> Result<VpcEndpointOutputs, ProviderError> {
        let id = &current.id;
        retag(ctx, &self.ec2, id, &current.inputs.tags, &to.tags).await?;
        for attempt in 1.. {
            let endpoint = self.get(ctx, id).await?.ok_or_else(|| vanished(id))?;
            let now = observed(&endpoint, to);
            if now == (VpcEndpointInputs { tags: now.tags.clone(), ..to.clone() }) {
                break;
            }
            match self.change(ctx, id, &now, to).await {
                Ok(()) => break,
                Err(error) if error.class == ErrorClass::Ambiguous && attempt < ATTEMPTS => {
                    ctx.sleep(Duration::from_secs(2)).await;
                }
                Err(error) => return Err(error),
            }
        }
        self.wait_available(ctx, id).await?;
        Ok(current.outputs.clone())
    }

    /// Until it is gone its interfaces hold subnets and groups. What is refused stands in an
    /// answer with status 200.
    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<VpcEndpointInputs, VpcEndpointOutputs>,
    ) -> Result<(), ProviderError> {
        let id = &current.id;
        let answer = call(ctx, "ec2", "DeleteVpcEndpoints", Repeat::Safe, || {
            self.ec2.delete_vpc_endpoints().vpc_endpoint_ids(id).send()
        })
        .await?;
        if let Some(refused) = answer.unsuccessful().iter().find_map(|item| item.error()) {
            let (code, message) = (refused.code().unwrap_or_default(), refused.message().unwrap_or_default());
            let error = errors::refusal(code, message).during("ec2", "DeleteVpcEndpoints");
            if error.class != ErrorClass::NotFound {
                return Err(error);
            }
        }
        self.wait_gone(ctx, id).await
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<VpcEndpointInputs, VpcEndpointOutputs>,
    ) -> Result<Marks, ProviderError> {
        let found = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(found.tags())))
    }

    async fn claim(
        &self,
        ctx: &Ctx,
        current: &Current<VpcEndpointInputs, VpcEndpointOutputs>,
    ) -> Result<(), ProviderError> {
        claim(ctx, &self.ec2, &current.id).await
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let endpoints = self.listed(ctx, vec![of_stack(ctx)]).await?;
        let standing = endpoints.iter().filter(|it| !state(it).starts_with("delet"));
        let found: Vec<_> =
            standing.map(|it| (it.vpc_endpoint_id().unwrap_or_default().to_owned(), from_tags(it.tags()))).collect();
        Ok(Some(discoveries(ctx, Self::TYPE, &found)))
    }

    async fn recover(&self, ctx: &Ctx, _: &VpcEndpointInputs) -> Result<Recovered, ProviderError> {
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
    use serde_json::json;

    use super::*;
    use crate::aws::scripted::{Answer, Scripted, ctx};

    fn current() -> Current<VpcEndpointInputs, VpcEndpointOutputs> {
        let inputs = VpcEndpointInputs { vpc_id: "vpc-1".into(), ..VpcEndpointInputs::default() };
        Current { id: "vpce-1".into(), inputs, outputs: VpcEndpointOutputs::default() }
    }

    /// The answer has status 200 and lists what was refused.
    #[tokio::test(start_paused = true)]
    async fn a_refusal_inside_an_answer_is_an_error() {
        for (code, class) in [("UnauthorizedOperation", ErrorClass::Denied), ("InvalidState", ErrorClass::Invalid)] {
            let services = Scripted::new(move |_, _| {
                let error = json!({"code": code, "message": "no"});
                json!({"unsuccessful": [{"resourceId": "vpce-1", "error": error}]}).into()
            });
            let kind = VpcEndpoint::new(&services.clients());
            let error = kind.delete(&ctx(VpcEndpoint::TYPE, None), &current()).await.unwrap_err();
            assert_eq!((error.class, error.code.as_deref()), (class, Some(code)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_gone_is_deleted() {
        let services = Scripted::new(|operation, _| match operation {
            "DeleteVpcEndpoints" => {
                let error = json!({"code": "InvalidVpcEndpointId.NotFound", "message": "no"});
                json!({"unsuccessful": [{"resourceId": "vpce-1", "error": error}]}).into()
            }
            _ => Answer::refused(400, "InvalidVpcEndpointId.NotFound", "no"),
        });
        let kind = VpcEndpoint::new(&services.clients());
        assert_eq!(kind.delete(&ctx(VpcEndpoint::TYPE, None), &current()).await, Ok(()));
    }
}
