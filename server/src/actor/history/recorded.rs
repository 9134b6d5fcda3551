//! A journal in a file: base, records, and the state after each as the rules of that time made it.
//! Pure.
//!
//! JSON, one line each: a head with the base, the records with a hash of the state after them and
//! what they changed in it, the newest snapshot as its owner wrote it, and an end that counts.
//! States are kept as changes, so that every one can be built again and compared path by path,
//! while the file stays small. [`VERSION`] is in the head; a file of another one is refused.

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::diff::{Change, apply, diff};
use super::past::{PastError, Retained, rules, shown};
use super::show;
use crate::actor::kind::Kinds;
use crate::actor::record::Formats;
use crate::actor::replay::Stored;

/// The version of the file's form that is written and read.
pub const VERSION: u32 = 1;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    Head(Head),
    Record(Row),
    Snapshot { after: u64, state: String },
    End { records: u64 },
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Head {
    /// Of the file's form.
    version: u32,
    /// Whose journal.
    actor: ActorId,
    /// The program that wrote it.
    holdfast: String,
    /// The last record that the base contains; 0: the actor's beginning.
    base: u64,
    /// The base's snapshot form, as hex.
    state: String,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    seq: u64,
    epoch: u64,
    /// As it is stored, as hex.
    record: String,
    /// Of the state after it, see [`show::hash`].
    hash: String,
    /// What it changed.
    changes: Vec<Change>,
}

/// Why a text is no recorded journal. Reacts: the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Another version wrote it.
    #[error(
        "it is a recorded journal of version {0}, and this version of holdfast reads {VERSION}"
    )]
    Version(u32),
    /// A line has not the form, or does not follow the one before it.
    #[error("line {line}: {why}")]
    Line {
        /// Counts from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// The end is missing.
    #[error("it is cut short: the last line is missing")]
    Cut,
}

/// A recorded state: what the rules of that time made of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The record.
    pub row: Stored,
    /// The state after it, `{"ledger", "state"}`.
    pub expected: Value,
}

/// A recorded journal. Each state's hash has been found right.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// Whose.
    pub actor: ActorId,
    /// The program that recorded it.
    pub holdfast: String,
    /// The last record that the base contains; 0: the actor's beginning.
    pub base_seq: u64,
    /// The base in its snapshot form.
    pub base: Bytes,
    /// The base, shown.
    pub base_shown: Value,
    /// In their order.
    pub steps: Vec<Step>,
    /// The newest snapshot that was kept: after which record, and shown.
    pub snapshot: Option<(u64, Value)>,
}

/// Bytes as hex digits.
fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(digits: &str) -> Option<Bytes> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let whole = digits.len().is_multiple_of(2) && digits.bytes().all(|c| c.is_ascii_hexdigit());
    whole.then(|| pairs.map(byte).collect::<Option<Vec<u8>>>()).flatten().map(Bytes::from)
}

/// Records a journal: the text of the file, by the rules of this version. `newest` is the newest
/// snapshot and the record it contains last.
///
/// # Errors
/// [`PastError`]: the journal can't be read.
pub fn record(
    kinds: &Kinds,
    retained: &Retained,
    newest: Option<(u64, &[u8])>,
) -> Result<String, PastError> {
    let actor = &retained.actor;
    let unreadable = |why| PastError::Unreadable { actor: actor.clone(), why };
    let mut durable = retained.begin(rules(kinds, actor)?).map_err(unreadable)?;
    let base = retained.base.as_ref().map_or_else(|| durable.save(), |(_, bytes)| bytes.clone());
    let mut before = shown(&durable).map_err(unreadable)?;
    if let Ok(as_kept) = show::snapshot(&base) {
        before = as_kept;
    }
    let mut out = String::new();
    let mut add = |line: &Line| {
        // Maps with text keys and plain values: they have a JSON form.
        out.push_str(&serde_json::to_string(line).unwrap_or_default());
        out.push('\n');
    };
    add(&Line::Head(Head {
        version: VERSION,
        actor: actor.clone(),
        holdfast: env!("CARGO_PKG_VERSION").to_owned(),
        base: retained.base_seq(),
        state: to_hex(&base),
    }));
    for row in &retained.records {
        durable.fold_record(Formats::READS, row).map_err(unreadable)?;
        let after = shown(&durable).map_err(unreadable)?;
        add(&Line::Record(Row {
            seq: row.seq,
            epoch: row.epoch,
            record: to_hex(&row.bytes),
            hash: show::hash(&after),
            changes: diff(&before, &after),
        }));
        before = after;
    }
    let kept = newest.filter(|(seq, _)| (retained.base_seq()..=retained.tip()).contains(seq));
    if let Some((after, bytes)) = kept {
        add(&Line::Snapshot { after, state: to_hex(bytes) });
    }
    add(&Line::End { records: retained.records.len() as u64 });
    Ok(out)
}

