//! What only this index promises: its file may go, its rows wait for each other, it heals.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path as FilePath;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use tempfile::TempDir;

use super::entries::Probe;
use super::schema::INDEX_FILE;
use super::*;
use crate::clock::{Clock, instant};
use crate::search::{Cursor, Keys, Path, Row, Value, parse};
use crate::store::attributes::{RowAt, Want};
use crate::store::attributes_conformance::{registry, row};
use crate::store::embedded::Embedded;
use crate::store::memory::Memory;
use crate::store::{Claim, Store};

const NOW_MS: u64 = 1_795_348_800_000;
const DEADLINE: Duration = Duration::from_secs(10);

fn open(dir: &FilePath) -> Embedded {
    Embedded::open(dir, Clock::system()).unwrap()
}

/// A second connection, as an operator's `sqlite3` would have.
fn sqlite(dir: &FilePath) -> Connection {
    Connection::open(dir.join(INDEX_FILE)).unwrap()
}

fn nth(n: u64) -> Row {
    let mut values = vec![
        ("PlayerLevel", Value::from(n % 13)),
        ("PlayerStatus", ["in_room", "idle"][(n % 2) as usize].into()),
        ("LastCommandTime", (NOW_MS - n % 600 * 1_000).into()),
        ("Banned", n.is_multiple_of(5).into()),
        ("Guild", format!("guild-{}", n % 50).as_str().into()),
    ];
    if n.is_multiple_of(3) {
        values.push(("Gold", n.into()));
    }
    row(&format!("p{n:05}"), &values)
}

fn at(seq: u64) -> RowAt {
    RowAt { epoch: 1, seq }
}

fn of(seq: u64, rows: impl IntoIterator<Item = Row>) -> Vec<RowOf> {
    rows.into_iter().map(|row| RowOf { at: at(seq), row }).collect()
}

async fn put(store: &dyn Store, seq: u64, rows: impl IntoIterator<Item = Row>) {
    store.put_rows(&registry(), of(seq, rows)).await.unwrap();
}

fn asking(text: &str, after: Option<Cursor>, limit: usize) -> Search {
    let registry = registry();
    let query = Arc::new(parse(&registry, text).unwrap());
    Search { registry, query, now_ms: NOW_MS, want: Want::Page { after, limit } }
}

async fn found(store: &dyn Store, text: &str) -> Result<Vec<String>, Error> {
    match store.search(asking(text, None, 1_000)).await? {
        Found::Page { rows, .. } => Ok(rows.iter().map(|row| row.player().to_string()).collect()),
        other => panic!("{other:?}"),
    }
}

async fn checked(store: &dyn Store, mends: bool) -> (u64, u64, u64) {
    let found = store.check_entries(&registry(), 0, mends).await.unwrap();
    (found.rows, found.missing, found.stray)
}

/// What opening says in the log.
fn said(dir: &FilePath) -> (Embedded, String) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let subscriber = tracing_subscriber::fmt().with_writer(Log(Arc::clone(&log))).finish();
    let store = tracing::subscriber::with_default(subscriber, || open(dir));
    let said = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    (store, said)
}

#[derive(Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_index_survives_reopening() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    put(&store, 1, (0..20).map(nth)).await;
    drop(store);
    let store = open(dir.path());
    assert_eq!(found(&store, "PlayerLevel = 3").await.unwrap(), ["p00003", "p00016"]);
    put(&store, 2, [row("p00003", &[])]).await;
    store.close().await.unwrap();
    assert!(!dir.path().join(format!("{INDEX_FILE}-wal")).exists(), "closing writes the log back");
    assert!(matches!(store.put_rows(&registry(), of(3, [nth(1)])).await, Err(Error::Poisoned(_))));
    assert!(matches!(found(&store, "").await, Err(Error::Poisoned(_))));
    let store = open(dir.path());
    assert_eq!(found(&store, "PlayerLevel = 3").await.unwrap(), ["p00016"]);
    put(&store, 1, [nth(3)]).await;
    assert_eq!(found(&store, "PlayerLevel = 3").await.unwrap(), ["p00016"], "positions are kept");
    assert_eq!(checked(&store, false).await, (20, 0, 0));
}

