//! What other people made in a cluster and what it comes to in the account.

use std::collections::{BTreeMap, BTreeSet};

use rayplat_engine::{context::Ctx, error::ProviderError};
use serde_json::Value;

use super::{
    super::{ClusterAccess, Kubernetes, gvk::Reference, marks},
    Volume,
};

/// More owners than any object has above it.
const DEPTH: usize = 8;

/// The finalizers of AWS's load balancer controller on Ingresses, by their end.
/// Source: kubernetes-sigs/aws-load-balancer-controller, `pkg/ingress/finalizer.go`.
const INGRESS_FINALIZERS: [&str; 2] = ["ingress.k8s.aws/resources", "group.ingress.k8s.aws/"];

/// An object and where it is.
pub(super) type Thing = (Reference, Value);

/// A volume that goes with its claim, and the claim that somebody else made.
pub(super) struct Held {
    pub volume: Volume,
    /// The PersistentVolume.
    pub standing: Thing,
    pub claim: Thing,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// Services and Ingresses with a load balancer that are no resources of ours.
    pub exposed: Vec<Thing>,
    pub held: Vec<Held>,
    /// Volumes that stay, whatever becomes of their claims.
    pub kept: Vec<Volume>,
    /// Volumes and claims that are about to go by themselves.
    pub going: Vec<String>,
}

/// Looks into a cluster.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub kubernetes: &'a Kubernetes,
    pub ctx: &'a Ctx,
    pub cluster: &'a ClusterAccess,
}

/// Who is behind an object.
enum Owner {
    Nobody,
    Gone,
    Standing(Thing),
}

impl Look<'_> {
    /// Everything that outlives the cluster unless somebody sees to it.
    pub async fn everything(&self) -> Result<Found, ProviderError> {
        let mut found = Found::default();
        for thing in self.list("v1", "Service").await? {
            if thing.1["spec"]["type"] == "LoadBalancer" && !marks::of_stack(self.ctx, &thing.1) {
                found.exposed.push(thing);
            }
        }
        for thing in self.list("networking.k8s.io/v1", "Ingress").await? {
            if has_balancer(&thing.1) && !marks::of_stack(self.ctx, &thing.1) {
                found.exposed.push(thing);
            }
        }
        self.volumes(&mut found).await?;
        Ok(found)
    }

    async fn volumes(&self, found: &mut Found) -> Result<(), ProviderError> {
        let claims = self.list("v1", "PersistentVolumeClaim").await?;
        let mut claims: BTreeMap<String, Thing> =
            claims.into_iter().map(|thing| (text(&thing.1, "/metadata/uid").to_owned(), thing)).collect();
        for standing in self.list("v1", "PersistentVolume").await? {
            let live = &standing.1;
            let volume = volume(live);
            let claim = claims.remove(text(live, "/spec/claimRef/uid"));
            match claim {
                // Nobody has claimed it.
                _ if live.pointer("/spec/claimRef").is_none_or(Value::is_null) => {}
                _ if volume.stays => found.kept.push(volume),
                None => found.going.push(format!("volume {volume} is {}", text(live, "/status/phase"))),
                Some(claim) if marks::of_stack(self.ctx, &claim.1) => {}
                Some(claim) => match self.owner(&claim.1).await? {
                    Owner::Gone => found.going.push(format!("{} goes with its owner", claim.0)),
                    Owner::Nobody => found.held.push(Held { volume, standing, claim }),
                    Owner::Standing(owner) => {
                        let top = self.topmost(owner).await?;
                        if !marks::of_stack(self.ctx, &top.1) {
                            found.held.push(Held { volume, standing, claim });
                        }
                    }
                },
            }
        }
        Ok(())
    }

    /// Every object of a kind. In a list they do not say what they are.
    pub async fn list(&self, api_version: &str, kind: &str) -> Result<Vec<Thing>, ProviderError> {
        let found = self.kubernetes.list(self.ctx, self.cluster, (api_version, kind), None, "").await?;
        let namespace = |live: &Value| Some(text(live, "/metadata/namespace").to_owned()).filter(|it| !it.is_empty());
        let of = |live: &Value| Reference {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace(live),
            name: text(live, "/metadata/name").to_owned(),
        };
        Ok(found.into_iter().map(|live| (of(&live), live)).collect())
    }

    async fn owner(&self, live: &Value) -> Result<Owner, ProviderError> {
        let owners = live.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let owners = owners.map(Vec::as_slice).unwrap_or_default();
        let owner = owners.iter().find(|owner| owner["controller"] == true).or(owners.first());
        // A node "owns" the pods that its kubelet reads from files.
        let Some(owner) = owner.filter(|owner| owner["kind"] != "Node") else { return Ok(Owner::Nobody) };
        let of = Reference {
            api_version: text(owner, "/apiVersion").to_owned(),
            kind: text(owner, "/kind").to_owned(),
            namespace: Some(text(live, "/metadata/namespace").to_owned()).filter(|it| !it.is_empty()),
            name: text(owner, "/name").to_owned(),
        };
        let found = self.kubernetes.get(self.ctx, self.cluster, &of).await?;
        // Another one of its name is not it.
        let found = found.filter(|found| found["metadata"]["uid"] == owner["uid"]);
        Ok(found.map_or(Owner::Gone, |found| Owner::Standing((of, found))))
    }

    /// What makes an object again when only the object is deleted: its controller, and the
    /// controller of that.
    pub async fn topmost(&self, thing: Thing) -> Result<Thing, ProviderError> {
        let mut top = thing;
        for _ in 0..DEPTH {
            match self.owner(&top.1).await? {
                Owner::Standing(owner) => top = owner,
                Owner::Nobody | Owner::Gone => break,
            }
        }
        Ok(top)
    }
}

