//! What the index's writer does to its tables, inside a transaction of its own.

use holdfast_protocol::ids::PlayerId;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, params};

use super::entries::{Layout, to_sql};
use crate::search::{Row, Value};
use crate::store::attributes::{RowAt, RowOf};
use crate::store::embedded::tables::to_sql as whole;

/// A row as it is stored.
pub(super) struct Stored {
    pub at: RowAt,
    /// The encoded row.
    pub bytes: Vec<u8>,
}

impl Stored {
    /// A row of `epoch, seq, row`. What is of another type than it should be can't be read and is
    /// older than anything.
    pub fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let number = |column| {
            Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_i64().unwrap_or(0).cast_unsigned())
        };
        let at = RowAt { epoch: number(0)?, seq: number(1)? };
        Ok(Self { at, bytes: row.get_ref(2)?.as_blob().unwrap_or_default().to_vec() })
    }
}

pub(super) fn stored(conn: &Connection, player: &str) -> rusqlite::Result<Option<Stored>> {
    conn.prepare_cached("SELECT epoch, seq, row FROM rows WHERE player = ?1")?
        .query_row([player], Stored::read)
        .optional()
}

/// An entry that moves, comes (`from` is none) or goes (`to` is none).
///
/// Changes are made in their order, so that those near each other change the same pages.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    /// Which of the layout's columns.
    column: usize,
    from: Option<Value>,
    to: Option<Value>,
    player: PlayerId,
}

/// Writes a row, unless the stored one is newer; its entries' changes go to `changes`. Answers
/// how many rows there are more.
pub(super) fn put(
    conn: &Connection,
    layout: &Layout,
    new: &RowOf,
    changes: &mut Vec<Change>,
) -> rusqlite::Result<i64> {
    let player = new.row.player();
    let known = stored(conn, player.as_str())?;
    if known.as_ref().is_some_and(|known| known.at > new.at) {
        return Ok(0);
    }
    let sql = match &known {
        Some(_) => "UPDATE rows SET epoch = ?2, seq = ?3, row = ?4 WHERE player = ?1",
        None => "INSERT INTO rows(player, epoch, seq, row) VALUES (?1, ?2, ?3, ?4)",
    };
    let (epoch, seq) = (whole(new.at.epoch), whole(new.at.seq));
    let bytes = new.row.encode(&layout.registry);
    conn.prepare_cached(sql)?.execute(params![player.as_str(), epoch, seq, bytes])?;
    let old = known.as_ref().and_then(|old| Row::decode(&layout.registry, &old.bytes).ok());
    note_changes(layout, old.as_ref(), Some(&new.row), changes);
    Ok(i64::from(known.is_none()))
}

/// Removes a row if it still tells of this position. Answers how many rows there are more.
pub(super) fn drop_row(
    conn: &Connection,
    layout: &Layout,
    player: &PlayerId,
    at: RowAt,
    changes: &mut Vec<Change>,
) -> rusqlite::Result<i64> {
    let Some(known) = stored(conn, player.as_str())?.filter(|known| known.at == at) else {
        return Ok(0);
    };
    delete_row(conn, player.as_str())?;
    let old = Row::decode(&layout.registry, &known.bytes).ok();
    note_changes(layout, old.as_ref(), None, changes);
    Ok(-1)
}

fn delete_row(conn: &Connection, player: &str) -> rusqlite::Result<usize> {
    conn.prepare_cached("DELETE FROM rows WHERE player = ?1")?.execute([player])
}

fn note_changes(layout: &Layout, old: Option<&Row>, new: Option<&Row>, to: &mut Vec<Change>) {
    let Some(player) = new.or(old).map(Row::player) else { return };
    for (at, column) in layout.columns.iter().enumerate() {
        let (from, into) = (old.and_then(|row| column.key(row)), new.and_then(|r| column.key(r)));
        if from != into {
            let kept = |value: Option<crate::search::value::Seen<'_>>| Some(value?.to_value());
            let (from, into) = (kept(from), kept(into));
            to.push(Change { column: at, from, to: into, player: player.clone() });
        }
    }
}

/// Makes the changes that rows call for.
pub(super) fn change_entries(
    conn: &Connection,
    layout: &Layout,
    mut changes: Vec<Change>,
) -> rusqlite::Result<()> {
    changes.sort_unstable();
    let mut update = conn.prepare_cached(
        "UPDATE OR REPLACE entries SET value = ?4
        WHERE attribute = ?1 AND value = ?2 AND player = ?3",
    )?;
    let mut delete = conn.prepare_cached(DELETE_ENTRY)?;
    let mut insert = conn.prepare_cached(INSERT_ENTRY)?;
    for Change { column, from, to, player } in &changes {
        let Some(name) = layout.columns.get(*column).map(|column| &column.name) else { continue };
        let (from, to) = (from.as_ref().map(value_to_sql), to.as_ref().map(value_to_sql));
        let player = player.as_str();
        match (from, to) {
            (Some(from), Some(to)) => {
                if update.execute(params![name, from, player, to])? == 0 {
                    insert.execute(params![name, to, player])?;
                }
            }
            (None, Some(to)) => drop(insert.execute(params![name, to, player])?),
            (Some(from), None) => drop(delete.execute(params![name, from, player])?),
            (None, None) => {}
        }
    }
    Ok(())
}

const INSERT_ENTRY: &str =
    "INSERT OR IGNORE INTO entries(attribute, value, player) VALUES (?1, ?2, ?3)";
const DELETE_ENTRY: &str =
    "DELETE FROM entries WHERE attribute = ?1 AND value = ?2 AND player = ?3";

fn value_to_sql(value: &Value) -> rusqlite::types::ToSqlOutput<'_> {
    to_sql(value.seen())
}

/// Keeps count of the rows.
pub(super) fn add_to_total(conn: &Connection, rows: i64) -> rusqlite::Result<()> {
    if rows != 0 {
        conn.prepare_cached("UPDATE total SET rows = rows + ?1")?.execute([rows])?;
    }
    Ok(())
}

/// Counts the rows afresh.
pub(super) fn recount(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute("UPDATE total SET rows = (SELECT count(*) FROM rows)", []).map(drop)
}

/// An entry that no row called for when it was looked at: attribute, value and player.
pub(super) type Stray = (Sql, Sql, String);

/// Gives a player's row every entry that it calls for; removes one that can't be read.
pub(super) fn mend_row(conn: &Connection, layout: &Layout, player: &str) -> rusqlite::Result<()> {
    let Some(known) = stored(conn, player)? else { return Ok(()) };
    let Ok(row) = Row::decode(&layout.registry, &known.bytes) else {
        return delete_row(conn, player).map(drop);
    };
    let mut insert = conn.prepare_cached(INSERT_ENTRY)?;
    for (name, value) in layout.entries(&row) {
        insert.execute(params![name, to_sql(value), player])?;
    }
    Ok(())
}

/// Removes an entry unless its row calls for it by now.
pub(super) fn mend_stray(
    conn: &Connection,
    layout: &Layout,
    stray: &Stray,
) -> rusqlite::Result<()> {
    let (name, value, player) = stray;
    let known = stored(conn, player)?;
    let row = known.and_then(|known| Row::decode(&layout.registry, &known.bytes).ok());
    if !row.is_some_and(|row| layout.calls_for(&row, name, value)) {
        conn.prepare_cached(DELETE_ENTRY)?.execute(params![name, value, player])?;
    }
    Ok(())
}
