//! The KubeRay operator, the real one, as a process beside the control plane.

use std::{
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use super::{ControlPlane, process::Process};

/// The operator; ended with this value.
#[derive(Debug)]
pub struct KubeRay {
    _process: Process,
}

impl KubeRay {
    /// Installs KubeRay's kinds and starts the operator.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(plane: &ControlPlane) -> Self {
        Self::install_kinds(plane);
        Self::start_operator(plane, &[])
    }

    /// Installs KubeRay's CustomResourceDefinitions; by server-side apply, because most are too
    /// large for the annotation of client-side apply.
    ///
    /// # Panics
    /// They are refused.
    pub fn install_kinds(plane: &ControlPlane) {
        let crds = plane.tools().crds().display().to_string();
        plane.kubectl_ok(&["apply", "--server-side", "--force-conflicts", "--field-manager=test", "-f", &crds]);
        plane.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", "crd/rayclusters.ray.io"]);
    }

    /// Starts the operator in a thread of its own, as soon as somebody has installed its kinds: it
    /// runs beside the pod that stands for it.
    pub fn start_when_asked_for(plane: &Arc<ControlPlane>) -> JoinHandle<Self> {
        let plane = plane.clone();
        std::thread::spawn(move || {
            plane.wait("KubeRay's kinds", Duration::from_secs(120), || {
                ["rayclusters", "rayjobs", "rayservices"]
                    .iter()
                    .all(|kind| plane.has(&["crd", &format!("{kind}.ray.io")]))
            });
            Self::start_operator(&plane, &[])
        })
    }

    /// Starts the operator, whose kinds are there, with more in its environment: switches of its
    /// own, such as `ENABLE_INIT_CONTAINER_INJECTION`.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_operator(plane: &ControlPlane, environment: &[(&str, &str)]) -> Self {
        let (metrics, health) = (free_port(), free_port());
        let log = plane.folder().join("kuberay.log");
        let mut process = Process::start(plane.tools(), "kuberay", &log, |command| {
            command
                .env("KUBECONFIG", plane.kubeconfig())
                .env("ENABLE_WEBHOOKS", "false")
                .envs(environment.iter().copied())
                .args(["--enable-leader-election=false", "--reconcile-concurrency=10"])
                .arg(format!("--metrics-addr=127.0.0.1:{metrics}"))
                .arg(format!("--health-probe-bind-address=127.0.0.1:{health}"));
        });
        // It answers there once it has begun.
        plane.wait("the operator runs", Duration::from_secs(60), || {
            process.must_run();
            TcpStream::connect(("127.0.0.1", health)).is_ok()
        });
        Self { _process: process }
    }
}

fn free_port() -> u16 {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).unwrap_or_else(|error| panic!("{error}"))
}
