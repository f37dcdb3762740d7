//! Pod Identity associations: which role the pods of a service account get.
//! API: <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html>

use aws_sdk_eks::{Client, types::PodIdentityAssociation as Association};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
    inputs, outputs,
    plan::diff::{Change, Effect, structural},
    provider::{Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered, ReplaceOrder},
    value::Planned,
};
use serde_json::Value;

use super::{
    Clients, ClusterName, Ownership, RoleArn, Tags, all_tags, call, discovered,
    eks::{from_tag_map, retag, split, tag_map},
    eks_lists::{association_ids, clusters_of_stack},
    found, gone_is_ok, marks, ownership, unexpected, users_tags, vanished,
};

inputs! {
    /// An association. A service account has one at most.
    pub struct PodIdentityAssociationInputs, PodIdentityAssociationArgs {
        /// The cluster; `eks-pod-identity-agent` must run in it.
        pub cluster: ClusterName,
        /// The service account's namespace.
        pub namespace: String,
        /// The service account.
        pub service_account: String,
        /// The role that its pods get; it trusts `pods.eks.amazonaws.com`.
        pub role_arn: RoleArn,
        /// A role, usually of another account, that EKS assumes by way of the first one.
        pub target_role_arn: Option<RoleArn>,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// An association.
    pub struct PodIdentityAssociationOutputs, PodIdentityAssociationRefs {
        /// Its ARN.
        pub arn: String,
        /// `a-...`.
        pub id: String,
    }
}

/// The kind.
pub struct PodIdentityAssociation {
    eks: Client,
}

impl PodIdentityAssociation {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { eks: clients.eks.clone() }
    }

    async fn get(&self, ctx: &Ctx, id: &str) -> Result<Option<Association>, ProviderError> {
        let (cluster, association) = split(id);
        let answer = call(ctx, "eks", "DescribePodIdentityAssociation", Repeat::Safe, || {
            self.eks.describe_pod_identity_association().cluster_name(cluster).association_id(association).send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.association))
    }

    /// The association of a service account: EKS chooses the id, so it is looked for.
    async fn find(
        &self,
        ctx: &Ctx,
        inputs: &PodIdentityAssociationInputs,
    ) -> Result<Option<Association>, ProviderError> {
        let cluster = inputs.cluster.as_str();
        let mut token = None;
        loop {
            let page = call(ctx, "eks", "ListPodIdentityAssociations", Repeat::Safe, || {
                let request = self.eks.list_pod_identity_associations().cluster_name(cluster);
                let request = request.namespace(&inputs.namespace).service_account(&inputs.service_account);
                request.set_next_token(token.clone()).send()
            })
            .await;
            // No cluster, no association.
            let Some(page) = found(page)? else { return Ok(None) };
            if let Some(id) = page.associations().iter().find_map(|association| association.association_id()) {
                // The list has no tags.
                return self.get(ctx, &format!("{cluster}/{id}")).await;
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(None);
            }
        }
    }
}

fn id_of(association: &Association) -> String {
    let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
    format!("{}/{}", part(association.cluster_name()), part(association.association_id()))
}

fn outputs_of(association: &Association) -> PodIdentityAssociationOutputs {
    PodIdentityAssociationOutputs {
        arn: association.association_arn().unwrap_or_default().to_owned(),
        id: association.association_id().unwrap_or_default().to_owned(),
    }
}

impl Provider for PodIdentityAssociation {
    type Inputs = PodIdentityAssociationInputs;
    type Outputs = PodIdentityAssociationOutputs;

