//! Holdfast's wire protocol, version 1: everything that crosses a socket, and nothing else.
//!
//! Pure: no I/O, no clock, no randomness. The server, the bots and the tests share it, so that
//! one definition decides what a message looks like. Wire types are never journal types: the
//! wire is versioned and short-lived, the journal is for ever.
//!
//! Reading order: [`ids`] (names of things), [`codes`] (what can go wrong, and why a socket
//! closes), [`movement`] (the step that both ends share), [`client`] (what clients say),
//! [`server`] (what they are told), [`frame`] (the same, encoded fast), [`pack`] (both ways as
//! MessagePack), [`text`] (both ways in human lines).

pub mod client;
pub mod codes;
pub mod edge;
pub mod frame;
pub mod goods;
pub mod ids;
pub mod movement;
pub mod near;
pub mod pack;
pub mod rows;
#[cfg(feature = "openapi")]
mod schema;
pub mod server;
pub mod text;
