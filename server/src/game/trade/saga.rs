//! The trade's part of the saga: what it makes of each tell, each timer and each silence.

use std::sync::Arc;

use holdfast_protocol::ids::ActorId;

use super::guard::guard;
use super::round::Aim;
use super::{
    AGAIN_MS, ASK_TIMER, CLOSE_TIMER, EXPIRY_TIMER, FORGET_MS, Outcome, RECEIPT_MS, RECEIPT_TIMER,
    Stage, Terms, Trade, TradeEvent, Why,
};
use crate::actor::contract::{Actor, Ctx, Decision, Tell, TimerChange};
use crate::game::stock::Stock;
use crate::game::tells::{Evidence, FromTrade, ToPlayer, ToTrade};
use crate::game::{PLAYER, Settings, pack};

/// A decision in the making.
pub(super) struct Draft<'a> {
    pub now: Trade,
    pub ctx: &'a Ctx<'a, Settings>,
    pub decision: Decision<TradeEvent>,
}

impl<'a> Draft<'a> {
    pub fn record(&mut self, event: TradeEvent) {
        self.now.apply(&event);
        self.decision.events.push(event);
    }

    pub fn say(&mut self, player: &str, word: FromTrade) {
        let trade = self.ctx.id.key().into();
        if let Ok(to) = ActorId::new(PLAYER, player) {
            let payload = pack(&ToPlayer::Trade { trade, word });
            self.decision.tells.push(Tell { to, payload, creates: false });
        }
    }

    pub fn say_both(&mut self, word: &FromTrade) {
        let Some(terms) = self.now.terms.clone() else { return };
        self.say(&terms.from, word.clone());
        self.say(&terms.to, word.clone());
    }

    pub fn set_timer(&mut self, name: &'static str, at_ms: u64) {
        self.decision.timers.push(TimerChange::Set { name: name.into(), at_ms });
    }

    pub fn alarm(&mut self, what: &str) {
        let sides = self.now.terms.as_ref();
        let sides = sides.map(|terms| format!(" between {} and {}", terms.from, terms.to));
        let text = format!("trade {}{}: {what}", self.ctx.id.key(), sides.unwrap_or_default());
        self.decision.alarms.push(text);
    }

    /// Terms go to the other side; whoever made them hears when it has seen them.
    fn offer(&mut self, terms: Terms) {
        let (to, expires_ms) = (Arc::clone(&terms.to), terms.expires_ms);
        self.set_timer(EXPIRY_TIMER, expires_ms);
        self.say(&to, FromTrade::Offer(terms.clone()));
        self.record(TradeEvent::Termed(terms));
    }

    /// Ends it. This record is what everything else follows.
    pub fn end(&mut self, outcome: Outcome, why: Option<Why>, terms: Option<Terms>) {
        for name in [EXPIRY_TIMER, ASK_TIMER] {
            self.decision.timers.push(TimerChange::Cancel { name: name.into() });
        }
        self.close_later();
        self.record(TradeEvent::Ended { outcome, why, terms });
        if let Some(word) = self.now.outcome() {
            self.say_both(&word);
        }
        if outcome == Outcome::Committed {
            self.set_timer(RECEIPT_TIMER, self.ctx.now_ms.saturating_add(RECEIPT_MS));
        }
    }

    /// Sides that have not said that they have settled.
    fn unsettled(&self) -> Vec<Arc<str>> {
        let (Stage::Ended(ended), Some(terms)) = (&self.now.stage, &self.now.terms) else {
            return Vec::new();
        };
        let sides = [&terms.from, &terms.to].into_iter();
        sides.filter(|side| !ended.settled.contains_key(*side)).cloned().collect()
    }

    /// The sides' receipts have not come in time. They are slow, or have lost a settlement: that is
    /// told apart by telling them again and asking them behind it. Who is slow hears both later.
    pub fn missed(&mut self) {
        if !matches!(self.now.stage, Stage::Ended(_)) {
            return;
        }
        for side in self.unsettled() {
            self.doubt(&side, false);
        }
    }

