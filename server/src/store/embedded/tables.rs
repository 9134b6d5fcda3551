//! What the writer does to the tables: one function an operation, inside the group's transaction.
//!
//! Every function answers twice: the outer result is SQLite's, and an error there fails the
//! whole group; the inner one is the port's, and concerns one call only.

use std::collections::HashMap;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::store::{
    Append, Claim, Claimed, Epoch, Error, NodeSession, Owner, Score, Seq, SessionMetrics, Snapshot,
};

/// The port's answer inside SQLite's.
pub(super) type Outcome<T> = rusqlite::Result<Result<T, Error>>;

/// What the writer remembers of the actors that someone holds, so that an append reads nothing.
///
/// Bound: one per held actor, which the runtime's bound on activations limits. Owners are kept
/// nowhere else: the directory's lock proves that earlier node sessions are dead.
pub(super) type Heads = HashMap<ActorId, Head>;

/// The end of one journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    row: i64,
    epoch: Epoch,
    seq: Seq,
    owner: Option<NodeSession>,
    /// The due time in the table, where it is known.
    due_ms: Option<u64>,
}

impl Head {
    fn new(row: i64, epoch: Epoch, seq: Seq) -> Self {
        Self { row, epoch, seq, owner: None, due_ms: None }
    }

    /// I1: only the newest epoch writes. One that was never claimed is an older history's.
    fn check_epoch(&self, epoch: Epoch) -> Result<(), Error> {
        if epoch < self.epoch {
            return Err(Error::Fenced { newest: self.epoch });
        }
        if epoch > self.epoch {
            return Err(Error::OutOfSequence { tip: self.seq });
        }
        Ok(())
    }

    /// An epoch that is not of the past might be granted again to whoever makes the actor anew.
    fn check_end(&self, (epoch, seq): (Epoch, Seq), now_ms: u64) -> Result<(), Error> {
        self.check_epoch(epoch)?;
        if seq != self.seq {
            return Err(Error::OutOfSequence { tip: self.seq });
        }
        if now_ms <= epoch {
            return Err(Error::Stalled(format!("epoch {epoch} is not past")));
        }
        Ok(())
    }

    /// I1: only the record after the tip is written.
    fn check_append(&self, append: &Append) -> Result<(), Error> {
        self.check_epoch(append.epoch)?;
        if append.seq != self.seq + 1 {
            return Err(Error::OutOfSequence { tip: self.seq });
        }
        Ok(())
    }
}

/// SQLite's integers are signed; no time or count of ours comes near the end of them.
pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Claims an actor in the name of a node session.
pub(super) fn claim(
    conn: &Connection,
    heads: &mut Heads,
    claim: Claim,
    now_ms: u64,
) -> Outcome<Claimed> {
    let known = find_head(conn, heads, &claim.actor)?;
    let Some(head) = known else {
        if !claim.creates {
            return Ok(Ok(Claimed::Absent));
        }
        let sql = "INSERT INTO actor(name, epoch) VALUES (?1, ?2)";
        conn.prepare_cached(sql)?.execute(params![claim.actor.as_str(), to_sql(now_ms)])?;
        let row = conn.last_insert_rowid();
        return Ok(Ok(grant(heads, claim, Head::new(row, now_ms, 0))));
    };
    if let Some(session) = head.owner {
        let owner = Owner { session, epoch: head.epoch };
        if session != claim.session && claim.replaces != Some(owner) {
            return Ok(Ok(Claimed::Held(owner)));
        }
    }
    let epoch = now_ms.max(head.epoch + 1);
    let sql = "UPDATE actor SET epoch = ?2 WHERE id = ?1";
    conn.prepare_cached(sql)?.execute(params![head.row, to_sql(epoch)])?;
    Ok(Ok(grant(heads, claim, Head { epoch, ..head })))
}

fn grant(heads: &mut Heads, claim: Claim, head: Head) -> Claimed {
    heads.insert(claim.actor, Head { owner: Some(claim.session), ..head });
    Claimed::Granted { epoch: head.epoch, seq: head.seq, history: 0 }
}

