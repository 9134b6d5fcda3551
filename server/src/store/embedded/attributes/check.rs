//! Holds the entries against the rows.
//!
//! The check reads one moment of the index. What it finds goes to the writer in small parts, who
//! looks at each again before mending it: rows are written meanwhile, and no write waits long.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, params};

use super::entries::{Layout, to_sql};
use super::tables::Stray;
use super::writer::Mends;
use crate::search::Row;
use crate::store::Error;
use crate::store::attributes::EntriesFound;

/// Mends that the writer is given at once.
const MENDS_MAX: usize = 256;

/// Why a check ended early.
pub(super) enum Fault {
    /// The index can't be read.
    Read(rusqlite::Error),
    /// It can't be mended.
    Mend(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error)
    }
}

/// Gives mends to the writer, and waits for them.
pub(super) type Mender<'a> = &'a dyn Fn(Mends) -> Result<(), Error>;

/// Checks every entry; with a mender, puts right what is wrong.
pub(super) fn check(
    conn: &mut Connection,
    layout: &Layout,
    mender: Option<Mender<'_>>,
) -> Result<EntriesFound, Fault> {
    let moment = conn.transaction()?;
    let mut batch = Batch { mender, mends: Mends::default() };
    let found = of_rows(&moment, layout, &mut batch)?;
    if mender.is_some() && found.stray > 0 {
        stray(&moment, layout, &mut batch)?;
    }
    batch.give()?;
    if let Some(mender) = mender {
        // Nothing to mend: count the rows.
        mender(Mends::default()).map_err(Fault::Mend)?;
    }
    Ok(found)
}

struct Batch<'a> {
    mender: Option<Mender<'a>>,
    mends: Mends,
}

impl Batch<'_> {
    fn player(&mut self, player: String) -> Result<(), Fault> {
        self.mends.players.push(player);
        if self.mends.len() >= MENDS_MAX { self.give() } else { Ok(()) }
    }

    fn stray(&mut self, stray: Stray) -> Result<(), Fault> {
        self.mends.strays.push(stray);
        if self.mends.len() >= MENDS_MAX { self.give() } else { Ok(()) }
    }

    fn give(&mut self) -> Result<(), Fault> {
        let mends = std::mem::take(&mut self.mends);
        match self.mender {
            Some(mender) if mends.len() > 0 => mender(mends).map_err(Fault::Mend),
            _ => Ok(()),
        }
    }
}

/// Looks for each row's entries. Those that no row calls for are the rest.
fn of_rows(
    conn: &Connection,
    layout: &Layout,
    batch: &mut Batch<'_>,
) -> Result<EntriesFound, Fault> {
    let entries: i64 = conn.query_row("SELECT count(*) FROM entries", [], |row| row.get(0))?;
    let mut here = conn.prepare_cached(
        "SELECT 1 FROM entries WHERE attribute = ?1 AND value = ?2 AND player = ?3",
    )?;
    let mut statement = conn.prepare_cached("SELECT player, row FROM rows ORDER BY player")?;
    let mut rows = statement.query([])?;
    let (mut found, mut present) = (EntriesFound::default(), 0);
    while let Some(stored) = rows.next()? {
        let player: String = stored.get(0)?;
        let bytes = stored.get_ref(1)?.as_blob().unwrap_or_default();
        let Ok(row) = Row::decode(&layout.registry, bytes) else {
            found.rows += u64::from(batch.mender.is_none());
            batch.player(player)?;
            continue;
        };
        found.rows += 1;
        let before = found.missing;
        for (name, value) in layout.entries(&row) {
            let known = here.query_row(params![name, to_sql(value), player], |_| Ok(()));
            match known.optional()? {
                Some(()) => present += 1,
                None => found.missing += 1,
            }
        }
        if found.missing > before {
            batch.player(player)?;
        }
    }
    found.stray = entries.cast_unsigned().saturating_sub(present);
    Ok(found)
}

/// Looks for the entries that no row calls for.
fn stray(conn: &Connection, layout: &Layout, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT entries.attribute, entries.value, entries.player, rows.row
        FROM entries LEFT JOIN rows ON rows.player = entries.player",
    )?;
    let mut entries = statement.query([])?;
    while let Some(entry) = entries.next()? {
        let (name, value): (Sql, Sql) = (entry.get(0)?, entry.get(1)?);
        let bytes = entry.get_ref(3)?.as_blob().unwrap_or_default();
        let row = Row::decode(&layout.registry, bytes).ok();
        if !row.is_some_and(|row| layout.calls_for(&row, &name, &value)) {
            batch.stray((name, value, entry.get(2)?))?;
        }
    }
    Ok(())
}
