//! The trade: who gives what to whom, and whether it happened.
//!
//! A trade is an actor of its own between two players, and the only one who ends an escrow. The
//! sides reserve their goods and say so; the trade decides in one record of its own journal; both
//! sides settle by its word, each once. docs/trades.md tells the whole saga, tell by tell and
//! fault by fault.
//!
//! | stage | what it waits for | leaves to |
//! |---|---|---|
//! | new | its first tell | offering, asking |
//! | offering | that the other side has seen the terms | open, asking, ended |
//! | open | an answer, or the time | offering (other terms), asking |
//! | asking | what both sides know of it | ended |
//! | ended | the sides' receipts, then [`FORGET_MS`] | closed |
//! | closed | that its last tells arrive; then it is erased | |
//!
//! I9: it never decides without asking both sides. A store that went back in time may have lost
//! a decision of this journal that a side has acted upon: whoever has settled says so, and then
//! the trade is committed. A side that went back has no escrow any more, or has settled nothing;
//! it pays from what it holds by the same word, and what it can't pay is said and counted.

pub mod guard;
mod round;
mod saga;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

pub use self::round::Aim;
use self::round::Round;
use self::saga::Draft;
use super::stock::Stock;
use super::tells::{Evidence, FromTrade, ToPlayer};
use super::{PLAYER, Settings, json, unpack};
use crate::actor::contract::{Actor, Ctx, Decision, Message, Reject};

/// How long an offer is open unless an operator sets it otherwise, in milliseconds.
pub const OFFER_MS: u64 = 60_000;
/// How long an ended trade is remembered, in milliseconds: longer than any tell of before is under
/// way, and than a store goes back.
pub const FORGET_MS: u64 = 120_000;
/// How long a close is put off while a side has not settled, in milliseconds.
const AGAIN_MS: u64 = 30_000;
/// The timer that ends an open offer.
const EXPIRY_TIMER: &str = "expiry";
/// How long the sides' answers are waited for until they are asked again, in milliseconds: a store
/// that went back in time may have lost them.
pub const ASK_MS: u64 = 5_000;
/// The timer that asks the sides again.
const ASK_TIMER: &str = "ask";
/// How long a committed trade waits for its receipts until it speaks again, in milliseconds.
pub const RECEIPT_MS: u64 = 4_000;
/// The timer that looks for missing receipts.
const RECEIPT_TIMER: &str = "receipt";
/// The timer that closes an ended trade.
const CLOSE_TIMER: &str = "close";

/// Who gives what to whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// Counts the terms of a trade from 1.
    #[serde(rename = "r")]
    pub revision: u32,
    /// Who made them.
    #[serde(rename = "f")]
    pub from: Arc<str>,
    /// Who may accept them.
    #[serde(rename = "t")]
    pub to: Arc<str>,
    /// What `from` gives.
    #[serde(rename = "g")]
    pub give: Stock,
    /// What `from` gets.
    #[serde(rename = "w")]
    pub want: Stock,
    /// Until when they are open, in Unix milliseconds.
    #[serde(rename = "x")]
    pub expires_ms: u64,
    /// They need no acceptance.
    #[serde(rename = "b", default, skip_serializing_if = "std::ops::Not::not")]
    pub gift: bool,
}

impl Terms {
    /// What a side gives and gets by them.
    #[must_use]
    pub fn of(&self, player: &str) -> (&Stock, &Stock) {
        if *self.from == *player { (&self.give, &self.want) } else { (&self.want, &self.give) }
    }

    /// The other side.
    #[must_use]
    pub fn other(&self, player: &str) -> &Arc<str> {
        if *self.from == *player { &self.to } else { &self.from }
    }

    /// Whether a player is one of the sides.
    #[must_use]
    pub fn is_side(&self, player: &str) -> bool {
        *self.from == *player || *self.to == *player
    }
}

