//! Access entries, with their access policies.
//! API: <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html>

use aws_sdk_eks::{
    Client,
    types::{self, AccessScope, AccessScopeType},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
    inputs, outputs,
    provider::{Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered, ReplaceOrder},
};
use serde::{Deserialize, Serialize};

use super::{
    Clients, ClusterName, Tags, all_tags, call, discovered,
    eks::{from_tag_map, retag, split, tag_map},
    eks_lists::{clusters_of_stack, principals},
    found, gone_is_ok, marks, ownership, unexpected, users_tags, vanished,
};

/// An access policy and where it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// `arn:aws:eks::aws:cluster-access-policy/...`.
    pub policy_arn: String,
    /// Namespaces; empty for the whole cluster.
    pub namespaces: Vec<String>,
}

inputs! {
    /// An access entry.
    pub struct AccessEntryInputs, AccessEntryArgs {
        /// The cluster.
        pub cluster: ClusterName,
        /// An IAM user's or role's ARN with its path; no session.
        pub principal_arn: String,
        /// Kubernetes groups, for RBAC of the cluster's own.
        pub kubernetes_groups: Vec<String>,
        /// EKS's access policies.
        pub policies: Vec<AccessPolicy>,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// An access entry.
    pub struct AccessEntryOutputs, AccessEntryRefs {
        /// Its ARN.
        pub arn: String,
    }
}

/// The kind.
pub struct AccessEntry {
    eks: Client,
}

impl AccessEntry {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { eks: clients.eks.clone() }
    }

    async fn get(
        &self,
        ctx: &Ctx,
        cluster: &str,
        principal: &str,
    ) -> Result<Option<types::AccessEntry>, ProviderError> {
        let answer = call(ctx, "eks", "DescribeAccessEntry", Repeat::Safe, || {
            self.eks.describe_access_entry().cluster_name(cluster).principal_arn(principal).send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.access_entry))
    }

    async fn associated(&self, ctx: &Ctx, cluster: &str, principal: &str) -> Result<Vec<AccessPolicy>, ProviderError> {
        let (mut policies, mut token) = (Vec::new(), None::<String>);
        loop {
            let page = call(ctx, "eks", "ListAssociatedAccessPolicies", Repeat::Safe, || {
                let request = self.eks.list_associated_access_policies().cluster_name(cluster);
                request.principal_arn(principal).set_next_token(token.clone()).send()
            })
            .await?;
            policies.extend(page.associated_access_policies().iter().map(|policy| AccessPolicy {
                policy_arn: policy.policy_arn().unwrap_or_default().to_owned(),
                namespaces: policy.access_scope().map(|scope| scope.namespaces().to_vec()).unwrap_or_default(),
            }));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                policies.sort();
                return Ok(policies);
            }
        }
    }

    /// Associating again with another scope changes the scope: safe to repeat.
    async fn associate(
        &self,
        ctx: &Ctx,
        inputs: &AccessEntryInputs,
        old: &[AccessPolicy],
    ) -> Result<(), ProviderError> {
        let (cluster, principal) = (inputs.cluster.as_str(), inputs.principal_arn.as_str());
        for policy in inputs.policies.iter().filter(|policy| !old.contains(policy)) {
            let scope = if policy.namespaces.is_empty() {
                AccessScope::builder().r#type(AccessScopeType::Cluster).build()
            } else {
                let scope = AccessScope::builder().r#type(AccessScopeType::Namespace);
                scope.set_namespaces(Some(policy.namespaces.clone())).build()
            };
            call(ctx, "eks", "AssociateAccessPolicy", Repeat::Safe, || {
                let request = self.eks.associate_access_policy().cluster_name(cluster).principal_arn(principal);
                request.policy_arn(&policy.policy_arn).access_scope(scope.clone()).send()
            })
            .await?;
        }
        let kept = |arn: &str| inputs.policies.iter().any(|policy| policy.policy_arn == arn);
        for policy in old.iter().filter(|policy| !kept(&policy.policy_arn)) {
            let gone = call(ctx, "eks", "DisassociateAccessPolicy", Repeat::Safe, || {
                let request = self.eks.disassociate_access_policy().cluster_name(cluster);
                request.principal_arn(principal).policy_arn(&policy.policy_arn).send()
            });
            gone_is_ok(gone.await)?;
        }
        Ok(())
    }
}

impl Provider for AccessEntry {
    type Inputs = AccessEntryInputs;
    type Outputs = AccessEntryOutputs;

