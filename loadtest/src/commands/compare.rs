//! `loadtest compare`: holds two results against each other.

use std::error::Error;
use std::path::PathBuf;

use loadtest::compare::{TOLERANCE, compare};
use loadtest::result::RunResult;

use super::say;

/// The exit status when something is worse.
const WORSE: u8 = 1;

/// Compares two results: what became better, what worse
///
/// Exit status: 0 when nothing is worse by more than the tolerance, 1 otherwise, 64 when a file
/// can't be read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The result.json to compare with
    #[arg(value_name = "A.json")]
    a: PathBuf,
    /// The result.json in question
    #[arg(value_name = "B.json")]
    b: PathBuf,
    /// How much more or less is called the same
    #[arg(long, value_name = "PERCENT", default_value_t = 100.0 * TOLERANCE,
        value_parser = percent)]
    tolerance: f64,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse().ok();
    let sensible = |number: &f64| (0.0..=1_000.0).contains(number);
    number
        .filter(sensible)
        .ok_or_else(|| "write a percentage from 0 to 1000, such as 10 or 2.5".to_owned())
}

/// Prints the table, and gives the exit status.
///
/// # Errors
/// A file can't be read, or is no result.
pub fn run(args: &Args) -> Result<u8, Box<dyn Error>> {
    let (a, b) = (RunResult::read(&args.a)?, RunResult::read(&args.b)?);
    let comparison = compare(&a, &b, args.tolerance / 100.0);
    say(&comparison.text());
    Ok(if comparison.is_worse() { WORSE } else { 0 })
}
