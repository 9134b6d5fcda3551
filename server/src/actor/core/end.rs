//! The end of an actor whose rules say that it is over: the store is asked to forget it.
//!
//! - Only when nothing is owed, to it or by it: no tell waits to be acknowledged, nothing is to
//!   fire, run or answer, and no watermark is left. A watermark goes by its own way, a while after
//!   its sender has settled; until then a late copy of a tell is known again, and does not begin a
//!   new life.
//! - Only when what it acknowledged needs its memory no more ([`super::Limits::stable_ms`]): a
//!   store that goes back behind the erasure then still has an actor that is over, and due.
//! - While the store is asked, the core holds. What comes meanwhile waits in the mailbox; when the
//!   actor is gone it is told that there was no room, and comes again: to no one, or to a new life.
//! - The erasure names epoch and seq. One that arrives late finds another tip and changes nothing,
//!   or finds this one, whose append then finds no journal. So a core in doubt may go on from its
//!   tip, and need not know whether an erasure of its own is still under way.
//! - I1: a holder that finds nothing of its actor in the history in which it last wrote does not
//!   write it back: another has gone on, and has ended it.

use super::hold::Hold;
use super::{Core, Input, Output, busy, draft, guard};
use crate::actor::core::Verdict;
use crate::actor::envelope::{CallError, Delivery, Refusal};
use crate::store::tip::{History, Tip};

/// How long until a store that would not erase is asked again.
const AGAIN_MS: u64 = 200;

/// What became of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasure {
    /// Nothing is left of the actor.
    Done,
    /// Nothing was changed, and it may be tried again.
    NotNow,
    /// Refused, or not known: the tip says who writes.
    Doubt,
}

impl Core {
    /// Whether the rules say that the actor is over. Without a record there is nothing to end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.acked > 0 && self.durable.is_over()
    }

    /// Whether it is over, and nothing is owed to it or by it. What waits to ride, or for an
    /// answer, is owed by the ledger too, and a socket is in it as well.
    fn is_settled(&self) -> bool {
        let ledger = &self.durable.ledger;
        let told = ledger.outbox.is_empty() && ledger.heard.is_empty();
        let owes = !ledger.timers.is_empty()
            || !ledger.activities.is_empty()
            || !ledger.pending.is_empty()
            || ledger.connected;
        self.is_over() && (told || !guard!(self, EraseWhenSettled)) && !owes
    }

    /// When it may be erased; `None`: something is still to be done.
    pub(super) fn end_at_ms(&self) -> Option<u64> {
        let ends = self.hold == Hold::Free && self.flight.is_none() && self.is_settled();
        ends.then(|| self.erase_at_ms.max(self.acked_ms + self.limits.stable_ms))
    }

    /// Asks the store to forget the actor, if it is time.
    pub(super) fn end(&mut self, now_ms: u64) {
        if self.end_at_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            self.ask += 1;
            self.hold = Hold::Erasing;
            self.out.push_back(Output::Erase { ask: self.ask, seq: self.acked });
        }
    }

    /// What became of it.
    pub(super) fn erased(&mut self, now_ms: u64, ask: u64, erasure: Erasure) {
        if self.hold != Hold::Erasing || ask != self.ask {
            return;
        }
        self.erase_at_ms = now_ms + AGAIN_MS;
        match erasure {
            Erasure::Done => self.is_gone(),
            Erasure::NotNow => self.hold = Hold::Free,
            Erasure::Doubt => self.suspect(),
        }
    }

    /// The store has nothing of the actor, as read in that history.
    pub(super) fn gone(&mut self, now_ms: u64, ask: u64, history: History) {
        if self.hold != Hold::Asked || ask != self.ask {
            return;
        }
        // Another history may lack what it has not heard of yet. What has ended needs no place in
        // it.
        let known = history == self.history && guard!(self, ErasedStays);
        if known || (self.is_settled() && self.flight.is_none()) {
            self.is_gone();
        } else {
            self.tip(now_ms, ask, Some(Tip::of_nothing(history)));
        }
    }

    fn is_gone(&mut self) {
        if self.lingers {
            return self.rest();
        }
        for input in std::mem::take(&mut self.mailbox) {
            self.send_away(input);
        }
        self.stop(Output::Erased);
    }

    /// It was not executed, and may be asked again of whoever comes after.
    fn send_away(&mut self, input: Input) {
        let output = match input {
            Input::Tell(from, tell) => Output::Verdict(from, tell.id, Verdict::Busy),
            Input::Call(caller, _) | Input::Query(caller, _) => {
                Output::Answer(caller, Err(CallError::Busy))
            }
            Input::Read(connection, id, _) => draft::reply_err(connection, Some(id), busy()),
            Input::Attach(connection, _) => {
                Output::Deliver(connection, Delivery::Refused(Box::new(Refusal::Busy)))
            }
            _ => return,
        };
        self.out.push_back(output);
    }
}
