//! Where a manifest comes from: what the tags `Repository` and `Commit` say.
//!
//! Both are noted for people who look at the account, and neither may cost anything: the
//! repository stands on everything that can be tagged in place, the commit on the cluster
//! alone, one tag on one object for each new commit. Instances get neither, because their
//! tags stand in launch templates, and a changed template rolls the nodes.

/// What is known of the repository that a manifest is kept in. Whoever calls finds it out; a
/// tag of that name in the manifest goes before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// E.g. `ml/platform`.
    pub repository: Option<String>,
    /// The commit's hash.
    pub commit: Option<String>,
}

impl Source {
    /// From the URL of a repository, or its short name, and a commit's hash. Of a URL only the
    /// path is kept: it may hold somebody's token. What no tag can hold is left out.
    #[must_use]
    pub fn new(repository: Option<&str>, commit: Option<&str>) -> Self {
        let commit =
            commit.map(str::trim).filter(|hash| hash.len() >= 7 && hash.chars().all(|c| c.is_ascii_hexdigit()));
        Self { repository: repository.and_then(short_name), commit: commit.map(str::to_lowercase) }
    }
}

/// `git@host:owner/name.git`, `https://host/owner/name` and `owner/name` are all `owner/name`.
fn short_name(url: &str) -> Option<String> {
    let url = url.trim();
    let path = match (url.split_once("://"), url.split_once(':')) {
        (Some((_, rest)), _) => rest.split_once('/')?.1,
        (None, Some((_, path))) => path,
        (None, None) => url,
    };
    let name = path.trim_matches('/').trim_end_matches(".git");
    // Tag values, see the manifest's check of tags.
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.:/=+-@".contains(c);
    (!name.is_empty() && name.len() <= 256 && name.chars().all(fits)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_repository_gives_one_name() {
        for url in [
            "ml/platform",
            "git@github.com:ml/platform.git",
            "ssh://git@example.com:2222/ml/platform.git",
            "https://github.com/ml/platform",
            "https://x-access-token:secret@github.com/ml/platform.git/",
        ] {
            assert_eq!(Source::new(Some(url), None).repository.as_deref(), Some("ml/platform"), "{url}");
        }
        for url in ["", "https://github.com", "https://github.com/", "a b", "/"] {
            assert_eq!(Source::new(Some(url), None).repository, None, "{url}");
        }
    }

    #[test]
    fn a_commit_is_a_hash() {
        let commit = |text| Source::new(None, Some(text)).commit;
        assert_eq!(commit("0F1EA4D\n").as_deref(), Some("0f1ea4d"));
        assert_eq!((commit("HEAD"), commit("abc"), commit("")), (None, None, None));
    }
}
