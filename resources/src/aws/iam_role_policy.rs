//! Inline policies of roles.
//! API: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>

use aws_sdk_iam::Client;
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs,
    provider::{Created, Current, Marks, Observed, Provider, Reading, Recovered},
};
use serde_json::Value;

use super::{Clients, RoleName, call, call_fresh, found, gone_is_ok, iam::document, policy};

inputs! {
    /// A policy inside a role.
    pub struct RolePolicyInputs, RolePolicyArgs {
        /// The role.
        pub role: RoleName,
        /// The policy's name, one of its kind in the role.
        pub name: String,
        /// What it grants.
        pub document: Value,
    }
}

/// The kind.
pub struct RolePolicy {
    iam: Client,
}

impl RolePolicy {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { iam: clients.iam.clone() }
    }

    async fn get(&self, ctx: &Ctx, role: &str, name: &str) -> Result<Option<Value>, ProviderError> {
        let answer = call(ctx, "iam", "GetRolePolicy", Repeat::Safe, || {
            self.iam.get_role_policy().role_name(role).policy_name(name).send()
        })
        .await;
        found(answer)?.map(|answer| document(answer.policy_document())).transpose()
    }

    async fn put(&self, ctx: &Ctx, role: &str, name: &str, document: &Value) -> Result<(), ProviderError> {
        call_fresh(ctx, "iam", "PutRolePolicy", Repeat::Safe, role, || {
            let document = document.to_string();
            self.iam.put_role_policy().role_name(role).policy_name(name).policy_document(document).send()
        })
        .await?;
        Ok(())
    }
}

/// Role and name of an id; neither may have a slash.
fn parts(id: &str) -> Result<(&str, &str), ProviderError> {
    id.split_once('/').ok_or_else(|| {
        ProviderError::new(ErrorClass::Invalid, format!("`{id}` is not the id of an inline policy (ROLE/NAME)"))
            .hint("The state was edited or is damaged: remove the resource from it and run the command again.")
    })
}

impl Provider for RolePolicy {
    type Inputs = RolePolicyInputs;
    type Outputs = ();

    const TYPE: &'static str = "aws:iam:RolePolicy";
    const REPLACE_ON: &'static [&'static str] = &["role", "name"];

    async fn create(&self, ctx: &Ctx, inputs: &RolePolicyInputs) -> Result<Created<()>, ProviderError> {
        // Putting sets the whole document: an interrupted creation is simply done again.
        self.put(ctx, inputs.role.as_str(), &inputs.name, &inputs.document).await?;
        let id = format!("{}/{}", inputs.role, inputs.name);
        ctx.progress(&id);
        Ok(Created { id, outputs: () })
    }

    async fn read(&self, ctx: &Ctx, current: &Current<RolePolicyInputs, ()>) -> Reading<RolePolicyInputs, ()> {
        let (role, name) = parts(&current.id)?;
        let Some(live) = self.get(ctx, role, name).await? else {
            return Ok(None);
        };
        let document = policy::keep_if_same(&current.inputs.document, live);
        let inputs = RolePolicyInputs { role: role.into(), name: name.to_owned(), document };
        Ok(Some(Observed { inputs, outputs: () }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<RolePolicyInputs, ()>,
        to: &RolePolicyInputs,
    ) -> Result<(), ProviderError> {
        let (role, name) = parts(&current.id)?;
        self.put(ctx, role, name, &to.document).await
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<RolePolicyInputs, ()>) -> Result<(), ProviderError> {
        let (role, name) = parts(&current.id)?;
        gone_is_ok(
            call(ctx, "iam", "DeleteRolePolicy", Repeat::Safe, || {
                self.iam.delete_role_policy().role_name(role).policy_name(name).send()
            })
            .await,
        )
    }

    async fn marks(&self, _: &Ctx, _: &Current<RolePolicyInputs, ()>) -> Result<Marks, ProviderError> {
        Ok(Marks::Bare)
    }

    /// An inline policy has no tags; but it is in a role of ours, so it is ours.
    async fn recover(&self, ctx: &Ctx, inputs: &RolePolicyInputs) -> Result<Recovered, ProviderError> {
        let live = self.get(ctx, inputs.role.as_str(), &inputs.name).await?;
        Ok(match live {
            Some(_) => Recovered::Mine(format!("{}/{}", inputs.role, inputs.name)),
            None => Recovered::Absent,
        })
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::aws::scripted::{Answer, Scripted, ctx};

    fn inputs() -> RolePolicyInputs {
        let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["a:B"]}]});
        RolePolicyInputs { role: "autoscaler".into(), name: "scale".into(), document }
    }

    #[tokio::test(start_paused = true)]
    async fn from_creation_to_deletion() {
        let services = Scripted::new(|operation, params| match operation {
            "GetRolePolicy" if params["PolicyName"] == "scale" => {
                let document = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C\
                    %22Action%22%3A%22a%3AB%22%7D%7D";
                json!({"RoleName": "autoscaler", "PolicyName": "scale", "PolicyDocument": document}).into()
            }
            "GetRolePolicy" | "DeleteRolePolicy" => Answer::refused(404, "NoSuchEntity", "not found"),
            _ => json!({}).into(),
        });
        let kind = RolePolicy::new(&services.clients());
        let ctx = ctx(RolePolicy::TYPE, None);
        let created = kind.create(&ctx, &inputs()).await.unwrap();
        assert_eq!(created.id, "autoscaler/scale");
        let sent = services.params("PutRolePolicy").remove(0);
        assert_eq!(policy::parse(sent["PolicyDocument"].as_str().unwrap()).unwrap(), inputs().document);
        let current = Current { id: created.id, inputs: inputs(), outputs: () };
        // The live document has other words: a text where we gave lists of one.
        assert_eq!(kind.read(&ctx, &current).await.unwrap().unwrap().inputs, inputs());
        assert_eq!(kind.recover(&ctx, &inputs()).await, Ok(Recovered::Mine("autoscaler/scale".into())));
        let other = RolePolicyInputs { name: "other".into(), ..inputs() };
        assert_eq!(kind.recover(&ctx, &other).await, Ok(Recovered::Absent));
        assert_eq!(kind.delete(&ctx, &current).await, Ok(()));
    }
}
