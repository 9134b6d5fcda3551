//! Holdfast: a WebSocket real-time game server whose player sessions survive the servers they
//! run on.

pub mod actor;
pub mod clock;
pub mod config;
pub mod store;
