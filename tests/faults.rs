//! Faults of rules and stores stay where they are: one command, one actor, or the node when its
//! store can't go on.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use holdfast::actor::activity::Activities;
use holdfast::actor::core::Limits;
use holdfast::actor::envelope::CallError;
use holdfast::actor::handle::{Config, Runtime};
use holdfast::clock::Clock;
use holdfast::store::Base;

use crate::inproc::SOON;
use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::{Line, Order, alone, asleep, order, query, start, toy};

fn house() -> (Clock, Bent, Runtime) {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let limits = Limits { snapshot_records: 8, ..Limits::default() };
    let config = Config { limits, retain: 0, ..alone() };
    let rt = start(store.shared(), &clock, Activities::default(), &config);
    (clock, store, rt)
}

async fn add(rt: &Runtime, key: &str, n: u64) {
    for _ in 0..n {
        order(rt, &toy(key), &Order::Add(1)).await.unwrap();
    }
}

/// Flips the last byte.
fn damage(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bytes.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_decide_refuses_its_command_only() {
    let (_, _, rt) = house();
    let mut line = Line::open(&rt, "a").await;
    for (id, what) in [(1, Order::Add(1)), (2, Order::Panic), (3, Order::Add(1))] {
        line.send(id, &what).await;
    }
    assert!(line.reply(1).await.result.is_ok());
    let refused = line.reply(2).await.result.unwrap_err();
    assert_eq!(refused.code, "bad_args");
    assert!(line.reply(3).await.result.is_ok());
    assert_eq!(query(&rt, &toy("a"), true).await.unwrap().sum, 2);
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_apply_quarantines_its_actor_only() {
    let (_, _, rt) = house();
    add(&rt, "a", 1).await;
    add(&rt, "b", 1).await;
    assert!(order(&rt, &toy("a"), &Order::Bomb).await.is_err());
    assert_eq!(order(&rt, &toy("a"), &Order::Add(1)).await.unwrap_err(), CallError::Quarantined);
    assert_eq!(query(&rt, &toy("a"), true).await, Err(CallError::Quarantined));
    add(&rt, "b", 1).await;
    assert_eq!(rt.stats().quarantined.get(), 1);
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_view_stops_no_one() {
    let (_, _, rt) = house();
    order(&rt, &toy("a"), &Order::Hide).await.unwrap();
    add(&rt, "a", 1).await;
    add(&rt, "b", 1).await;
    assert!(!rt.fatal().is_cancelled());
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_falls_back_to_the_one_before() {
    let (clock, store, rt) = house();
    add(&rt, "a", 30).await;
    asleep(&rt, &clock).await;
    store.bend(|base, loaded| {
        if let (Base::Newest, Some(snapshot)) = (base, &mut loaded.snapshot) {
            snapshot.bytes = damage(&snapshot.bytes);
        }
    });
    assert_eq!(query(&rt, &toy("a"), true).await.unwrap().sum, 30);
    add(&rt, "a", 1).await;
    assert_eq!(rt.stats().quarantined.get(), 0);
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_quarantines() {
    let (clock, store, rt) = house();
    add(&rt, "a", 3).await;
    add(&rt, "b", 10).await;
    asleep(&rt, &clock).await;
    // Only the journal of `a` has records before its first snapshot.
    store.bend(|_, loaded| {
        if let (None, Some(row)) = (&loaded.snapshot, loaded.records.get_mut(1)) {
            row.record = damage(&row.record);
        }
    });
    for _ in 0..2 {
        assert_eq!(query(&rt, &toy("a"), false).await, Err(CallError::Quarantined));
    }
    assert_eq!(query(&rt, &toy("b"), false).await.unwrap().sum, 10);
    assert_eq!(rt.stats().quarantined.get(), 1);
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_later_version_is_refused_but_not_quarantined() {
    let (clock, store, rt) = house();
    add(&rt, "a", 3).await;
    asleep(&rt, &clock).await;
    store.bend(|_, loaded| {
        for row in &mut loaded.records {
            let mut record = row.record.to_vec();
            record[0] = u8::MAX;
            row.record = record.into();
        }
    });
    assert_eq!(query(&rt, &toy("a"), false).await, Err(CallError::Busy));
    store.bend(|_, _| {});
    assert_eq!(query(&rt, &toy("a"), false).await.unwrap().sum, 3);
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_to_a_quarantined_actor_back_off() {
    let (clock, _, rt) = house();
    add(&rt, "a", 1).await;
    order(&rt, &toy("a"), &Order::Bomb).await.unwrap_err();
    let stats = rt.stats();
    let tell = Order::Tell { to: toy("a"), order: Box::new(Order::Add(1)), creates: true };
    order(&rt, &toy("b"), &tell).await.unwrap();
    let (before, begun) = (stats.tells.get(), clock.now_ms());
    eventually("ten seconds to pass", PATIENCE, async || {
        clock.advance(100);
        query(&rt, &toy("b"), false).await.unwrap();
        (clock.now_ms() > begun + 10_000).then_some(())
    })
    .await;
    let resent = stats.tells.get() - before;
    assert!((1..20).contains(&resent), "sent again {resent} times in ten seconds");
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_store_is_tried_again_but_not_hammered() {
    let (clock, store, rt) = house();
    let mut line = Line::open(&rt, "a").await;
    let switches = store.switches();
    Bent::turn(&switches.stalled, true);
    line.send(1, &Order::Add(1)).await;
    let (begun, stats) = (clock.now_ms(), rt.stats());
    let before = switches.appends.load(Ordering::SeqCst);
    eventually("a few tries", PATIENCE, async || {
        clock.advance(100);
        (stats.doubts.get() >= 5).then_some(())
    })
    .await;
    let tries = switches.appends.load(Ordering::SeqCst) - before;
    let passed_ms = clock.now_ms() - begun;
    assert!(tries <= 2 + passed_ms / 50, "{tries} tries in {passed_ms} ms");
    Bent::turn(&switches.stalled, false);
    assert!(line.reply(1).await.result.is_ok());
    assert_eq!(query(&rt, &toy("a"), true).await.unwrap().sum, 1);
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_can_not_go_on_stops_the_node_even_when_no_one_plays() {
    let (_, store, rt) = house();
    Bent::turn(&store.switches().poisoned, true);
    let fatal = rt.fatal();
    tokio::time::timeout(SOON, fatal.cancelled()).await.expect("it goes on without a store");
    rt.drain().await;
}
