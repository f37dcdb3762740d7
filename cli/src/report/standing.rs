//! What stands at the end of a run, and the way to it.

use rayplat_engine::{
    ops::Report,
    store::{Checkpoint, Phase},
};
use rayplat_resources::platform::{RayPlace, TOKEN_KEY};
use serde_json::{Value, json};

/// Ray, where it stands.
pub struct Standing {
    ray: RayPlace,
    rehearsed: bool,
}

impl Standing {
    /// Of a run that is complete; `None` if the platform has no Ray.
    pub fn of(ray: Option<RayPlace>, report: &Report, rehearsed: bool) -> Option<Self> {
        let ray = ray.filter(|_| report.approved && report.summary.complete())?;
        stands(&ray, &report.state).then_some(Self { ray, rehearsed })
    }

    /// For people: lines of 80 characters at most, while the namespace is short.
    pub fn text(&self) -> String {
        let ray = &self.ray;
        let rehearsed = if self.rehearsed { ", rehearsed" } else { "" };
        let mut lines = vec![
            format!("Now stands{rehearsed}: {} `{}` of Ray {}, in the cluster at", ray.kind, ray.name, ray.version),
            format!("  {}  dashboard, jobs", ray.dashboard_url()),
            format!("  {}  clients", ray.client_url()),
        ];
        lines.extend(ray.serve_url().map(|url| format!("  {url}  applications")));
        lines.push(if self.rehearsed { "and on AWS from here by" } else { "and from here by" }.to_owned());
        lines.extend(self.ways().into_iter().map(|way| format!("  {way}")));
        if let [first, rest @ ..] = self.token().as_slice() {
            lines.push("The token that it asks for:".to_owned());
            // A command that is longer than a line goes on in the next.
            lines.extend([first].into_iter().chain(rest).map(|line| format!("  {}", line.replace('\n', "\n  "))));
        }
        lines.join("\n")
    }

    /// For programs.
    pub fn event(&self) -> Value {
        let ray = &self.ray;
        json!({"event": "standing", "ray": {
            "kind": ray.kind, "name": ray.name, "namespace": ray.namespace, "version": ray.version,
            "dashboard_url": ray.dashboard_url(), "client_url": ray.client_url(), "serve_url": ray.serve_url(),
            "commands": self.ways(), "token_commands": self.token(),
        }})
    }

    /// Commands that lead there.
    fn ways(&self) -> Vec<String> {
        let forward = |service: &str, ports: &str| {
            format!("kubectl -n {} port-forward service/{service} {ports}", self.ray.namespace)
        };
        let mut ways = vec!["rayplat kubeconfig".to_owned(), forward(&self.ray.head_service(), "8265 10001")];
        ways.extend(self.ray.serve_service().map(|service| forward(&service, "8000")));
        ways
    }

    /// Commands that show the token; none where none is asked for. KubeRay names the Secret for the RayCluster; that of a
    /// RayService has a name of KubeRay's making.
    fn token(&self) -> Vec<String> {
        if !self.ray.token_auth {
            return Vec::new();
        }
        let kubectl = format!("kubectl -n {} get", self.ray.namespace);
        let of = |secret: &str| format!("{kubectl} secret {secret} -o jsonpath='{{.data.{TOKEN_KEY}}}' | base64 -d");
        if self.ray.kind == "RayCluster" {
            return vec![of(self.ray.name)];
        }
        let path = "{.status.activeServiceStatus.rayClusterName}";
        vec![format!("NAME=$({kubectl} rayservice {} \\\n  -o jsonpath='{path}')", self.ray.name), of("$NAME")]
    }
}

fn stands(ray: &RayPlace, state: &Checkpoint) -> bool {
    let object = ray.urn().and_then(|urn| state.current(&urn).map(|object| object.phase == Phase::Live));
    object.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ray(kind: &'static str, token_auth: bool) -> RayPlace {
        RayPlace { kind, name: "ray", namespace: "ray".to_owned(), version: "2.60.0".to_owned(), token_auth }
    }

    #[test]
    fn a_cluster_and_its_token() {
        let standing = Standing { ray: ray("RayCluster", true), rehearsed: false };
        let expected = "\
Now stands: RayCluster `ray` of Ray 2.60.0, in the cluster at
  http://ray-head-svc.ray.svc.cluster.local:8265  dashboard, jobs
  ray://ray-head-svc.ray.svc.cluster.local:10001  clients
and from here by
  rayplat kubeconfig
  kubectl -n ray port-forward service/ray-head-svc 8265 10001
The token that it asks for:
  kubectl -n ray get secret ray -o jsonpath='{.data.auth_token}' | base64 -d";
        assert_eq!(standing.text(), expected);
        assert!(expected.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn a_service_whose_cluster_is_named_by_kuberay() {
        let standing = Standing { ray: ray("RayService", true), rehearsed: true };
        let text = standing.text();
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        for part in [
            "Now stands, rehearsed: RayService `ray`",
            "  http://ray-serve-svc.ray.svc.cluster.local:8000  applications",
            "and on AWS from here by",
            "  kubectl -n ray port-forward service/ray-serve-svc 8000",
            "  NAME=$(kubectl -n ray get rayservice ray \\\n    -o jsonpath='{.status.activeServiceStatus.rayClusterName}')\n",
            "secret $NAME -o",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!Standing { ray: ray("RayService", false), rehearsed: true }.text().contains("token"));
    }
}
