//! The ledger of promises: every command of one session, and what was answered. Pure.
//!
//! - A command has one outcome: every further reply under its id must be the same, body and seq.
//! - `pending` is no outcome; `retry: true` means not executed, and ends the command.
//! - What has no outcome yet is repeated after `resume` under the same id.

use std::collections::BTreeMap;

use holdfast_protocol::client::{Class, ClientMessage, Verb};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::server::{ErrorBody, Outcome, Reply};
use serde::de::DeserializeOwned;

/// What the server did that it must never do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A command was answered in two ways.
    #[error("command {id} was answered {first:?}, then {second:?}")]
    Changed {
        /// Which.
        id: u64,
        /// The first answer.
        first: Box<Answer>,
        /// The later one.
        second: Box<Answer>,
    },
    /// More replies came than the command was sent.
    #[error("command {id} was sent {sent} times and answered once more")]
    Twice {
        /// Which.
        id: u64,
        /// How often it was sent.
        sent: u32,
    },
    /// A reply under an id that was not asked.
    #[error("nothing was asked under id {id:?}: {answer:?}")]
    Unasked {
        /// The reply's id.
        id: Option<u64>,
        /// The reply.
        answer: Box<Answer>,
    },
    /// `dup` on the first reply to a command that was sent once and has no key of its own.
    #[error("command {id} was sent once, yet its first reply says dup")]
    FalseDup {
        /// Which.
        id: u64,
    },
    /// A changing command was said to be done without a journal position.
    #[error("command {id} is ok, but has no seq")]
    NoSeq {
        /// Which.
        id: u64,
    },
    /// A numbered frame came out of order, or for the second time.
    #[error("frame {seq} came after frame {after}")]
    FrameOrder {
        /// The frame.
        seq: u64,
        /// The newest before it.
        after: u64,
    },
    /// `resumed` said how many frames follow, and others followed.
    #[error("{left} of the frames that resumed promised did not come before frame {seq}")]
    FramesMissing {
        /// What did not come.
        left: u64,
        /// What came instead.
        seq: u64,
    },
    /// An acknowledged input seq went back.
    #[error("room frames said in {was}, then {now}")]
    InputFell {
        /// The highest before.
        was: u64,
        /// The later one.
        now: u64,
    },
    /// The journal position or the epoch went back.
    #[error("{what} went from {was} back to {now}")]
    WentBack {
        /// Which number.
        what: &'static str,
        /// Before.
        was: u64,
        /// After.
        now: u64,
    },
}

/// An `ok`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// JSON text, byte for byte as it came.
    pub body: String,
    /// The journal position that makes it durable.
    pub seq: Option<u64>,
}

/// A reply, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What came of it.
    pub result: Result<Done, ErrorBody>,
    /// The first reply once more.
    pub dup: bool,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        match reply.outcome {
            Outcome::Ok { body, seq, dup } => {
                Self { result: Ok(Done { body: body.get().to_owned(), seq }), dup }
            }
            Outcome::Err(error) => Self { result: Err(error), dup: false },
        }
    }
}

impl Answer {
    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        self.result.as_ref().err().map(|error| error.code)
    }

    /// The journal position of an `ok`.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        self.result.as_ref().ok().and_then(|done| done.seq)
    }

    /// The body of an `ok`, read as `T`.
    ///
    /// # Errors
    /// The refusal, or `bad_message` where the body is no `T`.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, ErrorBody> {
        let done = self.result.as_ref().map_err(Clone::clone)?;
        serde_json::from_str(&done.body)
            .map_err(|error| ErrorBody::new(ErrorCode::BadMessage, error.to_string()))
    }
}

/// One command and what is known of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What was asked.
    pub verb: Verb,
    /// How often it was sent.
    pub sent: u32,
    /// How often it was answered, `pending` not counted.
    pub answers: u32,
    /// `pending` was said.
    pub pending: bool,
    /// The first answer.
    pub answer: Option<Answer>,
    /// The newest answer: the first one's, with its own `dup`.
    pub newest: Option<Answer>,
}

/// Commands and queries of one session.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    next_id: u64,
    entries: BTreeMap<u64, Entry>,
}

