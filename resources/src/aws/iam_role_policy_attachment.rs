//! Managed policies attached to roles.
//! API: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html>

use aws_sdk_iam::Client;
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs,
    provider::{Created, Current, Marks, Observed, Provider, Reading, Recovered},
};

use super::{Clients, PolicyArn, RoleName, call, call_fresh, found, gone_is_ok};

inputs! {
    /// A policy on a role.
    pub struct RolePolicyAttachmentInputs, RolePolicyAttachmentArgs {
        /// The role.
        pub role: RoleName,
        /// The policy.
        pub policy_arn: PolicyArn,
    }
}

/// The kind. There is one attachment for each pair of role and policy.
pub struct RolePolicyAttachment {
    iam: Client,
}

impl RolePolicyAttachment {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { iam: clients.iam.clone() }
    }

    async fn attached(&self, ctx: &Ctx, role: &str, policy: &str) -> Result<bool, ProviderError> {
        let mut marker = None;
        loop {
            let page = call(ctx, "iam", "ListAttachedRolePolicies", Repeat::Safe, || {
                self.iam.list_attached_role_policies().role_name(role).set_marker(marker.clone()).send()
            })
            .await;
            let Some(page) = found(page)? else {
                return Ok(false);
            };
            if page.attached_policies().iter().any(|attached| attached.policy_arn() == Some(policy)) {
                return Ok(true);
            }
            marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
            if marker.is_none() {
                return Ok(false);
            }
        }
    }
}

fn id_of(inputs: &RolePolicyAttachmentInputs) -> String {
    format!("{}/{}", inputs.role, inputs.policy_arn)
}

/// True for `arn:PARTITION:iam::aws:policy/...`.
fn of_aws(policy: &str) -> bool {
    policy.split(':').nth(4) == Some("aws")
}

/// Role and policy of an id. Role names have no slash, policy ARNs may have several.
fn parts(id: &str) -> Result<(&str, &str), ProviderError> {
    id.split_once('/').ok_or_else(|| {
        ProviderError::new(
            ErrorClass::Invalid,
            format!("`{id}` is not the id of a policy attachment (ROLE/POLICY_ARN)"),
        )
        .hint("The state was edited or is damaged: remove the resource from it and run the command again.")
    })
}

impl Provider for RolePolicyAttachment {
    type Inputs = RolePolicyAttachmentInputs;
    type Outputs = ();

