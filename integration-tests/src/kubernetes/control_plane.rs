//! API server, etcd, controllers and scheduler, the real ones, on the loopback.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::Value;

use super::Tools;

/// A control plane of a test's own; ended with this value.
///
/// Objects are written by server-side apply, as the field manager `test`.
#[derive(Debug)]
pub struct ControlPlane {
    process: Child,
    // Its end is the control plane's.
    stdin: Option<ChildStdin>,
    folder: tempfile::TempDir,
    tools: Tools,
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// An administrator's.
    pub token: String,
    /// The authority, PEM.
    pub ca_pem: String,
}

impl ControlPlane {
    /// Starts it, and waits until the API is ready: some seconds, 0.8 GB.
    ///
    /// # Panics
    /// It does not get ready.
    pub fn start(tools: &Tools) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let mut process = Command::new(tools.program("control-plane"))
            .arg("run")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("control-plane: {error}"));
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().unwrap_or_else(|| panic!("control-plane has no standard output"));
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap_or_else(|error| panic!("control-plane: {error}"));
        // Where it fails it says why on standard error, which is the test's.
        let told: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("control-plane said {line:?}: {error}"));
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        let ca_pem = fs::read_to_string(text("ca")).unwrap_or_else(|error| panic!("{}: {error}", text("ca")));
        Self { process, stdin, folder, tools: tools.clone(), url: text("url"), token: text("token"), ca_pem }
    }

    /// For tools that take one.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A folder that goes with it; the parts' logs are there, `apiserver.log` and so on.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs kubectl.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn kubectl(&self, args: &[&str]) -> Output {
        Command::new(self.tools.program("kubectl"))
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(args)
            // Nothing of the user's: neither preferences nor a cache.
            .env("KUBECACHEDIR", self.folder.path().join("cache"))
            .env("KUBERC", "off")
            .output()
            .unwrap_or_else(|error| panic!("kubectl {args:?}: {error}"))
    }

    /// Runs kubectl, which succeeds; what it said.
    ///
    /// # Panics
    /// It does not.
    pub fn kubectl_ok(&self, args: &[&str]) -> String {
        let output = self.kubectl(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {args:?}: {out}{err}");
        out.into_owned()
    }

    /// Applies a manifest or a `List`, server-side, from a file of this name.
    ///
    /// # Panics
    /// It is refused.
    pub fn apply(&self, name: &str, manifest: &Value) {
        let file = self.folder.path().join(format!("{name}.json"));
        fs::write(&file, manifest.to_string()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let path = file.display().to_string();
        self.kubectl_ok(&["apply", "--server-side", "--force-conflicts", "--field-manager=test", "-f", &path]);
    }

    /// What kubectl gets, as JSON: an object, or a `List`.
    ///
    /// # Panics
    /// There is no such object.
    pub fn get(&self, args: &[&str]) -> Value {
        let mut all = vec!["get", "-o", "json"];
        all.extend(args);
        let text = self.kubectl_ok(&all);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("kubectl {args:?}: {error}: {text}"))
    }

    /// Whether kubectl finds this object.
    ///
    /// # Panics
    /// The API refuses to say.
    pub fn has(&self, args: &[&str]) -> bool {
        let mut all = vec!["get", "-o", "name", "--ignore-not-found"];
        all.extend(args);
        !self.kubectl_ok(&all).is_empty()
    }

    /// Looks until it is so.
    ///
    /// # Panics
    /// It is not so within the time.
    pub fn wait(&self, what: &str, within: Duration, mut so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !so() {
            assert!(began.elapsed() < within, "{what}: not within {} s", within.as_secs());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The authority's certificates, DER.
    ///
    /// # Panics
    /// They are none.
    pub fn authorities(&self) -> Vec<Vec<u8>> {
        let certificates = CertificateDer::pem_slice_iter(self.ca_pem.as_bytes());
        certificates.map(|one| one.unwrap_or_else(|error| panic!("{error}")).to_vec()).collect()
    }

    /// The programs that it was started from.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It may have ended by itself; then there is nothing to wait for.
        drop(self.process.wait());
    }
}
