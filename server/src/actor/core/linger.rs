//! Lingering: a core that was fenced, or whose actor was given up, serves nothing any more and
//! keeps what it knows for a while. Until the store's replicas have what this core acknowledged,
//! its memory may be the only copy that survives the primary.
//!
//! It rests. Suspected, it reads its tip and follows the doubt table like any holder: if the store
//! went back behind what it knows, it writes that back, is quiet, confirms, and rests again. It
//! appends nothing, and lets nothing out but its reassertions. Obligations need no memory: they
//! are found by whoever activates the actor next (I5).

use super::Core;
use super::hold::Hold;

impl Core {
    /// Ends the service. What it knows stays, a record in doubt included.
    pub fn linger(&mut self) {
        self.lingers = true;
        self.mailbox.clear();
        self.waiting.clear();
        self.turned_away.clear();
        self.lazy.clear();
        self.riders.clear();
        self.settled.clear();
        self.waiters.clear();
        self.sent.clear();
        self.running.clear();
        if let Some(flight) = &mut self.flight {
            flight.outputs.clear();
        }
        self.rest();
        self.slim();
    }

    /// Whether it serves nothing any more.
    #[must_use]
    pub fn lingers(&self) -> bool {
        self.lingers
    }

    /// Whether it lingers and is not in doubt.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.hold == Hold::Resting
    }

    /// Nothing is left to do. What a reassertion made durable was never promised to anyone who
    /// still listens here.
    pub(super) fn rest(&mut self) {
        self.hold = Hold::Resting;
        self.withheld.clear();
        self.out.clear();
    }
}