    const TYPE: &'static str = "aws:iam:RolePolicyAttachment";
    const REPLACE_ON: &'static [&'static str] = &["role", "policy_arn"];

    async fn create(&self, ctx: &Ctx, inputs: &Self::Inputs) -> Result<Created<()>, ProviderError> {
        let (role, policy) = (inputs.role.as_str(), inputs.policy_arn.as_str());
        // A policy of the account's own may be as new as the role. AWS's never are: a wrong
        // name fails at once.
        let fresh = if of_aws(policy) { role } else { "" };
        // Attaching twice is the same as once, so an interrupted creation is simply done again.
        call_fresh(ctx, "iam", "AttachRolePolicy", Repeat::Safe, fresh, || {
            self.iam.attach_role_policy().role_name(role).policy_arn(policy).send()
        })
        .await?;
        let id = id_of(inputs);
        ctx.progress(&id);
        Ok(Created { id, outputs: () })
    }

    async fn read(&self, ctx: &Ctx, current: &Current<Self::Inputs, ()>) -> Reading<Self::Inputs, ()> {
        let (role, policy) = parts(&current.id)?;
        if !self.attached(ctx, role, policy).await? {
            return Ok(None);
        }
        let inputs = RolePolicyAttachmentInputs { role: role.into(), policy_arn: policy.into() };
        Ok(Some(Observed { inputs, outputs: () }))
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<Self::Inputs, ()>) -> Result<(), ProviderError> {
        let (role, policy) = parts(&current.id)?;
        gone_is_ok(
            call(ctx, "iam", "DetachRolePolicy", Repeat::Safe, || {
                self.iam.detach_role_policy().role_name(role).policy_arn(policy).send()
            })
            .await,
        )
    }

    async fn marks(&self, _: &Ctx, _: &Current<Self::Inputs, ()>) -> Result<Marks, ProviderError> {
        Ok(Marks::Bare)
    }

    /// An attachment has no tags; but it is on a role of ours, so it is ours.
    async fn recover(&self, ctx: &Ctx, inputs: &Self::Inputs) -> Result<Recovered, ProviderError> {
        let attached = self.attached(ctx, inputs.role.as_str(), inputs.policy_arn.as_str()).await?;
        Ok(if attached { Recovered::Mine(id_of(inputs)) } else { Recovered::Absent })
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::aws::scripted::{Answer, Scripted, ctx};

    fn inputs(role: &str) -> RolePolicyAttachmentInputs {
        RolePolicyAttachmentInputs { role: role.into(), policy_arn: "arn:aws:iam::aws:policy/B".into() }
    }

    fn paged(operation: &str, params: &serde_json::Value) -> Answer {
        let attached = |name: &str| json!({"PolicyName": name, "PolicyArn": format!("arn:aws:iam::aws:policy/{name}")});
        match (operation, params["Marker"].as_str()) {
            _ if params["RoleName"] == "gone" => {
                Answer::refused(404, "NoSuchEntity", "The role with name gone cannot be found.")
            }
            ("ListAttachedRolePolicies", None) => {
                json!({"AttachedPolicies": [attached("A")], "IsTruncated": true, "Marker": "2"}).into()
            }
            ("ListAttachedRolePolicies", Some("2")) => {
                json!({"AttachedPolicies": [attached("B")], "IsTruncated": false}).into()
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_for_on_every_page() {
        let kind = RolePolicyAttachment::new(&Scripted::new(paged).clients());
        let ctx = ctx(RolePolicyAttachment::TYPE, None);
        let id = "node/arn:aws:iam::aws:policy/B";
        assert_eq!(kind.recover(&ctx, &inputs("node")).await, Ok(Recovered::Mine(id.into())));
        let other = RolePolicyAttachmentInputs { policy_arn: "arn:aws:iam::aws:policy/C".into(), ..inputs("node") };
        assert_eq!(kind.recover(&ctx, &other).await, Ok(Recovered::Absent));
        assert_eq!(kind.recover(&ctx, &inputs("gone")).await, Ok(Recovered::Absent));
        let current = Current { id: id.into(), inputs: inputs("node"), outputs: () };
        assert_eq!(kind.read(&ctx, &current).await.unwrap().unwrap().inputs, inputs("node"));
        let current = Current { id: "gone/arn:aws:iam::aws:policy/B".into(), inputs: inputs("gone"), outputs: () };
        assert_eq!(kind.delete(&ctx, &current).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fresh_role_is_waited_for_a_wrong_policy_is_not() {
        let mut tries = 0;
        let services = Scripted::new(move |_, params| {
            tries += 1;
            match tries {
                _ if params["PolicyArn"] == "arn:aws:iam::aws:policy/X" => {
                    Answer::refused(404, "NoSuchEntity", "Policy X does not exist or is not attachable.")
                }
                1 => Answer::refused(404, "NoSuchEntity", "The role with name node cannot be found."),
                // The lost response of a call that may be repeated.
                2 => Answer::Lost,
                _ => json!({}).into(),
            }
        });
        let kind = RolePolicyAttachment::new(&services.clients());
        let ctx = ctx(RolePolicyAttachment::TYPE, None);
        kind.create(&ctx, &inputs("node")).await.unwrap();
        assert_eq!(services.operations().len(), 3);
        let wrong = RolePolicyAttachmentInputs { policy_arn: "arn:aws:iam::aws:policy/X".into(), ..inputs("node") };
        assert_eq!(kind.create(&ctx, &wrong).await.unwrap_err().class, ErrorClass::NotFound);
        assert_eq!(services.operations().len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_policy_of_the_accounts_own_may_be_as_fresh_as_the_role() {
        let mut tries = 0;
        let services = Scripted::new(move |_, _| {
            tries += 1;
            match tries {
                1 => Answer::refused(404, "NoSuchEntity", "Policy X does not exist or is not attachable."),
                _ => json!({}).into(),
            }
        });
        let own = "arn:aws:iam::123456789012:policy/X";
        let inputs = RolePolicyAttachmentInputs { policy_arn: own.into(), ..inputs("node") };
        let kind = RolePolicyAttachment::new(&services.clients());
        kind.create(&ctx(RolePolicyAttachment::TYPE, None), &inputs).await.unwrap();
        assert_eq!(services.operations().len(), 2);
    }

    #[test]
    fn the_id_is_split_at_the_first_slash() {
        let inputs = RolePolicyAttachmentInputs {
            role: "ray-node".into(),
            policy_arn: "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy".into(),
        };
        let id = id_of(&inputs);
        assert_eq!(parts(&id).unwrap(), (inputs.role.as_str(), inputs.policy_arn.as_str()));
        assert_eq!(parts("ray-node").unwrap_err().class, ErrorClass::Invalid);
    }
}
