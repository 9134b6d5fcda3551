//! Finding sessions by their attributes: which attributes there are, the rows that hold them,
//! the query language, and what an index can do for a query. Pure: no clock, no I/O; now is an
//! argument, and rows come from whoever keeps them.
//!
//! How the parts meet:
//!
//! 1. A [`Registry`] has the built-in attributes; a game's rules declare theirs at the start.
//! 2. The owner of a session keeps its [`Row`] current and gives it to the store, which keeps the
//!    encoded row and an index for each [`Attribute`] with [`Attribute::is_indexed`].
//! 3. [`parse`] makes a [`Query`] of what an operator wrote, or a [`Mistake`].
//! 4. [`Plan::new`] chooses what the index is asked for. The store finds the rows; those that
//!    [`Plan::admits`] go to a [`Page`] or to [`Counts`], which are bounded (I7).
//!
//! The language is described for operators in `docs/queries.md`, whose examples are tests.

pub mod attribute;
pub mod count;
pub mod mistake;
pub mod page;
pub mod parse;
pub mod plan;
pub mod query;
pub mod row;
mod token;
pub mod value;

#[cfg(test)]
mod tests;

pub use attribute::{Attribute, Builtin, Declaration, Registry, Type};
pub use count::Counts;
pub use mistake::Mistake;
pub use page::{Cursor, Page};
pub use parse::parse;
pub use plan::{Access, Cardinality, Keys, Path, Plan};
pub use query::{Filter, Query};
pub use row::Row;
pub use value::Value;
