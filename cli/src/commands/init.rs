//! `rayplat init`

use std::{fs::OpenOptions, io::Write};

use crate::{
    args::Global,
    exit::{Ending, Failure},
    report::out,
};

/// The quick start, with what may be changed.
const TEMPLATE: &str = include_str!("init.yaml");

pub fn run(global: &Global) -> Result<Ending, Failure> {
    let path = &global.file;
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
    file.write_all(TEMPLATE.as_bytes())
        .map_err(|source| Failure::Io { what: format!("{} cannot be written", path.display()), source })?;
    out(&format!(
        "wrote {}: put your VPC and subnets in, then `rayplat validate` and `rayplat up --rehearse`",
        path.display()
    ));
    Ok(Ending::Done)
}
