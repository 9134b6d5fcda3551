//! The store, on real servers: the suites, and what only Redis can do to it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::join_all;
use holdfast_protocol::ids::ActorId;
use redis::Value;

use super::server::{Server, eventually};
use crate::clock::Clock;
use crate::store::durability::Durability;
use crate::store::redis::{Options, Redis};
use crate::store::{
    Append, Base, Claim, Claimed, Epoch, Error, Owner, Reassert, Reasserted, Score, Seq,
    SessionMetrics, Snapshot, Store, conformance, erase_conformance, nodes_conformance,
};

/// An actor's stream is small.
const PLAIN: [&str; 2] = ["--stream-node-max-bytes", "1024"];
/// Everything that was answered survives a kill.
const KEPT: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

async fn try_open(server: &Server, level: Durability) -> Result<Redis, Error> {
    let address = server.address().parse().expect("an address");
    let options = Options { address, namespace: "hf".into(), level };
    Redis::open(&options, Clock::system()).await
}

async fn open(server: &Server) -> Redis {
    try_open(server, Durability::Stored).await.expect("the server answers")
}

fn alice() -> ActorId {
    "player:alice".parse().unwrap()
}

fn claim(session: u64, replaces: Option<Owner>) -> Claim {
    Claim { actor: alice(), session, creates: true, replaces }
}

async fn hold(store: &Redis) -> Epoch {
    match store.claim(claim(1, None)).await.unwrap() {
        Claimed::Granted { epoch, .. } => epoch,
        refused => panic!("not granted: {refused:?}"),
    }
}

fn record(store: &Redis, epoch: Epoch, seq: Seq) -> Append {
    Append {
        actor: alice(),
        epoch,
        seq,
        append_id: seq + 100,
        history: store.history_of(&alice()),
        record: format!("record {seq}").into(),
        due_ms: None,
    }
}

async fn put(store: &Redis, append: Append) -> Result<(), Error> {
    store.append(vec![append]).await.pop().unwrap()
}

/// An actor with records.
async fn grown(store: &Redis, len: Seq) -> Epoch {
    let epoch = hold(store).await;
    for seq in 1..=len {
        put(store, record(store, epoch, seq)).await.unwrap();
    }
    epoch
}

fn snapshot(epoch: Epoch, seq: Seq) -> Snapshot {
    let bytes = Bytes::from(format!("state {seq}"));
    Snapshot { actor: alice(), epoch, seq, bytes, retain: 0, due_ms: None }
}

/// Memory at `seq`, against the tip as it is.
async fn whole(store: &Redis, continues: Epoch, seq: Seq) -> Reassert {
    Reassert {
        actor: alice(),
        session: 1,
        observed: store.tip(&alice()).await.unwrap().unwrap(),
        continues,
        seq,
        append_id: 7_777,
        snapshot: Some(format!("state {seq}").into()),
        due_ms: None,
    }
}

async fn number(server: &Server, words: &str) -> i64 {
    redis::from_redis_value(server.run(words).await).expect("a number")
}

