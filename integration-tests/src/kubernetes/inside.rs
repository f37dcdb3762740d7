//! The Kubernetes half of a platform, on a control plane of a test's own. What AWS would have
//! made beneath it (nodes, DNS, drivers) the test provides.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex},
};

use kube::config::AuthInfo;
use rayplat_engine::{
    apply::Interrupt,
    context::SystemClock,
    error::{Error, ErrorClass, ProviderError},
    event::{Event, Events},
    ops::{Engine, Options, Preview, Report},
    provider::Registry,
    retry::RetryPolicy,
    stack::{Resource, Stack},
    store::{Binding, StateStore},
    urn::Urn,
    value::Expr,
};
use rayplat_resources::{
    aws::Clients,
    kubernetes::{
        self, ClusterAccess, Connector, TokenSource,
        sweep::Volumes,
        verify::{self, Verifier},
    },
    platform::Subject,
};
use rayplat_state::MemoryStore;
use serde_json::json;

use super::ControlPlane;
use crate::World;

/// Leads every cluster to one control plane.
struct Direct {
    plane: Arc<ControlPlane>,
    client: Mutex<Option<kube::Client>>,
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plane.url)
    }
}

impl Connector for Direct {
    fn connect(&self, _: &ClusterAccess) -> Result<kube::Client, ProviderError> {
        let mut kept = self.client.lock().unwrap_or_else(|error| panic!("{error}"));
        if let Some(client) = kept.as_ref() {
            return Ok(client.clone());
        }
        let wrong = |error: &dyn fmt::Display| ProviderError::new(ErrorClass::Invalid, error.to_string());
        let mut config = kube::Config::new(self.plane.url.parse().map_err(|error| wrong(&error))?);
        config.root_cert = Some(self.plane.authorities());
        config.default_retry = false;
        config.auth_info = AuthInfo { token: Some(self.plane.token.clone().into()), ..AuthInfo::default() };
        let client = kube::Client::try_from(config).map_err(|error| wrong(&error))?;
        *kept = Some(client.clone());
        Ok(client)
    }

    fn tokens(&self, _: &str) -> Result<TokenSource, ProviderError> {
        Err(ProviderError::new(ErrorClass::Invalid, "a control plane of a test's own takes no tokens of EKS"))
    }
}

/// A platform's inside and its state.
pub struct Inside {
    world: World,
    plane: Arc<ControlPlane>,
    store: Arc<dyn StateStore>,
    /// The real CustomResourceDefinitions, in place of those of outlines.
    crds: BTreeMap<String, serde_json::Value>,
}

impl Inside {
    /// On this control plane, with an empty state.
    pub fn new(plane: &Arc<ControlPlane>) -> Self {
        Self {
            world: World::new(1),
            plane: plane.clone(),
            store: Arc::new(MemoryStore::default()),
            crds: BTreeMap::new(),
        }
    }

