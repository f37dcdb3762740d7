//! Kubernetes versions: what EKS allows from one to another, and how long changes of
//! clusters and node groups take. Pure.

use std::time::Duration;

use rayplat_engine::{provider::Refusal, value::Planned};
use serde_json::Value;

/// How many minor versions a kubelet may be behind the API server, which must never be
/// behind it. Source: <https://kubernetes.io/releases/version-skew-policy/>
const KUBELET_BEHIND: u32 = 3;

/// `35` of `1.35`.
pub(super) fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

/// A text member, if it is known.
fn text<'v>(inputs: &'v Planned, field: &str) -> Option<Option<&'v str>> {
    match inputs {
        Planned::Known(value) => Some(value[field].as_str()),
        Planned::Object(entries) => {
            let value = entries.iter().find(|(key, _)| key == field).map(|(_, value)| value);
            value.map_or(Some(None), |value| value.known().map(Value::as_str))
        }
        Planned::Unknown | Planned::List(_) => None,
    }
}

/// Why a cluster's inputs cannot become others.
pub(super) fn refuse_cluster(old: &Value, new: &Planned) -> Option<Refusal> {
    refuse_version(old["kubernetes_version"].as_str()?, text(new, "kubernetes_version")??)
        .or_else(|| refuse_key(old["secrets_key_arn"].as_str(), text(new, "secrets_key_arn")?))
        .or_else(|| refuse_mode(old["authentication_mode"].as_str()?, text(new, "authentication_mode")??))
}

/// One minor version up at a time. A rollback exists since 2026, within seven days of an
/// upgrade, and wants add-ons and nodes taken back before: it is no matter of one field.
/// Sources: <https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html>,
/// <https://docs.aws.amazon.com/eks/latest/userguide/rollback-cluster.html>
fn refuse_version(from: &str, to: &str) -> Option<Refusal> {
    let (old, new) = (minor(from)?, minor(to)?);
    if new > old + 1 {
        return Some(Refusal::new(
            format!("Kubernetes {from} cannot become {to} at once: EKS takes one minor version at a time"),
            format!(
                "Write cluster.kubernetes_version: \"1.{}\" and run `up`; then write the next, up to \"{to}\".",
                old + 1
            ),
        ));
    }
    (new < old).then(|| {
        Refusal::new(
            format!("Kubernetes {from} cannot become {to}: a cluster goes to newer versions only"),
            format!(
                "Write cluster.kubernetes_version: \"{from}\". To take an upgrade back within its seven days, follow EKS's guide \
                 (https://docs.aws.amazon.com/eks/latest/userguide/rollback-cluster.html), add-ons and nodes before the \
                 control plane; then write \"{to}\" here."
            ),
        )
    })
}

/// Encryption of secrets is switched on once and for good.
/// Source: <https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html>
fn refuse_key(old: Option<&str>, new: Option<&str>) -> Option<Refusal> {
    let old = old.filter(|old| Some(*old) != new)?;
    Some(Refusal::new(
        format!("its secrets are encrypted with {old}, and EKS can neither change that key nor take it off"),
        "Put the former key back (cluster.secrets_key_arn), or make a new cluster under another name.",
    ))
}

/// From CONFIG_MAP over API_AND_CONFIG_MAP to API, and never back.
/// Source: <https://docs.aws.amazon.com/eks/latest/userguide/setting-up-access-entries.html>
fn refuse_mode(old: &str, new: &str) -> Option<Refusal> {
    let rank = |mode| ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"].iter().position(|one| *one == mode);
    let (from, to) = (rank(old)?, rank(new)?);
    (to < from || to > from + 1).then(|| {
        Refusal::new(
            format!("its authentication mode cannot go from {old} to {new}"),
            "EKS goes from CONFIG_MAP to API_AND_CONFIG_MAP and from there to API, one at a time and never back.",
        )
    })
}

/// Why a cluster must not be destroyed as it stands.
pub(super) fn refuse_cluster_delete(old: &Value) -> Option<Refusal> {
    (old["deletion_protection"] == true).then(|| {
        Refusal::new(
            "its deletion protection is on: EKS would refuse to delete it",
            "Write cluster.deletion_protection: false, run `up`, and then run this again.",
        )
    })
}

/// Why a node group's inputs cannot become others: the control plane goes first, and nodes
/// that are too far behind it cannot follow.
pub(super) fn refuse_node_group(old: &Value, new: &Planned) -> Option<Refusal> {
    let (from, to) = (old["kubernetes_version"].as_str()?, text(new, "kubernetes_version")??);
    let (nodes, plane) = (minor(from)?, minor(to)?);
    (plane > nodes + KUBELET_BEHIND).then(|| {
        Refusal::new(
            format!(
                "its nodes run Kubernetes {from}, and nodes may be at most {KUBELET_BEHIND} minor versions behind a control \
                 plane, which goes to {to} before them"
            ),
            format!(
                "Write cluster.kubernetes_version: \"1.{}\" and run `up`, which brings the nodes there; then write the next.",
                plane - 1
            ),
        )
    })
}

