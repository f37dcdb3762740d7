//! `rayplat kubeconfig`: lets kubectl and its like into the cluster.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rayplat_resources::kubernetes::{
    ClusterAccess,
    kubeconfig::{Command, KubeconfigError, Written, with_entry},
};

use crate::{
    args::{Global, KubeconfigArgs},
    commands::output,
    exit::{Ending, Failure},
    report::out,
    setup,
};

pub async fn run(global: &Global, args: &KubeconfigArgs) -> Result<Ending, Failure> {
    if global.rehearse {
        return Err(Failure::Usage {
            message: "the cluster of a rehearsal is in this program: kubectl cannot reach it".to_owned(),
            hint: "Leave --rehearse out for the cluster on AWS.".to_owned(),
        });
    }
    let loaded = setup::manifest(&global.file)?;
    let state = setup::stored(global, "kubeconfig").await?;
    let platform = setup::offline(global, &loaded, Some(&state))?;
    let outputs = output::evaluate(&platform.outputs, &state);
    let text = |name: &str| outputs.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let access = ClusterAccess {
        name: text("cluster_name"),
        endpoint: text("cluster_endpoint"),
        certificate_authority: text("cluster_certificate_authority"),
    };
    if access.endpoint.is_empty() {
        return Err(Failure::Usage {
            message: format!("the cluster of {} does not stand yet", loaded.manifest.name),
            hint: "Run `rayplat up` first.".to_owned(),
        });
    }
    let name = args.name.clone().unwrap_or_else(|| access.name.clone());
    let file = file(args)?;
    let before = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Failure::Io { what: format!("{} cannot be read", file.display()), source }),
    };
    let command = command(global, &access.name, &loaded.manifest.region)?;
    let (text, written) = with_entry(&before, &name, &access, &command, args.replace).map_err(|error| {
        let hint = match &error {
            KubeconfigError::Foreign { .. } => {
                "Choose another name with --name, or take the entry over with --replace. Nothing was changed."
            }
            KubeconfigError::Unreadable(_) => "Mend the file, or name another with --kubeconfig. Nothing was changed.",
        };
        Failure::Usage { message: format!("{}: {error}", file.display()), hint: hint.to_owned() }
    })?;
    if written != Written::Same {
        write(&file, &text)?;
    }
    let what = match &written {
        Written::Added => format!("{}: added `{name}`, and made it the current context", file.display()),
        Written::Same => format!("{}: `{name}` is as it should be", file.display()),
        Written::Updated => format!("{}: brought `{name}` up to date", file.display()),
        Written::Former(server) => {
            format!(
                "{}: `{name}` led to a former cluster, {server}; it leads to {} now",
                file.display(),
                access.endpoint
            )
        }
    };
    out(&what);
    Ok(Ending::Done)
}

/// The first file of `KUBECONFIG`, as kubectl writes, else `~/.kube/config`.
pub fn file(args: &KubeconfigArgs) -> Result<PathBuf, Failure> {
    if let Some(file) = &args.kubeconfig {
        return Ok(file.clone());
    }
    let named = std::env::var_os("KUBECONFIG");
    let first = named.as_ref().and_then(|paths| std::env::split_paths(paths).find(|path| !path.as_os_str().is_empty()));
    first.or_else(|| Some(std::env::home_dir()?.join(".kube").join("config"))).ok_or_else(|| Failure::Usage {
        message: "there is no home folder to write a kubeconfig into".to_owned(),
        hint: "Name a file with --kubeconfig FILE.".to_owned(),
    })
}

/// This program, asked for a token.
pub fn command(global: &Global, cluster: &str, region: &str) -> Result<Command, Failure> {
    let program = std::env::current_exe()
        .map_err(|source| Failure::Io { what: "this program's own path cannot be read".to_owned(), source })?;
    let mut args =
        vec!["token", "--cluster", cluster, "--region", region].into_iter().map(str::to_owned).collect::<Vec<_>>();
    if let Some(profile) = &global.profile {
        args.extend(["--profile".to_owned(), profile.clone()]);
    }
    Ok(Command { program: program.display().to_string(), args, env: Vec::new() })
}

/// All of it or nothing, for its owner's eyes only.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |what: &str| {
        let what = format!("{} {what}", file.display());
        move |source| Failure::Io { what, source }
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed("cannot be made"))?;
    // Through a link, its target is written.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let new = target.with_extension(format!("new-{}", std::process::id()));
    setup::write_new(&new, text.as_bytes())?;
    restrict(&new).map_err(failed("cannot be kept from others"))?;
    fs::rename(&new, &target).map_err(failed("cannot be written"))
}

#[cfg(unix)]
fn restrict(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> std::io::Result<()> {
    Ok(())
}
