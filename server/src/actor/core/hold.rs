//! When a core holds: doubt, reassertion, freeze. See the table in [`super`]; what a tip means is
//! [`judge`]'s to say.
//!
//! - Every question to the store is numbered, and only the newest one's answer counts. Answers
//!   about an append name it; one that was resolved by the tip is no longer listened to.
//! - While a core holds, memory does not change: so every attempt to reassert from one term
//!   carries the same content under the same random id, and whichever of them is found in the
//!   tip made all of memory durable, a record in doubt included. That one is not sent again: its
//!   tells carry the old term in their ids.
//! - Once a reassertion was sent, only its grant ends the hold: it might still arrive.
//! - I2: after a grant nothing leaves before [`super::Limits::quiet_ms`] have passed and a second
//!   reassertion, the confirmation, is granted over the first one's marker. Until then the core
//!   stands for the epoch that it continues, not for the one that it was granted.

use bytes::Bytes;

use super::{Core, Flight, Lost, Output, ReassertOut, guard};
use crate::actor::doubt::{Mine, Verdict, judge};
use crate::store::tip::{Epoch, History, Reasserted, Seq, Term, Tip};

/// Terms that are kept of the lineage; of older ones a fork is said.
const LINEAGE_MAX: usize = 64;

/// What keeps a core from deciding, besides an append in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing.
    Free,
    /// The tip was asked for.
    Asked,
    /// Memory is being written back.
    Reasserting,
    /// It was, and whoever continues a newer term may still write over it.
    Quiet,
    /// No one has: the quiet time is over, and a second reassertion says so in the journal.
    Confirming,
    /// The node may not answer for its actors.
    Frozen,
    /// The store was asked to forget the actor.
    Erasing,
    /// Nothing is asked of it any more, but to remember.
    Resting,
    /// For good.
    Stopped,
}

/// A reassertion that may have been written.
#[derive(Debug)]
pub(super) struct Reassertion {
    append_id: u64,
    /// In which the first attempt was made: the least that a find in the tip tells.
    history: History,
    /// The node session changed since then, so that another one is needed.
    outdated: bool,
    snapshot: bool,
}

/// The newest terms of an activation, its own included.
pub(super) fn lineage(mut terms: Vec<Term>, epoch: Epoch, from: Seq) -> Vec<Term> {
    if terms.last().is_none_or(|newest| newest.epoch != epoch) {
        terms.push(Term { epoch, from });
    }
    let old = terms.len().saturating_sub(LINEAGE_MAX);
    terms.drain(..old);
    terms
}

impl Core {
    pub(super) fn stopped(&self) -> bool {
        self.hold == Hold::Stopped
    }

    /// Whether nothing may be decided now.
    pub(super) fn held(&self) -> bool {
        match self.hold {
            Hold::Free => self.flight.is_some(),
            Hold::Asked => guard!(self, HoldInDoubt),
            Hold::Frozen => self.flight.is_some() || guard!(self, HoldWhileFrozen),
            Hold::Reasserting | Hold::Quiet | Hold::Confirming => true,
            Hold::Erasing | Hold::Resting | Hold::Stopped => true,
        }
    }

    /// Whether an answer about this append is listened to.
    pub(super) fn awaits(&self, append_id: u64) -> bool {
        let this = |flight: &Flight| flight.append.append_id == append_id;
        let listens = |flight| this(flight) || !guard!(self, VoidLateAnswers);
        self.hold == Hold::Free && self.flight.as_ref().is_some_and(listens)
    }

    /// Asks for the tip; what was asked before is void. A frozen core does so when it thaws.
    pub(super) fn suspect(&mut self) {
        if self.hold != Hold::Frozen {
            self.ask_tip();
        }
    }

    pub(super) fn thaw(&mut self, reclaim: bool) {
        self.reclaim |= reclaim;
        if let Some(reassertion) = &mut self.reassertion {
            reassertion.outdated |= reclaim;
        }
        self.ask_tip();
    }

    fn ask_tip(&mut self) {
        self.ask += 1;
        self.hold = Hold::Asked;
        self.out.push_back(Output::ReadTip(self.ask));
    }

    /// The tip was read.
    pub(super) fn tip(&mut self, now_ms: u64, ask: u64, tip: Option<Tip>) {
        if self.hold == Hold::Asked && ask == self.ask {
            self.resolve(now_ms, tip);
        }
    }

