//! The index of sessions' attributes on Redis. Each partition keeps its own: a hash of rows, and a
//! sorted set for each indexed attribute, whose *members* find rows by value.
//!
//! - [`stored`] is the pure part: names, members and the stored form of a row, which the scripts
//!   read too. `put` writes and drops rows, `find` answers queries, `check` holds members against
//!   rows.
//! - Rows and members of a partition change together, in one script. A row lists its entries, so
//!   whoever replaces it knows the members of the old one without reading the row itself, even
//!   where another version of the game wrote it and other attributes are indexed there.
//! - What members find may be more than was asked for (scores are doubles, a row may change before
//!   it is read), so the whole query is asked of each row.
//! - Everything goes over the bulk connections: appends never wait behind it in a queue, and a
//!   script does what takes some hundred microseconds at most.

mod check;
mod find;
mod put;
pub mod stored;
