//! From what a person types to a resource.

use crate::urn::Urn;

/// Why a name is no resource's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is called so.
    #[error("there is no resource `{name}`")]
    Unknown {
        /// What was typed.
        name: String,
        /// What may have been meant.
        nearest: Option<Urn>,
    },
    /// Several are called so.
    #[error("`{name}` may be any of {}", list(.candidates))]
    Ambiguous {
        /// What was typed.
        name: String,
        /// All of them, sorted.
        candidates: Vec<Urn>,
    },
}

fn list(urns: &[Urn]) -> String {
    urns.iter().map(Urn::as_str).collect::<Vec<_>>().join(", ")
}

impl NameError {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => Some(format!("Did you mean `{nearest}`?")),
            Self::Unknown { nearest: None, .. } => None,
            Self::Ambiguous { .. } => Some("Write the whole name.".to_owned()),
        }
    }
}

/// The resource that `name` means: a whole URN; or, where only one fits, the last part of
/// its kind in any case and its name (`cluster/main`), or its name alone (`main`).
///
/// # Errors
/// See [`NameError`].
pub fn resolve<'a>(urns: impl IntoIterator<Item = &'a Urn>, name: &str) -> Result<Urn, NameError> {
    let mut urns: Vec<&Urn> = urns.into_iter().collect();
    urns.sort();
    if let Some(urn) = urns.iter().find(|urn| urn.as_str() == name) {
        return Ok((*urn).clone());
    }
    let same = |text: &str| text.eq_ignore_ascii_case(name);
    let mut fit: Vec<Urn> = urns.iter().filter(|urn| same(&short(urn))).map(|urn| (*urn).clone()).collect();
    if fit.is_empty() {
        fit = urns.iter().filter(|urn| urn.name() == name).map(|urn| (*urn).clone()).collect();
    }
    match (fit.pop(), fit.is_empty()) {
        (Some(urn), true) => Ok(urn),
        (None, _) => Err(NameError::Unknown { name: name.to_owned(), nearest: nearest(&urns, name) }),
        (Some(last), false) => {
            fit.push(last);
            Err(NameError::Ambiguous { name: name.to_owned(), candidates: fit })
        }
    }
}

/// `Cluster/main` of `aws:eks:Cluster/main`.
fn short(urn: &Urn) -> String {
    let kind = urn.kind().rsplit(':').next().unwrap_or_default();
    format!("{kind}/{}", urn.name())
}

/// The resource whose name in any form is the least changes away, if it is near at all.
fn nearest(urns: &[&Urn], name: &str) -> Option<Urn> {
    let name = name.to_ascii_lowercase();
    let away = |urn: &Urn| {
        let forms = [urn.as_str().to_owned(), short(urn), urn.name().to_owned()];
        forms.iter().map(|form| distance(&form.to_ascii_lowercase(), &name)).min().unwrap_or(usize::MAX)
    };
    let near = urns.iter().map(|urn| (away(urn), *urn)).min()?;
    (near.0 <= 1 + name.chars().count() / 3).then(|| near.1.clone())
}

/// How many letters must be added, dropped or changed to get from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(name: &str) -> Result<String, NameError> {
        let urns: Vec<Urn> =
            ["aws:eks:Cluster/main", "aws:eks:NodeGroup/cpu", "aws:ec2:LaunchTemplate/cpu", "aws:iam:Role/a/b"]
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
        resolve(&urns, name).map(|urn| urn.to_string())
    }

    #[test]
    fn the_whole_name_or_an_unambiguous_short_one() {
        for name in ["aws:eks:Cluster/main", "cluster/main", "Cluster/main", "main"] {
            assert_eq!(found(name).unwrap(), "aws:eks:Cluster/main");
        }
        assert_eq!(found("nodegroup/cpu").unwrap(), "aws:eks:NodeGroup/cpu");
        assert_eq!(found("role/a/b").unwrap(), "aws:iam:Role/a/b");
        let error = found("cpu").unwrap_err();
        assert_eq!(error.to_string(), "`cpu` may be any of aws:ec2:LaunchTemplate/cpu, aws:eks:NodeGroup/cpu");
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let hint = |name| found(name).unwrap_err().hint();
        assert_eq!(found("cluter/main").unwrap_err().to_string(), "there is no resource `cluter/main`");
        assert_eq!(hint("cluter/main").as_deref(), Some("Did you mean `aws:eks:Cluster/main`?"));
        assert_eq!(hint("NodeGroup/gpu").as_deref(), Some("Did you mean `aws:eks:NodeGroup/cpu`?"));
        assert_eq!(hint("something/else"), None);
    }

    #[test]
    fn distances() {
        assert_eq!(
            [("", ""), ("a", ""), ("kitten", "sitting"), ("ab", "ba")].map(|(a, b)| distance(a, b)),
            [0, 1, 3, 2]
        );
    }
}
