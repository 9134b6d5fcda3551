//! Nodes that are well: mail finds its actor wherever it is, an actor follows its player, and
//! nodes leave one after the other without a loss.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::future::join_all;
use holdfast::actor::envelope::{CallError, Closing};
use holdfast::actor::handle::Runtime;

use crate::houses::{City, order_once};
use crate::support::{PATIENCE, eventually};
use crate::toy::{Line, Order, order, query, seq, toy};

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_queries_find_the_node_that_has_the_actor() {
    let city = City::new();
    let (one, two) = (city.house("one").await, city.house("two").await);
    order(&one.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    order(&two.runtime, &toy("a"), &Order::Add(2)).await.unwrap();
    assert_eq!(order(&two.runtime, &toy("a"), &Order::Refuse).await.unwrap_err().to_string(), {
        order(&one.runtime, &toy("a"), &Order::Refuse).await.unwrap_err().to_string()
    });
    for linearizable in [false, true] {
        assert_eq!(query(&two.runtime, &toy("a"), linearizable).await.unwrap().sum, 3);
    }
    let first = order_once(&two.runtime, &toy("a"), &Order::Add(4), "once").await.unwrap();
    let again = order_once(&two.runtime, &toy("a"), &Order::Add(4), "once").await.unwrap();
    assert!(!first.dup && again.dup, "{first:?}, {again:?}");
    assert_eq!(query(&two.runtime, &toy("a"), false).await.unwrap().sum, 7);
    assert_eq!(city.owner("a").await, Some(one.session()), "mail has moved the actor");
    assert_eq!(two.runtime.stats().activated.get(), 0);
    assert!(two.runtime.stats().forwarded.get() >= 5);
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tell_goes_to_another_node_and_its_verdict_comes_back() {
    let city = City::new();
    let (one, two) = (city.house("one").await, city.house("two").await);
    order(&one.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    let tell = Order::Tell { to: toy("a"), order: Box::new(Order::Add(2)), creates: false };
    order(&two.runtime, &toy("b"), &tell).await.unwrap();
    let arrived = async || {
        let sum = query(&one.runtime, &toy("a"), false).await.ok()?.sum;
        (sum == 3).then_some(())
    };
    eventually("the tell to arrive", PATIENCE, arrived).await;
    // The sender journals that it was received.
    let acked = async || (seq(&city.store, &toy("b")).await == 2).then_some(());
    eventually("the verdict to come back", PATIENCE, acked).await;
    assert_eq!(two.runtime.stats().tells.get(), 1, "it was sent again");
    assert_eq!(city.owner("a").await, Some(one.session()));
    assert_eq!(city.owner("b").await, Some(two.session()));
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_is_handed_over_to_where_its_player_says_hello() {
    let city = City::new();
    let (one, two) = (city.house("one").await, city.house("two").await);
    let mut before = Line::open(&one.runtime, "a").await;
    for id in 1..=50 {
        before.send(id, &Order::Add(1)).await;
    }
    let mut after = Line::open(&two.runtime, "a").await;
    let (ok, why) = before.acknowledged().await;
    assert_eq!(why, Closing::Replaced);
    assert_eq!(one.runtime.stats().handed_over.get(), 1);
    assert_eq!(city.owner("a").await, Some(two.session()));
    after.send(1, &Order::Add(1_000)).await;
    assert!(after.reply(1).await.result.is_ok());
    let sum = query(&two.runtime, &toy("a"), true).await.unwrap().sum;
    assert!((1_000 + ok..=1_050).contains(&sum), "{ok} were acknowledged, the sum is {sum}");
    // Mail at the first node follows.
    assert_eq!(query(&one.runtime, &toy("a"), true).await.unwrap().sum, sum);
    assert_eq!(one.runtime.stats().fenced.get(), 0);
    one.drain().await;
    two.drain().await;
}

/// Orders at whichever node takes it, until told to stop. Returns how many were done for sure,
/// and how many perhaps.
async fn pester(nodes: Arc<[Runtime]>, key: String, stop: Arc<AtomicBool>) -> (u64, u64) {
    let (mut sure, mut perhaps, mut turn) = (0, 0, 0);
    while !stop.load(Ordering::SeqCst) {
        match order(&nodes[turn % nodes.len()], &toy(&key), &Order::Add(1)).await {
            Ok(_) => sure += 1,
            Err(CallError::OutcomeUnknown) => perhaps += 1,
            Err(CallError::Busy) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
        turn += 1;
    }
    (sure, perhaps)
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_drained_one_after_the_other_without_a_loss() {
    let city = City::new();
    let mut houses = Vec::new();
    for name in ["one", "two", "three"] {
        houses.push(city.house(name).await);
    }
    let nodes: Arc<[Runtime]> = houses.iter().map(|house| house.runtime.clone()).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let keys: Vec<_> = (0..6).map(|n| format!("k{n}")).collect();
    let work =
        |key: &String| tokio::spawn(pester(Arc::clone(&nodes), key.clone(), Arc::clone(&stop)));
    let work: Vec<_> = keys.iter().map(work).collect();
    let last = houses.pop().unwrap();
    let appended = AtomicU64::new(0);
    for house in houses {
        let appends = || nodes.iter().map(|node| node.stats().appends.get()).sum::<u64>();
        appended.store(appends(), Ordering::SeqCst);
        let busy = async || (appends() > appended.load(Ordering::SeqCst) + 50).then_some(());
        eventually("work to be done", PATIENCE, busy).await;
        house.drain().await;
    }
    stop.store(true, Ordering::SeqCst);
    let done = join_all(work).await;
    for (key, done) in keys.iter().zip(done) {
        let (sure, perhaps) = done.unwrap();
        let again = async || query(&last.runtime, &toy(key), true).await.ok();
        let sum = eventually("an answer", PATIENCE, again).await.sum;
        let range = sure..=sure + perhaps;
        assert!(range.contains(&sum), "{key}: {sum} is not in {range:?}");
        assert_eq!(city.owner(key).await, Some(last.session()));
    }
    last.drain().await;
}
