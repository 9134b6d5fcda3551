//! How actors come to be: by a command or tell that creates them, and by nothing else.

use bytes::Bytes;
use holdfast::actor::activity::Activities;
use holdfast::actor::contract::Origin;
use holdfast::actor::envelope::{Call, CallError};
use holdfast::actor::handle::Runtime;
use holdfast::clock::Clock;
use holdfast::store::Store;
use holdfast_protocol::ids::ActorId;

use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::{Order, alone, asleep, order, query, seq, start, toy};

fn house() -> (Clock, Bent, Runtime) {
    let clock = Clock::movable();
    let store = Bent::new(&clock);
    let rt = start(store.shared(), &clock, Activities::default(), &alone());
    (clock, store, rt)
}

async fn tell(rt: &Runtime, from: &str, to: &ActorId, creates: bool) {
    let tell = Order::Tell { to: to.clone(), order: Box::new(Order::Add(5)), creates };
    order(rt, &toy(from), &tell).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tell_creates_its_receiver_once() {
    let (clock, store, rt) = house();
    for from in ["a", "b"] {
        tell(&rt, from, &toy("child"), true).await;
    }
    eventually("both tells", PATIENCE, async || {
        (query(&rt, &toy("child"), true).await.ok()?.sum == 10).then_some(())
    })
    .await;
    asleep(&rt, &clock).await;
    assert_eq!(query(&rt, &toy("child"), true).await.unwrap().sum, 10, "told twice");
    assert!(seq(&store, &toy("child")).await > 0);
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_create_leaves_no_key() {
    let (_, store, rt) = house();
    let (nobody, stranger) = (toy("nobody"), ActorId::new("stranger", "x").unwrap());
    for to in [&nobody, &stranger] {
        for linearizable in [false, true] {
            assert_eq!(query(&rt, to, linearizable).await, Err(CallError::NoSuchActor));
        }
        let payload = serde_json::to_vec(&Order::Add(1)).unwrap().into();
        let call =
            Call { origin: Origin::Service, key: None, payload, creates: false, signal: false };
        assert_eq!(rt.call(to, call).await, Err(CallError::NoSuchActor));
        tell(&rt, "a", to, false).await;
        let note = format!("undelivered to {to}");
        eventually("the tell to come back", PATIENCE, async || {
            query(&rt, &toy("a"), false).await.unwrap().notes.contains_key(&note).then_some(())
        })
        .await;
        assert_eq!(store.tip(to).await.unwrap(), None, "a key was left");
    }
    rt.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_was_refused_blocks_nothing() {
    let (clock, _, rt) = house();
    let id = toy("late");
    assert!(matches!(order(&rt, &id, &Order::Refuse).await, Err(CallError::Rejected(_))));
    assert_eq!(query(&rt, &id, false).await, Err(CallError::NoSuchActor));
    tell(&rt, "a", &id, false).await;
    eventually("the tell to come back", PATIENCE, async || {
        let notes = query(&rt, &toy("a"), false).await.unwrap().notes;
        notes.contains_key("undelivered to toy:late").then_some(())
    })
    .await;
    asleep(&rt, &clock).await;
    assert_eq!(rt.query(&id, Bytes::new(), true).await, Err(CallError::NoSuchActor));
    order(&rt, &id, &Order::Add(2)).await.unwrap();
    assert_eq!(query(&rt, &id, true).await.unwrap().sum, 2);
    rt.drain().await;
}
