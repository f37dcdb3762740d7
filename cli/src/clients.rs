//! The clients of the account that a command works on, and its clock.

use std::sync::Arc;

use rayplat_engine::context::Clock;
use rayplat_resources::{
    aws::{self, Clients, Connect},
    rehearsal::Rehearsal,
};

use crate::args::Global;

/// Of the emulated account in a rehearsal, else of the account that the command line and the
/// environment lead to.
pub async fn connect(global: &Global, region: &str, rehearsal: Option<&Rehearsal>) -> Clients {
    match rehearsal {
        Some(account) => account.clients(),
        None => {
            let (profile, endpoint) = (global.profile.clone(), global.endpoint_url.clone());
            aws::connect(&Connect { profile, region: region.to_owned(), endpoint }).await
        }
    }
}

/// The time that the account lives by.
pub fn clock(clients: &Clients, rehearsal: Option<&Rehearsal>) -> Arc<dyn Clock> {
    match rehearsal {
        Some(account) => Arc::new(account.clone()),
        None => Arc::new(clients.time_scale.clone()),
    }
}
