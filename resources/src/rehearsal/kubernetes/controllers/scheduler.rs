//! Where pods can run: room, taints, selectors, affinity, architecture by label.
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/>

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::super::{
    quantity::millis,
    selectors::{expression_fits, label_selector},
    world::{World, meta},
};

/// What a pod asks for, in thousandths, and pods by number.
pub(super) type Room = BTreeMap<String, i128>;

/// What the pod asks for in all. Init containers run one after another; those that stay add up.
pub(super) fn requested(spec: &Value) -> Room {
    let mut sum = Room::from([("pods".to_owned(), 1000)]);
    let mut most = Room::new();
    let of = |container: &Value| -> Vec<(String, i128)> {
        let requests = container["resources"]["requests"].as_object();
        let limits = container["resources"]["limits"].as_object();
        let mut asked: BTreeMap<String, i128> = BTreeMap::new();
        for (name, value) in limits.into_iter().flatten().chain(requests.into_iter().flatten()) {
            asked.insert(name.clone(), millis(value).unwrap_or(0));
        }
        asked.into_iter().collect()
    };
    for container in spec["containers"].as_array().into_iter().flatten() {
        for (name, amount) in of(container) {
            *sum.entry(name).or_default() += amount;
        }
    }
    for container in spec["initContainers"].as_array().into_iter().flatten() {
        for (name, amount) in of(container) {
            if container["restartPolicy"] == "Always" {
                *sum.entry(name).or_default() += amount;
            } else {
                let most = most.entry(name).or_default();
                *most = (*most).max(amount);
            }
        }
    }
    for (name, amount) in most {
        let sum = sum.entry(name).or_default();
        *sum = (*sum).max(amount);
    }
    sum
}

/// A node and what is left of it.
pub(super) struct Place {
    pub node: Arc<Value>,
    pub left: Room,
    /// Labels and namespaces of the pods there.
    pods: Vec<(Value, String)>,
}

/// The nodes with what their pods leave.
pub(super) fn places(world: &World) -> Vec<Place> {
    let pods = world.list("", "pods", None);
    let nodes = world.list("", "nodes", None);
    nodes
        .into_iter()
        .map(|node| {
            let mut place = Place::new(node);
            let name = meta(&place.node, "name").to_owned();
            for pod in pods.iter().filter(|pod| pod["spec"]["nodeName"] == name.as_str() && !is_over(pod)) {
                place.take(pod);
            }
            place
        })
        .collect()
}

/// Has the pod ended?
pub(super) fn is_over(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

impl Place {
    /// An empty node.
    pub fn new(node: Arc<Value>) -> Self {
        let allocatable = node["status"]["allocatable"].as_object();
        let left =
            allocatable.into_iter().flatten().map(|(name, value)| (name.clone(), millis(value).unwrap_or(0))).collect();
        Self { node, left, pods: Vec::new() }
    }

    /// The pod runs here.
    pub fn take(&mut self, pod: &Value) {
        for (name, amount) in requested(&pod["spec"]) {
            *self.left.entry(name).or_default() -= amount;
        }
        self.pods.push((pod["metadata"]["labels"].clone(), meta(pod, "namespace").to_owned()));
    }

    /// Why the pod, which asks for so much, cannot run here.
    pub fn refuses(&self, pod: &Value, asked: &Room, zone: Option<&str>) -> Option<String> {
        let spec = &pod["spec"];
        if self.node["spec"]["unschedulable"] == true {
            return Some("node(s) were unschedulable".to_owned());
        }
        if let Some(taint) = untolerated(&self.node, spec) {
            return Some(taint);
        }
        if !selected(&self.node, spec) {
            return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
        }
        let of_node = self.node["metadata"]["labels"]["topology.kubernetes.io/zone"].as_str();
        if zone.is_some_and(|zone| of_node != Some(zone)) {
            return Some("node(s) had volume node affinity conflict".to_owned());
        }
        if self.repels(pod) {
            return Some("node(s) didn't match pod anti-affinity rules".to_owned());
        }
        for (name, amount) in asked {
            if *amount > 0 && *amount > self.left.get(name).copied().unwrap_or(0) {
                return Some(if name == "pods" { "Too many pods".to_owned() } else { format!("Insufficient {name}") });
            }
        }
        None
    }

    /// Required anti-affinity on the node itself.
    fn repels(&self, pod: &Value) -> bool {
        let terms = &pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        terms.as_array().into_iter().flatten().any(|term| {
            term["topologyKey"] == "kubernetes.io/hostname"
                && self.pods.iter().any(|(labels, namespace)| {
                    *namespace == meta(pod, "namespace") && label_selector(&term["labelSelector"], labels)
                })
        })
    }
}

/// A taint of the node that the pod does not tolerate, in the scheduler's words.
pub(super) fn untolerated(node: &Value, spec: &Value) -> Option<String> {
    let tolerations = spec["tolerations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    let mut hard = taints.filter(|taint| taint["effect"] != "PreferNoSchedule");
    let repelling = hard.find(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)))?;
    let value = repelling["value"].as_str().unwrap_or_default();
    Some(format!("node(s) had untolerated taint {{{}: {value}}}", repelling["key"].as_str().unwrap_or_default()))
}

fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let effect =
        toleration["effect"].is_null() || toleration["effect"] == "" || toleration["effect"] == taint["effect"];
    let exists = toleration["operator"] == "Exists";
    let any_key = exists && text(&toleration["key"]).is_empty();
    let key = any_key || toleration["key"] == taint["key"];
    effect && key && (exists || text(&toleration["value"]) == text(&taint["value"]))
}

/// Is the node one that the pod's selector and required affinity name?
pub(super) fn selected(node: &Value, spec: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let selector = spec["nodeSelector"].as_object();
    if !selector.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value)) {
        return false;
    }
    let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let Some(terms) = required["nodeSelectorTerms"].as_array() else { return true };
    terms.iter().any(|term| {
        let expressions = term["matchExpressions"].as_array().into_iter().flatten();
        let fields = term["matchFields"].as_array().into_iter().flatten();
        let named = json!({"metadata.name": node["metadata"]["name"]});
        expressions.into_iter().all(|expression| expression_fits(expression, labels))
            && fields.into_iter().all(|field| expression_fits(field, &named))
    })
}

/// Why no node takes the pod: `0/3 nodes are available: 2 Insufficient cpu, ...`.
pub(super) fn nowhere(reasons: &[String]) -> String {
    if reasons.is_empty() {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in reasons {
        *counted.entry(reason).or_default() += 1;
    }
    let said: Vec<String> = counted.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    format!("0/{} nodes are available: {}.", reasons.len(), said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Place {
        Place::new(Arc::new(json!({
            "metadata": {"name": "n", "labels": {"kubernetes.io/arch": "arm64", "topology.kubernetes.io/zone": "a"}},
            "spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]},
            "status": {"allocatable": {"cpu": "3900m", "memory": "14Gi", "pods": "2"}},
        })))
    }

    fn refuses(node: &Place, pod: &Value, zone: Option<&str>) -> Option<String> {
        node.refuses(pod, &requested(&pod["spec"]), zone)
    }

    fn pod(cpu: &str, more: &Value) -> Value {
        let mut spec = json!({
            "containers": [{"resources": {"requests": {"cpu": cpu}}}],
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            spec[name] = value.clone();
        }
        json!({"metadata": {"namespace": "x", "labels": {"app": "a"}}, "spec": spec})
    }

    #[test]
    fn a_node_takes_what_fits() {
        let mut node = node();
        assert_eq!(refuses(&node, &pod("3900m", &json!({})), None), None);
        for (pod, why) in [
            (pod("4", &json!({})), "Insufficient cpu"),
            (pod("1", &json!({"tolerations": []})), "node(s) had untolerated taint {gpu: yes}"),
            (
                pod("1", &json!({"nodeSelector": {"kubernetes.io/arch": "amd64"}})),
                "node(s) didn't match Pod's node affinity/selector",
            ),
            (
                pod("1", &json!({"containers": [{"resources": {"limits": {"nvidia.com/gpu": 1}}}]})),
                "Insufficient nvidia.com/gpu",
            ),
        ] {
            assert_eq!(refuses(&node, &pod, None).as_deref(), Some(why));
        }
        assert_eq!(
            refuses(&node, &pod("1", &json!({})), Some("b")).as_deref(),
            Some("node(s) had volume node affinity conflict")
        );
        node.take(&pod("1", &json!({})));
        assert_eq!(refuses(&node, &pod("3", &json!({})), None).as_deref(), Some("Insufficient cpu"));
        let apart = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "a"}}},
        ]}}});
        assert_eq!(
            refuses(&node, &pod("1", &apart), None).as_deref(),
            Some("node(s) didn't match pod anti-affinity rules")
        );
        node.take(&pod("1", &json!({})));
        assert_eq!(refuses(&node, &pod("1", &json!({})), None).as_deref(), Some("Too many pods"));
    }

    #[test]
    fn init_containers_count_once_and_sidecars_always() {
        let asks = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let mut sidecar = asks("500m");
        sidecar["restartPolicy"] = json!("Always");
        let spec = json!({"containers": [asks("1"), asks("1")], "initContainers": [asks("3"), sidecar]});
        assert_eq!(requested(&spec)["cpu"], 3000);
    }

    #[test]
    fn a_refusal_counts_the_reasons() {
        let reasons: Vec<String> = ["b", "a", "b"].iter().map(|reason| (*reason).to_owned()).collect();
        assert_eq!(nowhere(&reasons), "0/3 nodes are available: 1 a, 2 b.");
    }
}
