//! The audit of goods: what the journals of trades and of their sides say, held against each
//! other. Pure: facts in, findings out. I9.
//!
//! Whoever reads does it in an order, and that is why a running world gives no false findings. A
//! trade is read first and its sides after it: a word that is no longer under way by the first
//! look was journaled by its side before the second; one that the trade does not know to have
//! arrived has, if the side's journal has heard it. For a side's escrow it is the other way
//! round: the side first, then the trade that should know of it. What a look can still not tell
//! from a world that is just moving is looked at again; see each flaw.

mod totals;

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

pub use self::totals::{Balance, Totals};
use super::deals::{Deal, Settled};
use super::player::Player;
use super::stock::Stock;
use super::tells::{FromTrade, ToPlayer};
use super::trade::{OFFER_MS, Outcome, Progress, Terms, Trade};
use super::{TRADE, unpack};
use crate::actor::contract::Reject;

/// How long after an offer's end its escrow may still be there, in milliseconds: its side asks
/// for the trade's word many times meanwhile.
pub const OVERDUE_MS: u64 = 60_000;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// The trade is committed, and a side has not settled though nothing is under way to it.
    Unsettled,
    /// A side has settled by other terms than the trade, or than the other side.
    OtherTerms,
    /// A side has settled what the trade called off.
    CalledOff,
    /// A side has settled and its trade knows of no end. It may have ended between the looks, so
    /// it counts only if a second look, which reads the trade again, says the same.
    Unended,
    /// Goods are reserved for a trade that is not there or has ended, long after the offer's end.
    Stranded,
    /// A player's goods are not what the whole journal makes them.
    Journal,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub flaw: Flaw,
    /// In which trade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trade: Option<String>,
    /// Whose goods.
    pub players: Vec<String>,
    /// One sentence for people.
    pub what: String,
}

/// What a trade's journal says.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Which.
    pub trade: String,
    terms: Option<Terms>,
    progress: Progress,
    /// The newest word of its end for each side, of which the trade does not know that it arrived.
    heading: BTreeMap<String, Mark>,
}

/// What a player's journal says.
#[derive(Debug, Clone)]
pub struct Holding {
    player: Player,
    /// Trades that a word of the player is under way to.
    heading: BTreeSet<String>,
    /// The newest word heard of each trade.
    heard: BTreeMap<String, Mark>,
}

/// Which of an actor's tells: the later ones are above.
pub type Mark = (u64, u64, u32);

/// A tell of which its sender does not know that it arrived: to whom, what it says, and which.
pub type Undelivered<'a> = (&'a ActorId, &'a [u8], Mark);

