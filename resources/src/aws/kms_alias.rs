//! KMS aliases: names of keys.
//! API: <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html>

use aws_sdk_kms::Client;
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Created, Current, Marks, Observed, Provider, Reading, Recovered, ReplaceOrder},
};

use super::{Clients, KeyId, STACK_TAG, call, call_fresh, gone_is_ok, kms_key::key_tags, vanished};

inputs! {
    /// A name of a key.
    pub struct AliasInputs, AliasArgs {
        /// `alias/...`; one of its kind in account and region.
        pub name: String,
        /// The key.
        pub target_key_id: KeyId,
    }
}

outputs! {
    /// A name of a key.
    pub struct AliasOutputs, AliasRefs {
        /// `alias/...`.
        pub name: String,
    }
}

/// The kind.
pub struct Alias {
    kms: Client,
}

impl Alias {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { kms: clients.kms.clone() }
    }

    /// The key that an alias names; `Some("")` for an alias without one.
    async fn target(&self, ctx: &Ctx, name: &str) -> Result<Option<KeyId>, ProviderError> {
        let mut marker = None;
        loop {
            let page = call(ctx, "kms", "ListAliases", Repeat::Safe, || {
                self.kms.list_aliases().limit(100).set_marker(marker.clone()).send()
            })
            .await?;
            if let Some(alias) = page.aliases().iter().find(|alias| alias.alias_name() == Some(name)) {
                return Ok(Some(alias.target_key_id().unwrap_or_default().into()));
            }
            marker = page.next_marker().filter(|_| page.truncated()).map(str::to_owned);
            if marker.is_none() {
                return Ok(None);
            }
        }
    }
}

impl Provider for Alias {
    type Inputs = AliasInputs;
    type Outputs = AliasOutputs;

    const TYPE: &'static str = "aws:kms:Alias";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;

    async fn create(&self, ctx: &Ctx, inputs: &AliasInputs) -> Result<Created<AliasOutputs>, ProviderError> {
        let name = &inputs.name;
        if ctx.resume().is_some() {
            // Made before; nothing is left but to be sure of it.
            self.target(ctx, name).await?.ok_or_else(|| vanished(name))?;
        } else {
            call_fresh(ctx, "kms", "CreateAlias", Repeat::Once, inputs.target_key_id.as_str(), || {
                self.kms.create_alias().alias_name(name).target_key_id(inputs.target_key_id.as_str()).send()
            })
            .await?;
            ctx.progress(name);
        }
        Ok(Created { id: name.clone(), outputs: AliasOutputs { name: name.clone() } })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<AliasInputs, AliasOutputs>,
    ) -> Reading<AliasInputs, AliasOutputs> {
        Ok(self.target(ctx, &current.id).await?.map(|target_key_id| Observed {
            inputs: AliasInputs { name: current.id.clone(), target_key_id },
            outputs: AliasOutputs { name: current.id.clone() },
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<AliasInputs, AliasOutputs>,
        to: &AliasInputs,
    ) -> Result<AliasOutputs, ProviderError> {
        call_fresh(ctx, "kms", "UpdateAlias", Repeat::Safe, to.target_key_id.as_str(), || {
            self.kms.update_alias().alias_name(&current.id).target_key_id(to.target_key_id.as_str()).send()
        })
        .await?;
        Ok(current.outputs.clone())
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<AliasInputs, AliasOutputs>) -> Result<(), ProviderError> {
        gone_is_ok(
            call(ctx, "kms", "DeleteAlias", Repeat::Safe, || self.kms.delete_alias().alias_name(&current.id).send())
                .await,
        )
    }

    async fn marks(&self, _: &Ctx, _: &Current<AliasInputs, AliasOutputs>) -> Result<Marks, ProviderError> {
        Ok(Marks::Bare)
    }

    /// An alias has no tags: it is told by its key. One that names another key of this
    /// platform is left from a run whose state is lost.
    async fn recover(&self, ctx: &Ctx, inputs: &AliasInputs) -> Result<Recovered, ProviderError> {
        let name = inputs.name.clone();
        let Some(target) = self.target(ctx, &name).await? else {
            return Ok(Recovered::Absent);
        };
        if target == inputs.target_key_id {
            return Ok(Recovered::Mine(name));
        }
        if target.as_str().is_empty() {
            return Ok(Recovered::Foreign(name));
        }
        let tags = key_tags(&self.kms, ctx, target.as_str()).await?.unwrap_or_default();
        let ours = tags.get(STACK_TAG).is_some_and(|stack| stack == ctx.stack());
        Ok(if ours { Recovered::OfThisStack(name) } else { Recovered::Foreign(name) })
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::scripted::{Answer, Scripted, ctx};

    fn inputs() -> AliasInputs {
        AliasInputs { name: "alias/rayplat-x".into(), target_key_id: "k1".into() }
    }

    /// The alias is on the second page and names `target`, whose key has these tags.
    fn services(target: &'static str, tags: Value) -> Scripted {
        Scripted::new(move |operation, params| match (operation, params["Marker"].as_str()) {
            ("ListAliases", None) => {
                json!({"Aliases": [{"AliasName": "alias/rayplat-xy", "TargetKeyId": "k1"}], "Truncated": true,
                    "NextMarker": "2"})
                .into()
            }
            ("ListAliases", Some(_)) => {
                json!({"Aliases": [{"AliasName": "alias/rayplat-x", "TargetKeyId": target}], "Truncated": false}).into()
            }
            ("ListResourceTags", _) => json!({"Tags": tags, "Truncated": false}).into(),
            other => panic!("{other:?}"),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn whose_an_alias_is_follows_from_its_key() {
        let stack = |name: &str| json!([{"TagKey": "rayplat:stack", "TagValue": name}]);
        let name = || inputs().name;
        let cases = [
            ("k1", json!([]), Recovered::Mine(name())),
            ("k2", stack("ray"), Recovered::OfThisStack(name())),
            ("k2", stack("other"), Recovered::Foreign(name())),
            ("k2", json!([]), Recovered::Foreign(name())),
            ("", json!([]), Recovered::Foreign(name())),
        ];
        for (target, tags, expected) in cases {
            let kind = Alias::new(&services(target, tags).clients());
            assert_eq!(kind.recover(&ctx(Alias::TYPE, None), &inputs()).await, Ok(expected), "{target}");
        }
        let missing = AliasInputs { name: "alias/no".into(), ..inputs() };
        let kind = Alias::new(&services("k1", json!([])).clients());
        assert_eq!(kind.recover(&ctx(Alias::TYPE, None), &missing).await, Ok(Recovered::Absent));
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_not_visible_yet_is_waited_for() {
        let mut tries = 0;
        let services = Scripted::new(move |_, _| {
            tries += 1;
            match tries {
                1 => Answer::refused(400, "NotFoundException", "Key 'arn:aws:kms:r:1:key/k1' does not exist"),
                _ => json!({}).into(),
            }
        });
        let created = Alias::new(&services.clients()).create(&ctx(Alias::TYPE, None), &inputs()).await.unwrap();
        assert_eq!(created.id, "alias/rayplat-x");
        assert_eq!(services.operations(), ["CreateAlias", "CreateAlias"]);
    }
}
