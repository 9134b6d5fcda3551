//! What the index is asked: each search in one read transaction, so that it sees one moment.
//! Rows that are kept back count instead of the file's, and are offered after those.
//!
//! - I7: a search holds one page, or one set of counts. A row that several paths find is offered
//!   by the first of them that [`Path::finds`] it, so nobody remembers whom they have seen.
//! - Where the rows come by player, a page's walk begins after its cursor and ends with the page.
//! - A row that can't be read is passed over, and one that a stray entry leads to.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use holdfast_protocol::ids::PlayerId;
use rusqlite::{Connection, params, params_from_iter};

use super::entries::Probe;
use super::tables::{Stored, stored};
use crate::search::{Access, Cardinality, Path, Plan, Registry, Row};
use crate::store::attributes::{Collector, Found, RowOf, Search, Want};

/// Entries of one path that an estimate counts at least, and at most.
const ESTIMATE_MIN: u64 = 2_000;
const ESTIMATE_MAX: u64 = 16_000;

/// Entries that all estimates of one search count, but for [`ESTIMATE_LEAST`] a path.
const ESTIMATES_MAX: u64 = 64_000;
const ESTIMATE_LEAST: u64 = 200;

/// Rows that are read in the order of players, to see whether they fill the page, where an index
/// has more than [`BROAD`] in another order.
const WALK_ROWS_MAX: usize = 2_000;
const BROAD: u64 = 8_000;

pub(super) const READ_EVERY_ROW: &str = "SELECT row FROM rows WHERE player > ?1 ORDER BY player";

/// Answers a search. `fresh` was kept back before the search began.
pub(super) fn search(
    conn: &mut Connection,
    search: &Search,
    fresh: Vec<Arc<RowOf>>,
) -> rusqlite::Result<Found> {
    let moment = conn.transaction()?;
    let fresh: HashMap<&str, &RowOf> =
        fresh.iter().map(|of| (of.row.player().as_str(), &**of)).collect();
    let asked = Asked { conn: &moment, registry: &search.registry, fresh: &fresh };
    let cardinality = Entries::new(&moment)?;
    let mut collector = Collector::new(search);
    let now_ms = collector.now_ms();
    let plan = Plan::new(&search.registry, &search.query, &cardinality, now_ms);
    cardinality.check()?;
    match plan.access() {
        Access::Nothing => {}
        Access::Everything => {
            asked.walk(&mut collector, usize::MAX, |row| plan.admits(row))?;
        }
        Access::Union(paths) => {
            let found = |row: &Row| paths.iter().any(|path| path.finds(row)) && plan.admits(row);
            let whole = is_by_player(search)
                && cardinality.is_broad(paths)
                && asked.walk(&mut collector, WALK_ROWS_MAX, found)?;
            if !whole {
                asked.union(&mut collector, paths, &plan)?;
            }
        }
    }
    for of in fresh.values().filter(|of| search.query.matches(&of.row, now_ms)) {
        if !asked.is_outdated(of)? {
            collector.offer(of.row.clone());
        }
    }
    Ok(collector.finish())
}

/// Whether the answer is a page in the order of `PlayerId`.
fn is_by_player(search: &Search) -> bool {
    matches!(search.want, Want::Page { .. }) && search.query.order.is_empty()
}

struct Asked<'a> {
    conn: &'a Connection,
    registry: &'a Registry,
    /// The rows of these players are offered apart, where they are newer.
    fresh: &'a HashMap<&'a str, &'a RowOf>,
}

