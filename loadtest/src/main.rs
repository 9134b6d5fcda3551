//! `loadtest`: what measures a Holdfast from outside. One file of `commands` for each subcommand;
//! what they do is the library's, so that benchmarks do the same.
//!
//! Findings go to standard output; progress and what went wrong, in a sentence, to standard
//! error. Exit codes: 0 after a run, 1 when it could not be done, 64 for a command line that can't
//! be used; those of `loadtest run` say how it went: 0 met, 1 missed, 2 violated, 3 void; that of
//! `loadtest compare` is 1 when something is worse.

mod commands;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The exit status for a command line that can't be used (`EX_USAGE` of sysexits.h): 2 is taken.
const USAGE: u8 = 64;

/// Measures a Holdfast from outside, and the bare echo that it is measured against
#[derive(Debug, Parser)]
#[command(name = "loadtest", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Run(commands::run::Args),
    Scenarios(commands::scenarios::Args),
    Report(commands::report::Args),
    Compare(commands::compare::Args),
    Echo(commands::echo::Args),
    Drive(commands::drive::Args),
    Proxy(commands::proxy::Args),
    #[command(hide = true)]
    Agent(commands::agent::Args),
    #[command(hide = true)]
    Warden(commands::warden::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    // Each connection is an open file; the soft limit of most systems is 1,024.
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    let done = match &cli.task {
        Task::Run(args) => return status(commands::run::run(args, files)),
        Task::Compare(args) => return status(commands::compare::run(args)),
        Task::Report(args) => commands::report::run(args),
        Task::Scenarios(args) => commands::scenarios::run(args),
        Task::Warden(_) => commands::warden::run(),
        Task::Agent(_) => commands::agent::run(files),
        Task::Echo(args) => commands::echo::run(args),
        Task::Drive(args) => commands::drive::run(args, files),
        Task::Proxy(args) => commands::proxy::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(io::stderr(), "loadtest: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The exit status of a subcommand whose status says how it went.
fn status(done: Result<u8, Box<dyn std::error::Error>>) -> ExitCode {
    match done {
        Ok(status) => ExitCode::from(status),
        Err(why) => {
            let _ = writeln!(io::stderr(), "loadtest: {why}");
            ExitCode::from(USAGE)
        }
    }
}
