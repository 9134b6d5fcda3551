//! `loadtest warden`: ends what a run has started when the run is gone; `loadtest run` starts it.

use loadtest::stage::warden;

use super::Outcome;

/// Kills the processes named on standard input when that ends (started by `loadtest run`)
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Waits, then kills.
///
/// # Errors
/// Standard input can't be read.
pub fn run() -> Outcome {
    Ok(warden::watch(std::io::stdin().lock())?)
}
