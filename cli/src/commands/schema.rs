//! `rayplat schema`

use rayplat_resources::platform::manifest;

use crate::{
    exit::{Ending, Failure},
    report::out,
};

pub fn run() -> Result<Ending, Failure> {
    out(&format!("{:#}", manifest::schema()));
    Ok(Ending::Done)
}
