//! Which resource of ours each object of the module stands for, and by what id.

use std::collections::BTreeSet;

use rayplat_engine::urn::Urn;

use super::{FileError, TfObject, TfState};

/// What becomes of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is adopted as this resource, by this id.
    Adopt {
        /// The resource.
        urn: Urn,
        /// Its id in the form of its kind.
        id: String,
    },
    /// It stays where it is, unmanaged.
    Left {
        /// Why.
        why: String,
        /// What to do about it, if anything.
        advice: Option<String>,
    },
}

/// One object of the state and its fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Terraform's address.
    pub address: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// The fates of a state's objects, for the platform of that cluster name.
///
/// # Errors
/// The state has no such cluster.
pub fn adoptions(state: &TfState, cluster: &str) -> Result<Vec<Adoption>, FileError> {
    let roles = Roles::of(state, cluster)?;
    let mut taken = BTreeSet::new();
    let mut fate = |object: &TfObject| match roles.fate(object) {
        Fate::Adopt { urn, .. } if !taken.insert(urn.clone()) => {
            left(&format!("another object of this state is adopted as {urn} already"), "")
        }
        fate => fate,
    };
    Ok(state.objects.iter().map(|object| Adoption { address: object.address.clone(), fate: fate(object) }).collect())
}

fn left(why: &str, advice: &str) -> Fate {
    Fate::Left { why: why.to_owned(), advice: Some(advice.to_owned()).filter(|advice| !advice.is_empty()) }
}

/// The objects by which others are told: whose role a policy is attached to.
struct Roles<'s> {
    cluster: &'s str,
    module: &'s str,
    cluster_role: Option<&'s str>,
    node_role: Option<&'s str>,
    autoscaler_role: Option<&'s str>,
}

impl<'s> Roles<'s> {
    fn of(state: &'s TfState, cluster: &'s str) -> Result<Self, FileError> {
        let clusters: Vec<&TfObject> =
            state.objects.iter().filter(|object| object.kind == "aws_eks_cluster" && !object.deposed).collect();
        let Some(main) = clusters.iter().find(|object| object.text("name") == Some(cluster)) else {
            let names: Vec<&str> = clusters.iter().filter_map(|object| object.text("name")).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(FileError::new(
                format!("the state has no EKS cluster named {cluster} (it has: {names})"),
                "Give the manifest the cluster's name: it is what the platform is known by.",
            ));
        };
        let module = main.module.as_str();
        let role = |name| {
            let mut found = state.find("aws_iam_role", name).filter(|object| object.module == module);
            found.next().and_then(|object| object.text("name"))
        };
        Ok(Self {
            cluster,
            module,
            cluster_role: role("cluster"),
            node_role: role("node"),
            autoscaler_role: role("cluster_autoscaler"),
        })
    }

    fn fate(&self, object: &TfObject) -> Fate {
        if object.deposed {
            let advice = "Look whether anything uses it, and delete it by hand.";
            return left("Terraform had replaced it and could not delete it", advice);
        }
        if object.kind == "helm_release" {
            return left("Helm has it, not AWS", "`helm list --all-namespaces` shows it; it goes on running as it is.");
        }
        if object.module != self.module {
            return outside(object);
        }
        let (kind, name, id) = match (object.kind.as_str(), object.name.as_str()) {
            ("aws_eks_cluster", "main") => ("aws:eks:Cluster", "main", object.text("name")),
            ("aws_cloudwatch_log_group", "cluster") => ("aws:logs:LogGroup", "cluster", object.text("name")),
            ("aws_kms_key", "eks") => ("aws:kms:Key", "platform", object.text("key_id").or(object.text("id"))),
            ("aws_kms_alias", "eks") => ("aws:kms:Alias", "platform", object.text("name")),
            ("aws_iam_role", "cluster") => ("aws:iam:Role", "cluster", object.text("name")),
            ("aws_iam_role", "node") => ("aws:iam:Role", "node", object.text("name")),
            ("aws_iam_role", "cluster_autoscaler") => ("aws:iam:Role", "cluster-autoscaler", object.text("name")),
            ("aws_security_group", "node") => ("aws:ec2:SecurityGroup", "node", object.text("id")),
            ("aws_security_group_rule", "node_ingress_self") => {
                ("aws:ec2:SecurityGroupRule", "node-members", object.text("security_group_rule_id"))
            }
            ("aws_launch_template", "cpu_workers") => ("aws:ec2:LaunchTemplate", "cpu", object.text("id")),
            ("aws_launch_template", "gpu_workers") => ("aws:ec2:LaunchTemplate", "gpu", object.text("id")),
            ("aws_iam_openid_connect_provider", "cluster_managed" | "cluster_unmanaged") => {
                ("aws:iam:OpenIdConnectProvider", "cluster", object.text("arn"))
            }
            ("aws_iam_role_policy_attachment", _) => return self.attachment(object),
            ("aws_eks_node_group", name) => return self.node_group(object, name),
            ("aws_eks_addon", _) => return self.addon(object),
            ("aws_iam_policy", "cluster_autoscaler") => {
                return left(
                    "the autoscaler's role goes on using it, unmanaged",
                    "Remove autoscaler.policy_arn from the manifest and rayplat writes a policy of its own; then delete this one.",
                );
            }
            _ => return outside(object),
        };
        adopt(kind, name, id.map(str::to_owned))
    }

