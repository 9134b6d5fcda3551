//! What only the embedded store promises: one process, restarts, poisoning, groups.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::TransactionBehavior;
use tempfile::TempDir;

use super::schema::DB_FILE;
use super::*;
use crate::store::{Owner, SnapshotRow, attributes_conformance, conformance, erase_conformance};

const DEADLINE: Duration = Duration::from_secs(10);

fn open(dir: &Path) -> Embedded {
    Embedded::open(dir, Clock::system()).unwrap()
}

/// A second connection, as an operator's `sqlite3` would have.
fn sqlite(dir: &Path) -> Connection {
    Connection::open(dir.join(DB_FILE)).unwrap()
}

fn id(text: &str) -> ActorId {
    text.parse().unwrap()
}

fn alice() -> ActorId {
    id("player:alice")
}

async fn hold(store: &Embedded, actor: &ActorId) -> Epoch {
    let claim = Claim { actor: actor.clone(), session: 1, creates: true, replaces: None };
    match store.claim(claim).await.unwrap() {
        Claimed::Granted { epoch, .. } => epoch,
        refused => panic!("{refused:?}"),
    }
}

fn append(actor: &ActorId, epoch: Epoch, seq: Seq) -> Append {
    let record = Bytes::from(format!("record {seq}"));
    Append { actor: actor.clone(), epoch, seq, append_id: seq, history: 0, record, due_ms: None }
}

async fn grown(store: &Embedded, actor: &ActorId, len: Seq) -> Epoch {
    let epoch = hold(store, actor).await;
    let batch = (1..=len).map(|seq| append(actor, epoch, seq)).collect();
    assert!(store.append(batch).await.iter().all(Result::is_ok));
    epoch
}

#[tokio::test]
async fn the_embedded_store_keeps_the_port() {
    let dirs = Mutex::new(Vec::new());
    let suites = [
        conformance::CHECKS,
        conformance::STRICT,
        erase_conformance::CHECKS,
        attributes_conformance::CHECKS,
    ];
    conformance::run(&suites, async || {
        let dir = TempDir::new().unwrap();
        let store = Arc::new(open(dir.path())) as Arc<dyn Store>;
        dirs.lock().unwrap_or_else(PoisonError::into_inner).push(dir);
        store
    })
    .await;
}

#[tokio::test]
async fn a_second_open_is_refused_with_a_sentence() {
    let dir = TempDir::new().unwrap();
    let first = open(dir.path());
    let Err(Error::Open(sentence)) = Embedded::open(dir.path(), Clock::system()) else {
        panic!("two stores in one directory");
    };
    assert!(sentence.contains("another holdfast") && sentence.contains("stop it first"));
    assert!(sentence.contains(&std::process::id().to_string()), "{sentence}");
    first.close().await.unwrap();
    let log = fs::metadata(dir.path().join(format!("{DB_FILE}-wal")));
    assert!(log.map_or(0, |log| log.len()) == 0, "closing writes the log back");
    open(dir.path());
}

