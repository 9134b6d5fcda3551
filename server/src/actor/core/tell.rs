//! Tells: an outbox in the sender's journal, a watermark in the receiver's.
//!
//! Delivery is at least once and in order per pair; the effect is exactly once. A tell names its
//! predecessor, so that a gap is noticed; the receiver keeps the newest id per sender, and
//! forgets it only a while after the sender has journaled the acknowledgement (I8: a room does
//! not grow with its visitors).
//!
//! A tell whose receiver does not exist is told to the rules as undelivered, and they give back
//! what it carried; so none of its attempts may be received after that. An attempt is handed to
//! a receiver at most once. "No such actor" is therefore believed only
//! - of the newest attempt, which is thereby used up, and
//! - when every attempt before it was used up likewise, or is older than what is still taken from
//!   another node ([`super::Limits::under_way_ms`]). Attempts of another activation count as made
//!   when the last one that did not know of its end may have ended ([`super::Limits::unaware_ms`]
//!   after this one began, or wrote its memory back: whose claim was lost has sent tells too).
//!
//! Until then it is not sent again, so that there is such a time.

use holdfast_protocol::ids::ActorId;

use super::draft::Draft;
use super::hold::Hold;
use super::{Core, Output, Rider, Tell, Verdict, guard};
use crate::actor::contract::{Message, Undelivered};
use crate::actor::ledger::Outgoing;
use crate::actor::record::{Fact, TellId};

/// First wait before a tell is sent again; doubles up to [`RESEND_MS_MAX`].
const RESEND_MS: u64 = 500;
const RESEND_MS_MAX: u64 = 5_000;
/// Wait after BUSY.
const BUSY_MS: u64 = 50;
/// How often old watermarks are looked at.
const SWEEP_MS: u64 = 5_000;
/// Watermarks forgotten, and acknowledgements asked for, in one sweep.
const FORGET_MAX: usize = 1_024;
const ASK_MAX: usize = 64;

/// How the sending of a tell goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub again_at_ms: u64,
    attempt: u32,
    tries: u32,
    /// When the newest attempt was made; `None`: it is used up.
    at_ms: Option<u64>,
    /// From when on none of the attempts before it is under way.
    clear_ms: u64,
    pub received: bool,
    /// There is no receiver; the rules hear of it after all earlier tells of the pair are done.
    nobody: bool,
}

impl Core {
    pub(super) fn tell(&mut self, draft: &mut Draft, from: ActorId, tell: &Tell) {
        let heard = self.durable.ledger.heard.get(&from).map(|w| w.id);
        if heard.is_some_and(|heard| heard >= tell.id) && guard!(self, TellWatermark) {
            return draft.outputs.push(Output::Verdict(from, tell.id, Verdict::Received));
        }
        let missing = tell.prev.is_some_and(|prev| heard.is_none_or(|heard| heard < prev));
        if missing && guard!(self, TellPredecessor) {
            return draft.outputs.push(Output::Verdict(from, tell.id, Verdict::Gap));
        }
        self.write(draft, Fact::Heard { from: from.clone(), id: tell.id });
        let message = Message::Tell { from: &from, payload: &tell.payload };
        // A refused tell is received all the same: there is no one who could mend it.
        self.react(draft, &message, tell.hops.saturating_add(1));
        draft.outputs.push(Output::Verdict(from, tell.id, Verdict::Received));
    }

    /// How a receiver took one of this actor's tells.
    pub(super) fn verdict(&mut self, now_ms: u64, to: ActorId, id: TellId, verdict: Verdict) {
        let known = self.durable.ledger.outbox.iter().any(|o| o.to == to && o.id == id);
        let (any_attempt, any_time) = (!guard!(self, NewestAttempt), !guard!(self, NoneUnderWay));
        let Some(sent) = self.sent.get_mut(&id).filter(|sent| known && !sent.received) else {
            return;
        };
        match verdict {
            Verdict::Received => {
                sent.received = true;
                self.ride(now_ms, Rider::Acked(to.clone(), id), self.limits.ride_ms);
                self.conclude(now_ms, &to);
            }
            Verdict::NoSuchActor(attempt) if attempt == sent.attempt || any_attempt => {
                sent.at_ms = None;
                if now_ms < sent.clear_ms && !any_time {
                    sent.again_at_ms = sent.clear_ms;
                } else {
                    sent.nobody = true;
                    self.conclude(now_ms, &to);
                }
            }
            Verdict::NoSuchActor(_) => {}
            Verdict::Gap => self.send_again(&to, now_ms),
            Verdict::Busy => sent.again_at_ms = now_ms + BUSY_MS,
        }
    }