/// Kills a server and starts it again; waits until the store is in its new history.
async fn restart(server: &mut Server, store: &Redis) {
    let before = store.history_of(&alice());
    server.kill();
    server.restart().await;
    eventually("the new history is noticed", async || {
        (store.history_of(&alice()) != before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_the_port() {
    let servers = Mutex::new(Vec::new());
    let checks = [conformance::CHECKS, nodes_conformance::CHECKS, erase_conformance::CHECKS];
    conformance::run(&checks, async || {
        let server = Server::start(&PLAIN).await;
        let store = open(&server).await;
        servers.lock().unwrap().push(server);
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn an_append_of_another_history_is_not_sent() {
    let server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    let epoch = grown(&store, 1).await;
    let old = Append { history: store.history_of(&alice()) + 1, ..record(&store, epoch, 2) };
    let batch = vec![old, record(&store, epoch, 2)];
    let answers = store.append(batch).await;
    assert!(matches!(answers[0], Err(Error::Doubt(_))), "{answers:?}");
    assert_eq!(answers[1], Ok(()), "the others of its batch are");
    assert_eq!(number(&server, &format!("XLEN {}", store.keys().journal(&alice()))).await, 3);
}

#[tokio::test]
async fn a_gap_is_taken_and_found_by_a_load() {
    let server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    let epoch = grown(&store, 1).await;
    put(&store, record(&store, epoch, 3)).await.expect("the stream sees no gap");
    let loaded = store.load(&alice(), Base::Newest).await;
    assert!(matches!(loaded, Err(Error::Corrupt { .. })), "{loaded:?}");
}

#[tokio::test]
async fn holders_come_first_after_a_restart() {
    let mut server = Server::start(&KEPT).await;
    let (store, other) = (open(&server).await, open(&server).await);
    let epoch = grown(&store, 2).await;
    let before = record(&store, epoch, 3);
    let mut changes = store.changes();
    changes.mark_unchanged();
    restart(&mut server, &store).await;
    assert!(changes.has_changed().unwrap());

    let unsent = put(&store, before).await;
    assert!(matches!(unsent, Err(Error::Doubt(_))), "{unsent:?}");
    let newcomer = eventually("a newcomer is answered", async || {
        other.claim(claim(2, Some(Owner { session: 1, epoch }))).await.ok()
    })
    .await;
    assert!(matches!(newcomer, Claimed::Wait(1..=2_000)), "{newcomer:?}");

    let marker = Reassert { snapshot: None, ..whole(&store, epoch, 2).await };
    let answer = store.reassert(marker).await;
    let Ok(Reasserted::Granted { epoch: newest, history }) = answer else {
        panic!("the holder was not let through: {answer:?}");
    };
    assert_eq!(history, store.history_of(&alice()));
    put(&store, record(&store, newest, 3)).await.unwrap();

    let owner = Some(Owner { session: 1, epoch: newest });
    let granted = eventually("the grace ends", async || match other.claim(claim(2, owner)).await {
        Ok(Claimed::Granted { epoch, seq, .. }) => Some((epoch, seq)),
        _ => None,
    })
    .await;
    assert!(granted.0 > newest && granted.1 == 3, "{granted:?}");
}

#[tokio::test]
async fn the_grace_begins_without_a_claim() {
    let mut server = Server::start(&KEPT).await;
    let store = open(&server).await;
    grown(&store, 1).await;
    let facts = store.keys().facts(&crate::store::redis::keys::tag_of(&alice()));
    assert_eq!(number(&server, &format!("HGET {facts} grace")).await, 0, "the first starts none");
    restart(&mut server, &store).await;
    eventually("the grace is recorded", async || {
        (number(&server, &format!("HGET {facts} grace")).await > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_emptied_store_is_wiped_and_stays_empty() {
    let mut server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    let epoch = grown(&store, 2).await;
    let memory = whole(&store, epoch, 2).await;
    restart(&mut server, &store).await;

    let wiped = |what: &str, error: Option<Error>| {
        assert!(matches!(error, Some(Error::Wiped(_))), "{what}: {error:?}");
    };
    wiped("claim", store.claim(claim(1, None)).await.err());
    wiped("tip", store.tip(&alice()).await.err());
    wiped("load", store.load(&alice(), Base::Newest).await.err());
    wiped("append", put(&store, record(&store, epoch, 3)).await.err());
    wiped("reassert", store.reassert(memory).await.err());
    wiped("snapshot", store.snapshot(snapshot(epoch, 2)).await.err());
    wiped("release", store.release(&alice(), epoch, Some(1)).await.err());
    wiped("erase", store.erase(&alice(), epoch, 2).await.err());
    wiped("due", store.due(0, None, 9, 9).await.err());
    wiped("history", store.history(&alice(), 1, 9).await.err());
    let score = Score { player: "alice".into(), name: "Alice".into(), score: 1, at: 1 };
    wiped("scores", store.put_score(score).await.err());
    wiped("top", store.top_scores(3).await.err());
    wiped("secret", store.secret("tokens", "x".into()).await.err());
    let (key, player) = ("k".to_owned(), "alice".to_owned());
    let metrics = SessionMetrics { key, player, actions: 1, duration_ms: 1, at_ms: 1 };
    wiped("metrics", store.put_metrics(metrics).await.err());
    assert_eq!(number(&server, "DBSIZE").await, 0, "nothing was made anew");
}

#[tokio::test]
async fn part_of_another_world_is_not_opened() {
    let server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    let secret = store.secret("tokens", "first".into()).await.unwrap();
    let again = open(&server).await;
    assert_eq!(again.secret("tokens", "second".into()).await.unwrap(), secret, "one world");
    server.run("DEL hf:{meta}:meta").await;
    open(&server).await;
    server.run("DEL hf:{meta}:meta hf:{meta}:seed").await;
    let refused = try_open(&server, Durability::Stored).await;
    assert!(matches!(&refused, Err(Error::Open(why)) if why.contains("world")), "{refused:?}");
}

#[tokio::test]
async fn forgotten_scripts_are_taught_again() {
    let server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    let epoch = grown(&store, 1).await;
    server.run("SCRIPT FLUSH").await;
    store.snapshot(snapshot(epoch, 1)).await.unwrap();
    server.run("SCRIPT FLUSH").await;
    assert!(hold(&store).await > epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_claims_give_rising_epochs_and_no_gap() {
    let server = Server::start(&PLAIN).await;
    let (one, two) = (open(&server).await, open(&server).await);
    let granted = Arc::new(Mutex::new(Vec::new()));
    let racers = (1..=20_u64).map(|session| {
        let store = if session % 2 == 0 { one.clone() } else { two.clone() };
        let granted = Arc::clone(&granted);
        tokio::spawn(async move {
            let mut replaces = None;
            for _ in 0..500 {
                match store.claim(claim(session, replaces)).await.unwrap() {
                    Claimed::Held(owner) => replaces = Some(owner),
                    Claimed::Granted { epoch, seq, .. } => {
                        granted.lock().unwrap().push(epoch);
                        match put(&store, record(&store, epoch, seq + 1)).await {
                            Ok(()) | Err(Error::Fenced { .. }) => {}
                            other => panic!("{other:?}"),
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
        })
    });
    for racer in join_all(racers.collect::<Vec<_>>()).await {
        racer.unwrap();
    }
    let mut epochs = granted.lock().unwrap().clone();
    let count = epochs.len();
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), count, "an epoch was granted twice");
    let loaded = one.load(&alice(), Base::Newest).await.unwrap();
    assert_eq!(loaded.terms.len(), count, "each claim left its marker");
    assert_eq!(loaded.records.len() as Seq, loaded.tip.seq);
    assert!(loaded.tip.seq > 0);
}

#[tokio::test]
async fn a_full_store_stalls_appends_and_lets_go() {
    let server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    let epoch = grown(&store, 3).await;
    server.run("CONFIG SET maxmemory 1").await;
    let stalled = put(&store, record(&store, epoch, 4)).await;
    assert!(matches!(stalled, Err(Error::Stalled(_))), "{stalled:?}");
    let claimed = store.claim(claim(1, None)).await;
    assert!(matches!(claimed, Err(Error::Stalled(_))), "{claimed:?}");
    store.snapshot(snapshot(epoch, 3)).await.expect("snapshots make room");
    let answer = store.reassert(whole(&store, epoch, 4).await).await;
    let Ok(Reasserted::Granted { epoch, .. }) = answer else { panic!("{answer:?}") };
    server.run("CONFIG SET maxmemory 0").await;
    put(&store, record(&store, epoch, 5)).await.unwrap();
    server.run("CONFIG SET maxmemory 1").await;
    store.release(&alice(), epoch, Some(9)).await.expect("letting go makes room");
}

#[tokio::test]
async fn an_emptied_journal_keeps_its_tip() {
    let server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    let epoch = grown(&store, 3).await;
    store.snapshot(snapshot(epoch, 3)).await.unwrap();
    server.run(&format!("XTRIM {} MAXLEN 0", store.keys().journal(&alice()))).await;
    let tip = store.tip(&alice()).await.unwrap().unwrap();
    assert_eq!((tip.epoch, tip.seq, tip.append_id), (epoch, 3, 0));
    let loaded = store.load(&alice(), Base::Newest).await.unwrap();
    assert_eq!((loaded.snapshot.unwrap().seq, loaded.records.len(), loaded.tip), (3, 0, tip));
    put(&store, record(&store, epoch, 4)).await.unwrap();
}

#[tokio::test]
async fn an_actor_without_records_leaves_no_key() {
    let server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    let before = number(&server, "DBSIZE").await;
    let epoch = hold(&store).await;
    eventually("the store's clock moves on", async || (store.now_ms() > epoch + 5).then_some(()))
        .await;
    store.release(&alice(), epoch, None).await.unwrap();
    assert_eq!(number(&server, "DBSIZE").await, before);
    assert_eq!(store.tip(&alice()).await, Ok(None));
    let late = put(&store, record(&store, epoch, 1)).await;
    assert!(matches!(late, Err(Error::Doubt(_))), "{late:?}");
}

/// Erases the actor, once its epoch is past.
async fn erase(store: &Redis, epoch: Epoch, seq: Seq) {
    eventually("the epoch to be past", async || match store.erase(&alice(), epoch, seq).await {
        Err(Error::Stalled(_)) => None,
        answer => {
            answer.unwrap();
            Some(())
        }
    })
    .await;
}

#[tokio::test]
async fn an_actor_that_ended_leaves_no_key() {
    let server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    let before = number(&server, "DBSIZE").await;
    let epoch = grown(&store, 3).await;
    for seq in [1, 3] {
        store.snapshot(snapshot(epoch, seq)).await.unwrap();
    }
    let due_ms = Some(9);
    put(&store, Append { due_ms, ..record(&store, epoch, 4) }).await.unwrap();
    assert_eq!(number(&server, "DBSIZE").await, before + 6, "four of its own, and two indexes");
    server.run("CONFIG SET maxmemory 1").await;
    erase(&store, epoch, 4).await;
    server.run("CONFIG SET maxmemory 0").await;
    assert_eq!(number(&server, "DBSIZE").await, before);
    let late = put(&store, Append { due_ms, ..record(&store, epoch, 5) }).await;
    assert!(matches!(late, Err(Error::Doubt(_))), "{late:?}");
    let woken = Claim { creates: false, ..claim(2, None) };
    assert_eq!(store.claim(woken).await, Ok(Claimed::Absent));
    assert_eq!(number(&server, "DBSIZE").await, before, "nor does who comes late");
}

#[tokio::test]
async fn an_end_waits_for_the_holders_of_a_new_history() {
    let mut server = Server::start(&KEPT).await;
    let store = open(&server).await;
    let epoch = grown(&store, 2).await;
    restart(&mut server, &store).await;
    let early = store.erase(&alice(), epoch, 2).await;
    assert!(matches!(early, Err(Error::Stalled(_))), "{early:?}");
    assert_eq!(store.tip(&alice()).await.unwrap().map(|tip| tip.seq), Some(2));
    erase(&store, epoch, 2).await;
    assert_eq!(store.tip(&alice()).await, Ok(None));
}

#[tokio::test]
async fn a_journal_that_is_lost_is_told_from_an_actor_that_ended() {
    let server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    grown(&store, 1).await;
    server.run(&format!("DEL {}", store.keys().journal(&alice()))).await;
    let tip = store.tip(&alice()).await.unwrap();
    assert!(tip.is_some_and(|tip| tip.is_of_nothing()), "{tip:?}");
}

#[tokio::test]
async fn a_snapshot_without_a_journal_is_not_served() {
    let server = Server::start(&PLAIN).await;
    let store = open(&server).await;
    let epoch = grown(&store, 1).await;
    store.snapshot(snapshot(epoch, 1)).await.unwrap();
    server.run(&format!("DEL {}", store.keys().journal(&alice()))).await;
    let loaded = store.load(&alice(), Base::Newest).await;
    assert!(matches!(loaded, Err(Error::Corrupt { .. })), "{loaded:?}");
    let claimed = store.claim(claim(2, None)).await;
    assert!(matches!(claimed, Err(Error::Wiped(_))), "{claimed:?}");
}

#[tokio::test]
async fn replicas_confirm_before_the_answer() {
    let primary = Server::start(&PLAIN).await;
    let refused = try_open(&primary, Durability::Replicated(1)).await;
    assert!(matches!(&refused, Err(Error::Open(why)) if why.contains("0 replicas")), "{refused:?}");
    let port = primary.port.to_string();
    let mut replica = Server::start(&["--replicaof", "127.0.0.1", &port]).await;
    let store = eventually("the replica follows", async || {
        try_open(&primary, Durability::Replicated(1)).await.ok()
    })
    .await;
    eventually("the replica is in step", async || {
        primary.run("SET step 1").await;
        (number(&primary, "WAIT 1 100").await == 1).then_some(())
    })
    .await;
    let epoch = hold(&store).await;
    let asked = |seq| put(&store, record(&store, epoch, seq));
    asked(1).await.unwrap();
    let key = store.keys().journal(&alice());
    assert_eq!(number(&replica, &format!("XLEN {key}")).await, 2, "marker and record are there");
    replica.kill();
    let alone = asked(2).await;
    assert!(matches!(alone, Err(Error::Doubt(_))), "{alone:?}");
    assert_eq!(number(&primary, &format!("XLEN {key}")).await, 3, "it was written, unconfirmed");
    let tip = store.tip(&alice()).await;
    assert!(matches!(tip, Err(Error::Doubt(_))), "what is not confirmed is not shown: {tip:?}");
}

#[tokio::test]
async fn a_level_that_is_not_kept_is_refused() {
    let plain = Server::start(&PLAIN).await;
    let refused = try_open(&plain, Durability::Fsynced).await;
    assert!(matches!(&refused, Err(Error::Open(why)) if why.contains("appendonly")), "{refused:?}");
    let kept = Server::start(&KEPT).await;
    let store =
        try_open(&kept, Durability::Fsynced).await.expect("its file is synced before answers");
    assert!(store.describe().durability.starts_with("fsynced"));
    grown(&store, 2).await;
    let second = Server::start(&["--appendonly", "yes", "--appendfsync", "everysec"]).await;
    let version = second.run("INFO server").await;
    let Value::BulkString(_) = version else { panic!("{version:?}") };
    let old = redis::from_redis_value::<String>(version).unwrap().contains("redis_version:7.0");
    let opened = try_open(&second, Durability::Fsynced).await;
    assert_eq!(opened.is_err(), old, "only newer servers can be asked: {opened:?}");
}
