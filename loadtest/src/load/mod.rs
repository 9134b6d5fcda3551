//! Simulated players of one generator process, and how the process is told what to do.
//!
//! In reading order: [`account`] (a player's books), [`dealings`] (what it was told of trades and
//! its party), [`closed`] (what is left of its books), [`mind`] (what it wants), [`pulse`] (when),
//! [`sight`] (what it sees of the others), `deals` (how long acceptances take), [`share`] (what all
//! of a process share), `seat` (one player on its socket), `caller` (one without), [`orders`] (what
//! the process is told, and says), [`agent`] (the process).
//!
//! One process holds as many sockets as its file limit allows; a run may have several, whose
//! numbers are put together by [`crate::stats`].

pub mod account;
pub mod agent;
mod caller;
pub mod closed;
pub mod dealings;
mod deals;
pub mod mind;
pub mod orders;
pub mod pulse;
mod seat;
pub mod share;
pub mod sight;
