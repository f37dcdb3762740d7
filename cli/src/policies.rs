//! What the manifest's policies say of a plan.

use std::path::Path;

use rayplat_engine::{plan::Plan, store::Checkpoint};
use rayplat_resources::platform::{
    policy::{self, Policies, Verdict},
    terraform_json,
};

use crate::{args::Global, exit::Failure, setup::World};

/// Reads the policies that the manifest names: before anything is changed, so that one that
/// cannot be read stops the command early.
pub fn load(global: &Global, world: &World) -> Result<Policies, Failure> {
    let manifest = &world.loaded.manifest;
    let folder = global.file.parent().unwrap_or(Path::new(""));
    let files = policy::load(folder, &manifest.policies)?;
    Ok(Policies { files, allow: manifest.policy.allow.clone() })
}

/// Asks them about a plan that was made from a state.
pub fn judge(policies: &Policies, world: &World, plan: &Plan, state: &Checkpoint) -> Result<Verdict, Failure> {
    Ok(policies.judge(&terraform_json::document(plan, state, &world.setting.region))?)
}