#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("made/on/demand");
    let store = open(&data);
    store.secret("tokens", "secret".into()).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = fs::read_dir(&data).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 4, "file, log, index and lock: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn everything_acknowledged_survives_a_kill() {
    let (dir, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(dir.path());
    let epoch = grown(&store, &alice(), 5).await;
    let snapshot = Snapshot {
        actor: alice(),
        epoch,
        seq: 4,
        bytes: "state 4".into(),
        retain: 0,
        due_ms: Some(77),
    };
    store.snapshot(snapshot).await.unwrap();
    // What a killed process leaves: the files as they are, never closed.
    for name in [DB_FILE.to_owned(), format!("{DB_FILE}-wal")] {
        fs::copy(dir.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let after = open(copy.path());
    let loaded = after.load(&alice(), Base::Newest).await.unwrap();
    assert_eq!(loaded.snapshot, Some(SnapshotRow { seq: 4, bytes: "state 4".into() }));
    assert_eq!(loaded.tip, Tip { epoch, seq: 5, append_id: 5, continues: None, history: 0 });
    assert_eq!(after.due(0, None, 100, 9).await.unwrap(), [(77, alice())]);
    let newest = hold(&after, &alice()).await;
    assert!(newest > epoch, "the owner died with its process, its epoch did not");
    assert_eq!(
        after.append(vec![append(&alice(), epoch, 6)]).await,
        [Err(Error::Fenced { newest })]
    );
}

#[tokio::test]
async fn epochs_rise_even_if_the_clock_goes_back() {
    let dir = TempDir::new().unwrap();
    let ahead = Clock::movable();
    ahead.advance(3_600_000);
    let store = Embedded::open(dir.path(), ahead).unwrap();
    let epoch = hold(&store, &alice()).await;
    drop(store);
    assert_eq!(hold(&open(dir.path()), &alice()).await, epoch + 1);
}

#[tokio::test]
async fn a_drop_writes_what_waits() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let epoch = hold(&store, &alice()).await;
    let calls: Vec<_> =
        (1..=50).map(|seq| store.append(vec![append(&alice(), epoch, seq)])).collect();
    drop(store);
    drop(calls);
    assert_eq!(open(dir.path()).tip(&alice()).await.unwrap().unwrap().seq, 50);
}

#[tokio::test]
async fn damage_is_reported_and_concerns_one_actor() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let damage = [
        ("player:gap", "DELETE FROM journal WHERE seq = 3 AND actor = "),
        ("player:type", "UPDATE journal SET record = 'text' WHERE seq = 3 AND actor = "),
        ("player:epoch", "UPDATE journal SET epoch = 1 WHERE seq = 3 AND actor = "),
    ];
    for (name, sql) in damage {
        grown(&store, &id(name), 5).await;
        let of_actor = format!("{sql} (SELECT id FROM actor WHERE name = '{name}')");
        assert_eq!(sqlite(dir.path()).execute(&of_actor, []).unwrap(), 1);
        let loaded = store.load(&id(name), Base::Newest).await;
        assert!(matches!(&loaded, Err(Error::Corrupt { actor, .. }) if *actor == id(name)));
    }
    grown(&store, &alice(), 5).await;
    store.load(&alice(), Base::Newest).await.expect("the others are served");
}

/// Makes every COMMIT that carries a record fail, but no statement before it.
const FAILING_COMMIT: &str = "
    CREATE TABLE never(id INTEGER REFERENCES actor(id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER sabotage AFTER INSERT ON journal BEGIN INSERT INTO never VALUES (-1); END;";

/// Makes the statement itself fail.
const FAILING_STATEMENT: &str = "DROP TABLE journal;";

#[tokio::test]
async fn a_failed_write_poisons_the_store() {
    for failure in [FAILING_COMMIT, FAILING_STATEMENT] {
        let dir = TempDir::new().unwrap();
        let store = open(dir.path());
        let epoch = grown(&store, &alice(), 1).await;
        let poisoned = store.poisoned();
        assert!(!poisoned.is_cancelled());
        sqlite(dir.path()).execute_batch(failure).unwrap();
        let failed = store.append(vec![append(&alice(), epoch, 2)]).await;
        assert!(matches!(failed[..], [Err(Error::Poisoned(_))]), "{failed:?}");
        tokio::time::timeout(DEADLINE, poisoned.cancelled()).await.expect("the node hears of it");
        assert!(matches!(store.tip(&alice()).await, Err(Error::Poisoned(_))));
        assert!(matches!(store.put_score(score()).await, Err(Error::Poisoned(_))));
        assert!(matches!(store.close().await, Err(Error::Poisoned(_))));
    }
}

fn score() -> Score {
    Score { player: "alice".into(), name: "Alice".into(), score: 1, at: 1 }
}

#[tokio::test]
async fn a_poisoned_store_is_whole_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let epoch = grown(&store, &alice(), 3).await;
    sqlite(dir.path()).execute_batch(FAILING_COMMIT).unwrap();
    assert!(store.append(vec![append(&alice(), epoch, 4)]).await[0].is_err());
    drop(store);
    sqlite(dir.path()).execute_batch("DROP TRIGGER sabotage; DROP TABLE never;").unwrap();
    let store = open(dir.path());
    assert_eq!(store.load(&alice(), Base::Newest).await.unwrap().tip.seq, 3);
    let epoch = hold(&store, &alice()).await;
    assert_eq!(store.append(vec![append(&alice(), epoch, 4)]).await, [Ok(())]);
}

#[tokio::test]
async fn what_waits_goes_into_one_commit() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let epoch = hold(&store, &alice()).await;
    let before = store.commits();
    let mut blocker = sqlite(dir.path());
    let held = blocker.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let calls: Vec<_> =
        (1..=100).map(|seq| store.append(vec![append(&alice(), epoch, seq)])).collect();
    drop(held);
    for answers in futures::future::join_all(calls).await {
        assert_eq!(answers, [Ok(())]);
    }
    let commits = store.commits() - before;
    assert!((1..=2).contains(&commits), "100 calls took {commits} commits");
}

