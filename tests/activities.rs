//! Activities: attempts by the clock, timeouts, heartbeats, and what a crash does to them.

use bytes::Bytes;
use holdfast::actor::activity::Failure;
use holdfast::actor::contract::ActivityOptions;
use holdfast::actor::handle::{Config, Runtime};
use holdfast::clock::Clock;

use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::work::{Desk, Run, activities};
use crate::toy::{Order, alone, order, query, seq, start, toy};

struct House {
    clock: Clock,
    store: Bent,
    rt: Runtime,
    desk: Desk,
}

fn house(config: &Config) -> House {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let (activities, desk) = activities();
    let rt = start(store.shared(), &clock, activities, config);
    House { clock, store, rt, desk }
}

impl House {
    async fn run(&self, key: &str, name: &str, options: ActivityOptions) {
        let run = Order::Run { name: name.into(), input: format!("for {key}"), options };
        order(&self.rt, &toy(key), &run).await.unwrap();
    }

    /// Moves the clock on until an attempt begins.
    async fn attempt(&mut self) -> Run {
        eventually("an attempt", PATIENCE, async || {
            let run = self.desk.now();
            if run.is_none() {
                self.clock.advance(50);
            }
            run
        })
        .await
    }

    /// Moves the clock on until the rules have heard of the end.
    async fn heard(&self, key: &str, start: &str) {
        eventually("the end to reach the rules", PATIENCE, async || {
            self.clock.advance(100);
            let notes = query(&self.rt, &toy(key), false).await.unwrap().notes;
            let ends: Vec<_> = notes.iter().filter(|(note, _)| note.starts_with(start)).collect();
            assert!(ends.iter().all(|(_, times)| **times == 1), "heard twice: {ends:?}");
            (!ends.is_empty()).then_some(())
        })
        .await;
    }
}

fn passing() -> Result<Bytes, Failure> {
    Err(Failure::passing("not yet"))
}

/// Fails every attempt; how long it took from each to the next.
async fn waits(house: &mut House, attempts: u32) -> Vec<u64> {
    let mut waits = Vec::new();
    let mut last_ms = None;
    for n in 1..=attempts {
        let run = house.attempt().await;
        let now_ms = house.clock.now_ms();
        waits.extend(last_ms.map(|last| now_ms - last));
        assert_eq!((run.attempt.attempt, &*run.attempt.key), (n, "toy:a/1"));
        assert_eq!(&run.attempt.input[..], b"for a");
        last_ms = Some(now_ms);
        run.end(passing());
    }
    waits
}

