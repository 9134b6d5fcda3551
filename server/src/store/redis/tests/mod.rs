//! The links, on real servers that each test starts and ends.

mod address;
mod attributes;
mod cluster;
mod fleet;
mod sentinel;
mod server;
mod single;
mod store;
mod tls;
