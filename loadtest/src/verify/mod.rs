//! The verifier: after a run, holds what players were promised against journals and final states.
//!
//! In reading order: `journal` (a page of a history), `spine` (whether it is whole), `judge` (a
//! player's journal against its books), `compare` (its final state), `rooms` (a room's journal),
//! `tally` (what was looked at and found), `shown` (the few records that show it), `unchecked`
//! (what could not be compared), `source` (where all of it is read).
//!
//! It knows what the protocol promises and nothing of the servers' code. What can't be read is
//! no violation: it is said in a sentence.

mod compare;
mod journal;
mod judge;
mod rooms;
mod shown;
mod source;
mod spine;
mod tally;
mod unchecked;

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use holdfast_protocol::server::{MetricsBody, PlayerState};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http;
use crate::load::account::Closed;
use crate::load::orders::{Goods, Verification, Verified};
use crate::result::Violation;
use journal::Page;
use judge::{Judge, Judged};
use rooms::Room;
use source::{Missing, Source};
use tally::{
    CAPACITY, CONSERVED, DOUBLED, Finding, GAPS, LOST, ORDER, PLACE, PROMISES, STALE, STATE, Tally,
};
use unchecked::{Reason, Unchecked};

/// Players and rooms that are compared at the same time.
const AT_ONCE: usize = 8;
/// Records of a page.
const PAGE_LEN: usize = 1_000;

/// What was found of one player or room.
struct Compared {
    whose: String,
    nth: usize,
    /// Where its history is read, but for the part.
    path: String,
    tally: Tally,
    unchecked: Unchecked,
    goods: BTreeMap<String, Goods>,
    dropped: u64,
}

#[derive(Deserialize)]
struct StatePage {
    state: PlayerState,
}

#[derive(Deserialize)]
struct MetricsPage {
    metrics: MetricsBody,
}

/// Compares what each player was promised with its journal and its final state. `oddities`: what
/// came and could not be read, by player. `progress` hears how many players are done.
pub async fn verify(
    http: &http::Client,
    asked: &Verification,
    closed: Vec<Closed>,
    oddities: Vec<(String, String)>,
    mut progress: impl FnMut(u64),
) -> Verified {
    let source = Source::new(http, &asked.origins);
    let checks = [LOST, DOUBLED, STATE, ORDER, PROMISES, STALE, GAPS, PLACE, CONSERVED];
    let mut verified = Verified::of(&checks);
    let mut unchecked = Unchecked::default();
    let compared = closed.into_iter().enumerate().map(|(nth, closed)| {
        let source = &source;
        async move { player(source, asked.retained, nth, &closed).await }
    });
    let mut compared = stream::iter(compared).buffered(AT_ONCE);
    while let Some(one) = compared.next().await {
        verified.dropped += one.dropped;
        verified.players += 1;
        gather(&source, one, &mut verified, &mut unchecked).await;
        progress(verified.players);
    }
    let mut tally = Tally::default();
    tally.looked(PROMISES, oddities.len() as u64);
    for (player, what) in oddities {
        tally.broken(PROMISES, what.clone(), &[]);
        keep(&mut verified, (&player, PROMISES, what), Vec::new());
    }
    tally.count_in(&mut verified);
    verified.unchecked = unchecked.sentences();
    verified.balance();
    verified
}

/// Reads the journals of rooms at the operators' listeners of servers that have them all, and
/// looks whether any room ever held more players than it may.
pub async fn verify_rooms(http: &http::Client, admin: &[String], rooms: &[String]) -> Verified {
    let source = Source::new(http, admin);
    let mut verified = Verified::of(&[CAPACITY]);
    let mut unchecked = Unchecked::default();
    let compared = rooms.iter().enumerate().map(|(nth, name)| room(&source, nth, name));
    let mut compared = stream::iter(compared).buffered(AT_ONCE);
    while let Some(one) = compared.next().await {
        gather(&source, one, &mut verified, &mut unchecked).await;
    }
    verified.unchecked = unchecked.sentences();
    verified
}

/// Adds what was found of one player or room, with the records that show it.
async fn gather(
    source: &Source<'_>,
    one: Compared,
    verified: &mut Verified,
    unchecked: &mut Unchecked,
) {
    one.tally.count_in(verified);
    unchecked.extend(one.unchecked);
    for (thing, goods) in one.goods {
        verified.goods.entry(thing).or_default().add(goods);
    }
    for Finding { check, what, shows } in one.tally.findings {
        if verified.has_room(check) {
            let history = source.history(one.nth, &one.path, &shows).await;
            keep(verified, (&one.whose, check, what), history);
        }
    }
}

fn keep(
    verified: &mut Verified,
    (player, check, what): (&str, &str, String),
    history: Vec<String>,
) {
    if verified.has_room(check) {
        let (check, player) = (check.to_owned(), player.to_owned());
        verified.violations.push(Violation { check, player, what, history });
    }
}

/// Reads a journal page by page; `take` gives where the next page begins.
async fn journal(
    source: &Source<'_>,
    (nth, path): (usize, &str),
    mut take: impl FnMut(&Page<'_>) -> Option<u64>,
) -> Result<(), Missing> {
    let mut from = 0;
    loop {
        let text = source.get(nth, &format!("{path}from={from}&limit={PAGE_LEN}")).await?;
        let page = Page::read(&text).map_err(|why| {
            Missing::Unread(format!("a page of the history is not understood: {why}"))
        })?;
        match take(&page) {
            Some(next) if next > from => from = next,
            Some(next) => {
                let why = format!("the page after record {from} begins with record {next}");
                return Err(Missing::Unread(why));
            }
            None => return Ok(()),
        }
    }
}

async fn json<T: DeserializeOwned>(
    source: &Source<'_>,
    nth: usize,
    path: &str,
) -> Result<T, Missing> {
    let text = source.get(nth, path).await?;
    serde_json::from_slice(&text)
        .map_err(|why| Missing::Unread(format!("{path} is not understood: {why}")))
}

/// Compares one player.
async fn player(source: &Source<'_>, retained: bool, nth: usize, closed: &Closed) -> Compared {
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
    let mut one = Compared {
        whose,
        nth,
        path,
        tally: Tally::default(),
        unchecked,
        goods: BTreeMap::new(),
        dropped: 0,
    };
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
    let Judged { tally, minted, trimmed, foreign, newest } = judged;
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
    match minted.filter(|_| is_known) {
        Some(minted) => one.goods = compare::goods(&minted, closed, &state),
        None => one.unchecked.note(Reason::Goods, &whose, 1, None),
    }
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

/// Looks at one room.
async fn room(source: &Source<'_>, nth: usize, name: &str) -> Compared {
    let path = format!("/history?actor=room:{name}&");
    let mut room = Room::default();
    let read = journal(source, (nth, &path), |page| room.page(page)).await;
    let mut unchecked = Unchecked::default();
    match read {
        // Nobody was ever in it.
        Ok(()) | Err(Missing::Absent) => {}
        Err(why) => unchecked.note(Reason::Room, name, 1, Some(why.to_string())),
    }
    if !room.is_whole() {
        unchecked.note(Reason::RoomTrimmed, name, 1, None);
    }
    Compared {
        whose: format!("room {name}"),
        nth,
        path,
        tally: room.tally,
        unchecked,
        goods: BTreeMap::new(),
        dropped: 0,
    }
}

#[cfg(test)]
mod tests;
