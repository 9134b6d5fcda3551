//! Why a bot could not go on, and whether resuming mends it.

use std::time::Duration;

use holdfast_protocol::codes::{CloseCode, Verdict};
use holdfast_protocol::server::ErrorBody;

use crate::ledger::Violation;
use crate::socket;

/// Why a bot could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket failed. Resume if [`Error::is_lost`].
    #[error(transparent)]
    Socket(#[from] socket::Error),
    /// The server closed. Resume if [`Error::is_lost`].
    #[error("the server closed with {0:?}")]
    Closed(Option<u16>),
    /// There is no socket: connect or resume first.
    #[error("not connected")]
    NotConnected,
    /// Hello or resume was refused.
    #[error("refused: {0}")]
    Refused(ErrorBody),
    /// What was waited for did not happen in time.
    #[error("waited {after:?} for {what} in vain")]
    Deadline {
        /// What.
        what: String,
        /// How long.
        after: Duration,
    },
    /// The server broke a promise. A bug of the server.
    #[error("broken promise: {0}")]
    Violation(#[from] Violation),
    /// A message that is not of the protocol. A bug of the server.
    #[error("unreadable message {text:?}: {why}")]
    Unreadable {
        /// As it came.
        text: String,
        /// What is wrong.
        why: String,
    },
}

impl Error {
    /// True when the connection is gone and `resume` is the thing to do.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            // A deadline here is one of opening: a gateway that does not answer at all.
            Self::Socket(
                socket::Error::Connect(_)
                | socket::Error::Broken(_)
                | socket::Error::Deadline(_)
                // A node that takes no sockets now: it drains, or is full.
                | socket::Error::Refused(503),
            )
            | Self::NotConnected
            | Self::Closed(None) => true,
            Self::Closed(Some(code)) => CloseCode::from_code(*code)
                .is_some_and(|close| close.verdict() == Verdict::Reconnect),
            Self::Refused(error) => error.retry,
            _ => false,
        }
    }
}