impl Ledger {
    /// Gives a verb the next id and notes that it was sent.
    pub fn issue(&mut self, verb: Verb) -> ClientMessage {
        self.next_id += 1;
        let entry = Entry {
            verb: verb.clone(),
            sent: 1,
            answers: 0,
            pending: false,
            answer: None,
            newest: None,
        };
        self.entries.insert(self.next_id, entry);
        ClientMessage { id: Some(self.next_id), verb }
    }

    /// Notes that `id` is sent once more; `None` for an id that was never issued.
    pub fn repeat(&mut self, id: u64) -> Option<ClientMessage> {
        let entry = self.entries.get_mut(&id)?;
        entry.sent += 1;
        Some(ClientMessage { id: Some(id), verb: entry.verb.clone() })
    }

    /// Notes a reply. True when it ends its command.
    ///
    /// # Errors
    /// [`Violation`] when it breaks a promise.
    pub fn note(&mut self, id: Option<u64>, answer: Answer) -> Result<bool, Violation> {
        let entry = id.and_then(|id| self.entries.get_mut(&id).map(|entry| (id, entry)));
        let Some((id, entry)) = entry else {
            return Err(Violation::Unasked { id, answer: Box::new(answer) });
        };
        if answer.code() == Some(ErrorCode::Pending) {
            entry.pending = true;
            return Ok(false);
        }
        entry.answers += 1;
        if entry.answers > entry.sent {
            return Err(Violation::Twice { id, sent: entry.sent });
        }
        entry.newest = Some(answer.clone());
        match &entry.answer {
            Some(first) if first.result == answer.result => {}
            // A read that is asked again is read again.
            Some(_) if entry.verb.class() == Class::Query => {}
            Some(first) => {
                let (first, second) = (Box::new(first.clone()), Box::new(answer));
                return Err(Violation::Changed { id, first, second });
            }
            None => {
                check_first(id, entry, &answer)?;
                entry.answer = Some(answer);
            }
        }
        Ok(true)
    }

    /// What is known of `id`.
    #[must_use]
    pub fn entry(&self, id: u64) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// The outcome of `id`, once there is one.
    #[must_use]
    pub fn answer(&self, id: u64) -> Option<&Answer> {
        self.entries.get(&id).and_then(|entry| entry.answer.as_ref())
    }

    /// Ids without an outcome, oldest first.
    #[must_use]
    pub fn open(&self) -> Vec<u64> {
        self.iter().filter(|(_, entry)| entry.answer.is_none()).map(|(id, _)| id).collect()
    }

    /// Everything, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Entry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    /// Commands that were done, newest first, among the `last` ids.
    #[must_use]
    pub fn recent_done(&self, last: usize) -> Vec<u64> {
        let done = |entry: &Entry| entry.answer.as_ref().is_some_and(|a| a.seq().is_some());
        let recent = self.iter().rev().take(last).filter(|(_, entry)| done(entry));
        recent.map(|(id, _)| id).collect()
    }

    /// Takes out the oldest commands that have an outcome, as far as there is no open one among
    /// them, and leaves the newest `keep` of all.
    pub fn forget(&mut self, keep: usize) -> Vec<(u64, Entry)> {
        let mut forgotten = Vec::new();
        while self.entries.len() > keep {
            match self.entries.first_entry() {
                Some(oldest) if oldest.get().answer.is_some() => {
                    forgotten.push(oldest.remove_entry());
                }
                _ => break,
            }
        }
        forgotten
    }

    /// Starts afresh: a new session counts its ids from 1.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn check_first(id: u64, entry: &Entry, answer: &Answer) -> Result<(), Violation> {
    if answer.dup && entry.sent == 1 && entry.verb.event_id().is_none() {
        return Err(Violation::FalseDup { id });
    }
    let changes = entry.verb.class() == Class::Command && !matches!(entry.verb, Verb::Say { .. });
    if changes && !answer.dup && answer.result.as_ref().is_ok_and(|done| done.seq.is_none()) {
        return Err(Violation::NoSeq { id });
    }
    Ok(())
}

#[cfg(test)]
#[path = "ledger/tests.rs"]
mod tests;