    /// Follows the doubt table.
    fn resolve(&mut self, now_ms: u64, tip: Option<Tip>) {
        let Some(tip) = tip else {
            return self.stop(Output::Halted("the journal is gone from the store".into()));
        };
        let sent = self.reassertion.is_some();
        match self.judge_tip(&tip) {
            Verdict::Applied | Verdict::GoOn if sent => self.reassert(tip, false),
            Verdict::Resend if sent => self.reassert(tip, true),
            Verdict::Applied | Verdict::Resend if self.lingers => self.rest(),
            Verdict::Applied => self.settle_flight(now_ms),
            Verdict::Resend => self.resend(),
            Verdict::GoOn => self.go_on(now_ms),
            Verdict::Reassert { snapshot, fork } => {
                if tip.is_of_nothing() && !sent {
                    let text = "the store has nothing of this actor, which is written back";
                    self.out.push_back(Output::Alarm(text.into()));
                }
                if fork && !sent {
                    let text = format!("another line of history is written over: {tip:?}");
                    self.out.push_back(Output::Alarm(text));
                }
                self.reassert(tip, snapshot);
            }
            Verdict::Reasserted(epoch) => self.found(now_ms, epoch, tip),
            Verdict::Fenced { lost: false } if self.lingers => self.rest(),
            Verdict::Fenced { lost } => self.fenced(lost, tip),
            Verdict::Contradiction => {
                let text = format!("the journal has {tip:?}, not written by its holder");
                self.stop(Output::Quarantine(text));
            }
            Verdict::Wiped => self.stop(Output::Halted("the journal is gone".into())),
        }
    }

    fn judge_tip(&self, tip: &Tip) -> Verdict {
        let known = guard!(self, ReassertOnNewHistory);
        let mine = Mine {
            epoch: self.epoch,
            stands_for: self.stands_for,
            acked: self.acked,
            in_doubt: self.flight.as_ref().map(|flight| flight.append.append_id),
            reasserting: self.reassertion.as_ref().map(|reassertion| reassertion.append_id),
            history: if known { self.history } else { tip.history },
            lineage: &self.lineage,
            reclaim: self.reclaim,
        };
        judge(&mine, Some(tip))
    }

    fn fenced(&mut self, lost: bool, tip: Tip) {
        let lost = lost.then(|| {
            let (acked, epoch, snapshot) = (self.acked, self.epoch, self.durable.save());
            Box::new(Lost { acked, epoch, snapshot, tip })
        });
        self.stop(Output::Fenced { lost });
    }

    fn resend(&mut self) {
        self.hold = Hold::Free;
        if let Some(flight) = &self.flight {
            self.out.push_back(Output::Append(flight.append.clone()));
        }
    }

    /// The tip is this activation's own.
    fn go_on(&mut self, now_ms: u64) {
        if self.marker.is_some() {
            self.hold = Hold::Quiet;
            self.end_quiet(now_ms);
        } else {
            self.release(now_ms);
        }
    }

    fn release(&mut self, now_ms: u64) {
        if self.lingers {
            return self.rest();
        }
        self.hold = Hold::Free;
        if self.flight.is_none() {
            self.show();
        }
        self.out.extend(std::mem::take(&mut self.withheld));
        if self.flight.is_none() {
            self.oblige(now_ms);
            self.snapshot();
        }
    }

    /// When the quiet time is over, a confirmation says whether the reassertion has stood.
    pub(super) fn end_quiet(&mut self, now_ms: u64) {
        if self.hold != Hold::Quiet || now_ms < self.quiet_until_ms {
            return;
        }
        match self.marker {
            Some(marker) if guard!(self, ConfirmAfterQuiet) => self.confirm(marker),
            _ => self.release(now_ms),
        }
    }

    /// Writes over this core's own marker that it goes on from there: whoever comes late and
    /// stands for a higher epoch than the marker continues must find that it is too late.
    fn confirm(&mut self, marker: Tip) {
        let append_id = self.next_random();
        let history = marker.history;
        self.reassertion =
            Some(Reassertion { append_id, history, outdated: false, snapshot: false });
        self.send_reassertion(Hold::Confirming, marker, self.epoch, append_id, None);
    }

