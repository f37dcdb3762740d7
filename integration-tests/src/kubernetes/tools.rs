//! Where the programs are.

use std::path::{Path, PathBuf};

use crate::python::skipped;

/// The programs that `install.sh` has built.
#[derive(Debug, Clone)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// One of `control-plane`, `kubectl`, `kuberay`, `kwok`, `helm`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// The folder of the programs, to be put before `PATH`.
    pub fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// The folder of KubeRay's CustomResourceDefinitions.
    pub fn crds(&self) -> PathBuf {
        self.folder.join("crds")
    }

    /// How nodes, pods and volumes live; for kwok.
    pub(super) fn stages(&self) -> PathBuf {
        self.folder.join("stages.yaml")
    }
}

/// The tools, or `None` where they are not: then the caller's test is skipped, by name.
///
/// # Panics
/// In CI, if they are not there.
pub fn find(test: &str) -> Option<Tools> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = || named("RAYPLAT_CI_CACHE").or_else(|| Some(named("HOME")?.join(".cache/rayplat")));
    let folder = named("RAYPLAT_TEST_TOOLS").or_else(|| Some(cache()?.join("kubernetes")));
    if let Some(folder) = folder.filter(|folder| complete(folder)) {
        return Some(Tools { folder });
    }
    assert!(std::env::var_os("CI").is_none(), "{test}: CI needs what integration-tests/kubernetes/install.sh builds");
    skipped(test, "there is no Kubernetes; integration-tests/kubernetes/install.sh builds one (it needs Go)");
    None
}

/// The stamp is written last.
fn complete(folder: &Path) -> bool {
    folder.join("stamp").is_file() && folder.join("stages.yaml").is_file()
}
