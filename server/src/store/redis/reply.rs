//! What Redis answered, in the port's words. Pure.
//!
//! Entries of a journal, by their fields:
//!
//! | fields | what |
//! |---|---|
//! | `d` record, `a` append id | a record; its id is `<epoch>-<seq>` |
//! | `c` session | the marker of a claim; it repeats the last seq and is no record |
//! | `c` session, `k` epoch continued, `a` append id | the marker of a reassertion |
//!
//! A snapshot is stored as `1:<seq>:` and its bytes.

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use redis::Value;

use crate::store::{
    Epoch, Error, History, Loaded, RecordRow, Seq, SnapshotRow, Term, Tip, check_contiguous,
};

/// The version of a stored snapshot's header.
const SNAPSHOT_VERSION: &str = "1";

/// One entry of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The term that wrote it.
    pub epoch: Epoch,
    /// Its record, or the last one before a marker.
    pub seq: Seq,
    /// What it says.
    pub body: Body,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A record.
    Record {
        /// Its random id.
        append_id: u64,
        /// Its bytes.
        record: Bytes,
    },
    /// A claim's marker.
    Claimed,
    /// A reassertion's marker.
    Reasserted {
        /// Its random id.
        append_id: u64,
        /// The epoch that it goes on from.
        continues: Epoch,
    },
}

impl Entry {
    /// The random id of a record or a reassertion.
    fn append_id(&self) -> Option<u64> {
        match self.body {
            Body::Record { append_id, .. } | Body::Reasserted { append_id, .. } => Some(append_id),
            Body::Claimed => None,
        }
    }

    fn is_record(&self) -> bool {
        matches!(self.body, Body::Record { .. })
    }
}

/// An answer that is none of those that were expected: a bug, or another server than Redis.
pub fn strange(what: &str, value: &Value) -> Error {
    let said: String = format!("{value:?}").chars().take(200).collect();
    Error::Doubt(format!("{what} was answered with {said}"))
}

/// Bytes of a string reply; `None` for nil.
pub fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        Value::SimpleString(text) => Some(text.into()),
        _ => None,
    }
}

/// The text of a string reply.
pub fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// A whole number, as an integer or in digits.
pub fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        value => text(value)?.parse().ok(),
    }
}

/// A score that is a whole number.
pub fn score(value: &Value) -> Option<u64> {
    let score = match value {
        Value::Double(score) => *score,
        value => text(value)?.parse().ok()?,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds")]
    (score >= 0.0).then_some(score as u64)
}

/// The parts of an array; `None` for anything else.
pub fn array(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}

/// The epoch and seq of an entry's id.
pub fn entry_id(id: &str) -> Option<(Epoch, Seq)> {
    let (epoch, seq) = id.split_once('-')?;
    Some((epoch.parse().ok()?, seq.parse().ok()?))
}

fn entry(value: Value) -> Option<Entry> {
    let mut parts = array(value)?.into_iter();
    let (id, fields) = (parts.next()?, parts.next()?);
    let (epoch, seq) = entry_id(text(&id)?)?;
    let (mut record, mut append_id, mut continues, mut claimed) = (None, None, None, false);
    let mut fields = array(fields)?.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        match text(&name)? {
            "d" => record = Some(bytes(value)?),
            "a" => append_id = Some(number(&value)?),
            "k" => continues = Some(number(&value)?),
            "c" => claimed = true,
            _ => {}
        }
    }
    let body = match (record, append_id, continues) {
        (Some(record), Some(append_id), None) => Body::Record { append_id, record },
        (None, Some(append_id), Some(continues)) => Body::Reasserted { append_id, continues },
        (None, None, None) if claimed => Body::Claimed,
        _ => return None,
    };
    Some(Entry { epoch, seq, body })
}

/// The entries of a range of an actor's journal.
///
/// # Errors
/// [`Error::Corrupt`] when one is none that this store writes.
pub fn entries(actor: &ActorId, range: Value) -> Result<Vec<Entry>, Error> {
    let unreadable = |what: String| Error::Corrupt { actor: actor.clone(), what };
    let values = match range {
        Value::Nil => Vec::new(),
        Value::Array(values) => values,
        other => return Err(strange("a range of a journal", &other)),
    };
    let read = |(nth, value)| {
        entry(value).ok_or_else(|| unreadable(format!("entry {nth} of the range is unknown")))
    };
    values.into_iter().enumerate().map(read).collect()
}

/// The tip that the newest entries tell, newest first. `None`: there are none, or none of them has
/// a random id, and there are `more` before them.
pub fn tip(newest_first: &[Entry], more: bool, history: History) -> Option<Tip> {
    let newest = newest_first.first()?;
    let append_id = match newest_first.iter().find_map(Entry::append_id) {
        Some(append_id) => append_id,
        None if more => return None,
        None => 0,
    };
    let continues = match newest.body {
        Body::Reasserted { continues, .. } => Some(continues),
        _ => None,
    };
    Some(Tip { epoch: newest.epoch, seq: newest.seq, append_id, continues, history })
}