    /// With KubeRay's own kinds.
    ///
    /// # Panics
    /// They cannot be read.
    #[must_use]
    pub fn with_kuberays_kinds(mut self) -> Self {
        let folder = self.plane.tools().crds();
        let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for file in files.flatten() {
            let file = file.path().display().to_string();
            let text = self.plane.kubectl_ok(&["create", "--dry-run=client", "-o", "json", "-f", &file]);
            let crd: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
            let name = crd["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            self.crds.insert(name, crd);
        }
        self
    }

    fn clients(&self) -> Clients {
        let mut clients = self.world.account.clients();
        clients.kubernetes = Arc::new(Direct { plane: self.plane.clone(), client: Mutex::default() });
        clients
    }

    fn engine(&self) -> Engine {
        let mut registry = Registry::new();
        kubernetes::register(&mut registry, &self.clients());
        let binding = Binding {
            partition: "aws".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            endpoint: None,
        };
        let options =
            Options { parallelism: 16, retry: RetryPolicy::default(), clock: Arc::new(SystemClock), binding, seed: 1 };
        Engine::new(registry, self.store.clone(), options)
    }

    /// The Kubernetes half of a manifest's platform, and `more`.
    pub fn stack(&self, manifest: &str, more: &[(&str, serde_json::Value)]) -> Stack {
        let whole = self.world.platform(manifest).stack;
        let mut stack = Stack::new(whole.name());
        let access = json!({"name": whole.name(), "endpoint": self.plane.url, "certificate_authority": "bm9uZQ=="});
        let inside = |urn: &Urn| urn.kind().starts_with("kubernetes:");
        let kept = |urns: &BTreeSet<Urn>| urns.iter().filter(|urn| inside(urn)).cloned().collect();
        for resource in whole.resources().filter(|resource| inside(&resource.urn)) {
            let mut copy = Resource::new(resource.urn.clone(), resource.inputs.clone());
            if resource.urn.kind() == "kubernetes:Entry" {
                copy.inputs = Expr::Value(json!({"cluster": access}));
            }
            if let Some(crd) = self.crds.get(resource.urn.name()) {
                copy.inputs = Expr::Object(vec![
                    (Expr::Value("cluster".into()), Expr::Value(access.clone())),
                    (Expr::Value("manifest".into()), Expr::Value(crd.clone())),
                ]);
            }
            copy.inputs = without_aws(copy.inputs);
            copy.after = kept(&resource.after);
            copy.after_create = kept(&resource.after_create);
            copy.goes_before = kept(&resource.goes_before);
            stack.insert(copy).unwrap_or_else(|error| panic!("{error}"));
        }
        for (urn, manifest) in more {
            let urn: Urn = urn.parse().unwrap_or_else(|error| panic!("{urn}: {error}"));
            let inputs = Expr::Value(json!({"cluster": access, "manifest": manifest}));
            stack.insert(Resource::new(urn, inputs)).unwrap_or_else(|error| panic!("{error}"));
        }
        stack
    }

    /// Checks of this platform; `say` is told what is waited for.
    ///
    /// # Panics
    /// The state cannot be read.
    pub async fn verifier<'a>(&self, manifest: &str, say: &'a (dyn Fn(&str) + Send + Sync)) -> Verifier<'a> {
        let subject = Subject::of(&crate::load(manifest).manifest);
        let stored = self.store.load().await.unwrap_or_else(|error| panic!("{error}"));
        let state = rayplat_engine::journal::fold(&stored).unwrap_or_else(|error| panic!("{error}"));
        let ray = state.objects.values().find(|object| object.urn.kind() == "kubernetes:Ray");
        let access = ClusterAccess {
            name: subject.stack.clone(),
            endpoint: self.plane.url.clone(),
            certificate_authority: String::new(),
        };
        let applied = ray.map(|object| object.inputs["manifest"].clone());
        let platform = verify::Platform { access, subject, applied, programs: true };
        Verifier::new(&self.clients(), Arc::new(SystemClock), platform, say)
    }

    /// `up`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn up(&self, stack: &Stack) -> Result<(Report, Vec<Event>), Error> {
        let (events, reader) = Events::channel();
        let report = self.engine().up(stack, events, Interrupt::default(), |_| true).await?;
        Ok((report, read(reader)))
    }

    /// What `up` would do.
    ///
    /// # Errors
    /// The engine's.
    pub async fn preview(&self, stack: &Stack) -> Result<Preview, Error> {
        self.engine().preview(stack, Events::none()).await
    }

    /// `down`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn down(&self, stack: &Stack) -> Result<(Report, Vec<Event>), Error> {
        down(&self.engine(), stack).await
    }

    /// `down` with an answer to what becomes of volumes.
    ///
    /// # Errors
    /// The engine's.
    pub async fn down_deciding(&self, stack: &Stack, volumes: Volumes) -> Result<(Report, Vec<Event>), Error> {
        down(&volumes.decided(self.engine()), stack).await
    }
}

async fn down(engine: &Engine, stack: &Stack) -> Result<(Report, Vec<Event>), Error> {
    let (events, reader) = Events::channel();
    let report = engine.down(stack.name(), events, Interrupt::default(), |_| true).await?;
    Ok((report, read(reader)))
}

/// What refers to outputs on AWS gets a text in place of it.
fn without_aws(expr: Expr) -> Expr {
    let all = |list: Vec<Expr>| list.into_iter().map(without_aws).collect();
    match expr {
        Expr::Ref { urn, field } if urn.kind().starts_with("aws:") => {
            Expr::Value(format!("{field}-of-{}", urn.name().replace('/', "-")).into())
        }
        Expr::List(items) => Expr::List(all(items)),
        Expr::Concat(items) => Expr::Concat(all(items)),
        Expr::Object(entries) => {
            Expr::Object(entries.into_iter().map(|(key, value)| (without_aws(key), without_aws(value))).collect())
        }
        Expr::StripPrefix { of, prefix } => Expr::StripPrefix { of: Box::new(without_aws(*of)), prefix },
        other => other,
    }
}

fn read(mut reader: tokio::sync::mpsc::UnboundedReceiver<Event>) -> Vec<Event> {
    let mut seen = Vec::new();
    while let Ok(event) = reader.try_recv() {
        seen.push(event);
    }
    seen
}