    /// Lets the rules hear of tells of a pair that reach no one. In order, also for them: an
    /// acknowledgement covers all earlier tells, and each has to be judged as undelivered by
    /// itself.
    fn conclude(&mut self, now_ms: u64, to: &ActorId) {
        let in_order = guard!(self, UndeliveredInOrder);
        let mut undelivered = Vec::new();
        for outgoing in self.durable.ledger.outbox.iter().filter(|o| &o.to == to) {
            match self.sent.get_mut(&outgoing.id) {
                Some(sent) if sent.received => {}
                Some(sent) if sent.nobody => {
                    sent.received = true;
                    undelivered.push(outgoing.id);
                }
                _ if in_order => break,
                _ => {}
            }
        }
        for id in undelivered {
            // An answer is owed for it, so that does not wait.
            self.ride(now_ms, Rider::Undelivered(to.clone(), id), 0);
        }
    }

    fn send_again(&mut self, to: &ActorId, now_ms: u64) {
        for outgoing in self.durable.ledger.outbox.iter().filter(|o| &o.to == to) {
            if let Some(sent) = self.sent.get_mut(&outgoing.id) {
                sent.again_at_ms = sent.again_at_ms.min(now_ms + BUSY_MS);
            }
        }
    }

    /// Sends what is in the acknowledged outbox and not yet sent, or sent too long ago. I5.
    pub(super) fn send_tells(&mut self, now_ms: u64) {
        let ledger = &self.durable.ledger;
        for outgoing in &ledger.outbox {
            let before = self.sent.get(&outgoing.id).copied();
            if before.is_some_and(|sent| sent.received || sent.again_at_ms > now_ms) {
                continue;
            }
            if before.is_some() && !guard!(self, Resend) {
                continue;
            }
            let sent = self.attempt(now_ms, outgoing.id, before);
            self.sent.insert(outgoing.id, sent);
            let tell = Tell {
                id: outgoing.id,
                prev: ledger.predecessor(outgoing),
                payload: outgoing.payload.clone(),
                creates: outgoing.creates,
                hops: outgoing.hops,
                attempt: sent.attempt,
            };
            self.out.push_back(Output::Tell(outgoing.to.clone(), tell));
        }
    }

    fn attempt(&self, now_ms: u64, id: TellId, before: Option<Sent>) -> Sent {
        let (epoch, begun_ms) = self.begun;
        let clear_ms = match before {
            Some(sent) => {
                let under_way = sent.at_ms.map(|at_ms| at_ms + self.limits.under_way_ms);
                sent.clear_ms.max(under_way.unwrap_or(0))
            }
            None if id.epoch >= epoch => 0,
            None => {
                let begun_ms = begun_ms.unwrap_or(now_ms);
                begun_ms + self.limits.unaware_ms + self.limits.under_way_ms
            }
        };
        let tries = before.map_or(0, |sent| sent.tries);
        let wait_ms = (RESEND_MS << tries.min(4)).min(RESEND_MS_MAX);
        Sent {
            again_at_ms: now_ms + wait_ms,
            attempt: self.attempts_from.wrapping_add(tries + 1),
            tries: tries + 1,
            at_ms: Some(now_ms),
            clear_ms,
            received: false,
            nobody: false,
        }
    }

    /// Journals that a receiver has a tell, and lets it know when that is durable.
    pub(super) fn acked(&mut self, draft: &mut Draft, to: ActorId, through: TellId) {
        self.write(draft, Fact::Acked { to: to.clone(), through });
        self.forget_sent();
        draft.outputs.push(Output::Settled(to, through));
    }

