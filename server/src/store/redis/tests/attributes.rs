//! The attribute index on real servers: its suite, and what only Redis can do to it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use holdfast_protocol::ids::{ActorId, PlayerId};
use redis::Value as Reply;

use super::cluster::cluster;
use super::server::Server;
use crate::clock::Clock;
use crate::search::{Counts, Declaration, Registry, Row, Type, Value, parse};
use crate::store::attributes::{EntriesFound, Found, RowAt, RowOf, Search, Want};
use crate::store::attributes_conformance::CHECKS;
use crate::store::durability::Durability;
use crate::store::redis::keys::{partition_of, tag_of};
use crate::store::redis::{Options, Redis};
use crate::store::{Error, Partition, Store, conformance};

async fn open(address: &str, namespace: &str) -> Redis {
    let address = address.parse().expect("an address");
    let options = Options { address, namespace: namespace.into(), level: Durability::Stored };
    Redis::open(&options, Clock::system()).await.expect("the server answers")
}

fn registry() -> Arc<Registry> {
    Arc::new(Registry::default())
}

fn player(id: &str) -> PlayerId {
    PlayerId::new(id).unwrap()
}

fn of(registry: &Registry, id: &str, at: (u64, u64), values: &[(&str, Value)]) -> RowOf {
    let mut row = Row::new(player(id));
    for (name, value) in values {
        row.set(registry.find(name).unwrap(), Some(value.clone())).unwrap();
    }
    RowOf { at: RowAt { epoch: at.0, seq: at.1 }, row }
}

/// alice, in a room, with gold.
async fn put_alice(store: &Redis, at: (u64, u64), gold: i64) -> Result<(), Error> {
    let values = [("CurrentRoom", "arena".into()), ("Gold", gold.into())];
    store.put_rows(&registry(), vec![of(&registry(), "alice", at, &values)]).await
}

fn asked(registry: &Arc<Registry>, text: &str, want: Want) -> Search {
    let query = Arc::new(parse(registry, text).unwrap());
    Search { registry: Arc::clone(registry), query, now_ms: 1_000, want }
}

async fn found_by(store: &Redis, registry: &Arc<Registry>, text: &str) -> Vec<String> {
    let want = Want::Page { after: None, limit: 1_000 };
    match store.search(asked(registry, text, want)).await.unwrap() {
        Found::Page { rows, next: None } => {
            rows.iter().map(|row| row.player().to_string()).collect()
        }
        other => panic!("{other:?}"),
    }
}

async fn found(store: &Redis, text: &str) -> Vec<String> {
    found_by(store, &registry(), text).await
}

fn home(id: &str) -> Partition {
    partition_of(&ActorId::player(&player(id)))
}

/// A key of alice's partition.
fn key(store: &Redis, name: &str) -> String {
    store.keys().of(&tag_of(&"player:alice".parse().unwrap()), name)
}

async fn check(store: &Redis, mends: bool) -> EntriesFound {
    store.check_entries(&registry(), home("alice"), mends).await.unwrap()
}