/// The tip of a journal that is read whole, oldest entry first.
pub fn tip_of_whole(entries: &[Entry], history: History) -> Option<Tip> {
    let newest = entries.last()?;
    let with_id = entries.iter().rev().find(|entry| entry.append_id().is_some());
    let first = tip(std::slice::from_ref(newest), false, history)?;
    Some(Tip { append_id: with_id.and_then(Entry::append_id).unwrap_or_default(), ..first })
}

/// The terms that a journal still tells of. Where a term's marker has been trimmed, the term is
/// known from before its first record that is left; the tip's own is always known.
pub fn terms(entries: &[Entry], tip: Tip) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    for entry in entries {
        if terms.last().is_none_or(|last| last.epoch < entry.epoch) {
            let from = if entry.is_record() { entry.seq.saturating_sub(1) } else { entry.seq };
            terms.push(Term { epoch: entry.epoch, from });
        }
    }
    if terms.last().is_none_or(|last| last.epoch < tip.epoch) {
        terms.push(Term { epoch: tip.epoch, from: tip.seq });
    }
    terms
}

/// The records among entries, from `from` on.
pub fn records(entries: Vec<Entry>, from: Seq) -> impl Iterator<Item = RecordRow> {
    entries.into_iter().filter(move |entry| entry.seq >= from).filter_map(|entry| {
        match entry.body {
            Body::Record { record, .. } => {
                Some(RecordRow { seq: entry.seq, epoch: entry.epoch, record })
            }
            _ => None,
        }
    })
}

/// A load: a snapshot, the whole journal as it is kept, and the tip.
///
/// # Errors
/// [`Error::Corrupt`] when they do not fit together.
pub fn loaded(
    actor: &ActorId,
    snapshot: Option<SnapshotRow>,
    entries: Vec<Entry>,
    tip: Tip,
) -> Result<Loaded, Error> {
    let base = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    let terms = terms(&entries, tip);
    let records: Vec<_> = records(entries, base + 1).collect();
    check_contiguous(actor, base, &records, tip)?;
    Ok(Loaded { snapshot, records, terms, tip })
}

/// A snapshot as it is stored.
pub fn pack_snapshot(seq: Seq, bytes: &[u8]) -> Vec<u8> {
    let mut packed = format!("{SNAPSHOT_VERSION}:{seq}:").into_bytes();
    packed.extend_from_slice(bytes);
    packed
}

/// Reads a stored snapshot.
///
/// # Errors
/// [`Error::Corrupt`] when its header is unknown.
pub fn unpack_snapshot(actor: &ActorId, packed: &Bytes) -> Result<SnapshotRow, Error> {
    let unpacked = (|| {
        let mut parts = packed.splitn(3, |byte| *byte == b':');
        let (version, seq, body) = (parts.next()?, parts.next()?, parts.next()?);
        let known = version == SNAPSHOT_VERSION.as_bytes();
        let seq = std::str::from_utf8(seq).ok()?.parse().ok()?;
        known.then(|| SnapshotRow { seq, bytes: packed.slice_ref(body) })
    })();
    let what = "the snapshot's header is unknown".to_owned();
    unpacked.ok_or_else(|| Error::Corrupt { actor: actor.clone(), what })
}

/// What a script answered: a word, and what follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Such as `granted`.
    pub word: String,
    rest: Vec<Value>,
}

impl Said {
    /// Reads a script's answer.
    ///
    /// # Errors
    /// [`Error::Wiped`] where the script said so; [`Error::Doubt`] when it is no answer.
    pub fn read(value: Value) -> Result<Self, Error> {
        let Value::Array(mut parts) = value else { return Err(strange("a script", &value)) };
        let rest = parts.split_off(parts.len().min(1));
        let word = parts.first().and_then(text).unwrap_or_default().to_owned();
        let said = Self { word, rest };
        if said.word == "wiped" {
            return Err(Error::Wiped(said.rest.first().and_then(text).unwrap_or_default().into()));
        }
        Ok(said)
    }

    /// The number at a place after the word.
    ///
    /// # Errors
    /// [`Error::Doubt`] when there is none.
    pub fn number(&self, nth: usize) -> Result<u64, Error> {
        self.rest.get(nth).and_then(number).ok_or_else(|| self.unknown())
    }

    /// The bytes at a place after the word.
    ///
    /// # Errors
    /// [`Error::Doubt`] when there are none.
    pub fn bytes(&self, nth: usize) -> Result<Bytes, Error> {
        self.rest.get(nth).cloned().and_then(bytes).ok_or_else(|| self.unknown())
    }

    /// What follows the word.
    #[must_use]
    pub fn into_rest(self) -> Vec<Value> {
        self.rest
    }

