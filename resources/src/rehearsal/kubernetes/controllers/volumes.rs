//! Claims and volumes: bound when a pod that uses them has a node, gone with the claim.
//! Source: <https://kubernetes.io/docs/concepts/storage/persistent-volumes/>

use serde_json::{Value, json};

use super::{
    super::{
        super::{Account, ec2},
        base::system,
        delete::release,
        world::{World, is_deleted, meta},
    },
    addon_objects::provisions,
};

/// From a node to a volume, and from a claim's end to the volume's, in seconds.
const MAKE: (f64, f64) = (3.0, 10.0);
const DROP: (f64, f64) = (2.0, 8.0);
/// Holds a claim that a pod uses.
const FINALIZER: &str = "kubernetes.io/pvc-protection";

/// The names of a pod's claims.
fn claims(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
}

/// Are the volumes of a pod there?
pub(super) fn ready(world: &World, pod: &Value) -> bool {
    claims(pod).all(|claim| {
        let claim = world.get("", "persistentvolumeclaims", meta(pod, "namespace"), claim);
        claim.is_some_and(|claim| claim["status"]["phase"] == "Bound")
    })
}

/// The zone of a pod's volumes, if they are in one; or why it cannot have them.
pub(super) fn zone(world: &World, pod: &Value) -> Result<Option<String>, String> {
    let mut zone = None;
    for name in claims(pod) {
        let claim = world.get("", "persistentvolumeclaims", meta(pod, "namespace"), name);
        let claim = claim.ok_or_else(|| format!("persistentvolumeclaim \"{name}\" not found"))?;
        if is_deleted(&claim) {
            return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
        }
        let volume = claim["spec"]["volumeName"].as_str().unwrap_or_default();
        match world.get("", "persistentvolumes", "", volume) {
            Some(volume) => {
                let term = &volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0];
                zone = term["values"][0].as_str().map(str::to_owned).or(zone);
            }
            None if class_of(world, &claim).is_none() => {
                return Err("pod has unbound immediate PersistentVolumeClaims".to_owned());
            }
            None => {}
        }
    }
    Ok(zone)
}

/// The class of a claim, if its volumes can be made here.
fn class_of(world: &World, claim: &Value) -> Option<Value> {
    let name = claim["spec"]["storageClassName"].as_str()?;
    let class = world.get("storage.k8s.io", "storageclasses", "", name)?;
    // The name of old classes means the same driver now.
    let ebs = class["provisioner"] == "ebs.csi.aws.com" || class["provisioner"] == "kubernetes.io/aws-ebs";
    ebs.then(|| (*class).clone())
}

pub(super) fn reconcile(account: &mut Account, world: &mut World) {
    let keys: Vec<String> = world.keyed("", "persistentvolumeclaims", None).map(|(key, _)| key.clone()).collect();
    for key in keys {
        let Some(claim) = world.at(&key) else { continue };
        let users = users(world, &claim);
        if is_deleted(&claim) {
            // A pod without a node does not use it yet, and will not get one any more.
            if users.iter().all(String::is_empty) {
                release(world, &key, FINALIZER);
            }
            continue;
        }
        if claim["status"]["phase"] != "Bound" {
            bind(account, world, &key, &claim, &users);
        }
    }
    let volumes: Vec<String> = world.keyed("", "persistentvolumes", None).map(|(key, _)| key.clone()).collect();
    for key in volumes {
        reclaim(account, world, &key);
    }
}

/// The nodes of the pods that use a claim; empty for one that has none yet.
fn users(world: &World, claim: &Value) -> Vec<String> {
    let pods = world.list("", "pods", Some(meta(claim, "namespace")));
    let using = pods.iter().filter(|pod| claims(pod).any(|name| name == meta(claim, "name")));
    let using = using.filter(|pod| !super::scheduler::is_over(pod));
    using.map(|pod| pod["spec"]["nodeName"].as_str().unwrap_or_default().to_owned()).collect()
}

fn bind(account: &mut Account, world: &mut World, key: &str, claim: &Value, users: &[String]) {
    let Some(class) = class_of(world, claim) else { return };
    let immediate = class["volumeBindingMode"] != "WaitForFirstConsumer";
    let node = users.iter().find(|node| !node.is_empty());
    if node.is_none() && !immediate || !provisions(world) || !world.over(account, key, "make", MAKE, None) {
        return;
    }
    let node = node.and_then(|node| world.get("", "nodes", "", node));
    let node = node.or_else(|| world.list("", "nodes", None).first().cloned());
    let Some(node) = node else { return };
    let zone = &node["metadata"]["labels"]["topology.kubernetes.io/zone"];
    let capacity = json!({"storage": claim["spec"]["resources"]["requests"]["storage"]});
    let name = format!("pvc-{}", meta(claim, "uid"));
    let id = provision(account, &name, claim, zone);
    let volume = json!({
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com"}},
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": capacity,
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": claim["metadata"]["name"],
                "namespace": claim["metadata"]["namespace"],
                "uid": claim["metadata"]["uid"],
            },
            "csi": {"driver": "ebs.csi.aws.com", "fsType": "ext4", "volumeHandle": id},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]},
            ]}]}},
            "persistentVolumeReclaimPolicy": class["reclaimPolicy"],
            "storageClassName": claim["spec"]["storageClassName"],
        },
    });
    let volume = system(account, world, "PersistentVolume", "", volume);
    world.set_status(&volume, json!({"phase": "Bound"}));
    world.change(key, |claim| {
        claim["spec"]["volumeName"] = json!(name);
        claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = json!("yes");
        claim["status"] = json!({
            "phase": "Bound",
            "accessModes": claim["spec"]["accessModes"],
            "capacity": capacity,
        });
    });
}

/// The volume in the account, with the tags of the EBS CSI driver.
/// Source: kubernetes-sigs/aws-ebs-csi-driver, `docs/tagging.md`.
fn provision(account: &mut Account, name: &str, claim: &Value, zone: &Value) -> String {
    let id = format!("vol-{}", account.draw_hex(17));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tags = [
        ("CSIVolumeName", name),
        ("ebs.csi.aws.com/cluster", "true"),
        ("kubernetes.io/created-for/pvc/name", meta(claim, "name")),
        ("kubernetes.io/created-for/pvc/namespace", meta(claim, "namespace")),
        ("kubernetes.io/created-for/pv/name", name),
    ];
    let volume = ec2::Volume {
        id: id.clone(),
        size: text(&claim["spec"]["resources"]["requests"]["storage"]),
        zone: text(zone),
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect(),
    };
    account.ec2.volumes.insert(id.clone(), volume);
    id
}

/// A volume whose claim is gone goes too, unless it is to be retained.
fn reclaim(account: &mut Account, world: &mut World, key: &str) {
    let Some(volume) = world.at(key) else { return };
    let of = &volume["spec"]["claimRef"];
    let text = |field: &str| of[field].as_str().unwrap_or_default();
    let claim = world.get("", "persistentvolumeclaims", text("namespace"), text("name"));
    if of.is_null() || claim.is_some_and(|claim| claim["metadata"]["uid"] == of["uid"]) {
        return;
    }
    world.set_status(key, json!({"phase": "Released"}));
    let deletes = volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete";
    if deletes && provisions(world) && world.over(account, key, "drop", DROP, None) {
        world.remove(key);
        account.ec2.volumes.shift_remove(volume["spec"]["csi"]["volumeHandle"].as_str().unwrap_or_default());
    }
}
