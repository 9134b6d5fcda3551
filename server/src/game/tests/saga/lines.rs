//! The lines between the actors: outbox, what is under way, and the receiver's watermark.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;

use super::actors::Who;

/// A tell on its line. Ids rise along a line, also over a rollback: a new term's are higher.
#[derive(Clone, Debug)]
pub struct Note {
    pub id: u16,
    pub payload: Bytes,
    pub creates: bool,
    /// Equal prints: equal payloads.
    pub print: u64,
}

/// Everything from one actor to another.
#[derive(Clone, Debug, Default)]
pub struct Line {
    next: u16,
    /// What the sender's outbox holds.
    pub outbox: VecDeque<Note>,
    /// What a rollback took out of it, and may still arrive: in order, or not at all.
    pub strays: VecDeque<Note>,
    /// The receiver's watermark.
    pub heard: u16,
}

impl Line {
    /// A new tell.
    pub fn tell(&mut self, payload: Bytes, creates: bool) -> Note {
        self.next += 1;
        let mut hasher = DefaultHasher::new();
        payload.hash(&mut hasher);
        let note = Note { id: self.next, payload, creates, print: hasher.finish() };
        self.outbox.push_back(note.clone());
        note
    }

    /// The next tell that the receiver has not heard.
    pub fn waiting(&self) -> Option<&Note> {
        self.outbox.iter().find(|note| note.id > self.heard)
    }

    /// A stray that its receiver would take: nothing before it is missing.
    pub fn stray(&self) -> Option<&Note> {
        let stray = self.strays.front()?;
        self.waiting().is_none_or(|waiting| waiting.id > stray.id).then_some(stray)
    }

    /// The receiver hears a tell; `keep`: its acknowledgement may yet be lost.
    pub fn hear(&mut self, id: u16, keep: bool) {
        self.heard = id;
        self.strays.retain(|note| note.id > id);
        if !keep {
            self.outbox.retain(|note| note.id > id);
        }
    }
}

/// The lines, by their index.
pub const LINES: [(Who, Who); 4] =
    [(Who::A, Who::T), (Who::B, Who::T), (Who::T, Who::A), (Who::T, Who::B)];

pub fn line_of(from: Who, to: Who) -> usize {
    LINES.iter().position(|line| *line == (from, to)).unwrap()
}