#[tokio::test]
async fn an_index_that_is_no_good_is_made_anew_and_said() {
    let junk = "no database, but long enough to be looked at ".repeat(999);
    type Spoil<'a> = (&'a str, &'a dyn Fn(&FilePath));
    let spoils: &[Spoil<'_>] = &[
        ("has version 2", &|dir| sqlite(dir).execute_batch("PRAGMA user_version = 2").unwrap()),
        ("has version 0", &|dir| sqlite(dir).execute_batch("PRAGMA user_version = 0").unwrap()),
        ("no such table", &|dir| sqlite(dir).execute_batch("DROP TABLE entries").unwrap()),
        ("no rows", &|dir| sqlite(dir).execute_batch("DELETE FROM total").unwrap()),
        ("not a database", &|dir| fs::write(dir.join(INDEX_FILE), &junk).unwrap()),
        ("was missing", &|dir| fs::remove_file(dir.join(INDEX_FILE)).unwrap()),
    ];
    for (why, spoil) in spoils {
        let dir = TempDir::new().unwrap();
        let (store, fresh) = said(dir.path());
        assert_eq!(fresh, "", "a new world lacks nothing");
        let actor = "player:alice".parse().unwrap();
        let claim = Claim { actor, session: 1, creates: true, replaces: None };
        store.claim(claim).await.unwrap();
        put(&store, 1, [nth(1)]).await;
        drop(store);
        spoil(dir.path());
        let (store, warning) = said(dir.path());
        assert!(warning.contains("WARN") && warning.contains(why), "{why}: {warning}");
        assert!(warning.contains("players rebuild"), "{warning}");
        assert_eq!(found(&store, "").await.unwrap(), [""; 0], "{why}");
        put(&store, 1, [nth(1)]).await;
        assert_eq!(found(&store, "PlayerLevel = 1").await.unwrap(), ["p00001"]);
        let mode = fs::metadata(dir.path().join(INDEX_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(store);
        assert_eq!(said(dir.path()).1, "", "once is enough");
    }
}

/// Overwrites the second half of the file, where the entries of the last attributes are.
fn damage(dir: &FilePath) {
    let mut file = fs::OpenOptions::new().write(true).open(dir.join(INDEX_FILE)).unwrap();
    let half = file.metadata().unwrap().len() / 8_192 * 4_096;
    file.seek(SeekFrom::Start(half)).unwrap();
    file.write_all(&vec![0xA5; usize::try_from(half).unwrap()]).unwrap();
}

#[tokio::test]
async fn damage_that_shows_later_heals_in_the_running_server() {
    for by_reading in [true, false] {
        let dir = TempDir::new().unwrap();
        let store = open(dir.path());
        put(&store, 1, (0..3_000).map(nth)).await;
        drop(store);
        damage(dir.path());
        let store = open(dir.path());
        if by_reading {
            let failed = found(&store, "Guild STARTS_WITH 'guild' ORDER BY Gold").await;
            let stalled =
                matches!(&failed, Err(Error::Stalled(why)) if why.contains("can't be read"));
            assert!(stalled, "{failed:?}");
        } else {
            let moved = |n: u64| row(&format!("p{n:05}"), &[("PlayerLevel", (n % 13).into())]);
            put(&store, 2, (0..3_000).map(moved)).await;
        }
        // Whoever found it has told the writer, who serves one call after the other.
        put(&store, 3, (0..10).map(nth)).await;
        let rows = if by_reading { 10 } else { 3_000_usize };
        assert_eq!(checked(&store, false).await, (rows as u64, 0, 0));
        assert_eq!(found(&store, "PlayerLevel = 3").await.unwrap().len(), rows.div_ceil(13));
        let sql = "PRAGMA integrity_check";
        let whole = sqlite(dir.path()).query_row(sql, [], |row| row.get::<_, String>(0));
        assert_eq!(whole, Ok("ok".into()), "it was made anew");
        assert!(!store.poisoned().is_cancelled());
    }
}

const SABOTAGE: &str = "CREATE TRIGGER sabotage BEFORE INSERT ON rows
    BEGIN SELECT RAISE(ABORT, 'sabotage'); END;";

#[tokio::test]
async fn a_failed_write_is_an_error_of_the_index_alone() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    put(&store, 1, [nth(1)]).await;
    assert_eq!(checked(&store, false).await, (1, 0, 0));
    sqlite(dir.path()).execute_batch(SABOTAGE).unwrap();
    put(&store, 1, [nth(2)]).await;
    let stalled = |answer: Result<(), Error>| matches!(&answer, Err(Error::Stalled(why)) if why.contains("can't be written: sabotage"));
    assert_eq!(found(&store, "").await.unwrap(), ["p00001", "p00002"], "it is found already");
    assert!(stalled(store.check_entries(&registry(), 0, false).await.map(drop)));
    assert!(stalled(store.put_rows(&registry(), of(1, [nth(3)])).await), "no more are taken");
    assert!(!store.poisoned().is_cancelled());
    sqlite(dir.path()).execute_batch("DROP TRIGGER sabotage").unwrap();
    assert_eq!(found(&store, "").await.unwrap(), ["p00001", "p00002"], "what was taken is kept");
    put(&store, 1, [nth(3)]).await;
    assert_eq!(checked(&store, false).await, (3, 0, 0));
}

#[tokio::test]
async fn rows_wait_for_each_other_but_not_for_long() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let before = store.index.flushes();
    for seq in 1..=200 {
        put(&store, seq, (0..5).map(nth)).await;
    }
    assert_eq!(checked(&store, false).await, (5, 0, 0));
    let flushes = store.index.flushes() - before;
    assert!((1..100).contains(&flushes), "200 calls took {flushes} commits");
    put(&store, 1, [nth(7)]).await;
    let end = instant() + DEADLINE;
    let other = sqlite(dir.path());
    let count = || other.query_row("SELECT rows FROM total", [], |row| row.get::<_, i64>(0));
    while count().unwrap() != 6 {
        assert!(instant() < end, "the row was never written");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_kept_back_is_found_where_it_is_newer() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let level = |level: u64| row("alice", &[("PlayerLevel", level.into())]);
    let bob = || row("bob", &[("PlayerLevel", 2_u64.into())]);
    put(&store, 5, [level(5), bob()]).await;
    assert_eq!(checked(&store, false).await, (2, 0, 0), "the file has them");
    let before = store.index.flushes();
    for (seq, kept, there) in [(6, 6, 6), (3, 3, 5), (5, 8, 8)] {
        put(&store, seq, [level(kept)]).await;
        for asked in 3..=8 {
            let text = format!("PlayerLevel = {asked}");
            let found = found(&store, &text).await.unwrap();
            assert_eq!(!found.is_empty(), asked == there, "kept {kept} of {seq}: {text}");
        }
        assert_eq!(paged(&store, "", 1).await, ["alice", "bob"]);
        if seq == 6 {
            assert_eq!(store.index.flushes(), before, "nothing was written for a search");
        }
        // Back to how it was.
        store.drop_rows(&registry(), vec![(level(0).player().clone(), at(6))]).await.unwrap();
        put(&store, 5, [level(5)]).await;
        assert_eq!(checked(&store, false).await, (2, 0, 0));
    }
}

#[tokio::test]
async fn what_was_broken_by_hand_is_found_and_mended() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    put(&store, 1, (0..600).map(nth)).await;
    assert_eq!(checked(&store, false).await, (600, 0, 0));
    let by_hand = sqlite(dir.path());
    let break_it = |sql: &str, changes: usize| {
        assert_eq!(by_hand.execute(sql, []).unwrap(), changes, "{sql}");
    };
    break_it("DELETE FROM entries WHERE attribute = 4 AND player < 'p00500'", 500);
    break_it("DELETE FROM entries WHERE attribute = 'guild' AND player = 'p00599'", 1);
    break_it("UPDATE entries SET value = 99 WHERE attribute = 4 AND player = 'p00599'", 1);
    break_it("INSERT INTO entries VALUES (2, 'idle', 'nobody'), ('gone', 7, 'p00001')", 2);
    break_it("UPDATE total SET rows = 7", 1);
    // It had five entries.
    break_it("UPDATE rows SET row = x'01C1' WHERE player = 'p00550'", 1);
    break_it("UPDATE rows SET row = x'02' || row WHERE player = 'p00598'", 1);
    let all = found(&store, "").await.unwrap();
    assert_eq!(all.len(), 598, "what can't be read is passed over");
    assert!(!found(&store, "PlayerLevel = 99").await.unwrap().contains(&"p00599".into()));
    assert!(!found(&store, "PlayerStatus = 'idle'").await.unwrap().contains(&"nobody".into()));
    let strays = 1 + 2 + 5 + 5;
    assert_eq!(checked(&store, false).await, (600, 502, strays));
    assert_eq!(checked(&store, true).await, (598, 502, strays));
    assert_eq!(checked(&store, false).await, (598, 0, 0));
    let total = by_hand.query_row("SELECT rows FROM total", [], |row| row.get::<_, i64>(0));
    assert_eq!(total, Ok(598));
    assert_eq!(found(&store, "PlayerLevel = 3").await.unwrap().len(), 46);
    // A row that could not be read may come back, and takes its entries with it.
    put(&store, 1, [nth(550)]).await;
    assert_eq!(checked(&store, false).await, (599, 0, 0));
}