    const TYPE: &'static str = "aws:eks:PodIdentityAssociation";
    const REPLACE_ON: &'static [&'static str] = &["cluster", "namespace", "service_account"];
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;

    /// `UpdatePodIdentityAssociation` sets a target role, but has no way to take it off.
    fn diff(&self, old: &Value, new: &Planned) -> Vec<Change> {
        let mut changes = structural(old, new, Self::REPLACE_ON);
        for change in changes.iter_mut().filter(|change| change.path == "target_role_arn" && change.new.is_none()) {
            change.effect = Effect::Replace;
        }
        changes
    }

    async fn create(
        &self,
        ctx: &Ctx,
        inputs: &PodIdentityAssociationInputs,
    ) -> Result<Created<PodIdentityAssociationOutputs>, ProviderError> {
        let wanted = all_tags(ctx, &inputs.tags);
        if let Some(id) = ctx.resume() {
            let association = self.get(ctx, id).await?.ok_or_else(|| vanished(id))?;
            let arn = association.association_arn().unwrap_or_default();
            retag(ctx, &self.eks, arn, &from_tag_map(association.tags()), &wanted).await?;
            return Ok(Created { id: id.to_owned(), outputs: outputs_of(&association) });
        }
        let (token, tags) = (ctx.token("CreatePodIdentityAssociation"), tag_map(&wanted));
        let answer = call(ctx, "eks", "CreatePodIdentityAssociation", Repeat::Safe, || {
            self.eks
                .create_pod_identity_association()
                .cluster_name(inputs.cluster.as_str())
                .namespace(&inputs.namespace)
                .service_account(&inputs.service_account)
                .role_arn(inputs.role_arn.as_str())
                .set_target_role_arn(inputs.target_role_arn.as_ref().map(ToString::to_string))
                .set_tags(Some(tags.clone()))
                .client_request_token(&token)
                .send()
        })
        .await?;
        let association =
            answer.association.ok_or_else(|| unexpected("CreatePodIdentityAssociation", "association"))?;
        let id = id_of(&association);
        ctx.progress(&id);
        Ok(Created { id, outputs: outputs_of(&association) })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<PodIdentityAssociationInputs, PodIdentityAssociationOutputs>,
    ) -> Reading<PodIdentityAssociationInputs, PodIdentityAssociationOutputs> {
        let Some(association) = self.get(ctx, &current.id).await? else { return Ok(None) };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let inputs = PodIdentityAssociationInputs {
            cluster: text(association.cluster_name()).into(),
            namespace: text(association.namespace()),
            service_account: text(association.service_account()),
            role_arn: text(association.role_arn()).into(),
            target_role_arn: association.target_role_arn().map(RoleArn::from),
            tags: users_tags(&from_tag_map(association.tags())),
        };
        Ok(Some(Observed { inputs, outputs: outputs_of(&association) }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<PodIdentityAssociationInputs, PodIdentityAssociationOutputs>,
        to: &PodIdentityAssociationInputs,
    ) -> Result<PodIdentityAssociationOutputs, ProviderError> {
        let from = &current.inputs;
        if from.role_arn != to.role_arn || from.target_role_arn != to.target_role_arn {
            let (cluster, id) = split(&current.id);
            // Every change has a token of its own: going back to a former role is a change too.
            let token = ctx.token(&format!("roles {} {:?} {:?}", ctx.now_ms(), to.role_arn, to.target_role_arn));
            call(ctx, "eks", "UpdatePodIdentityAssociation", Repeat::Safe, || {
                let request = self.eks.update_pod_identity_association().cluster_name(cluster).association_id(id);
                request
                    .role_arn(to.role_arn.as_str())
                    .set_target_role_arn(to.target_role_arn.as_ref().map(ToString::to_string))
                    .client_request_token(&token)
                    .send()
            })
            .await?;
        }
        if from.tags != to.tags {
            retag(ctx, &self.eks, &current.outputs.arn, &from.tags, &to.tags).await?;
        }
        Ok(current.outputs.clone())
    }

    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<PodIdentityAssociationInputs, PodIdentityAssociationOutputs>,
    ) -> Result<(), ProviderError> {
        let (cluster, id) = split(&current.id);
        gone_is_ok(
            call(ctx, "eks", "DeletePodIdentityAssociation", Repeat::Safe, || {
                self.eks.delete_pod_identity_association().cluster_name(cluster).association_id(id).send()
            })
            .await,
        )
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<PodIdentityAssociationInputs, PodIdentityAssociationOutputs>,
    ) -> Result<Marks, ProviderError> {
        let association = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tag_map(association.tags())))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &PodIdentityAssociationInputs) -> Result<Recovered, ProviderError> {
        let association = match ctx.resume() {
            Some(id) => self.get(ctx, id).await?,
            None => self.find(ctx, inputs).await?,
        };
        let Some(association) = association else { return Ok(Recovered::Absent) };
        Ok(match ownership(ctx, &from_tag_map(association.tags())) {
            Ownership::Foreign => Recovered::Foreign(format!(
                "the Pod Identity association of {}/{} in cluster {}",
                inputs.namespace, inputs.service_account, inputs.cluster
            )),
            whose => whose.recovered(id_of(&association)),
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let mut found = Vec::new();
        for cluster in clusters_of_stack(ctx, &self.eks).await? {
            for id in association_ids(ctx, &self.eks, &cluster).await? {
                if let Some(association) = self.get(ctx, &format!("{cluster}/{id}")).await? {
                    let id = id_of(&association);
                    found.extend(discovered(ctx, Self::TYPE, &id, &from_tag_map(association.tags())));
                }
            }
        }
        Ok(Some(found))
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::aws::scripted::{Answer, Scripted, ctx};

    fn inputs(target: Option<&str>) -> PodIdentityAssociationInputs {
        PodIdentityAssociationInputs {
            cluster: "ray".into(),
            namespace: "kube-system".into(),
            service_account: "cluster-autoscaler".into(),
            role_arn: "arn:aws:iam::1:role/a".into(),
            target_role_arn: target.map(RoleArn::from),
            ..PodIdentityAssociationInputs::default()
        }
    }

    #[test]
    fn only_taking_the_target_role_off_needs_a_new_one() {
        let kind = PodIdentityAssociation::new(&Scripted::new(|_, _| json!({}).into()).clients());
        let effects = |old: Option<&str>, new: Option<&str>| -> Vec<Effect> {
            let old = serde_json::to_value(inputs(old)).unwrap();
            let new = Planned::Known(serde_json::to_value(inputs(new)).unwrap());
            kind.diff(&old, &new).into_iter().map(|change| change.effect).collect()
        };
        assert_eq!(effects(None, Some("b")), [Effect::Update]);
        assert_eq!(effects(Some("b"), Some("c")), [Effect::Update]);
        assert_eq!(effects(Some("b"), None), [Effect::Replace]);
        assert_eq!(effects(Some("b"), Some("b")), []);
    }

    #[tokio::test(start_paused = true)]
    async fn an_add_ons_or_anybody_elses_association_is_refused() {
        let services = Scripted::new(|operation, params| match operation {
            "ListPodIdentityAssociations" => {
                assert_eq!(params["serviceAccount"], "cluster-autoscaler");
                match params["nextToken"].as_str() {
                    None => json!({"associations": [], "nextToken": "2"}).into(),
                    Some(_) => json!({"associations": [{"clusterName": "ray", "associationId": "a-1"}]}).into(),
                }
            }
            "DescribePodIdentityAssociation" => {
                json!({"association": {"clusterName": "ray", "associationId": "a-1", "tags": {}}}).into()
            }
            other => panic!("{other}"),
        });
        let kind = PodIdentityAssociation::new(&services.clients());
        let found = kind.recover(&ctx(PodIdentityAssociation::TYPE, None), &inputs(None)).await.unwrap();
        assert!(matches!(found, Recovered::Foreign(what) if what.contains("kube-system/cluster-autoscaler")));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_cluster_there_is_none() {
        let services =
            Scripted::new(|_, _| Answer::refused(404, "ResourceNotFoundException", "No cluster found for name: ray."));
        let kind = PodIdentityAssociation::new(&services.clients());
        let context = ctx(PodIdentityAssociation::TYPE, None);
        assert_eq!(kind.recover(&context, &inputs(None)).await, Ok(Recovered::Absent));
        let current = Current { id: "ray/a-1".into(), inputs: inputs(None), outputs: Default::default() };
        assert_eq!(kind.read(&context, &current).await, Ok(None));
        assert_eq!(kind.delete(&context, &current).await, Ok(()));
    }
}
