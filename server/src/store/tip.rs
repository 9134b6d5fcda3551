//! What is known of a journal without reading it: who wrote last, and what. Pure types, which the
//! runtime's pure files may name too.

/// An ownership term of one actor: milliseconds of the store's clock, at least one more than the
/// last. The greater epoch writes.
pub type Epoch = u64;

/// A record's position in its actor's journal: counts from 1 without gaps for the actor's life.
pub type Seq = u64;

/// A number for one history of the store, local to this process: another one after a primary was
/// restarted or replaced, for the actors that it keeps. A store that has one history for its life
/// calls it 0.
pub type History = u64;

/// The newest entry of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Newest epoch written, by claim, append or reassertion.
    pub epoch: Epoch,
    /// Newest record.
    pub seq: Seq,
    /// The random id of the newest record, or of the newest reassertion if that came later; 0
    /// where there is neither.
    pub append_id: u64,
    /// If the newest entry is a reassertion: the epoch that it goes on from.
    pub continues: Option<Epoch>,
    /// The history that it was read in.
    pub history: History,
}

impl Tip {
    /// Of an actor that the store knows nothing of: the observed tip of a reassertion that is to
    /// create its journal anew.
    #[must_use]
    pub const fn of_nothing(history: History) -> Self {
        Self { epoch: 0, seq: 0, append_id: 0, continues: None, history }
    }

    /// Whether the store knows nothing of the actor.
    #[must_use]
    pub const fn is_of_nothing(&self) -> bool {
        self.epoch == 0
    }
}

/// One term of an actor's ownership, as the journal tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// The term.
    pub epoch: Epoch,
    /// The newest record when it began.
    pub from: Seq,
}

/// The answer to a reassertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reasserted {
    /// The holder owns the actor under a new term.
    Granted {
        /// The term.
        epoch: Epoch,
        /// The history that granted it.
        history: History,
    },
    /// The tip is another than the observed one; nothing was changed.
    Changed,
}