/// Reads a file's text.
///
/// # Errors
/// [`FileError`], for the operator.
pub fn read(text: &str) -> Result<Journal, FileError> {
    let mut lines = (1..).zip(text.lines());
    let (at, first) = lines.next().ok_or(FileError::Cut)?;
    let mut journal = head(at, first)?;
    let mut ended = false;
    for (at, text) in lines {
        let wrong = |why: &str| FileError::Line { line: at, why: why.to_owned() };
        if ended {
            return Err(wrong("nothing may follow the end"));
        }
        match parse(at, text)? {
            Line::Head(_) => return Err(wrong("there is a second head")),
            Line::Record(row) => journal.take(row).map_err(|why| wrong(&why))?,
            Line::Snapshot { after, state } => {
                let state = from_hex(&state).and_then(|bytes| show::snapshot(&bytes).ok());
                let state = state.ok_or_else(|| wrong("the snapshot can't be read"))?;
                journal.snapshot = Some((after, state));
            }
            Line::End { records } if records == journal.steps.len() as u64 => ended = true,
            Line::End { records } => {
                let why =
                    format!("{records} records were written, {} are here", journal.steps.len());
                return Err(wrong(&why));
            }
        }
    }
    if ended { Ok(journal) } else { Err(FileError::Cut) }
}

fn parse(line: usize, text: &str) -> Result<Line, FileError> {
    serde_json::from_str(text).map_err(|e| FileError::Line { line, why: e.to_string() })
}

fn head(line: usize, text: &str) -> Result<Journal, FileError> {
    /// What every version's head has.
    #[derive(Deserialize)]
    struct Any {
        version: u32,
    }
    let wrong = |why: &str| FileError::Line { line, why: why.to_owned() };
    let version = serde_json::from_str::<Any>(text);
    let Any { version } = version.map_err(|_| wrong("it is not the head of a recorded journal"))?;
    if version != VERSION {
        return Err(FileError::Version(version));
    }
    let Line::Head(head) = parse(line, text)? else {
        return Err(wrong("it is not the head of a recorded journal"));
    };
    let base = from_hex(&head.state).ok_or_else(|| wrong("the base is not hex"))?;
    let base_shown =
        show::snapshot(&base).map_err(|e| wrong(&format!("the base can't be read: {e}")))?;
    Ok(Journal {
        actor: head.actor,
        holdfast: head.holdfast,
        base_seq: head.base,
        base,
        base_shown,
        steps: Vec::new(),
        snapshot: None,
    })
}

impl Journal {
    /// Takes the next record, and checks that its state is the one that its hash names.
    fn take(&mut self, row: Row) -> Result<(), String> {
        let before = self.steps.last().map_or(self.base_seq, |step| step.row.seq);
        if row.seq != before + 1 {
            return Err(format!("record {} follows record {before}", row.seq));
        }
        let bytes = from_hex(&row.record).ok_or("the record is not hex")?;
        let mut expected =
            self.steps.last().map_or(&self.base_shown, |step| &step.expected).clone();
        apply(&mut expected, &row.changes)?;
        if show::hash(&expected) != row.hash {
            return Err(format!(
                "the changes of record {} do not give the state that its hash names: the file was \
                 changed after it was written",
                row.seq
            ));
        }
        let row = Stored { epoch: row.epoch, seq: row.seq, bytes };
        self.steps.push(Step { row, expected });
        Ok(())
    }
}
