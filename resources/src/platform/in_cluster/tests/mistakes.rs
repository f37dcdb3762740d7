//! What scanners of manifests find is absent or in the table, and the table has nothing else.

use std::collections::BTreeSet;

use super::*;
use crate::kubernetes::sanity::{EXPLAINED, Row, explanation, findings, numbers, pods};

/// Kind, name, and what is wrong.
type Mistake = (String, String, String);

fn mistakes(objects: &[Value]) -> Vec<Mistake> {
    let mut found = Vec::new();
    for object in objects {
        let namespace = text(object, "/metadata/namespace");
        let budgets: Vec<&Value> = of_kind(objects, "PodDisruptionBudget")
            .filter(|budget| text(budget, "/metadata/namespace") == namespace)
            .collect();
        for what in [findings(object), numbers(object, &budgets)].concat() {
            found.push((text(object, "/kind").to_owned(), text(object, "/metadata/name").to_owned(), what));
        }
    }
    let with_pods = objects.iter().filter(|object| !pods(object).is_empty());
    let inhabited: BTreeSet<&str> = with_pods.map(|object| text(object, "/metadata/namespace")).collect();
    let guarded: BTreeSet<&str> =
        of_kind(objects, "NetworkPolicy").map(|policy| text(policy, "/metadata/namespace")).collect();
    let open = inhabited.difference(&guarded);
    found.extend(open.map(|name| ("Namespace".to_owned(), (*name).to_owned(), "has no NetworkPolicy".to_owned())));
    found
}

#[test]
fn every_mistake_is_explained_and_every_explanation_needed() {
    let mut needed: BTreeSet<&Row> = BTreeSet::new();
    let mut unexplained = BTreeSet::new();
    for more in EVERYTHING {
        for (kind, name, what) in mistakes(&objects(more)) {
            match explanation(&kind, &name, &what) {
                Some(row) => drop(needed.insert(row)),
                None => drop(unexplained.insert(format!("{kind} {name} {what}"))),
            }
        }
    }
    assert_eq!(unexplained, BTreeSet::new());
    let stale: Vec<&Row> = EXPLAINED.iter().filter(|row| !needed.contains(row)).collect();
    assert_eq!(stale, Vec::<&Row>::new(), "explanations that explain nothing");
}

#[test]
fn what_is_taken_away_is_missed() {
    let whole = objects(EVERYTHING[0]);
    let said = |objects: &[Value], what: &str| mistakes(objects).iter().any(|mistake| mistake.2.contains(what));
    let without =
        |kind: &str| -> Vec<Value> { whole.iter().filter(|object| object["kind"] != kind).cloned().collect() };
    assert!(!said(&whole, "may all go at once"));
    assert!(said(&without("PodDisruptionBudget"), "may all go at once: workers of cpu"));
    let open = mistakes(&without("NetworkPolicy"));
    for namespace in ["ray", "kuberay-system", "velero"] {
        let mistake = ("Namespace".to_owned(), namespace.to_owned(), "has no NetworkPolicy".to_owned());
        assert!(open.contains(&mistake), "{namespace}");
    }
}
