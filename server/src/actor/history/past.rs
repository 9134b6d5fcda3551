//! The state as it was after any record that is still kept. Pure.

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::diff::{Change, diff};
use super::show;
use crate::actor::kind::{Kind, Kinds};
use crate::actor::record::Formats;
use crate::actor::replay::{Durable, ReplayError, Stored};

/// Why a state of the past can't be shown. Reacts: whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PastError {
    /// It was trimmed away.
    #[error(
        "the state after record {at} is no longer known: the oldest kept state of {actor} is the one after record {base}"
    )]
    Before {
        /// Whose.
        actor: ActorId,
        /// What was asked for.
        at: u64,
        /// What is kept.
        base: u64,
    },
    /// It has not happened.
    #[error("there is no record {at} yet: the newest record of {actor} is {tip}")]
    After {
        /// Whose.
        actor: ActorId,
        /// What was asked for.
        at: u64,
        /// What there is.
        tip: u64,
    },
    /// The two are the wrong way round.
    #[error("from must not be greater than to, but {from} is greater than {to}")]
    Backwards {
        /// The first.
        from: u64,
        /// The second.
        to: u64,
    },
    /// The actor is of another game, or another version's.
    #[error("this version has no rules for {0}")]
    NoRules(ActorId),
    /// The journal can't be read. An operator has to look.
    #[error("the journal of {actor} can't be read: {why}")]
    Unreadable {
        /// Whose.
        actor: ActorId,
        /// What is wrong.
        why: ReplayError,
    },
}

/// A base and every record after it.
#[derive(Debug, Clone)]
pub struct Retained {
    /// Whose.
    pub actor: ActorId,
    /// The record that the base contains last, and the base; `None`: from the beginning.
    pub base: Option<(u64, Bytes)>,
    /// From the base's seq plus one on, without gaps.
    pub records: Vec<Stored>,
}

/// A state after a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Whose.
    pub actor: ActorId,
    /// The last record that it contains; 0: before the first.
    pub seq: u64,
    /// The time of that record, Unix milliseconds.
    pub time_ms: u64,
    /// The rules' half.
    pub state: Value,
    /// The runtime's half: sessions, answers, tells and timers.
    pub ledger: Value,
}

/// What differs between the states after two records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Whose.
    pub actor: ActorId,
    /// The earlier record.
    pub from: u64,
    /// The later record.
    pub to: u64,
    /// In the rules' half.
    pub changes: Vec<Change>,
}

/// An actor's rules.
///
/// # Errors
/// [`PastError::NoRules`].
pub fn rules<'a>(kinds: &'a Kinds, actor: &ActorId) -> Result<&'a Kind, PastError> {
    kinds.of(actor).ok_or_else(|| PastError::NoRules(actor.clone()))
}

/// A self as JSON, `{"ledger", "state"}`.
///
/// # Errors
/// [`ReplayError::Snapshot`]: its own snapshot form can't be read.
pub fn shown(durable: &Durable) -> Result<Value, ReplayError> {
    show::snapshot(&durable.save()).map_err(|e| ReplayError::Snapshot(e.to_string()))
}

impl Retained {
    /// The record that the base contains last; 0: from the beginning.
    #[must_use]
    pub fn base_seq(&self) -> u64 {
        self.base.as_ref().map_or(0, |(seq, _)| *seq)
    }

    /// The newest record.
    #[must_use]
    pub fn tip(&self) -> u64 {
        self.records.last().map_or(self.base_seq(), |row| row.seq)
    }

    /// The self that everything is folded onto.
    ///
    /// # Errors
    /// [`ReplayError::Snapshot`], or [`ReplayError::Format`].
    pub fn begin(&self, kind: &Kind) -> Result<Durable, ReplayError> {
        match &self.base {
            Some((_, bytes)) => Durable::restore(kind, Formats::READS, bytes),
            None => Ok(Durable::fresh(kind, &self.actor)),
        }
    }

    fn unreadable(&self) -> impl Fn(ReplayError) -> PastError + use<> {
        let actor = self.actor.clone();
        move |why| PastError::Unreadable { actor: actor.clone(), why }
    }

    /// Refuses a seq whose state can't be known.
    fn check(&self, at: u64) -> Result<(), PastError> {
        let (actor, base, tip) = (self.actor.clone(), self.base_seq(), self.tip());
        if at < base {
            return Err(PastError::Before { actor, at, base });
        }
        if at > tip {
            return Err(PastError::After { actor, at, tip });
        }
        Ok(())
    }

    fn show(&self, durable: &Durable, seq: u64) -> Result<State, PastError> {
        let mut halves = shown(durable).map_err(self.unreadable())?;
        let mut half = |name: &str| halves.get_mut(name).map(Value::take).unwrap_or_default();
        let (state, ledger) = (half("state"), half("ledger"));
        let (actor, time_ms) = (self.actor.clone(), durable.ledger.now_ms);
        Ok(State { actor, seq, time_ms, state, ledger })
    }

    /// The state after record `at`; without one, after the newest.
    ///
    /// # Errors
    /// [`PastError`].
    pub fn state(&self, kinds: &Kinds, at: Option<u64>) -> Result<State, PastError> {
        let at = at.unwrap_or_else(|| self.tip());
        self.check(at)?;
        let mut durable = self.begin(rules(kinds, &self.actor)?).map_err(self.unreadable())?;
        for row in self.records.iter().take_while(|row| row.seq <= at) {
            durable.fold_record(Formats::READS, row).map_err(self.unreadable())?;
        }
        self.show(&durable, at)
    }

    /// What the records after `from` up to `to` changed in the rules' half. Without `to`: up to
    /// the newest; without `from`: what the last of them changed.
    ///
    /// # Errors
    /// [`PastError`].
    pub fn difference(
        &self,
        kinds: &Kinds,
        from: Option<u64>,
        to: Option<u64>,
    ) -> Result<Difference, PastError> {
        let to = to.unwrap_or_else(|| self.tip());
        self.check(to)?;
        let from = from.unwrap_or_else(|| to.saturating_sub(1).max(self.base_seq()));
        if from > to {
            return Err(PastError::Backwards { from, to });
        }
        let (before, after) = (self.state(kinds, Some(from))?, self.state(kinds, Some(to))?);
        let changes = diff(&before.state, &after.state);
        Ok(Difference { actor: self.actor.clone(), from, to, changes })
    }
}
