//! Holds a room's journal against the most members that it may have. Pure.
//!
//! A room's journal says who has a place and who none any more; the answer to a join, beside it,
//! says how many places there are.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::journal::{Fact, Page};
use super::spine::Spine;
use super::tally::{CAPACITY, Tally};

/// Who is in a room, as far as its journal was read.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub tally: Tally,
    spine: Spine,
    members: BTreeSet<String>,
    /// Coins that it has given away.
    pub taken: BTreeSet<u64>,
}

#[derive(Deserialize)]
struct Member<'a> {
    player: &'a str,
}

#[derive(Deserialize)]
struct Coin {
    coin: u64,
}

#[derive(Deserialize)]
struct Answer {
    joined: Option<Place>,
}

#[derive(Deserialize)]
struct Place {
    count: u64,
    max: u64,
}

impl Room {
    /// Takes the next page; gives where the one after it begins.
    pub(super) fn page(&mut self, page: &Page<'_>) -> Option<u64> {
        for record in page.records() {
            self.spine.record(record, &mut self.tally);
            for fact in &record.facts {
                self.fact(record.seq, fact);
            }
        }
        if page.next.is_none() {
            self.spine.end(page, &mut self.tally);
        }
        page.next
    }

    /// Whether its journal was read from its beginning.
    pub(super) const fn is_whole(&self) -> bool {
        self.spine.first <= 1
    }

    fn fact(&mut self, at: u64, fact: &Fact<'_>) {
        match (fact.what, fact.event()) {
            (_, Some("in")) => {
                let member: Option<Member<'_>> = fact.read();
                self.members.extend(member.map(|member| member.player.to_owned()));
            }
            (_, Some("out")) => {
                if let Some(Member { player }) = fact.read() {
                    self.members.remove(player);
                }
            }
            (_, Some("took")) => self.taken.extend(fact.read().map(|Coin { coin }| coin)),
            // One that found nobody lies there again.
            (_, Some("coin")) => {
                if let Some(Coin { coin }) = fact.read() {
                    self.taken.remove(&coin);
                }
            }
            ("told", _) => {
                if let Some(Answer { joined: Some(place) }) = fact.read() {
                    self.judge(at, &place);
                }
            }
            _ => {}
        }
    }

    /// A player has got a place.
    fn judge(&mut self, at: u64, place: &Place) {
        self.tally.looked(CAPACITY, 1);
        let Place { count, max } = *place;
        let members = count.max(self.members.len() as u64);
        if members > max {
            let what = format!("it held {members} players, of {max} at most");
            self.tally.broken(CAPACITY, what, &[at]);
        }
    }
}

#[cfg(test)]
#[path = "rooms/tests.rs"]
mod tests;
