//! The state: readable, and nobody else at work on it.

use rayplat_engine::store::Checkpoint;

use super::Check;
use crate::{
    args::Global,
    exit::Failure,
    setup::{self, Access},
    store::{self, Place},
};

const NAME: &str = "state";

pub async fn state(global: &Global) -> (Check, Option<Checkpoint>) {
    match read(global).await {
        Ok((place, None)) => (Check::ok(NAME, format!("none yet in {place}: the first `up` makes it")), None),
        Ok((place, Some(state))) => {
            let run = state.meta.as_ref().map_or(0, |meta| meta.run);
            let what = format!("{} objects after run {run}, in {place}; nobody is at work", state.objects.len());
            let pending = state.objects.values().filter(|object| object.phase.pending()).count();
            let check = match pending {
                0 => Check::ok(NAME, what),
                _ => Check::warning(
                    NAME,
                    format!("{what}; {pending} of them were left in the middle of a change"),
                    "Run `rayplat up`: it looks at what was left and goes on from there.",
                ),
            };
            (check, Some(state))
        }
        Err(failure) => (Check::of(NAME, &failure), None),
    }
}

/// Where it is, and what it holds; taking its lock is how another run is noticed.
async fn read(global: &Global) -> Result<(String, Option<Checkpoint>), Failure> {
    let place = match store::place(global)? {
        Place::Folder(folder) => folder.display().to_string(),
        Place::S3(place) => format!("s3://{}/{}", place.bucket, place.prefix),
    };
    let account = setup::existing_account(global)?;
    if !store::exists(global, account.as_ref()).await? {
        return Ok((place, None));
    }
    let store = store::open(global, Access::Look, "doctor", account.as_ref()).await?;
    let state = rayplat_engine::journal::fold(&store.load().await?)?;
    Ok((place, Some(state)))
}
