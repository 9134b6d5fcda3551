//! The past, recorded journals and their replay, with rules made for it: a sum, and versions of
//! those rules that make something else of the same events.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::check::{Place, Replayed, check};
use super::past::{PastError, Retained};
use super::recorded::{FileError, Journal, read, record};
use crate::actor::contract::{Actor, Ctx, Decision, Message, Reject};
use crate::actor::kind::{Kind, Kinds};
use crate::actor::record::{Fact, Formats, Record};
use crate::actor::replay::{Durable, Stored};

/// The same journal means something else in each of them.
const TODAY: u8 = 0;
const DOUBLED: u8 = 1;
const DEAF: u8 = 2;
const GROWN: u8 = 3;
const RICHER: u8 = 4;

#[derive(Debug, Serialize, Deserialize)]
struct Sum<const RULES: u8> {
    sum: u64,
    blows: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newer: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Event {
    #[serde(rename = "add")]
    Add { n: u64 },
    #[serde(rename = "blow")]
    Blow,
}

impl<const RULES: u8> Actor for Sum<RULES> {
    type Event = Event;
    type Settings = ();

    fn new(_: &ActorId) -> Self {
        let newer = (RULES == GROWN).then_some(1);
        Self { sum: if RULES == RICHER { 100 } else { 0 }, blows: 0, newer }
    }

    fn decide(&self, _: &Ctx<'_, ()>, _: &Message<'_>) -> Result<Decision<Event>, Reject> {
        Ok(Decision::default())
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Add { n } if RULES == DOUBLED && *n == 7 => self.sum += 2 * n,
            Event::Add { n } => self.sum += n,
            Event::Blow if RULES == DEAF => {}
            Event::Blow => self.blows += 1,
        }
        if RULES == GROWN {
            self.newer = Some(self.sum);
        }
    }

    fn query(&self, _: &Ctx<'_, ()>, _: &[u8]) -> Result<Bytes, Reject> {
        Ok(Bytes::new())
    }
}

fn kinds<const RULES: u8>() -> Kinds {
    Kinds::default().with("sum", Kind::of::<Sum<RULES>>(Arc::new(())))
}

fn actor() -> ActorId {
    "sum:a".parse().unwrap()
}

fn event(event: &Event) -> Fact {
    Fact::Event(rmp_serde::to_vec_named(event).unwrap().into())
}

fn rows() -> Vec<Stored> {
    let facts = [
        vec![Fact::Opened, event(&Event::Add { n: 5 })],
        vec![event(&Event::Blow)],
        vec![event(&Event::Blow), event(&Event::Add { n: 7 }), Fact::Detached],
        vec![event(&Event::Add { n: 1 })],
    ];
    let row = |(seq, facts)| {
        let record = Record { now_ms: 1_000 + seq, facts };
        Stored { epoch: 10, seq, bytes: record.encode() }
    };
    (1..).zip(facts).map(row).collect()
}

/// The state after record `seq`, as its owner keeps it.
fn snapshot(seq: u64) -> Bytes {
    let kinds = kinds::<TODAY>();
    let mut durable = Durable::fresh(kinds.of(&actor()).unwrap(), &actor());
    for row in rows().iter().take(seq as usize) {
        durable.fold_record(Formats::READS, row).unwrap();
    }
    durable.save()
}

fn whole() -> Retained {
    Retained { actor: actor(), base: None, records: rows() }
}

fn trimmed() -> Retained {
    Retained { actor: actor(), base: Some((2, snapshot(2))), records: rows().split_off(2) }
}

#[test]
fn the_state_is_shown_after_each_record() {
    let kinds = kinds::<TODAY>();
    let sum = |at: Option<u64>, of: &Retained| of.state(&kinds, at).unwrap().state["sum"].clone();
    let sums: Vec<Value> = (0..=4).map(|at| sum(Some(at), &whole())).collect();
    assert_eq!(sums, [0, 5, 5, 12, 13]);
    assert_eq!((sum(Some(2), &trimmed()), sum(None, &trimmed())), (json!(5), json!(13)));
    let third = trimmed().state(&kinds, Some(3)).unwrap();
    assert_eq!((third.seq, third.time_ms), (3, 1_003));
    assert_eq!(third.ledger["connected"], false);
    assert_eq!(third.ledger["sessions"][0]["id"], 1);
}

