//! Following work of a node until it has ended, past times in which the node does not answer.

use serde::de::DeserializeOwned;

use super::CliError;
use super::admin::Admin;
use crate::clock::Clock;

/// Looks in a row that may fail while a node restarts or is busy.
const MISSES_MAX: u32 = 60;

/// Where a node says how far it is, and how often it is asked.
pub(super) struct Follow<'a> {
    pub node: &'a Admin<'a>,
    pub path: &'static str,
    pub clock: &'a Clock,
    pub poll_ms: u64,
}

impl Follow<'_> {
    /// The next status, after a while.
    pub async fn next<T: DeserializeOwned>(&self) -> Result<T, CliError> {
        let mut misses = 0;
        loop {
            self.clock.sleep_ms(self.poll_ms).await;
            match self.node.get(self.path).await.and_then(|body| body.json()) {
                Ok(status) => return Ok(status),
                Err(error) if misses >= MISSES_MAX => return Err(error),
                Err(_) => misses += 1,
            }
        }
    }
}

/// How much of it is done, of a hundred.
pub(super) fn percent(done: u64, all: u64) -> u64 {
    done.saturating_mul(100).checked_div(all).unwrap_or(0).min(100)
}