/// How a trade ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// Both sides have what they were promised.
    #[serde(rename = "ok")]
    Committed,
    /// A side, or the trade itself, called it off.
    #[serde(rename = "no")]
    Cancelled,
    /// Its time was over.
    #[serde(rename = "late")]
    Expired,
}

/// Why a trade ended without goods changing hands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Why {
    /// The protocol's error code for whoever still waits for an answer.
    #[serde(rename = "c")]
    pub code: String,
    /// One sentence for people.
    #[serde(rename = "m")]
    pub message: String,
}

impl Why {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }

    pub(super) fn reject(&self) -> Reject {
        Reject { code: self.code.clone().into(), message: self.message.clone().into() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
enum Stage {
    #[default]
    #[serde(rename = "new")]
    New,
    #[serde(rename = "offering")]
    Offering,
    #[serde(rename = "open")]
    Open,
    #[serde(rename = "asking")]
    Asking(Round),
    #[serde(rename = "ended")]
    Ended(Ended),
    #[serde(rename = "closed")]
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Ended {
    outcome: Outcome,
    why: Option<Why>,
    /// Who has said that it has settled.
    settled: BTreeMap<Arc<str>, ()>,
    /// By side without a receipt: the number under which it was asked, and whether it has denied
    /// once that it has settled.
    #[serde(default)]
    doubts: BTreeMap<Arc<str>, (u64, bool)>,
}

/// A trade's state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Trade {
    terms: Option<Terms>,
    stage: Stage,
}

/// How far a trade is, for those who look at it from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It is not decided.
    Open,
    /// It is.
    Ended(Outcome),
    /// It has said its last word.
    Closed,
}

/// What has happened to a trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TradeEvent {
    /// These terms are on their way to the other side.
    #[serde(rename = "terms")]
    Termed(Terms),
    /// The other side has seen them.
    #[serde(rename = "seen")]
    Seen,
    /// Both sides are asked what they know.
    #[serde(rename = "ask")]
    Asked {
        /// The round's number, random.
        #[serde(rename = "n")]
        n: u64,
        /// What for.
        #[serde(rename = "a")]
        aim: Aim,
    },
    /// A side has said what it knows.
    #[serde(rename = "know")]
    Known {
        /// Which side.
        #[serde(rename = "p")]
        player: Arc<str>,
        /// What it knows.
        #[serde(rename = "e")]
        evidence: Evidence,
    },
    /// It is decided, by these terms.
    #[serde(rename = "end")]
    Ended {
        /// How.
        #[serde(rename = "o")]
        outcome: Outcome,
        /// Why, if no goods change hands.
        #[serde(rename = "y", default, skip_serializing_if = "Option::is_none")]
        why: Option<Why>,
        /// The terms that it was decided by, where a side knew other ones.
        #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
    },
    /// A side whose receipt is missing was told again, and asked behind it.
    #[serde(rename = "doubt")]
    Doubted {
        /// Which side.
        #[serde(rename = "p")]
        player: Arc<str>,
        /// The question's number, random.
        #[serde(rename = "n")]
        n: u64,
        /// It has denied once that it has settled.
        #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// A side has settled.
    #[serde(rename = "paid")]
    Settled {
        /// Which side.
        #[serde(rename = "p")]
        player: Arc<str>,
    },
    /// Nothing is left to say but for the last tells.
    #[serde(rename = "bye")]
    Closed,
}

impl Trade {
    /// The newest terms, or those that it was decided by.
    #[must_use]
    pub const fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// How far it is.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        match &self.stage {
            Stage::New | Stage::Offering | Stage::Open | Stage::Asking(_) => Progress::Open,
            Stage::Ended(ended) => Progress::Ended(ended.outcome),
            Stage::Closed => Progress::Closed,
        }
    }

    fn is_side(&self, player: &str) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.is_side(player))
    }

    fn is_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_) | Stage::Closed)
    }

    /// Whether a player may answer these terms, and they are the newest.
    fn answers(&self, player: &str, revision: u32) -> bool {
        self.terms.as_ref().is_some_and(|terms| *terms.to == *player && terms.revision == revision)
    }

    /// What the sides are told of the end.
    fn outcome(&self) -> Option<FromTrade> {
        let terms = self.terms.clone()?;
        match &self.stage {
            Stage::Ended(Ended { outcome: Outcome::Committed, .. }) => {
                Some(FromTrade::Settle { terms, last: false })
            }
            Stage::Ended(Ended { outcome, why, .. }) => {
                Some(FromTrade::Ended { outcome: *outcome, why: why.clone()? })
            }
            _ => None,
        }
    }

    fn act(
        &self,
        ctx: &Ctx<'_, Settings>,
        act: impl FnOnce(&mut Draft<'_>),
    ) -> Decision<TradeEvent> {
        let mut draft = Draft { now: self.clone(), ctx, decision: Decision::default() };
        act(&mut draft);
        draft.decision
    }
}