#[test]
fn what_differs_between_two_records_is_told() {
    let kinds = kinds::<TODAY>();
    let paths = |from, to| {
        let difference = trimmed().difference(&kinds, from, to).unwrap();
        let of = difference.changes.iter().map(|c| c.path.clone()).collect::<Vec<_>>();
        (difference.from, difference.to, of)
    };
    let both = vec!["/blows".to_owned(), "/sum".to_owned()];
    assert_eq!(paths(Some(2), Some(4)), (2, 4, both.clone()));
    assert_eq!(paths(None, Some(3)), (2, 3, both));
    assert_eq!(paths(None, None), (3, 4, vec!["/sum".to_owned()]));
    assert_eq!(paths(None, Some(2)), (2, 2, vec![]), "nothing is known of before");
}

#[test]
fn what_is_out_of_reach_is_said_in_a_sentence() {
    let kinds = kinds::<TODAY>();
    let said = |error: PastError| error.to_string();
    let state = |at| said(trimmed().state(&kinds, Some(at)).unwrap_err());
    assert_eq!(
        state(1),
        "the state after record 1 is no longer known: the oldest kept state of sum:a is the one \
         after record 2"
    );
    assert_eq!(state(5), "there is no record 5 yet: the newest record of sum:a is 4");
    let backwards = trimmed().difference(&kinds, Some(4), Some(3)).unwrap_err();
    assert_eq!(said(backwards), "from must not be greater than to, but 4 is greater than 3");
    let foreign = said(whole().state(&Kinds::default(), None).unwrap_err());
    assert_eq!(foreign, "this version has no rules for sum:a");
    let mut broken = whole();
    broken.records[1].bytes = Bytes::from_static(b"\x01nothing");
    assert_eq!(
        said(broken.state(&kinds, None).unwrap_err()),
        "the journal of sum:a can't be read: record 2 can't be read: the checksum does not match"
    );
    assert_eq!(broken.state(&kinds, Some(1)).unwrap().state["sum"], 5, "what lies before it");
}

fn recorded(retained: &Retained) -> String {
    let newest = snapshot(3);
    record(&kinds::<TODAY>(), retained, Some((3, &newest))).unwrap()
}

fn journal() -> Journal {
    read(&recorded(&whole())).unwrap()
}

#[test]
fn a_file_reads_back_as_it_was_written() {
    for (retained, base) in [(whole(), 0), (trimmed(), 2)] {
        let journal = read(&recorded(&retained)).unwrap();
        assert_eq!((&journal.actor, journal.base_seq), (&actor(), base));
        assert!(journal.steps.iter().map(|step| &step.row).eq(&retained.records));
        let last = &journal.steps.last().unwrap().expected;
        assert_eq!((&last["state"]["sum"], &last["ledger"]["seq"]), (&json!(13), &json!(4)));
        assert_eq!(journal.snapshot.as_ref().map(|(after, _)| *after), Some(3));
    }
}

#[test]
fn a_file_that_was_changed_is_refused() {
    let text = recorded(&whole());
    let refused = |text: &str| read(text).unwrap_err().to_string();
    assert_eq!(refused(""), FileError::Cut.to_string());
    let shorter = text.lines().take(3).collect::<Vec<_>>().join("\n");
    assert_eq!(refused(&shorter), "it is cut short: the last line is missing");
    assert_eq!(
        refused(&text.replacen("\"version\":1", "\"version\":2", 1)),
        "it is a recorded journal of version 2, and this version of holdfast reads 1"
    );
    assert_eq!(refused("{}"), "line 1: it is not the head of a recorded journal");
    let without = text.lines().enumerate().filter(|(at, _)| *at != 2).map(|(_, line)| line);
    assert_eq!(
        refused(&without.collect::<Vec<_>>().join("\n")),
        "line 3: record 3 follows record 1"
    );
    let other = text.replacen("\"after\":12", "\"after\":13", 1);
    assert_ne!(other, text);
    assert_eq!(
        refused(&other),
        "line 4: the changes of record 3 do not give the state that its hash names: the file was \
         changed after it was written"
    );
    assert!(refused(&text.replace("\"records\":4", "\"records\":5")).contains("5 records"));
}

