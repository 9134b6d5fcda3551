//! `loadtest agent`: a generator process of a run; `loadtest run` starts it.

use loadtest::load::agent;

use super::Outcome;

/// A generator process: takes orders on standard input (started by `loadtest run`)
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Follows orders until there are no more.
///
/// # Errors
/// [`agent::Error`].
pub fn run(files: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(agent::run(files)) {
        // Its run has ended early, and has said why.
        Err(agent::Error::Gone) => Ok(()),
        done => Ok(done?),
    }
}
