//! Fields that an import keeps as they stand.

use rayplat_engine::plan::{Kept, diff::Effect};
use serde_json::Value;

/// `ami_type stays "AL2_x86_64_GPU", the manifest wants "AL2023_x86_64_NVIDIA"`.
pub fn line(kept: &Kept) -> String {
    let value = if kept.value.is_null() { "unset".to_owned() } else { kept.value.to_string() };
    let wanted = kept.wanted.as_ref().map_or_else(|| "it unset".to_owned(), ToString::to_string);
    let needs = if kept.effect == Effect::Replace { " (needs a new object)" } else { "" };
    format!("{} stays {}, the manifest wants {}{needs}", kept.path, short(&value), short(&wanted))
}

/// Documents are long; what they are is in the state.
fn short(text: &str) -> String {
    const MOST: usize = 100;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let head: String = text.chars().take(MOST).collect();
    format!("{head}...")
}

/// All of a plan's, by resource; nothing if there are none.
pub fn lines(kept: &[Kept]) -> Vec<String> {
    if kept.is_empty() {
        return Vec::new();
    }
    let mut lines =
        vec![String::new(), "Kept as it stands (`rayplat import --release ADDRESS[:FIELD]` lets go):".to_owned()];
    let mut last = None;
    for kept in kept {
        if last != Some(&kept.urn) {
            lines.push(format!("  {}", kept.urn));
        }
        last = Some(&kept.urn);
        lines.push(format!("    {}", line(kept)));
    }
    lines
}

/// For JSON lines.
pub fn json(kept: &[Kept]) -> Value {
    serde_json::to_value(kept).unwrap_or_default()
}
