//! What the terminal shows: folds over the engine's events.

pub mod checks;
pub mod cost;
pub mod drift;
mod human;
mod json;
pub mod kept;
pub mod markdown;
pub mod policy;
pub mod rehearsal;
mod reporter;
pub mod section;
pub mod standing;
pub mod style;
pub mod tree;

use std::io::{IsTerminal, Write};

pub use reporter::{Message, Phase, Reporter, flush};

use crate::args::Global;

/// Prints a line. A reader that has gone (`rayplat ... | head`) is no error.
pub fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    drop(writeln!(stdout, "{text}").and_then(|()| stdout.flush()));
}

/// Prints a line to standard error. `eprintln!` would panic where nobody reads it.
pub fn err(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(writeln!(stderr, "{text}").and_then(|()| stderr.flush()));
}

/// Prints the warnings of a manifest, if there are any.
pub fn warn(warnings: &impl std::fmt::Display) {
    let text = warnings.to_string();
    if !text.is_empty() {
        err(text.trim_end());
    }
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
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match () {
        () if global.json => Live::Json,
        () if std::io::stderr().is_terminal() && !dumb && !rehearsal => Live::Terminal,
        () => Live::Lines,
    }
}

/// What a run cannot read before it has let itself in again.
pub fn unread(count: usize, why: &str) -> String {
    let count = section::counted(count, "object");
    format!(
        "not read: {count}, taken as recorded until the access that this plan mends is in force; run it once more then ({why})"
    )
}

/// `0.4 s`, `12 s`, `2 min 05 s`, `1 h 02 min`.
pub fn duration(milliseconds: u64) -> String {
    if milliseconds < 9_950 {
        let tenths = (milliseconds + 50) / 100;
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = (milliseconds + 500) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_two_figures() {
        let shown = [0, 140, 9_949, 9_950, 59_499, 59_500, 480_600, 3_599_400, 3_720_000].map(duration);
        assert_eq!(
            shown,
            ["0.0 s", "0.1 s", "9.9 s", "10 s", "59 s", "1 min 00 s", "8 min 01 s", "59 min 59 s", "1 h 02 min"]
        );
    }
}
