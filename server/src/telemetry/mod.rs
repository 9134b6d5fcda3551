//! What a node says about itself: log lines ([`init`]) and numbers ([`metrics`], with [`measured`] at the store's door).
//!
//! Log lines go to stderr. Whoever logs about an actor adds the fields `actor`, `epoch` and
//! `seq`, so that one actor's life can be read across nodes.

pub mod measured;
pub mod metrics;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Why logging can't begin. Reacts: the operator, at start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not one.
    #[error("{0:?} is not a log filter; try info or holdfast=debug")]
    Filter(String),
    /// Something in this process logs already.
    #[error("logging has begun already: {0}")]
    Begun(String),
}

/// Begins logging to stderr, once a process.
///
/// # Errors
/// [`Error`], for the operator.
pub fn init(filter: &str, format: LogFormat) -> Result<(), Error> {
    let filter = EnvFilter::try_new(filter).map_err(|_| Error::Filter(filter.to_owned()))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|e| Error::Begun(e.to_string()))
}
