//! Charts of repositories, kept in a cache folder: what was fetched once is rendered without a network.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{ChartError, ChartProblem, ChartSpec, Helm, helm::scratch, yaml};

/// A chart on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The archive, or the folder.
    pub path: PathBuf,
    /// `sha256:` and the digest of the archive; of a folder, that of its files.
    pub digest: String,
    /// The chart's name, as it says it.
    pub name: String,
    /// The chart's version, as it says it.
    pub version: String,
    /// The version of what it installs.
    pub app_version: Option<String>,
}

/// The chart that a specification names: from `cache`, else from its repository, else from its path.
///
/// # Errors
/// The repository cannot be reached, has no such chart or version, or the specification names no
/// exact version; the error says what to do.
pub async fn fetch(helm: &Helm, spec: &ChartSpec, cache: &Path) -> Result<Fetched, ChartError> {
    check(spec)?;
    let path = if spec.repository.is_empty() { local(spec)? } else { pulled(helm, spec, cache).await? };
    let digest = digest(&path)?;
    let home = scratch()?;
    let args = ["show".as_ref(), "chart".as_ref(), path.as_os_str()];
    let about = helm.run(&args, home.path(), false).await?.map_err(|said| unreadable(&path, spec, &said))?;
    let about = yaml::documents(&about).map_err(|error| unreadable(&path, spec, &error.to_string()))?;
    let about = about.into_iter().next().map_or(Value::Null, |document| document.value);
    let text = |key: &str| about[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let version = text("version").ok_or_else(|| unreadable(&path, spec, "its Chart.yaml names no version"))?;
    let name = text("name").ok_or_else(|| unreadable(&path, spec, "its Chart.yaml has no name"))?;
    if !spec.version.is_empty() && bare(&version) != bare(&spec.version) {
        let message = format!("{} is version {version} of {name}, not {}", path.display(), spec.version);
        return Err(ChartError::new(ChartProblem::Spec, message, "Name the version that the chart has."));
    }
    let app_version = about["appVersion"].as_str().map(str::to_owned).or_else(|| {
        // Written without quotes it is a number.
        about["appVersion"].as_number().map(ToString::to_string)
    });
    Ok(Fetched { path, digest, name, version, app_version })
}

fn bare(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

fn check(spec: &ChartSpec) -> Result<(), ChartError> {
    let refuse = |message: String, hint: &str| Err(ChartError::new(ChartProblem::Spec, message, hint));
    if spec.repository.is_empty() {
        return Ok(());
    }
    if !is_exact(&spec.version) {
        return refuse(
            format!("chart {}: `{}` is no exact version", spec.chart, spec.version),
            "Pin one version, as 1.7.0: a range would give another chart on another day.",
        );
    }
    let address = &spec.repository;
    let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|host| address.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])));
    if !(address.starts_with("https://") || address.starts_with("oci://") || loopback) {
        return refuse(
            format!("chart {}: its repository `{address}` is neither https:// nor oci://", spec.chart),
            "Over plain http anybody on the way could put another chart in its place.",
        );
    }
    if spec.chart.is_empty() || spec.chart.starts_with(['-', '/', '.']) || spec.chart.contains("://") {
        return refuse(format!("`{}` is no chart's name", spec.chart), "Name the chart as its repository does.");
    }
    Ok(())
}

/// Three numbers, with or without what semantic versioning lets follow.
/// Source: <https://semver.org/#backusnaur-form-grammar-for-valid-semver-versions>
fn is_exact(version: &str) -> bool {
    let numbers = bare(version).split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<_> = numbers.split('.').collect();
    parts.len() == 3
        && parts.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
        && version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))
}

/// The path of a chart that is no repository's.
fn local(spec: &ChartSpec) -> Result<PathBuf, ChartError> {
    let path = Path::new(&spec.chart);
    let found = path.canonicalize().map_err(|error| {
        let message = format!("there is no chart at {}: {error}", path.display());
        ChartError::new(ChartProblem::NotFound, message, "Name a chart's folder or .tgz, or its repository.")
    })?;
    if found.is_dir() && !found.join("Chart.yaml").is_file() {
        let message = format!("{} is no chart: it has no Chart.yaml", found.display());
        return Err(ChartError::new(ChartProblem::NotFound, message, "Name the folder that Chart.yaml is in."));
    }
    Ok(found)
}

