//! A drain finishes what is in flight, gives every actor up, and does not wait for actors to
//! run out of things to do.

use holdfast::actor::activity::Activities;
use holdfast::actor::envelope::{Closing, Delivery};
use holdfast::actor::handle::Runtime;
use holdfast::clock::Clock;
use holdfast::store::{Claim, Claimed, Store};

use crate::support::PATIENCE;
use crate::toy::store::Bent;
use crate::toy::{Line, Order, alone, order, query, start, toy};

fn house() -> (Clock, Bent, Runtime) {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let rt = start(store.shared(), &clock, Activities::default(), &alone());
    (clock, store, rt)
}

async fn drain(rt: &Runtime) {
    tokio::time::timeout(PATIENCE, rt.drain()).await.expect("the drain does not end");
}

/// Plays until the connection is closed: how many commands were acknowledged, and why it ended.
async fn play(line: &mut Line) -> (u64, Closing) {
    let (mut sent, mut answered, mut acknowledged) = (0, 0, 0);
    loop {
        while sent < answered + 8 {
            sent += 1;
            line.send(sent, &Order::Add(1)).await;
        }
        match line.next().await {
            Delivery::Reply { outcome, .. } => {
                answered += 1;
                acknowledged += u64::from(outcome.result.is_ok());
            }
            Delivery::Close(why) => return (acknowledged, why),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_the_journal() {
    let (clock, store, rt) = house();
    let mut players = Vec::new();
    for n in 0..20 {
        let mut line = Line::open(&rt, &format!("p{n}")).await;
        players.push(tokio::spawn(async move {
            let (acknowledged, why) = play(&mut line).await;
            (line.actor, acknowledged, why)
        }));
    }
    while rt.stats().appends.get() < 500 {
        tokio::task::yield_now().await;
    }
    drain(&rt).await;
    let next = start(store.shared(), &clock, Activities::default(), &alone());
    for player in players {
        let (actor, acknowledged, why) = player.await.unwrap();
        assert_eq!(why, Closing::HandedOver, "{actor}");
        let sum = query(&next, &actor, true).await.unwrap().sum;
        assert!(sum >= acknowledged, "{actor}: {acknowledged} acknowledged, {sum} journaled");
    }
    drain(&next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_that_are_never_idle_do_not_hold_it_up() {
    let (_, _, rt) = house();
    for n in 0..200 {
        order(&rt, &toy(&format!("spin-{n}")), &Order::Spin).await.unwrap();
    }
    while rt.stats().appends.get() < 1_000 {
        tokio::task::yield_now().await;
    }
    drain(&rt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_actor_is_given_up() {
    let (_, store, rt) = house();
    for n in 0..50 {
        order(&rt, &toy(&format!("n{n}")), &Order::Add(1)).await.unwrap();
    }
    drain(&rt).await;
    assert_eq!(rt.stats().activations.get(), 0);
    for n in 0..50 {
        let actor = toy(&format!("n{n}"));
        let claim = Claim { actor, session: 1, creates: false, replaces: None };
        let claimed = store.claim(claim).await.unwrap();
        assert!(matches!(claimed, Claimed::Granted { seq: 1, .. }), "{claimed:?}");
    }
}
