//! Holdfast: a WebSocket real-time game server whose player sessions survive the servers they
//! run on.
//!
//! Every player is a durable actor: private state, a mailbox, one authoritative process. Clients
//! hold sockets to a gateway; actors decide, journal, and only then act and push.
//!
//! The parts, in reading order:
//!
//! - [`actor`]: the runtime. Its contract with the rules, its pure core, its driver.
//! - [`store`]: the durability port and its backends.
//! - [`game`]: the reference game, pure rules over the contract.
//! - [`gateway`]: the edge. Sockets, sessions, limits, input by the beat, room frames.
//! - [`activities`]: the reference game's work with effects outside.
//! - [`search`]: attributes of sessions and the language that finds them; pure.
//! - [`admin`], [`cli`]: what operators see and do.
//! - [`demo`]: a whole show on one machine, with bots, and buttons that break it.
//! - [`doctor`]: whether a Redis gives what is promised.
//! - [`config`], [`telemetry`], [`clock`], [`signals`], [`msgpack`]: settings, logs and numbers,
//!   time, what stops a process, bytes.
//! - [`node`]: the composition root.
//!
//! The invariants, cited by number in code and tests:
//!
//! - I1 One writer: the store refuses an append of any epoch older than the newest it has
//!   written, in the same atomic step that would write it.
//! - I2 Nothing is visible before it is durable: every output of an actor waits until the newest
//!   record that its state contains is stored.
//! - I3 `apply` is total and deterministic: replaying the journal gives the live state, bit for
//!   bit.
//! - I4 A client command takes effect at most once; a repeat gets the first reply, or
//!   `outcome_unknown`, never a false ok.
//! - I5 Obligations (pending tells, replies, timers, activities) are state, rebuilt from snapshot
//!   and journal on activation.
//! - I6 Any gateway may die, freeze or be cut off at any moment without losing an acknowledged
//!   command.
//! - I7 Every queue, batch and cache has a bound and a named overflow behaviour.
//! - I8 Cost does not grow with age: loading time, memory and journal of an actor are bounded by
//!   its snapshot policy.
//! - I9 Between actors, goods are conserved: each item or coin is in exactly one inventory, one
//!   escrow or one unacknowledged transfer.

pub mod activities;
pub mod actor;
pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod game;
pub mod gateway;
pub mod msgpack;
pub mod node;
pub mod search;
pub mod signals;
pub mod store;
pub mod telemetry;

#[cfg(test)]
#[path = "tests/formats/mod.rs"]
mod formats;

#[cfg(test)]
#[path = "tests/journals.rs"]
mod journals;
