//! The tables, their version, and how connections to them are opened.
//!
//! `PRAGMA user_version` names the version. Old ones stay readable for ever: each has a fixture
//! in `fixtures/`.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::lock::private_file;
use crate::store::Error;

/// The one file, beside its write-ahead log.
pub(super) const DB_FILE: &str = "holdfast.db";

/// What this build writes.
const VERSION: i64 = 1;

/// A rowid table and an index, because records arrive in the order of time but are read by
/// actor: this takes two thirds less writing than a table clustered by actor.
const TABLES: &str = "
CREATE TABLE actor(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL);
CREATE TABLE journal(id INTEGER PRIMARY KEY, actor INTEGER NOT NULL, seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL, append_id INTEGER NOT NULL, record BLOB NOT NULL);
CREATE UNIQUE INDEX journal_by_actor ON journal(actor, seq);
CREATE TABLE snapshot(id INTEGER PRIMARY KEY, actor INTEGER NOT NULL, seq INTEGER NOT NULL,
  bytes BLOB NOT NULL);
CREATE UNIQUE INDEX snapshot_by_actor ON snapshot(actor, seq);
CREATE TABLE due(actor INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL);
CREATE INDEX due_by_time ON due(at_ms);
CREATE TABLE score(player TEXT PRIMARY KEY, name TEXT NOT NULL, score INTEGER NOT NULL,
  at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX score_by_rank ON score(score DESC, player);
CREATE TABLE metrics(key TEXT PRIMARY KEY, player TEXT NOT NULL, actions INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE secret(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
";

/// WAL and FULL: a commit that was answered survives a power cut. The log is written back every
/// 8,000 pages (32 MB), by the writer alone; pages that changed often go back once.
const WRITER_SETTINGS: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA fullfsync = ON;
PRAGMA wal_autocheckpoint = 8000;
PRAGMA cache_size = -65536;
";

/// Statements kept ready per connection; more than there are in the code.
const STATEMENTS_MAX: usize = 40;

/// Opens the writer's connection; makes the file and the tables where there are none.
pub(super) fn open_writer(dir: &Path) -> Result<Connection, Error> {
    let path = dir.join(DB_FILE);
    drop(private_file(&path)?);
    let open = || {
        let mut conn = Connection::open(&path)?;
        conn.execute_batch(WRITER_SETTINGS)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let version = make_tables(&mut conn)?;
        Ok((conn, version))
    };
    let (conn, version) = open().map_err(|error| unopened(&path, &error))?;
    if version > VERSION {
        return Err(Error::Open(format!(
            "{} was written by a newer holdfast (data version {version}, this one reads up to \
             {VERSION}): start that version, or give this one a data directory of its own",
            path.display()
        )));
    }
    sync_dir(dir)?;
    Ok(conn)
}

/// Opens a connection that can only read.
pub(super) fn open_reader(dir: &Path) -> Result<Connection, Error> {
    let path = dir.join(DB_FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn =
        Connection::open_with_flags(&path, flags).map_err(|error| unopened(&path, &error))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(conn)
}

/// Whether anybody was ever made.
pub(super) fn has_actors(conn: &Connection, dir: &Path) -> Result<bool, Error> {
    conn.query_row("SELECT EXISTS(SELECT 1 FROM actor)", [], |row| row.get(0))
        .map_err(|error| unopened(&dir.join(DB_FILE), &error))
}

/// Makes the tables in an empty file; answers the file's version.
fn make_tables(conn: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = conn.transaction()?;
    let version = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != 0 {
        return Ok(version);
    }
    transaction.execute_batch(TABLES)?;
    transaction.commit()?;
    Ok(VERSION)
}

/// The names of new files must survive a power cut too.
fn sync_dir(dir: &Path) -> Result<(), Error> {
    std::fs::File::open(dir)
        .and_then(|file| file.sync_all())
        .map_err(|error| Error::Open(format!("can't sync {}: {error}", dir.display())))
}

fn unopened(path: &Path, error: &rusqlite::Error) -> Error {
    Error::Open(format!(
        "can't open the store {}: {error}; restore the file from a backup, or give holdfast \
         another data directory",
        path.display()
    ))
}
