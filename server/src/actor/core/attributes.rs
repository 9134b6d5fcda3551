//! What a session is found by, offered to the index of attributes.
//!
//! - I2: offered when the state is acknowledged, so a row never tells of what is not durable.
//! - At most one offer in [`super::Limits::attributes_ms`]: the first record after a quiet time is
//!   offered at once, what follows at the end of that time.
//! - The last thing that an activation says is that nobody holds the actor.

use super::hold::Hold;
use super::{Core, Output};

/// What was last offered, and when the next offer may be made.
#[derive(Debug)]
pub(super) struct Offered {
    /// The state is newer than what was offered.
    pub outdated: bool,
    /// Not before then.
    pub next_ms: u64,
    /// An offer was made: there is a row that says that this node holds the actor.
    made: bool,
}

impl Default for Offered {
    /// A new activation offers at once: its row names another node, or none.
    fn default() -> Self {
        Self { outdated: true, next_ms: 0, made: false }
    }
}

impl Core {
    /// Offers what the session is found by, if that may have changed and it is time.
    pub(super) fn offer_attributes(&mut self, now_ms: u64) {
        let Some(every_ms) = self.limits.attributes_ms else { return };
        if !self.offered.outdated || now_ms < self.offered.next_ms || self.acked == 0 {
            return;
        }
        self.offered.outdated = false;
        let Some(attributes) = self.durable.state.attributes() else { return };
        (self.offered.made, self.offered.next_ms) = (true, now_ms + every_ms);
        self.out.push_back(Output::Attributes { seq: self.acked, attributes, leaves: false });
    }

    /// When the next offer is to be made.
    pub(super) fn offer_at_ms(&self) -> Option<u64> {
        let wanted = self.limits.attributes_ms.is_some() && self.offered.outdated;
        (wanted && self.offered.made).then_some(self.offered.next_ms)
    }

    /// The last offer was not taken: it is made again later.
    pub fn offer_again(&mut self) {
        self.offered.outdated = true;
    }

    /// The activation ends. Whoever is fenced or in doubt says nothing: the next owner does.
    pub(super) fn offer_last(&mut self) {
        let settled = self.hold == Hold::Free && self.flight.is_none();
        if !std::mem::take(&mut self.offered.made) || !settled {
            return;
        }
        if let Some(attributes) = self.durable.state.attributes() {
            self.out.push_back(Output::Attributes { seq: self.acked, attributes, leaves: true });
        }
    }
}
