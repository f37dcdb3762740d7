//! Managed policies of the account's own, with their versions.
//! API: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html>
//!
//! Name, path and description are fixed once and for all (there is no `UpdatePolicy`). A
//! new document is a new version, of which IAM keeps five at most:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html>

use aws_sdk_iam::{
    Client,
    types::{PolicyScopeType, PolicyVersion},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};
use serde_json::Value;

use super::{
    Clients, PolicyArn, Tags, all_tags, call, call_fresh, discovered, found, gone_is_ok,
    iam::{document, from_tags, to_tags},
    marks, ownership, policy, tag_changes, unexpected, users_tags, vanished,
};

inputs! {
    /// A managed policy.
    pub struct PolicyInputs, PolicyArgs {
        /// The beginning of its name; a short hash is added, 128 characters in all.
        pub name_prefix: String,
        /// Begins and ends with a slash. Empty: `/`.
        pub path: String,
        /// Shown in the console.
        pub description: String,
        /// What it grants; 6144 characters at most, white space aside.
        pub document: Value,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A managed policy.
    pub struct PolicyOutputs, PolicyRefs {
        /// Its ARN, for attachments.
        pub arn: PolicyArn,
        /// Its name.
        pub name: String,
    }
}

/// Versions of a policy (IAM quotas).
const MOST_VERSIONS: usize = 5;

/// How often a new version whose answer was lost is looked for and sent again.
const ATTEMPTS: u32 = 5;

/// The kind.
pub struct Policy {
    iam: Client,
}

impl Policy {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { iam: clients.iam.clone() }
    }

    async fn get(&self, ctx: &Ctx, arn: &str) -> Result<Option<aws_sdk_iam::types::Policy>, ProviderError> {
        let answer = call(ctx, "iam", "GetPolicy", Repeat::Safe, || self.iam.get_policy().policy_arn(arn).send()).await;
        Ok(found(answer)?.and_then(|answer| answer.policy))
    }

    /// The policy of that name: unique in the account, whatever its path. The ARN holds the
    /// account's number, which an intent does not know: so it is looked for.
    async fn find(&self, ctx: &Ctx, name: &str) -> Result<Option<aws_sdk_iam::types::Policy>, ProviderError> {
        let mut marker = None;
        loop {
            let page = call(ctx, "iam", "ListPolicies", Repeat::Safe, || {
                let request = self.iam.list_policies().scope(PolicyScopeType::Local).max_items(1000);
                request.set_marker(marker.clone()).send()
            })
            .await?;
            let named = page.policies().iter().find(|policy| policy.policy_name() == Some(name));
            if let Some(arn) = named.and_then(|policy| policy.arn()) {
                // The list has no tags.
                return self.get(ctx, arn).await;
            }
            marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
            if marker.is_none() {
                return Ok(None);
            }
        }
    }

    /// The text of a version.
    async fn document(&self, ctx: &Ctx, arn: &str, version: &str) -> Result<Option<Value>, ProviderError> {
        let answer = call(ctx, "iam", "GetPolicyVersion", Repeat::Safe, || {
            self.iam.get_policy_version().policy_arn(arn).version_id(version).send()
        })
        .await;
        let version = found(answer)?.and_then(|answer| answer.policy_version);
        version.map(|version| document(version.document().unwrap_or("null"))).transpose()
    }

    /// All versions, newest first as IAM gives them; none if the policy is gone.
    async fn versions(&self, ctx: &Ctx, arn: &str) -> Result<Vec<PolicyVersion>, ProviderError> {
        let (mut versions, mut marker) = (Vec::new(), None);
        loop {
            let page = call(ctx, "iam", "ListPolicyVersions", Repeat::Safe, || {
                self.iam.list_policy_versions().policy_arn(arn).set_marker(marker.clone()).send()
            })
            .await;
            let Some(page) = found(page)? else {
                return Ok(Vec::new());
            };
            versions.extend_from_slice(page.versions());
            marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
            if marker.is_none() {
                return Ok(versions);
            }
        }
    }

    async fn delete_version(&self, ctx: &Ctx, arn: &str, version: &str) -> Result<(), ProviderError> {
        gone_is_ok(
            call(ctx, "iam", "DeletePolicyVersion", Repeat::Safe, || {
                self.iam.delete_policy_version().policy_arn(arn).version_id(version).send()
            })
            .await,
        )
    }

    /// Makes `wanted` the version in force. `CreatePolicyVersion` has no client token: when its
    /// answer is lost, what is in force now tells what became of it.
    async fn put_document(&self, ctx: &Ctx, arn: &str, wanted: &Value) -> Result<(), ProviderError> {
        let mut attempts = 0;
        loop {
            let versions = self.versions(ctx, arn).await?;
            let in_force = versions.iter().find(|version| version.is_default_version());
            if let Some(version) = in_force.and_then(|version| version.version_id())
                && let Some(text) = self.document(ctx, arn, version).await?
                && policy::same_document(wanted, &text)
            {
                return Ok(());
            }
            for version in superfluous(&versions) {
                self.delete_version(ctx, arn, version).await?;
            }
            let sent = call(ctx, "iam", "CreatePolicyVersion", Repeat::Once, || {
                let request = self.iam.create_policy_version().policy_arn(arn);
                request.policy_document(wanted.to_string()).set_as_default(true).send()
            })
            .await;
            attempts += 1;
            match sent {
                Ok(_) => return Ok(()),
                Err(error) if error.class == ErrorClass::Ambiguous && attempts < ATTEMPTS => {
                    ctx.sleep(std::time::Duration::from_secs(2)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn retag(&self, ctx: &Ctx, arn: &str, old: &Tags, new: &Tags) -> Result<(), ProviderError> {
        let changes = tag_changes(old, new);
        if !changes.remove.is_empty() {
            call(ctx, "iam", "UntagPolicy", Repeat::Safe, || {
                self.iam.untag_policy().policy_arn(arn).set_tag_keys(Some(changes.remove.clone())).send()
            })
            .await?;
        }
        if !changes.set.is_empty() {
            let tags = to_tags(&changes.set)?;
            call_fresh(ctx, "iam", "TagPolicy", Repeat::Safe, arn, || {
                self.iam.tag_policy().policy_arn(arn).set_tags(Some(tags.clone())).send()
            })
            .await?;
        }
        Ok(())
    }
}

/// The versions to delete so that one more fits: the oldest that are not in force.
fn superfluous(versions: &[PolicyVersion]) -> Vec<&str> {
    let mut others: Vec<&PolicyVersion> = versions.iter().filter(|version| !version.is_default_version()).collect();
    others.sort_by_key(|version| number_of(version));
    let too_many = (versions.len() + 1).saturating_sub(MOST_VERSIONS);
    others.into_iter().take(too_many).filter_map(PolicyVersion::version_id).collect()
}

/// 3 of `v3`. Numbers are never used twice, so the least is the oldest; dates have no
/// fractions of a second.
fn number_of(version: &PolicyVersion) -> u64 {
    let digits = version.version_id().and_then(|id| id.strip_prefix('v'));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX)
}

fn path(inputs: &PolicyInputs) -> &str {
    if inputs.path.is_empty() { "/" } else { &inputs.path }
}

fn outputs_of(policy: &aws_sdk_iam::types::Policy) -> PolicyOutputs {
    PolicyOutputs {
        arn: policy.arn().unwrap_or_default().into(),
        name: policy.policy_name().unwrap_or_default().to_owned(),
    }
}

impl Provider for Policy {
    type Inputs = PolicyInputs;
    type Outputs = PolicyOutputs;

    const TYPE: &'static str = "aws:iam:Policy";
    const REPLACE_ON: &'static [&'static str] = &["name_prefix", "path", "description"];

    async fn create(&self, ctx: &Ctx, inputs: &PolicyInputs) -> Result<Created<PolicyOutputs>, ProviderError> {
        if let Some(arn) = ctx.resume() {
            let policy = self.get(ctx, arn).await?.ok_or_else(|| vanished(arn))?;
            // An adopted policy gets this intent's nonce.
            self.retag(ctx, arn, &Tags::new(), &all_tags(ctx, &inputs.tags)).await?;
            return Ok(Created { id: arn.to_owned(), outputs: outputs_of(&policy) });
        }
        let name = ctx.unique_name(&inputs.name_prefix, 128);
        let tags = to_tags(&all_tags(ctx, &inputs.tags))?;
        let answer = call(ctx, "iam", "CreatePolicy", Repeat::Once, || {
            self.iam
                .create_policy()
                .policy_name(&name)
                .path(path(inputs))
                .policy_document(inputs.document.to_string())
                .description(&inputs.description)
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await?;
        let policy = answer.policy.ok_or_else(|| unexpected("CreatePolicy", "policy"))?;
        let outputs = outputs_of(&policy);
        ctx.progress(outputs.arn.as_str());
        Ok(Created { id: outputs.arn.to_string(), outputs })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<PolicyInputs, PolicyOutputs>,
    ) -> Reading<PolicyInputs, PolicyOutputs> {
        let prior = &current.inputs;
        let Some(policy) = self.get(ctx, &current.id).await? else {
            return Ok(None);
        };
        let in_force = policy.default_version_id().unwrap_or_default();
        let Some(text) = self.document(ctx, &current.id, in_force).await? else {
            return Ok(None);
        };
        let found_path = policy.path().unwrap_or("/");
        let inputs = PolicyInputs {
            name_prefix: prior.name_prefix.clone(),
            path: if found_path == path(prior) { prior.path.clone() } else { found_path.to_owned() },
            description: policy.description().unwrap_or_default().to_owned(),
            document: policy::keep_if_same(&prior.document, text),
            tags: users_tags(&from_tags(policy.tags())),
        };
        Ok(Some(Observed { inputs, outputs: outputs_of(&policy) }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<PolicyInputs, PolicyOutputs>,
        to: &PolicyInputs,
    ) -> Result<PolicyOutputs, ProviderError> {
        if current.inputs.document != to.document {
            self.put_document(ctx, &current.id, &to.document).await?;
        }
        self.retag(ctx, &current.id, &current.inputs.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    /// IAM deletes a policy with its version in force, and only when that is the last one.
    async fn delete(&self, ctx: &Ctx, current: &Current<PolicyInputs, PolicyOutputs>) -> Result<(), ProviderError> {
        let arn = &current.id;
        for version in self.versions(ctx, arn).await?.iter().filter(|version| !version.is_default_version()) {
            self.delete_version(ctx, arn, version.version_id().unwrap_or_default()).await?;
        }
        gone_is_ok(
            call(ctx, "iam", "DeletePolicy", Repeat::Safe, || self.iam.delete_policy().policy_arn(arn).send()).await,
        )
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<PolicyInputs, PolicyOutputs>) -> Result<Marks, ProviderError> {
        let policy = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(policy.tags())))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &PolicyInputs) -> Result<Recovered, ProviderError> {
        let name = ctx.unique_name(&inputs.name_prefix, 128);
        let policy = match ctx.resume() {
            Some(arn) => self.get(ctx, arn).await?,
            None => self.find(ctx, &name).await?,
        };
        Ok(match policy {
            Some(policy) => ownership(ctx, &from_tags(policy.tags())).recovered(policy.arn().unwrap_or_default()),
            None => Recovered::Absent,
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let (mut found, mut marker) = (Vec::new(), None::<String>);
        loop {
            let page = call(ctx, "iam", "ListPolicies", Repeat::Safe, || {
                self.iam.list_policies().scope(PolicyScopeType::Local).set_marker(marker.clone()).send()
            })
            .await?;
            // A list of policies has no tags. Every policy of a platform begins with its name.
            let begins = |policy: &&aws_sdk_iam::types::Policy| {
                policy.policy_name().is_some_and(|name| name.starts_with(ctx.stack()))
            };
            for arn in page.policies().iter().filter(begins).filter_map(|policy| policy.arn()) {
                if let Some(policy) = self.get(ctx, arn).await? {
                    found.extend(discovered(ctx, Self::TYPE, arn, &from_tags(policy.tags())));
                }
            }
            marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
            if marker.is_none() {
                return Ok(Some(found));
            }
        }
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::aws::scripted::{Answer, NONCE, Scripted, ctx, owner_tags};

    const ARN: &str = "arn:aws:iam::123456789012:policy/test-1a2b3c4d";

    fn grants(action: &str) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [action], "Resource": "*"}]})
    }

    fn inputs(action: &str) -> PolicyInputs {
        PolicyInputs { name_prefix: "test".into(), document: grants(action), ..PolicyInputs::default() }
    }

    fn current(action: &str) -> Current<PolicyInputs, PolicyOutputs> {
        Current { id: ARN.into(), inputs: inputs(action), outputs: PolicyOutputs::default() }
    }

    fn encoded(document: &Value) -> String {
        percent_encoding::utf8_percent_encode(&document.to_string(), percent_encoding::NON_ALPHANUMERIC).to_string()
    }

    fn version(number: u32, in_force: bool) -> Value {
        json!({"VersionId": format!("v{number}"), "IsDefaultVersion": in_force, "CreateDate": "2026-11-24T00:00:00Z"})
    }

    #[tokio::test(start_paused = true)]
    async fn the_sixth_version_pushes_the_oldest_out_and_never_the_one_in_force() {
        // v2 is in force: somebody went back to it by hand.
        let services = Scripted::new(|operation, params| match operation {
            "ListPolicyVersions" if params["Marker"].is_null() => {
                let page = json!([version(9, false), version(7, false), version(10, false)]);
                json!({"Versions": page, "IsTruncated": true, "Marker": "2"}).into()
            }
            "ListPolicyVersions" => {
                json!({"Versions": [version(2, true), version(3, false)], "IsTruncated": false}).into()
            }
            "GetPolicyVersion" => {
                assert_eq!(params["VersionId"], "v2");
                json!({"PolicyVersion": {"VersionId": "v2", "Document": encoded(&grants("a:Old"))}}).into()
            }
            _ => json!({}).into(),
        });
        let kind = Policy::new(&services.clients());
        kind.update(&ctx(Policy::TYPE, None), &current("a:Old"), &inputs("a:New")).await.unwrap();
        assert_eq!(services.params("DeletePolicyVersion").len(), 1);
        assert_eq!(services.params("DeletePolicyVersion")[0]["VersionId"], "v3");
        let sent = services.params("CreatePolicyVersion").remove(0);
        assert_eq!(sent["SetAsDefault"], "true");
        assert_eq!(policy::parse(sent["PolicyDocument"].as_str().unwrap()).unwrap(), grants("a:New"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_version_whose_answer_was_lost_is_looked_for_before_another_is_made() {
        let mut made = false;
        let services = Scripted::new(move |operation, _| match operation {
            "ListPolicyVersions" => json!({"Versions": [version(1, true)], "IsTruncated": false}).into(),
            "GetPolicyVersion" => {
                let text = encoded(&grants(if made { "a:New" } else { "a:Old" }));
                json!({"PolicyVersion": {"VersionId": "v1", "Document": text}}).into()
            }
            "CreatePolicyVersion" => {
                made = true;
                Answer::Lost
            }
            other => panic!("{other}"),
        });
        let kind = Policy::new(&services.clients());
        kind.update(&ctx(Policy::TYPE, None), &current("a:Old"), &inputs("a:New")).await.unwrap();
        assert_eq!(services.params("CreatePolicyVersion").len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn other_versions_go_before_the_policy() {
        let services = Scripted::new(|operation, _| match operation {
            "ListPolicyVersions" => {
                json!({"Versions": [version(3, false), version(2, true), version(1, false)], "IsTruncated": false})
                    .into()
            }
            // One was deleted by somebody else meanwhile.
            "DeletePolicyVersion" => Answer::refused(404, "NoSuchEntity", "Policy version does not exist."),
            _ => json!({}).into(),
        });
        let kind = Policy::new(&services.clients());
        kind.delete(&ctx(Policy::TYPE, None), &current("a:B")).await.unwrap();
        let expected = ["ListPolicyVersions", "DeletePolicyVersion", "DeletePolicyVersion", "DeletePolicy"];
        assert_eq!(services.operations(), expected);
        let gone = Scripted::new(|_, _| Answer::refused(404, "NoSuchEntity", "Policy was not found."));
        let kind = Policy::new(&gone.clients());
        assert_eq!(kind.delete(&ctx(Policy::TYPE, None), &current("a:B")).await, Ok(()));
        assert_eq!(kind.read(&ctx(Policy::TYPE, None), &current("a:B")).await, Ok(None));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_found_by_its_name_on_any_page_and_judged_by_its_tags() {
        let context = ctx(Policy::TYPE, None);
        let name = context.unique_name("test", 128);
        let arn = format!("arn:aws:iam::123456789012:policy/{name}");
        for (nonce, expected) in [
            (NONCE, Recovered::Mine(arn.clone())),
            ("another", Recovered::OfThisStack(arn.clone())),
            ("", Recovered::Foreign(arn.clone())),
        ] {
            let (name, arn) = (name.clone(), arn.clone());
            let services = Scripted::new(move |operation, params| match (operation, params["Marker"].as_str()) {
                ("ListPolicies", None) => {
                    let other = json!([{"PolicyName": format!("{name}x"), "Arn": format!("{arn}x")}]);
                    json!({"Policies": other, "IsTruncated": true, "Marker": "2"}).into()
                }
                ("ListPolicies", _) => {
                    json!({"Policies": [{"PolicyName": name, "Arn": arn}], "IsTruncated": false}).into()
                }
                ("GetPolicy", _) => {
                    let tags =
                        if nonce.is_empty() { json!([]) } else { owner_tags(Policy::TYPE, nonce, "Key", "Value") };
                    json!({"Policy": {"PolicyName": name, "Arn": params["PolicyArn"], "Tags": tags}}).into()
                }
                (other, _) => panic!("{other}"),
            });
            let kind = Policy::new(&services.clients());
            assert_eq!(kind.recover(&context, &inputs("a:B")).await, Ok(expected));
            let read = kind.marks(&context, &current("a:B")).await.unwrap();
            let found = (!nonce.is_empty()).then(|| nonce.to_owned());
            assert!(matches!(read, Marks::Read { nonce, .. } if nonce == found));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_creation_is_not_sent_again() {
        let services = Scripted::new(|_, _| Answer::Lost);
        let kind = Policy::new(&services.clients());
        let error = kind.create(&ctx(Policy::TYPE, None), &inputs("a:B")).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Ambiguous);
        assert_eq!(services.operations(), ["CreatePolicy"]);
    }
}
