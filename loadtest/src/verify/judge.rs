//! Holds a player's journal against what the player was promised, page by page. Pure.
//!
//! What is kept of a record is a few numbers, so that a player of a million commands stays small;
//! records that show what is wrong are named by their seqs and read once more for the report.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::journal::{Entry, Fact, Page, Spot};
use super::purse::Purse;
use super::spine::Spine;
use super::tally::{DOUBLED, LOST, ORDER, Tally};
use crate::load::account::{Ack, Closed, InputAck};

/// The session of callers, whose ids the server gives.
const CALLERS: u64 = 0;

/// A command in the journal: its id, and the record.
#[derive(Debug, Clone, Copy)]
struct Taken {
    id: u64,
    at: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    closed: &'a Closed,
    /// Whether servers keep every record.
    retained: bool,
    pub tally: Tally,
    spine: Spine,
    /// Commands that were acknowledged and not found yet, and the record that must have them.
    awaited: BTreeMap<Spot, u64>,
    /// Of callers' commands only the record is known, and how many it must have.
    calls: BTreeMap<u64, u64>,
    /// Commands that repeat another one under its key: they name its record.
    repeats: BTreeSet<Spot>,
    /// Of the record being read: coins that the player's own gateway asked for, each as a caller
    /// whose command is in nobody's books.
    hints: u64,
    /// Commands whose answer comes later, by token.
    deferred: BTreeMap<u64, Spot>,
    /// Records with answers to what is no longer kept.
    orphans: BTreeSet<u64>,
    /// By session, in the order of their ids.
    taken: BTreeMap<u64, Vec<Taken>>,
    session: Option<u64>,
    /// By session: the last step, and its record.
    steps: BTreeMap<u64, Taken>,
    minted: Option<BTreeMap<String, u64>>,
    purse: Purse,
}

/// What a journal has told.
#[derive(Debug)]
pub(super) struct Judged {
    pub tally: Tally,
    /// What the player began with, where the journal still says so.
    pub minted: Option<BTreeMap<String, u64>>,
    /// Acknowledgements that lie before what is kept.
    pub trimmed: u64,
    /// Sessions with commands that are not in the player's books.
    pub foreign: u64,
    /// Whether it was read from its first record on.
    pub whole: bool,
    /// What it says of goods.
    pub purse: Purse,
    /// The newest record that shows what the player did; where there is none, the newest.
    pub newest: u64,
}

#[derive(Deserialize)]
struct Steps {
    n: u64,
}

#[derive(Deserialize)]
struct Created {
    gold: u64,
    #[serde(default)]
    items: BTreeMap<String, u64>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(closed: &'a Closed, retained: bool) -> Self {
        let mut tally = Tally::default();
        tally.looked(LOST, (closed.acks.len() + closed.input_acks.len()) as u64);
        let (callers, own): (Vec<Ack>, Vec<Ack>) =
            closed.acks.iter().partition(|ack| ack.session == CALLERS);
        let spot = |ack: &Ack| Spot { session: ack.session, id: ack.id };
        let mut calls = BTreeMap::new();
        callers.iter().for_each(|ack| *calls.entry(ack.seq).or_default() += 1);
        Self {
            closed,
            retained,
            tally,
            spine: Spine::default(),
            awaited: own.iter().map(|ack| (spot(ack), ack.seq)).collect(),
            calls,
            repeats: BTreeSet::new(),
            hints: 0,
            deferred: BTreeMap::new(),
            orphans: BTreeSet::new(),
            taken: BTreeMap::new(),
            session: None,
            steps: BTreeMap::new(),
            minted: None,
            purse: Purse::default(),
        }
    }

    /// Takes the next page; gives where the one after it begins.
    pub(super) fn page(&mut self, page: &Page<'_>) -> Option<u64> {
        for record in page.records() {
            self.record(record);
        }
        if page.next.is_none() {
            self.spine.end(page, &mut self.tally);
        }
        page.next
    }

    fn record(&mut self, record: &Entry<'_>) {
        self.spine.record(record, &mut self.tally);
        let hints = record.facts.iter().filter(|fact| fact.event() == Some("cask"));
        self.hints = hints.count() as u64;
        for fact in &record.facts {
            self.fact(record.seq, fact);
            self.purse.take(fact);
        }
    }

    fn fact(&mut self, at: u64, fact: &Fact<'_>) {
        match (fact.what, fact.place, fact.token) {
            ("opened", ..) => self.session = Some(at),
            ("answered", Some(spot), _) => {
                if spot.session == CALLERS && self.hints > 0 {
                    self.hints -= 1;
                } else {
                    self.take(spot, at);
                }
                self.answer(spot, at, fact.first);
            }
            ("deferred", Some(spot), Some(token)) => {
                self.take(spot, at);
                self.deferred.insert(token, spot);
            }
            ("completed", _, Some(token)) => self.complete(token, at, fact.code.is_none()),
            ("event", ..) => self.event(at, fact),
            _ => {}
        }
    }

    fn event(&mut self, at: u64, fact: &Fact<'_>) {
        match fact.event() {
            Some("in") => {
                if let (Some(Steps { n }), Some(session)) = (fact.read(), self.session) {
                    let last = self.steps.entry(session).or_insert(Taken { id: 0, at });
                    if n >= last.id {
                        *last = Taken { id: n, at };
                    }
                }
            }
            Some("new") => {
                let created: Option<Created> = fact.read();
                self.minted = created.map(|Created { gold, mut items }| {
                    items.insert("gold".to_owned(), gold);
                    items
                });
            }
            _ => {}
        }
    }