/// True if `new` is an older version than `old`, number by number: `v1.9.1-eksbuild.2` is
/// older than `v1.10.0-eksbuild.1`.
pub(super) fn older(new: &str, old: &str) -> bool {
    numbers(new) < numbers(old)
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How long each kind of cluster update usually takes, one after another.
const CLUSTER_UPDATES: [(&[&str], Duration); 5] = [
    (&["kubernetes_version"], secs(690)),
    (&["secrets_key_arn"], secs(840)),
    (&["endpoint"], secs(240)),
    (&["subnet_ids", "security_group_ids"], secs(240)),
    (&["log_types", "authentication_mode"], secs(110)),
];

/// Settings that no component has to be told of.
const FLAG: Duration = secs(10);

/// How long a cluster's changes of these fields take.
pub(super) fn cluster_change<'p>(paths: impl Iterator<Item = &'p str>) -> Duration {
    let mut tops: Vec<&str> = paths.map(|path| path.split(['.', '[']).next().unwrap_or(path)).collect();
    tops.sort_unstable();
    tops.dedup();
    let known = |fields: &[&str]| tops.iter().any(|top| fields.contains(top));
    let long: Duration = CLUSTER_UPDATES.iter().filter(|(fields, _)| known(fields)).map(|(_, takes)| *takes).sum();
    let listed = |top: &&str| CLUSTER_UPDATES.iter().any(|(fields, _)| fields.contains(top));
    let flags = tops.iter().filter(|top| !listed(top) && **top != "tags").count();
    long + FLAG * u32::try_from(flags).unwrap_or(u32::MAX) + if tops.contains(&"tags") { secs(1) } else { secs(0) }
}

/// Labels, taints, sizes: no node is replaced.
const SETTINGS: Duration = secs(30);
/// A roll of a group without nodes.
const EMPTY_ROLL: Duration = secs(45);
/// A roll replaces nodes one batch after another.
const BATCH: Duration = secs(205);

/// How long a node group's change takes: a roll by batches of so many nodes at once.
pub(super) fn node_group_change(rolls: bool, nodes: u32, at_once: u32) -> Duration {
    match (rolls, nodes) {
        (false, _) => SETTINGS,
        (true, 0) => EMPTY_ROLL,
        (true, nodes) => BATCH * nodes.div_ceil(at_once.max(1)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn cluster(old: &Value, new: Value) -> Option<String> {
        refuse_cluster(old, &Planned::Known(new)).map(|refusal| refusal.reason)
    }

    #[test]
    fn versions_go_up_one_at_a_time() {
        let version = |version: &str| json!({"kubernetes_version": version});
        let step = |from, to| cluster(&version(from), version(to));
        assert_eq!(step("1.34", "1.35"), None);
        assert_eq!(step("1.35", "1.35"), None);
        assert_eq!(
            step("1.33", "1.35").unwrap(),
            "Kubernetes 1.33 cannot become 1.35 at once: EKS takes one minor version at a time"
        );
        assert_eq!(
            step("1.35", "1.34").unwrap(),
            "Kubernetes 1.35 cannot become 1.34: a cluster goes to newer versions only"
        );
        let cure = refuse_cluster(&version("1.32"), &Planned::Known(version("1.35"))).unwrap().hint;
        assert!(cure.contains("\"1.33\"") && cure.contains("\"1.35\""), "{cure}");
    }

    #[test]
    fn secrets_are_encrypted_once() {
        let key = |key: Option<&str>| json!({"kubernetes_version": "1.35", "secrets_key_arn": key});
        assert_eq!(cluster(&key(None), key(Some("b"))), None);
        assert_eq!(cluster(&key(Some("a")), key(Some("a"))), None);
        for new in [None, Some("b")] {
            assert!(cluster(&key(Some("a")), key(new)).unwrap().contains("encrypted with a"));
        }
        // A key that is yet to be made is not known to be another one.
        let unknown = Planned::Object(vec![
            ("kubernetes_version".into(), Planned::Known(json!("1.35"))),
            ("secrets_key_arn".into(), Planned::Unknown),
        ]);
        assert_eq!(refuse_cluster(&key(Some("a")), &unknown), None);
    }

    #[test]
    fn access_goes_to_the_api_step_by_step() {
        let step = |old: &str, new: &str| {
            let mode = |mode: &str| json!({"kubernetes_version": "1.35", "authentication_mode": mode});
            cluster(&mode(old), mode(new)).is_some()
        };
        assert!(!step("CONFIG_MAP", "API_AND_CONFIG_MAP") && !step("API_AND_CONFIG_MAP", "API"));
        assert!(step("CONFIG_MAP", "API") && step("API", "CONFIG_MAP") && step("API_AND_CONFIG_MAP", "CONFIG_MAP"));
    }

    #[test]
    fn nodes_are_three_behind_at_most() {
        let nodes = |old: &str, new: &str| {
            let version = |version: &str| json!({"kubernetes_version": version});
            refuse_node_group(&version(old), &Planned::Known(version(new)))
        };
        assert_eq!(nodes("1.32", "1.35"), None);
        let refusal = nodes("1.32", "1.36").unwrap();
        assert!(refusal.reason.starts_with("its nodes run Kubernetes 1.32"), "{}", refusal.reason);
        assert!(refusal.hint.contains("\"1.35\""), "{}", refusal.hint);
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(older("v1.9.1-eksbuild.2", "v1.10.0-eksbuild.1"));
        assert!(older("1.35.0-20260901", "1.35.0-20261112"));
        assert!(!older("v1.21.1-eksbuild.1", "v1.21.1-eksbuild.1"));
    }

    #[test]
    fn a_change_takes_as_long_as_its_updates_one_after_another() {
        let takes = |paths: &[&str]| cluster_change(paths.iter().copied()).as_secs();
        assert_eq!(takes(&["kubernetes_version"]), 690);
        assert_eq!(takes(&["endpoint.public", "endpoint.private", "support"]), 250);
        assert_eq!(takes(&["tags.Team"]), 1);
        let roll = |nodes, at_once| node_group_change(true, nodes, at_once).as_secs();
        assert_eq!([roll(0, 1), roll(3, 1), roll(10, 3)], [45, 615, 820]);
    }
}
