//! The difference between two sets of tags.

use super::Tags;

/// What turns one set of tags into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagChanges {
    /// Keys to take off.
    pub remove: Vec<String>,
    /// Tags to put on: new ones and those with another value.
    pub set: Tags,
}

/// The difference. Only what differs is sent: every tag call counts against the
/// service's rate. From the empty set, everything is put on.
pub fn tag_changes(old: &Tags, new: &Tags) -> TagChanges {
    TagChanges {
        remove: old.keys().filter(|key| !new.contains_key(*key)).cloned().collect(),
        set: new
            .iter()
            .filter(|(key, value)| old.get(*key) != Some(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_differences() {
        let old = tags(&[("gone", "1"), ("same", "2"), ("changed", "3")]);
        let new = tags(&[("same", "2"), ("changed", "4"), ("added", "5")]);
        let changes = tag_changes(&old, &new);
        assert_eq!(changes.remove, ["gone"]);
        assert_eq!(changes.set, tags(&[("added", "5"), ("changed", "4")]));
        assert_eq!(tag_changes(&new, &new), TagChanges { remove: vec![], set: Tags::new() });
    }
}
