//! IAM OpenID Connect providers: how IAM comes to trust a cluster's service accounts.
//! API: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html>

use std::collections::BTreeSet;

use aws_sdk_iam::{Client, operation::get_open_id_connect_provider::GetOpenIdConnectProviderOutput};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered, ReplaceOrder},
};

use super::{
    Clients, IssuerUrl, OidcProviderArn, Tags, all_tags, call, discovered, found, gone_is_ok,
    iam::{from_tags, to_tags},
    marks, ownership, tag_changes, unexpected, users_tags, vanished,
};

inputs! {
    /// An OpenID Connect provider.
    pub struct OidcProviderInputs, OidcProviderArgs {
        /// The issuer of the tokens. An account has one provider for each.
        pub url: IssuerUrl,
        /// Who the tokens may be meant for, e.g. `sts.amazonaws.com`.
        pub client_ids: Vec<String>,
        /// SHA-1 fingerprints of certificates, 40 hex digits. `None` leaves them to AWS, which
        /// looks them up itself: then they are neither sent nor compared.
        pub thumbprints: Option<Vec<String>>,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// An OpenID Connect provider.
    pub struct OidcProviderOutputs, OidcProviderRefs {
        /// Its ARN.
        pub arn: OidcProviderArn,
    }
}

/// The kind.
pub struct OidcProvider {
    iam: Client,
}

impl OidcProvider {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { iam: clients.iam.clone() }
    }

    async fn get(&self, ctx: &Ctx, arn: &str) -> Result<Option<GetOpenIdConnectProviderOutput>, ProviderError> {
        found(
            call(ctx, "iam", "GetOpenIDConnectProvider", Repeat::Safe, || {
                self.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send()
            })
            .await,
        )
    }

    /// The ARN of the account's provider for an issuer. (The list is never paged: an account
    /// has 100 at most.)
    async fn find(&self, ctx: &Ctx, url: &IssuerUrl) -> Result<Option<String>, ProviderError> {
        let answer = call(ctx, "iam", "ListOpenIDConnectProviders", Repeat::Safe, || {
            self.iam.list_open_id_connect_providers().send()
        })
        .await?;
        let mut arns = answer.open_id_connect_provider_list().iter().filter_map(|entry| entry.arn());
        Ok(arns.find(|arn| is_of(arn, url)).map(str::to_owned))
    }

    async fn retag(&self, ctx: &Ctx, arn: &str, old: &Tags, new: &Tags) -> Result<(), ProviderError> {
        let changes = tag_changes(old, new);
        if !changes.remove.is_empty() {
            call(ctx, "iam", "UntagOpenIDConnectProvider", Repeat::Safe, || {
                let keys = Some(changes.remove.clone());
                self.iam.untag_open_id_connect_provider().open_id_connect_provider_arn(arn).set_tag_keys(keys).send()
            })
            .await?;
        }
        if !changes.set.is_empty() {
            let tags = to_tags(&changes.set)?;
            call(ctx, "iam", "TagOpenIDConnectProvider", Repeat::Safe, || {
                let tags = Some(tags.clone());
                self.iam.tag_open_id_connect_provider().open_id_connect_provider_arn(arn).set_tags(tags).send()
            })
            .await?;
        }
        Ok(())
    }

    /// Adds before it removes, so that a token is never refused in between.
    async fn set_client_ids(&self, ctx: &Ctx, arn: &str, old: &[String], new: &[String]) -> Result<(), ProviderError> {
        for id in new.iter().filter(|id| !old.contains(id)) {
            call(ctx, "iam", "AddClientIDToOpenIDConnectProvider", Repeat::Safe, || {
                self.iam
                    .add_client_id_to_open_id_connect_provider()
                    .open_id_connect_provider_arn(arn)
                    .client_id(id)
                    .send()
            })
            .await?;
        }
        for id in old.iter().filter(|id| !new.contains(id)) {
            call(ctx, "iam", "RemoveClientIDFromOpenIDConnectProvider", Repeat::Safe, || {
                self.iam
                    .remove_client_id_from_open_id_connect_provider()
                    .open_id_connect_provider_arn(arn)
                    .client_id(id)
                    .send()
            })
            .await?;
        }
        Ok(())
    }
}

