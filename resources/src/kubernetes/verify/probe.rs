//! A pod that looks at what only the inside of the cluster can see, and leaves what it saw in
//! its last words: nobody needs access to its logs, or a way to its network.

use std::time::Duration;

use rayplat_engine::context::Poll;
use serde_json::{Value, json};

use super::{Found, LABEL, Stop, Verifier, serves, text};
use crate::kubernetes::{api::Apply, deletion, gvk::Reference, marks};

/// The program; Python of Ray's own image runs it.
const PROGRAM: &str = include_str!("probe.py");

/// How long the pod may take to get a node and an image.
const START: Duration = Duration::from_secs(300);

/// A probe at work.
pub(super) struct Probe<'v, 'a> {
    verifier: &'v Verifier<'a>,
    of: Reference,
    uid: String,
    limit: Duration,
}

impl Verifier<'_> {
    /// Starts the program in Ray's namespace, where it may reach Ray. It ends by itself within
    /// `limit`, whatever becomes of this process.
    pub(super) async fn probe(&self, look: &str, asked: Value, limit: Duration) -> Result<Probe<'_, '_>, Stop> {
        if !self.programs {
            return Err(Stop::not_run(
                "pods of the emulated account run no programs",
                "Run this check on a platform that stands on AWS.",
            ));
        }
        let of = Reference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: Some(self.ray()?.place.namespace.clone()),
            name: format!("rayplat-verify-{look}"),
        };
        self.clear(&of).await?;
        let mut asked = asked;
        asked["look"] = json!(look);
        let head = self.ray_cluster().await?;
        let environment = self.head(&head).await.map(|head| authentication(&head))?;
        let pod = marks::put(&self.pod(&of, &asked, environment, limit)?, &marks::ours(&self.ctx));
        let made = self.kubernetes.apply(&self.ctx, &self.cluster, &pod, Apply::default()).await?;
        let made = made.map_err(rayplat_engine::error::ProviderError::from)?;
        Ok(Probe { verifier: self, of, uid: text(&made, "/metadata/uid").to_owned(), limit })
    }

    /// Takes away what a check that was cut off has left. Others' pods are theirs.
    async fn clear(&self, of: &Reference) -> Result<(), Stop> {
        let Some(live) = self.kubernetes.get(&self.ctx, &self.cluster, of).await? else { return Ok(()) };
        if !marks::is_ours(&self.ctx, &live) {
            return Err(Stop::not_run(
                format!("{of} exists and is somebody else's"),
                "Delete or rename it, then run the check again; nothing of theirs was touched.",
            ));
        }
        self.end(of, text(&live, "/metadata/uid")).await
    }

    async fn end(&self, of: &Reference, uid: &str) -> Result<(), Stop> {
        self.kubernetes.delete(&self.ctx, &self.cluster, of, uid).await?;
        Ok(deletion::wait(&self.kubernetes, &self.ctx, &self.cluster, of, Duration::from_secs(5)).await?)
    }

    fn pod(&self, of: &Reference, asked: &Value, environment: Vec<Value>, limit: Duration) -> Result<Value, Stop> {
        let ray = self.ray()?;
        let resources = json!({"cpu": "200m", "memory": "256Mi", "ephemeral-storage": "100Mi"});
        Ok(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": of.name, "namespace": of.namespace, "labels": {
                LABEL: asked["look"], "app.kubernetes.io/name": "rayplat-verify", "app.kubernetes.io/managed-by": "rayplat",
            }},
            "spec": {
                "restartPolicy": "Never",
                "activeDeadlineSeconds": (START + limit).as_secs(),
                "terminationGracePeriodSeconds": 1,
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "nodeSelector": ray.node_selector, "tolerations": ray.tolerations,
                "securityContext": {"runAsUser": 1000, "runAsGroup": 100, "fsGroup": 100},
                "containers": [{
                    "name": "probe", "image": ray.image, "imagePullPolicy": "IfNotPresent",
                    "command": ["python", "-c", PROGRAM, asked.to_string()],
                    "env": environment,
                    // Ready as soon as there is something to see.
                    "readinessProbe": {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1},
                    "resources": {"requests": resources, "limits": resources},
                    "securityContext": {
                        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
                        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }],
                "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "50Mi"}}],
            },
        }))
    }
}

/// What lets Ray's own processes talk to the head lets the probe.
/// Source: KubeRay `ray-operator/controllers/ray/common/pod.go` (`SetContainerTokenAuthEnvVars`)
fn authentication(head: &Value) -> Vec<Value> {
    let environment = head.pointer("/spec/containers/0/env").and_then(Value::as_array);
    environment.into_iter().flatten().filter(|one| text(one, "/name").starts_with("RAY_AUTH_")).cloned().collect()
}

impl Probe<'_, '_> {
    /// Waits until it sees something.
    pub async fn ready(&self) -> Result<(), Stop> {
        let wait = |live: &Value| match ended(live) || serves(live) {
            true => Poll::Ready(()),
            false => Poll::Pending(waits_for(live)),
        };
        self.wait("the probe sees something", self.limit, wait).await
    }

