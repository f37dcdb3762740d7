//! Inline policies of roles.
//! API: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>

use aws_sdk_iam::Client;
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs,
    provider::{Created, Current, Observed, Provider, Reading, Recovered},
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

    /// An inline policy has no tags; but it is in a role of ours, so it is ours.
    async fn recover(&self, ctx: &Ctx, inputs: &RolePolicyInputs) -> Result<Recovered, ProviderError> {
        let live = self.get(ctx, inputs.role.as_str(), &inputs.name).await?;
        Ok(match live {
            Some(_) => Recovered::Mine(format!("{}/{}", inputs.role, inputs.name)),
            None => Recovered::Absent,
        })
    }
}
