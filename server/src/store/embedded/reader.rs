//! The readers: each a thread with a read-only connection of its own, beside the writer.
//!
//! One call is one read transaction, so that it sees one moment of the store.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use super::Shared;
use super::tables::to_sql;
use crate::store::{
    Base, Epoch, Error, Loaded, RecordRow, Score, Seq, SnapshotRow, Term, Tip, check_contiguous,
};

/// A read: runs on a reader's thread, and answers its caller itself.
pub(super) type Read = Box<dyn FnOnce(&mut Connection) + Send>;

/// Serves reads until the queue is closed.
pub(super) fn run(mut conn: Connection, shared: &Arc<Shared>) {
    let _guard = super::Guard::new(shared);
    while let Some(reads) = shared.reads.take(1) {
        reads.into_iter().for_each(|read| read(&mut conn));
    }
}

/// An actor's row.
struct Found {
    row: i64,
    epoch: Epoch,
}

/// Reads a base and the records after it.
pub(super) fn load(conn: &mut Connection, actor: &ActorId, base: Base) -> Result<Loaded, Error> {
    let loaded = of_actor(conn, actor, |conn, found| {
        let snapshot = snapshot(conn, found.row, base)?;
        let base_seq = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        let tip = tip_of(conn, found)?;
        let records = records(conn, found.row, base_seq + 1, usize::MAX)?;
        // The newest claim is all that is kept of terms: this store has one history.
        let terms = vec![Term { epoch: tip.epoch, from: tip.seq }];
        Ok(Loaded { snapshot, records, terms, tip })
    })?;
    let loaded = loaded.ok_or(Error::Absent)?;
    let base_seq = loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    check_contiguous(actor, base_seq, &loaded.records, loaded.tip)?;
    Ok(loaded)
}

/// Reads the newest entry.
pub(super) fn tip(conn: &mut Connection, actor: &ActorId) -> Result<Option<Tip>, Error> {
    of_actor(conn, actor, tip_of)
}

/// Reads retained records from `from` on.
pub(super) fn history(
    conn: &mut Connection,
    actor: &ActorId,
    from: Seq,
    limit: usize,
) -> Result<Vec<RecordRow>, Error> {
    of_actor(conn, actor, |conn, found| records(conn, found.row, from, limit))?.ok_or(Error::Absent)
}

/// Reads the actors whose earliest obligation is due.
pub(super) fn due(
    conn: &Connection,
    after: Option<&(u64, ActorId)>,
    until_ms: u64,
    limit: usize,
) -> Result<Vec<(u64, ActorId)>, Error> {
    let sql = "SELECT name, at_ms FROM due JOIN actor ON actor.id = due.actor
        WHERE at_ms >= ?1 AND at_ms <= ?3 AND (at_ms > ?1 OR name > ?2)
        ORDER BY at_ms, name LIMIT ?4";
    let (from, name) = after.map_or((0, ""), |(at, id)| (*at, id.as_str()));
    let params = params![to_sql(from), name, to_sql(until_ms), count(limit)];
    all(conn, sql, params, |row| Ok((number(row, 1)?, id(row, 0)?))).map_err(stalled)
}

/// Reads the ids of one kind that have records.
pub(super) fn actors(
    conn: &Connection,
    kind: &str,
    after: Option<&ActorId>,
    limit: usize,
) -> Result<Vec<ActorId>, Error> {
    let sql = "SELECT name FROM actor WHERE name > ?1 AND name >= ?2 AND name < ?3 AND (
          EXISTS (SELECT 1 FROM journal WHERE actor = actor.id) OR
          EXISTS (SELECT 1 FROM snapshot WHERE actor = actor.id))
        ORDER BY name LIMIT ?4";
    let after = after.map_or("", |after| after.as_str());
    // A semicolon is the character after the colon.
    let params = params![after, format!("{kind}:"), format!("{kind};"), count(limit)];
    all(conn, sql, params, |row| id(row, 0)).map_err(stalled)
}

