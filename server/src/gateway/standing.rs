//! Whether this node may serve, and how long its sockets wait for it. Pure.
//!
//! The composition root says how the node stands with its store; the edge holds what comes
//! meanwhile, for a while, and then lets the clients look elsewhere.

use holdfast_protocol::codes::CloseCode;

/// How this node stands. Times are Unix milliseconds by the node's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// It serves.
    #[default]
    Serving,
    /// The store takes no writes, or their fate is in doubt, since then.
    Held(u64),
    /// The node's lease has run out, since then: others may take its players over.
    Frozen(u64),
}

/// What the edge does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Nothing.
    Serve,
    /// Hello and resume wait; sockets stay open.
    Wait,
    /// Hello and resume are answered `busy`, and sockets close with this code: all of a frozen
    /// node ([`CloseCode::HandedOver`]), those with an unanswered command of a held one
    /// ([`CloseCode::Internal`]).
    Over(CloseCode),
}

impl Standing {
    /// Since when it does not serve.
    #[must_use]
    pub fn since_ms(self) -> Option<u64> {
        match self {
            Self::Serving => None,
            Self::Held(since_ms) | Self::Frozen(since_ms) => Some(since_ms),
        }
    }

    /// What to do at `now_ms`, where sockets wait for `hold_ms`.
    #[must_use]
    pub fn judge(self, now_ms: u64, hold_ms: u64) -> Patience {
        let over = |since_ms: u64| now_ms >= since_ms.saturating_add(hold_ms);
        match self {
            Self::Serving => Patience::Serve,
            Self::Held(since_ms) if over(since_ms) => Patience::Over(CloseCode::Internal),
            Self::Frozen(since_ms) if over(since_ms) => Patience::Over(CloseCode::HandedOver),
            Self::Held(_) | Self::Frozen(_) => Patience::Wait,
        }
    }

    /// Why the node is not ready, for people.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Serving => None,
            Self::Held(_) => Some("the store does not take writes now; what was sent waits"),
            Self::Frozen(_) => {
                Some("this node could not renew its lease; it does nothing until the store answers")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_after_the_hold() {
        assert_eq!(Standing::Serving.judge(u64::MAX, 0), Patience::Serve);
        assert_eq!(Standing::Held(100).judge(8_099, 8_000), Patience::Wait);
        assert_eq!(Standing::Held(100).judge(8_100, 8_000), Patience::Over(CloseCode::Internal));
        assert_eq!(Standing::Frozen(100).judge(100, 8_000), Patience::Wait);
        assert_eq!(
            Standing::Frozen(100).judge(9_000, 8_000),
            Patience::Over(CloseCode::HandedOver)
        );
        assert!(Standing::Held(0).reason() != Standing::Frozen(0).reason());
    }
}