    fn attachment(&self, object: &TfObject) -> Fate {
        let (Some(role), Some(policy)) = (object.text("role"), object.text("policy_arn")) else {
            return adopt("aws:iam:RolePolicyAttachment", "", None);
        };
        let whose =
            [(self.cluster_role, "cluster"), (self.node_role, "node"), (self.autoscaler_role, "cluster-autoscaler")];
        let Some((_, owner)) = whose.iter().find(|(name, _)| *name == Some(role)) else {
            return left(&format!("its role {role} is none of the platform's"), "");
        };
        // The module's own policy has a name that Terraform chose.
        let short = match *owner {
            "cluster-autoscaler" => "policy",
            _ => policy.rsplit('/').next().unwrap_or(policy),
        };
        adopt("aws:iam:RolePolicyAttachment", &format!("{owner}-{short}"), Some(format!("{role}/{policy}")))
    }

    fn node_group(&self, object: &TfObject, name: &str) -> Fate {
        let pool = match name {
            "cpu_workers" => "cpu",
            "gpu_workers" => "gpu",
            "gpu_ondemand_fallback" => "gpu-fallback",
            _ => {
                let advice = "Add a pool of its instance types to the manifest, then `rayplat import \
                              aws:eks:NodeGroup/POOL CLUSTER/GROUP` adopts it.";
                return left("it is none of the module's node groups", advice);
            }
        };
        let id = object.text("node_group_name").map(|name| format!("{}/{name}", self.cluster));
        adopt("aws:eks:NodeGroup", pool, id)
    }

    fn addon(&self, object: &TfObject) -> Fate {
        let name = object.text("addon_name").or(object.index.as_deref());
        adopt("aws:eks:Addon", name.unwrap_or_default(), name.map(|name| format!("{}/{name}", self.cluster)))
    }
}

/// What the module has outside of its own folder, or has no counterpart.
fn outside(object: &TfObject) -> Fate {
    match object.kind.as_str() {
        "aws_vpc"
        | "aws_subnet"
        | "aws_internet_gateway"
        | "aws_nat_gateway"
        | "aws_eip"
        | "aws_route_table"
        | "aws_route"
        | "aws_route_table_association"
        | "aws_default_route_table"
        | "aws_default_network_acl"
        | "aws_default_security_group" => left(
            "the network stays what the manifest names",
            "Keep it with Terraform (a state of its own), or by hand: rayplat neither changes nor deletes it.",
        ),
        kind if kind.starts_with("aws_s3_") => left(
            "the backups' bucket stays as it is",
            "Nothing of rayplat writes to it; keep it as long as its backups are needed.",
        ),
        "aws_iam_role" | "aws_iam_role_policy" | "aws_kms_key" | "aws_kms_alias" if velero(object) => {
            left("it belongs to the backups, which go on as they are", "Remove it when Velero is no longer used.")
        }
        _ => left("rayplat has no counterpart of it", "It stays as it is: keep it with Terraform, or by hand."),
    }
}

