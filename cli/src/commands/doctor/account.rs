//! The account: who calls, and whether the state is of this place.

use rayplat_engine::store::{Binding, Checkpoint};
use rayplat_resources::{aws::Clients, platform::manifest::Loaded, rehearsal::Rehearsal};

use super::Check;
use crate::{
    args::Global,
    clients,
    setup::{self, Access},
};

/// An account that answers.
pub struct Opened {
    pub rehearsal: Option<Rehearsal>,
    pub clients: Clients,
    binding: Binding,
}

pub async fn credentials(global: &Global, loaded: &Loaded) -> (Check, Option<Opened>) {
    const NAME: &str = "credentials";
    let rehearsal = match global.rehearse.then(|| setup::account(global, Access::Look, loaded)).transpose() {
        Ok(rehearsal) => rehearsal,
        Err(failure) => return (Check::of(NAME, &failure), None),
    };
    let clients = clients::connect(global, &loaded.manifest.region, rehearsal.as_ref()).await;
    match clients.identity().await {
        Ok(identity) => {
            let emulated = if rehearsal.is_some() { ", emulated" } else { "" };
            let binding = clients.binding(&identity);
            let check = Check::ok(NAME, format!("account {}{emulated}, as {}", identity.account, identity.arn));
            (check, Some(Opened { rehearsal, clients, binding }))
        }
        Err(error) => (Check::of_call(NAME, error), None),
    }
}

/// The one place that the state belongs to.
pub fn binding(state: &Checkpoint, opened: &Opened) -> Option<Check> {
    const NAME: &str = "binding";
    let bound = &state.meta.as_ref()?.binding;
    Some(if *bound == opened.binding {
        Check::ok(NAME, format!("the state is of {bound}"))
    } else {
        Check::failed(
            NAME,
            format!("the state is of {bound}, and this is {}", opened.binding),
            "Use that account's credentials (AWS_PROFILE or --profile), or name another state with --state.",
        )
    })
}
