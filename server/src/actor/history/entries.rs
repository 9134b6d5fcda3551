//! Records, claims and snapshots of one actor, in the order in which they came. Pure.
//!
//! A claim stands after the newest record that there was; where the journal does not say when a
//! term began, its first record does.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::facts::{Happened, facts};
use crate::actor::record::Record;
use crate::actor::replay::Stored;
use crate::store::tip::Term;

/// Claims without a record between them that are shown; the oldest are left out. I7.
pub const CLAIMS_MAX: usize = 16;

/// One entry of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// What one append stored.
    Record(Recorded),
    /// A node took the actor over, or back.
    Claim(Claimed),
    /// The state was kept, and the journal may be trimmed.
    Snapshot(Kept),
}

/// A record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recorded {
    /// Its position.
    pub seq: u64,
    /// The term that wrote it.
    pub epoch: u64,
    /// Its length as it is stored.
    pub bytes: usize,
    /// Unix milliseconds; not there where it can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// In the order in which they happened.
    pub facts: Vec<Happened>,
    /// Why it can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Claimed {
    /// The newest record at that time; 0: there was none.
    pub after: u64,
    /// The term that began; also its time, in Unix milliseconds of the store's clock.
    pub epoch: u64,
}

/// A snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Kept {
    /// The last record that it contains.
    pub seq: u64,
    /// Its length as it is stored.
    pub bytes: usize,
}

impl Entry {
    /// The record that it is, or that it stands after.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Record(record) => record.seq,
            Self::Claim(claim) => claim.after,
            Self::Snapshot(kept) => kept.seq,
        }
    }

    /// Its place among those of the same seq.
    const fn rank(&self) -> (u8, u64) {
        match self {
            Self::Record(_) => (0, 0),
            Self::Snapshot(_) => (1, 0),
            Self::Claim(claim) => (2, claim.epoch),
        }
    }
}

/// What is known of an actor's journal, or of a part of it.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Records in their order.
    pub rows: Vec<Stored>,
    /// Terms as far as a store tells of them.
    pub terms: Vec<Term>,
    /// Snapshots that are kept.
    pub snapshots: Vec<Kept>,
}

/// A record as an entry, whether it can be read or not.
#[must_use]
pub fn record(row: &Stored) -> Entry {
    let (seq, epoch, bytes) = (row.seq, row.epoch, row.bytes.len());
    let read = Record::decode(&row.bytes);
    Entry::Record(match read {
        Ok(read) => Recorded {
            seq,
            epoch,
            bytes,
            time_ms: Some(read.now_ms),
            facts: facts(epoch, seq, &read),
            problem: None,
        },
        Err(why) => {
            let problem = Some(format!("the record can't be read: {why}"));
            Recorded { seq, epoch, bytes, time_ms: None, facts: Vec::new(), problem }
        }
    })
}

/// Claims, told by terms and by the first record of each.
fn claims(found: &Found) -> Vec<Claimed> {
    let mut claims: Vec<Claimed> = Vec::new();
    let mut before = None;
    for row in &found.rows {
        // What came before the first row is known only where nothing did.
        let begins = before.map_or(row.seq == 1, |epoch| epoch < row.epoch);
        if begins {
            claims.push(Claimed { after: row.seq - 1, epoch: row.epoch });
        }
        before = Some(row.epoch);
    }
    for term in &found.terms {
        // Of a term that wrote, its first record knows when it began, or it is too old to tell.
        if found.rows.iter().all(|row| row.epoch != term.epoch) {
            claims.push(Claimed { after: term.from, epoch: term.epoch });
        }
    }
    claims
}

/// The entries at the seqs from `from` to `to`, in their order.
#[must_use]
pub fn entries(found: &Found, from: u64, to: u64) -> Vec<Entry> {
    let here = |seq: u64| (from..=to).contains(&seq);
    let rows = found.rows.iter().filter(|row| here(row.seq));
    let mut claims = claims(found);
    claims.retain(|claim| here(claim.after));
    claims.sort_by_key(|claim| std::cmp::Reverse(claim.epoch));
    let mut shown: Vec<Claimed> = Vec::new();
    for claim in claims {
        if shown.iter().filter(|other| other.after == claim.after).count() < CLAIMS_MAX {
            shown.push(claim);
        }
    }
    let snapshots = found.snapshots.iter().filter(|kept| here(kept.seq));
    let mut entries: Vec<Entry> = rows.map(record).collect();
    entries.extend(shown.into_iter().map(Entry::Claim));
    entries.extend(snapshots.copied().map(Entry::Snapshot));
    entries.sort_by_key(|entry| (entry.seq(), entry.rank()));
    entries
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::actor::record::Fact;

    fn row(seq: u64, epoch: u64) -> Stored {
        let record = Record { now_ms: 1_000 + seq, facts: vec![Fact::Attached] };
        Stored { epoch, seq, bytes: record.encode() }
    }

    fn text(entries: &[Entry]) -> Vec<String> {
        let one = |entry: &Entry| match entry {
            Entry::Record(record) => format!("record {}", record.seq),
            Entry::Claim(claim) => format!("claim {} after {}", claim.epoch, claim.after),
            Entry::Snapshot(kept) => format!("snapshot {}", kept.seq),
        };
        entries.iter().map(one).collect()
    }

    fn found() -> Found {
        Found {
            rows: vec![row(1, 10), row(2, 10), row(3, 20), row(4, 20)],
            terms: vec![Term { epoch: 20, from: 4 }, Term { epoch: 30, from: 4 }],
            snapshots: vec![Kept { seq: 2, bytes: 9 }, Kept { seq: 4, bytes: 9 }],
        }
    }

    #[test]
    fn everything_stands_where_it_came() {
        let expected = [
            "claim 10 after 0",
            "record 1",
            "record 2",
            "snapshot 2",
            "claim 20 after 2",
            "record 3",
            "record 4",
            "snapshot 4",
            "claim 30 after 4",
        ];
        assert_eq!(text(&entries(&found(), 0, 9)), expected);
        assert_eq!(text(&entries(&found(), 2, 3)), expected[2..6]);
    }

    #[test]
    fn a_term_that_is_older_than_what_is_kept_is_not_dated() {
        let mut found = found();
        found.rows.remove(0);
        assert_eq!(text(&entries(&found, 0, 3))[..2], ["record 2", "snapshot 2"]);
        found.terms.insert(0, Term { epoch: 9, from: 1 });
        assert_eq!(text(&entries(&found, 0, 1)), ["claim 9 after 1"]);
    }

    #[test]
    fn claims_without_records_are_bounded() {
        let terms = (1..100).map(|epoch| Term { epoch, from: 0 }).collect();
        let shown = text(&entries(&Found { terms, ..Found::default() }, 0, 0));
        assert_eq!((shown.len(), &*shown[0]), (CLAIMS_MAX, "claim 84 after 0"));
    }

    #[test]
    fn a_record_that_cannot_be_read_is_shown_as_such() {
        let bad = Stored { epoch: 1, seq: 2, bytes: Bytes::from_static(b"\x01junkjunk") };
        let Entry::Record(shown) = record(&bad) else { panic!("a record") };
        let problem = "the record can't be read: the checksum does not match";
        assert_eq!((shown.seq, shown.problem.as_deref()), (2, Some(problem)));
        let Entry::Record(good) = record(&row(7, 1)) else { panic!("a record") };
        assert_eq!((good.time_ms, good.facts.len(), good.problem), (Some(1_007), 1, None));
    }
}
