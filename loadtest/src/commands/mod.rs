//! The subcommands: each reads its arguments, has the library do it, and says what came of it.

pub mod agent;
pub mod compare;
pub mod drive;
pub mod echo;
pub mod proxy;
pub mod report;
pub mod run;
pub mod scenarios;
pub mod warden;

use std::io::{self, Write as _};

/// What a subcommand gives; the error is a sentence.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Writes a line to standard output; a reader that has gone away is no failure.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush());
}

/// Writes a line to standard error.
fn mention(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