fn assert_waits(waits: &[u64], expected: &[u64]) {
    assert_eq!(waits.len(), expected.len());
    for (wait, expected) in waits.iter().zip(expected) {
        let most = expected + 900;
        assert!((*expected..most).contains(wait), "{waits:?} for {expected:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_attempts_one_second_apart_then_twice_as_long_each() {
    let mut house = house(&alone());
    house.run("a", "manual", ActivityOptions::default()).await;
    let waits = waits(&mut house, 5).await;
    assert_waits(&waits, &[1_000, 2_000, 4_000, 8_000]);
    house.heard("a", "manual failed: not yet").await;
    assert!(house.desk.now().is_none(), "a sixth attempt");
    house.rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wait_is_longer_than_the_longest() {
    let mut house = house(&alone());
    let options = ActivityOptions { retry_ms_max: 3_000, ..ActivityOptions::default() };
    house.run("a", "manual", options).await;
    assert_waits(&waits(&mut house, 5).await, &[1_000, 2_000, 3_000, 3_000]);
    house.heard("a", "manual failed").await;
    house.rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_no_retry_mends_ends_at_once() {
    let mut house = house(&alone());
    house.run("a", "manual", ActivityOptions::default()).await;
    house.run("b", "unknown", ActivityOptions::default()).await;
    house.desk.next().await.end(Err(Failure::lasting("never")));
    house.heard("a", "manual failed: never").await;
    house.heard("b", "unknown failed: no activity is named unknown").await;
    assert_eq!((house.desk.alive(), house.rt.stats().attempts.get()), (0, 2));
    house.rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_takes_too_long_is_dropped_and_tried_again() {
    let mut house = house(&alone());
    house.run("a", "manual", ActivityOptions::default()).await;
    let mut first = house.desk.next().await;
    house.clock.advance(30_000);
    first.dropped().await;
    let second = house.attempt().await;
    assert_eq!((second.attempt.attempt, &second.attempt.key), (2, &first.attempt.key));
    second.done("well");
    house.heard("a", "manual: well").await;
    house.rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_attempt_is_dropped_and_the_next_reads_its_last_heartbeat() {
    let mut house = house(&alone());
    let options = ActivityOptions {
        start_to_close_ms: 30 * 60_000,
        heartbeat_timeout_ms: Some(10_000),
        ..ActivityOptions::default()
    };
    house.run("a", "manual", options).await;
    let mut first = house.desk.next().await;
    assert_eq!(first.attempt.heartbeat, None);
    for n in 0..6 {
        house.clock.advance(6_000);
        first.attempt.heart.beat(format!("{n} done").into());
        query(&house.rt, &toy("a"), false).await.unwrap();
    }
    assert_eq!(house.desk.alive(), 1, "dropped though its heart beats");
    house.clock.advance(10_000);
    first.dropped().await;
    let second = house.attempt().await;
    assert_eq!(second.attempt.heartbeat.as_deref(), Some(&b"5 done"[..]));
    second.done("well");
    house.heard("a", "manual: well").await;
    house.rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_heartbeats_become_a_record_in_five_seconds() {
    let mut house = house(&alone());
    let options = ActivityOptions { start_to_close_ms: 30 * 60_000, ..ActivityOptions::default() };
    house.run("a", "manual", options).await;
    let run = house.desk.next().await;
    let before = seq(&house.store, &toy("a")).await;
    let begun = house.clock.now_ms();
    for n in 0..400_u32 {
        house.clock.advance(50);
        run.attempt.heart.beat(n.to_string().into());
        query(&house.rt, &toy("a"), false).await.unwrap();
    }
    let records = seq(&house.store, &toy("a")).await - before;
    let most = (house.clock.now_ms() - begun) / 5_000 + 1;
    assert!((2..=most).contains(&records), "{records} records, at most {most} were expected");
    run.done("well");
    house.heard("a", "manual: well").await;
    house.rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_run_at_once_than_may() {
    let mut house = house(&Config { activities_max: 3, ..alone() });
    for n in 0..10 {
        house.run(&format!("n{n}"), "manual", ActivityOptions::default()).await;
    }
    for _ in 0..10 {
        let run = house.desk.next().await;
        assert!(house.desk.alive() <= 3, "{} at once", house.desk.alive());
        run.done("well");
    }
    for n in 0..10 {
        house.heard(&format!("n{n}"), "manual: well").await;
    }
    house.rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_failed_attempt() {
    let house = house(&alone());
    let options = ActivityOptions { attempts_max: 2, ..ActivityOptions::default() };
    house.run("a", "panics", options.clone()).await;
    house.run("b", "panics_early", options).await;
    house.heard("a", "panics failed: it panicked").await;
    house.heard("b", "panics_early failed: it panicked").await;
    assert_eq!(house.rt.stats().attempts.get(), 4);
    house.rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activity_runs_again_under_its_key_where_its_actor_is_taken_over() {
    let mut house = house(&alone());
    house.run("a", "manual", ActivityOptions::default()).await;
    let first = house.desk.next().await;
    // The first node still runs, but the second has the actor now.
    let (activities, mut desk) = activities();
    let second = start(house.store.shared(), &house.clock, activities, &alone());
    query(&second, &toy("a"), false).await.unwrap();
    let again = desk.next().await;
    assert_eq!(again.attempt.key, first.attempt.key);
    assert_eq!(again.attempt.attempt, 1, "a lost attempt is not a failed one");
    first.done("by the first");
    again.done("by the second");
    let there = House { clock: house.clock.clone(), store: house.store.clone(), rt: second, desk };
    there.heard("a", "manual: by the second").await;
    let notes = query(&there.rt, &toy("a"), true).await.unwrap().notes;
    assert!(!notes.contains_key("manual: by the first"), "{notes:?}");
    for rt in [house.rt, there.rt] {
        rt.drain().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_drops_attempts_and_the_next_start_runs_them_again() {
    let mut house = house(&alone());
    house.run("a", "manual", ActivityOptions::default()).await;
    let mut first = house.desk.next().await;
    tokio::time::timeout(PATIENCE, house.rt.drain()).await.expect("the drain hangs");
    first.dropped().await;
    // No one speaks to the actor: that it owes something is in the store.
    let (activities, mut desk) = activities();
    let rt = start(house.store.shared(), &house.clock, activities, &alone());
    let again = desk.next().await;
    assert_eq!((&again.attempt.key, again.attempt.attempt), (&first.attempt.key, 1));
    again.done("well");
    let there = House { clock: house.clock.clone(), store: house.store.clone(), rt, desk };
    there.heard("a", "manual: well").await;
    there.rt.drain().await;
}