impl Asked<'_> {
    /// Offers rows in the order of players, of at most `rows_max`. Answers whether the answer is
    /// whole.
    fn walk(
        &self,
        collector: &mut Collector<'_>,
        rows_max: usize,
        is_wanted: impl Fn(&Row) -> bool,
    ) -> rusqlite::Result<bool> {
        let mut statement = self.conn.prepare_cached(READ_EVERY_ROW)?;
        let mut rows = statement.query([after(collector)])?;
        for _ in 0..rows_max {
            let Some(row) = rows.next()? else { return Ok(true) };
            if let Some(row) = self.decode(row)?.filter(&is_wanted) {
                collector.offer(row);
                if collector.is_full() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Offers the rows of each path.
    fn union(
        &self,
        collector: &mut Collector<'_>,
        paths: &[Path],
        plan: &Plan,
    ) -> rusqlite::Result<()> {
        for (at, path) in paths.iter().enumerate() {
            let Probe { reading, mut params, by_player, .. } = Probe::new(path);
            if by_player {
                params.push(after(collector).into());
            }
            let mut statement = self.conn.prepare_cached(reading)?;
            let mut rows = statement.query(params_from_iter(params))?;
            while let Some(row) = rows.next()? {
                let Some(row) = self.decode(row)? else { continue };
                let before = paths.iter().take(at).any(|other| other.finds(&row));
                if !before && path.finds(&row) && plan.admits(&row) {
                    collector.offer(row);
                    if by_player && paths.len() == 1 && collector.is_full() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn decode(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Row>> {
        let bytes = row.get_ref(0)?.as_blob().unwrap_or_default();
        let Ok(row) = Row::decode(self.registry, bytes) else { return Ok(None) };
        let counts = match self.fresh.get(row.player().as_str()) {
            Some(fresh) => self.is_outdated(fresh)?,
            None => true,
        };
        Ok(counts.then_some(row))
    }

    /// Whether the file has a newer row of the player.
    fn is_outdated(&self, fresh: &RowOf) -> rusqlite::Result<bool> {
        let stored = stored(self.conn, fresh.row.player().as_str())?;
        Ok(stored.is_some_and(|stored| stored.at > fresh.at))
    }
}

fn after(collector: &Collector<'_>) -> String {
    collector.begins_after().map(ToString::to_string).unwrap_or_default()
}

/// How many there are, by looking at entries only.
struct Entries<'a> {
    conn: &'a Connection,
    total: u64,
    left: Cell<u64>,
    /// Why an estimate failed: entries that can't be counted can't be read either.
    failure: RefCell<Option<rusqlite::Error>>,
}

impl<'a> Entries<'a> {
    fn new(conn: &'a Connection) -> rusqlite::Result<Self> {
        let total: i64 =
            conn.prepare_cached("SELECT rows FROM total")?.query_row([], |row| row.get(0))?;
        // A check mends a total that is wrong.
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        Ok(Self { conn, total, left: Cell::new(ESTIMATES_MAX), failure: RefCell::new(None) })
    }

    /// Fails if an estimate did.
    fn check(&self) -> rusqlite::Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Whether reading these paths' rows takes longer than a look at the first players.
    fn is_broad(&self, paths: &[Path]) -> bool {
        let rows = paths.iter().filter_map(|path| self.estimate(path));
        rows.fold(0, u64::saturating_add) > BROAD
    }

    fn count(&self, probe: Probe, limit: u64) -> rusqlite::Result<u64> {
        let Probe { counting, mut params, .. } = probe;
        params.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let mut statement = self.conn.prepare_cached(counting)?;
        let count: i64 = statement.query_row(params_from_iter(params), |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }
}

impl Cardinality for Entries<'_> {
    fn total(&self) -> u64 {
        self.total
    }

    /// Exact up to a bound; beyond it, half of all.
    fn estimate(&self, path: &Path) -> Option<u64> {
        let limit = (self.total / 8).clamp(ESTIMATE_MIN, ESTIMATE_MAX);
        let limit = limit.min(self.left.get()).max(ESTIMATE_LEAST);
        let counted = self.count(Probe::new(path), limit);
        let count = counted.map_err(|error| self.failure.replace(Some(error))).ok()?;
        self.left.set(self.left.get().saturating_sub(count));
        Some(if count < limit { count } else { count.max(self.total / 2) })
    }
}

/// Reads rows by player, from the first after `after` on.
pub(super) fn rows(
    conn: &Connection,
    registry: &Registry,
    after: Option<&PlayerId>,
    limit: usize,
) -> rusqlite::Result<Vec<RowOf>> {
    let sql = "SELECT epoch, seq, row FROM rows WHERE player > ?1 ORDER BY player";
    let mut statement = conn.prepare_cached(sql)?;
    let after = after.map_or("", |player| player.as_str());
    let stored = statement.query_map(params![after], Stored::read)?;
    let mut rows = Vec::new();
    for stored in stored {
        if rows.len() >= limit {
            break;
        }
        let Stored { at, bytes } = stored?;
        rows.extend(Row::decode(registry, &bytes).ok().map(|row| RowOf { at, row }));
    }
    Ok(rows)
}
