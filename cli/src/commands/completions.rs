//! `rayplat completions SHELL`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{
    args::Args,
    exit::{Ending, Failure},
    report::out,
};

pub fn run(shell: Shell) -> Result<Ending, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "rayplat", &mut script);
    out(String::from_utf8_lossy(&script).trim_end());
    Ok(Ending::Done)
}
