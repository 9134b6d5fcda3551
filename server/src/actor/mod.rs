//! The actor runtime: durable identities that take their messages one at a time.
//!
//! Reading order: [`contract`] (what a game author writes), [`envelope`] (what travels in and
//! out), [`connection`] (a socket's lane and its bell), [`kind`] (rules of any type behind one face), [`record`] (what a journal holds),
//! [`ledger`] (what is durable besides the rules' state), [`replay`] (both, read back), [`core`]
//! (the life of one activation, pure), then the driver: `mail`, `cell` (one activation and its
//! sockets), `desk` (what the cells of a worker share), `bring_up` (from absent to active),
//! `worker` (the task that owns many), `post_office` (mail of other nodes), `due` (wakes
//! actors that are not in memory), [`index`] (what sessions are found by), [`history`] and
//! [`archive`] (what has happened, read back without claiming anyone), `runner` and [`activity`] (work with effects outside), [`fleet`]
//! (this node among the others), [`reading`] (actors as they
//! are stored, without a claim), and [`handle`] (how the rest of the node speaks to all this).

pub mod activity;
pub mod archive;
mod bring_up;
mod cell;
pub mod connection;
pub mod contract;
pub mod core;
mod desk;
pub mod doubt;
mod due;
pub mod envelope;
pub mod fleet;
pub mod handle;
pub mod history;
pub mod index;
pub mod kind;
pub mod ledger;
mod lost_found;
mod mail;
mod post_office;
pub mod reading;
pub mod record;
pub mod replay;
mod runner;
pub mod stats;
mod worker;
