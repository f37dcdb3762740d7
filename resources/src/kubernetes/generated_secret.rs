//! A Secret whose values are drawn when it is made, and known to nobody but the cluster: not
//! to the state, not to a plan.

use std::{collections::BTreeMap, time::Duration};

use rayplat_engine::{
    context::Ctx,
    dry_run::Tried,
    error::{ErrorClass, ProviderError},
    inputs,
    plan::Plan,
    provider::{Action, Created, Current, Marks, Observed, Provider, Reading, Recovered, ReplaceOrder},
};
use serde_json::{Value, json};

use super::{
    ClusterAccess, Kubernetes, LET_IN_BY,
    api::Apply,
    deletion,
    dry_run::Trial,
    gvk::Reference,
    marks,
    object::{ObjectOutputs, outputs_of},
};
use crate::aws::{Clients, vanished};

inputs! {
    /// A Secret with random values.
    pub struct GeneratedSecretInputs, GeneratedSecretArgs {
        /// Where.
        pub cluster: ClusterAccess,
        /// Its namespace.
        pub namespace: String,
        /// Its name.
        pub name: String,
        /// Its labels.
        pub labels: BTreeMap<String, String>,
        /// How many characters each key's value has, 16 at least.
        pub keys: BTreeMap<String, u32>,
    }
}

/// The kind.
pub struct GeneratedSecret {
    kubernetes: Kubernetes,
}

/// Letters and digits: safe in URLs, shells and configuration files.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl GeneratedSecret {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { kubernetes: Kubernetes::new(clients) }
    }

    async fn put(
        &self,
        ctx: &Ctx,
        to: &GeneratedSecretInputs,
        live: Option<&Value>,
        marks: &serde_json::Map<String, Value>,
    ) -> Result<Value, ProviderError> {
        let secret = manifest(to, live)?;
        Ok(self.kubernetes.apply(ctx, &to.cluster, &marks::put(&secret, marks), Apply::default()).await??)
    }
}

/// The Secret: what it has is kept, what it lacks is drawn.
fn manifest(to: &GeneratedSecretInputs, live: Option<&Value>) -> Result<Value, ProviderError> {
    let mut data = serde_json::Map::new();
    for (key, length) in &to.keys {
        let had = live.and_then(|live| live["data"].get(key)).cloned();
        data.insert(
            key.clone(),
            match had {
                Some(value) => value,
                None => json!(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, drawn(*length)?)),
            },
        );
    }
    Ok(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": {"name": to.name, "namespace": to.namespace, "labels": to.labels},
    }))
}

fn reference(inputs: &GeneratedSecretInputs) -> Reference {
    Reference {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some(inputs.namespace.clone()),
        name: inputs.name.clone(),
    }
}

