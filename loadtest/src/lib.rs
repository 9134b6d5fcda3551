//! Simulated players for Holdfast: bots that remember what they were promised.
//!
//! In reading order: [`ledger`] (every command and the reply it got), [`expect`] (what a player's
//! state must be, computed from the ledger alone), [`mirror`] (the world as the server told it),
//! [`socket`] (one WebSocket), [`bot`] (one headless player), [`player`] (a seeded random one's
//! next wish), [`trial`] (plays a bot through kills and restarts).
//!
//! Beside the bots, what measures: [`wire`] (how messages are encoded), [`walk`] (where the driven
//! players go), [`drive`] (many connections that only ask and wait), [`echo`] (the bare WebSocket
//! that they are measured against), [`usage`] (what a process has used), [`proxy`] (spoils the way to
//! a server).
//!
//! A load test: [`scenario`] (who plays, and what is done to the servers), [`load`] (the simulated
//! players of one process), [`stage`] (servers that are started for it), [`run`] (the way through),
//! [`stats`] (what is measured), [`verify`] (what was promised against what the servers have),
//! [`result`] (what is left), [`report`] (the page and the summary of it), [`compare`] (two of
//! them), [`http`], [`port`] and [`span`] (requests, free ports, and times as people write them).
//!
//! The first three are pure and [`player`] is too: what they find wrong is a [`Violation`], a bug
//! of the server, never a failure of the network.
//!
//! [`Violation`]: ledger::Violation

pub mod bot;
pub mod compare;
pub mod drive;
pub mod echo;
pub mod expect;
#[cfg(test)]
mod fake;
pub mod http;
pub mod ledger;
pub mod load;
pub mod mirror;
pub mod player;
pub mod port;
pub mod proxy;
pub mod report;
pub mod result;
pub mod run;
pub mod scenario;
pub mod socket;
pub mod span;
pub mod stage;
pub mod stats;
pub mod trial;
pub mod usage;
pub mod verify;
pub mod walk;
pub mod wire;
