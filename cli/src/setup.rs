//! What a command works on: manifest, account, state, engine.

use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::civil::Date;
use rayplat_engine::{
    error::Error,
    names,
    ops::{Engine, Options},
    plan,
    provider::Registry,
    retry::RetryPolicy,
    store::{Checkpoint, StateStore},
    urn::Urn,
};
use rayplat_resources::{
    aws::{self, Clients, tls_certificate},
    platform::{
        self, Charts, Platform, Setting, Standing, lint, manifest,
        manifest::{Loaded, ResolvedNetwork},
        usual_zones,
    },
    rehearsal::{Rehearsal, Seed, ec2},
};
use rayplat_state::Holder;
use tokio::runtime::Runtime;

use crate::{
    args::{Global, Planning},
    charts, clients,
    exit::Failure,
    report::policy,
    source, store,
};

/// The emulated account's digits, unless somebody asks for others.
pub const REHEARSAL_ACCOUNT: &str = "123456789012";

/// A command's surroundings.
pub struct World {
    /// The manifest.
    pub loaded: Loaded,
    /// The platform that it describes.
    pub platform: Platform,
    /// Where it stands.
    pub setting: Setting,
    /// The state as it was stored, before anything was read.
    pub state: Checkpoint,
    /// The engine.
    pub engine: Engine,
    /// The clients that its kinds use.
    pub clients: Clients,
    /// The emulated account, in a rehearsal.
    pub rehearsal: Option<Rehearsal>,
}

impl World {
    /// The same world, whose plans are asked for more than the manifest says.
    pub fn planning(mut self, asked: &Planning) -> Result<Self, Failure> {
        let names = || self.platform.stack.resources().map(|resource| &resource.urn);
        let replace = asked.replace.iter().map(|name| names::resolve(names(), name).map(|urn| urn.to_string()));
        let replace = replace.collect::<Result<_, _>>().map_err(Error::from)?;
        self.engine = self.engine.planning(plan::Planning { replace, ..plan::Planning::default() });
        Ok(self)
    }
}

/// The runtime: a rehearsal has a paused clock, in which minutes pass in milliseconds.
pub fn runtime(global: &Global) -> Result<Runtime, Failure> {
    let mut builder = if global.rehearse {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.start_paused(true);
        builder
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    builder.enable_all().build().map_err(|source| Failure::Io { what: "the runtime cannot start".to_owned(), source })
}

/// Reads and checks the manifest, lint included: its errors stop, its warnings are shown.
pub fn manifest(path: &Path) -> Result<Loaded, Failure> {
    let mut loaded = read_manifest(path)?;
    let found = lint::lint(&loaded).without_notes(&loaded.source);
    if found.has_errors() {
        return Err(Failure::Manifest(found));
    }
    loaded.warnings = found;
    Ok(loaded)
}

/// Reads and checks the manifest without the lint.
pub fn read_manifest(path: &Path) -> Result<Loaded, Failure> {
    let bytes = fs::read(path).map_err(|source| Failure::NoManifest { path: path.to_owned(), source })?;
    manifest::load(&path.display().to_string(), &bytes, today()?).map_err(Failure::Manifest)
}

/// The day in UTC: support windows are such days.
pub fn today() -> Result<Date, Failure> {
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    today.parse().map_err(|error| Failure::Io {
        what: "the date cannot be read".to_owned(),
        source: std::io::Error::other(format!("{error}")),
    })
}

/// The folder `.rayplat` beside the manifest.
fn folder(global: &Global) -> PathBuf {
    let beside = global.file.parent().filter(|parent| !parent.as_os_str().is_empty());
    beside.unwrap_or(Path::new(".")).join(".rayplat")
}

/// The folder of the state, where it does not rest in S3; a rehearsal's account is beside it
/// in any case.
pub fn state_folder(global: &Global) -> PathBuf {
    let state = global.state.as_ref().filter(|_| store::s3_address(global).is_none());
    match (state, global.rehearse) {
        (Some(folder), false) => folder.clone(),
        (Some(folder), true) => folder.join("state"),
        (None, false) => folder(global).join("state"),
        (None, true) => folder(global).join("rehearsal").join(stem(global)).join("state"),
    }
}

/// The manifest's file name without its ending: each manifest of a folder is rehearsed on an
/// account of its own.
fn stem(global: &Global) -> &Path {
    Path::new(global.file.file_stem().unwrap_or(global.file.as_os_str()))
}

/// May the command begin a state?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It only looks: where there is no state, nothing is made.
    Look,
    /// It works.
    Work,
}

/// The folder of a rehearsal's account and state.
pub fn rehearsal_folder(global: &Global) -> PathBuf {
    let state = state_folder(global);
    state.parent().unwrap_or(&state).to_owned()
}

