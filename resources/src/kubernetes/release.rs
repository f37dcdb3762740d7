//! What a chart's objects were rendered from. It stands nowhere but in the state: there the
//! digest tells when a repository serves something else under the same version.

use std::time::Duration;

use rayplat_engine::{
    context::Ctx,
    error::ProviderError,
    inputs,
    provider::{Action, Created, Current, Marks, Observed, Provider, Reading, Recovered, Refusal},
    value::Planned,
};
use serde_json::Value;

inputs! {
    /// A chart of a version.
    pub struct ReleaseInputs, ReleaseArgs {
        /// The release's name.
        pub name: String,
        /// The chart's.
        pub chart: String,
        /// Where it comes from.
        pub repository: String,
        /// Its version.
        pub version: String,
        /// Of the archive, `sha256:...`; none for an outline.
        pub digest: Option<String>,
    }
}

/// The kind.
#[derive(Debug, Default)]
pub struct Release;

impl Provider for Release {
    type Inputs = ReleaseInputs;
    type Outputs = ();

    const TYPE: &'static str = "kubernetes:Chart";
    const LABELS: &'static [&'static str] = &[];

    fn expected(&self, _: Action) -> Duration {
        Duration::from_millis(1)
    }

    fn refuse_update(&self, old: &Value, new: &Planned) -> Option<Refusal> {
        let of = |field: &str| new.get(field).and_then(|value| value.known().cloned());
        let same = |field: &str| of(field).as_ref() == Some(&old[field]);
        let (before, after) = (old["digest"].as_str()?, of("digest")?);
        if !same("version") || !same("repository") || !same("chart") || after.as_str()? == before {
            return None;
        }
        let chart = old["chart"].as_str().unwrap_or_default();
        Some(Refusal::new(
            format!(
                "{chart} {} is another archive than the one that was installed",
                old["version"].as_str().unwrap_or_default()
            ),
            format!(
                "The repository serves {} now where it served {before}. Find out why; to take it all the same: --replace {}/{}",
                after.as_str().unwrap_or_default(),
                Self::TYPE,
                old["name"].as_str().unwrap_or_default(),
            ),
        ))
    }

    async fn create(&self, ctx: &Ctx, inputs: &ReleaseInputs) -> Result<Created<()>, ProviderError> {
        ctx.progress(&inputs.name);
        Ok(Created { id: inputs.name.clone(), outputs: () })
    }

    async fn read(&self, _: &Ctx, current: &Current<ReleaseInputs, ()>) -> Reading<ReleaseInputs, ()> {
        Ok(Some(Observed { inputs: current.inputs.clone(), outputs: () }))
    }

    async fn update(&self, _: &Ctx, _: &Current<ReleaseInputs, ()>, _: &ReleaseInputs) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn delete(&self, _: &Ctx, _: &Current<ReleaseInputs, ()>) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn recover(&self, _: &Ctx, _: &ReleaseInputs) -> Result<Recovered, ProviderError> {
        Ok(Recovered::Absent)
    }

    async fn marks(&self, _: &Ctx, _: &Current<ReleaseInputs, ()>) -> Result<Marks, ProviderError> {
        Ok(Marks::Bare)
    }
}
