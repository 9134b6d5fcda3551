//! Durable timers fire for actors that are not in memory, whatever came between, and by the store's
//! clock, whatever the machine's shows.

use std::sync::atomic::Ordering;

use holdfast::actor::activity::Activities;
use holdfast::actor::handle::{Config, Runtime};
use holdfast::clock::Clock;
use holdfast::store::Store;
use holdfast_protocol::ids::ActorId;

use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::{Line, Order, alone, asleep, order, query, seq, start, toy};

fn runtime(store: &Bent, clock: &Clock, config: &Config) -> Runtime {
    start(store.shared(), clock, Activities::default(), config)
}

async fn set(rt: &Runtime, id: &ActorId, name: &str, at_ms: u64) {
    order(rt, id, &Order::Timer { name: name.into(), at_ms }).await.unwrap();
}

/// Moves the clock on until the toy has one record more, and looks what it is.
async fn fired(rt: &Runtime, store: &Bent, clock: &Clock, id: &ActorId, name: &str) {
    let before = seq(store, id).await;
    eventually("the timer's record", PATIENCE, async || {
        clock.advance(500);
        (seq(store, id).await > before).then_some(())
    })
    .await;
    assert_eq!(query(rt, id, false).await.unwrap().notes[&format!("timer {name}")], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_for_an_actor_that_is_not_in_memory() {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let rt = runtime(&store, &clock, &alone());
    let at_ms = clock.now_ms() + 600_000;
    set(&rt, &toy("a"), "t", at_ms).await;
    asleep(&rt, &clock).await;
    assert!(clock.now_ms() < at_ms, "it was kept in memory");
    clock.advance(at_ms - clock.now_ms());
    fired(&rt, &store, &clock, &toy("a"), "t").await;
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_after_a_restart() {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let rt = runtime(&store, &clock, &alone());
    let at_ms = clock.now_ms() + 600_000;
    for key in ["a", "b"] {
        set(&rt, &toy(key), "t", at_ms).await;
    }
    rt.drain().await;
    clock.advance(600_000);
    let rt = runtime(&store, &clock, &alone());
    for key in ["a", "b"] {
        eventually("the timer", PATIENCE, async || {
            (seq(&store, &toy(key)).await > 1).then_some(())
        })
        .await;
        assert_eq!(query(&rt, &toy(key), false).await.unwrap().notes["timer t"], 1);
    }
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_that_finds_no_room_fires_when_there_is_some() {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let rt = runtime(&store, &clock, &Config { activations_max: 1, ..alone() });
    let at_ms = clock.now_ms() + 600_000;
    set(&rt, &toy("a"), "t", at_ms).await;
    asleep(&rt, &clock).await;
    let line = Line::open(&rt, "b").await;
    clock.advance(at_ms - clock.now_ms());
    let stats = rt.stats();
    eventually("the wake-up to be refused", PATIENCE, async || {
        (stats.refused_at_cap.get() > 0).then_some(())
    })
    .await;
    line.hang_up().await;
    fired(&rt, &store, &clock, &toy("a"), "t").await;
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_though_its_actor_was_not_released_well() {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let rt = runtime(&store, &clock, &alone());
    let (id, now_ms) = (toy("a"), clock.now_ms());
    set(&rt, &id, "first", now_ms + 3_000).await;
    set(&rt, &id, "second", now_ms + 600_000).await;
    // The store keeps the first timer's time: the second one is later.
    fired(&rt, &store, &clock, &id, "first").await;
    Bent::turn(&store.switches().no_release, true);
    asleep(&rt, &clock).await;
    Bent::turn(&store.switches().no_release, false);
    assert!(clock.now_ms() < now_ms + 600_000);
    clock.advance(600_000);
    fired(&rt, &store, &clock, &id, "second").await;
    rt.drain().await;
}

/// Sleeps are booked by the store's clock: with a machine whose own is ahead, a node would else be
/// awake all the time that it is ahead.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_clock_is_behind_keeps_no_one_awake() {
    let clock = Clock::system();
    let store = Bent::new(&clock);
    store.switches().behind_ms.store(60_000, Ordering::SeqCst);
    let rt = runtime(&store, &clock, &alone());
    let before = store.switches().looks.load(Ordering::SeqCst);
    set(&rt, &toy("a"), "t", store.now_ms() + 500).await;
    eventually("the timer", PATIENCE, async || (seq(&store, &toy("a")).await > 1).then_some(()))
        .await;
    let looks = store.switches().looks.load(Ordering::SeqCst) - before;
    assert!(looks < 1_000, "the clock was asked {looks} times in half a second");
    rt.drain().await;
}
