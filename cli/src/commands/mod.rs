//! One file a command.

mod completions;
mod doctor;
mod down;
mod graph;
mod history;
mod import;
mod init;
mod kubeconfig;
mod lint;
mod output;
mod preview;
mod rehearse;
mod schema;
mod state;
mod token;
mod up;
mod validate;
mod verify;

use crate::{
    args::{Args, Command, Global},
    exit::{Ending, Failure},
    setup, store,
};

/// Runs the command.
pub fn run(args: &Args) -> Result<Ending, Failure> {
    let global = &args.global;
    match &args.command {
        Command::Preview(args) => block_on(global, preview::run(global, args)),
        Command::Up(args) => block_on(global, up::run(global, args)),
        Command::Down(args) => block_on(global, down::run(global, args)),
        Command::Verify { command } => block_on(global, verify::run(global, command)),
        Command::Doctor => block_on(global, doctor::run(global)),
        Command::Output { name } => block_on(global, output::run(global, name.as_deref())),
        Command::Kubeconfig(args) => block_on(global, kubeconfig::run(global, args)),
        Command::Token { cluster } => setup::runtime(global)?.block_on(token::run(global, cluster)),
        Command::State { command } => block_on(global, state::run(global, command)),
        Command::History { run, limit } => block_on(global, history::run(global, *run, *limit)),
        Command::Graph { format } => graph::run(global, *format),
        Command::Lint { rules } => lint::run(global, *rules),
        Command::Validate => validate::run(global),
        Command::Schema { markdown } => schema::run(*markdown),
        Command::Init(args) => init::run(global, args),
        Command::Import(args) => setup::runtime(global)?.block_on(import::run(global, args)),
        Command::Rehearse { command } => rehearse::run(global, command),
        Command::Completions { shell } => completions::run(*shell),
    }
}

/// Runs a command that may open the state, and gives its lock back however it ended.
fn block_on(global: &Global, command: impl Future<Output = Result<Ending, Failure>>) -> Result<Ending, Failure> {
    setup::runtime(global)?.block_on(async {
        let ended = command.await;
        let released = store::release().await;
        let ended = ended?;
        released.map(|()| ended)
    })
}
