//! The cap on activations: the idlest go first, never one that is connected or owes something.

use std::sync::Arc;

use holdfast::actor::activity::Activities;
use holdfast::actor::envelope::CallError;
use holdfast::actor::handle::{Config, Runtime};
use holdfast::clock::Clock;
use holdfast::store::memory::Memory;

use crate::support::{PATIENCE, eventually};
use crate::toy::{Line, Order, alone, order, start, toy};

fn house(activations_max: usize) -> (Clock, Runtime) {
    let clock = Clock::movable();
    let store = Arc::new(Memory::new(clock.clone()));
    // Nothing leaves by itself.
    let config = Config { activations_max, idle_ms: u64::MAX / 2, ..alone() };
    let rt = start(store, &clock, Activities::default(), &config);
    (clock, rt)
}

async fn touch(rt: &Runtime, clock: &Clock, key: &str) -> Result<(), CallError> {
    clock.advance(10);
    order(rt, &toy(key), &Order::Add(1)).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_idlest_goes_when_one_more_comes() {
    let (clock, rt) = house(4);
    for key in ["a", "b", "c", "d", "a"] {
        touch(&rt, &clock, key).await.unwrap();
    }
    touch(&rt, &clock, "e").await.expect("room is made for it");
    let stats = rt.stats();
    assert_eq!((stats.activated.get(), stats.refused_at_cap.get()), (5, 0));
    for key in ["c", "d", "a", "e"] {
        touch(&rt, &clock, key).await.unwrap();
    }
    assert_eq!(stats.activated.get(), 5, "only the idlest was to go");
    touch(&rt, &clock, "b").await.unwrap();
    assert_eq!(stats.activated.get(), 6, "the idlest was to go");
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_not_go_does_not_keep_others_in() {
    let (clock, rt) = house(64);
    let mut lines = Vec::new();
    for n in 0..40 {
        lines.push(Line::open(&rt, &format!("player-{n}")).await);
    }
    for n in 0..100 {
        touch(&rt, &clock, &format!("other-{n}")).await.expect("the others make room");
    }
    assert!(rt.stats().activations.get() <= 64);
    for line in &mut lines {
        line.send(1, &Order::Add(1)).await;
        assert!(line.reply(1).await.result.is_ok(), "a connected one was let go");
    }
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_one_to_let_go_new_ones_are_refused_until_there_is() {
    let (clock, rt) = house(2);
    let first = Line::open(&rt, "first").await;
    let at_ms = clock.now_ms() + 2_000;
    order(&rt, &toy("timer"), &Order::Timer { name: "soon".into(), at_ms }).await.unwrap();
    for _ in 0..10 {
        assert_eq!(touch(&rt, &clock, "third").await, Err(CallError::Busy));
    }
    first.hang_up().await;
    eventually("room", PATIENCE, async || touch(&rt, &clock, "third").await.ok()).await;
    assert!(rt.stats().activations.get() <= 2);
    rt.drain().await;
}