#[tokio::test]
async fn an_owner_is_forgotten_with_its_process_only() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let epoch = hold(&store, &alice()).await;
    let claim = Claim { actor: alice(), session: 2, creates: false, replaces: None };
    let held = Claimed::Held(Owner { session: 1, epoch });
    assert_eq!(store.claim(claim.clone()).await.unwrap(), held);
    drop(store);
    let granted = open(dir.path()).claim(claim).await.unwrap();
    assert!(matches!(granted, Claimed::Granted { .. }), "{granted:?}");
}

#[tokio::test]
async fn an_actor_that_ended_leaves_no_row() {
    let dir = TempDir::new().unwrap();
    let clock = Clock::movable();
    let store = Embedded::open(dir.path(), clock.clone()).unwrap();
    let epoch = grown(&store, &alice(), 5).await;
    for seq in [2, 4] {
        let due_ms = Some(77);
        let (actor, bytes) = (alice(), "state".into());
        let snapshot = Snapshot { actor, epoch, seq, bytes, retain: 9, due_ms };
        store.snapshot(snapshot).await.unwrap();
    }
    let rows = "SELECT (SELECT count(*) FROM actor) + (SELECT count(*) FROM journal)
        + (SELECT count(*) FROM snapshot) + (SELECT count(*) FROM due)";
    let count = || sqlite(dir.path()).query_row(rows, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 1 + 5 + 2 + 1);
    clock.advance(1);
    store.erase(&alice(), epoch, 5).await.unwrap();
    assert_eq!(count(), 0);
}

#[tokio::test]
async fn metrics_are_kept_once() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    for (key, actions) in [("a", 1), ("a", 2), ("b", 3)] {
        let (key, player) = (key.into(), "alice".into());
        let metrics = SessionMetrics { key, player, actions, duration_ms: 1, at_ms: 1 };
        store.put_metrics(metrics).await.unwrap();
    }
    let sql = "SELECT count(*), sum(actions) FROM metrics";
    let kept = sqlite(dir.path()).query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(kept, Ok((2, 4)));
}

#[tokio::test]
async fn version_1_stays_readable() {
    let dir = TempDir::new().unwrap();
    sqlite(dir.path()).execute_batch(include_str!("fixtures/v1.sql")).unwrap();
    let store = open(dir.path());
    let loaded = store.load(&alice(), Base::Older).await.unwrap();
    assert_eq!(loaded.snapshot, Some(SnapshotRow { seq: 3, bytes: vec![3, 3].into() }));
    let records: Vec<_> = loaded.records.iter().map(|row| row.record.to_vec()).collect();
    assert_eq!(records, [[4], [5], [6]]);
    assert_eq!(
        loaded.tip,
        Tip { epoch: 1_700_000_000_500, seq: 6, append_id: u64::MAX, continues: None, history: 0 }
    );
    assert_eq!(
        store.due(0, None, u64::MAX, 9).await.unwrap(),
        [(1_700_000_009_000, id("room:lobby"))]
    );
    assert_eq!(store.top_scores(9).await.unwrap()[0].score, 120);
    assert_eq!(store.secret("tokens", Bytes::new()).await.unwrap(), vec![0, 255]);
    grown(&store, &id("player:bob"), 3).await;
}

#[test]
fn newer_data_and_foreign_files_are_refused_with_a_sentence() {
    let dir = TempDir::new().unwrap();
    sqlite(dir.path()).execute_batch("PRAGMA user_version = 2").unwrap();
    let Err(Error::Open(sentence)) = Embedded::open(dir.path(), Clock::system()) else {
        panic!("newer data was opened");
    };
    assert!(sentence.contains("newer holdfast (data version 2"), "{sentence}");

    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join(DB_FILE),
        "not a database, but long enough to be looked at ".repeat(99),
    )
    .unwrap();
    let Err(Error::Open(sentence)) = Embedded::open(dir.path(), Clock::system()) else {
        panic!("a foreign file was opened");
    };
    assert!(sentence.contains("restore the file from a backup"), "{sentence}");
}