fn paths(replayed: &Replayed) -> Vec<String> {
    let difference = replayed.difference.as_ref().unwrap();
    let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
    let line =
        |c: &super::diff::Change| format!("{} {} {}", c.path, text(&c.before), text(&c.after));
    difference.changes.iter().map(line).collect()
}

#[test]
fn the_same_rules_make_the_same_of_it() {
    for retained in [whole(), trimmed()] {
        let journal = read(&recorded(&retained)).unwrap();
        let replayed = check(&kinds::<TODAY>(), &journal).unwrap();
        assert_eq!(replayed.difference, None);
        assert_eq!((replayed.same, replayed.snapshot), (replayed.records, Some(3)));
        assert!(replayed.added.is_empty());
    }
}

#[test]
fn changed_rules_are_pointed_at() {
    let replayed = check(&kinds::<DOUBLED>(), &journal()).unwrap();
    let difference = replayed.difference.as_ref().unwrap();
    assert_eq!(difference.at, Place::Record { seq: 3, epoch: 10, time_ms: 1_003 });
    assert_eq!((replayed.same, paths(&replayed)), (2, vec!["/state/sum 12 19".to_owned()]));
    let events: Vec<_> =
        difference.events.iter().map(|e| (e.name.clone(), e.data.clone())).collect();
    assert_eq!(events, [(Some("add".to_owned()), Some(json!({"n": 7})))], "not the blow");
}

#[test]
fn rules_that_pass_an_event_by_are_pointed_at() {
    let replayed = check(&kinds::<DEAF>(), &journal()).unwrap();
    let difference = replayed.difference.as_ref().unwrap();
    assert_eq!(difference.at, Place::Record { seq: 2, epoch: 10, time_ms: 1_002 });
    assert_eq!(paths(&replayed), ["/state/blows 1 0"]);
    assert_eq!(difference.events[0].name.as_deref(), Some("blow"));
}

#[test]
fn a_state_that_has_grown_is_no_difference_and_another_beginning_is() {
    let replayed = check(&kinds::<GROWN>(), &journal()).unwrap();
    assert_eq!((&replayed.difference, replayed.same), (&None, 4));
    assert_eq!(replayed.added, ["/state/newer"]);
    let replayed = check(&kinds::<RICHER>(), &journal()).unwrap();
    assert_eq!(replayed.difference.as_ref().unwrap().at, Place::Base(0));
    assert_eq!(paths(&replayed), ["/state/sum 0 100"]);
}

#[test]
fn a_snapshot_that_its_journal_does_not_give_is_found() {
    let mut forged = journal();
    forged.snapshot.as_mut().unwrap().1["state"]["sum"] = json!(99);
    let replayed = check(&kinds::<TODAY>(), &forged).unwrap();
    assert_eq!(replayed.difference.as_ref().unwrap().at, Place::Snapshot(3));
    assert_eq!((replayed.same, paths(&replayed)), (3, vec!["/state/sum 99 12".to_owned()]));
}

#[test]
fn what_today_cannot_read_is_said() {
    let mut journal = journal();
    journal.steps[1].row.bytes = Bytes::from_static(b"\x01junkjunk");
    let replayed = check(&kinds::<TODAY>(), &journal).unwrap();
    let difference = replayed.difference.unwrap();
    assert_eq!(difference.at, Place::Record { seq: 2, epoch: 10, time_ms: 0 });
    let problem = "record 2 can't be read: the checksum does not match";
    assert_eq!(difference.problem.as_deref(), Some(problem));
    assert!(check(&Kinds::default(), &journal).is_err());
}
