//! What is on this machine: the manifest, its repository, Helm.

use rayplat_resources::{
    kubernetes::chart::{Helm, HelmEnvironment},
    platform::{self, Setting, manifest::Loaded},
};

use super::{Check, Patient};
use crate::{args::Global, exit::Failure, setup, source};

pub fn manifest(global: &Global) -> (Check, Option<Loaded>) {
    const NAME: &str = "manifest";
    match setup::manifest(&global.file) {
        Ok(loaded) => {
            let warnings = loaded.warnings.iter().count();
            let what = format!("{}: {} in {}", global.file.display(), loaded.manifest.name, loaded.manifest.region);
            let plural = if warnings == 1 { "" } else { "s" };
            let what_of_it = format!("{what}, with {warnings} warning{plural}");
            let check = match warnings {
                0 => Check::ok(NAME, what),
                _ => Check::warning(NAME, what_of_it, "Run `rayplat lint`: it says what each means."),
            };
            (check, Some(loaded))
        }
        Err(Failure::Manifest(found)) => {
            let what = format!("{}: {} findings, errors among them", global.file.display(), found.iter().count());
            (Check::failed(NAME, what, "Run `rayplat validate`, which shows each with its cure."), None)
        }
        Err(failure) => (Check::of(NAME, &failure), None),
    }
}

pub fn source(global: &Global) -> Check {
    const NAME: &str = "source";
    let found = source::find(&global.file);
    match (found.repository, found.commit) {
        (Some(repository), Some(commit)) => Check::ok(NAME, format!("{repository} at {commit}")),
        (None, Some(commit)) => Check::warning(
            NAME,
            format!("commit {commit} of a repository without a remote `origin`"),
            "Add the remote, so that the tag Repository says where the platform comes from.",
        ),
        _ => Check::warning(
            NAME,
            "the manifest is in no git repository with a commit, and CI says nothing of one",
            "Keep it in git: then tags say which commit the platform was made from.",
        ),
    }
}

/// That nothing asks for another region than the manifest.
pub fn region(global: &Global, loaded: &Loaded) -> Option<Check> {
    const NAME: &str = "region";
    let wanted = &loaded.manifest.region;
    let asked = global.region.as_ref()?;
    Some(match asked == wanted {
        true => Check::ok(NAME, wanted.clone()),
        false => Check::failed(
            NAME,
            format!("--region is {asked}, but {} says {wanted}", global.file.display()),
            "Change it in the manifest, or leave --region out.",
        ),
    })
}

/// Helm, if charts are to be rendered by it.
pub async fn helm(patient: &Patient<'_>) -> Option<Check> {
    const NAME: &str = "helm";
    // Which charts there are depends on the manifest alone.
    let setting = Setting {
        partition: "aws".to_owned(),
        account: String::new(),
        region: patient.loaded.manifest.region.clone(),
        caller_arn: String::new(),
        zones: Vec::new(),
    };
    let charts = platform::charts(&patient.loaded.manifest, &setting);
    if charts.is_empty() {
        return None;
    }
    let found = Helm::find(&HelmEnvironment::from_env()).await;
    let names = charts.iter().map(|chart| chart.chart.as_str()).collect::<Vec<_>>().join(", ");
    Some(match found {
        Ok(helm) => Check::ok(NAME, format!("{} is {}, for {names}", helm.program().display(), helm.version())),
        Err(_) if patient.takes_outlines() => {
            Check::ok(NAME, format!("none, and an emulated account needs none: outlines of {names}"))
        }
        Err(error) => Check::of_call(NAME, error.into()),
    })
}