fn find_head(conn: &Connection, heads: &Heads, actor: &ActorId) -> rusqlite::Result<Option<Head>> {
    if let Some(head) = heads.get(actor) {
        return Ok(Some(*head));
    }
    let sql = "SELECT id, epoch, max(
          coalesce((SELECT max(seq) FROM journal WHERE actor = actor.id), 0),
          coalesce((SELECT max(seq) FROM snapshot WHERE actor = actor.id), 0))
        FROM actor WHERE name = ?1";
    conn.prepare_cached(sql)?
        .query_row([actor.as_str()], |row| {
            let (epoch, seq): (i64, i64) = (row.get(1)?, row.get(2)?);
            Ok(Head::new(row.get(0)?, epoch.cast_unsigned(), seq.cast_unsigned()))
        })
        .optional()
}

/// Appends a batch; each record is judged and written on its own.
pub(super) fn append(
    conn: &Connection,
    heads: &mut Heads,
    batch: &[Append],
) -> rusqlite::Result<Vec<Result<(), Error>>> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO journal(actor, seq, epoch, append_id, record) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    batch.iter().map(|append| append_one(conn, &mut insert, heads, append)).collect()
}

fn append_one(
    conn: &Connection,
    insert: &mut CachedStatement<'_>,
    heads: &mut Heads,
    append: &Append,
) -> Outcome<()> {
    let mut unheld;
    let head = match heads.get_mut(&append.actor) {
        Some(head) => head,
        None => match find_head(conn, heads, &append.actor)? {
            Some(found) => {
                unheld = found;
                &mut unheld
            }
            None => return Ok(Err(Error::Absent)),
        },
    };
    if let Err(refused) = head.check_append(append) {
        return Ok(Err(refused));
    }
    insert.execute(params![
        head.row,
        to_sql(append.seq),
        to_sql(append.epoch),
        append.append_id.cast_signed(),
        &append.record[..],
    ])?;
    head.seq = append.seq;
    if let Some(due_ms) = append.due_ms
        && head.due_ms.is_none_or(|known| due_ms < known)
    {
        head.due_ms = Some(lower_due(conn, head.row, due_ms)?);
    }
    Ok(Ok(()))
}

/// Lowers the due time; answers the one that is recorded now.
fn lower_due(conn: &Connection, row: i64, due_ms: u64) -> rusqlite::Result<u64> {
    let sql = "INSERT INTO due(actor, at_ms) VALUES (?1, ?2)
        ON CONFLICT(actor) DO UPDATE SET at_ms = min(at_ms, excluded.at_ms) RETURNING at_ms";
    let params = params![row, to_sql(due_ms)];
    let at_ms: i64 = conn.prepare_cached(sql)?.query_row(params, |row| row.get(0))?;
    Ok(at_ms.cast_unsigned())
}

fn replace_due(conn: &Connection, row: i64, due_ms: Option<u64>) -> rusqlite::Result<()> {
    match due_ms {
        Some(due_ms) => conn
            .prepare_cached("INSERT OR REPLACE INTO due(actor, at_ms) VALUES (?1, ?2)")?
            .execute(params![row, to_sql(due_ms)])?,
        None => conn.prepare_cached("DELETE FROM due WHERE actor = ?1")?.execute([row])?,
    };
    Ok(())
}

