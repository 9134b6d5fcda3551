//! A page of an actor's history as far as the checks need it. Pure.
//!
//! Everything is borrowed from the page's text and nothing is tagged by its inside, because a
//! verification reads millions of records: what a fact carries stays text until a check asks.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A page.
#[derive(Debug, Deserialize)]
pub(super) struct Page<'a> {
    /// The newest record.
    pub tip: u64,
    #[serde(borrow)]
    pub entries: Vec<Entry<'a>>,
    /// The record to go on from.
    pub next: Option<u64>,
}

/// A record, or a claim or snapshot, whose other fields are passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Entry<'a> {
    pub entry: &'a str,
    #[serde(default)]
    pub seq: u64,
    #[serde(default)]
    pub epoch: u64,
    #[serde(default, borrow)]
    pub facts: Vec<Fact<'a>>,
    /// Why it can't be read.
    #[serde(default)]
    pub problem: Option<String>,
}

/// A command: the record that opened its session, and its id in it. Session 0: of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Spot {
    pub session: u64,
    pub id: u64,
}

/// A fact.
#[derive(Debug, Deserialize)]
pub(super) struct Fact<'a> {
    pub what: &'a str,
    #[serde(default)]
    pub name: Option<&'a str>,
    #[serde(default)]
    pub place: Option<Spot>,
    #[serde(default)]
    pub token: Option<u64>,
    /// Of a repeat: the record that answered the first.
    #[serde(default)]
    pub first: Option<u64>,
    /// Of a refusal.
    #[serde(default)]
    pub code: Option<&'a str>,
    #[serde(default, borrow)]
    pub data: Option<&'a RawValue>,
}

impl<'a> Page<'a> {
    /// Reads a page.
    pub(super) fn read(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Its records, in their order.
    pub(super) fn records(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().filter(|entry| entry.entry == "record")
    }
}

impl<'a> Fact<'a> {
    /// The name of an event of the rules.
    pub(super) fn event(&self) -> Option<&'a str> {
        self.name.filter(|_| self.what == "event")
    }

    /// What it carries, read as `T`.
    pub(super) fn read<T: Deserialize<'a>>(&self) -> Option<T> {
        serde_json::from_str(self.data?.get()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_servers_write_it() {
        let text = br#"{"player": "lt1-0", "base": 0, "tip": 3, "next": null, "entries": [
            {"entry": "claim", "after": 0, "epoch": 7},
            {"entry": "record", "seq": 1, "epoch": 7, "bytes": 90, "time_ms": 5, "facts": [
                {"what": "event", "name": "in", "data": {"f": 1, "n": 4}},
                {"what": "answered", "place": {"session": 1, "id": 2}, "first": 1,
                 "key": "00", "data": {"text": "a \"quoted\" one"}},
                {"what": "completed", "token": 9, "code": "room_full", "message": "full"}]},
            {"entry": "snapshot", "seq": 1, "bytes": 9},
            {"entry": "record", "seq": 2, "epoch": 7, "bytes": 1, "facts": [],
             "problem": "the record can't be read: the checksum does not match"}]}"#;
        let page = Page::read(text).unwrap();
        let records: Vec<_> = page.records().collect();
        assert_eq!((page.tip, page.next, records.len()), (3, None, 2));
        let [step, answered, completed] = &records[0].facts[..] else { panic!("three") };
        let read: std::collections::BTreeMap<&str, u64> = step.read().unwrap();
        assert_eq!((step.event(), read["n"]), (Some("in"), 4));
        assert_eq!(answered.place, Some(Spot { session: 1, id: 2 }));
        assert_eq!((answered.first, answered.event()), (Some(1), None));
        assert_eq!((completed.token, completed.code), (Some(9), Some("room_full")));
        assert!(records[1].problem.as_deref().unwrap().contains("checksum"));
    }
}