    fn doubt(&mut self, side: &str, again: bool) {
        let n = self.ctx.random;
        self.repeat(side);
        self.say(side, FromTrade::Ask { n });
        self.record(TradeEvent::Doubted { player: side.into(), n, again });
    }

    /// I9: whoever has heard that it is to settle, and then says that it has not, has lost it, or
    /// its store has gone back between the two. Who says so twice is named to the operators.
    pub fn denied(&mut self, from: &str, n: u64) {
        let Stage::Ended(ended) = &self.now.stage else { return };
        let owes = ended.outcome == Outcome::Committed && !ended.settled.contains_key(from);
        match ended.doubts.get(from) {
            Some((asked, true)) if *asked == n && owes => {
                self.alarm(&format!("{from} has not settled what was committed"));
            }
            Some((asked, false)) if *asked == n && owes => self.doubt(from, true),
            _ => {}
        }
    }

    fn close_later(&mut self) {
        let after_ms = if guard!(self.ctx, CloseLate) { FORGET_MS } else { 0 };
        self.set_timer(CLOSE_TIMER, self.ctx.now_ms.saturating_add(after_ms));
    }

    /// Tells one side again how it ended.
    pub fn repeat(&mut self, player: &str) {
        if let Some(word) = self.now.outcome() {
            self.say(player, word);
        }
    }

    pub fn hear(&mut self, from: &str, tell: ToTrade) {
        match tell {
            ToTrade::Open(terms) => self.opened(from, terms),
            ToTrade::Overdue(terms) => self.overdue(from, terms),
            ToTrade::Know { n, evidence } => self.known(from, n, evidence),
            ToTrade::Receipt { gave, got } => self.receipt(from, &gave, &got),
            _ if !self.now.is_side(from) => {}
            _ if self.now.is_ended() => self.repeat(from),
            ToTrade::Seen { revision } => self.seen(from, revision),
            ToTrade::Refuse { revision, why } => self.refused(from, revision, why),
            ToTrade::Accept { revision } => self.accepted(from, revision),
            ToTrade::Counter(terms) => self.countered(from, terms),
            ToTrade::Cancel {} => self.cancelled(from),
        }
    }

    fn opened(&mut self, from: &str, terms: Terms) {
        if *terms.from != *from {
            return;
        }
        match self.now.stage {
            Stage::New => self.offer(terms),
            Stage::Open => self.confirm(),
            Stage::Ended(_) => self.repeat(from),
            Stage::Offering | Stage::Asking(_) | Stage::Closed => {}
        }
    }

    /// Tells whoever made the terms that they are open.
    fn confirm(&mut self) {
        if let Some(terms) = self.now.terms.clone() {
            self.say(&terms.from.clone(), FromTrade::Opened(terms));
        }
    }

    fn seen(&mut self, from: &str, revision: u32) {
        if self.now.stage == Stage::Offering && self.now.answers(from, revision) {
            self.record(TradeEvent::Seen);
            self.confirm();
        }
    }

    /// The other side takes no offers, or does not exist. It has seen these terms only now, so
    /// nobody can have settled them.
    fn refused(&mut self, from: &str, revision: u32, why: Why) {
        if self.now.stage == Stage::Offering && self.now.answers(from, revision) {
            self.end(Outcome::Cancelled, Some(why), None);
        }
    }

    fn accepted(&mut self, from: &str, revision: u32) {
        match self.now.stage {
            Stage::Offering | Stage::Open if self.now.answers(from, revision) => {
                self.ask(Aim::Commit(revision));
            }
            Stage::Offering | Stage::Open => self.refuse(from),
            _ => {}
        }
    }

    fn countered(&mut self, from: &str, terms: Terms) {
        let answers = self.now.answers(from, terms.revision.saturating_sub(1));
        match self.now.stage {
            Stage::Offering | Stage::Open if answers && *terms.from == *from => self.offer(terms),
            Stage::Offering | Stage::Open => self.refuse(from),
            _ => {}
        }
    }

