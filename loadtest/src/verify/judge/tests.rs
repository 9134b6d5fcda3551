//! Journals that keep every promise, and for each promise one that breaks it.

use holdfast_protocol::ids::PlayerId;
use serde_json::{Value, json};

use super::super::tally::{GAPS, STALE};
use super::*;

/// A journal of one page.
struct Journal {
    records: Vec<Value>,
    tip: u64,
}

fn answered(session: u64, id: u64) -> Value {
    json!({"what": "answered", "place": {"session": session, "id": id}, "data": {"xp": 10}})
}

fn deferred(session: u64, id: u64, token: u64) -> Value {
    json!({"what": "deferred", "place": {"session": session, "id": id}, "token": token})
}

fn completed(token: u64) -> Value {
    json!({"what": "completed", "token": token, "data": {}})
}

fn event(name: &str, data: &Value) -> Value {
    json!({"what": "event", "name": name, "data": data})
}

fn steps(n: u64) -> Value {
    event("in", &json!({"f": n, "s": "0x04", "n": n, "c": 1, "ct": 2, "t": 3}))
}

impl Journal {
    /// With a session, whose number is 1.
    fn new() -> Self {
        let items = json!({"potion-001": 5, "sword-001": 1});
        let new = event("new", &json!({"name": "A", "health": 100, "gold": 100, "items": items}));
        let mut journal = Self { records: Vec::new(), tip: 0 };
        journal.add(&[new, json!({"what": "opened"}), json!({"what": "attached"})]);
        journal
    }

    fn add(&mut self, facts: &[Value]) -> &mut Self {
        self.tip += 1;
        let record = json!({"entry": "record", "seq": self.tip, "epoch": 7, "facts": facts});
        self.records.push(record);
        self
    }

    fn set(&mut self, seq: usize, name: &str, value: Value) {
        self.records[seq - 1][name] = value;
    }

    fn judge(&self, closed: &Closed, retained: bool) -> Judged {
        let claim = json!({"entry": "claim", "after": 0, "epoch": 7});
        let mut judge = Judge::new(closed, retained);
        let mut next = Some(0);
        for (nth, records) in self.records.chunks(2).enumerate() {
            let mut entries = vec![claim.clone()];
            entries.extend(records.iter().cloned());
            let more = (nth + 1) * 2;
            let after = (more < self.records.len()).then_some(more as u64 + 1);
            let page = json!({"player": "a", "base": 0, "tip": self.tip, "next": after,
                              "entries": entries});
            next = judge.page(&Page::read(page.to_string().as_bytes()).unwrap());
            assert_eq!(next, after);
        }
        assert_eq!(next, None, "the journal has an end");
        judge.end()
    }
}

fn closed(acks: &[(u64, u64, u64)]) -> Closed {
    let ack = |(session, id, seq): &(u64, u64, u64)| Ack { session: *session, id: *id, seq: *seq };
    let acks = acks.iter().map(ack).collect();
    Closed { acks, ..Closed::empty(PlayerId::new("a").unwrap()) }
}

fn walked(session: u64, through: u64) -> Closed {
    let input_acks = vec![InputAck { session, through }];
    Closed { input_acks, ..closed(&[]) }
}

/// The findings as lines, each with the seqs that show it.
fn found(judged: &Judged) -> Vec<String> {
    let line = |finding: &super::super::tally::Finding| {
        format!("{}: {} {:?}", finding.check, finding.what, finding.shows)
    };
    judged.tally.findings.iter().map(line).collect()
}

#[test]
fn a_journal_with_all_that_was_promised_has_no_findings() {
    let mut journal = Journal::new();
    journal.add(&[answered(1, 1), answered(1, 2)]);
    journal.add(&[steps(3), deferred(1, 3, 1)]);
    journal.add(&[json!({"what": "refused", "place": {"session": 1, "id": 2}, "code": "busy"})]);
    journal.add(&[completed(1), steps(4)]);
    let again = json!({"what": "answered", "place": {"session": 1, "id": 4}, "first": 2});
    journal.add(&[again]);
    journal.add(&[answered(0, 1)]);
    journal.add(&[json!({"what": "opened"}), event("open", &json!({})), steps(2)]);
    let mut books = closed(&[(1, 1, 2), (1, 2, 2), (1, 3, 5), (1, 4, 2), (0, 9, 7)]);
    books.input_acks =
        vec![InputAck { session: 1, through: 4 }, InputAck { session: 8, through: 2 }];
    let judged = journal.judge(&books, true);
    assert_eq!(found(&judged), Vec::<String>::new());
    assert_eq!((judged.tally.of(LOST), judged.tally.of(DOUBLED)), ((7, 0), (5, 0)));
    assert_eq!((judged.tally.of(GAPS), judged.tally.of(STALE)), ((8, 0), (8, 0)));
    // Five commands, and two pairs of answers: the repeat under a key names an older record.
    assert_eq!(judged.tally.of(ORDER), (7, 0));
    assert_eq!((judged.newest, judged.foreign, judged.trimmed), (7, 0, 0));
    let minted = judged.minted.unwrap();
    assert_eq!((minted["gold"], minted["potion-001"], minted["sword-001"]), (100, 5, 1));
}

