//! Compares one player's books with its journal and its state.

use std::collections::BTreeMap;

use holdfast_protocol::server::PlayerState;

use super::compare;
use super::judge::{Judge, Judged};
use super::purse::Purse;
use super::settled;
use super::source::{Missing, Source};
use super::tally::{PROMISES, STATE, TRADES};
use super::trades::Side;
use super::unchecked::{Reason, Unchecked};
use super::{Compared, MetricsPage, StatePage, journal, json};
use crate::expect::POTION;
use crate::load::account::Closed;

/// Compares one player.
pub(super) async fn player(
    source: &Source<'_>,
    retained: bool,
    nth: usize,
    closed: &Closed,
) -> Compared {
    let whose = closed.player.to_string();
    let path = format!("/v1/players/{whose}/history?");
    let mut judge = Judge::new(closed, retained);
    let read = journal(source, (nth, &path), |page| judge.page(page)).await;
    let mut unchecked = Unchecked::default();
    let judged = match read {
        Ok(()) => Some(judge.end()),
        // Who was promised nothing need not be there.
        Err(Missing::Absent) if closed.acks.is_empty() && closed.input_acks.is_empty() => None,
        Err(Missing::Absent) => Some(judge.end()),
        Err(why) => {
            unchecked.note(Reason::Journal, &whose, 1, Some(why.to_string()));
            None
        }
    };
    let mut one = Compared { whose, nth, path, unchecked, ..Compared::default() };
    let seen = (closed.acks.len() + closed.input_acks.len()).max(closed.violations.len());
    if let Some(judged) = judged {
        ended(source, retained, closed, judged, &mut one).await;
    }
    one.tally.looked(PROMISES, seen as u64);
    for what in &closed.violations {
        one.tally.broken(PROMISES, what.clone(), &[]);
    }
    one
}

/// Compares how a player ended, whose journal was read.
async fn ended(
    source: &Source<'_>,
    retained: bool,
    closed: &Closed,
    judged: Judged,
    one: &mut Compared,
) {
    let Judged { tally, minted, trimmed, foreign, newest, whole, purse } = judged;
    one.tally = tally;
    let (whose, nth) = (one.whose.clone(), one.nth);
    if trimmed > 0 {
        one.unchecked.note(Reason::Trimmed, &whose, trimmed, None);
    }
    let page = json(source, nth, &format!("/v1/players/{whose}?read=linearizable")).await;
    let state = match page {
        Ok(StatePage { state }) => state,
        Err(Missing::Quarantined(why)) => {
            one.tally.looked(STATE, 1);
            return one.tally.broken(STATE, format!("nobody can play it: {why}"), &[newest]);
        }
        Err(why) => {
            return one.unchecked.note(Reason::State, &whose, 1, Some(why.to_string()));
        }
    };
    place(source, (closed, &state), foreign, newest, one).await;
    let is_known = closed.unacknowledged == 0 && foreign == 0;
    if closed.unacknowledged > 0 {
        one.unchecked.note(Reason::Open, &whose, closed.unacknowledged, None);
    } else if foreign > 0 {
        one.unchecked.note(Reason::Foreign, &whose, foreign, None);
    } else {
        compare::state(closed, &state, retained, &[newest], &mut one.tally);
    }
    let began = minted.or_else(|| closed.began.clone().filter(|_| !closed.sum.is_finder));
    let shows = [newest];
    deals(closed, &state, (purse, whole), (began.as_ref(), is_known, &shows), one);
    match began.filter(|_| is_known) {
        Some(began) => {
            let found = one.coins_gold;
            one.goods = compare::goods(&began, closed, &state, found);
        }
        None => {
            one.left_out = 1;
            one.unchecked.note(Reason::Goods, &whose, 1, None);
        }
    }
}

/// Compares what the player dealt with others. `is_known`: what it used up is known.
fn deals(
    closed: &Closed,
    state: &PlayerState,
    (purse, whole): (Purse, bool),
    (began, is_known, shows): (Option<&BTreeMap<String, u64>>, bool, &[u64]),
    one: &mut Compared,
) {
    (one.coins, one.coins_gold) = (purse.coins, purse.found);
    let deals = closed.dealings.is_used() || !state.trades.is_empty() || state.party.is_some();
    if !deals && !closed.sum.is_finder {
        return;
    }
    settled::escrow(state, shows, &mut one.tally);
    let mut trades = closed.dealings.trades.clone();
    let mut odd = purse.odd;
    odd.extend(trades.merge(&purse.trades).err().into_iter().flatten());
    for what in odd {
        one.tally.broken(TRADES, what, &[]);
    }
    let knows_all = whole || !closed.dealings.missed;
    // Without its whole journal, coins and defeats are known only where there were none.
    let knows_gold = whole || !(closed.sum.roamed || closed.dealings.led);
    match began.filter(|_| is_known && knows_all && knows_gold) {
        Some(began) => {
            let used = BTreeMap::from([(POTION.to_owned(), closed.sum.potions_used)]);
            let balance = settled::Balance { began, used: &used, gained: purse.gained };
            settled::has(state, &balance, &trades, shows, &mut one.tally);
        }
        None => one.unchecked.note(Reason::Trades, &one.whose, 1, None),
    }
    one.side = Some(Side {
        player: closed.player.clone(),
        trades,
        whole: knows_all,
        accepted: closed.accepted.clone(),
        party: state.party.clone(),
    });
}

/// Compares where a player stands, unless steps were dropped.
async fn place(
    source: &Source<'_>,
    (closed, state): (&Closed, &PlayerState),
    foreign: u64,
    newest: u64,
    one: &mut Compared,
) {
    if !closed.input_acks.is_empty() {
        let path = format!("/v1/players/{}/metrics?read=linearizable", one.whose);
        match json(source, one.nth, &path).await {
            Ok(MetricsPage { metrics }) => one.dropped = metrics.dropped_steps_count,
            Err(why) => {
                let (whose, why) = (one.whose.clone(), why.to_string());
                return one.unchecked.note(Reason::Metrics, &whose, 1, Some(why));
            }
        }
    }
    if let Some(at) = closed.at.filter(|_| one.dropped == 0 && foreign == 0) {
        compare::place(at, state, &[newest], &mut one.tally);
    }
}
