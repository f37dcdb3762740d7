//! What the terminal shows: folds over the engine's events.

mod human;
mod json;
pub mod rehearsal;
pub mod style;
pub mod tree;

use std::io::{IsTerminal, Write};

use rayplat_engine::event::Event;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::args::Global;

/// Prints a line. A reader that has gone (`rayplat ... | head`) is no error.
pub fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    drop(writeln!(stdout, "{text}").and_then(|()| stdout.flush()));
}

/// How a run is shown while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// One JSON object a line.
    Json,
    /// One line an event.
    Lines,
    /// One line for each running step, kept up to date.
    Terminal,
}

/// A rehearsal is over before a line could be kept up to date.
pub fn live(global: &Global, rehearsal: bool) -> Live {
    match () {
        () if global.json => Live::Json,
        () if std::io::stderr().is_terminal() && !rehearsal => Live::Terminal,
        () => Live::Lines,
    }
}

/// Shows the events until the run is over; gives them all back.
pub async fn follow(reader: UnboundedReceiver<Event>, live: Live) -> Vec<Event> {
    match live {
        Live::Json => json::follow(reader).await,
        Live::Lines => human::follow(reader, false).await,
        Live::Terminal => human::follow(reader, true).await,
    }
}

/// `1 s`, `2 min 05 s`, `1 h 02 min`.
pub fn duration(milliseconds: u64) -> String {
    let seconds = (milliseconds + 500) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}
