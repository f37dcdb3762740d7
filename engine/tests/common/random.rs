//! Random stacks, in two versions, that an account can really be brought from one to the other.

use super::world::{Res, res, urn};

/// How one resource refers to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// By its id, in a field that can be changed.
    Dep,
    /// By its id, in a field whose change needs a new object.
    Parent,
    /// By its label, in a field whose change needs a new object.
    Label,
    /// By an output that may change with an update.
    Value,
    /// By an output that may change with an update, in a field whose change needs a new object.
    ValueParent,
    /// Waits for it.
    After,
    /// Waits for it when it is made.
    AfterCreate,
    /// Waits for it when it is made, and is changed before it.
    ChangedBefore,
}

const STYLES: [Style; 8] = [
    Style::Dep,
    Style::Parent,
    Style::Label,
    Style::Value,
    Style::ValueParent,
    Style::After,
    Style::AfterCreate,
    Style::ChangedBefore,
];
const KINDS: [&str; 7] = ["Thing", "Thing", "Fixed", "Slow", "Key", "Moody", "Look"];

/// One version of a resource. Links go to earlier resources, modulo their number.
#[derive(Debug, Clone)]
pub struct Version {
    pub present: bool,
    pub value: u8,
    pub key: u8,
    pub links: Vec<(u8, u8)>,
}

/// A resource in both versions.
#[derive(Debug, Clone)]
pub struct Spec {
    pub kind: u8,
    pub versions: [Version; 2],
}

impl Spec {
    fn kind(&self) -> &'static str {
        KINDS[usize::from(self.kind) % KINDS.len()]
    }

    fn links(&self, version: usize, at: usize) -> Vec<(usize, Style)> {
        if at == 0 || self.kind() == "Look" {
            return Vec::new();
        }
        let links = self.versions[version].links.iter();
        let mut links: Vec<_> =
            links.map(|(to, style)| (usize::from(*to) % at, STYLES[usize::from(*style) % STYLES.len()])).collect();
        links.sort_by_key(|(to, _)| *to);
        links.dedup_by_key(|(to, _)| *to);
        links
    }
}

/// A replacement that goes first cannot happen while something else refers to the object and
/// is only changed: no account allows that. So those that may go first are referred to only in
/// fields that take their owners along.
fn may_go_first(specs: &[Spec]) -> Vec<bool> {
    let mut first: Vec<bool> = Vec::new();
    for (at, spec) in specs.iter().enumerate() {
        let linked = (0..2).flat_map(|version| spec.links(version, at)).any(|(to, _)| first[to]);
        first.push(spec.kind() == "Fixed" || linked);
    }
    first
}

fn name(specs: &[Spec], at: usize) -> String {
    format!("{}/n{at}", specs[at].kind())
}

/// One version of the stack.
pub fn build(specs: &[Spec], version: usize) -> Vec<Res> {
    let first = may_go_first(specs);
    let mut resources = Vec::new();
    for (at, spec) in specs.iter().enumerate().filter(|(_, spec)| spec.versions[version].present) {
        let this = &spec.versions[version];
        let mut made = res(&name(specs, at)).value(&format!("v{}", this.value % 3)).key(&format!("k{}", this.key % 3));
        for (to, style) in spec.links(version, at) {
            if specs[to].versions[version].present {
                made = link(made, &name(specs, to), style, first[to]);
                if style == Style::ChangedBefore {
                    changed_before(&mut resources, &name(specs, to), &name(specs, at));
                }
            }
        }
        resources.push(made);
    }
    resources
}

/// The order of changes is the other way round than that of creations.
fn changed_before(resources: &mut [Res], then: &str, first: &str) {
    for made in resources.iter_mut().filter(|made| made.urn == urn(then)) {
        *made = made.clone().after_update(first);
    }
}

fn link(made: Res, to: &str, style: Style, goes_first: bool) -> Res {
    let changing = to.starts_with("Moody") || to.starts_with("Look");
    match style {
        Style::Dep | Style::Parent if to.starts_with("Look") => made.parent(to, "label"),
        Style::Dep if !goes_first => made.dep(to),
        Style::Dep | Style::Parent => made.parent(to, "id"),
        Style::Value if changing => made.value_of(to, "value"),
        Style::ValueParent if changing => made.parent(to, "value"),
        Style::Label | Style::Value | Style::ValueParent => made.parent(to, "label"),
        Style::After => made.after(to),
        Style::AfterCreate | Style::ChangedBefore => made.after_create(to),
    }
}

/// A random pair of versions.
pub fn specs(rng: &mut fastrand::Rng, most: usize) -> Vec<Spec> {
    (0..rng.usize(1..=most))
        .map(|_| {
            let mut first = version(rng);
            let mut second = first.clone();
            // Most resources keep most of what they are.
            match rng.u8(..8) {
                0 => second.value += 1,
                1 => second.key += 1,
                2 => second.present = false,
                3 => first.present = false,
                4 => second = version(rng),
                5 => second.links.truncate(1),
                _ => {}
            }
            Spec { kind: rng.u8(..), versions: [first, second] }
        })
        .collect()
}

fn version(rng: &mut fastrand::Rng) -> Version {
    let links = (0..rng.usize(..3)).map(|_| (rng.u8(..), rng.u8(..))).collect();
    Version { present: rng.u8(..10) > 0, value: rng.u8(..3), key: rng.u8(..3), links }
}
