//! `rayplat`: provisions a production EKS platform for Ray.

// The one crate that prints.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod charts;
mod clients;
mod commands;
mod exit;
mod interrupt;
mod plan_file;
mod policies;
mod reach;
mod report;
mod setup;
mod source;
mod store;

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use clap::Parser;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::usage(&error),
    };
    if args.global.no_color {
        report::style::plain();
    }
    panic::set_hook(Box::new(exit::bug));
    // Nothing is used after a panic: what the run had is in its journal.
    let Ok(result) = panic::catch_unwind(AssertUnwindSafe(|| commands::run(&args))) else {
        return ExitCode::from(exit::BUG);
    };
    exit::code(result, args.global.json)
}
