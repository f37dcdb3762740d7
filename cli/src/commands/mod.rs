//! One file a command.

mod completions;
mod down;
mod graph;
mod history;
mod init;
mod lint;
mod output;
mod preview;
mod rehearse;
mod schema;
mod state;
mod up;
mod validate;

use crate::{
    args::{Args, Command},
    exit::{Ending, Failure},
    setup,
};

/// Runs the command.
pub fn run(args: &Args) -> Result<Ending, Failure> {
    let global = &args.global;
    match &args.command {
        Command::Preview(args) => setup::runtime(global)?.block_on(preview::run(global, args)),
        Command::Up(args) => setup::runtime(global)?.block_on(up::run(global, args)),
        Command::Down { purge_backups } => setup::runtime(global)?.block_on(down::run(global, *purge_backups)),
        Command::Output { name } => setup::runtime(global)?.block_on(output::run(global, name.as_deref())),
        Command::State { command } => setup::runtime(global)?.block_on(state::run(global, command)),
        Command::History { run, limit } => setup::runtime(global)?.block_on(history::run(global, *run, *limit)),
        Command::Graph { format } => graph::run(global, *format),
        Command::Lint { rules } => lint::run(global, *rules),
        Command::Validate => validate::run(global),
        Command::Schema { markdown } => schema::run(*markdown),
        Command::Init => init::run(global),
        Command::Rehearse { command } => rehearse::run(global, command),
        Command::Completions { shell } => completions::run(*shell),
    }
}