/// Reads the first rows of the leaderboard.
pub(super) fn top_scores(conn: &Connection, limit: usize) -> Result<Vec<Score>, Error> {
    let sql = "SELECT player, name, score, at FROM score ORDER BY score DESC, player LIMIT ?1";
    let score = |row: &Row<'_>| {
        let (player, name) = (row.get(0)?, row.get(1)?);
        Ok(Score { player, name, score: row.get(2)?, at: number(row, 3)? })
    };
    all(conn, sql, params![count(limit)], score).map_err(stalled)
}

/// Reads of one actor at one moment; `None` where it does not exist.
fn of_actor<T>(
    conn: &mut Connection,
    actor: &ActorId,
    read: impl FnOnce(&Connection, &Found) -> rusqlite::Result<T>,
) -> Result<Option<T>, Error> {
    let found = conn.transaction().and_then(|moment| {
        let found = find(&moment, actor)?;
        found.map(|found| read(&moment, &found)).transpose()
    });
    found.map_err(|error| unreadable(actor, &error))
}

fn find(conn: &Connection, actor: &ActorId) -> rusqlite::Result<Option<Found>> {
    conn.prepare_cached("SELECT id, epoch FROM actor WHERE name = ?1")?
        .query_row([actor.as_str()], |row| Ok(Found { row: row.get(0)?, epoch: number(row, 1)? }))
        .optional()
}

fn tip_of(conn: &Connection, found: &Found) -> rusqlite::Result<Tip> {
    let last = conn
        .prepare_cached(
            "SELECT seq, append_id FROM journal WHERE actor = ?1 ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([found.row], |row| Ok((number(row, 0)?, number(row, 1)?)))
        .optional()?;
    let snapshot: Option<i64> = conn
        .prepare_cached("SELECT max(seq) FROM snapshot WHERE actor = ?1")?
        .query_row([found.row], |row| row.get(0))?;
    let (seq, append_id) = last.unwrap_or((snapshot.unwrap_or(0).cast_unsigned(), 0));
    Ok(Tip { epoch: found.epoch, seq, append_id, continues: None, history: 0 })
}

fn snapshot(conn: &Connection, row: i64, base: Base) -> rusqlite::Result<Option<SnapshotRow>> {
    let skipped = match base {
        Base::Newest => 0,
        Base::Older => 1,
    };
    let sql = "SELECT seq, bytes FROM snapshot WHERE actor = ?1
        ORDER BY seq DESC LIMIT 1 OFFSET ?2";
    conn.prepare_cached(sql)?
        .query_row([row, skipped], |row| {
            Ok(SnapshotRow { seq: number(row, 0)?, bytes: bytes(row, 1)? })
        })
        .optional()
}

fn records(
    conn: &Connection,
    actor: i64,
    from: Seq,
    limit: usize,
) -> rusqlite::Result<Vec<RecordRow>> {
    let sql = "SELECT seq, epoch, record FROM journal WHERE actor = ?1 AND seq >= ?2
        ORDER BY seq LIMIT ?3";
    all(conn, sql, params![actor, to_sql(from), count(limit)], |row| {
        Ok(RecordRow { seq: number(row, 0)?, epoch: number(row, 1)?, record: bytes(row, 2)? })
    })
}

fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    conn.prepare_cached(sql)?.query_map(params, read)?.collect()
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    Ok(row.get::<_, Vec<u8>>(column)?.into())
}

fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<ActorId> {
    let name: String = row.get(column)?;
    name.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

/// What the file says is wrong, or the file can't be read just now.
fn unreadable(actor: &ActorId, error: &rusqlite::Error) -> Error {
    let passing = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
        )
    );
    if passing {
        return stalled(error.to_string());
    }
    Error::Corrupt { actor: actor.clone(), what: error.to_string() }
}

fn stalled(error: impl ToString) -> Error {
    Error::Stalled(error.to_string())
}