impl Transfer {
    /// Of a trade's state as snapshots hold it, and its undelivered tells.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn read<'a>(
        trade: &str,
        state: &[u8],
        tells: impl Iterator<Item = Undelivered<'a>>,
    ) -> Result<Self, Reject> {
        let state: Trade = unpack(state)?;
        let ends = |payload: &[u8]| match unpack(payload) {
            Ok(ToPlayer::Trade { word, .. }) => {
                matches!(word, FromTrade::Settle { .. } | FromTrade::Ended { .. })
            }
            _ => false,
        };
        let mut heading = BTreeMap::new();
        for (to, _, mark) in tells.filter(|(_, payload, _)| ends(payload)) {
            let newest = heading.entry(to.key().to_owned()).or_insert(mark);
            *newest = mark.max(*newest);
        }
        let (terms, progress) = (state.terms().cloned(), state.progress());
        Ok(Self { trade: trade.to_owned(), terms, progress, heading })
    }

    /// The sides, whose holdings are to be read after the trade. None if there is nothing to look
    /// at yet: its newest terms are younger than the horizon, or it is open and not overdue.
    #[must_use]
    pub fn sides(&self, now_ms: u64, horizon_ms: u64) -> Vec<String> {
        let looks = |terms: &&Terms| match self.progress {
            Progress::Open => is_overdue(terms, now_ms),
            Progress::Ended(_) | Progress::Closed => made_ms(terms) + horizon_ms <= now_ms,
        };
        let terms = self.terms.as_ref().filter(looks);
        terms.map_or_else(Vec::new, |terms| vec![terms.from.to_string(), terms.to.to_string()])
    }

    fn finding(&self, flaw: Flaw, players: &[&str], what: String) -> Finding {
        finding(flaw, &self.trade, players, what)
    }

    /// What is wrong between the trade and its sides, who were read after it.
    #[must_use]
    pub fn judge(&self, sides: &[Holding], now_ms: u64) -> Vec<Finding> {
        let Some(terms) = &self.terms else { return Vec::new() };
        let judge = |side: &Holding| self.judge_side(terms, side, now_ms);
        let mut findings: Vec<_> = sides.iter().filter_map(judge).collect();
        findings.sort();
        findings
    }

    fn judge_side(&self, terms: &Terms, side: &Holding, now_ms: u64) -> Option<Finding> {
        let (me, other) = (side.id(), terms.other(side.id()));
        let is_told = self.heading.get(me).is_none_or(|mark| side.has_heard(&self.trade, *mark));
        let settled = side.settled(&self.trade);
        let by = settled.and_then(|settled| settled.terms.as_ref());
        match (self.progress, settled, side.deal(&self.trade)) {
            (Progress::Open, Some(_), _) => {
                let what = format!("{me} has settled with {other}, and the trade has not ended");
                Some(self.finding(Flaw::Unended, &[me, other], what))
            }
            (Progress::Open, None, _) => None,
            (Progress::Ended(Outcome::Committed) | Progress::Closed, Some(_), _) => {
                let differs = by.is_some_and(|by| by != terms);
                let what = format!("{me} has settled by other terms than the trade with {other}");
                differs.then(|| self.finding(Flaw::OtherTerms, &[me, other], what))
            }
            (Progress::Ended(Outcome::Committed), None, _) => {
                let (_, gets) = terms.of(me);
                let what = format!(
                    "it is committed and {me} has not got {} of {other}, though nothing is under \
                     way",
                    gets.words()
                );
                is_told.then(|| self.finding(Flaw::Unsettled, &[me, other], what))
            }
            (Progress::Ended(_), Some(_), _) => {
                let what = format!("{me} has settled with {other} what the trade called off");
                by.map(|_| self.finding(Flaw::CalledOff, &[me, other], what))
            }
            (Progress::Ended(_) | Progress::Closed, None, Some(deal)) if is_told => {
                stranded(&self.trade, side, deal, now_ms, "has ended")
            }
            // What has been closed for long is forgotten.
            (Progress::Ended(_) | Progress::Closed, None, _) => None,
        }
    }

    /// Goods that are neither held nor reserved: a side has given them, and the other has not got
    /// them yet. Of trades with terms from before `cut_ms` alone, as [`Totals::player`].
    pub fn count(&self, sides: &[Holding], cut_ms: u64, totals: &mut Totals) {
        let committed = matches!(self.progress, Progress::Ended(Outcome::Committed));
        let Some(terms) = self.terms.as_ref().filter(|terms| committed && made_ms(terms) < cut_ms)
        else {
            return;
        };
        for side in sides.iter().filter(|side| side.settled(&self.trade).is_none()) {
            let (gives, gets) = terms.of(side.id());
            let reserved = side.deal(&self.trade).map(|deal| &deal.escrow);
            totals.owed(reserved, gives, gets);
        }
    }
}

impl Holding {
    /// Of a player's state as snapshots hold it, its undelivered tells, and the newest tells that
    /// it has heard of others. None: there is no such player.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn read<'a>(
        state: &[u8],
        tells: impl Iterator<Item = Undelivered<'a>>,
        heard: impl Iterator<Item = (&'a ActorId, Mark)>,
    ) -> Result<Option<Self>, Reject> {
        let player: Player = unpack(state)?;
        let tells = tells.filter(|(to, ..)| to.kind() == TRADE);
        let heading = tells.map(|(to, ..)| to.key().to_owned()).collect();
        let heard = heard.filter(|(of, _)| of.kind() == TRADE);
        let heard = heard.map(|(of, mark)| (of.key().to_owned(), mark)).collect();
        Ok(player.exists.then_some(Self { player, heading, heard }))
    }

