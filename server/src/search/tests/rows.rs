//! Rows: what they take, and that old stored ones are read for ever.
//!
//! Every `tests/fixtures/attributes-*.json` holds stored rows as hex and what is in them. The
//! newest is what is written today, byte for byte: `HOLDFAST_WRITE_FIXTURES=1 cargo test -p
//! holdfast search` writes it; one that a release has written is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use holdfast_protocol::ids::PlayerId;
use serde::{Deserialize, Serialize};

use super::{NOW_MS, ago, registry, row, world};
use crate::search::row::{RowError, SetError, TEXT_LEN_MAX};
use crate::search::value::Literal;
use crate::search::{Registry, Row, Value};

const NEWEST: &str = "attributes-v1.json";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Fixture {
    hex: String,
    /// As queries write them.
    values: BTreeMap<String, String>,
}

fn values(registry: &Registry, row: &Row) -> BTreeMap<String, String> {
    let shown = registry.iter().filter(|a| !a.is_computed()).filter_map(|a| {
        let value = Literal(a.kind(), row.value(a, NOW_MS)?).to_string();
        Some((a.name().to_owned(), value))
    });
    shown.collect()
}

fn rows() -> Vec<Row> {
    let extremes = row(
        "dave",
        &[
            ("Score", i64::MIN.into()),
            ("Gold", u64::MAX.into()),
            ("LastWin", ago(3)),
            ("Steps", 300_i64.into()),
            ("Guild", "".into()),
        ],
    );
    world().into_iter().chain([extremes]).collect()
}

fn today() -> Vec<Fixture> {
    let registry = registry();
    let fixture = |row: &Row| Fixture {
        hex: row.encode(&registry).iter().map(|byte| format!("{byte:02x}")).collect(),
        values: values(&registry, row),
    };
    rows().iter().map(fixture).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

fn from_hex(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_old_row_is_read() {
    let mut read = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with("attributes-") {
            continue;
        }
        let fixtures: Vec<Fixture> =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for fixture in fixtures {
            let row = Row::decode(&registry(), &from_hex(&fixture.hex)).unwrap();
            assert_eq!(values(&registry(), &row), fixture.values, "{}", path.display());
            read += 1;
        }
    }
    assert!(read >= 4, "{read} rows were read");
}

#[test]
fn the_newest_fixture_is_what_is_written_today() {
    let path = folder().join(NEWEST);
    if std::env::var("HOLDFAST_WRITE_FIXTURES").is_ok_and(|on| on == "1") {
        fs::write(&path, serde_json::to_string_pretty(&today()).unwrap() + "\n").unwrap();
    }
    let newest: Vec<Fixture> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(newest == today(), "what rows hold has changed: see the head of this file");
}

#[test]
fn a_row_reads_back_as_it_was() {
    let registry = registry();
    for row in rows() {
        assert_eq!(Row::decode(&registry, &row.encode(&registry)), Ok(row));
    }
}

/// `[1]` and a map: player alice, score 7, and something from a later version.
fn from_later(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&[1, 0x83, 0x00, 0xa5][..], b"alice", key, value, &[5, 7]].concat()
}

#[test]
fn what_a_later_version_adds_is_skipped() {
    let expected = row("alice", &[("Score", 7_i64.into())]);
    let keys: [&[u8]; 5] = [&[13], &[0xcd, 0xff, 0xff], b"\xa4Mana", &[0xff], &[0xc0]];
    let values: [&[u8]; 9] = [
        &[7],
        b"\xa1x",
        &[0xc3],
        &[0xc0],
        &[0xca, 0, 0, 0, 0],
        &[0xc4, 1, 0],
        &[0x92, 1, 0x91, 2],
        &[0x81, 1, 0x81, 2, 0xc0],
        &[0xd4, 1, 2],
    ];
    for key in keys {
        for value in values {
            let row = Row::decode(&registry(), &from_later(key, value));
            assert_eq!(row.as_ref(), Ok(&expected), "{key:?} {value:?}");
        }
    }
}

#[test]
fn a_value_of_another_type_counts_as_missing() {
    let bytes = from_later(&[4], b"\xa3ten");
    let row = Row::decode(&registry(), &bytes).unwrap();
    assert_eq!(row.value(registry().find("PlayerLevel").unwrap(), NOW_MS), None);
    let bytes = from_later(&[8], b"\xa3now");
    let row = Row::decode(&registry(), &bytes).unwrap();
    assert_eq!(row.value(registry().find("IdleTime").unwrap(), NOW_MS), None);
}

#[test]
fn what_a_game_declares_no_more_is_skipped() {
    let row = Row::decode(&Registry::default(), &rows()[3].encode(&registry())).unwrap();
    assert!(values(&Registry::default(), &row).keys().all(|name| name != "Guild"));
    assert_eq!(values(&Registry::default(), &row).len(), 3);
}

#[test]
fn what_is_no_row_is_refused() {
    let decode = |bytes: &[u8]| Row::decode(&registry(), bytes).unwrap_err();
    assert_eq!(decode(&[2, 0x80]), RowError::Newer(2));
    let damaged: [&[u8]; 6] = [&[], &[0, 0x80], &[1], &[1, 0x80], &[1, 0x81, 0, 1], &[1, 0x91, 1]];
    for bytes in damaged {
        assert!(matches!(decode(bytes), RowError::Damaged(_)), "{bytes:?}");
    }
    let whole = rows()[0].encode(&registry());
    for cut in 0..whole.len() {
        decode(&whole[..cut]);
    }
    let bad_name = [&[1, 0x81, 0, 0xa5][..], b"Alice"].concat();
    assert!(matches!(decode(&bad_name), RowError::Damaged(_)));
}

#[test]
fn a_row_takes_what_its_attributes_are() {
    let registry = registry();
    let mut row = Row::new(PlayerId::new("alice").unwrap());
    let mut set = |name: &str, value: Value| row.set(registry.find(name).unwrap(), Some(value));
    assert_eq!(set("IdleTime", 3_i64.into()), Err(SetError::Fixed("IdleTime".into())));
    assert_eq!(set("PlayerId", "bob".into()), Err(SetError::Fixed("PlayerId".into())));
    let error = set("Score", "ten".into()).unwrap_err();
    assert_eq!(error.to_string(), "Score is a whole number, which the value is not");
    assert!(set("Guild", "x".repeat(TEXT_LEN_MAX).as_str().into()).is_ok());
    let error = set("Guild", "x".repeat(TEXT_LEN_MAX + 1).as_str().into()).unwrap_err();
    assert_eq!(error.to_string(), "Guild has at most 256 bytes, not 257");
}

#[test]
fn a_value_that_is_taken_away_leaves_nothing() {
    let registry = registry();
    let mut row = row("alice", &[("Score", 1_i64.into()), ("Guild", "Owls".into())]);
    row.set(registry.find("Guild").unwrap(), None).unwrap();
    row.set(registry.find("Steps").unwrap(), None).unwrap();
    assert_eq!(row, super::row("alice", &[("Score", 1_i64.into())]));
}

#[test]
fn stored_rows_are_small() {
    let sizes: Vec<_> = rows().iter().map(|row| row.encode(&registry()).len()).collect();
    assert!(sizes[0] < 110 && sizes[2] < 30, "{sizes:?}");
}
