//! The index's file. Nothing in it can't be made again, so one that is damaged or was written by
//! another version is thrown away: it is never a reason not to start.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::Error;
use crate::store::embedded::lock::private_file;

/// Beside the store's own file.
pub(in crate::store::embedded) const INDEX_FILE: &str = "attributes.db";

/// What this build reads and writes, and the only one.
const VERSION: i64 = 1;

/// Entries lie by player within a value, so that a page of those with one value is read in its
/// order. `total` has one row: how many rows there are.
const TABLES: &str = "
CREATE TABLE rows(player TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  row BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE entries(attribute NOT NULL, value NOT NULL, player TEXT NOT NULL,
  PRIMARY KEY(attribute, value, player)) WITHOUT ROWID;
CREATE TABLE total(rows INTEGER NOT NULL);
INSERT INTO total VALUES (0);
PRAGMA user_version = 1;
";

/// Commits are not synced, only checkpoints: a power cut takes the newest writes and leaves the
/// file whole. A checkpoint every 4,000 pages (16 MB) wrote 33 KB for a row that is written in
/// groups of 256, every 1,000 pages 38 KB.
const WRITER_SETTINGS: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA journal_size_limit = 67108864;
PRAGMA cache_size = -32768;
";

/// Statements kept ready per connection; more than there are in the code.
const STATEMENTS_MAX: usize = 40;

/// Opens the writer's connection. An index that can't be used is made anew, with a warning; so is
/// one that is missing although the store `is_used`.
pub(super) fn open_writer(dir: &Path, is_used: bool) -> Result<Connection, Error> {
    let path = dir.join(INDEX_FILE);
    let was_there = path.exists();
    let why = match try_open(&path) {
        Ok(conn) => {
            if is_used && !was_there {
                warn_anew("it was missing");
            }
            return Ok(conn);
        }
        Err(why) => why,
    };
    warn_anew(&why);
    remove(&path)?;
    try_open(&path).map_err(|why| {
        Error::Open(format!(
            "can't make the attribute index {}: {why}; see that this user may write there and \
             that the disk has room",
            path.display()
        ))
    })
}

/// Opens a connection that can only read.
pub(super) fn open_reader(dir: &Path) -> Result<Connection, Error> {
    let path = dir.join(INDEX_FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(&path, flags).map_err(|error| {
        Error::Open(format!("can't read the attribute index {}: {error}", path.display()))
    })?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(conn)
}

/// Empties an index that turned out to be damaged, under the connections that have it open.
pub(super) fn make_anew(conn: &Connection, why: &str) -> rusqlite::Result<()> {
    warn_anew(why);
    conn.flush_prepared_statement_cache();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, true)?;
    let emptied = conn.execute_batch("VACUUM");
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_RESET_DATABASE, false)?;
    emptied?;
    conn.execute_batch(WRITER_SETTINGS)?;
    let transaction = conn.unchecked_transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.commit()
}

/// Whether the file itself is to blame, rather than the disk or the moment: its pages, a table
/// that has gone, a value of another type.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    let foreign = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    );
    let odd = match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.starts_with("no such"),
        rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::QueryReturnedNoRows => true,
        _ => false,
    };
    foreign || odd
}

fn warn_anew(why: &str) {
    tracing::warn!(
        why,
        "the attribute index is made anew and finds nothing yet: `holdfast players rebuild` \
         fills it from the journals"
    );
}

/// Opens or makes the file; a sentence if it is not an index of this version.
fn try_open(path: &Path) -> Result<Connection, String> {
    drop(private_file(path).map_err(|error| error.to_string())?);
    let open = || {
        let mut conn = Connection::open(path)?;
        conn.execute_batch(WRITER_SETTINGS)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let version = make_tables(&mut conn)?;
        if version == VERSION {
            // Each table's first page.
            let sql = "SELECT rows, (SELECT count(*) FROM (SELECT 1 FROM rows LIMIT 1)),
                (SELECT count(*) FROM (SELECT 1 FROM entries LIMIT 1)) FROM total";
            conn.query_row(sql, [], |row| row.get::<_, i64>(0))?;
        }
        Ok((conn, version))
    };
    match open() {
        Ok((conn, VERSION)) => Ok(conn),
        Ok((_, other)) => Err(format!("it has version {other}, this holdfast has {VERSION}")),
        Err::<_, rusqlite::Error>(error) => Err(error.to_string()),
    }
}

/// Makes the tables in an empty file; answers the file's version.
fn make_tables(conn: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = conn.transaction()?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let version = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if tables != 0 || version != 0 {
        return Ok(version);
    }
    transaction.execute_batch(TABLES)?;
    transaction.commit()?;
    Ok(VERSION)
}

/// Removes the file and what SQLite keeps beside it.
fn remove(path: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        let file = PathBuf::from(file);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::Open(format!(
                    "can't remove {}, which is no attribute index: {error}",
                    file.display()
                )));
            }
            _ => {}
        }
    }
    Ok(())
}