impl Found {
    /// The names of the load balancers, as their network interfaces say them.
    pub fn balancers(&self) -> BTreeSet<String> {
        let names = |(of, live): &Thing| {
            let hosts = hosts(live).into_iter().filter_map(balancer_of);
            let by_uid = (of.kind == "Service").then(|| balancer_by_uid(text(live, "/metadata/uid")));
            hosts.chain(by_uid).collect::<Vec<_>>()
        };
        self.exposed.iter().flat_map(names).collect()
    }
}

/// `Service team/web with the load balancer HOST`
pub(super) fn exposed_as((of, live): &Thing) -> String {
    let hosts = hosts(live);
    if hosts.is_empty() {
        format!("{of} with its load balancer")
    } else {
        format!("{of} with the load balancer {}", hosts.join(", "))
    }
}

/// Whether something uses a claim: the kubelets hold on to it for pods that have a node.
/// Source: kubernetes/kubernetes, `pkg/controller/volume/pvcprotection`.
pub(super) fn uses(pod: &Value, claim: &Reference) -> bool {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    let mut claims = volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName"));
    !text(pod, "/spec/nodeName").is_empty()
        && Some(text(pod, "/metadata/namespace")) == claim.namespace.as_deref()
        && claims.any(|name| *name == claim.name.as_str())
}

fn text<'a>(live: &'a Value, pointer: &str) -> &'a str {
    live.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn volume(live: &Value) -> Volume {
    // The names of in-tree volumes and those of drivers.
    let places = ["/spec/csi/volumeHandle", "/spec/awsElasticBlockStore/volumeID", "/metadata/name"];
    let id = places.into_iter().map(|place| text(live, place)).find(|id| !id.is_empty()).unwrap_or_default();
    Volume {
        id: id.rsplit('/').next().unwrap_or_default().to_owned(),
        claim: format!("{}/{}", text(live, "/spec/claimRef/namespace"), text(live, "/spec/claimRef/name")),
        size: text(live, "/spec/capacity/storage").to_owned(),
        stays: text(live, "/spec/persistentVolumeReclaimPolicy") != "Delete",
    }
}

fn hosts(live: &Value) -> Vec<&str> {
    let points = live.pointer("/status/loadBalancer/ingress").and_then(Value::as_array).into_iter().flatten();
    points.filter_map(|point| point["hostname"].as_str()).collect()
}

/// An Ingress may be served by somebody's proxy behind a Service: that is not AWS's to end.
fn has_balancer(ingress: &Value) -> bool {
    let finalizers = ingress.pointer("/metadata/finalizers").and_then(Value::as_array).into_iter().flatten();
    let mut finalizers = finalizers.filter_map(Value::as_str);
    finalizers.any(|finalizer| INGRESS_FINALIZERS.iter().any(|one| finalizer.starts_with(one)))
        || hosts(ingress).into_iter().any(|host| balancer_of(host).is_some())
}