/// Keeps a snapshot beside the one before, and trims the journal.
pub(super) fn snapshot(conn: &Connection, heads: &mut Heads, snapshot: &Snapshot) -> Outcome<()> {
    let Some(head) = find_head(conn, heads, &snapshot.actor)? else {
        return Ok(Err(Error::Absent));
    };
    if let Err(refused) = head.check_epoch(snapshot.epoch) {
        return Ok(Err(refused));
    }
    let newest: Option<i64> = conn
        .prepare_cached("SELECT max(seq) FROM snapshot WHERE actor = ?1")?
        .query_row([head.row], |row| row.get(0))?;
    let newest = newest.unwrap_or(0);
    if snapshot.seq > head.seq || to_sql(snapshot.seq) <= newest {
        return Ok(Err(Error::OutOfSequence { tip: head.seq }));
    }
    conn.prepare_cached("INSERT INTO snapshot(actor, seq, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![head.row, to_sql(snapshot.seq), &snapshot.bytes[..]])?;
    conn.prepare_cached("DELETE FROM snapshot WHERE actor = ?1 AND seq < ?2")?
        .execute([head.row, newest])?;
    let last_needless = newest.min(to_sql(head.seq.saturating_sub(snapshot.retain)));
    conn.prepare_cached("DELETE FROM journal WHERE actor = ?1 AND seq <= ?2")?
        .execute([head.row, last_needless])?;
    replace_due(conn, head.row, snapshot.due_ms)?;
    if let Some(head) = heads.get_mut(&snapshot.actor) {
        head.due_ms = snapshot.due_ms;
    }
    Ok(Ok(()))
}

/// Takes an actor's owner away.
pub(super) fn release(
    conn: &Connection,
    heads: &mut Heads,
    actor: &ActorId,
    epoch: Epoch,
    due_ms: Option<u64>,
) -> Outcome<()> {
    let Some(head) = find_head(conn, heads, actor)? else {
        return Ok(Err(Error::Absent));
    };
    if let Err(refused) = head.check_epoch(epoch) {
        return Ok(Err(refused));
    }
    replace_due(conn, head.row, due_ms)?;
    heads.remove(actor);
    Ok(Ok(()))
}

/// Removes every row of an actor.
pub(super) fn erase(
    conn: &Connection,
    heads: &mut Heads,
    actor: &ActorId,
    tip: (Epoch, Seq),
    now_ms: u64,
) -> Outcome<()> {
    let Some(head) = find_head(conn, heads, actor)? else {
        return Ok(Err(Error::Absent));
    };
    if let Err(refused) = head.check_end(tip, now_ms) {
        return Ok(Err(refused));
    }
    for sql in [
        "DELETE FROM journal WHERE actor = ?1",
        "DELETE FROM snapshot WHERE actor = ?1",
        "DELETE FROM due WHERE actor = ?1",
        "DELETE FROM actor WHERE id = ?1",
    ] {
        conn.prepare_cached(sql)?.execute([head.row])?;
    }
    heads.remove(actor);
    Ok(Ok(()))
}

/// Inserts or replaces a player's score, unless a newer one is there.
pub(super) fn put_score(conn: &Connection, score: &Score) -> Outcome<()> {
    let sql = "INSERT INTO score(player, name, score, at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT(player) DO UPDATE SET name = excluded.name, score = excluded.score,
        at = excluded.at WHERE excluded.at >= at";
    let params = params![score.player, score.name, score.score, to_sql(score.at)];
    conn.prepare_cached(sql)?.execute(params)?;
    Ok(Ok(()))
}

/// Appends a session's metrics, once per key.
pub(super) fn put_metrics(conn: &Connection, metrics: &SessionMetrics) -> Outcome<()> {
    let sql = "INSERT OR IGNORE INTO metrics(key, player, actions, duration_ms, at_ms)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    conn.prepare_cached(sql)?.execute(params![
        metrics.key,
        metrics.player,
        to_sql(metrics.actions),
        to_sql(metrics.duration_ms),
        to_sql(metrics.at_ms),
    ])?;
    Ok(Ok(()))
}

/// Reads a secret, or keeps the fresh one.
pub(super) fn secret(conn: &Connection, name: &str, fresh: &[u8]) -> Outcome<Bytes> {
    conn.prepare_cached("INSERT OR IGNORE INTO secret(name, value) VALUES (?1, ?2)")?
        .execute(params![name, fresh])?;
    let value: Vec<u8> = conn
        .prepare_cached("SELECT value FROM secret WHERE name = ?1")?
        .query_row([name], |row| row.get(0))?;
    Ok(Ok(value.into()))
}
