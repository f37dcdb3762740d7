//! Helm in earnest, and a repository of charts on this machine.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use rayplat_engine::value::{Expr, Lookup};
use rayplat_resources::kubernetes::chart::{Helm, HelmEnvironment, Rendered, RenderedObject};
use serde_json::{Value, json};

use crate::kubernetes;

/// Helm: `RAYPLAT_HELM`, the one on the PATH, or the one that `install.sh` has built. `None` where
/// there is none: then the caller's test is skipped, by name.
///
/// # Panics
/// In CI, if there is none; anywhere, if the one that was built is no good.
pub async fn find(test: &str) -> Option<Helm> {
    let mut environment = HelmEnvironment::from_env();
    if let Ok(helm) = Helm::find(&environment).await {
        return Some(helm);
    }
    environment.program = Some(kubernetes::find(test)?.program("helm"));
    Some(Helm::find(&environment).await.unwrap_or_else(|error| panic!("{test}: {error}")))
}

/// The chart of our own of this version.
pub fn demo(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/chart-demo").join(version)
}

/// A manifest with this text for everything that is known later.
///
/// # Panics
/// A text is joined of what is none.
pub fn known(manifest: &Expr, later: &str) -> Value {
    let planned = manifest.eval(&|_, _| Lookup::Known(later.into())).unwrap();
    planned.known().unwrap().clone()
}

/// A real API server takes every object of a chart, by server-side apply, with what it does not
/// know refused: in the chart's order, custom resources when their kinds are there.
///
/// # Panics
/// It refuses one.
pub fn accepted(plane: &kubernetes::ControlPlane, label: &str, rendered: &Rendered) {
    let is_crd = |object: &&RenderedObject| object.kind == "CustomResourceDefinition";
    let own = |object: &RenderedObject| {
        rendered.objects.iter().filter(is_crd).any(|crd| known(&crd.manifest, "")["spec"]["group"] == object.group())
    };
    let list = |objects: Vec<&RenderedObject>| {
        let items: Vec<_> = objects.iter().map(|object| known(&object.manifest, "known-later")).collect();
        json!({"apiVersion": "v1", "kind": "List", "items": items})
    };
    let (custom, others): (Vec<_>, Vec<_>) = rendered.objects.iter().partition(|object| own(object));
    for namespace in rendered.objects.iter().filter_map(|object| object.namespace.as_deref()).collect::<BTreeSet<_>>() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        plane.apply("namespace", &namespace);
    }
    plane.apply(&format!("{label}-others"), &list(others));
    for crd in rendered.objects.iter().filter(is_crd) {
        plane.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/{}", crd.name)]);
    }
    if !custom.is_empty() {
        plane.apply(&format!("{label}-custom"), &list(custom));
    }
}

/// A repository over HTTP; gone with the value.
pub struct Repository {
    /// Its address.
    pub url: String,
    address: std::net::SocketAddr,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
    folder: tempfile::TempDir,
}

impl Repository {
    /// A repository with these charts, packed by Helm.
    ///
    /// # Panics
    /// Helm does not pack them.
    pub fn new(helm: &Helm, charts: &[PathBuf]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            let output = Command::new(helm.program()).args(args).env("HOME", folder.path()).output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let into = folder.path().to_str().unwrap();
        for chart in charts {
            run(&["package", chart.to_str().unwrap(), "--destination", into]);
        }
        run(&["repo", "index", into]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, root) = (stop.clone(), folder.path().to_owned());
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // Who hangs up early has what he wanted.
                drop(answer(stream.unwrap(), &root));
            }
        });
        Self { url: format!("http://{address}"), address, stop, server: Some(server), folder }
    }

    /// Archives that it has.
    ///
    /// # Panics
    /// Its folder is gone.
    pub fn archive(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // It looks when somebody calls.
        drop(TcpStream::connect(self.address));
        if let Some(server) = self.server.take() {
            server.join().unwrap();
        }
    }
}

fn answer(mut stream: TcpStream, root: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let name = first.split_whitespace().nth(1).unwrap_or_default().trim_start_matches('/');
    let found = fs::read(root.join(name)).ok().filter(|_| !name.contains(".."));
    let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&body)
}
