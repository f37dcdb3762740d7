//! `metadata.managedFields`: who owns which fields.

use serde_json::{Value, json};

use super::{Set, Types, Untyped, compare, field_set, merge, prune};

/// Who writes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rehearsal::kubernetes) struct Writer {
    pub name: String,
    /// `Apply` or `Update`.
    pub operation: &'static str,
    /// E.g. `apps/v1`.
    pub api_version: String,
    /// `status`, `scale` or empty.
    pub subresource: String,
    /// RFC 3339.
    pub time: String,
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::rehearsal::kubernetes) struct Manager {
    pub name: String,
    pub operation: String,
    pub api_version: String,
    pub subresource: String,
    pub time: String,
    pub fields: Set,
}

/// All entries of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::rehearsal::kubernetes) struct Managers(pub Vec<Manager>);

/// A field that another manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rehearsal::kubernetes) struct Conflict {
    /// As the API server shows it: `"kubectl-edit" using apps/v1`.
    pub manager: String,
    /// `.spec.replicas`
    pub field: String,
}

/// Why something cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rehearsal::kubernetes) enum Refusal {
    /// Others own fields.
    Conflicts(Vec<Conflict>),
    /// It does not fit its type.
    Untyped(Untyped),
}

impl Manager {
    fn is(&self, writer: &Writer) -> bool {
        self.name == writer.name
            && self.operation == writer.operation
            && self.subresource == writer.subresource
            // An applier is one whatever version it applies.
            && (writer.operation == "Apply" || self.api_version == writer.api_version)
    }

    fn shown(&self) -> String {
        let mut shown = format!("\"{}\"", self.name);
        if !self.subresource.is_empty() {
            shown.push_str(&format!(" with subresource \"{}\"", self.subresource));
        }
        if self.operation == "Update" {
            shown.push_str(&format!(" using {}", self.api_version));
        }
        shown
    }
}

impl Managers {
    /// The entries of an object.
    pub fn of(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        Self(
            entries
                .map(|entry| Manager {
                    name: text(entry, "manager"),
                    operation: text(entry, "operation"),
                    api_version: text(entry, "apiVersion"),
                    subresource: text(entry, "subresource"),
                    time: text(entry, "time"),
                    fields: Set::from_json(&entry["fieldsV1"]),
                })
                .collect(),
        )
    }

    /// As `metadata.managedFields` has them: appliers first, then by time and name.
    pub fn to_json(&self) -> Value {
        let mut entries: Vec<&Manager> = self.0.iter().collect();
        entries.sort_by_key(|entry| (entry.operation.clone(), entry.time.clone(), entry.name.clone()));
        let shown = entries.into_iter().map(|entry| {
            let mut shown = json!({
                "manager": entry.name,
                "operation": entry.operation,
                "apiVersion": entry.api_version,
                "fieldsType": "FieldsV1",
                "fieldsV1": entry.fields.to_json(),
            });
            if !entry.time.is_empty() {
                shown["time"] = json!(entry.time);
            }
            if !entry.subresource.is_empty() {
                shown["subresource"] = json!(entry.subresource);
            }
            shown
        });
        Value::Array(shown.collect())
    }

    /// Everything that anybody owns.
    fn owned(&self) -> Set {
        self.0.iter().fold(Set::default(), |all, manager| all.union(&manager.fields))
    }

    /// Applies `config` over `live` for `writer`, and gives what stands then.
    pub fn apply(
        &mut self,
        live: &Value,
        config: &Value,
        types: Types<'_>,
        writer: &Writer,
        strip: impl Fn(&mut Set),
        force: bool,
    ) -> Result<Value, Refusal> {
        let merged = merge(live, config, types, "").map_err(Refusal::Untyped)?;
        let mut set = field_set(config, types);
        strip(&mut set);
        let before = self.clone();
        let at = self.0.iter().position(|manager| manager.is(writer));
        let last = at.map(|at| self.0.remove(at));
        self.0.push(Manager {
            name: writer.name.clone(),
            operation: writer.operation.to_owned(),
            api_version: writer.api_version.clone(),
            subresource: writer.subresource.clone(),
            time: writer.time.clone(),
            fields: set,
        });
        let pruned = match &last {
            Some(last) => prune(&merged, &last.fields, &self.owned(), types),
            None => merged,
        };
        if let Err(conflicts) = self.settle(live, &pruned, types, writer, &strip, force) {
            *self = before;
            return Err(Refusal::Conflicts(conflicts));
        }
        // The time is that of the last change of the object; who changed nothing yet has none.
        if pruned == *live
            && let Some(mine) = self.0.iter_mut().find(|manager| manager.is(writer))
        {
            mine.time = last.map(|last| last.time).unwrap_or_default();
        }
        self.0.retain(|manager| !manager.fields.is_empty());
        Ok(pruned)
    }

    /// `writer` has put `new` in place of `live`: what it changed is its own from now on.
    pub fn update(&mut self, live: &Value, new: &Value, types: Types<'_>, writer: &Writer, strip: impl Fn(&mut Set)) {
        let mut differences = compare(live, new, types);
        for set in [&mut differences.added, &mut differences.modified, &mut differences.removed] {
            strip(set);
        }
        let gained = differences.added.union(&differences.modified);
        for manager in self.0.iter_mut().filter(|manager| !manager.is(writer)) {
            manager.fields = manager.fields.difference(&gained).difference(&differences.removed);
        }
        let at = self.0.iter().position(|manager| manager.is(writer));
        let mut mine = match at {
            Some(at) => self.0.remove(at),
            None => Manager {
                name: writer.name.clone(),
                operation: writer.operation.to_owned(),
                api_version: writer.api_version.clone(),
                subresource: writer.subresource.clone(),
                time: writer.time.clone(),
                fields: Set::default(),
            },
        };
        let fields = mine.fields.difference(&differences.removed).union(&gained);
        if fields != mine.fields || !gained.is_empty() {
            mine.time.clone_from(&writer.time);
        }
        mine.fields = fields;
        self.0.push(mine);
        self.0.retain(|manager| !manager.fields.is_empty());
    }

    /// Others lose what changes, if that is forced; else it is a conflict.
    fn settle(
        &mut self,
        live: &Value,
        new: &Value,
        types: Types<'_>,
        writer: &Writer,
        strip: &impl Fn(&mut Set),
        force: bool,
    ) -> Result<(), Vec<Conflict>> {
        let mut differences = compare(live, new, types);
        for set in [&mut differences.added, &mut differences.modified, &mut differences.removed] {
            strip(set);
        }
        let changed = differences.added.union(&differences.modified);
        let mut conflicts = Vec::new();
        for manager in self.0.iter_mut().filter(|manager| !manager.is(writer)) {
            let contested = manager.fields.intersection(&changed);
            if force {
                manager.fields = manager.fields.difference(&contested);
            } else {
                let shown = manager.shown();
                conflicts.extend(contested.paths().into_iter().map(|field| Conflict { manager: shown.clone(), field }));
            }
            manager.fields = manager.fields.difference(&differences.removed);
        }
        conflicts.sort_by(|left, right| left.manager.cmp(&right.manager));
        if conflicts.is_empty() { Ok(()) } else { Err(conflicts) }
    }
}