impl Actor for Trade {
    type Event = TradeEvent;
    type Settings = Settings;

    fn new(_id: &ActorId) -> Self {
        Self::default()
    }

    fn decide(
        &self,
        ctx: &Ctx<'_, Settings>,
        message: &Message<'_>,
    ) -> Result<Decision<TradeEvent>, Reject> {
        match *message {
            Message::Tell { from, payload } if from.kind() == PLAYER => {
                let tell = unpack(payload)?;
                Ok(self.act(ctx, |draft| draft.hear(from.key(), tell)))
            }
            Message::Undelivered { to, payload, .. } => {
                let Ok(ToPlayer::Trade { word, .. }) = unpack(payload) else {
                    return Ok(Decision::default());
                };
                Ok(self.act(ctx, |draft| draft.undelivered(to.key(), &word)))
            }
            Message::Timer { name: EXPIRY_TIMER } => Ok(self.act(ctx, |draft| draft.expire())),
            Message::Timer { name: ASK_TIMER } => Ok(self.act(ctx, |draft| draft.ask_again())),
            Message::Timer { name: RECEIPT_TIMER } => Ok(self.act(ctx, |draft| draft.missed())),
            Message::Timer { name: CLOSE_TIMER } => Ok(self.act(ctx, |draft| draft.close())),
            Message::Command { .. } => {
                Err(Reject::new("unknown_verb", "a trade takes no commands"))
            }
            _ => Ok(Decision::default()),
        }
    }

    fn apply(&mut self, event: &TradeEvent) {
        match event {
            TradeEvent::Termed(terms) => {
                self.terms = Some(terms.clone());
                self.stage = Stage::Offering;
            }
            TradeEvent::Seen => self.stage = Stage::Open,
            TradeEvent::Asked { n, aim } => self.stage = Stage::Asking(Round::new(*n, aim.clone())),
            TradeEvent::Known { player, evidence } => {
                if let Stage::Asking(round) = &mut self.stage {
                    round.heard.insert(Arc::clone(player), evidence.clone());
                }
            }
            TradeEvent::Ended { outcome, why, terms } => {
                if let Some(terms) = terms {
                    self.terms = Some(terms.clone());
                }
                let (outcome, why) = (*outcome, why.clone());
                let (settled, doubts) = (BTreeMap::new(), BTreeMap::new());
                self.stage = Stage::Ended(Ended { outcome, why, settled, doubts });
            }
            TradeEvent::Doubted { player, n, again } => {
                if let Stage::Ended(ended) = &mut self.stage {
                    ended.doubts.insert(Arc::clone(player), (*n, *again));
                }
            }
            TradeEvent::Settled { player } => {
                if let Stage::Ended(ended) = &mut self.stage {
                    ended.settled.insert(Arc::clone(player), ());
                }
            }
            TradeEvent::Closed => self.stage = Stage::Closed,
        }
    }

    fn query(&self, _ctx: &Ctx<'_, Settings>, _payload: &[u8]) -> Result<Bytes, Reject> {
        Ok(json(self))
    }

    fn is_over(&self) -> bool {
        self.stage == Stage::Closed
    }
}

#[cfg(test)]
mod tests;
