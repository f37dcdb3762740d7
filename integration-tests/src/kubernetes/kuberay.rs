//! The KubeRay operator, the real one, as a process beside the control plane.

use std::{net::TcpListener, process::Command, time::Duration};

use super::{ControlPlane, process::Process};

/// The operator; ended with this value.
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
        Self::start_operator(plane)
    }

    /// Installs KubeRay's CustomResourceDefinitions.
    pub fn install_kinds(plane: &ControlPlane) {
        let crds = plane.tools().crds().display().to_string();
        plane.kubectl_ok(&["apply", "--server-side", "--force-conflicts", "-f", &crds]);
        plane.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", "crd/rayclusters.ray.io"]);
    }

    /// Starts the operator, whose kinds are there.
    pub fn start_operator(plane: &ControlPlane) -> Self {
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            listener.map(|address| address.port()).unwrap_or_else(|error| panic!("{error}"))
        };
        let mut command = Command::new(plane.tools().program("kuberay"));
        command
            .env("KUBECONFIG", plane.kubeconfig())
            .args(["--enable-leader-election=false", "--reconcile-concurrency=10"])
            .arg(format!("--metrics-addr=127.0.0.1:{}", free()))
            .arg(format!("--health-probe-bind-address=127.0.0.1:{}", free()));
        let mut process = Process::start(&mut command, &plane.folder().join("kuberay.log"));
        std::thread::sleep(Duration::from_secs(2));
        let log = || std::fs::read_to_string(plane.folder().join("kuberay.log")).unwrap_or_default();
        assert!(process.runs(), "the operator ended: {}", log());
        Self { _process: process }
    }
}
