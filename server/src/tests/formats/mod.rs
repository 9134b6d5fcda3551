//! What journals hold must stay readable for ever: fixtures of each format, as hex of sealed
//! records and snapshots, folded by today's code to the state that was written beside them.
//!
//! - Every `tests/fixtures/journal-*.json` is read. A field that today's state has and the
//!   fixture lacks is fine; one that is missing or differs is not.
//! - The newest fixture is what today's code writes, byte for byte, and holds every event, tell
//!   and fact there is. Who changes a format sees red, and decides: `HOLDFAST_WRITE_FIXTURES=1
//!   cargo test -p holdfast formats` writes [`NEWEST`]; a fixture that a release has written is
//!   left alone and `NEWEST` gets the next number.

mod parties;
mod samples;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::actor::kind::Kind;
use crate::actor::record::{Formats, Record};
use crate::actor::replay::{Durable, Stored, replay};
use crate::game::leaderboard::Leaderboard;
use crate::game::party::Party;
use crate::game::player::Player;
use crate::game::room::Room;
use crate::game::trade::Trade;

const NEWEST: &str = "journal-v3.json";

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Fixture {
    actors: Vec<Journal>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Journal {
    id: ActorId,
    records: Vec<Entry>,
    /// After the record with this seq.
    snapshot: Entry,
    /// The rules' state after the last record.
    state: Value,
    /// The runtime's half after the last record.
    ledger: Value,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Entry {
    epoch: u64,
    seq: u64,
    hex: String,
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Bytes {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect::<Vec<_>>().into()
}

impl Entry {
    fn stored(&self) -> Stored {
        Stored { epoch: self.epoch, seq: self.seq, bytes: from_hex(&self.hex) }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

fn read(name: &str) -> Fixture {
    let text = fs::read_to_string(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    serde_json::from_str(&text).unwrap()
}

fn kind_of(id: &ActorId) -> Kind {
    let settings = Arc::default();
    match id.kind() {
        "player" => Kind::of::<Player>(settings),
        "room" => Kind::of::<Room>(settings),
        "trade" => Kind::of::<Trade>(settings),
        "party" => Kind::of::<Party>(settings),
        "leaderboard" => Kind::of::<Leaderboard>(settings),
        other => panic!("no kind is called {other}"),
    }
}

/// The rules' state as JSON, by way of its snapshot form.
fn state_of(id: &ActorId, durable: &Durable) -> Value {
    let bytes = durable.state.save();
    let json = match id.kind() {
        "player" => rmp_serde::from_slice::<Player>(&bytes).map(serde_json::to_value),
        "room" => rmp_serde::from_slice::<Room>(&bytes).map(serde_json::to_value),
        "trade" => rmp_serde::from_slice::<Trade>(&bytes).map(serde_json::to_value),
        "party" => rmp_serde::from_slice::<Party>(&bytes).map(serde_json::to_value),
        _ => rmp_serde::from_slice::<Leaderboard>(&bytes).map(serde_json::to_value),
    };
    json.unwrap().unwrap()
}

/// What `found` lacks or has otherwise than `expected`; fields that only `found` has are fine.
fn missing(at: &str, expected: &Value, found: &Value) -> Vec<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .flat_map(|(key, value)| {
                let at = format!("{at}.{key}");
                found.get(key).map_or_else(|| vec![at.clone()], |found| missing(&at, value, found))
            })
            .collect(),
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => one
            .iter()
            .zip(two)
            .enumerate()
            .flat_map(|(n, (one, two))| missing(&format!("{at}[{n}]"), one, two))
            .collect(),
        _ if expected == found => Vec::new(),
        _ => vec![format!("{at}: {found} instead of {expected}")],
    }
}

/// Reads a journal as an activation does, and compares.
fn problems(journal: &Journal) -> Vec<String> {
    let id = &journal.id;
    let kind = kind_of(id);
    let snapshot = from_hex(&journal.snapshot.hex);
    let after = journal.records.iter().filter(|entry| entry.seq > journal.snapshot.seq);
    let whole =
        replay((&kind, Formats::READS), id, None, journal.records.iter().map(Entry::stored));
    let tail = replay((&kind, Formats::READS), id, Some(&snapshot), after.map(Entry::stored));
    let mut problems = Vec::new();
    for (from, durable) in [("records", whole), ("snapshot", tail)] {
        let durable = durable.unwrap_or_else(|e| panic!("{id} from its {from}: {e}"));
        let at = format!("{id} from its {from}");
        problems.extend(missing(&format!("{at}: state"), &journal.state, &state_of(id, &durable)));
        let ledger = serde_json::to_value(&durable.ledger).unwrap();
        problems.extend(missing(&format!("{at}: ledger"), &journal.ledger, &ledger));
    }
    problems
}

/// Writes the journal of an actor whose records are these, one epoch and seq after the other.
fn journal(id: &str, records: &[Record]) -> Journal {
    let id: ActorId = id.parse().unwrap();
    let kind = kind_of(&id);
    let mut durable = Durable::fresh(&kind, &id);
    let mut entries = Vec::new();
    let mut snapshot = None;
    for (record, seq) in records.iter().zip(1_u64..) {
        // The second half is another term's.
        let epoch = samples::START_MS + u64::from(seq as usize > records.len() / 2);
        let entry = Entry { epoch, seq, hex: to_hex(&record.encode()) };
        durable.fold_record(Formats::READS, &entry.stored()).unwrap();
        entries.push(entry);
        if seq as usize == records.len() / 2 {
            snapshot = Some(Entry { epoch, seq, hex: to_hex(&durable.save()) });
        }
    }
    let ledger = serde_json::to_value(&durable.ledger).unwrap();
    let state = state_of(&id, &durable);
    Journal { id, records: entries, snapshot: snapshot.unwrap(), state, ledger }
}

fn today() -> Fixture {
    let actors = vec![
        journal("player:alice", &samples::player()),
        journal("room:dungeon-7", &samples::room()),
        journal("trade:17f-00c", &samples::trade()),
        journal("party:17f-00d", &parties::party()),
        journal("leaderboard:main", &samples::leaderboard()),
    ];
    Fixture { actors }
}

#[test]
fn every_old_journal_and_snapshot_is_read() {
    let mut read_ones = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("journal-") {
            let problems: Vec<_> = read(&name).actors.iter().flat_map(problems).collect();
            assert!(problems.is_empty(), "{name}:\n{}", problems.join("\n"));
            read_ones += 1;
        }
    }
    assert!(read_ones > 0, "there is no fixture");
}

#[test]
fn the_newest_fixture_is_what_is_written_today() {
    let today = today();
    if std::env::var("HOLDFAST_WRITE_FIXTURES").is_ok_and(|on| on == "1") {
        let text = serde_json::to_string_pretty(&today).unwrap();
        fs::write(folder().join(NEWEST), text + "\n").unwrap();
    }
    assert!(
        read(NEWEST) == today,
        "what journals hold has changed: see the head of server/src/tests/formats/mod.rs"
    );
}

#[test]
fn the_newest_fixture_holds_everything_that_can_be_written() {
    let found = samples::names();
    for (what, expected) in samples::ALL {
        let found = found.get(what).map(|names| names.iter().cloned().collect::<Vec<_>>());
        let mut expected: Vec<_> = expected.split(' ').map(str::to_owned).collect();
        expected.sort();
        assert_eq!(found, Some(expected), "names of {what}");
    }
}

#[test]
fn a_changed_meaning_is_found() {
    let mut journal = journal("room:dungeon-7", &samples::room());
    assert_eq!(problems(&journal), [""; 0]);
    journal.state["last_entity"] = 99.into();
    journal.ledger["forgotten"] = true.into();
    assert_eq!(problems(&journal).len(), 4, "two, from records and from the snapshot");
}

#[test]
#[should_panic(expected = "can't be read")]
fn a_damaged_record_is_found() {
    let mut journal = journal("room:dungeon-7", &samples::room());
    let last = journal.records.last_mut().unwrap();
    last.hex.replace_range(20..22, if last.hex.get(20..22) == Some("00") { "01" } else { "00" });
    problems(&journal);
}