/// Opens the state and takes its lock. Where there is none, one who only looks gets an
/// empty one.
pub async fn open_store(global: &Global, access: Access, command: &str) -> Result<Arc<dyn StateStore>, Failure> {
    let account = existing_account(global)?;
    store::open(global, access, command, account.as_ref()).await
}

/// Opens everything for a command that talks to an account.
pub async fn open(global: &Global, access: Access, command: &str) -> Result<World, Failure> {
    let loaded = manifest(&global.file)?;
    check_place(global, &loaded)?;
    let region = loaded.manifest.region.clone();
    // The folder of a state is locked before the account beside it is opened; a state in the
    // account's own S3 locks it too.
    let (store, rehearsal) = match (global.rehearse, store::s3_address(global)) {
        (true, Some(_)) => {
            let account = account(global, access, &loaded)?;
            (store::open(global, access, command, Some(&account)).await?, Some(account))
        }
        (true, None) => {
            let store = store::open(global, access, command, None).await?;
            (store, Some(account(global, access, &loaded)?))
        }
        (false, _) => (store::open(global, access, command, None).await?, None),
    };
    let clients = clients::connect(global, &region, rehearsal.as_ref()).await;
    let identity = clients.identity().await?;
    let binding = clients.binding(&identity);
    let clock = clients::clock(&clients, rehearsal.as_ref());
    let options = Options {
        parallelism: usize::from(global.parallelism),
        retry: RetryPolicy::default(),
        clock,
        binding,
        seed: if global.rehearse { global.seed } else { RandomState::new().build_hasher().finish() },
    };
    let engine = Engine::new(registry(&clients, rehearsal.as_ref()), store, options).by(who());
    // The state's binding is checked before anything else is read.
    let state = engine.state(&loaded.manifest.name).await?;
    // Who made the platform keeps its entry: another role that previews or deploys, as in CI,
    // must not take it over.
    let caller_arn = match recorded_caller(&state) {
        Some(arn) => arn,
        None => aws::resolve_principal(&clients, &identity).await?,
    };
    let zones = zones(&clients, &loaded, &state).await?;
    let setting = Setting { partition: identity.partition, account: identity.account, region, caller_arn, zones };
    // One over HTTP has told how fast it runs.
    let emulated = rehearsal.is_some() || clients.time_scale.is_told();
    let charts = charts::render(global, emulated, &platform::charts(&loaded.manifest, &setting)).await?;
    let platform = platform::build_from(&loaded.manifest, &setting, &source::find(&global.file), &charts)?;
    Ok(World { loaded, platform, setting, state, engine, clients, rehearsal })
}

/// The zones of a network of the platform's own: where it stands by the state, else by the
/// account, else where the account has zones. Asks only for what is not known.
async fn zones(clients: &Clients, loaded: &Loaded, state: &Checkpoint) -> Result<Vec<String>, Failure> {
    let ResolvedNetwork::Create { create } = &loaded.manifest.network else {
        return Ok(Vec::new());
    };
    let mut standing = standing(state);
    if !standing.is_enough_for(create) {
        let urns = aws::standing_network(clients, &loaded.manifest.name).await?;
        standing = standing.and(Standing::of(urns.iter().map(String::as_str)));
    }
    let available = if standing.is_enough_for(create) { Vec::new() } else { aws::zones(clients).await? };
    standing
        .choose(create, &available)
        .map_err(|error| Failure::Usage { message: error.to_string(), hint: error.hint() })
}

fn standing(state: &Checkpoint) -> Standing {
    Standing::of(state.objects.values().filter(|object| !object.deposed).map(|object| object.urn.as_str()))
}

/// The principal of the access entry that the platform's maker has.
fn recorded_caller(state: &Checkpoint) -> Option<String> {
    let urn = Urn::new("aws:eks:AccessEntry", "caller").ok()?;
    Some(state.current(&urn)?.inputs.get("principal_arn")?.as_str()?.to_owned())
}

/// What is asked for must be one place.
fn check_place(global: &Global, loaded: &Loaded) -> Result<(), Failure> {
    let wanted = &loaded.manifest.region;
    if let Some(region) = global.region.as_ref().filter(|region| *region != wanted) {
        return Err(Failure::Usage {
            message: format!("--region is {region}, but {} says {wanted}", global.file.display()),
            hint: "The manifest says where a platform stands: change it there, or leave --region out.".to_owned(),
        });
    }
    if !global.rehearse && (global.policy_out.is_some() || global.enforce.is_some()) {
        return Err(Failure::Usage {
            message: "--policy-out and --enforce are of the emulated account".to_owned(),
            hint: "Add --rehearse; on AWS the account's own policies are in force.".to_owned(),
        });
    }
    if global.rehearse && (global.endpoint_url.is_some() || global.profile.is_some()) {
        return Err(Failure::Usage {
            message:
                "--rehearse works on the emulated account in this process and takes no --endpoint-url or --profile"
                    .to_owned(),
            hint: "Leave --rehearse out to work on `rayplat rehearse serve` by --endpoint-url.".to_owned(),
        });
    }
    Ok(())
}

