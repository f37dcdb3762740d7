//! `rayplat state ...`: one file a command.

mod export;
mod import;
mod list;
mod mv;
mod rebuild;
mod rm;
mod show;
mod unlock;

use std::sync::Arc;

use rayplat_engine::{
    context::SystemClock,
    edit::{EditError, Editor},
    error::Error,
    urn::Urn,
};

use crate::{
    args::{Global, StateCommand},
    exit::{Ending, Failure},
    setup,
};

pub async fn run(global: &Global, command: &StateCommand) -> Result<Ending, Failure> {
    match command {
        StateCommand::List => list::run(global, &setup::stored(global, "state list").await?),
        StateCommand::Show { urn } => show::run(global, &setup::stored(global, "state show").await?, urn)?,
        StateCommand::Export { out } => export::run(global, out.as_deref()).await?,
        StateCommand::Import { file, replace } => import::run(global, file, *replace).await?,
        StateCommand::Rm { urns } => return rm::run(global, urns).await,
        StateCommand::Unlock => return unlock::run(global).await,
        StateCommand::Rebuild => return rebuild::run(global).await,
        StateCommand::Mv { from, to } => mv::run(global, from, to).await?,
    }
    Ok(Ending::Done)
}

/// The state, to be changed.
async fn editor(global: &Global, command: &str) -> Result<Editor, Failure> {
    let store = setup::existing_store(global, command).await?;
    Ok(Editor::open(store, Arc::new(SystemClock), Some(setup::who())).await?)
}

fn urn(text: &str) -> Result<Urn, Failure> {
    text.parse().map_err(|error: rayplat_engine::urn::UrnError| Failure::Usage {
        message: error.to_string(),
        hint: "`rayplat state list` shows what there is.".to_owned(),
    })
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        Self::Engine(Error::from(error))
    }
}