#[tokio::test]
async fn searches_and_writes_go_on_at_once() {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(open(dir.path()));
    put(&*store, 1, (0..500).map(nth)).await;
    let writes = (2..=40).map(|seq| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { put(&*store, seq, (0..500).map(|n| nth(n * 7 + seq))).await })
    });
    let writes: Vec<_> = writes.collect();
    let searches = (0..60).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let text = ["PlayerLevel = 3", "Gold > 100 OR Banned = true", ""][n % 3];
            let players = found(&*store, text).await.unwrap();
            let once: BTreeSet<_> = players.iter().collect();
            assert_eq!(once.len(), players.len(), "everybody once");
            if n % 10 == 0 {
                let (_, missing, stray) = checked(&*store, n % 20 == 0).await;
                assert_eq!((missing, stray), (0, 0), "one moment is whole");
            }
        })
    });
    for task in join_all(searches.chain(writes)).await {
        task.unwrap();
    }
    let (_, missing, stray) = checked(&*store, false).await;
    assert_eq!((missing, stray), (0, 0));
}

/// All players that a query finds, page by page.
async fn paged(store: &dyn Store, text: &str, limit: usize) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let Found::Page { rows, next } = store.search(asking(text, after, limit)).await.unwrap()
        else {
            panic!("no page");
        };
        all.extend(rows.iter().map(|row| row.player().to_string()));
        after = next;
        if after.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn broad_queries_find_what_a_look_at_every_row_finds() {
    let dir = TempDir::new().unwrap();
    let (store, memory) = (open(dir.path()), Memory::new(Clock::system()));
    for part in 0..18 {
        let rows = || (part * 1_000..(part + 1) * 1_000).map(nth);
        put(&store, 1, rows()).await;
        put(&memory, 1, rows()).await;
    }
    for (text, limit) in [
        ("PlayerStatus = 'in_room'", 900),
        ("PlayerStatus = 'in_room' AND Gold < 100", 20),
        ("PlayerStatus IN ('in_room', 'idle') AND Gold > 17000", 200),
        ("PlayerLevel >= 1", 1_000),
        ("PlayerLevel >= 1 AND NOT Gold < 17500", 100),
        ("PlayerLevel >= 1 AND NOT Gold < 17500 ORDER BY Gold DESC", 100),
        ("IdleTime > 5s", 1_000),
        ("IdleTime BETWEEN 11s AND 12s", 100),
        ("Gold IS NOT NULL OR Banned = true", 1_000),
        ("PlayerId STARTS_WITH 'p'", 1_000),
        ("PlayerId STARTS_WITH 'p0001'", 3),
        ("Guild STARTS_WITH 'guild-4' AND PlayerLevel = 4", 7),
        ("", 1_000),
    ] {
        let (here, there) = (paged(&store, text, limit).await, paged(&memory, text, limit).await);
        assert_eq!(here, there, "{text}");
        assert!(!here.is_empty(), "{text}");
    }
}

