//! The cluster autoscaler, where one runs: node groups grow for pods that find no room.
//! Source: <https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#how-does-scale-up-work>
//! Groups do not shrink here: an idle node is taken away after ten minutes, and no rehearsal is that long.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    super::{
        super::{Account, eks},
        base,
        world::World,
    },
    scheduler::{Place, places, requested},
    workloads::{owner_of, runs},
};
use crate::platform::instance_types;

/// From the decision to a node that takes pods, in seconds.
const JOIN: (f64, f64) = (60.0, 120.0);

pub(super) fn reconcile(account: &mut Account, world: &mut World, cluster: &str) {
    if !runs(world, "cluster-autoscaler") {
        return;
    }
    let Some(standing) = account.eks.clusters.get(cluster) else { return };
    let groups: Vec<eks::Nodegroup> =
        standing.nodegroups.values().filter(|group| group.status == eks::Status::Active).cloned().collect();
    let waiting: Vec<Arc<Value>> = world.list("", "pods", None).into_iter().filter(|pod| waits(pod)).collect();
    // What is on its way takes pods too.
    let mut coming = Vec::new();
    for group in &groups {
        let missing = group.scaling.desired - running(account, cluster, group);
        coming.extend((0..missing).map(|_| Place::new(template(account, group))));
    }
    let mut wanted: Vec<i64> = groups.iter().map(|group| group.scaling.desired).collect();
    if !waiting.is_empty() {
        let mut standing = places(world);
        for pod in &waiting {
            let zone = super::volumes::zone(world, pod).ok().flatten();
            let asked = requested(&pod["spec"]);
            let mut all = standing.iter_mut().chain(coming.iter_mut());
            if let Some(place) = all.find(|place| place.refuses(pod, &asked, zone.as_deref()).is_none()) {
                place.take(pod);
                continue;
            }
            for (group, wanted) in groups.iter().zip(&mut wanted) {
                let mut place = Place::new(template(account, group));
                if *wanted < group.scaling.max && place.refuses(pod, &asked, None).is_none() {
                    *wanted += 1;
                    place.take(pod);
                    coming.push(place);
                    break;
                }
            }
        }
    }
    for (group, wanted) in groups.iter().zip(wanted) {
        if wanted > group.scaling.desired {
            eks::set_desired(account, cluster, &group.name, wanted);
        }
        let has = running(account, cluster, group);
        let timer = format!("join {has} {wanted}");
        let what = format!("scale-up/{cluster}/{}", group.name);
        if wanted > has && world.over(account, &format!("eks/{}", group.name), &timer, JOIN, Some((&what, "update"))) {
            eks::start_missing(account, cluster, &group.name);
            base::follow(account, world, cluster);
        }
    }
}

fn waits(pod: &Value) -> bool {
    pod["spec"]["nodeName"].is_null()
        && pod["status"]["conditions"][0]["reason"] == "Unschedulable"
        && owner_of(pod, "DaemonSet").is_none()
}

fn running(account: &Account, cluster: &str, group: &eks::Nodegroup) -> i64 {
    i64::try_from(eks::nodes(account, cluster, &group.name).count()).unwrap_or(i64::MAX)
}

/// A node as the group would start it, with its GPUs.
fn template(account: &Account, group: &eks::Nodegroup) -> Arc<Value> {
    let zone = group.subnet_ids.first().and_then(|subnet| account.ec2.subnets.get(subnet));
    let zone = zone.map(|subnet| subnet.zone.clone()).unwrap_or_default();
    let mut node = base::node(group, &zone, &account.region, &format!("template-{}", group.name));
    let kind = group.effective_types.first().map_or("", String::as_str);
    let gpus = instance_types::look_up(kind).map_or(0, |found| found.accelerators);
    if gpus > 0 {
        node["status"]["allocatable"]["nvidia.com/gpu"] = json!(gpus.to_string());
    }
    Arc::new(node)
}
