//! A recorded journal against the rules of today: do they still make the same of it? Pure.
//!
//! Each record is folded by today's rules and the state compared with the recorded one; the first
//! record after which they differ is named, with the paths that differ and the events that did it.
//! A field that today's state has and the recorded base lacks is no difference: states grow.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::diff::{Change, diff, strip};
use super::facts::{self, Happened};
use super::past::{PastError, rules, shown};
use super::recorded::{Journal, Step};
use crate::actor::kind::{Kind, Kinds};
use crate::actor::ledger::Position;
use crate::actor::record::{Fact, Formats, Record};
use crate::actor::replay::{Durable, ReplayError, Stored};

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    /// Whose journal.
    pub actor: String,
    /// The version that recorded it.
    pub recorded_by: String,
    /// The last record that the base contains.
    pub base: u64,
    /// Records that gave the recorded state.
    pub same: u64,
    /// Records in all.
    pub records: u64,
    /// The snapshot that was compared too: after which record.
    pub snapshot: Option<u64>,
    /// Fields that today's state has and the recorded one lacks.
    pub added: Vec<String>,
    /// The first difference; `None`: there is none.
    pub difference: Option<Divergence>,
}

/// Where today's rules first made something else of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Divergence {
    /// What was read last.
    pub at: Place,
    /// The events that made the difference; all events of the record where none can be told.
    pub events: Vec<Happened>,
    /// What differs; `before` is recorded, `after` is replayed.
    pub changes: Vec<Change>,
    /// Why today's rules could not go on.
    pub problem: Option<String>,
}

/// A place in a recorded journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The state before the first record.
    Base(u64),
    /// The state after this record.
    Record {
        /// Which.
        seq: u64,
        /// The term that wrote it.
        epoch: u64,
        /// Unix milliseconds; 0 where it can't be read.
        time_ms: u64,
    },
    /// The snapshot that its owner kept: one of the records up to it was folded otherwise.
    Snapshot(u64),
}

/// What a replay carries along.
struct Replay<'a> {
    kind: &'a Kind,
    journal: &'a Journal,
    durable: Durable,
    added: Vec<String>,
}

/// Folds a recorded journal by the rules of `kinds` and compares.
///
/// # Errors
/// [`PastError::NoRules`].
pub fn check(kinds: &Kinds, journal: &Journal) -> Result<Replayed, PastError> {
    let kind = rules(kinds, &journal.actor)?;
    let mut found = Replayed {
        actor: journal.actor.to_string(),
        recorded_by: journal.holdfast.clone(),
        base: journal.base_seq,
        same: 0,
        records: journal.steps.len() as u64,
        snapshot: None,
        added: Vec::new(),
        difference: None,
    };
    let begun = begin(kind, journal).and_then(|durable| Ok((shown(&durable)?, durable)));
    let (base, durable) = match begun {
        Ok(begun) => begun,
        Err(why) => {
            found.difference = Some(unreadable(Place::Base(journal.base_seq), &why));
            return Ok(found);
        }
    };
    let (added, changes) = grown(diff(&journal.base_shown, &base));
    found.added.clone_from(&added);
    if !changes.is_empty() {
        let at = Place::Base(journal.base_seq);
        found.difference = Some(Divergence { at, events: Vec::new(), changes, problem: None });
        return Ok(found);
    }
    let mut replay = Replay { kind, journal, durable, added };
    found.difference = replay.run(&mut found.same, &mut found.snapshot);
    Ok(found)
}

/// The self that the records are folded onto.
fn begin(kind: &Kind, journal: &Journal) -> Result<Durable, ReplayError> {
    match journal.base_seq {
        0 => Ok(Durable::fresh(kind, &journal.actor)),
        _ => Durable::restore(kind, Formats::READS, &journal.base),
    }
}

/// Tells fields that were added from what is a difference.
fn grown(changes: Vec<Change>) -> (Vec<String>, Vec<Change>) {
    let (added, other): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| change.before.is_none());
    (added.into_iter().map(|change| change.path).collect(), other)
}

