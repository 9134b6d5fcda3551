//! The actor runtime: durable identities that take their messages one at a time.
//!
//! Reading order: [`contract`] (what a game author writes), [`envelope`] (what travels in and
//! out), [`kind`] (rules of any type behind one face), [`record`] (what a journal holds),
//! [`ledger`] (what is durable besides the rules' state), [`handle`] (how the rest of the node
//! speaks to actors).

pub mod activity;
pub mod contract;
pub mod core;
pub mod envelope;
pub mod handle;
pub mod kind;
pub mod ledger;
pub mod record;
pub mod replay;
