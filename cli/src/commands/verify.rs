//! `rayplat verify`: checks of a platform that lives.

use std::time::Duration;

use rayplat_engine::{
    ops::{Engine, Options},
    provider::Registry,
    retry::RetryPolicy,
    store::Checkpoint,
};
use rayplat_resources::{
    kubernetes::{
        ClusterAccess,
        verify::{Check, Failover, Platform, Scale, Spill, Verifier},
    },
    platform::Subject,
};
use serde_json::{Map, Value};

use crate::{
    args::{Global, VerifyCommand},
    clients,
    commands::output,
    exit::{Ending, Failure},
    report::{checks, err, out},
    setup,
};

pub async fn run(global: &Global, command: &VerifyCommand) -> Result<Ending, Failure> {
    let loaded = setup::manifest(&global.file)?;
    // The lock is held to the end: nobody changes what is measured.
    let store = setup::existing_store(global, "verify").await?;
    let rehearsal = if global.rehearse { Some(setup::account(global, setup::Access::Look, &loaded)?) } else { None };
    let clients = clients::connect(global, &loaded.manifest.region, rehearsal.as_ref()).await;
    let identity = clients.identity().await?;
    let clock = clients::clock(&clients, rehearsal.as_ref());
    let options = Options {
        parallelism: usize::from(global.parallelism),
        retry: RetryPolicy::default(),
        clock: clock.clone(),
        binding: clients.binding(&identity),
        seed: global.seed,
    };
    // Another account's state is refused; no kind is worked with.
    let state = Engine::new(Registry::new(), store, options).state(&loaded.manifest.name).await?;
    let subject = Subject::of(&loaded.manifest);
    let checks = checks_of(command, &subject);
    let platform = setup::offline(global, &loaded, Some(&state))?;
    let access = access(&output::evaluate(&platform.outputs, &state)).ok_or_else(|| Failure::Usage {
        message: format!("the cluster of {} does not stand yet", loaded.manifest.name),
        hint: "Run `rayplat up` first.".to_owned(),
    })?;
    let platform = Platform {
        access,
        applied: applied(&subject, &state),
        subject,
        programs: rehearsal.is_none() && !clients.time_scale.is_told(),
    };
    let quiet = global.json;
    let say = move |text: &str| {
        if !quiet {
            err(text);
        }
    };
    let verifier = Verifier::new(&clients, clock, platform, &say);
    let mut outcomes = Vec::new();
    for check in &checks {
        let outcome = verifier.run(check).await;
        if !global.json {
            out(&checks::text(&outcome));
        }
        outcomes.push(outcome);
    }
    if global.json {
        out(&checks::json(&outcomes).to_string());
    } else if outcomes.len() > 1 {
        out(&checks::summary(&outcomes));
    }
    if let Some(account) = &rehearsal {
        account.save()?;
    }
    Ok(if outcomes.iter().all(|outcome| outcome.passed()) { Ending::Done } else { Ending::Unverified })
}

/// The way into the cluster, by the platform's outputs.
fn access(outputs: &Map<String, Value>) -> Option<ClusterAccess> {
    let text = |name: &str| outputs.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(ClusterAccess {
        name: text("cluster_name")?,
        endpoint: text("cluster_endpoint").filter(|endpoint| !endpoint.is_empty())?,
        certificate_authority: text("cluster_certificate_authority")?,
    })
}

/// The Ray object as the state has recorded it.
fn applied(subject: &Subject, state: &Checkpoint) -> Option<Value> {
    let object = state.current(&subject.ray.as_ref()?.place.urn()?)?;
    object.inputs.get("manifest").cloned()
}

/// `all` leaves out what the manifest has no use for; what is asked for by name always runs.
fn checks_of(command: &VerifyCommand, subject: &Subject) -> Vec<Check> {
    match command {
        VerifyCommand::HeadFailover(args) => vec![Check::HeadFailover(Failover {
            rate: args.rate,
            path: args.path.clone(),
            error_rate: args.error_rate,
            recovery: Duration::from_secs(args.recovery.into()),
        })],
        VerifyCommand::Scale(args) => vec![Check::Scale(Scale {
            workers: args.workers,
            group: args.group.clone(),
            within: Duration::from_secs(args.within.into()),
            dns: Duration::from_millis(args.dns.into()),
            dns_window: Duration::from_secs(args.dns_window.into()),
            beyond: args.beyond,
        })],
        VerifyCommand::GpuDensity => vec![Check::GpuDensity],
        VerifyCommand::MemorySpill(args) => {
            vec![Check::MemorySpill(Spill { factor: args.factor, within: Duration::from_secs(args.within.into()) })]
        }
        VerifyCommand::All { workers } => {
            let usual = Scale::default();
            let workers = workers.unwrap_or_else(|| usual.workers.min(usual.most(subject).unwrap_or(u32::MAX)));
            let scale = Scale { workers, ..usual };
            let gpus = subject.pools.values().any(|pool| pool.gpus).then_some(Check::GpuDensity);
            let others =
                [Check::MemorySpill(Spill::default()), Check::Scale(scale), Check::HeadFailover(Failover::default())];
            gpus.into_iter().chain(others).collect()
        }
    }
}
