//! `rayplat rehearse serve|make-bucket`

use std::{net::SocketAddr, path::Path};

use rayplat_resources::rehearsal::{Rehearsal, Seed, ServeOptions, serve};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    args::{Global, RehearseCommand},
    exit::{Ending, Failure},
    interrupt::Signals,
    report::{out, policy},
    setup, store,
};

pub fn run(global: &Global, command: &RehearseCommand) -> Result<Ending, Failure> {
    match command {
        RehearseCommand::MakeBucket { name } => make_bucket(global, name),
        RehearseCommand::Serve { listen, speed, manifest, account } => {
            offer(global, *listen, *speed, manifest.as_deref(), account)
        }
    }
}

/// A bucket with versions, on the account of the manifest's rehearsals.
fn make_bucket(global: &Global, name: &str) -> Result<Ending, Failure> {
    let rehearsing = Global { rehearse: true, ..global.clone() };
    let runtime = setup::runtime(&rehearsing)?;
    let _inside = runtime.enter();
    store::keep_alone(&setup::rehearsal_folder(&rehearsing))?;
    let account = setup::account(&rehearsing, setup::Access::Work, &setup::manifest(&global.file)?)?;
    let made = account.with_account(|account| {
        let constraint = (account.region != "us-east-1").then(|| account.region.clone());
        let create = json!({"Bucket": name, "LocationConstraint": constraint});
        account.handle("s3", "CreateBucket", &create)?;
        account.handle("s3", "PutBucketVersioning", &json!({"Bucket": name, "Status": "Enabled"}))
    });
    made.map_err(|error| Failure::Usage {
        message: format!("the bucket {name} cannot be made: {}: {}", error.code, error.message),
        hint: "Choose another name: 3 to 63 lower-case letters, digits and hyphens.".to_owned(),
    })?;
    account.save()?;
    out(&if global.json {
        json!({"event": "made", "bucket": name}).to_string()
    } else {
        format!(
            "the rehearsal account has the bucket {name}; keep a state there with --rehearse --state s3://{name}/PREFIX"
        )
    });
    Ok(Ending::Done)
}

fn offer(
    global: &Global,
    listen: SocketAddr,
    speed: u32,
    manifest: Option<&Path>,
    account: &str,
) -> Result<Ending, Failure> {
    if !listen.ip().is_loopback() {
        return Err(Failure::Usage {
            message: format!("{listen} is not an address of this machine alone"),
            hint: "The account accepts any credentials: it is served on 127.0.0.1 or [::1] only.".to_owned(),
        });
    }
    let loaded = manifest.map(setup::manifest).transpose()?;
    let region = loaded.as_ref().map_or("us-east-1", |loaded| &loaded.manifest.region).to_owned();
    let seed = Seed { account_id: account.to_owned(), region: region.clone(), seed: global.seed };
    let io = |source| Failure::Io { what: format!("cannot listen on {listen}"), source };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(io)?;
    runtime.block_on(async {
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let rehearsal = Rehearsal::in_memory(&seed, now);
        if let Some(loaded) = &loaded {
            setup::seed_network(&rehearsal, loaded)?;
        }
        if let Some(file) = &global.enforce {
            rehearsal.enforce(policy::read(file)?);
        }
        let listener = TcpListener::bind(listen).await.map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        let url = format!("http://{address}");
        let mut signals = Signals::new().map_err(io)?;
        if global.json {
            out(&json!({"event": "listening", "url": url, "account": account, "region": region, "speed": speed})
                .to_string());
        } else {
            out(&format!("account {account} in {region} at {url}, {speed} times real time; Ctrl-C ends it"));
            out("try, with any credentials:");
            out(&format!(
                "  AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any aws --endpoint-url {url} --region {region} eks list-clusters"
            ));
        }
        serve(listener, rehearsal, ServeOptions { speed }, async { signals.next().await }).await?;
        Ok(Ending::Done)
    })
}
