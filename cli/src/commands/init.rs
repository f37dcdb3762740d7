//! `rayplat init`

use std::{fs::OpenOptions, io::Write, path::Path};

use rayplat_resources::adopt::{self, TfState};

use crate::{
    args::{Global, InitArgs},
    exit::{Ending, Failure},
    report::{err, out},
};

/// The quick start, with what may be changed.
const TEMPLATE: &str = include_str!("init.yaml");

pub fn run(global: &Global, args: &InitArgs) -> Result<Ending, Failure> {
    let Some(variables) = &args.from_tfvars else {
        write(&global.file, TEMPLATE)?;
        out(&format!(
            "wrote {}: put your VPC and subnets in, then `rayplat validate` and `rayplat up --rehearse`",
            global.file.display()
        ));
        return Ok(Ending::Done);
    };
    let path = &global.file;
    let written = from_terraform(variables, args)?;
    write(path, &written.yaml)?;
    written.warnings.iter().for_each(|warning| err(&format!("warning: {warning}")));
    let next = match &args.tfstate {
        Some(state) => format!("`rayplat import --tfstate {} --dry-run`", state.display()),
        None if args.adopt => "`rayplat import --tfstate FILE --dry-run`".to_owned(),
        None => "`rayplat up --rehearse`".to_owned(),
    };
    out(&format!("wrote {}: look through it, then `rayplat validate` and {next}", path.display()));
    Ok(Ending::Done)
}

/// The manifest of the module's variables.
fn from_terraform(variables: &Path, args: &InitArgs) -> Result<adopt::Written, Failure> {
    let wrong = |path: &Path, error| Failure::Terraform { path: path.to_owned(), error };
    let text = terraform_file(variables)?;
    let text = String::from_utf8(text).map_err(|source| Failure::Io {
        what: format!("{} is not UTF-8", variables.display()),
        source: other(source),
    })?;
    let values = adopt::variables(&variables.display().to_string(), &text).map_err(|error| wrong(variables, error))?;
    let state = args.tfstate.as_deref().map(tfstate).transpose()?;
    adopt::write(&values, state.as_ref(), args.adopt || state.is_some()).map_err(|error| wrong(variables, error))
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> std::io::Error {
    std::io::Error::other(error)
}

/// Reads a file of Terraform's.
fn terraform_file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|source| Failure::Io { what: format!("{} cannot be read", path.display()), source })
}

/// Reads a state of Terraform's.
pub fn tfstate(path: &Path) -> Result<TfState, Failure> {
    TfState::parse(&terraform_file(path)?).map_err(|error| Failure::Terraform { path: path.to_owned(), error })
}

/// Writes a manifest where there is none.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|source| {
        if source.kind() == std::io::ErrorKind::AlreadyExists {
            Failure::Usage {
                message: format!("{} exists and is not overwritten", path.display()),
                hint: "Name another file with -f FILE.".to_owned(),
            }
        } else {
            Failure::Io { what: format!("{} cannot be written", path.display()), source }
        }
    })?;
    file.write_all(text.as_bytes())
        .map_err(|source| Failure::Io { what: format!("{} cannot be written", path.display()), source })
}