#[test]
fn an_acknowledged_command_without_a_record_is_lost() {
    let mut journal = Journal::new();
    journal.add(&[answered(1, 1)]).add(&[]).add(&[answered(1, 3)]);
    let judged = journal.judge(&closed(&[(1, 1, 2), (1, 2, 3), (1, 3, 4)]), true);
    let lost = "lost: command 2 of session 1 was acknowledged as record 3, which does not have it";
    assert_eq!(found(&judged), [format!("{lost} [3]")]);
    let judged = journal.judge(&closed(&[(1, 4, 5)]), true);
    let lost = "lost: command 4 of session 1 was acknowledged as record 5, but the journal ends";
    assert_eq!(found(&judged), [format!("{lost} with record 4 [5]")]);
    let other = journal.judge(&closed(&[(1, 1, 3)]), true);
    let lost = "lost: command 1 of session 1 was acknowledged as record 3, and is in record 2";
    assert_eq!(found(&other), [format!("{lost} [3, 2]")]);
}

#[test]
fn a_deferred_command_is_where_it_was_completed() {
    let mut journal = Journal::new();
    journal.add(&[deferred(1, 1, 6)]).add(&[completed(6)]);
    assert_eq!(found(&journal.judge(&closed(&[(1, 1, 3)]), true)), Vec::<String>::new());
    let judged = journal.judge(&closed(&[(1, 1, 2)]), true);
    assert_eq!(judged.tally.of(LOST), (1, 1), "the answer named where it was deferred");
    let mut refused = Journal::new();
    refused.add(&[deferred(1, 1, 6)]);
    refused.add(&[json!({"what": "completed", "token": 6, "code": "room_full"})]);
    assert_eq!(refused.judge(&closed(&[(1, 1, 3)]), true).tally.of(LOST), (1, 1));
}

#[test]
fn callers_commands_are_known_by_their_records() {
    let mut journal = Journal::new();
    journal.add(&[answered(0, 1)]).add(&[deferred(0, 2, 4)]).add(&[completed(4)]);
    let right = closed(&[(0, 70, 2), (0, 71, 4)]);
    assert_eq!(found(&journal.judge(&right, true)), Vec::<String>::new());
    let judged = journal.judge(&closed(&[(0, 70, 2), (0, 71, 2), (0, 72, 4)]), true);
    let lost = "lost: a caller's command was acknowledged as record 2, which does not have it [2]";
    assert_eq!(found(&judged), [lost]);
}

#[test]
fn what_a_gateway_asks_for_near_a_coin_is_nobodys_command() {
    let mut journal = Journal::new();
    let asks = event("cask", &json!({"coin": 7}));
    journal.add(&[asks.clone(), answered(0, 1)]).add(&[answered(1, 1)]);
    let judged = journal.judge(&closed(&[(1, 1, 3)]), true);
    assert_eq!((found(&judged), judged.foreign), (Vec::new(), 0));
    journal.add(&[asks, answered(0, 2), answered(0, 3)]);
    assert_eq!(journal.judge(&closed(&[(1, 1, 3)]), true).foreign, 1, "one is of another");
}

#[test]
fn acknowledged_steps_without_a_record_are_lost() {
    let mut journal = Journal::new();
    journal.add(&[steps(3)]).add(&[steps(5)]);
    assert_eq!(found(&journal.judge(&walked(1, 5), true)), Vec::<String>::new());
    let judged = journal.judge(&walked(1, 6), true);
    let lost = "lost: steps of session 1 were acknowledged up to 6, and the journal has them up";
    assert_eq!(found(&judged), [format!("{lost} to 5 [3]")]);
    // Another session's steps do not count.
    journal.add(&[json!({"what": "opened"})]).add(&[steps(9)]);
    assert_eq!(journal.judge(&walked(1, 6), true).tally.of(LOST), (1, 1));
    assert_eq!(journal.judge(&walked(4, 9), true).tally.of(LOST), (1, 0));
}

