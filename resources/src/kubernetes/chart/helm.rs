//! The `helm` program: where it is, whether it will do, and how it is run.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tokio::process::Command;

use super::{ChartError, ChartProblem};

/// The oldest that is supported: every flag used here is there, and older ones are not tried.
const OLDEST: (u32, u32) = (3, 14);

const INSTALL: &str = "Install Helm 3.14 or newer (https://helm.sh/docs/intro/install/) so that `helm` is on the PATH, \
                       or name it in RAYPLAT_HELM.";

/// What of this process's environment a way out to a repository may need; nothing else of it
/// reaches Helm. The last three hold log-ins to private registries.
const NETWORK: [&str; 11] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HELM_REGISTRY_CONFIG",
    "HELM_REPOSITORY_CONFIG",
    "DOCKER_CONFIG",
];

/// Where to look for Helm.
#[derive(Debug, Clone, Default)]
pub struct HelmEnvironment {
    /// This program and no other.
    pub program: Option<PathBuf>,
    /// Folders to look through, as in `PATH`.
    pub path: OsString,
    /// Variables for fetching: proxies, certificates, log-ins.
    pub network: Vec<(OsString, OsString)>,
}

impl HelmEnvironment {
    /// By `RAYPLAT_HELM`, `PATH` and what else this process's environment says.
    pub fn from_env() -> Self {
        let network = NETWORK.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        Self {
            program: std::env::var_os("RAYPLAT_HELM").filter(|name| !name.is_empty()).map(PathBuf::from),
            path: std::env::var_os("PATH").unwrap_or_default(),
            network: network.collect(),
        }
    }
}

/// A `helm` that will do.
#[derive(Debug, Clone)]
pub struct Helm {
    program: PathBuf,
    version: String,
    path: OsString,
    network: Vec<(OsString, OsString)>,
}

impl Helm {
    /// Finds Helm and asks it for its version.
    ///
    /// # Errors
    /// There is none, or it is too old; both say how to install one.
    pub async fn find(environment: &HelmEnvironment) -> Result<Self, ChartError> {
        let program = match &environment.program {
            Some(program) if is_file(program) => program.clone(),
            Some(program) => {
                let message = format!("RAYPLAT_HELM is {}, which is no file", program.display());
                return Err(ChartError::new(ChartProblem::NoHelm, message, INSTALL));
            }
            None => std::env::split_paths(&environment.path)
                .map(|folder| folder.join("helm"))
                .find(|program| is_file(program))
                .ok_or_else(|| ChartError::new(ChartProblem::NoHelm, "there is no `helm` on the PATH", INSTALL))?,
        };
        let mut helm = Self {
            program,
            version: String::new(),
            path: environment.path.clone(),
            network: environment.network.clone(),
        };
        let home = scratch()?;
        let args = ["version", "--template", "{{.Version}}"].map(OsStr::new);
        let output = helm.output(&args, home.path(), false).await?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match parse_version(&said) {
            Some(version) if output.status.success() && version >= OLDEST => helm.version = said,
            _ => return Err(helm.unfit(&said, &output)),
        }
        Ok(helm)
    }

    /// Its version, as it says it: `v4.3`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs Helm; `Err` has what it wrote to its standard error.
    pub(super) async fn run<S: AsRef<OsStr>>(
        &self,
        args: &[S],
        home: &Path,
        network: bool,
    ) -> Result<Result<String, String>, ChartError> {
        let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        let output = self.output(&args, home, network).await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Ok(Err(if said.is_empty() { format!("helm ended with {}", output.status) } else { said }));
        }
        Ok(String::from_utf8(output.stdout).map_err(|_| "helm wrote what is not UTF-8".to_owned()))
    }

    /// No shell, nothing of the caller's environment but what is named here, and no Helm settings
    /// but those in `home`: two machines render the same.
    async fn output(&self, args: &[&OsStr], home: &Path, network: bool) -> Result<Output, ChartError> {
        let mut command = Command::new(&self.program);
        command.args(args).env_clear().env("PATH", &self.path).env("HOME", home).current_dir(home);
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, home.join(name));
        }
        if network {
            command.envs(self.network.iter().map(|(name, value)| (name, value)));
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command.output().await.map_err(|error| {
            let message = format!("{} cannot be run: {error}", self.program.display());
            ChartError::new(ChartProblem::NoHelm, message, INSTALL)
        })
    }

    fn unfit(&self, said: &str, output: &Output) -> ChartError {
        let program = self.program.display();
        let error = String::from_utf8_lossy(&output.stderr);
        let error = error.lines().next().unwrap_or_default();
        let (major, minor) = OLDEST;
        let message = match parse_version(said) {
            Some(_) => format!("{program} is Helm {said}; version {major}.{minor} or newer is needed"),
            None => {
                format!("{program} does not say which version of Helm it is: `{said}` {error}").trim_end().to_owned()
            }
        };
        ChartError::new(ChartProblem::OldHelm, message, INSTALL)
    }
}

