//! The cluster: whether it can be reached from here, and whether kubectl's entry leads to it.

use std::{fs, io::ErrorKind};

use rayplat_resources::kubernetes::{
    ClusterAccess,
    kubeconfig::{KubeconfigError, Written, with_entry},
};

use super::{Check, Patient};
use crate::{
    args::KubeconfigArgs,
    commands::{kubeconfig, output},
    exit::Failure,
    reach, setup,
};

impl Patient<'_> {
    /// On an emulated account outlines stand for charts: one over HTTP has told how fast it runs.
    pub fn takes_outlines(&self) -> bool {
        self.rehearsal.is_some() || self.clients.is_some_and(|clients| clients.time_scale.is_told())
    }

    /// An emulated account answers for its clusters.
    fn emulated(&self) -> bool {
        self.rehearsal.is_some() || self.clients.is_some_and(|clients| clients.endpoint.is_some())
    }

    /// The cluster that the state knows.
    fn cluster(&self) -> Result<Option<ClusterAccess>, Failure> {
        let Some(state) = self.state else { return Ok(None) };
        let platform = setup::offline(self.global, self.loaded, Some(state))?;
        let outputs = output::evaluate(&platform.outputs, state);
        let text = |name: &str| outputs.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let access = ClusterAccess {
            name: text("cluster_name"),
            endpoint: text("cluster_endpoint"),
            certificate_authority: text("cluster_certificate_authority"),
        };
        Ok(Some(access).filter(|access| !access.endpoint.is_empty()))
    }
}

pub async fn endpoint(patient: &Patient<'_>) -> Option<Check> {
    const NAME: &str = "endpoint";
    let manifest = &patient.loaded.manifest;
    if !manifest.kubernetes.enabled {
        return None;
    }
    if patient.emulated() {
        return Some(Check::ok(NAME, "an emulated account answers for its cluster"));
    }
    let cluster = match patient.cluster() {
        Ok(cluster) => cluster,
        Err(failure) => return Some(Check::of(NAME, &failure)),
    };
    // Where nothing stands, the account is asked which networks the VPC has.
    let clients = patient.clients?;
    let standing = cluster.as_ref().map(|cluster| cluster.endpoint.as_str());
    Some(match reach::find(manifest, clients, standing).await {
        Ok(None) => {
            Check::ok(NAME, standing.map_or_else(|| "it will answer here".to_owned(), |url| format!("{url} answers")))
        }
        Ok(Some(error)) => Check::of_call(NAME, error),
        Err(failure) => Check::of(NAME, &failure),
    })
}

/// The entry that `rayplat kubeconfig` writes; nothing where no cluster stands, and in a rehearsal.
pub fn kubeconfig(patient: &Patient<'_>) -> Option<Check> {
    const NAME: &str = "kubeconfig";
    const CURE: &str = "Run `rayplat kubeconfig`.";
    if patient.global.rehearse {
        return None;
    }
    let looked = || -> Result<Option<Check>, Failure> {
        let Some(access) = patient.cluster()? else { return Ok(None) };
        let file = kubeconfig::file(&KubeconfigArgs { kubeconfig: None, name: None, replace: false })?;
        let shown = file.display();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(source) => return Err(Failure::Io { what: format!("{shown} cannot be read"), source }),
        };
        let command = kubeconfig::command(patient.global, &access.name, &patient.loaded.manifest.region)?;
        let name = &access.name;
        let warning = |what: String| Check::warning(NAME, what, CURE);
        Ok(Some(match with_entry(&text, name, &access, &command, false) {
            Ok((_, Written::Same)) => Check::ok(NAME, format!("{shown}: `{name}` leads to {}", access.endpoint)),
            Ok((_, Written::Added)) => warning(format!("{shown} has no entry `{name}`")),
            Ok((_, Written::Updated)) => warning(format!("{shown}: `{name}` leads there in another way")),
            Ok((_, Written::Former(server))) => {
                warning(format!("{shown}: `{name}` is stale: it leads to a former cluster, {server}"))
            }
            Err(error @ KubeconfigError::Foreign { .. }) => Check::warning(
                NAME,
                format!("{shown}: {error}"),
                "Run `rayplat kubeconfig --name OTHER`, or take the entry over with --replace.",
            ),
            Err(error) => Check::warning(NAME, format!("{shown}: {error}"), "Mend the file; nothing was changed."),
        }))
    };
    looked().unwrap_or_else(|failure| Some(Check::of(NAME, &failure)))
}