#[test]
fn a_command_that_is_there_twice_is_doubled() {
    let mut journal = Journal::new();
    journal.add(&[answered(1, 1)]).add(&[answered(1, 2)]).add(&[answered(1, 1)]);
    let judged = journal.judge(&closed(&[(1, 1, 2), (1, 2, 3)]), true);
    let doubled = "doubled: command 1 of session 1 is in record 2 and again in 4 [2, 4]";
    assert_eq!(found(&judged), [doubled]);
    let mut within = Journal::new();
    within.add(&[answered(1, 1), answered(1, 1)]);
    assert_eq!(within.judge(&closed(&[(1, 1, 2)]), true).tally.of(DOUBLED), (2, 1));
    let mut later = Journal::new();
    later.add(&[deferred(1, 1, 6)]).add(&[completed(6)]).add(&[completed(6)]);
    let judged = later.judge(&closed(&[(1, 1, 3)]), true);
    assert_eq!(found(&judged), ["doubled: record 4 answers token 6, which nothing awaits [4]"]);
}

#[test]
fn commands_of_a_session_are_in_the_order_in_which_they_were_sent() {
    let mut journal = Journal::new();
    journal.add(&[answered(1, 2)]).add(&[answered(1, 1)]);
    let judged = journal.judge(&closed(&[]), true);
    let order =
        "order: command 1 of session 1 took effect in record 3, after command 2 in record 2";
    assert_eq!(found(&judged), [format!("{order} [2, 3]")]);
    assert_eq!(judged.foreign, 1, "nobody knows of the session");
    let mut journal = Journal::new();
    journal.add(&[answered(1, 1)]).add(&[answered(1, 2)]);
    let judged = journal.judge(&closed(&[(1, 1, 3), (1, 2, 2)]), true);
    assert_eq!(judged.tally.of(ORDER), (3, 1), "{:?}", found(&judged));
}

#[test]
fn a_record_of_a_former_owner_is_stale() {
    let mut journal = Journal::new();
    journal.add(&[answered(1, 1)]).add(&[answered(1, 2)]).add(&[answered(1, 3)]);
    journal.set(2, "epoch", json!(9));
    journal.set(3, "epoch", json!(9));
    journal.set(4, "epoch", json!(9));
    let books = closed(&[(1, 1, 2), (1, 2, 3), (1, 3, 4)]);
    assert_eq!(found(&journal.judge(&books, true)), Vec::<String>::new());
    journal.set(3, "epoch", json!(8));
    let judged = journal.judge(&books, true);
    let stale = "stale: record 3 was written by epoch 8, after one of epoch 9 [3]";
    assert_eq!(found(&judged), [stale]);
    assert_eq!(judged.tally.of(STALE), (4, 1), "those after it are newer again");
}

#[test]
fn a_record_that_is_missing_or_can_not_be_read_is_a_gap() {
    let mut journal = Journal::new();
    journal.add(&[answered(1, 1)]).add(&[]).add(&[answered(1, 2)]);
    journal.set(3, "problem", json!("the record can't be read: the checksum does not match"));
    let books = closed(&[(1, 1, 2), (1, 2, 4)]);
    let judged = journal.judge(&books, true);
    let gap = "gaps: record 3: the record can't be read: the checksum does not match [3]";
    assert_eq!(found(&judged), [gap]);
    journal.records.remove(2);
    let judged = journal.judge(&books, true);
    assert_eq!(found(&judged), ["gaps: record 4 follows record 2 [2, 4]"]);
    journal.tip = 6;
    let judged = journal.judge(&books, true);
    let end = "gaps: the newest record is 6, and the journal ends with 4 [4]";
    assert_eq!(found(&judged)[1..], [end]);
}

#[test]
fn what_is_no_longer_kept_is_not_looked_up() {
    let mut journal = Journal::new();
    journal.add(&[answered(1, 1), deferred(1, 2, 5)]).add(&[completed(5)]).add(&[answered(1, 3)]);
    journal.records.drain(..2);
    let mut books = closed(&[(1, 1, 2), (1, 2, 3), (1, 3, 4), (0, 1, 1)]);
    books.input_acks = vec![InputAck { session: 1, through: 2 }];
    let judged = journal.judge(&books, false);
    assert_eq!((found(&judged), judged.trimmed), (Vec::new(), 4));
    assert_eq!(judged.minted, None);
    // Where all is kept, the same is lost.
    let judged = journal.judge(&books, true);
    assert_eq!((judged.tally.of(LOST), judged.trimmed), ((5, 4), 0));
    let begins = "gaps: the journal begins with record 3 [3]";
    assert_eq!(found(&judged)[0], begins);
}

#[test]
fn a_player_without_a_journal_has_lost_all() {
    let books = closed(&[(1, 1, 2)]);
    for retained in [true, false] {
        let judged = Judge::new(&books, retained).end();
        assert_eq!(judged.tally.of(LOST), (1, 1));
    }
}
