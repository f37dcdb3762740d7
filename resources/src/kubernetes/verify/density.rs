//! `gpu-density`: GPU nodes take as many pods as their instance types can, and have their GPUs.
//!
//! Managed node groups compute the number when they are made: a vpc-cni that got prefix
//! delegation later leaves a g4dn.xlarge at 29 pods instead of 110 (eksctl#4478).

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{Found, Measure, Stop, Verifier, ready, text};
use crate::platform::PoolSubject;

/// The label of a node's pool.
const POOL: &str = "rayplat.io/pool";

/// A node that has just come has no GPUs before the device plugin's pod is there.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(verifier: &Verifier<'_>) -> Result<Found, Stop> {
    let until = Instant::now() + PATIENCE / verifier.ctx.time_scale();
    loop {
        let found = look(verifier).await?;
        if found.measures.iter().all(|measure| measure.passed) || Instant::now() >= until {
            return Ok(found);
        }
        (verifier.say)("a node has less than it should; it may have just come: looking again");
        verifier.ctx.sleep(Duration::from_secs(5)).await;
    }
}

async fn look(verifier: &Verifier<'_>) -> Result<Found, Stop> {
    let pools: BTreeMap<_, _> = verifier.subject.pools.iter().filter(|(_, pool)| pool.gpus).collect();
    if pools.is_empty() {
        return Err(Stop::not_run(
            "the manifest has no GPU pool",
            "Name one in `node_pools`, or leave this check out.",
        ));
    }
    let nodes = verifier.kubernetes.list(&verifier.ctx, &verifier.cluster, ("v1", "Node"), None, POOL).await?;
    let mut found = Found {
        hint: "Pods a node: vpc-cni with ENABLE_PREFIX_DELEGATION must be there before the node group (it is, by default); make the \
               group anew with `rayplat up --replace nodegroup/POOL`. GPUs: look at the NVIDIA device plugin's pod on the node.",
        ..Found::default()
    };
    for (name, pool) in pools {
        let of_pool: Vec<&Value> = nodes
            .iter()
            .filter(|node| node["metadata"]["labels"][POOL] == **name && ready::holds(node, "Ready"))
            .collect();
        if of_pool.is_empty() {
            return Err(Stop::not_run(
                format!("the GPU pool {name} has no node that is ready: how many pods one takes cannot be seen"),
                format!(
                    "Let one come (node_pools.{name}.min: 1, or a Ray job that asks for a GPU), then run the check again."
                ),
            ));
        }
        found.measures.extend(of(name, pool, &of_pool)?);
    }
    Ok(found)
}

/// The figures of a pool: the least of each instance type.
fn of(name: &str, pool: &PoolSubject, nodes: &[&Value]) -> Result<Vec<Measure>, Stop> {
    let mut types: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for node in nodes {
        types.entry(text(node, "/metadata/labels/node.kubernetes.io~1instance-type")).or_default().push(node);
    }
    let mut measures = Vec::new();
    for (instance_type, nodes) in types {
        let Some((pods, gpus)) = pool.expected(instance_type) else {
            return Err(Stop::not_run(
                format!("a node of the pool {name} is of the type `{instance_type}`, which rayplat does not know"),
                "Use a newer rayplat, or say in the manifest how many pods it takes (node_pools.POOL.max_pods).",
            ));
        };
        let least = |resource: &str| {
            let all = nodes.iter().map(|node| node["status"]["allocatable"][resource].as_str()?.parse::<f64>().ok());
            // A node that does not say it has none.
            all.map(|count| count.unwrap_or(0.0)).reduce(f64::min)
        };
        measures.push(Measure::at_least(&format!("{name}: pods on {instance_type}"), least("pods"), "", pods.into()));
        measures.push(Measure::at_least(
            &format!("{name}: GPUs on {instance_type}"),
            least("nvidia.com/gpu"),
            "",
            gpus.into(),
        ));
    }
    Ok(measures)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn node(pods: &str, gpus: Option<&str>) -> Value {
        let mut node = json!({
            "metadata": {"labels": {"node.kubernetes.io/instance-type": "g4dn.xlarge"}},
            "status": {"allocatable": {"pods": pods}},
        });
        if let Some(gpus) = gpus {
            node["status"]["allocatable"]["nvidia.com/gpu"] = json!(gpus);
        }
        node
    }

    #[test]
    fn the_worst_node_counts() {
        let pool = PoolSubject { max: 3, gpus: true, max_pods: None, prefix_delegation: true };
        let passed =
            |nodes: &[&Value]| of("gpu", &pool, nodes).unwrap().iter().map(|one| one.passed).collect::<Vec<_>>();
        let (good, few, bare) = (node("110", Some("1")), node("29", Some("1")), node("110", None));
        assert_eq!(passed(&[&good]), [true, true]);
        assert_eq!(passed(&[&good, &few]), [false, true], "prefix delegation came after the group");
        assert_eq!(passed(&[&good, &bare]), [true, false], "no device plugin");
        let unknown = json!({"metadata": {"labels": {}}});
        assert!(matches!(of("gpu", &pool, &[&unknown]), Err(Stop::NotRun { .. })));
    }
}