    /// The newest record that memory holds.
    fn newest(&self) -> u64 {
        let doubt = self.flight.is_some() && guard!(self, SnapshotHoldsDoubt);
        self.acked + u64::from(doubt)
    }

    fn reassert(&mut self, observed: Tip, snapshot: bool) {
        let append_id = self.next_random();
        let fresh =
            Reassertion { append_id, history: observed.history, outdated: false, snapshot: false };
        let reassertion = self.reassertion.get_or_insert(fresh);
        reassertion.snapshot |= snapshot;
        let append_id = reassertion.append_id;
        let state = snapshot.then(|| self.durable.save());
        self.send_reassertion(Hold::Reasserting, observed, self.stands_for, append_id, state);
    }

    fn send_reassertion(
        &mut self,
        hold: Hold,
        observed: Tip,
        continues: Epoch,
        append_id: u64,
        snapshot: Option<Bytes>,
    ) {
        self.ask += 1;
        self.hold = hold;
        self.out.push_back(Output::Reassert(Box::new(ReassertOut {
            ask: self.ask,
            observed,
            continues,
            seq: self.newest(),
            append_id,
            snapshot,
            due_ms: self.durable.due_ms(),
        })));
    }

    /// What became of a reassertion. All but a grant is for the tip to say.
    pub(super) fn reasserted(&mut self, now_ms: u64, ask: u64, result: Result<Reasserted, ()>) {
        if !matches!(self.hold, Hold::Reasserting | Hold::Confirming) || ask != self.ask {
            return;
        }
        match result {
            Ok(Reasserted::Granted { epoch, history }) if self.hold == Hold::Confirming => {
                self.begin_term(epoch, history);
                (self.stands_for, self.marker, self.reassertion) = (epoch, None, None);
                self.doubt_attempts(now_ms);
                self.release(now_ms);
            }
            Ok(Reasserted::Granted { epoch, history }) => {
                self.reassertion_stands(now_ms, epoch, history, self.stands_for);
                self.reclaim = false;
            }
            Ok(Reasserted::Changed) | Err(()) => self.ask_tip(),
        }
    }

    /// One whose answer was lost is found in the tip. If it may have been granted in an older
    /// history or to an older node session, another one follows at once.
    fn found(&mut self, now_ms: u64, epoch: Epoch, tip: Tip) {
        let first = self.reassertion.as_ref();
        let history = first.map_or(self.history, |first| first.history);
        self.reclaim = first.is_some_and(|first| first.outdated);
        // Found again, a confirmation is one more reassertion: it is confirmed in its turn.
        let continues = tip.continues.unwrap_or(self.stands_for);
        self.reassertion_stands(now_ms, epoch, history, continues);
        self.resolve(now_ms, Some(tip));
    }

    fn begin_term(&mut self, epoch: Epoch, history: History) {
        (self.epoch, self.history) = (epoch, history);
        self.lineage = lineage(std::mem::take(&mut self.lineage), epoch, self.acked);
    }

    fn reassertion_stands(
        &mut self,
        now_ms: u64,
        epoch: Epoch,
        history: History,
        continues: Epoch,
    ) {
        (self.acked, self.acked_ms) = (self.newest(), now_ms);
        self.offered.outdated = true;
        self.begin_term(epoch, history);
        self.stands_for = if guard!(self, StandForContinued) { continues } else { epoch };
        let append_id = self.reassertion.as_ref().map_or(0, |reassertion| reassertion.append_id);
        let (seq, continues) = (self.acked, Some(continues));
        self.marker = Some(Tip { epoch, seq, append_id, continues, history });
        if guard!(self, SnapshotHoldsDoubt) {
            self.withheld.extend(self.flight.take().into_iter().flat_map(|flight| flight.outputs));
        } else if let Some(flight) = &mut self.flight {
            (flight.append.epoch, flight.append.history) = (epoch, history);
        }
        self.due_ms = self.durable.due_ms();
        self.snapshot_in_flight = false;
        if self.reassertion.take().is_some_and(|reassertion| reassertion.snapshot) {
            self.since_snapshot = (0, 0);
            self.snapshot_heard = self.durable.ledger.heard.len();
        }
        self.quiet_until_ms = now_ms + self.limits.quiet_ms;
        self.hold = Hold::Quiet;
    }
}