/// The archive in the cache; pulled if it is not there yet.
/// Where a chart of a repository is kept.
fn place(spec: &ChartSpec, cache: &Path) -> PathBuf {
    // Two repositories may have charts of one name.
    let repository = hex::encode(Sha256::digest(spec.repository.trim_end_matches('/').as_bytes()));
    let name = spec.chart.replace('/', "-");
    cache.join(&repository[..16]).join(format!("{name}-{}.tgz", bare(&spec.version)))
}

/// Whether a chart can be had without a network.
pub fn is_cached(spec: &ChartSpec, cache: &Path) -> bool {
    spec.repository.is_empty() || place(spec, cache).is_file()
}

async fn pulled(helm: &Helm, spec: &ChartSpec, cache: &Path) -> Result<PathBuf, ChartError> {
    let path = place(spec, cache);
    let folder = path.parent().unwrap_or(cache).to_owned();
    if path.is_file() {
        return Ok(path);
    }
    let disk = |error: std::io::Error| {
        let message = format!("charts cannot be kept in {}: {error}", folder.display());
        ChartError::new(ChartProblem::Disk, message, "Make room, or name another cache folder (XDG_CACHE_HOME).")
    };
    fs::create_dir_all(&folder).map_err(disk)?;
    // Beside its place, so that the rename at the end is one step: half a chart is never in the cache.
    let partial = tempfile::Builder::new().prefix(".pull-").tempdir_in(&folder).map_err(disk)?;
    let home = scratch()?;
    let target = partial.path().to_string_lossy().into_owned();
    let mut args = vec!["pull".to_owned()];
    if spec.repository.starts_with("oci://") {
        args.push(format!("{}/{}", spec.repository.trim_end_matches('/'), spec.chart));
    } else {
        args.extend([spec.chart.clone(), "--repo".to_owned(), spec.repository.clone()]);
    }
    args.extend(["--version".to_owned(), spec.version.clone(), "--destination".to_owned(), target]);
    helm.run(&args, home.path(), true).await?.map_err(|said| refused(spec, &said))?;
    let archive = fs::read_dir(partial.path())
        .map_err(disk)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    let archive = archive.ok_or_else(|| refused(spec, "helm pulled it and left no archive"))?;
    fs::rename(archive, &path).map_err(disk)?;
    Ok(path)
}

/// Words by which Helm says that it did not get through; from its sources and those of Go's
/// `net`, `crypto/tls` and `x509`.
const UNREACHABLE: [&str; 14] = [
    "no such host",
    "connection refused",
    "connection reset",
    "cannot be reached",
    "could not find protocol handler",
    "i/o timeout",
    "deadline exceeded",
    "network is unreachable",
    "no route to host",
    "TLS handshake",
    "x509:",
    "proxyconnect",
    "server misbehaving",
    "EOF",
];

fn refused(spec: &ChartSpec, said: &str) -> ChartError {
    let what = format!("chart {} of {} cannot be fetched", spec.label(), spec.repository);
    // A repository without the version may be reached all the same.
    let problem = if UNREACHABLE.iter().any(|words| said.contains(words)) {
        ChartProblem::Network
    } else {
        ChartProblem::NotFound
    };
    let hint = match problem {
        ChartProblem::Network => {
            "Fetch it once where the network lets you out (behind a proxy set HTTPS_PROXY): it is kept, and rendered \
             without a network from then on. Or name a folder or .tgz of the chart."
        }
        _ => {
            "Look for the name and the version in the repository (`helm search repo`, `helm show chart`); a private \
             one needs a log-in (HELM_REGISTRY_CONFIG)."
        }
    };
    ChartError::new(problem, format!("{what}; helm says: {}", said.trim_start_matches("Error: ")), hint)
}

fn unreadable(path: &Path, spec: &ChartSpec, why: &str) -> ChartError {
    let hint = if spec.repository.is_empty() {
        "`helm lint` says what is wrong with it.".to_owned()
    } else {
        format!("Delete {}: it is fetched again then.", path.display())
    };
    let message = format!("{} is no chart that helm can read: {}", path.display(), why.trim_start_matches("Error: "));
    ChartError::new(ChartProblem::NotFound, message, hint)
}