    const TYPE: &'static str = "aws:eks:AccessEntry";
    const REPLACE_ON: &'static [&'static str] = &["cluster", "principal_arn"];
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;

    async fn create(
        &self,
        ctx: &Ctx,
        inputs: &AccessEntryInputs,
    ) -> Result<Created<AccessEntryOutputs>, ProviderError> {
        let (cluster, principal) = (inputs.cluster.as_str(), inputs.principal_arn.as_str());
        let id = format!("{cluster}/{principal}");
        let wanted = all_tags(ctx, &inputs.tags);
        let (entry, old) = if ctx.resume().is_some() {
            let entry = self.get(ctx, cluster, principal).await?.ok_or_else(|| vanished(&id))?;
            let old = from_tag_map(entry.tags());
            retag(ctx, &self.eks, entry.access_entry_arn().unwrap_or_default(), &old, &wanted).await?;
            (entry, self.associated(ctx, cluster, principal).await?)
        } else {
            let (token, tags) = (ctx.token("CreateAccessEntry"), tag_map(&wanted));
            let answer = call(ctx, "eks", "CreateAccessEntry", Repeat::Safe, || {
                let request = self.eks.create_access_entry().cluster_name(cluster).principal_arn(principal);
                request
                    .set_kubernetes_groups(Some(inputs.kubernetes_groups.clone()))
                    .set_tags(Some(tags.clone()))
                    .client_request_token(&token)
                    .send()
            })
            .await?;
            ctx.progress(&id);
            (answer.access_entry.ok_or_else(|| unexpected("CreateAccessEntry", "access entry"))?, Vec::new())
        };
        self.associate(ctx, inputs, &old).await?;
        let arn = entry.access_entry_arn().unwrap_or_default().to_owned();
        Ok(Created { id, outputs: AccessEntryOutputs { arn } })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<AccessEntryInputs, AccessEntryOutputs>,
    ) -> Reading<AccessEntryInputs, AccessEntryOutputs> {
        let (cluster, principal) = split(&current.id);
        let Some(entry) = self.get(ctx, cluster, principal).await? else { return Ok(None) };
        let mut policies = self.associated(ctx, cluster, principal).await?;
        let mut prior = current.inputs.policies.clone();
        prior.sort();
        if policies == prior {
            policies.clone_from(&current.inputs.policies);
        }
        Ok(Some(Observed {
            inputs: AccessEntryInputs {
                cluster: cluster.into(),
                principal_arn: principal.to_owned(),
                kubernetes_groups: entry.kubernetes_groups().to_vec(),
                policies,
                tags: users_tags(&from_tag_map(entry.tags())),
            },
            outputs: AccessEntryOutputs { arn: entry.access_entry_arn().unwrap_or_default().to_owned() },
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<AccessEntryInputs, AccessEntryOutputs>,
        to: &AccessEntryInputs,
    ) -> Result<AccessEntryOutputs, ProviderError> {
        let from = &current.inputs;
        if from.kubernetes_groups != to.kubernetes_groups {
            let token = ctx.token(&format!("groups {:?}", to.kubernetes_groups));
            call(ctx, "eks", "UpdateAccessEntry", Repeat::Safe, || {
                let request = self.eks.update_access_entry().cluster_name(to.cluster.as_str());
                request
                    .principal_arn(&to.principal_arn)
                    .set_kubernetes_groups(Some(to.kubernetes_groups.clone()))
                    .client_request_token(&token)
                    .send()
            })
            .await?;
        }
        self.associate(ctx, to, &from.policies).await?;
        if from.tags != to.tags {
            retag(ctx, &self.eks, &current.outputs.arn, &from.tags, &to.tags).await?;
        }
        Ok(current.outputs.clone())
    }

    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<AccessEntryInputs, AccessEntryOutputs>,
    ) -> Result<(), ProviderError> {
        let (cluster, principal) = split(&current.id);
        gone_is_ok(
            call(ctx, "eks", "DeleteAccessEntry", Repeat::Safe, || {
                self.eks.delete_access_entry().cluster_name(cluster).principal_arn(principal).send()
            })
            .await,
        )
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<AccessEntryInputs, AccessEntryOutputs>,
    ) -> Result<Marks, ProviderError> {
        let (cluster, principal) = split(&current.id);
        let entry = self.get(ctx, cluster, principal).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tag_map(entry.tags())))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &AccessEntryInputs) -> Result<Recovered, ProviderError> {
        let (cluster, principal) = (inputs.cluster.as_str(), inputs.principal_arn.as_str());
        Ok(match self.get(ctx, cluster, principal).await? {
            Some(entry) => match ownership(ctx, &from_tag_map(entry.tags())) {
                super::Ownership::Foreign => {
                    Recovered::Foreign(format!("an access entry of {principal} in cluster {cluster}"))
                }
                whose => whose.recovered(format!("{cluster}/{principal}")),
            },
            None => Recovered::Absent,
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let mut found = Vec::new();
        for cluster in clusters_of_stack(ctx, &self.eks).await? {
            for principal in principals(ctx, &self.eks, &cluster).await? {
                if let Some(entry) = self.get(ctx, &cluster, &principal).await? {
                    let id = format!("{cluster}/{principal}");
                    found.extend(discovered(ctx, Self::TYPE, &id, &from_tag_map(entry.tags())));
                }
            }
        }
        Ok(Some(found))
    }
}