/// Each check gets a namespace of its own.
async fn keeps_the_index(address: &str) {
    let worlds = AtomicU32::new(0);
    conformance::run(&[CHECKS], async || {
        let namespace = format!("hf{}", worlds.fetch_add(1, Ordering::Relaxed));
        Arc::new(open(address, &namespace).await) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_the_index() {
    let server = Server::start(&[]).await;
    keeps_the_index(&server.address()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_the_index() {
    let nodes = cluster().await;
    keeps_the_index(&format!("redis+cluster://127.0.0.1:{}", nodes[0].port)).await;
}

#[tokio::test]
async fn what_was_broken_by_hand_is_mended() {
    let server = Server::start(&[]).await;
    let store = open(&server.address(), "hf").await;
    put_alice(&store, (1, 1), 7).await.unwrap();
    let whole = EntriesFound { rows: 1, missing: 0, stray: 0 };
    assert_eq!(check(&store, false).await, whole);
    for (broken, missing, stray) in [
        (format!("ZREM {} alice", key(&store, "x:n6")), 1, 0),
        (format!("ZADD {} 8 alice", key(&store, "x:n6")), 1, 1),
        (format!("ZADD {} 8 nobody", key(&store, "x:n4")), 0, 1),
        (format!("ZADD {} 0 not-a-word", key(&store, "x:w1")), 0, 1),
        (format!("DEL {}", key(&store, "x:w3")), 1, 0),
        (format!("DEL {}", key(&store, "x:n0")), 1, 0),
        (format!("DEL {} {}", key(&store, "x:n6"), key(&store, "x:n0")), 2, 0),
    ] {
        server.run(&broken).await;
        let wrong = EntriesFound { rows: 1, missing, stray };
        assert_eq!(check(&store, false).await, wrong, "{broken}");
        assert_eq!(check(&store, true).await, wrong, "{broken}");
        assert_eq!(check(&store, false).await, whole, "{broken}");
        assert_eq!(found(&store, "Gold = 7 AND PlayerLevel IS NULL").await, ["alice"]);
        assert_eq!(found(&store, "CurrentRoom = 'arena'").await, ["alice"]);
        assert_eq!(found(&store, "").await, ["alice"]);
    }
}

#[tokio::test]
async fn rows_that_cannot_be_read_go() {
    let server = Server::start(&[]).await;
    let store = open(&server.address(), "hf").await;
    put_alice(&store, (1, 1), 7).await.unwrap();
    for damage in ["", "short", "sixteen-bytes-of-a-position-and-a-tail"] {
        server.run(&format!("HSET {} alice {damage}", key(&store, "r"))).await;
        assert_eq!(check(&store, false).await.rows, 1, "{damage}");
        assert_eq!(found(&store, "").await, [""; 0], "{damage}");
        // Whoever is written again is whole again.
        put_alice(&store, (u64::MAX, 1), 7).await.unwrap();
        assert_eq!(check(&store, false).await, EntriesFound { rows: 1, ..Default::default() });
    }
    // Names and entries that nobody writes.
    for damage in [&b"\x01\0\x03\0\0x}y"[..], b"\x01\0\x02\0\x02n6\xff\xff", b"\x01\xff\xff\0\0"] {
        let damaged = [&[0; 16][..], damage].concat();
        let mut write = redis::cmd("HSET");
        write.arg(key(&store, "r")).arg("alice").arg(damaged);
        write.exec_async(&mut server.admin().await).await.unwrap();
        assert_eq!(check(&store, false).await.rows, 1);
        put_alice(&store, (1, 1), 7).await.unwrap();
        assert_eq!(check(&store, false).await, EntriesFound { rows: 1, ..Default::default() });
    }
    server.run(&format!("HSET {} alice short", key(&store, "r"))).await;
    assert_eq!(check(&store, true).await, EntriesFound { rows: 0, missing: 0, stray: 3 });
    assert_eq!(check(&store, true).await, EntriesFound::default());
    assert_eq!(server.run(&format!("EXISTS {}", key(&store, "r"))).await, Reply::Int(0));
}

#[tokio::test]
async fn a_wiped_partition_is_refused() {
    let server = Server::start(&[]).await;
    let store = open(&server.address(), "hf").await;
    put_alice(&store, (1, 1), 7).await.unwrap();
    server.run(&format!("DEL {}", key(&store, "p"))).await;
    let partition = home("alice");
    let page = Want::Page { after: None, limit: 10 };
    let doomed = vec![(player("alice"), RowAt { epoch: 1, seq: 1 })];
    let answers = [
        put_alice(&store, (1, 2), 8).await.err(),
        store.search(asked(&registry(), "", page)).await.err(),
        store.rows(&registry(), partition, None, 10).await.err(),
        store.drop_rows(&registry(), doomed).await.err(),
        store.check_entries(&registry(), partition, true).await.err(),
    ];
    for answer in answers {
        assert!(matches!(answer, Some(Error::Wiped(_))), "{answer:?}");
    }
    assert_eq!(server.run(&format!("ZSCORE {} alice", key(&store, "x:n6"))).await, score(7.0));
    // The others are written all the same.
    let bob = of(&registry(), "bob", (1, 1), &[]);
    let alice = of(&registry(), "alice", (1, 2), &[]);
    let both = store.put_rows(&registry(), vec![alice, bob]).await;
    assert!(matches!(both, Err(Error::Wiped(_))), "{both:?}");
    assert_eq!(store.rows(&registry(), home("bob"), None, 10).await.unwrap().len(), 1);
}

fn score(score: f64) -> Reply {
    Reply::BulkString(score.to_string().into())
}

#[tokio::test]
async fn rows_of_a_fenced_owner_are_dropped() {
    let server = Server::start(&[]).await;
    let (old, new) = (open(&server.address(), "hf").await, open(&server.address(), "hf").await);
    // Positions that doubles don't tell apart.
    let epoch = (1 << 62) + 1;
    put_alice(&old, (epoch - 1, 9), 1).await.unwrap();
    put_alice(&new, (epoch, 9), 2).await.unwrap();
    put_alice(&old, (epoch - 1, 12), 3).await.unwrap();
    assert_eq!(found(&old, "Gold IN (1, 3)").await, [""; 0]);
    assert_eq!(found(&old, "Gold = 2").await, ["alice"]);
    let doomed = vec![(player("alice"), RowAt { epoch: epoch - 1, seq: 9 })];
    old.drop_rows(&registry(), doomed).await.unwrap();
    assert_eq!(found(&old, "Gold = 2").await, ["alice"]);
    assert_eq!(check(&old, false).await, EntriesFound { rows: 1, ..Default::default() });
}

#[tokio::test]
async fn forgotten_scripts_are_taught_again() {
    let server = Server::start(&[]).await;
    let store = open(&server.address(), "hf").await;
    for seq in 1..3 {
        server.run("SCRIPT FLUSH").await;
        let rows = (0..100).map(|n| of(&registry(), &format!("p{n}"), (1, seq), &[]));
        store.put_rows(&registry(), rows.collect()).await.unwrap();
        server.run("SCRIPT FLUSH").await;
        assert_eq!(found(&store, "").await.len(), 100);
        server.run("SCRIPT FLUSH").await;
        assert_eq!(check(&store, true).await.stray, 0);
    }
    server.run("SCRIPT FLUSH").await;
    let doomed = (0..100).map(|n| (player(&format!("p{n}")), RowAt { epoch: 1, seq: 2 }));
    store.drop_rows(&registry(), doomed.collect()).await.unwrap();
    assert_eq!(found(&store, "").await.len(), 0);
}

#[tokio::test]
async fn numbers_beyond_a_double_are_told_apart() {
    let server = Server::start(&[]).await;
    let store = open(&server.address(), "hf").await;
    let big = 1_i64 << 53;
    let rows =
        (0..4).map(|n| of(&registry(), &format!("p{n}"), (1, 1), &[("Score", (big + n).into())]));
    store.put_rows(&registry(), rows.collect()).await.unwrap();
    for n in 0..4 {
        assert_eq!(found(&store, &format!("Score = {}", big + n)).await, [format!("p{n}")]);
        let above = found(&store, &format!("Score > {}", big + n)).await;
        assert_eq!(above.len() as i64, 3 - n, "above {n}: {above:?}");
    }
    let by = Counts::by(&registry(), "PlayerStatus").unwrap();
    let search = asked(&registry(), &format!("Score < {}", big + 1), Want::Counts(by));
    let Found::Counts(counts) = store.search(search).await.unwrap() else { panic!("no counts") };
    assert_eq!(counts.total(), 1);
}

#[tokio::test]
async fn other_versions_of_the_game_leave_nothing_behind() {
    let server = Server::start(&[]).await;
    let store = open(&server.address(), "hf").await;
    let declared = |declaration: Declaration| {
        let mut registry = Registry::default();
        registry.declare(declaration).unwrap();
        Arc::new(registry)
    };
    let clans = declared(Declaration::stored("Clan", Type::Keyword));
    let numbered = declared(Declaration::stored("clan", Type::Integer));
    let plain = registry();
    let put = async |registry: &Arc<Registry>, seq: u64, values: &[(&str, Value)]| {
        let rows = vec![of(registry, "alice", (1, seq), values)];
        store.put_rows(registry, rows).await.unwrap();
    };
    let entries = async |name: &str| server.run(&format!("ZCARD {}", key(&store, name))).await;
    let whole = EntriesFound { rows: 1, ..Default::default() };
    put(&clans, 1, &[("Clan", "red".into())]).await;
    // A look by another version knows that it is no stray.
    assert_eq!(store.check_entries(&plain, home("alice"), true).await.unwrap(), whole);
    assert_eq!(found_by(&store, &clans, "Clan = 'red'").await, ["alice"]);
    assert_eq!(found_by(&store, &numbered, "Clan IS NOT NULL").await, [""; 0]);
    put(&numbered, 2, &[("clan", 5_i64.into())]).await;
    assert_eq!(entries("x:wclan").await, Reply::Int(0));
    assert_eq!(found_by(&store, &numbered, "Clan = 5").await, ["alice"]);
    assert_eq!(found_by(&store, &clans, "Clan STARTS_WITH ''").await, [""; 0]);
    put(&plain, 3, &[]).await;
    assert_eq!(entries("x:nclan").await, Reply::Int(0));
    put(&clans, 4, &[("Clan", "blue".into())]).await;
    let doomed = vec![(player("alice"), RowAt { epoch: 1, seq: 4 })];
    store.drop_rows(&plain, doomed).await.unwrap();
    assert_eq!(entries("x:wclan").await, Reply::Int(0));
    assert_eq!(store.check_entries(&clans, home("alice"), false).await.unwrap().stray, 0);
    assert_eq!(found(&store, "").await, [""; 0]);
}

#[tokio::test]
async fn a_crowded_partition_is_read_in_pieces() {
    let server = Server::start(&[]).await;
    let store = open(&server.address(), "hf").await;
    let ids = (0..).map(|n| format!("p{n}")).filter(|id| home(id) == 7);
    let ids: BTreeSet<String> = ids.take(300).collect();
    let row = |id: &String| of(&registry(), id, (1, 1), &[("Gold", (id.len() as i64).into())]);
    store.put_rows(&registry(), ids.iter().map(row).collect()).await.unwrap();
    let all: Vec<_> = ids.iter().cloned().collect();
    for text in ["", "Gold >= 1 AND Gold <= 9", "Gold > 0 OR PlayerId STARTS_WITH 'p'"] {
        assert_eq!(found(&store, text).await, all, "{text}");
    }
    let rows = store.rows(&registry(), 7, None, 299).await.unwrap();
    let walked: Vec<_> = rows.iter().map(|of| of.row.player().to_string()).collect();
    assert_eq!(walked, all[..299]);
}

#[tokio::test]
async fn a_full_store_takes_no_rows_but_lets_them_go() {
    let server = Server::start(&[]).await;
    let store = open(&server.address(), "hf").await;
    put_alice(&store, (1, 1), 7).await.unwrap();
    server.run("CONFIG SET maxmemory 1").await;
    let refused = put_alice(&store, (1, 2), 8).await;
    assert!(matches!(refused, Err(Error::Stalled(_))), "{refused:?}");
    assert_eq!(found(&store, "Gold = 7").await, ["alice"]);
    let doomed = vec![(player("alice"), RowAt { epoch: 1, seq: 1 })];
    store.drop_rows(&registry(), doomed).await.unwrap();
    assert_eq!(found(&store, "").await, [""; 0]);
}
