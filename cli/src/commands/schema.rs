//! `rayplat schema`

use rayplat_resources::platform::manifest;

use crate::{
    exit::{Ending, Failure},
    report::out,
};

pub fn run(markdown: bool) -> Result<Ending, Failure> {
    if markdown {
        // The text ends its last line itself.
        out(manifest::markdown().trim_end());
    } else {
        out(&format!("{:#}", manifest::schema()));
    }
    Ok(Ending::Done)
}
