//! Where the state rests: a folder beside the manifest, or a prefix of a bucket.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use rayplat_engine::{context::Clock, store::StateStore};
use rayplat_resources::{
    aws::{S3Objects, S3Place},
    rehearsal::Rehearsal,
};
use rayplat_state::{FolderLock, LockOptions, MemoryStore, S3Store, SledStore};

use crate::{
    args::Global,
    clients,
    exit::Failure,
    setup::{self, Access},
};

/// Where the state rests.
pub enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In S3.
    S3(S3Place),
}

/// Where the command line says that it rests.
pub fn place(global: &Global) -> Result<Place, Failure> {
    match s3_address(global) {
        None => Ok(Place::Folder(setup::state_folder(global))),
        Some(text) => text.parse().map(Place::S3).map_err(|reason| Failure::Usage {
            message: format!("--state: {reason}"),
            hint: "Write it as s3://BUCKET/PREFIX, with ?region=REGION&kms_key_id=KEY where they are needed."
                .to_owned(),
        }),
    }
}

/// The address, if the state is meant to rest in S3.
pub fn s3_address(global: &Global) -> Option<&str> {
    global.state.as_ref().and_then(|state| state.to_str()).filter(|text| S3Place::is_meant(text))
}

/// Objects in S3, and the clock that they live by.
pub struct Bucket {
    objects: Arc<S3Objects>,
    clock: Arc<dyn Clock>,
    place: S3Place,
    /// A rehearsal's account is this process's alone: see [`keep_alone`].
    alone: bool,
}

impl Bucket {
    /// The objects.
    pub fn objects(&self) -> &S3Objects {
        &self.objects
    }
}

static ALONE: Mutex<Option<FolderLock>> = Mutex::new(None);

/// Keeps a rehearsal's account to this process until it ends: before it is opened, where no
/// state's folder is locked beside it.
pub fn keep_alone(folder: &Path) -> Result<(), Failure> {
    let mut alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if alone.is_none() {
        *alone = Some(FolderLock::take(folder, "rayplat --rehearse")?);
    }
    Ok(())
}

/// Connects to a place in S3; in a rehearsal, to the account's own.
pub async fn bucket(global: &Global, place: S3Place, account: Option<&Rehearsal>) -> Result<Bucket, Failure> {
    if let Some(account) = account {
        let objects = Arc::new(S3Objects::new(account.clients().s3, place.clone(), global.seed));
        return Ok(Bucket { objects, clock: Arc::new(account.clone()), place, alone: true });
    }
    let region = region(global, &place)?;
    let clients = clients::connect(global, &region, None).await;
    let objects = Arc::new(S3Objects::new(clients.s3.clone(), place.clone(), u64::from(std::process::id())));
    Ok(Bucket { objects, clock: Arc::new(clients.time_scale.clone()), place, alone: false })
}

/// The bucket's region: as said, else the platform's.
fn region(global: &Global, place: &S3Place) -> Result<String, Failure> {
    let said = place.region.clone().or_else(|| global.region.clone());
    let of_manifest = || setup::manifest(&global.file).ok().map(|loaded| loaded.manifest.region);
    let of_environment = || ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok());
    said.or_else(of_manifest).or_else(of_environment).ok_or_else(|| Failure::Usage {
        message: format!("the region of the bucket {} is not known", place.bucket),
        hint: format!("Say it: --state 's3://{}/{}?region=us-east-1'.", place.bucket, place.prefix),
    })
}

/// Opens the state and takes its lock. Where there is none, one who only looks gets an
/// empty one.
pub async fn open(
    global: &Global,
    access: Access,
    command: &str,
    account: Option<&Rehearsal>,
) -> Result<Arc<dyn StateStore>, Failure> {
    let place = match place(global)? {
        Place::S3(place) => place,
        Place::Folder(folder) if access == Access::Look && !SledStore::exists(&folder) => {
            return Ok(Arc::new(MemoryStore::default()));
        }
        Place::Folder(folder) => return Ok(Arc::new(SledStore::open(&folder, &format!("rayplat {command}"))?)),
    };
    let bucket = bucket(global, place, account).await?;
    if access == Access::Look && !S3Store::exists(&*bucket.objects).await? {
        return Ok(Arc::new(MemoryStore::default()));
    }
    let options = LockOptions {
        command: format!("rayplat {command}"),
        lease: bucket.place.lease.unwrap_or(LockOptions::LEASE),
        clock: bucket.clock.clone(),
        alone: bucket.alone,
    };
    let store: Arc<dyn StateStore> = Arc::new(S3Store::open(bucket.objects.clone(), options).await?);
    let opened = Opened { store: store.clone(), runtime: tokio::runtime::Handle::current() };
    OPENED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner).push(opened);
    Ok(store)
}

/// True if a state rests there.
pub async fn exists(global: &Global, account: Option<&Rehearsal>) -> Result<bool, Failure> {
    match place(global)? {
        Place::Folder(folder) => Ok(SledStore::exists(&folder)),
        Place::S3(place) => {
            let bucket = bucket(global, place, account).await?;
            Ok(S3Store::exists(&*bucket.objects).await?)
        }
    }
}

/// A store whose lock must be given back before the program ends.
struct Opened {
    store: Arc<dyn StateStore>,
    runtime: tokio::runtime::Handle,
}

static OPENED: OnceLock<Mutex<Vec<Opened>>> = OnceLock::new();

fn opened() -> Vec<Opened> {
    OPENED.get().map(|all| std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner))).unwrap_or_default()
}

/// Gives back the locks that this command took.
///
/// # Errors
/// The lock cannot be written; it ends by itself when its lease is over.
pub async fn release() -> Result<(), Failure> {
    for opened in opened() {
        opened.store.release().await?;
    }
    Ok(())
}

/// How long the end of the program waits for the network.
const PATIENCE: Duration = Duration::from_secs(3);

/// The same from beside the command's own runtime, when the program is about to end: as far
/// as it goes in a few seconds. A lock that is not given back ends by itself.
pub async fn release_at_once() {
    for Opened { store, runtime, .. } in opened() {
        let released = runtime.spawn(async move { store.release().await });
        drop(tokio::time::timeout(PATIENCE, released).await);
    }
}