/// The name of a load balancer whose DNS name this is: `[internal-]NAME-ID.REGION.elb.amazonaws.com`,
/// of network load balancers `NAME-ID.elb.REGION.amazonaws.com`.
/// Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html>
fn balancer_of(host: &str) -> Option<String> {
    if !host.contains(".elb.") || !(host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")) {
        return None;
    }
    let host = host.strip_prefix("dualstack.").unwrap_or(host);
    let host = host.strip_prefix("internal-").unwrap_or(host);
    let (name, _) = host.split('.').next()?.rsplit_once('-')?;
    Some(name.to_owned())
}

/// The name that the controller inside EKS's control plane gives a Service's load balancer.
/// Source: kubernetes/cloud-provider, `DefaultLoadBalancerName`.
fn balancer_by_uid(uid: &str) -> String {
    format!("a{}", uid.replace('-', "")).chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn load_balancers_by_their_hosts() {
        for (host, name) in [
            ("a0b1c2-1234567890.us-east-1.elb.amazonaws.com", Some("a0b1c2")),
            ("internal-a0b1c2-1234567890.us-east-1.elb.amazonaws.com", Some("a0b1c2")),
            ("k8s-team-web-8a9b0c1d2e-0123456789abcdef.elb.us-east-1.amazonaws.com", Some("k8s-team-web-8a9b0c1d2e")),
            ("k8s-team-web-8a9b0c1d2e-12345.elb.cn-north-1.amazonaws.com.cn", Some("k8s-team-web-8a9b0c1d2e")),
            ("web.example.com", None),
            ("evil.elb.example.com", None),
        ] {
            assert_eq!(balancer_of(host).as_deref(), name, "{host}");
        }
        assert_eq!(balancer_by_uid("3f2504e0-4f89-41d3-9a0c-0305e82c3301"), "a3f2504e04f8941d39a0c0305e82c330");
    }

    #[test]
    fn an_ingress_counts_if_aws_serves_it() {
        let at = |host: &str| json!({"status": {"loadBalancer": {"ingress": [{"hostname": host}]}}});
        assert!(has_balancer(&at("k8s-x-1.us-east-1.elb.amazonaws.com")));
        assert!(!has_balancer(&at("proxy.example.com")));
        assert!(has_balancer(&json!({"metadata": {"finalizers": ["group.ingress.k8s.aws/shared"]}})));
        assert!(!has_balancer(&json!({"metadata": {"finalizers": ["example.com/x"]}})));
    }

    #[test]
    fn a_claim_is_used_by_pods_that_have_a_node() {
        let claim = Reference {
            api_version: "v1".to_owned(),
            kind: "PersistentVolumeClaim".to_owned(),
            namespace: Some("team".to_owned()),
            name: "data".to_owned(),
        };
        let pod = |namespace: &str, node: &str, name: &str| {
            json!({"metadata": {"namespace": namespace}, "spec": {"nodeName": node, "volumes": [
                {"emptyDir": {}}, {"persistentVolumeClaim": {"claimName": name}},
            ]}})
        };
        assert!(uses(&pod("team", "node-1", "data"), &claim));
        for other in [pod("team", "", "data"), pod("other", "node-1", "data"), pod("team", "node-1", "logs")] {
            assert!(!uses(&other, &claim), "{other}");
        }
    }

    #[test]
    fn volumes_by_the_name_of_their_driver() {
        let live = json!({
            "metadata": {"name": "pvc-1"},
            "spec": {
                "capacity": {"storage": "20Gi"}, "persistentVolumeReclaimPolicy": "Delete",
                "claimRef": {"namespace": "team", "name": "data"}, "csi": {"volumeHandle": "vol-0a"},
            },
        });
        assert_eq!(volume(&live).to_string(), "vol-0a (20Gi, claim team/data)");
        let in_tree = json!({"spec": {"awsElasticBlockStore": {"volumeID": "aws://us-east-1a/vol-0b"}}});
        assert_eq!((volume(&in_tree).id.as_str(), volume(&in_tree).stays), ("vol-0b", true));
    }
}
