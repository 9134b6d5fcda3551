//! What has happened to an actor, for people and programs: its journal, read back. Pure.
//!
//! Reading order: [`show`] (bytes as JSON), [`facts`] (a record's facts), [`entries`] (records,
//! claims and snapshots in their order), [`diff`] (what differs between two values), [`past`] (the
//! state after any record), [`recorded`] (a journal in a file), [`check`] (such a file against
//! the rules of today). `super::archive` reads all that from a store.
//!
//! Nothing here knows the types of a game: events and states are shown by what their bytes say.

pub mod check;
pub mod diff;
pub mod entries;
pub mod facts;
pub mod past;
pub mod recorded;
pub mod show;

#[cfg(test)]
mod tests;