fn registry(clients: &Clients, rehearsal: Option<&Rehearsal>) -> Registry {
    let mut registry = Registry::new();
    rayplat_resources::register(&mut registry, clients);
    if let Some(account) = rehearsal {
        let chain = account.issuer_chain();
        registry.add(tls_certificate::IssuerCertificate::new(tls_certificate::FixedChain(chain)));
    }
    registry
}

/// The emulated account beside the state, with the network that the manifest names.
pub fn account(global: &Global, access: Access, loaded: &Loaded) -> Result<Rehearsal, Failure> {
    let seed =
        Seed { account_id: REHEARSAL_ACCOUNT.to_owned(), region: loaded.manifest.region.clone(), seed: global.seed };
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
    let folder = rehearsal_folder(global).join("account");
    if store::s3_address(global).is_some() && (access == Access::Work || folder.exists()) {
        store::keep_alone(&rehearsal_folder(global))?;
    }
    let account = if access == Access::Look && !folder.exists() {
        Rehearsal::in_memory(&seed, now)
    } else {
        Rehearsal::open(&folder, &seed, now)?
    };
    seed_network(&account, loaded)?;
    if let Some(file) = &global.enforce {
        account.enforce(policy::read(file)?);
    }
    Ok(account)
}

/// Makes the VPC and subnets that a manifest names; one that makes its own starts without.
pub fn seed_network(account: &Rehearsal, loaded: &Loaded) -> Result<(), Failure> {
    let ResolvedNetwork::Existing { vpc_id, subnet_ids } = &loaded.manifest.network else {
        return Ok(());
    };
    let subnets: Vec<&str> = subnet_ids.iter().map(String::as_str).collect();
    let seeded = account.with_account(|account| ec2::seed_network(account, Some(vpc_id), &subnets, "10.0.0.0/16"));
    seeded.map(drop).map_err(|message| Failure::Usage {
        message: format!("the rehearsal account cannot have this network: {message}"),
        hint: "Another manifest was rehearsed here with these names: delete its folder in .rayplat/rehearsal and start anew."
            .to_owned(),
    })
}

/// The rehearsal's account, for a state that rests in its S3; `None` for any other.
pub fn existing_account(global: &Global) -> Result<Option<Rehearsal>, Failure> {
    if !global.rehearse || store::s3_address(global).is_none() {
        return Ok(None);
    }
    account(global, Access::Look, &manifest(&global.file)?).map(Some)
}

/// The state that is there, for commands that need no account.
pub async fn existing_store(global: &Global, command: &str) -> Result<Arc<dyn StateStore>, Failure> {
    let account = existing_account(global)?;
    if !store::exists(global, account.as_ref()).await? {
        let place = store::s3_address(global).map_or_else(|| state_folder(global).display().to_string(), str::to_owned);
        return Err(Failure::Usage {
            message: format!("there is no state in {place}"),
            hint: "Name the manifest with -f FILE (the state is beside it) or the folder with --state DIR; add --rehearse \
                   for the rehearsal's."
                .to_owned(),
        });
    }
    store::open(global, Access::Work, command, account.as_ref()).await
}

/// What the state that is there holds.
pub async fn stored(global: &Global, command: &str) -> Result<Checkpoint, Failure> {
    let stored = existing_store(global, command).await?.load().await?;
    Ok(rayplat_engine::journal::fold(&stored)?)
}

/// Who runs this, for locks and history.
pub fn who() -> String {
    let Holder { user, host, .. } = Holder::this("");
    format!("{user}@{host}")
}

/// Writes a file that does not exist yet, readable by its owner only.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|source| Failure::Io { what: format!("{} cannot be written", path.display()), source })
}

/// The platform without an account: for graphs and outputs, which do not depend on
/// who asks.
pub fn offline(global: &Global, loaded: &Loaded, state: Option<&Checkpoint>) -> Result<Platform, Failure> {
    let binding = state.and_then(|state| state.meta.as_ref()).map(|meta| &meta.binding);
    let setting = Setting {
        partition: binding.map_or("aws", |binding| &binding.partition).to_owned(),
        account: binding.map_or(REHEARSAL_ACCOUNT, |binding| &binding.account).to_owned(),
        region: loaded.manifest.region.clone(),
        caller_arn: "arn:aws:iam::123456789012:role/caller".to_owned(),
        zones: match &loaded.manifest.network {
            ResolvedNetwork::Existing { .. } => Vec::new(),
            ResolvedNetwork::Create { create } => state
                .and_then(|state| standing(state).choose(create, &[]).ok())
                .unwrap_or_else(|| usual_zones(&loaded.manifest.region, create)),
        },
    };
    Ok(platform::build_from(&loaded.manifest, &setting, &source::find(&global.file), &Charts::default())?)
}
