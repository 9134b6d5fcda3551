//! Nodes that die, are cut off, or fall silent, and a store that goes back in time: nothing that
//! was acknowledged is lost, and no one acts without a lease.

use std::time::Duration;

use holdfast::actor::envelope::{CallError, Closing, Delivery};
use holdfast::clock;

use crate::houses::{City, TTL_MS, order_once};
use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::{Line, Order, order, query, seq, toy};

/// What a busy machine may add to a span.
const SLACK: Duration = Duration::from_millis(1_000);

async fn add(line: &mut Line, ids: std::ops::RangeInclusive<u64>) {
    for id in ids {
        line.send(id, &Order::Add(1)).await;
        assert!(line.reply(id).await.result.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_of_a_dead_node_goes_on_at_once_elsewhere() {
    let city = City::new();
    let (one, two) = (city.house("one").await, city.house("two").await);
    let mut line = Line::open(&one.runtime, "a").await;
    add(&mut line, 1..=20).await;
    one.kill();
    let begun = clock::instant();
    let mut again = Line::open(&two.runtime, "a").await;
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(TTL_MS), "it waited for the lease: {took:?}");
    add(&mut again, 1..=1).await;
    assert_eq!(query(&two.runtime, &toy("a"), true).await.unwrap().sum, 21);
    assert_eq!(two.runtime.stats().taken_over.get(), 1);
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_whose_node_does_not_answer_is_claimed_once_a_lease() {
    let city = City::new();
    let (one, two) = (city.house("one").await, city.house("two").await);
    order(&one.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    two.lose_mail(true);
    let claims = || two.runtime.stats().claims_unanswered.get();
    // What was forwarded may have taken effect there, so it is not executed again here.
    let unknown = order(&two.runtime, &toy("a"), &Order::Add(10)).await;
    assert_eq!(unknown, Err(CallError::OutcomeUnknown));
    let first = clock::instant();
    let ours = async || (city.owner("a").await == Some(two.session())).then_some(());
    eventually("the actor to be claimed", PATIENCE, ours).await;
    assert_eq!(query(&two.runtime, &toy("a"), true).await.unwrap().sum, 1);
    assert_eq!(claims(), 1);

    // The first node finds out when it looks; then its player takes the actor back, and the
    // silence goes on.
    assert_eq!(query(&one.runtime, &toy("a"), true).await, Err(CallError::Busy));
    let fenced = async || (one.runtime.stats().fenced.get() == 1).then_some(());
    eventually("the stale activation to end", PATIENCE, fenced).await;
    let line = Line::open(&one.runtime, "a").await;
    let answered = order_once(&two.runtime, &toy("a"), &Order::Add(100), "once").await;
    assert!(answered.is_ok(), "a key takes effect once, wherever: {answered:?}");
    let apart = first.elapsed();
    assert_eq!(claims(), 2);
    // The first claim was made a little before its caller heard of it.
    let least = Duration::from_millis(TTL_MS - 300);
    assert!(apart >= least, "claimed again after {apart:?}");
    assert_eq!(query(&two.runtime, &toy("a"), true).await.unwrap().sum, 101);
    drop(line);
    two.lose_mail(false);
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_node_does_nothing_and_goes_on_when_its_lease_is_back() {
    let city = City::new();
    let one = city.house("one").await;
    let mut line = Line::open(&one.runtime, "a").await;
    add(&mut line, 1..=3).await;
    one.cut_off(true);
    one.frozen().await;
    let before = seq(&city.store, &toy("a")).await;
    line.send(4, &Order::Add(1)).await;
    let asked = tokio::spawn({
        let rt = one.runtime.clone();
        async move { query(&rt, &toy("a"), false).await }
    });
    let absent = tokio::spawn({
        let rt = one.runtime.clone();
        async move { order(&rt, &toy("b"), &Order::Add(1)).await }
    });
    // A frozen node still takes mail: this is queued behind the others.
    one.runtime.detach(&toy("c"), 1).await;
    let quiet = tokio::time::timeout(Duration::from_millis(300), line.connection.next()).await;
    assert!(quiet.is_err(), "a frozen node has answered: {quiet:?}");
    assert!(!asked.is_finished() && !absent.is_finished(), "a frozen node has answered");
    assert_eq!(seq(&city.store, &toy("a")).await, before, "a frozen node has appended");
    assert_eq!(city.owner("b").await, None, "a frozen node has claimed");
    one.cut_off(false);
    assert!(line.reply(4).await.result.is_ok());
    assert!(asked.await.unwrap().unwrap().sum >= 3);
    assert!(absent.await.unwrap().is_ok());
    let stats = one.runtime.stats();
    assert_eq!((stats.reasserted.get(), stats.fenced.get()), (0, 0));
    assert!(one.handle.frozen_ms() >= 300);
    assert_eq!(one.handle.stats().freezes.get(), 1);
    one.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_declared_dead_claims_its_actors_again() {
    let city = City::new();
    let (one, two) = (city.house("one").await, city.house("two").await);
    let mut line = Line::open(&one.runtime, "a").await;
    let mut lost = Line::open(&one.runtime, "b").await;
    add(&mut line, 1..=3).await;
    add(&mut lost, 1..=3).await;
    let dead = one.session();
    one.cut_off(true);
    two.buries(dead).await;
    // Another node has addressed one of them meanwhile.
    order(&two.runtime, &toy("b"), &Order::Add(10)).await.unwrap();
    assert_eq!(two.runtime.stats().adopted.get(), 1);
    line.send(4, &Order::Add(1)).await;
    one.cut_off(false);
    assert!(line.reply(4).await.result.is_ok());
    assert_ne!(one.session(), dead);
    assert_eq!(city.owner("a").await, Some(one.session()));
    loop {
        if let Delivery::Close(why) = lost.next().await {
            assert_eq!(why, Closing::Lost);
            break;
        }
    }
    assert_eq!(one.runtime.stats().reasserted.get(), 2, "written back, and confirmed");
    assert_eq!(one.runtime.stats().fenced.get(), 1);
    assert_eq!(query(&two.runtime, &toy("a"), true).await.unwrap().sum, 4);
    assert_eq!(query(&one.runtime, &toy("b"), true).await.unwrap().sum, 13);
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_of_a_dead_node_fire_elsewhere_within_a_lease() {
    let city = City::new();
    Bent::turn(&city.store.switches().no_due, false);
    let (one, two) = (city.house("one").await, city.house("two").await);
    let at_ms = city.clock.now_ms() + TTL_MS / 2;
    let timer = Order::Timer { name: "late".into(), at_ms };
    order(&one.runtime, &toy("a"), &timer).await.unwrap();
    let before = seq(&city.store, &toy("a")).await;
    one.kill();
    let begun = clock::instant();
    let fired = async || (seq(&city.store, &toy("a")).await > before).then_some(());
    eventually("the timer to fire", PATIENCE, fired).await;
    let took = begun.elapsed();
    let most = Duration::from_millis(TTL_MS + 500) + SLACK;
    assert!(took <= most, "adopted after {took:?}");
    assert_eq!(city.owner("a").await, Some(two.session()));
    assert_eq!(two.runtime.stats().adopted.get(), 1);
    assert_eq!(query(&two.runtime, &toy("a"), false).await.unwrap().notes["timer late"], 1);
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_node_keeps_its_due_actors() {
    let city = City::new();
    Bent::turn(&city.store.switches().no_due, false);
    let (one, two) = (city.house("one").await, city.house("two").await);
    // Connected players are always due.
    let mut lines = Vec::new();
    for key in ["a", "b", "c"] {
        lines.push(Line::open(&one.runtime, key).await);
    }
    let reads = || city.store.switches().dues.load(std::sync::atomic::Ordering::SeqCst);
    let before = reads();
    let looked = async || (reads() >= before + 4).then_some(());
    eventually("the index to be read", PATIENCE, looked).await;
    for (key, line) in ["a", "b", "c"].iter().zip(&mut lines) {
        add(line, 1..=2).await;
        assert_eq!(city.owner(key).await, Some(one.session()));
    }
    assert_eq!(two.runtime.stats().activated.get(), 0, "a wake-up has moved an actor");
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_back_in_time_loses_nothing_while_the_holder_lives() {
    let city = City::new();
    let (one, two) = (city.house("one").await, city.house("two").await);
    let mut line = Line::open(&one.runtime, "a").await;
    add(&mut line, 1..=20).await;
    city.store.keep();
    let kept = seq(&city.store, &toy("a")).await;
    add(&mut line, 21..=40).await;
    let before = seq(&city.store, &toy("a")).await;
    city.store.go_back();
    // It is not a command that makes the holder write its memory back.
    let back = async || (seq(&city.store, &toy("a")).await >= before).then_some(());
    eventually("the records to be back", PATIENCE, back).await;
    assert!(before > kept);
    add(&mut line, 41..=42).await;
    assert_eq!(one.runtime.stats().reasserted.get(), 2, "written back, and confirmed");
    drop(line);
    one.drain().await;
    assert_eq!(query(&two.runtime, &toy("a"), true).await.unwrap().sum, 42);
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_flight_when_the_store_goes_back_takes_effect_once() {
    let city = City::new();
    let (one, two) = (city.house("one").await, city.house("two").await);
    let mut line = Line::open(&one.runtime, "a").await;
    add(&mut line, 1..=5).await;
    city.store.keep();
    for id in 6..=45 {
        line.send(id, &Order::Add(1)).await;
        if id == 25 {
            city.store.go_back();
        }
    }
    for id in 6..=45 {
        assert!(line.reply(id).await.result.is_ok());
    }
    assert_eq!(query(&one.runtime, &toy("a"), true).await.unwrap().sum, 45);
    // A newcomer during the grace waits for the holder, and then finds all of it.
    let again = Line::open(&two.runtime, "a").await;
    assert_eq!(query(&two.runtime, &toy("a"), true).await.unwrap().sum, 45);
    drop(again);
    one.drain().await;
    two.drain().await;
}
