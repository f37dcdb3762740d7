//! `rayplat output [NAME]`

use rayplat_engine::{
    store::Checkpoint,
    value::{Expr, Lookup, Planned, output_field},
};
use serde_json::{Map, Value};

use crate::{
    args::Global,
    exit::{Ending, Failure},
    report::{cost, out},
    setup,
};

pub async fn run(global: &Global, name: Option<&str>) -> Result<Ending, Failure> {
    let loaded = setup::manifest(&global.file)?;
    let state = setup::stored(global, "output").await?;
    let platform = setup::offline(global, &loaded, Some(&state))?;
    let mut outputs = evaluate(&platform.outputs, &state);
    outputs.insert("estimated_monthly_cost".to_owned(), cost::output(&platform.stack, &loaded.manifest.region)?);
    let Some(name) = name else {
        if global.json {
            out(&Value::Object(outputs).to_string());
        } else {
            let width = outputs.keys().map(String::len).max().unwrap_or_default();
            let below = format!("\n{:width$}  ", "");
            let shown =
                |value: &Value| if value.is_null() { "-".to_owned() } else { plain(value).replace('\n', &below) };
            outputs.iter().for_each(|(name, value)| out(&format!("{name:width$}  {}", shown(value))));
        }
        return Ok(Ending::Done);
    };
    let Some(value) = outputs.get(name) else {
        let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
        return Err(Failure::Usage {
            message: format!("there is no output `{name}`"),
            hint: format!("There are: {}.", names.join(", ")),
        });
    };
    out(&if global.json { value.to_string() } else { plain(value) });
    Ok(Ending::Done)
}

/// The outputs that can be known from the state; what is not known yet is left out.
pub fn evaluate(outputs: &[(String, Expr)], state: &Checkpoint) -> Map<String, Value> {
    let lookup = |urn: &_, field: &str| match state.current(urn) {
        Some(object) => {
            output_field(&object.outputs, field).map_or(Lookup::Unknown, |value| Lookup::Known(value.clone()))
        }
        None => Lookup::Unknown,
    };
    let known = outputs.iter().filter_map(|(name, expr)| match expr.eval(&lookup) {
        Ok(Planned::Known(value)) => Some((name.clone(), value)),
        _ => None,
    });
    known.collect()
}

/// As a person or a shell reads it: what is not there is empty, and an object that has a text
/// of its own shows that.
fn plain(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    value.as_str().or_else(|| value["text"].as_str()).map_or_else(|| value.to_string(), str::to_owned)
}
