//! `rayplat state show`

use rayplat_engine::{
    store::{Checkpoint, Object},
    urn::Urn,
};

use crate::{args::Global, exit::Failure, report::out};

pub fn run(global: &Global, state: &Checkpoint, text: &str) -> Result<(), Failure> {
    let found: Vec<&Object> = match text.parse::<Urn>() {
        Ok(urn) => state.generations(&urn).collect(),
        Err(_) => Vec::new(),
    };
    if found.is_empty() {
        return Err(Failure::Usage {
            message: format!("the state has no resource `{text}`"),
            hint: "`rayplat state list` shows what there is.".to_owned(),
        });
    }
    for object in found {
        let value = serde_json::to_value(object).unwrap_or_default();
        out(&if global.json { value.to_string() } else { format!("{value:#}") });
    }
    Ok(())
}