/// Random text from the operating system.
fn drawn(length: u32) -> Result<String, ProviderError> {
    let mut text = String::new();
    let mut bytes = [0_u8; 64];
    while text.len() < length.max(16) as usize {
        getrandom::fill(&mut bytes).map_err(|error| {
            ProviderError::new(ErrorClass::Failed, format!("the system gives no random numbers: {error}"))
        })?;
        // Bytes beyond the last whole multiple of 62 would favour some letters.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    text.truncate(length.max(16) as usize);
    Ok(text)
}

impl Provider for GeneratedSecret {
    type Inputs = GeneratedSecretInputs;
    type Outputs = ObjectOutputs;

    const TYPE: &'static str = "kubernetes:GeneratedSecret";
    const REPLACE_ON: &'static [&'static str] = &["cluster.name", "cluster.endpoint", "namespace", "name"];
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;
    const LABELS: &'static [&'static str] = &["labels"];
    const LET_IN_BY: &'static [&'static str] = LET_IN_BY;

    fn expected(&self, _: Action) -> Duration {
        Duration::from_millis(200)
    }

    async fn create(&self, ctx: &Ctx, inputs: &GeneratedSecretInputs) -> Result<Created<ObjectOutputs>, ProviderError> {
        let of = reference(inputs);
        let live = self.kubernetes.get(ctx, &inputs.cluster, &of).await?;
        if ctx.resume().is_none() && live.is_some() {
            return Err(ProviderError::new(ErrorClass::AlreadyExists, format!("{of} exists already")));
        }
        let made = self.put(ctx, inputs, live.as_ref(), &marks::ours(ctx)).await?;
        ctx.progress(&of.id());
        Ok(Created { id: of.id(), outputs: outputs_of(&made) })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<GeneratedSecretInputs, ObjectOutputs>,
    ) -> Reading<GeneratedSecretInputs, ObjectOutputs> {
        let Some(live) = self.kubernetes.get(ctx, &current.inputs.cluster, &reference(&current.inputs)).await? else {
            return Ok(None);
        };
        let outputs = outputs_of(&live);
        if outputs.uid != current.outputs.uid && !marks::is_ours(ctx, &live) {
            return Ok(None);
        }
        let mut inputs = current.inputs.clone();
        inputs.keys.retain(|key, _| live["data"].get(key).is_some());
        inputs.labels.retain(|key, value| {
            live.pointer("/metadata/labels")
                .and_then(|labels| labels.get(key))
                .and_then(Value::as_str)
                .map(str::to_owned)
                .is_some_and(|now| {
                    *value = now;
                    true
                })
        });
        Ok(Some(Observed { inputs, outputs }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        _: &Current<GeneratedSecretInputs, ObjectOutputs>,
        to: &GeneratedSecretInputs,
    ) -> Result<ObjectOutputs, ProviderError> {
        let live = self.kubernetes.get(ctx, &to.cluster, &reference(to)).await?;
        let marks = live.as_ref().map(marks::on).filter(|marks| !marks.is_empty()).unwrap_or_else(|| marks::ours(ctx));
        self.put(ctx, to, live.as_ref(), &marks).await.map(|live| outputs_of(&live))
    }

    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<GeneratedSecretInputs, ObjectOutputs>,
    ) -> Result<(), ProviderError> {
        let (cluster, of) = (&current.inputs.cluster, reference(&current.inputs));
        let Some(live) = self.kubernetes.get(ctx, cluster, &of).await? else {
            return Ok(());
        };
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
        if uid != current.outputs.uid && !marks::is_ours(ctx, &live) {
            return Ok(());
        }
        self.kubernetes.delete(ctx, cluster, &of, uid).await?;
        deletion::wait(&self.kubernetes, ctx, cluster, &of, Duration::from_secs(1)).await
    }

    async fn dry_run(
        &self,
        ctx: &Ctx,
        prior: Option<&Current<GeneratedSecretInputs, ObjectOutputs>>,
        inputs: &GeneratedSecretInputs,
        plan: &Plan,
    ) -> Result<Tried, ProviderError> {
        let live = self.kubernetes.get(ctx, &inputs.cluster, &reference(inputs)).await?;
        let secret = manifest(inputs, live.as_ref())?;
        let trial = Trial { kubernetes: &self.kubernetes, ctx, cluster: &inputs.cluster, plan };
        // An update takes no field from anybody.
        trial.object(&secret, prior.map(|_| &Value::Null)).await
    }

    async fn recover(&self, ctx: &Ctx, inputs: &GeneratedSecretInputs) -> Result<Recovered, ProviderError> {
        let of = reference(inputs);
        let live = self.kubernetes.get(ctx, &inputs.cluster, &of).await?;
        Ok(live.map_or(Recovered::Absent, |live| marks::whose(ctx, &live, of.id())))
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<GeneratedSecretInputs, ObjectOutputs>,
    ) -> Result<Marks, ProviderError> {
        let of = reference(&current.inputs);
        let live = self.kubernetes.get(ctx, &current.inputs.cluster, &of).await?;
        live.map(|live| marks::read(&live)).ok_or_else(|| vanished(&of.id()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn drawn_values_differ_and_are_as_long_as_asked() {
        let (one, other) = (drawn(40).unwrap(), drawn(40).unwrap());
        assert_eq!((one.len(), other.len()), (40, 40));
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(drawn(3).unwrap().len(), 16);
    }
}
