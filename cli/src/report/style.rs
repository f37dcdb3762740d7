//! Colours, where somebody sees them.

use std::{
    io::IsTerminal,
    sync::atomic::{AtomicBool, Ordering},
};

/// Escape sequences, or nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    pub create: &'static str,
    pub update: &'static str,
    pub delete: &'static str,
    pub error: &'static str,
    pub hint: &'static str,
    pub dim: &'static str,
    pub bold: &'static str,
    pub reset: &'static str,
}

const COLOURS: Style = Style {
    create: "\x1b[32m",
    update: "\x1b[33m",
    delete: "\x1b[31m",
    error: "\x1b[1;31m",
    hint: "\x1b[36m",
    dim: "\x1b[2m",
    bold: "\x1b[1m",
    reset: "\x1b[0m",
};

static PLAIN: AtomicBool = AtomicBool::new(false);

/// No colours from here on: `--no-color`.
pub fn plain() {
    PLAIN.store(true, Ordering::Relaxed);
}

fn style(terminal: bool) -> Style {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    // https://no-color.org: set and not empty
    let unwanted = PLAIN.load(Ordering::Relaxed) || set("NO_COLOR").is_some();
    let dumb = set("TERM").is_some_and(|term| term == "dumb");
    if terminal && !unwanted && !dumb { COLOURS } else { Style::default() }
}

/// For standard output.
pub fn stdout() -> Style {
    style(std::io::stdout().is_terminal())
}

/// For standard error.
pub fn stderr() -> Style {
    style(std::io::stderr().is_terminal())
}
