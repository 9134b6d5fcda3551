//! The verifier: after a run, holds what players were promised against journals and final states.
//!
//! In reading order: `journal` (a page of a history), `spine` (whether it is whole), `judge` (a
//! player's journal against its books), `purse` (what it says of goods), `compare` (its final
//! state), `settled` (what its trades have brought), `player` (all of one player), `trades` and
//! `parties` (the players against each other), `rooms` (a room's journal), `coins` (both against
//! each other), [`alarms`] (what the servers said themselves), `tally` (what was looked at and
//! found), `shown` (the few records that show it), `unchecked` (what could not be compared),
//! `rest` (when it may begin), `source` (where all of it is read).
//!
//! It knows what the protocol promises and nothing of the servers' code. What can't be read is
//! no violation: it is said in a sentence.

pub mod alarms;
mod coins;
mod compare;
mod journal;
mod judge;
mod parties;
mod player;
mod purse;
mod rest;
mod rooms;
mod settled;
mod shown;
mod source;
mod spine;
mod tally;
mod trades;
mod unchecked;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use holdfast_protocol::server::{MetricsBody, PlayerState};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http;
use crate::load::account::Closed;
use crate::load::orders::{Goods, Verification, Verified};
use crate::result::Violation;
use journal::Page;
use rooms::Room;
use source::{Missing, Source};
use tally::{
    CAPACITY, CONSERVED, DOUBLED, Finding, GAPS, LOST, ORDER, PARTIES, PLACE, PROMISES, STALE,
    STATE, TRADES, Tally,
};
use trades::{Broken, Side};
use unchecked::{Reason, Unchecked};

/// Players and rooms that are compared at the same time.
const AT_ONCE: usize = 8;
/// Records of a page.
const PAGE_LEN: usize = 1_000;

/// What was found of one player or room.
#[derive(Default)]
struct Compared {
    whose: String,
    nth: usize,
    /// Where its history is read, but for the part.
    path: String,
    tally: Tally,
    unchecked: Unchecked,
    goods: BTreeMap<String, Goods>,
    dropped: u64,
    /// 1: what it has is not in the sum.
    left_out: u64,
    /// Coins that came to it, and their gold.
    coins: Vec<(String, u64)>,
    coins_gold: u64,
    /// What others have to do with.
    side: Option<Side>,
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
/// came and could not be read, by player. `progress` hears how many players are done, first of none.
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
    rest::wait(&source, &closed).await;
    progress(0);
    let compared = closed.into_iter().enumerate().map(|(nth, closed)| {
        let source = &source;
        async move { player::player(source, asked.retained, nth, &closed).await }
    });
    let mut compared = stream::iter(compared).buffered(AT_ONCE);
    let mut sides = Vec::new();
    while let Some(mut one) = compared.next().await {
        verified.dropped += one.dropped;
        verified.left_out += one.left_out;
        verified.players += 1;
        sides.extend(one.side.take());
        gather(&source, one, &mut verified, &mut unchecked).await;
        progress(verified.players);
    }
    among(&sides, &mut verified, &mut unchecked);
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

/// Compares what players say of each other.
fn among(sides: &[Side], verified: &mut Verified, unchecked: &mut Unchecked) {
    let parties = sides.iter().map(|side| (side.player.clone(), side.party.clone())).collect();
    for (check, found) in [(TRADES, trades::compare(sides)), (PARTIES, parties::compare(&parties))]
    {
        let mut tally = Tally::default();
        tally.looked(check, found.looked_at);
        if found.unknown > 0 {
            unchecked.note(Reason::Others, check, found.unknown, None);
        }
        for Broken { players, what, shows } in found.broken {
            tally.broken(check, what.clone(), &[]);
            keep(verified, (&players, check, what), shows);
        }
        if found.looked_at > 0 {
            tally.count_in(verified);
        }
    }
}

/// Reads the journals of rooms at the operators' listeners of servers that have them all, and
/// looks whether any room ever held more players than it may.
pub async fn verify_rooms(http: &http::Client, admin: &[String], rooms: &[String]) -> Verified {
    let source = Source::new(http, admin);
    let mut verified = Verified::of(&[CAPACITY]);
    let mut unchecked = Unchecked::default();
    let compared = rooms.iter().enumerate().map(|(nth, name)| room(&source, nth, name));
    let mut compared = stream::iter(compared).buffered(AT_ONCE);
    while let Some((one, taken)) = compared.next().await {
        if let Some(taken) = taken {
            verified.taken.insert(one.whose.clone(), taken);
        }
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
    for (room, coin) in one.coins {
        *verified.coins.entry(room).or_default().entry(coin).or_default() += 1;
    }
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

/// Looks at one room.
async fn room(source: &Source<'_>, nth: usize, name: &str) -> (Compared, Option<BTreeSet<u64>>) {
    let path = format!("/history?actor=room:{name}&");
    let mut room = Room::default();
    let read = journal(source, (nth, &path), |page| room.page(page)).await;
    let mut unchecked = Unchecked::default();
    // Nobody was ever in one that is not there.
    let is_read = matches!(read, Ok(()) | Err(Missing::Absent));
    if let Err(why) = read
        && !is_read
    {
        unchecked.note(Reason::Room, name, 1, Some(why.to_string()));
    }
    if !room.is_whole() {
        unchecked.note(Reason::RoomTrimmed, name, 1, None);
    }
    let taken = (is_read && room.is_whole()).then(|| std::mem::take(&mut room.taken));
    let one = Compared {
        whose: format!("room {name}"),
        nth,
        path,
        tally: room.tally,
        unchecked,
        ..Compared::default()
    };
    (one, taken)
}

#[cfg(test)]
mod tests;
