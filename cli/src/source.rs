//! The repository that a manifest is kept in: from git, or from what CI says of itself.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use rayplat_resources::platform::Source;

/// Repository and commit as CI systems call them in the environment.
const CI: [(&str, &str); 6] = [
    ("GITHUB_REPOSITORY", "GITHUB_SHA"),
    ("CI_PROJECT_PATH", "CI_COMMIT_SHA"),
    ("BITBUCKET_REPO_FULL_NAME", "BITBUCKET_COMMIT"),
    ("BUILD_REPOSITORY_URI", "BUILD_SOURCEVERSION"),
    ("CODEBUILD_SOURCE_REPO_URL", "CODEBUILD_RESOLVED_SOURCE_VERSION"),
    ("BUILDKITE_REPO", "BUILDKITE_COMMIT"),
];

/// What is known of the repository of this manifest; nothing is fine. Git's word goes first:
/// CI names the repository that it runs for, which need not be the manifest's.
pub fn find(manifest: &Path) -> Source {
    let folder = manifest.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let commit = git(folder, &["rev-parse", "--verify", "--quiet", "HEAD"]);
    if commit.is_some() {
        let origin = git(folder, &["config", "--get", "remote.origin.url"]);
        return Source::new(origin.as_deref(), commit.as_deref());
    }
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let found = CI.iter().find_map(|(repository, commit)| Some((set(repository), set(commit)?)));
    found.map_or_else(Source::default, |(repository, commit)| Source::new(repository.as_deref(), Some(&commit)))
}

fn git(folder: &Path, args: &[&str]) -> Option<String> {
    let ran = Command::new("git").arg("-C").arg(folder).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text = String::from_utf8(ran.ok().filter(|ran| ran.status.success())?.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