    /// An answer to terms that are not the newest.
    fn refuse(&mut self, player: &str) {
        let Some(terms) = self.now.terms.clone() else { return };
        let why = Why::new("no_such_trade", "the trade has other terms by now");
        self.say(player, FromTrade::Refused { terms, why });
    }

    fn cancelled(&mut self, from: &str) {
        if matches!(self.now.stage, Stage::Offering | Stage::Open) {
            let why = Why::new("no_such_trade", format!("{from} called the trade off"));
            self.ask(Aim::Abort(Outcome::Cancelled, why));
        }
    }

    pub fn expire(&mut self) {
        let Some(terms) = &self.now.terms else { return };
        if !matches!(self.now.stage, Stage::Offering | Stage::Open) {
            return;
        }
        if self.ctx.now_ms < terms.expires_ms {
            return self.set_timer(EXPIRY_TIMER, terms.expires_ms);
        }
        let why = Why::new("no_such_trade", "the offer was not accepted in time");
        self.ask(Aim::Abort(Outcome::Expired, why));
    }

    /// A side has waited for longer than the offer lasts, or its answer has reached no one. A
    /// trade that does not know itself takes the side's word for what it was about, and ends.
    fn overdue(&mut self, from: &str, terms: Terms) {
        if !terms.is_side(from) {
            return;
        }
        match self.now.stage {
            Stage::New => {
                self.record(TradeEvent::Termed(terms));
                let why = Why::new("no_such_trade", "the trade was lost, and is called off");
                self.ask(Aim::Abort(Outcome::Cancelled, why));
            }
            Stage::Offering | Stage::Open => self.expire(),
            Stage::Ended(_) if self.now.is_side(from) => self.repeat(from),
            _ => {}
        }
    }

    fn receipt(&mut self, from: &str, gave: &Stock, got: &Stock) {
        let Stage::Ended(ended) = &self.now.stage else { return };
        let Some(terms) = self.now.terms.as_ref().filter(|terms| terms.is_side(from)) else {
            return;
        };
        let (give, get) = terms.of(from);
        let differs = ended.outcome == Outcome::Committed && (gave, got) != (give, get);
        let is_new = !ended.settled.contains_key(from);
        if differs {
            let (gave, got, give, get) = (gave.words(), got.words(), give.words(), get.words());
            let text = format!("{from} gave {gave} for {got}, but agreed to {give} for {get}");
            self.alarm(&text);
        }
        if !is_new {
            return;
        }
        self.record(TradeEvent::Settled { player: from.into() });
        // From the last settlement on: until its side's store can't take it back any more.
        self.close_later();
        if self.unsettled().is_empty() {
            self.decision.timers.push(TimerChange::Cancel { name: RECEIPT_TIMER.into() });
        }
    }

    pub fn close(&mut self) {
        let Stage::Ended(ended) = &self.now.stage else { return };
        let committed = ended.outcome == Outcome::Committed;
        let Some(terms) = self.now.terms.clone().filter(|_| committed) else {
            return self.record(TradeEvent::Closed);
        };
        let missing = self.unsettled();
        if !missing.is_empty() {
            for side in &missing {
                self.repeat(side);
            }
            return self.set_timer(CLOSE_TIMER, self.ctx.now_ms.saturating_add(AGAIN_MS));
        }
        self.say_both(&FromTrade::Settle { terms, last: true });
        self.record(TradeEvent::Closed);
    }

    pub fn undelivered(&mut self, to: &str, word: &FromTrade) {
        match word {
            FromTrade::Offer(terms) => {
                let why = Why::new("no_such_player", format!("there is no player {to}"));
                self.refused(to, terms.revision, why);
            }
            FromTrade::Ask { n } => self.known(to, *n, Evidence::Nothing),
            // It settles nothing, and holds nothing.
            FromTrade::Settle { last: false, .. } => {
                self.alarm(&format!("{to} does not exist and can't settle"));
                if matches!(self.now.stage, Stage::Ended(_)) {
                    self.record(TradeEvent::Settled { player: to.into() });
                }
            }
            _ => {}
        }
    }
}