fn unreadable(at: Place, why: &ReplayError) -> Divergence {
    let (events, changes) = (Vec::new(), Vec::new());
    Divergence { at, events, changes, problem: Some(why.to_string()) }
}

impl Replay<'_> {
    fn run(&mut self, same: &mut u64, snapshot: &mut Option<u64>) -> Option<Divergence> {
        let journal = self.journal;
        for step in &journal.steps {
            if let Some(difference) = self.step(step) {
                return Some(difference);
            }
            *same += 1;
            let kept = journal.snapshot.as_ref().filter(|(after, _)| *after == step.row.seq);
            if let Some((after, state)) = kept {
                *snapshot = Some(*after);
                let changes = self.differs(state, &step.expected);
                if !changes.is_empty() {
                    let at = Place::Snapshot(*after);
                    return Some(Divergence { at, events: Vec::new(), changes, problem: None });
                }
            }
        }
        None
    }

    /// What differs, but for what has been added since.
    fn differs(&self, recorded: &Value, replayed: &Value) -> Vec<Change> {
        let (mut recorded, mut replayed) = (recorded.clone(), replayed.clone());
        strip(&mut recorded, &self.added);
        strip(&mut replayed, &self.added);
        diff(&recorded, &replayed)
    }

    fn step(&mut self, step: &Step) -> Option<Divergence> {
        let row = &step.row;
        let record = Record::decode(&row.bytes);
        let time_ms = record.as_ref().map_or(0, |record| record.now_ms);
        let at = Place::Record { seq: row.seq, epoch: row.epoch, time_ms };
        let folded = self.durable.fold_record(Formats::READS, row);
        let replayed = match folded.and_then(|()| shown(&self.durable)) {
            Ok(replayed) => replayed,
            Err(why) => return Some(unreadable(at, &why)),
        };
        let changes = self.differs(&step.expected, &replayed);
        if changes.is_empty() {
            return None;
        }
        let events = record.map(|record| self.blame(row, &record, &changes));
        Some(Divergence { at, events: events.unwrap_or_default(), changes, problem: None })
    }

    /// The events of a record that changed one of the differing places when today's rules folded
    /// them; all of them where none did, because then one should have and did not.
    fn blame(&self, row: &Stored, record: &Record, changes: &[Change]) -> Vec<Happened> {
        let touched = self.touched(row, record, changes).unwrap_or_default();
        let events = (0..).zip(&record.facts).filter_map(|(nth, fact)| match fact {
            Fact::Event(bytes) => Some((nth, facts::event(bytes))),
            _ => None,
        });
        let guilty = |nth: &usize| touched.is_empty() || touched.contains(nth);
        events.filter(|(nth, _)| guilty(nth)).map(|(_, event)| event).collect()
    }

    /// Which facts of a record touch one of the places. The record could be folded before.
    fn touched(
        &self,
        row: &Stored,
        record: &Record,
        changes: &[Change],
    ) -> Result<Vec<usize>, ReplayError> {
        let mut durable = begin(self.kind, self.journal)?;
        for step in self.journal.steps.iter().take_while(|step| step.row.seq < row.seq) {
            durable.fold_record(Formats::READS, &step.row)?;
        }
        let at = Position { epoch: row.epoch, seq: row.seq };
        durable.ledger.enter(at, record.now_ms);
        let (mut touched, mut before) = (Vec::new(), shown(&durable)?);
        for (nth, fact) in record.facts.iter().enumerate() {
            let what = |what| ReplayError::Record { seq: row.seq, what };
            durable.fold(at, fact).map_err(what)?;
            let after = shown(&durable)?;
            let here = |one: &Change| changes.iter().any(|other| overlap(&one.path, &other.path));
            if diff(&before, &after).iter().any(here) {
                touched.push(nth);
            }
            before = after;
        }
        Ok(touched)
    }
}

/// Whether one of two paths leads to the other.
fn overlap(one: &str, two: &str) -> bool {
    let leads = |to: &str, from: &str| {
        to.strip_prefix(from).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    leads(one, two) || leads(two, one)
}
