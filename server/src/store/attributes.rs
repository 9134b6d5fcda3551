//! The index of sessions' attributes, as the port sees it: one row a player, and whatever a
//! backend keeps beside it to find rows fast.
//!
//! The index is derived: every row can be made again from its player's journal. So it may lag
//! behind (by the second that its writers coalesce, and by what a dead node had not written yet),
//! but a row never goes back: one that tells of an older journal position than the stored one is
//! dropped. Rows and queries are those of [`crate::search`].

use std::sync::Arc;

use holdfast_protocol::ids::{ActorId, PlayerId};

use super::tip::{Epoch, Seq};
use crate::search::{Counts, Cursor, Page, Query, Registry, Row};

/// The journal position that a row tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct RowAt {
    /// The term that wrote the row.
    pub epoch: Epoch,
    /// The newest record that it contains.
    pub seq: Seq,
}

/// A row and what it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOf {
    /// Older ones never replace it; the same one does, since a node may come and go without a
    /// record.
    pub at: RowAt,
    /// The attributes. They belong to the registry of the call.
    pub row: Row,
}

impl RowOf {
    /// The actor whose row it is; it lies in that actor's partition.
    #[must_use]
    pub fn actor(&self) -> ActorId {
        ActorId::player(self.row.player())
    }
}

/// What is wanted of the sessions that a query finds.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// Some of them, in the query's order.
    Page {
        /// Where the page before ended.
        after: Option<Cursor>,
        /// Most rows, see [`crate::search::page::PAGE_LEN_MAX`].
        limit: usize,
    },
    /// How many there are by a value.
    Counts(Counts),
}

/// A question to the index.
#[derive(Debug, Clone)]
pub struct Search {
    /// Whose attributes the query names.
    pub registry: Arc<Registry>,
    /// Which sessions.
    pub query: Arc<Query>,
    /// Unix milliseconds: what times since are counted to.
    pub now_ms: u64,
    /// What of them.
    pub want: Want,
}

/// The answer to a [`Search`].
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// To [`Want::Page`].
    Page {
        /// In the query's order.
        rows: Vec<Row>,
        /// Where the next page begins, if there is one.
        next: Option<Cursor>,
    },
    /// To [`Want::Counts`].
    Counts(Counts),
}

/// Makes the answer out of rows that come in any order. I7: holds one page, or one set of counts.
#[derive(Debug)]
pub struct Collector<'a> {
    now_ms: u64,
    kept: Kept<'a>,
}

#[derive(Debug)]
enum Kept<'a> {
    Page(Page<'a>),
    Counts(Counts),
}

impl<'a> Collector<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(search: &'a Search) -> Self {
        match &search.want {
            Want::Page { after, limit } => {
                let page = Page::new(&search.query, after.clone(), *limit, search.now_ms);
                Self { now_ms: page.now_ms(), kept: Kept::Page(page) }
            }
            Want::Counts(by) => Self { now_ms: search.now_ms, kept: Kept::Counts(by.clone()) },
        }
    }

    /// The now of the answer, which the plan must use too: a later page keeps the first one's.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Offers a session that the query matches; once each.
    pub fn offer(&mut self, row: Row) {
        match &mut self.kept {
            Kept::Page(page) => page.offer(row),
            Kept::Counts(counts) => counts.offer(&row),
        }
    }

    /// Where a walk in the order of `PlayerId` may begin: only later rows belong to the answer.
    #[must_use]
    pub fn begins_after(&self) -> Option<&PlayerId> {
        match &self.kept {
            Kept::Page(page) => page.begins_after(),
            Kept::Counts(_) => None,
        }
    }

    /// Whether a walk in the order of `PlayerId` may stop.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(&self.kept, Kept::Page(page) if page.is_full())
    }

    /// The answer.
    #[must_use]
    pub fn finish(self) -> Found {
        match self.kept {
            Kept::Page(page) => {
                let (rows, next) = page.finish();
                Found::Page { rows, next }
            }
            Kept::Counts(counts) => Found::Counts(counts),
        }
    }
}

/// What a look at one partition's index found. A store that finds rows by reading them all has
/// no entries, and nothing to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EntriesFound {
    /// Rows.
    pub rows: u64,
    /// Entries that the rows call for and that are not there.
    pub missing: u64,
    /// Entries that no row calls for.
    pub stray: u64,
}

impl EntriesFound {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            missing: self.missing + other.missing,
            stray: self.stray + other.stray,
        }
    }
}

/// A row that is to go, if it still tells of this position.
pub type Doomed = (PlayerId, RowAt);