    /// The player.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.player.id
    }

    /// All that is held and reserved.
    #[must_use]
    pub fn goods(&self) -> Stock {
        let mut goods = self.held();
        goods.add(&self.player.escrow());
        goods
    }

    fn held(&self) -> Stock {
        self.player.holdings()
    }

    fn has_heard(&self, trade: &str, mark: Mark) -> bool {
        self.heard.get(trade).is_some_and(|heard| *heard >= mark)
    }

    fn deal(&self, trade: &str) -> Option<&Deal> {
        self.player.deal(trade)
    }

    fn settled(&self, trade: &str) -> Option<&Settled> {
        self.player.settled(trade)
    }

    /// Trades that should be there, for this player to have done with them what it has: they are
    /// to be read after the player. With the other side's id.
    #[must_use]
    pub fn leans_on(&self, now_ms: u64) -> Vec<(String, String)> {
        let me = self.id();
        let open = self.player.open_deals();
        let open = open.filter(|(_, deal)| !deal.escrow.is_empty());
        let open = open.map(|(trade, deal)| (trade, &deal.terms));
        let settled = self.player.deals.iter().flat_map(|deals| deals.settled.iter());
        let settled = settled.filter_map(|(trade, settled)| Some((trade, settled.terms.as_ref()?)));
        let overdue = open.chain(settled).filter(|(_, terms)| is_overdue(terms, now_ms));
        overdue.map(|(trade, terms)| (trade.to_string(), terms.other(me).to_string())).collect()
    }

    /// What is wrong with a trade that is not there. The other side, if there is such a player,
    /// was read after that.
    #[must_use]
    pub fn judge_alone(&self, trade: &str, other: Option<&Self>, now_ms: u64) -> Option<Finding> {
        if let Some(deal) = self.deal(trade) {
            let waits = self.heading.contains(trade);
            return stranded(trade, self, deal, now_ms, "does not exist").filter(|_| !waits);
        }
        let terms = self.settled(trade)?.terms.as_ref()?;
        let other = other?;
        let (me, them) = (self.id(), other.id());
        let by = other.settled(trade).and_then(|settled| settled.terms.as_ref());
        if by.is_some_and(|by| by != terms) {
            let what = format!("{me} and {them} have settled by different terms");
            return Some(finding(Flaw::OtherTerms, trade, &[me, them], what));
        }
        let waits = other.heading.contains(trade);
        let what = format!("{me} has settled, {them} has not, and the trade does not exist");
        let open = other.deal(trade).filter(|_| !waits);
        open.map(|_| finding(Flaw::Unsettled, trade, &[me, them], what))
    }

    /// What is wrong if the whole journal, folded from its first record, makes other goods.
    #[must_use]
    pub fn judge_journal(&self, whole: &Self) -> Option<Finding> {
        let (kept, told) = (self.goods(), whole.goods());
        let what = || {
            let (_, lacks) = kept.part_of(&told);
            let (_, more) = told.part_of(&kept);
            let (me, lacks, more) = (self.id(), lacks.words(), more.words());
            format!("by its whole journal {me} has {lacks} too few and {more} too many")
        };
        (kept != told).then(|| Finding {
            flaw: Flaw::Journal,
            trade: None,
            players: vec![self.id().to_owned()],
            what: what(),
        })
    }
}

/// When terms were made.
fn made_ms(terms: &Terms) -> u64 {
    terms.expires_ms.saturating_sub(OFFER_MS)
}

fn is_overdue(terms: &Terms, now_ms: u64) -> bool {
    terms.expires_ms.saturating_add(OVERDUE_MS) < now_ms
}

fn finding(flaw: Flaw, trade: &str, players: &[&str], what: String) -> Finding {
    let players = players.iter().map(|player| (*player).to_owned()).collect();
    Finding { flaw, trade: Some(trade.to_owned()), players, what }
}

fn stranded(trade: &str, side: &Holding, deal: &Deal, now_ms: u64, why: &str) -> Option<Finding> {
    let (me, other) = (side.id(), deal.terms.other(side.id()));
    let what =
        format!("{} of {me} is reserved for {other}, and the trade {why}", deal.escrow.words());
    let is = !deal.escrow.is_empty() && is_overdue(&deal.terms, now_ms);
    is.then(|| finding(Flaw::Stranded, trade, &[me, other], what))
}

#[cfg(test)]
mod tests;