/// An issuer as IAM writes it: without its scheme, and without a slash at the end.
fn host_and_path(url: &str) -> &str {
    url.strip_prefix("https://").unwrap_or(url).trim_end_matches('/')
}

fn is_of(arn: &str, url: &IssuerUrl) -> bool {
    arn.split_once(":oidc-provider/").is_some_and(|(_, issuer)| issuer == host_and_path(url.as_str()))
}

/// The prior list as long as the live one has the same members: IAM keeps no order, and
/// fingerprints are the same in either case.
fn keep_if_same(prior: &[String], live: &[String]) -> Vec<String> {
    let members = |list: &[String]| list.iter().map(|item| item.to_lowercase()).collect::<BTreeSet<_>>();
    if members(prior) == members(live) { prior.to_vec() } else { live.to_vec() }
}

fn outputs_of(arn: &str) -> OidcProviderOutputs {
    OidcProviderOutputs { arn: arn.into() }
}

type ProviderCurrent = Current<OidcProviderInputs, OidcProviderOutputs>;

impl Provider for OidcProvider {
    type Inputs = OidcProviderInputs;
    type Outputs = OidcProviderOutputs;

    const TYPE: &'static str = "aws:iam:OpenIdConnectProvider";
    const REPLACE_ON: &'static [&'static str] = &["url"];
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;

    async fn create(&self, ctx: &Ctx, inputs: &Self::Inputs) -> Result<Created<Self::Outputs>, ProviderError> {
        let tags = all_tags(ctx, &inputs.tags);
        if let Some(arn) = ctx.resume() {
            self.get(ctx, arn).await?.ok_or_else(|| vanished(arn))?;
            self.retag(ctx, arn, &Tags::new(), &tags).await?;
            return Ok(Created { id: arn.to_owned(), outputs: outputs_of(arn) });
        }
        let tags = to_tags(&tags)?;
        let answer = call(ctx, "iam", "CreateOpenIDConnectProvider", Repeat::Once, || {
            self.iam
                .create_open_id_connect_provider()
                .url(inputs.url.as_str())
                .set_client_id_list(Some(inputs.client_ids.clone()))
                .set_thumbprint_list(inputs.thumbprints.clone())
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await?;
        let arn = answer
            .open_id_connect_provider_arn()
            .ok_or_else(|| unexpected("CreateOpenIDConnectProvider", "OpenIDConnectProviderArn"))?;
        ctx.progress(arn);
        Ok(Created { id: arn.to_owned(), outputs: outputs_of(arn) })
    }

    async fn read(&self, ctx: &Ctx, current: &ProviderCurrent) -> Reading<Self::Inputs, Self::Outputs> {
        let Some(live) = self.get(ctx, &current.id).await? else {
            return Ok(None);
        };
        let prior = &current.inputs;
        let url = if is_of(&current.id, &prior.url) {
            prior.url.clone()
        } else {
            IssuerUrl(format!("https://{}", host_and_path(live.url().unwrap_or_default())))
        };
        let inputs = OidcProviderInputs {
            url,
            client_ids: keep_if_same(&prior.client_ids, live.client_id_list()),
            thumbprints: prior.thumbprints.as_ref().map(|prior| keep_if_same(prior, live.thumbprint_list())),
            tags: users_tags(&from_tags(live.tags())),
        };
        Ok(Some(Observed { inputs, outputs: outputs_of(&current.id) }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &ProviderCurrent,
        to: &Self::Inputs,
    ) -> Result<Self::Outputs, ProviderError> {
        let (arn, from) = (&current.id, &current.inputs);
        self.set_client_ids(ctx, arn, &from.client_ids, &to.client_ids).await?;
        // From a list to none means: hands off from now on.
        if let Some(thumbprints) = to.thumbprints.as_ref().filter(|_| from.thumbprints != to.thumbprints) {
            call(ctx, "iam", "UpdateOpenIDConnectProviderThumbprint", Repeat::Safe, || {
                self.iam
                    .update_open_id_connect_provider_thumbprint()
                    .open_id_connect_provider_arn(arn)
                    .set_thumbprint_list(Some(thumbprints.clone()))
                    .send()
            })
            .await?;
        }
        self.retag(ctx, arn, &from.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    async fn delete(&self, ctx: &Ctx, current: &ProviderCurrent) -> Result<(), ProviderError> {
        gone_is_ok(
            call(ctx, "iam", "DeleteOpenIDConnectProvider", Repeat::Safe, || {
                self.iam.delete_open_id_connect_provider().open_id_connect_provider_arn(&current.id).send()
            })
            .await,
        )
    }

    async fn marks(&self, ctx: &Ctx, current: &ProviderCurrent) -> Result<Marks, ProviderError> {
        let live = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tags(live.tags())))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &Self::Inputs) -> Result<Recovered, ProviderError> {
        let Some(arn) = self.find(ctx, &inputs.url).await? else {
            return Ok(Recovered::Absent);
        };
        Ok(match self.get(ctx, &arn).await? {
            Some(live) => ownership(ctx, &from_tags(live.tags())).recovered(arn),
            None => Recovered::Absent,
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let answer = call(ctx, "iam", "ListOpenIDConnectProviders", Repeat::Safe, || {
            self.iam.list_open_id_connect_providers().send()
        })
        .await?;
        let mut found = Vec::new();
        for arn in answer.open_id_connect_provider_list().iter().filter_map(|entry| entry.arn()) {
            if let Some(live) = self.get(ctx, arn).await? {
                found.extend(discovered(ctx, Self::TYPE, arn, &from_tags(live.tags())));
            }
        }
        Ok(Some(found))
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rayplat_engine::error::ErrorClass;
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::scripted::{Answer, NONCE, Scripted, ctx, owner_tags};

    const ARN: &str = "arn:aws:iam::1:oidc-provider/issuer.example/id/AB12";

    fn inputs(thumbprints: Option<&[&str]>) -> OidcProviderInputs {
        OidcProviderInputs {
            url: "https://issuer.example/id/AB12".into(),
            client_ids: vec!["sts.amazonaws.com".into()],
            thumbprints: thumbprints.map(|list| list.iter().map(|item| (*item).to_owned()).collect()),
            tags: Tags::new(),
        }
    }

    fn current(thumbprints: Option<&[&str]>) -> ProviderCurrent {
        Current { id: ARN.into(), inputs: inputs(thumbprints), outputs: outputs_of(ARN) }
    }

    /// A standing provider with these tags, its thumbprints filled in by AWS.
    fn standing(tags: Value) -> Scripted {
        Scripted::new(move |operation, _| match operation {
            "ListOpenIDConnectProviders" => json!({"OpenIDConnectProviderList": [
                {"Arn": "arn:aws:iam::1:oidc-provider/issuer.example/id/AB1"}, {"Arn": ARN},
            ]})
            .into(),
            "GetOpenIDConnectProvider" => json!({"Url": "issuer.example/id/AB12", "Tags": tags,
                "ClientIDList": ["sts.amazonaws.com"], "ThumbprintList": ["aa11"]})
            .into(),
            "CreateOpenIDConnectProvider" => json!({"OpenIDConnectProviderArn": ARN}).into(),
            _ => json!({}).into(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn thumbprints_left_to_aws_are_neither_sent_nor_seen() {
        let services = standing(json!([]));
        let kind = OidcProvider::new(&services.clients());
        let ctx = ctx(OidcProvider::TYPE, None);
        kind.create(&ctx, &inputs(None)).await.unwrap();
        assert!(services.params("CreateOpenIDConnectProvider")[0].get("ThumbprintList").is_none());
        assert_eq!(kind.read(&ctx, &current(None)).await.unwrap().unwrap().inputs, inputs(None));
        // From ours to AWS's: nothing is to be done.
        kind.update(&ctx, &current(Some(&["aa11"])), &inputs(None)).await.unwrap();
        assert_eq!(services.params("UpdateOpenIDConnectProviderThumbprint"), Vec::<Value>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn thumbprints_of_ours_are_kept() {
        let services = standing(json!([]));
        let kind = OidcProvider::new(&services.clients());
        let ctx = ctx(OidcProvider::TYPE, None);
        // The live list differs from the prior one: drift is seen.
        let observed = kind.read(&ctx, &current(Some(&["bb22"]))).await.unwrap().unwrap();
        assert_eq!(observed.inputs, inputs(Some(&["aa11"])));
        assert_eq!(kind.read(&ctx, &current(Some(&["AA11"]))).await.unwrap().unwrap().inputs, inputs(Some(&["AA11"])));
        kind.update(&ctx, &current(None), &inputs(Some(&["bb22"]))).await.unwrap();
        let sent = services.params("UpdateOpenIDConnectProviderThumbprint").remove(0);
        assert_eq!(sent["ThumbprintList"], json!(["bb22"]));
    }

    #[tokio::test(start_paused = true)]
    async fn whose_a_provider_is() {
        let tags = |nonce: &str| owner_tags(OidcProvider::TYPE, nonce, "Key", "Value");
        let cases = [
            (tags(NONCE), Recovered::Mine(ARN.into())),
            (tags("another"), Recovered::OfThisStack(ARN.into())),
            (json!([]), Recovered::Foreign(ARN.into())),
        ];
        for (tags, expected) in cases {
            let kind = OidcProvider::new(&standing(tags).clients());
            assert_eq!(kind.recover(&ctx(OidcProvider::TYPE, None), &inputs(None)).await, Ok(expected));
        }
        let services = standing(json!([]));
        let other = OidcProviderInputs { url: "https://other.example".into(), ..inputs(None) };
        let kind = OidcProvider::new(&services.clients());
        assert_eq!(kind.recover(&ctx(OidcProvider::TYPE, None), &other).await, Ok(Recovered::Absent));
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_exists_is_reported_as_such() {
        let services =
            Scripted::new(|_, _| Answer::refused(409, "EntityAlreadyExists", "Provider with url x already exists."));
        let kind = OidcProvider::new(&services.clients());
        let error = kind.create(&ctx(OidcProvider::TYPE, None), &inputs(None)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::AlreadyExists);
    }

    #[tokio::test(start_paused = true)]
    async fn audiences_are_added_before_others_are_removed() {
        let services = standing(json!([]));
        let kind = OidcProvider::new(&services.clients());
        let to = OidcProviderInputs { client_ids: vec!["new".into()], ..inputs(None) };
        kind.update(&ctx(OidcProvider::TYPE, None), &current(None), &to).await.unwrap();
        assert_eq!(
            services.operations(),
            ["AddClientIDToOpenIDConnectProvider", "RemoveClientIDFromOpenIDConnectProvider"]
        );
    }

    #[test]
    fn an_arn_is_of_the_whole_issuer() {
        let arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/AB12";
        assert!(is_of(arn, &"https://oidc.eks.us-east-1.amazonaws.com/id/AB12".into()));
        assert!(is_of(arn, &"https://oidc.eks.us-east-1.amazonaws.com/id/AB12/".into()));
        assert!(!is_of(arn, &"https://oidc.eks.us-east-1.amazonaws.com/id/AB1".into()));
        assert!(!is_of(arn, &"https://eks.us-east-1.amazonaws.com/id/AB12".into()));
    }

    #[test]
    fn order_and_case_are_no_change() {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        assert_eq!(keep_if_same(&list(&["AB", "c"]), &list(&["C", "ab"])), list(&["AB", "c"]));
        assert_eq!(keep_if_same(&list(&["a"]), &list(&["a", "b"])), list(&["a", "b"]));
    }
}
