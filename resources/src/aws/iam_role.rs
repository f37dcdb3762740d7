//! IAM roles. API: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>

use aws_sdk_iam::Client;
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};
use serde_json::Value;

use super::{
    Clients, RoleArn, RoleName, Tags, all_tags, call, discovered, found, gone_is_ok,
    iam::{document, from_tags, to_tags},
    marks, ownership, policy, tag_changes, unexpected, users_tags, vanished,
};

inputs! {
    /// A role.
    pub struct RoleInputs, RoleArgs {
        /// The beginning of its name; a short hash is added, 64 characters in all.
        pub name_prefix: String,
        /// Who may assume it: a policy document.
        pub trust_policy: Value,
        /// Shown in the console.
        pub description: String,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A role.
    pub struct RoleOutputs, RoleRefs {
        /// Its ARN.
        pub arn: RoleArn,
        /// Its name.
        pub name: RoleName,
    }
}

/// The kind.
pub struct Role {
    iam: Client,
}

impl Role {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { iam: clients.iam.clone() }
    }

    async fn get(&self, ctx: &Ctx, name: &str) -> Result<Option<aws_sdk_iam::types::Role>, ProviderError> {
        let answer = call(ctx, "iam", "GetRole", Repeat::Safe, || self.iam.get_role().role_name(name).send()).await;
        Ok(found(answer)?.and_then(|answer| answer.role))
    }

    async fn retag(&self, ctx: &Ctx, name: &str, old: &Tags, new: &Tags) -> Result<(), ProviderError> {
        let changes = tag_changes(old, new);
        if !changes.remove.is_empty() {
            call(ctx, "iam", "UntagRole", Repeat::Safe, || {
                self.iam.untag_role().role_name(name).set_tag_keys(Some(changes.remove.clone())).send()
            })
            .await?;
        }
        if !changes.set.is_empty() {
            let tags = to_tags(&changes.set)?;
            call(ctx, "iam", "TagRole", Repeat::Safe, || {
                self.iam.tag_role().role_name(name).set_tags(Some(tags.clone())).send()
            })
            .await?;
        }
        Ok(())
    }
}

fn outputs_of(role: &aws_sdk_iam::types::Role) -> RoleOutputs {
    RoleOutputs { arn: role.arn().into(), name: role.role_name().into() }
}

impl Provider for Role {
    type Inputs = RoleInputs;
    type Outputs = RoleOutputs;

    const TYPE: &'static str = "aws:iam:Role";
    const REPLACE_ON: &'static [&'static str] = &["name_prefix"];

    async fn create(&self, ctx: &Ctx, inputs: &RoleInputs) -> Result<Created<RoleOutputs>, ProviderError> {
        if let Some(name) = ctx.resume() {
            let role = self.get(ctx, name).await?.ok_or_else(|| vanished(name))?;
            // An adopted role gets this intent's nonce.
            self.retag(ctx, name, &Tags::new(), &all_tags(ctx, &inputs.tags)).await?;
            return Ok(Created { id: name.to_owned(), outputs: outputs_of(&role) });
        }
        let name = ctx.unique_name(&inputs.name_prefix, 64);
        let tags = to_tags(&all_tags(ctx, &inputs.tags))?;
        let answer = call(ctx, "iam", "CreateRole", Repeat::Once, || {
            self.iam
                .create_role()
                .role_name(&name)
                .assume_role_policy_document(inputs.trust_policy.to_string())
                .description(&inputs.description)
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await?;
        ctx.progress(&name);
        let role = answer.role.ok_or_else(|| unexpected("CreateRole", "role"))?;
        Ok(Created { id: name, outputs: outputs_of(&role) })
    }

    async fn read(&self, ctx: &Ctx, current: &Current<RoleInputs, RoleOutputs>) -> Reading<RoleInputs, RoleOutputs> {
        let Some(role) = self.get(ctx, &current.id).await? else {
            return Ok(None);
        };
        let inputs = RoleInputs {
            name_prefix: current.inputs.name_prefix.clone(),
            trust_policy: policy::keep_if_same(
                &current.inputs.trust_policy,
                document(role.assume_role_policy_document().unwrap_or("null"))?,
            ),
            description: role.description().unwrap_or_default().to_owned(),
            tags: users_tags(&from_tags(role.tags())),
        };
        Ok(Some(Observed { inputs, outputs: outputs_of(&role) }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<RoleInputs, RoleOutputs>,
        to: &RoleInputs,
    ) -> Result<RoleOutputs, ProviderError> {
        let (name, from) = (&current.id, &current.inputs);
        if from.trust_policy != to.trust_policy {
            call(ctx, "iam", "UpdateAssumeRolePolicy", Repeat::Safe, || {
                let document = to.trust_policy.to_string();
                self.iam.update_assume_role_policy().role_name(name).policy_document(document).send()
            })
            .await?;
        }
        if from.description != to.description {
            call(ctx, "iam", "UpdateRole", Repeat::Safe, || {
                self.iam.update_role().role_name(name).description(&to.description).send()
            })
            .await?;
        }
        self.retag(ctx, name, &from.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<RoleInputs, RoleOutputs>) -> Result<(), ProviderError> {
        gone_is_ok(
            call(ctx, "iam", "DeleteRole", Repeat::Safe, || self.iam.delete_role().role_name(&current.id).send()).await,
        )
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<RoleInputs, RoleOutputs>) -> Result<Marks, ProviderError> {
        let role = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(role.tags())))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &RoleInputs) -> Result<Recovered, ProviderError> {
        let name = ctx.unique_name(&inputs.name_prefix, 64);
        Ok(match self.get(ctx, &name).await? {
            Some(role) => ownership(ctx, &from_tags(role.tags())).recovered(name),
            None => Recovered::Absent,
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let page =
                call(ctx, "iam", "ListRoles", Repeat::Safe, || self.iam.list_roles().set_marker(marker.clone()).send())
                    .await?;
            // A list of roles has no tags. Every role of a platform begins with its name, cut
            // as `unique_name` cuts it.
            let begins = |role: &&aws_sdk_iam::types::Role| role.role_name().starts_with(ctx.stack());
            for role in page.roles().iter().filter(begins) {
                if let Some(role) = self.get(ctx, role.role_name()).await? {
                    found.extend(discovered(ctx, Self::TYPE, role.role_name(), &from_tags(role.tags())));
                }
            }
            marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
            if marker.is_none() {
                return Ok(Some(found));
            }
        }
    }

    fn expected(&self, _: Action) -> std::time::Duration {
        std::time::Duration::from_secs(1)
    }
}
