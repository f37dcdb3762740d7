//! The deployer's least policy, learned by a rehearsal of the platform's whole life.

use std::{fs, path::Path, sync::Arc};

use rayplat_engine::store::StateStore;
use rayplat_resources::rehearsal::{
    Rehearsal, Seed,
    life::{self, Life, LifeError},
    permissions::{Documents, Policy},
};
use rayplat_state::MemoryStore;
use serde_json::{Value, json};

use crate::{
    args::Global,
    exit::Failure,
    setup::{self, REHEARSAL_ACCOUNT, World},
};

/// What a rehearsal tells of permissions.
pub struct Permissions {
    documents: Documents,
    remarks: Vec<String>,
}

/// Lives the platform's life on accounts of its own; the rehearsed one is not touched.
pub async fn learn(global: &Global, world: &World) -> Result<Permissions, Failure> {
    let region = world.setting.region.clone();
    let seed = Seed { account_id: REHEARSAL_ACCOUNT.to_owned(), region, seed: global.seed };
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
    let fresh = Rehearsal::in_memory(&seed, now);
    setup::seed_network(&fresh, &world.loaded)?;
    let seeded = fresh.with_account(|account| account.clone());
    let account = || {
        let account = Rehearsal::in_memory(&seed, now);
        account.with_account(|inside| *inside = seeded.clone());
        account
    };
    let store = || -> Arc<dyn StateStore> { Arc::new(MemoryStore::default()) };
    let manifest = &world.loaded.raw;
    let life = Life { manifest, setting: &world.setting, account: &account, store: &store, patient: true };
    let lived = life::live(&life).await.map_err(|error| match error {
        LifeError::Engine(error) => Failure::Engine(error),
        LifeError::Stack(error) => Failure::Platform(error),
    })?;
    Ok(Permissions { documents: life::policy(&lived, manifest), remarks: lived.remarks })
}

impl Permissions {
    /// For people: a statement a line.
    pub fn text(&self) -> String {
        let actions = self.documents.statements().filter_map(|statement| statement["Action"].as_array());
        let count: usize = actions.map(Vec::len).sum();
        let several = match self.documents.0.len() {
            1 => String::new(),
            many => format!(", in {many} documents for the limit of a managed policy"),
        };
        let mut lines = vec![
            String::new(),
            format!("Whoever runs this on AWS, from the first up to down, needs {count} permissions{several}:"),
            self.documents.text(),
        ];
        lines.extend(
            self.remarks
                .iter()
                .map(|remark| format!("note: permissions may be missing, for in the rehearsal of {remark}")),
        );
        lines.join("\n")
    }

    /// For programs.
    pub fn event(&self) -> Value {
        json!({"event": "policy", "documents": self.documents.0, "remarks": self.remarks})
    }

    /// Writes the policy.
    pub fn write(&self, file: &Path) -> Result<(), Failure> {
        fs::write(file, format!("{:#}\n", self.documents.json()))
            .map_err(|source| Failure::Io { what: format!("{} cannot be written", file.display()), source })
    }
}

/// Reads the policy that an emulated account is to enforce.
pub fn read(file: &Path) -> Result<Policy, Failure> {
    let wrong = |why: String| Failure::Usage {
        message: format!("{} is no policy that can be enforced: {why}", file.display()),
        hint: "It takes an identity policy, or a list of them, as `rayplat up --rehearse --policy-out FILE` writes it."
            .to_owned(),
    };
    let text = fs::read_to_string(file)
        .map_err(|source| Failure::Io { what: format!("{} cannot be read", file.display()), source })?;
    let document = serde_json::from_str(&text).map_err(|error| wrong(format!("it is not JSON: {error}")))?;
    Policy::parse(&document).map_err(wrong)
}