    /// This is no answer to what was asked.
    #[must_use]
    pub fn unknown(&self) -> Error {
        Error::Doubt(format!("a script answered {} {:?}", self.word, self.rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> ActorId {
        "player:alice".parse().unwrap()
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn raw(id: &str, fields: &[&str]) -> Value {
        let fields = fields.iter().map(|field| bulk(field)).collect();
        Value::Array(vec![bulk(id), Value::Array(fields)])
    }

    fn journal() -> Vec<Entry> {
        let range = Value::Array(vec![
            raw("10-0", &["c", "7"]),
            raw("10-1", &["d", "one", "a", "18446744073709551615"]),
            raw("20-1", &["c", "8", "k", "10", "a", "5"]),
            raw("20-2", &["d", "two", "a", "6"]),
            raw("30-2", &["c", "9"]),
        ]);
        entries(&alice(), range).unwrap()
    }

    #[test]
    fn a_tip_is_told_by_the_newest_entries() {
        let tip_at = |len: usize| {
            let newest_first: Vec<_> = journal().into_iter().take(len).rev().collect();
            let whole = tip_of_whole(&journal()[..len], 4);
            assert_eq!(tip(&newest_first, false, 4), whole);
            let tip = whole.unwrap();
            (tip.epoch, tip.seq, tip.append_id, tip.continues, tip.history)
        };
        assert_eq!(tip_at(1), (10, 0, 0, None, 4));
        assert_eq!(tip_at(2), (10, 1, u64::MAX, None, 4));
        assert_eq!(tip_at(3), (20, 1, 5, Some(10), 4));
        assert_eq!(tip_at(4), (20, 2, 6, None, 4));
        assert_eq!(tip_at(5), (30, 2, 6, None, 4));
        assert_eq!(tip(&[], false, 4), None);
        assert_eq!(tip(&journal()[4..], true, 4), None, "what the marker hides is further back");
    }

    #[test]
    fn terms_are_told_by_markers_and_by_what_they_left() {
        let tip = tip_of_whole(&journal(), 0).unwrap();
        let term = |epoch, from| Term { epoch, from };
        let all = [term(10, 0), term(20, 1), term(30, 2)];
        assert_eq!(terms(&journal(), tip), all);
        assert_eq!(terms(&journal()[1..], tip), all, "its first record tells of a term");
        assert_eq!(terms(&journal()[3..], tip), all[1..]);
        assert_eq!(terms(&[], tip), all[2..]);
    }

    #[test]
    fn loads_are_checked() {
        let tip = tip_of_whole(&journal(), 0).unwrap();
        let whole = loaded(&alice(), None, journal(), tip).unwrap();
        assert_eq!(
            whole.records.iter().map(|row| (row.epoch, row.seq)).collect::<Vec<_>>(),
            [(10, 1), (20, 2)]
        );
        let gap = loaded(&alice(), None, journal().split_off(2), tip);
        assert!(matches!(gap, Err(Error::Corrupt { .. })), "{gap:?}");
        let snapshot = SnapshotRow { seq: 2, bytes: "two".into() };
        assert_eq!(loaded(&alice(), Some(snapshot), journal(), tip).unwrap().records, []);
    }

    #[test]
    fn unknown_entries_are_corrupt() {
        for fields in [&["d", "no id"][..], &["a", "1"], &["x", "y"], &["d", "1", "a", "no"], &[]] {
            let read = entries(&alice(), Value::Array(vec![raw("1-1", fields)]));
            assert!(matches!(read, Err(Error::Corrupt { .. })), "{fields:?}: {read:?}");
        }
        assert_eq!(entries(&alice(), Value::Nil), Ok(Vec::new()));
    }

    #[test]
    fn snapshots_carry_their_seq() {
        let body: Vec<u8> = (0..=255).collect();
        let packed = Bytes::from(pack_snapshot(1_000_000, &body));
        let row = unpack_snapshot(&alice(), &packed).unwrap();
        assert_eq!((row.seq, row.bytes.as_ref()), (1_000_000, body.as_slice()));
        for bad in ["", "1", "1:7", "2:7:x", "1:x:y"] {
            let read = unpack_snapshot(&alice(), &Bytes::from(bad));
            assert!(matches!(read, Err(Error::Corrupt { .. })), "{bad:?}: {read:?}");
        }
    }

    #[test]
    fn scripts_answer_in_words() {
        let said =
            |words: &[&str]| Said::read(Value::Array(words.iter().map(|w| bulk(w)).collect()));
        let granted = said(&["granted", "12", "7"]).unwrap();
        assert_eq!((granted.word.as_str(), granted.number(1)), ("granted", Ok(7)));
        assert!(matches!(granted.number(2), Err(Error::Doubt(_))));
        assert_eq!(said(&["wiped", "gone"]), Err(Error::Wiped("gone".into())));
        assert!(matches!(Said::read(Value::Nil), Err(Error::Doubt(_))));
    }
}