    /// A command took effect, or was accepted.
    fn take(&mut self, spot: Spot, at: u64) {
        let Spot { session, id } = spot;
        self.tally.looked(DOUBLED, 1);
        self.tally.looked(ORDER, 1);
        let taken = self.taken.entry(session).or_default();
        let Some(last) = taken.last().copied().filter(|last| last.id >= id) else {
            taken.push(Taken { id, at });
            return;
        };
        match taken.binary_search_by_key(&id, |one| one.id) {
            Ok(found) => {
                let first = taken.get(found).map_or(at, |one| one.at);
                let what = format!(
                    "command {id} of session {session} is in record {first} and again in {at}"
                );
                self.tally.broken(DOUBLED, what, &[first, at]);
            }
            Err(place) => {
                taken.insert(place, Taken { id, at });
                let Taken { id: later, at: before } = last;
                let what = format!(
                    "command {id} of session {session} took effect in record {at}, after command \
                     {later} in record {before}"
                );
                self.tally.broken(ORDER, what, &[before, at]);
            }
        }
    }

    /// A command has its answer.
    fn answer(&mut self, spot: Spot, at: u64, first: Option<u64>) {
        let named = first.unwrap_or(at);
        if first.is_some() {
            self.repeats.insert(spot);
        }
        if spot.session == CALLERS {
            if let Some(left) = self.calls.get_mut(&named) {
                *left = left.saturating_sub(1);
            }
            return;
        }
        let Some(seq) = self.awaited.remove(&spot) else { return };
        if seq != named {
            let Spot { session, id } = spot;
            let what = format!(
                "command {id} of session {session} was acknowledged as record {seq}, and is in \
                 record {named}"
            );
            self.tally.broken(LOST, what, &[seq, at]);
        }
    }

    fn complete(&mut self, token: u64, at: u64, done: bool) {
        match self.deferred.remove(&token) {
            Some(spot) if done => self.answer(spot, at, None),
            Some(_) => {}
            None if self.spine.first > 1 => {
                self.orphans.insert(at);
            }
            None => {
                let what = format!("record {at} answers token {token}, which nothing awaits");
                self.tally.broken(DOUBLED, what, &[at]);
            }
        }
    }

    /// Whether what a record must have can't be told any more.
    fn is_trimmed(&self, seq: u64) -> bool {
        !self.retained && (seq < self.spine.first || self.orphans.contains(&seq))
    }

    /// The whole journal was read; of a player without one, nothing was.
    pub(super) fn end(mut self) -> Judged {
        if self.retained {
            self.spine.begins_at_one(&mut self.tally);
        }
        let trimmed = self.judge_acks() + self.judge_calls() + self.judge_steps();
        self.judge_order();
        let known: BTreeSet<u64> = self.closed.acks.iter().map(|ack| ack.session).collect();
        let foreign = self.taken.keys().filter(|session| !known.contains(session)).count();
        let acted = self.taken.values().flatten().map(|taken| taken.at).max();
        let newest = acted.unwrap_or(self.spine.last);
        let whole = self.spine.first == 1 && self.minted.is_some();
        let (tally, minted, foreign) = (self.tally, self.minted, foreign as u64);
        Judged { tally, minted, trimmed, foreign, newest, whole, purse: self.purse }
    }

    fn judge_acks(&mut self) -> u64 {
        let mut trimmed = 0;
        for (Spot { session, id }, seq) in std::mem::take(&mut self.awaited) {
            if self.is_trimmed(seq) {
                trimmed += 1;
                continue;
            }
            let why = self.absence(seq);
            let what = format!(
                "command {id} of session {session} was acknowledged as record {seq}, {why}"
            );
            self.tally.broken(LOST, what, &[seq]);
        }
        trimmed
    }

    fn absence(&self, seq: u64) -> String {
        let last = self.spine.last;
        if seq > last {
            format!("but the journal ends with record {last}")
        } else {
            "which does not have it".to_owned()
        }
    }

    fn judge_calls(&mut self) -> u64 {
        let mut trimmed = 0;
        for (seq, left) in std::mem::take(&mut self.calls) {
            if self.is_trimmed(seq) {
                trimmed += left;
                continue;
            }
            let why = self.absence(seq);
            for _ in 0..left {
                let what = format!("a caller's command was acknowledged as record {seq}, {why}");
                self.tally.broken(LOST, what, &[seq]);
            }
        }
        trimmed
    }

    fn judge_steps(&mut self) -> u64 {
        let mut trimmed = 0;
        for InputAck { session, through } in &self.closed.input_acks {
            let last = self.steps.get(session).copied();
            let is = last.map_or(0, |last| last.id);
            if is >= *through {
                continue;
            }
            if self.is_trimmed(*session) {
                trimmed += 1;
                continue;
            }
            let what = format!(
                "steps of session {session} were acknowledged up to {through}, and the journal \
                 has them up to {is}"
            );
            self.tally.broken(LOST, what, &[last.map_or(*session, |last| last.at)]);
        }
        trimmed
    }

    /// Whether answers name records that rise with the ids.
    fn judge_order(&mut self) {
        let mut acks = self.closed.acks.clone();
        acks.retain(|ack| !self.repeats.contains(&Spot { session: ack.session, id: ack.id }));
        acks.sort_by_key(|ack| (ack.session, ack.id));
        for (one, next) in acks.iter().zip(acks.iter().skip(1)) {
            if one.session != next.session {
                continue;
            }
            self.tally.looked(ORDER, 1);
            if next.seq < one.seq {
                let what = format!(
                    "command {} of session {} was acknowledged as record {}, and the later {} as \
                     record {}",
                    one.id, one.session, one.seq, next.id, next.seq
                );
                self.tally.broken(ORDER, what, &[next.seq, one.seq]);
            }
        }
    }
}

#[cfg(test)]
#[path = "judge/tests.rs"]
mod tests;