/// A folder for one run of Helm, that nobody else can read; gone with the value.
pub(super) fn scratch() -> Result<tempfile::TempDir, ChartError> {
    tempfile::Builder::new().prefix("rayplat-chart-").tempdir().map_err(|error| {
        let message = format!("no temporary folder can be made for Helm: {error}");
        ChartError::new(ChartProblem::Disk, message, "Make room in the temporary folder, or name another in TMPDIR.")
    })
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file())
}

/// `v3.14.2+g1234`, `v4.3`: major and minor.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim_start_matches('v').split(['.', '+', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A folder with a `helm` that runs this script.
    fn fake(script: &str) -> (tempfile::TempDir, HelmEnvironment) {
        let folder = tempfile::tempdir().unwrap();
        // Written by another process: this one forks, and whoever has a file open for writing
        // while it does keeps it from being run.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > helm && chmod 755 helm";
        let mut shell = std::process::Command::new("sh");
        let status = shell.args(["-c", write, "sh", script]).current_dir(&folder).status().unwrap();
        assert!(status.success());
        let mut path = folder.path().as_os_str().to_owned();
        path.push(":/usr/bin:/bin");
        (folder, HelmEnvironment { path, ..HelmEnvironment::default() })
    }

    #[tokio::test]
    async fn helm_is_found_on_the_path_and_sees_nothing_of_our_environment() {
        let (folder, mut environment) = fake("[ \"$1\" = version ] && echo v3.14.4+g81c902a && exit 0; env");
        environment.network = vec![("HTTPS_PROXY".into(), "http://proxy:3128".into())];
        let helm = Helm::find(&environment).await.unwrap();
        assert_eq!(helm.version(), "v3.14.4+g81c902a");
        let seen = helm.run(&["template"], folder.path(), false).await.unwrap().unwrap();
        let home = folder.path().display();
        for variable in ["HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            assert!(seen.contains(&format!("{variable}={home}")), "{seen}");
        }
        assert!(!seen.contains("CARGO") && !seen.contains("PROXY"), "{seen}");
        let seen = helm.run(&["pull"], folder.path(), true).await.unwrap().unwrap();
        assert!(seen.contains("HTTPS_PROXY=http://proxy:3128"), "{seen}");
    }

    #[tokio::test]
    async fn an_old_helm_is_told_from_none_and_from_what_is_none() {
        let (_old, environment) = fake("echo v3.9.0");
        let error = Helm::find(&environment).await.unwrap_err();
        assert_eq!(error.problem, ChartProblem::OldHelm);
        assert!(error.message.contains("is Helm v3.9.0; version 3.14 or newer is needed"), "{}", error.message);
        assert!(error.hint.contains("https://helm.sh/docs/intro/install/"));

        let (_broken, environment) = fake("echo oh no >&2; exit 3");
        let error = Helm::find(&environment).await.unwrap_err();
        assert!(error.message.ends_with("does not say which version of Helm it is: `` oh no"), "{}", error.message);

        let nowhere = HelmEnvironment { path: "/nowhere".into(), ..HelmEnvironment::default() };
        assert_eq!(Helm::find(&nowhere).await.unwrap_err().message, "there is no `helm` on the PATH");
        let named = HelmEnvironment { program: Some("/nowhere/helm".into()), ..nowhere };
        let error = Helm::find(&named).await.unwrap_err();
        assert_eq!(error.message, "RAYPLAT_HELM is /nowhere/helm, which is no file");
    }

    #[tokio::test]
    async fn what_helm_complains_of_is_handed_on() {
        let (folder, environment) = fake("[ \"$1\" = version ] && echo v4.3 && exit 0; echo 'Error: no' >&2; exit 1");
        let helm = Helm::find(&environment).await.unwrap();
        assert_eq!(helm.run(&["pull"], folder.path(), true).await.unwrap(), Err("Error: no".to_owned()));
    }

    #[test]
    fn versions_are_read_as_helm_3_and_4_write_them() {
        assert_eq!(parse_version("v4.3"), Some((4, 3)));
        assert_eq!(parse_version("v3.14.2+gc309b6f"), Some((3, 14)));
        assert_eq!(parse_version("v3.9.0"), Some((3, 9)));
        assert_eq!(parse_version("helm"), None);
        assert!((4, 0) >= OLDEST && (3, 9) < OLDEST);
    }
}
