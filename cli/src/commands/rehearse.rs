//! `rayplat rehearse serve`

use rayplat_resources::rehearsal::{Rehearsal, Seed, ServeOptions, serve};
use tokio::net::TcpListener;

use crate::{
    args::{Global, RehearseCommand},
    exit::{Ending, Failure},
    report::out,
    setup,
};

pub fn run(global: &Global, command: &RehearseCommand) -> Result<Ending, Failure> {
    let RehearseCommand::Serve { listen, speed, manifest, account } = command;
    if !listen.ip().is_loopback() {
        return Err(Failure::Usage {
            message: format!("{listen} is not an address of this machine alone"),
            hint: "The account accepts any credentials: it is served on 127.0.0.1 or [::1] only.".to_owned(),
        });
    }
    let loaded = manifest.as_deref().map(setup::manifest).transpose()?;
    let region = loaded.as_ref().map_or("us-east-1", |loaded| &loaded.manifest.region).to_owned();
    let seed = Seed { account_id: account.clone(), region: region.clone(), seed: global.seed };
    let io = |source| Failure::Io { what: format!("cannot listen on {listen}"), source };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(io)?;
    runtime.block_on(async {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let rehearsal = Rehearsal::in_memory(&seed, now);
        if let Some(loaded) = &loaded {
            setup::seed_network(&rehearsal, loaded)?;
        }
        let listener = TcpListener::bind(listen).await.map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        out(&format!("account {account} in {region} at http://{address}, {speed} times real time; Ctrl-C ends it"));
        out(&format!("try: aws --endpoint-url http://{address} --region {region} eks list-clusters"));
        serve(listener, rehearsal, ServeOptions { speed: *speed }, async {
            // Without a signal handler there is no gentle end; the process can still be killed.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
        Ok(Ending::Done)
    })
}
