//! Why the pods behind an object do not come up.

use std::{sync::Mutex, sync::PoisonError, time::Duration};

use rayplat_engine::{
    context::Ctx,
    error::{ErrorClass, ProviderError},
};
use serde_json::Value;

use super::{ClusterAccess, Kubernetes, gvk::Reference};

/// Pods are not asked about while an ordinary start takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What does not go away within this time does not go away by itself.
const HOPELESS: Duration = Duration::from_secs(300);

/// Reasons of waiting containers that mean that something is wrong.
/// Source: kubernetes/kubernetes `pkg/kubelet/images/types.go`, `pkg/kubelet/kuberuntime`.
const BAD: [&str; 7] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// Looks at the pods of what is waited for.
pub(super) struct Trouble<'a> {
    kubernetes: &'a Kubernetes,
    ctx: &'a Ctx,
    cluster: &'a ClusterAccess,
    began_ms: u64,
    since: Mutex<Option<(String, u64)>>,
}

impl<'a> Trouble<'a> {
    pub fn new(kubernetes: &'a Kubernetes, ctx: &'a Ctx, cluster: &'a ClusterAccess) -> Self {
        Self { kubernetes, ctx, cluster, began_ms: ctx.now_ms(), since: Mutex::default() }
    }

    /// `why` with what its pods say; an error when they will not come up by themselves.
    pub async fn look(&self, of: &Reference, live: &Value, why: String) -> Result<String, ProviderError> {
        let now = self.ctx.now_ms();
        if self.passed(self.began_ms, now) < PATIENCE {
            return Ok(why);
        }
        let Some(selector) = selector(of, live) else { return Ok(why) };
        let pods =
            self.kubernetes.list(self.ctx, self.cluster, ("v1", "Pod"), of.namespace.as_deref(), &selector).await?;
        let Some((bad, text)) = pods.iter().find_map(trouble) else {
            *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
            return Ok(why);
        };
        let began = {
            let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
            match since.as_ref() {
                Some((before, began)) if *before == text => *began,
                _ => {
                    *since = Some((text.clone(), now));
                    now
                }
            }
        };
        if bad && self.passed(began, now) >= HOPELESS {
            return Err(ProviderError::new(ErrorClass::Failed, format!("{of} does not get ready: {text}")).hint(
                "Mend the image, the command or the settings in the manifest and run the same command again; kubectl logs shows \
                 what the container said.",
            ));
        }
        Ok(format!("{why}; {text}"))
    }

    fn passed(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(to.saturating_sub(from)) * self.ctx.time_scale()
    }
}

/// The labels of an object's pods.
fn selector(of: &Reference, live: &Value) -> Option<String> {
    if of.group() == "ray.io" {
        return (of.kind == "RayCluster").then(|| format!("ray.io/cluster={}", of.name));
    }
    let labels = live.pointer("/spec/selector/matchLabels")?.as_object()?;
    let pairs = labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    Some(pairs.collect::<Vec<_>>().join(","))
}

/// What is wrong with a pod, and whether it stays so by itself.
fn trouble(pod: &Value) -> Option<(bool, String)> {
    let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let statuses = ["initContainerStatuses", "containerStatuses"];
    let containers = statuses.iter().filter_map(|list| pod["status"][*list].as_array()).flatten();
    for container in containers {
        let waiting = &container["state"]["waiting"];
        let reason = waiting["reason"].as_str().unwrap_or_default();
        if BAD.contains(&reason) {
            let message = waiting["message"].as_str().map(|message| format!(": {message}")).unwrap_or_default();
            return Some((true, format!("pod {name}: {reason}{message}")));
        }
    }
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let unscheduled = conditions
        .filter(|condition| condition["type"] == "PodScheduled" && condition["status"] == "False")
        .find_map(|condition| condition["message"].as_str());
    // Nodes may come.
    unscheduled.map(|message| (false, format!("pod {name} has no node: {message}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_pod() {
        let pod = |status: Value| json!({"metadata": {"name": "a"}, "status": status});
        let pull = pod(
            json!({"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}}}]}),
        );
        assert_eq!(trouble(&pull), Some((true, "pod a: ImagePullBackOff: Back-off".to_owned())));
        let starts = pod(json!({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}));
        assert_eq!(trouble(&starts), None);
        let alone = pod(json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]}));
        assert_eq!(trouble(&alone), Some((false, "pod a has no node: 0/3 nodes".to_owned())));
    }

    #[test]
    fn pods_are_found_by_the_labels_of_their_owner() {
        let of = |version: &str, kind: &str| Reference {
            api_version: version.into(),
            kind: kind.into(),
            namespace: Some("n".into()),
            name: "r".into(),
        };
        let live = json!({"spec": {"selector": {"matchLabels": {"a": "b", "c": "d"}}}});
        assert_eq!(selector(&of("apps/v1", "Deployment"), &live).as_deref(), Some("a=b,c=d"));
        assert_eq!(selector(&of("ray.io/v1", "RayCluster"), &json!({})).as_deref(), Some("ray.io/cluster=r"));
        assert_eq!(selector(&of("v1", "ConfigMap"), &json!({})), None);
    }
}