    /// Waits until it has ended, and takes it away; what it saw.
    pub async fn seen(self) -> Result<Value, Stop> {
        let last = |live: &Value| match ended(live) {
            true => Poll::Ready(live.clone()),
            false => Poll::Pending("looking".to_owned()),
        };
        let waited = self.wait("what the probe sees", self.limit, last).await;
        let cleared = self.verifier.end(&self.of, &self.uid).await;
        let seen = answer(&waited?)?;
        cleared.map(|()| seen)
    }

    /// Takes it away without an answer.
    pub async fn drop(self, why: Stop) -> Stop {
        match self.verifier.end(&self.of, &self.uid).await {
            Ok(()) => why,
            Err(other) => with_leftover(why, &self.of, &other),
        }
    }

    async fn wait<T>(&self, what: &str, limit: Duration, look: impl Fn(&Value) -> Poll<T>) -> Result<T, Stop> {
        let Verifier { kubernetes, ctx, cluster, say, .. } = self.verifier;
        say(&format!("waiting until {what}"));
        let (look, name) = (&look, self.of.to_string());
        let waited = ctx.wait(&name, Duration::from_secs(5), START + limit, || async move {
            let live = kubernetes.get(ctx, cluster, &self.of).await?;
            live.map(|live| look(&live)).ok_or_else(|| crate::aws::vanished(&self.of.id()))
        });
        Ok(waited.await?)
    }
}

fn with_leftover(why: Stop, of: &Reference, other: &Stop) -> Stop {
    let told = match other {
        Stop::NotRun { why, .. } | Stop::Failed { why, .. } => why,
    };
    let add = |text: String| format!("{text}; and {of} is left behind: {told}");
    match why {
        Stop::NotRun { why, hint } => Stop::NotRun { why: add(why), hint },
        Stop::Failed { why, hint } => Stop::Failed { why: add(why), hint },
    }
}

fn ended(live: &Value) -> bool {
    matches!(text(live, "/status/phase"), "Succeeded" | "Failed")
}

fn waits_for(live: &Value) -> String {
    let waiting = text(live, "/status/containerStatuses/0/state/waiting/reason");
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let unscheduled = conditions.filter(|one| one["status"] == "False").find_map(|one| one["message"].as_str());
    match (waiting, unscheduled) {
        ("", Some(message)) => message.to_owned(),
        ("", None) => text(live, "/status/phase").to_owned(),
        (waiting, _) => waiting.to_owned(),
    }
}

/// What the pod's last words say.
fn answer(live: &Value) -> Result<Value, Stop> {
    let words = text(live, "/status/containerStatuses/0/state/terminated/message");
    let Ok(answer) = serde_json::from_str::<Value>(words) else {
        let reason = [
            text(live, "/status/message"),
            text(live, "/status/reason"),
            text(live, "/status/containerStatuses/0/state/terminated/reason"),
        ];
        let reason = reason.iter().find(|text| !text.is_empty()).unwrap_or(&"no reason");
        let said = if words.is_empty() { "nothing" } else { words };
        return Err(Stop::not_run(
            format!("the probe ended ({reason}) and said {said}"),
            "Look at the image of the Ray head: the probe needs its Python.",
        ));
    };
    let why = |key: &str| answer[key].as_str().map(str::to_owned);
    if let Some(why) = why("not_run") {
        return Err(Stop::not_run(why, "Mend that, and run the check again; nothing was measured."));
    }
    if let Some(why) = why("failed") {
        let hint = "Look at the job's log in Ray's dashboard.".to_owned();
        return Err(Stop::Failed { why, hint });
    }
    Ok(answer["seen"].clone())
}

/// A figure of the answer; what the probe did not say is no zero.
pub(super) fn figure(seen: &Value, name: &str) -> Option<f64> {
    seen[name].as_f64()
}

/// The kinds of errors that the probe met, for people.
pub(super) fn errors(seen: &Value, found: &mut Found) {
    let errors = seen["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    found.notes.extend(errors.map(|error| format!("seen: {error}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> Value {
        json!({"status": {"phase": "Failed", "reason": "DeadlineExceeded", "containerStatuses": [
            {"state": {"terminated": {"message": message, "reason": "Error"}}},
        ]}})
    }

    #[test]
    fn last_words() {
        assert_eq!(answer(&said(r#"{"seen": {"requests": 3}}"#)), Ok(json!({"requests": 3})));
        assert!(matches!(answer(&said(r#"{"not_run": "x"}"#)), Err(Stop::NotRun { why, .. }) if why == "x"));
        assert!(matches!(answer(&said(r#"{"failed": "x"}"#)), Err(Stop::Failed { why, .. }) if why == "x"));
        // A probe that was killed has not passed.
        let killed = answer(&said(""));
        assert!(
            matches!(killed, Err(Stop::NotRun { why, .. }) if why == "the probe ended (DeadlineExceeded) and said nothing")
        );
        assert!(matches!(answer(&said("Traceback")), Err(Stop::NotRun { .. })));
    }
}
