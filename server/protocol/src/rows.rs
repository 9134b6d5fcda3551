//! Entity rows of a room frame, encoded once for all who are shown the same.
//!
//! Frames of one room differ in their head and in whose row comes first; the rest is copied from
//! here. [`crate::frame::rows`] encodes as JSON text, [`crate::pack::rows`] as MessagePack.

use crate::server::EntityRow;

/// Rows in a buffer `B`, each with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<B> {
    pub(crate) all: B,
    /// (entity, where its row ends), in the order of the rows.
    ends: Vec<(u32, usize)>,
}

/// A `room` event, for one encoder of two.
#[derive(Debug, Clone, Copy)]
pub struct Room<'a, B> {
    /// The server's tick.
    pub tick: u64,
    /// The last durable input of the own player.
    pub input_seq: u64,
    /// The own entity. Its row in `rows` is left out.
    pub own: u32,
    /// Its row, which comes first; `None`: it has not changed.
    pub own_row: Option<EntityRow>,
    /// The others, as they are now.
    pub rows: &'a Rows<B>,
    /// Entities that left.
    pub gone: &'a [u32],
    /// No delta: who is not in it is gone.
    pub full: bool,
}

impl<B> Rows<B> {
    /// Encodes rows with `push`, which appends one and says how long the buffer is then.
    pub(crate) fn encode(
        mut all: B,
        rows: &[EntityRow],
        mut push: impl FnMut(&mut B, EntityRow) -> usize,
    ) -> Self {
        let ends = rows.iter().map(|row| (row.entity, push(&mut all, *row))).collect();
        Self { all, ends }
    }

    /// How many there are without an entity's, and where its own is: an empty place at the end
    /// when it has none.
    pub(crate) fn without(&self, entity: u32) -> (usize, std::ops::Range<usize>) {
        let end = self.ends.last().map_or(0, |(_, end)| *end);
        let Some(at) = self.ends.iter().position(|(other, _)| *other == entity) else {
            return (self.ends.len(), end..end);
        };
        let end_of = |at: usize| self.ends.get(at).map_or(0, |(_, end)| *end);
        let begin = at.checked_sub(1).map_or(0, end_of);
        (self.ends.len() - 1, begin..end_of(at))
    }
}
