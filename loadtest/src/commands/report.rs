//! `loadtest report`: writes the page of a result again, also of a run that was cut off.

use std::fs;
use std::path::PathBuf;

use loadtest::report;
use loadtest::result::RunResult;

use super::{Outcome, say};

/// Writes the report of a result again, also of a run that was cut off
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A result.json that `loadtest run` wrote
    #[arg(value_name = "RESULT.json")]
    result: PathBuf,
    /// Where the page goes; report.html beside the result unless said otherwise
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the page, and prints the summary and where the page is.
///
/// # Errors
/// The file can't be read or is no result, or the page can't be written.
pub fn run(args: &Args) -> Outcome {
    let result = RunResult::read(&args.result)?;
    let out = args.out.clone().unwrap_or_else(|| args.result.with_file_name("report.html"));
    fs::write(&out, report::html(&result)).map_err(|why| format!("{}: {why}", out.display()))?;
    say(&report::text(&result));
    say(&format!("report: {}", out.display()));
    Ok(())
}
