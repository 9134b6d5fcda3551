//! The actor runtime: durable identities that take their messages one at a time.
//!
//! Reading order: [`contract`] (what a game author writes), [`envelope`] (what travels in and
//! out).

pub mod contract;
pub mod envelope;
