//! Asking both sides what they know of a trade, and what follows from it. The heart of I9.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::guard::guard;
use super::saga::Draft;
use super::{ASK_MS, ASK_TIMER, Outcome, Stage, TradeEvent, Why};
use crate::game::tells::{Evidence, FromTrade};

/// What a round of questions is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Aim {
    /// The terms of that revision were accepted.
    #[serde(rename = "ok")]
    Commit(u32),
    /// It is to end without goods changing hands.
    #[serde(rename = "no")]
    Abort(Outcome, Why),
}

/// A round under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Round {
    /// Random, so that no answer to a round that the store has lost counts in this one.
    pub n: u64,
    pub aim: Aim,
    pub heard: BTreeMap<Arc<str>, Evidence>,
}

impl Round {
    pub fn new(n: u64, aim: Aim) -> Self {
        Self { n, aim, heard: BTreeMap::new() }
    }
}

impl Draft<'_> {
    /// Asks both sides what they know.
    pub(super) fn ask(&mut self, aim: Aim) {
        let n = self.ctx.random;
        self.record(TradeEvent::Asked { n, aim });
        self.set_timer(ASK_TIMER, self.ctx.now_ms.saturating_add(ASK_MS));
        self.say_both(&FromTrade::Ask { n });
        if !guard!(self.ctx, AskBeforeEnd) {
            let Some(terms) = self.now.terms.clone() else { return };
            let evidence = Evidence::Reserved { revision: terms.revision };
            self.known(&terms.from, n, evidence.clone());
            self.known(&terms.to, n, evidence);
        }
    }

    /// The sides' answers have not come.
    pub(super) fn ask_again(&mut self) {
        if let Stage::Asking(round) = &self.now.stage
            && guard!(self.ctx, AskAgain)
        {
            self.ask(round.aim.clone());
        }
    }

    /// A side says what it knows, asked or not.
    pub(super) fn known(&mut self, from: &str, n: u64, evidence: Evidence) {
        if let Evidence::Settled(terms) = &evidence
            && terms.is_side(from)
            && guard!(self.ctx, SettledDecides)
        {
            return match &self.now.stage {
                Stage::Ended(ended) if ended.outcome == Outcome::Committed => {
                    if !ended.settled.contains_key(from) {
                        self.repeat(from);
                    }
                }
                Stage::Ended(_) => self.alarm(&format!("{from} has settled what was called off")),
                Stage::Closed => {}
                _ => {
                    let theirs = Some(terms.clone()).filter(|_| guard!(self.ctx, SettledTerms));
                    self.end(Outcome::Committed, None, theirs);
                }
            };
        }
        let Stage::Asking(round) = &self.now.stage else { return self.denied(from, n) };
        if round.n != n && guard!(self.ctx, AnswersOfThisRound) || !self.now.is_side(from) {
            return;
        }
        self.record(TradeEvent::Known { player: from.into(), evidence });
        self.conclude();
    }

    /// Decides when both sides have spoken.
    fn conclude(&mut self) {
        let (Stage::Asking(round), Some(terms)) = (&self.now.stage, &self.now.terms) else {
            return;
        };
        let heard = |player: &str| round.heard.get(player);
        let (Some(from), Some(to)) = (heard(&terms.from), heard(&terms.to)) else { return };
        let have = |evidence: &Evidence, revision: u32| {
            *evidence == Evidence::Reserved { revision } || !guard!(self.ctx, BothReserved)
        };
        match round.aim.clone() {
            Aim::Commit(revision) if have(from, revision) && have(to, revision) => {
                self.end(Outcome::Committed, None, None);
            }
            Aim::Commit(_) => {
                let why = Why::new("no_such_trade", "what was reserved is gone; it is called off");
                self.end(Outcome::Cancelled, Some(why), None);
            }
            Aim::Abort(outcome, why) => self.end(outcome, Some(why), None),
        }
    }
}
