//! Holdfast: a WebSocket real-time game server whose player sessions survive the servers they
//! run on.

pub mod activities;
pub mod actor;
pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod game;
pub mod gateway;
pub mod store;
pub mod telemetry;