/// The digest of an archive, or of the files of a folder: their paths, lengths and contents.
fn digest(path: &Path) -> Result<String, ChartError> {
    let disk = |error: std::io::Error| {
        let message = format!("{} cannot be read: {error}", path.display());
        ChartError::new(ChartProblem::Disk, message, "Mend its permissions.")
    };
    let mut hash = Sha256::new();
    if path.is_dir() {
        let mut files = Vec::new();
        list(path, &mut files).map_err(disk)?;
        files.sort();
        for file in files {
            let content = fs::read(&file).map_err(disk)?;
            let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
            hash.update(format!("{}\0{}\0", name, content.len()));
            hash.update(&content);
        }
    } else {
        hash.update(fs::read(path).map_err(disk)?);
    }
    Ok(format!("sha256:{}", hex::encode(hash.finalize())))
}

/// Files below a folder; none whose name, or whose folder's, begins with a dot.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // Links are not followed: one that leads up would never end.
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spec(repository: &str, chart: &str, version: &str) -> ChartSpec {
        ChartSpec::new("release", "ray", chart, repository, version, "1.35")
    }

    #[test]
    fn a_version_is_exact_or_refused() {
        for version in ["1.7.0", "v1.7.0", "1.7.0-rc.1", "0.27.6+build.3"] {
            assert!(check(&spec("https://charts.example", "demo", version)).is_ok(), "{version}");
        }
        for version in ["", "1.7", "^1.7.0", "1.7.x", ">=1.0.0", "1.7.0 || 2.0.0", "latest", "1..0"] {
            let error = check(&spec("https://charts.example", "demo", version)).unwrap_err();
            assert_eq!(error.message, format!("chart demo: `{version}` is no exact version"));
        }
    }

    #[test]
    fn a_repository_is_safe_or_refused() {
        for address in ["https://charts.example/x", "oci://registry.example/charts", "http://127.0.0.1:8080/x"] {
            assert!(check(&spec(address, "demo", "1.0.0")).is_ok(), "{address}");
        }
        for address in ["http://charts.example", "http://127.0.0.1.example", "git://x", "charts.example"] {
            assert_eq!(check(&spec(address, "demo", "1.0.0")).unwrap_err().problem, ChartProblem::Spec, "{address}");
        }
        for chart in ["", "--post-renderer=x", "/etc", "../x", "oci://elsewhere/x"] {
            assert!(check(&spec("https://charts.example", chart, "1.0.0")).is_err(), "{chart}");
        }
    }

    /// As Helm 4.3 says it.
    #[test]
    fn no_way_to_the_repository_is_told_from_no_such_version() {
        let of = |said: &str| refused(&spec("https://charts.example", "demo", "9.9.9"), said);
        let error = of("Error: looks like \"https://charts.example\" is not a valid chart repository or cannot be \
                        reached: Get \"https://charts.example/index.yaml\": dial tcp: lookup charts.example: no such host");
        assert_eq!(error.problem, ChartProblem::Network);
        assert!(
            error
                .message
                .starts_with("chart demo 9.9.9 of https://charts.example cannot be fetched; helm says: looks like")
        );
        assert!(error.hint.contains("HTTPS_PROXY"));
        let error = of("Error: chart \"demo\" version \"9.9.9\" not found in https://charts.example repository");
        assert_eq!(error.problem, ChartProblem::NotFound);
        assert!(
            error.message.ends_with(
                "helm says: chart \"demo\" version \"9.9.9\" not found in https://charts.example repository"
            )
        );
    }

    #[test]
    fn a_folders_digest_follows_names_and_contents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir_all(path.join("templates")).unwrap();
        fs::write(path.join("Chart.yaml"), "name: x").unwrap();
        fs::write(path.join("templates/a.yaml"), "a").unwrap();
        let first = digest(path).unwrap();
        assert!(first.starts_with("sha256:") && first.len() == 7 + 64);
        fs::write(path.join(".gitignore"), "x").unwrap();
        assert_eq!(digest(path).unwrap(), first);
        fs::rename(path.join("templates/a.yaml"), path.join("templates/b.yaml")).unwrap();
        let moved = digest(path).unwrap();
        assert_ne!(moved, first);
        fs::write(path.join("templates/b.yaml"), "b").unwrap();
        assert_ne!(digest(path).unwrap(), moved);
    }

    #[test]
    fn a_path_that_is_no_chart_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &Path| local(&spec("", &path.to_string_lossy(), "")).unwrap_err().message;
        assert!(at(&folder.path().join("none")).starts_with("there is no chart at "));
        assert!(at(folder.path()).ends_with("is no chart: it has no Chart.yaml"));
    }
}
