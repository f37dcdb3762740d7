//! `rayplat state unlock`: frees a lock that somebody has left behind.

use rayplat_resources::rehearsal::Rehearsal;
use rayplat_state::{LockView, S3Store};
use serde_json::json;

use crate::{
    args::Global,
    commands::up,
    exit::{Ending, Failure},
    report::out,
    setup,
    store::{self, Place},
};

pub async fn run(global: &Global) -> Result<Ending, Failure> {
    let place = match store::place(global)? {
        Place::S3(place) => place,
        Place::Folder(folder) => {
            say(
                global,
                json!({"event": "unlocked", "held": false}),
                &format!(
                    "The lock on {} is the operating system's: it goes with the process that holds it. There is nothing to free.",
                    folder.display()
                ),
            );
            return Ok(Ending::Done);
        }
    };
    let account: Option<Rehearsal> = setup::existing_account(global)?;
    let bucket = store::bucket(global, place, account.as_ref()).await?;
    let Some(LockView { holder: Some(holder), .. }) = &S3Store::lock(bucket.objects()).await? else {
        say(global, json!({"event": "unlocked", "held": false}), "The state is not locked.");
        return Ok(Ending::Done);
    };
    up::check_terminal(global)?;
    if !global.json {
        out(&format!("The state is locked by {holder}."));
        out("If that run still works, it will stop; what it has begun then, the next run looks for.");
    }
    if !global.yes && !up::confirm("Free the lock? [y/N] ") {
        out("Nothing was changed.");
        return Ok(Ending::Declined);
    }
    // It may have been renewed while the question stood: then it is looked at again, once.
    for _ in 0..2 {
        let Some(view) = S3Store::lock(bucket.objects()).await? else { break };
        if view.holder.as_ref() != Some(holder) {
            return Err(Failure::Usage {
                message: "somebody else holds the lock by now".to_owned(),
                hint: "Run `rayplat state unlock` again and look who it is.".to_owned(),
            });
        }
        if S3Store::break_lock(bucket.objects(), &view).await? {
            say(global, json!({"event": "unlocked", "held": true, "holder": holder}), "The lock is free.");
            return Ok(Ending::Done);
        }
    }
    Err(Failure::Usage {
        message: "the lock is renewed again and again: that run is alive".to_owned(),
        hint: "Stop that run, or try again.".to_owned(),
    })
}

fn say(global: &Global, json: serde_json::Value, text: &str) {
    out(&if global.json { json.to_string() } else { text.to_owned() });
}
