//! Holdfast's wire protocol, version 1: everything that crosses a socket, and nothing else.
//!
//! Pure: no I/O, no clock, no randomness. The server, the bots and the tests share it, so that
//! one definition decides what a message looks like. Wire types are never journal types: the
//! wire is versioned and short-lived, the journal is for ever.
//!
//! Reading order: [`ids`] (names of things).

pub mod edge;
pub mod ids;
