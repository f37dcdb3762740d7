//! Helm's hooks: objects that are made at a moment in a release's life.
//! Source: <https://helm.sh/docs/topics/charts_hooks/>

use std::collections::BTreeMap;

use super::{Hook, HookDelete, HookEvent, RenderedObject, order::rank};

/// What an object is in the life of a chart.
pub(super) enum Kind {
    /// It stands as long as the chart does.
    Object,
    /// We do not run it; why.
    Skipped(String),
    /// It is made for a moment.
    Hook { events: Vec<HookEvent>, weight: i32, delete: Vec<HookDelete> },
}

/// By the annotations, as Helm reads them: in any case, separated by commas.
pub(super) fn of(object: &RenderedObject, annotations: &BTreeMap<String, String>) -> Kind {
    let words = |name: &str| -> Vec<String> {
        let list = annotations.get(name).map(String::as_str).unwrap_or_default();
        list.split(',').map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty()).collect()
    };
    if !annotations.contains_key("helm.sh/hook") {
        return Kind::Object;
    }
    let named = words("helm.sh/hook");
    let mut events: Vec<_> = named.iter().filter_map(|word| event(word)).collect();
    events.sort_unstable();
    events.dedup();
    if events.is_empty() {
        let tests = named.iter().any(|word| word.starts_with("test"));
        let why = if tests { "it tests a release" } else { "only hooks of installs and upgrades are run" };
        return Kind::Skipped(format!("it is a hook ({}), and {why}", named.join(", ")));
    }
    if object.kind == "CustomResourceDefinition" {
        // Its custom resources would have nothing to stand on between two runs.
        return Kind::Object;
    }
    // As in Helm, what is no number is 0.
    let weight = annotations.get("helm.sh/hook-weight").and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let mut delete: Vec<_> = words("helm.sh/hook-delete-policy").iter().filter_map(|word| policy(word)).collect();
    delete.sort_unstable();
    delete.dedup();
    if delete.is_empty() {
        delete.push(HookDelete::BeforeCreation);
    }
    Kind::Hook { events, weight, delete }
}

fn event(word: &str) -> Option<HookEvent> {
    Some(match word {
        "pre-install" => HookEvent::PreInstall,
        "post-install" => HookEvent::PostInstall,
        "pre-upgrade" => HookEvent::PreUpgrade,
        "post-upgrade" => HookEvent::PostUpgrade,
        _ => return None,
    })
}

fn policy(word: &str) -> Option<HookDelete> {
    Some(match word {
        "before-hook-creation" => HookDelete::BeforeCreation,
        "hook-succeeded" => HookDelete::Succeeded,
        "hook-failed" => HookDelete::Failed,
        _ => return None,
    })
}

/// The order in which Helm runs them: by weight, then name, then kind.
/// Source: helm.sh/helm/v4, `pkg/action/hooks.go`, `hookByWeight`.
pub(super) fn sort(hooks: &mut [Hook]) {
    hooks.sort_by(|a, b| {
        let key =
            |hook: &'_ Hook| (hook.weight, hook.object.name.clone(), rank(&hook.object.kind), hook.object.kind.clone());
        key(a).cmp(&key(b))
    });
}
