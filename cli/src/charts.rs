//! The platform's charts, rendered before the stack is built.

use std::path::PathBuf;

use rayplat_engine::error::ProviderError;
use rayplat_resources::{
    kubernetes::chart::{self, ChartError, ChartSpec, Helm, HelmEnvironment, Rendered, Source, published},
    platform::Charts,
};

use crate::{args::Global, exit::Failure, report::err};

/// Renders every chart. On an emulated account neither Helm nor a network is needed: what is not
/// at hand is stood for by its outline.
pub async fn render(global: &Global, emulated: bool, specs: &[ChartSpec]) -> Result<Charts, Failure> {
    if specs.is_empty() {
        return Ok(Charts::default());
    }
    let cache = cache();
    let helm = Helm::find(&HelmEnvironment::from_env()).await;
    if emulated {
        let rendered = rehearsed(helm.ok().as_ref(), specs, &cache).await?;
        told(global, &rendered);
        return Ok(Charts::new(rendered));
    }
    let helm = helm.map_err(ProviderError::from)?;
    let mut rendered = Vec::new();
    for spec in specs {
        rendered.push(earnest(&helm, spec, &cache).await.map_err(ProviderError::from)?);
    }
    told(global, &rendered);
    Ok(Charts::new(rendered))
}

async fn earnest(helm: &Helm, spec: &ChartSpec, cache: &std::path::Path) -> Result<Rendered, ChartError> {
    let fetched = chart::fetch(helm, spec, cache).await?;
    chart::render(helm, &fetched, spec).await
}

/// What is in the cache is rendered; nothing is fetched.
async fn rehearsed(
    helm: Option<&Helm>,
    specs: &[ChartSpec],
    cache: &std::path::Path,
) -> Result<Vec<Rendered>, Failure> {
    let mut rendered = Vec::new();
    for spec in specs {
        let known = match helm.filter(|_| chart::is_cached(spec, cache)) {
            Some(helm) => Some(earnest(helm, spec, cache).await.map_err(ProviderError::from)?),
            None => None,
        };
        match known {
            Some(known) => rendered.push(known),
            None => rendered.push(published::outline(spec).map_err(ProviderError::from)?),
        }
    }
    Ok(rendered)
}

/// What rendering left out, and which charts are outlines only.
fn told(global: &Global, rendered: &[Rendered]) {
    if global.json {
        return;
    }
    let outlines: Vec<String> =
        rendered.iter().filter(|chart| chart.source == Source::Outline).map(|chart| chart.spec.label()).collect();
    if !outlines.is_empty() {
        err(&format!("note: charts as outlines, without Helm: {}", outlines.join(", ")));
    }
    for chart in rendered {
        for note in &chart.notes {
            err(&format!("note: chart {}: {note}", chart.spec.name));
        }
    }
}

/// Where charts are kept.
/// Source: <https://specifications.freedesktop.org/basedir-spec/latest/>
fn cache() -> PathBuf {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    named.or_else(home).unwrap_or_else(std::env::temp_dir).join("rayplat").join("charts")
}
