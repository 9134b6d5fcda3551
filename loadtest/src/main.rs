//! `loadtest`: what measures a Holdfast from outside. One file of `commands` for each subcommand;
//! what they do is the library's, so that benchmarks do the same.
//!
//! Findings go to standard output; progress and what went wrong, in a sentence, to standard
//! error. Exit codes: 0 after a run, 1 when it could not be done, 2 for a command line that
//! can't be used.

mod commands;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures a Holdfast from outside, and the bare echo that it is measured against
#[derive(Debug, Parser)]
#[command(name = "loadtest", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Echo(commands::echo::Args),
    Drive(commands::drive::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Each connection is an open file; the soft limit of most systems is 1,024.
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    let done = match &cli.task {
        Task::Echo(args) => commands::echo::run(args),
        Task::Drive(args) => commands::drive::run(args, files),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(io::stderr(), "loadtest: {why}");
            ExitCode::FAILURE
        }
    }
}