#[tokio::test]
async fn no_path_reads_a_whole_table() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let conn = sqlite(dir.path());
    let steps = |sql: &str| {
        let mut explained = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = explained.raw_query().mapped(|row| row.get::<_, String>(3));
        steps.collect::<Result<Vec<_>, _>>().unwrap()
    };
    assert!(steps("SELECT * FROM entries").iter().any(|step| step.contains("SCAN entries")));
    let keys = [
        Keys::Equal("a".into()),
        Keys::Equal(true.into()),
        Keys::Prefix("".into()),
        Keys::Prefix("ab".into()),
        Keys::Range { low: 1, high: 1 },
        Keys::Range { low: i64::MIN, high: i64::MAX },
    ];
    for attribute in registry().iter().filter(|a| a.is_indexed()) {
        for keys in &keys {
            let probe = Probe::new(&Path { attribute: attribute.clone(), keys: keys.clone() });
            for sql in [probe.counting, probe.reading, super::reader::READ_EVERY_ROW] {
                let steps = steps(sql);
                assert!(steps.iter().any(|step| step.starts_with("SEARCH")), "{sql}: {steps:?}");
                for step in steps {
                    let bad = ["SCAN entries", "SCAN rows", "TEMP B-TREE"];
                    assert!(!bad.iter().any(|bad| step.contains(bad)), "{sql}: {step}");
                }
            }
        }
    }
    drop(store);
}