fn velero(object: &TfObject) -> bool {
    object.name.contains("velero")
}

fn adopt(kind: &str, name: &str, id: Option<String>) -> Fate {
    match (Urn::new(kind, name), id) {
        (Ok(urn), Some(id)) => Fate::Adopt { urn, id },
        (_, None) => left(
            "the state does not say what its id is",
            "Run `terraform apply -refresh-only` with a newer AWS provider, or import it by hand: `rayplat import ADDRESS ID`.",
        ),
        (Err(error), _) => left(&error.to_string(), ""),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn state(resources: &serde_json::Value) -> TfState {
        TfState::parse(json!({"version": 4, "resources": resources}).to_string().as_bytes()).unwrap()
    }

    fn resource(module: &str, kind: &str, name: &str, attributes: serde_json::Value) -> serde_json::Value {
        json!({"module": module, "mode": "managed", "type": kind, "name": name, "instances": [{"attributes": attributes}]})
    }

    #[test]
    fn of_two_clusters_only_the_named_one_is_adopted() {
        let both = json!([
            resource("module.a", "aws_eks_cluster", "main", json!({"name": "a"})),
            resource("module.b", "aws_eks_cluster", "main", json!({"name": "b"})),
            resource("module.a", "aws_security_group", "node", json!({"id": "sg-a"})),
            resource("module.b", "aws_security_group", "node", json!({"id": "sg-b"})),
        ]);
        let found = adoptions(&state(&both), "b").unwrap();
        let ids: Vec<_> = found
            .iter()
            .filter_map(|adoption| match &adoption.fate {
                Fate::Adopt { id, .. } => Some(id.as_str()),
                Fate::Left { .. } => None,
            })
            .collect();
        assert_eq!(ids, ["b", "sg-b"]);
        let error = adoptions(&state(&both), "c").unwrap_err();
        assert!(error.to_string().contains("no EKS cluster named c (it has: a, b)"));
    }

    #[test]
    fn what_has_no_place_says_why() {
        let odd = json!([
            resource("", "aws_eks_cluster", "main", json!({"name": "ray"})),
            resource("", "aws_iam_role", "node", json!({"name": "ray-node-1"})),
            resource("", "aws_iam_role_policy_attachment", "x", json!({"role": "other", "policy_arn": "arn:p/X"})),
            resource(
                "",
                "aws_iam_role_policy_attachment",
                "y",
                json!({"role": "ray-node-1", "policy_arn": "arn:p/service-role/Y"})
            ),
            resource("", "aws_security_group_rule", "node_ingress_self", json!({"id": "sgrule-1"})),
            resource("", "aws_eks_node_group", "mine", json!({"node_group_name": "mine"})),
            resource("", "helm_release", "velero", json!({})),
            resource("module.vpc", "aws_vpc", "this", json!({"id": "vpc-1"})),
            resource("", "aws_s3_bucket", "velero_backups", json!({})),
            resource("", "aws_kms_key", "velero", json!({})),
            resource("", "aws_sqs_queue", "q", json!({})),
        ]);
        let told: Vec<String> = adoptions(&state(&odd), "ray")
            .unwrap()
            .into_iter()
            .map(|adoption| match adoption.fate {
                Fate::Adopt { urn, id } => format!("{urn} {id}"),
                Fate::Left { why, .. } => why,
            })
            .collect();
        let expected = [
            "aws:eks:Cluster/main ray",
            "aws:iam:Role/node ray-node-1",
            "its role other is none of the platform's",
            "aws:iam:RolePolicyAttachment/node-Y ray-node-1/arn:p/service-role/Y",
            "the state does not say what its id is",
            "it is none of the module's node groups",
            "Helm has it, not AWS",
            "the network stays what the manifest names",
            "the backups' bucket stays as it is",
            "it belongs to the backups, which go on as they are",
            "rayplat has no counterpart of it",
        ];
        assert_eq!(told, expected);
    }
}