    /// Journals that a tell reaches no one, and lets the rules answer.
    pub(super) fn undelivered(&mut self, draft: &mut Draft, to: ActorId, id: TellId) {
        let find = |o: &&Outgoing| o.id == id;
        let Some(outgoing) = self.durable.ledger.outbox.iter().find(find).cloned() else { return };
        self.write(draft, Fact::Acked { to: to.clone(), through: id });
        self.forget_sent();
        let reason = Undelivered::NoSuchActor;
        let message = Message::Undelivered { to: &to, payload: &outgoing.payload, reason };
        self.react(draft, &message, outgoing.hops.saturating_add(1));
    }

    /// Another activation may have sent the same tells, and its claim is no longer in the journal.
    pub(super) fn doubt_attempts(&mut self, now_ms: u64) {
        self.begun = (self.epoch, Some(now_ms));
        let clear_ms = now_ms + self.limits.unaware_ms + self.limits.under_way_ms;
        self.riders.retain(|rider| !matches!(rider, Rider::Undelivered(..)));
        for sent in self.sent.values_mut().filter(|sent| sent.nobody || !sent.received) {
            (sent.received, sent.nobody, sent.clear_ms) = (false, false, clear_ms);
        }
    }

    fn forget_sent(&mut self) {
        let outbox = &self.durable.ledger.outbox;
        self.sent.retain(|id, _| outbox.iter().any(|o| o.id == *id));
    }

    /// Answers a receiver that asks whether its acknowledgement is journaled here.
    pub(super) fn settle_asked(&mut self, from: ActorId, through: TellId) {
        let open = self.durable.ledger.outbox.iter().any(|o| o.to == from && o.id <= through);
        // An activation that was taken over does not know of tells that its successor sent.
        let known = (through.epoch, through.seq) <= (self.epoch, self.acked);
        if known && !open && self.hold == Hold::Free && self.flight.is_none() {
            self.out.push_back(Output::Settled(from, through));
        }
    }

    /// Lets go of watermarks that no one needs, and asks about those of which nothing was heard.
    pub(super) fn sweep(&mut self, now_ms: u64) {
        if self.durable.ledger.heard.is_empty() || now_ms < self.sweep_at_ms {
            return;
        }
        self.sweep_at_ms = now_ms + SWEEP_MS;
        let forget_ms = self.limits.forget_ms;
        let mut forgotten = 0;
        while forgotten < FORGET_MAX {
            let ripe = self.settled.front().is_some_and(|(at, ..)| at + forget_ms <= now_ms);
            let Some((_, from, through)) = ripe.then(|| self.settled.pop_front()).flatten() else {
                break;
            };
            let heard = self.durable.ledger.heard.get(&from);
            if heard.is_some_and(|w| w.id <= through) {
                self.ride(now_ms, Rider::Forgot(from, through), self.limits.ride_ms);
                forgotten += 1;
            }
        }
        if forgotten == FORGET_MAX {
            self.sweep_at_ms = now_ms;
        }
        if now_ms >= self.ask_at_ms {
            self.ask_at_ms = now_ms + forget_ms;
            self.ask_settled(now_ms);
        }
    }

    /// Drops a watermark, unless a newer tell has raised it since it was looked at.
    pub(super) fn forgot(&mut self, draft: &mut Draft, from: ActorId, through: TellId) {
        let heard = self.durable.ledger.heard.get(&from);
        if heard.is_some_and(|w| w.id <= through || !guard!(self, ForgetSettled)) {
            self.write(draft, Fact::Forgot { from });
        }
    }

    /// A sender has journaled that everything through `through` was received.
    pub(super) fn settle(&mut self, now_ms: u64, from: ActorId, through: TellId) {
        let heard = &self.durable.ledger.heard;
        let newest = heard.get(&from).is_some_and(|w| w.id <= through);
        // I7: a settlement that finds no room is asked for later.
        if newest && self.settled.len() <= 2 * heard.len() + FORGET_MAX {
            self.settled.push_back((now_ms, from, through));
        }
    }

    /// A settlement may have been lost with a crash; then the receiver asks.
    fn ask_settled(&mut self, now_ms: u64) {
        let old = |at_ms: u64| at_ms + 2 * self.limits.forget_ms <= now_ms;
        let heard = self.durable.ledger.heard.iter().filter(|(_, w)| old(w.at_ms));
        let asks = heard.take(ASK_MAX).map(|(from, w)| Output::AskSettled(from.clone(), w.id));
        let asks: Vec<_> = asks.collect();
        self.out.extend(asks);
    }
}
