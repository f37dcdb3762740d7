//! `rayplat validate`

use serde_json::json;

use crate::{
    args::Global,
    exit::{Ending, Failure},
    report::{self, out},
    setup,
};

pub fn run(global: &Global) -> Result<Ending, Failure> {
    let loaded = setup::manifest(&global.file)?;
    if global.json {
        let warnings = serde_json::to_value(&loaded.warnings).unwrap_or_default();
        out(&json!({"valid": true, "warnings": warnings}).to_string());
        return Ok(Ending::Done);
    }
    report::warn(&loaded.warnings);
    let manifest = &loaded.manifest;
    let pools: Vec<&str> = manifest.node_pools.keys().map(String::as_str).collect();
    out(&format!(
        "{} is valid: {} in {}, Kubernetes {}, pools {}",
        global.file.display(),
        manifest.name,
        manifest.region,
        manifest.cluster.kubernetes_version,
        pools.join(", ")
    ));
    Ok(Ending::Done)
}
