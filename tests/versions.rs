//! Nodes of several versions over one store: what they write is what all of them read, and what
//! one can't read it leaves to the others, unharmed. Later formats are pretended: they differ from
//! the first in their number only.

use bytes::Bytes;
use holdfast::actor::connection::Connection;
use holdfast::actor::envelope::{Attach, CallError, Delivery, Refusal};
use holdfast::actor::handle::Runtime;
use holdfast::actor::record::Formats;
use holdfast::store::fleet::Fleet as _;
use holdfast::store::{Base, Store};

use crate::houses::{City, House, Plan};
use crate::inproc::SOON;
use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::{Line, Order, order, query, toy};

const ONE: Formats = Formats { oldest: 1, newest: 1 };
const BOTH: Formats = Formats { oldest: 1, newest: 2 };
const TWO: Formats = Formats { oldest: 2, newest: 2 };

fn version(reads: Formats, writes: Formats) -> Plan {
    let mut plan = Plan { formats: (reads, writes), ..Plan::default() };
    plan.runtime.limits.snapshot_records = 2;
    plan
}

/// The formats of all that a load of the actor reads, snapshot first.
async fn stored(city: &City, key: &str) -> Vec<u8> {
    let loaded = city.store.load(&toy(key), Base::Newest).await.unwrap();
    let snapshot = loaded.snapshot.iter().map(|snapshot| snapshot.bytes[0]);
    snapshot.chain(loaded.records.iter().map(|row| row.record[0])).collect()
}

async fn writes(house: &House, format: Option<u8>) {
    let agreed = async || (house.handle.write_format() == format).then_some(());
    eventually("the nodes to agree", PATIENCE, agreed).await;
}

/// Says hello where it is refused.
async fn refused(runtime: &Runtime, key: &str) -> Refusal {
    let connection = Connection::new(rand::random(), 8);
    let hello = Attach::Hello { payload: Bytes::new(), creates: true };
    runtime.attach(&toy(key), connection.clone(), hello).await;
    match tokio::time::timeout(SOON, connection.next()).await.expect("an answer in time") {
        Delivery::Refused(refusal) => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}

async fn leave(house: House) {
    house.runtime.drain().await;
    house.handle.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_format_that_all_nodes_read_is_written() {
    let city = City::new();
    let (old, new) = (version(ONE, ONE), version(BOTH, BOTH));
    let (old, new) = (city.build("old", &old).await, city.build("new", &new).await);
    writes(&new, Some(1)).await;
    order(&new.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    assert_eq!(stored(&city, "a").await, [1]);
    leave(old).await;
    writes(&new, Some(2)).await;
    for _ in 0..3 {
        order(&new.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    }
    let all = async || stored(&city, "a").await.iter().all(|format| *format == 2).then_some(());
    eventually("a snapshot in the new format", PATIENCE, all).await;
    new.drain().await;
    let again = city.build("again", &version(BOTH, BOTH)).await;
    assert_eq!(query(&again.runtime, &toy("a"), true).await.unwrap().sum, 4);
    again.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_node_takes_nothing_that_it_can_not_read() {
    let city = City::new();
    let new = city.build("new", &version(BOTH, BOTH)).await;
    writes(&new, Some(2)).await;
    let mut line = Line::open(&new.runtime, "a").await;
    line.send(1, &Order::Add(5)).await;
    assert!(line.reply(1).await.result.is_ok());
    let old = city.build("old", &version(ONE, ONE)).await;
    let epoch = city.store.tip(&toy("a")).await.unwrap().unwrap().epoch;
    // Its player comes to the old node, which would take it from whoever has it.
    assert_eq!(refused(&old.runtime, "a").await, Refusal::Busy);
    line.send(2, &Order::Add(5)).await;
    assert!(line.reply(2).await.result.is_ok(), "the new node has lost it");
    assert_eq!(city.store.tip(&toy("a")).await.unwrap().unwrap().epoch, epoch);
    assert_eq!(old.runtime.stats().claims_unread.get(), 1);
    assert_eq!(old.runtime.stats().quarantined.get(), 0);
    // Mail that needs no claim still finds it.
    assert_eq!(query(&old.runtime, &toy("a"), true).await.unwrap().sum, 10);
    // The old node serves what it can read, and leaves what is due to the new one.
    order(&old.runtime, &toy("b"), &Order::Add(1)).await.unwrap();
    let gives_way = async || {
        let all = (0..64).all(|at| new.handle.drives(at) && !old.handle.drives(at));
        all.then_some(())
    };
    eventually("the new node to look after everything", PATIENCE, gives_way).await;
    drop(line);
    new.drain().await;
    old.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_claimed_before_it_was_read_is_given_back_due() {
    let city = City::new();
    let new = city.build("new", &version(BOTH, BOTH)).await;
    writes(&new, Some(2)).await;
    let at_ms = city.clock.now_ms() + 3_600_000;
    let timer = Order::Timer { name: "late".into(), at_ms };
    order(&new.runtime, &toy("a"), &timer).await.unwrap();
    leave(new).await;
    // No node is there that could warn it.
    let old = city.build("old", &version(ONE, ONE)).await;
    assert!(!old.handle.is_mixed());
    let busy = order(&old.runtime, &toy("a"), &Order::Add(1)).await;
    assert_eq!(busy, Err(CallError::Busy));
    let given_back = async || city.owner("a").await.is_none().then_some(());
    eventually("the actor to be given back", PATIENCE, given_back).await;
    Bent::turn(&city.store.switches().no_due, false);
    let due = city.store.due(0, None, at_ms, 9).await.unwrap();
    assert_eq!(due.len(), 1, "what it owes is forgotten");
    assert!(due[0].0 < at_ms, "who can read it does not look before {at_ms}");
    let newer = city.build("newer", &version(BOTH, BOTH)).await;
    order(&newer.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    assert_eq!(query(&newer.runtime, &toy("a"), true).await.unwrap().sum, 1);
    newer.drain().await;
    old.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_suits_no_one_does_not_join() {
    let city = City::new();
    let old = city.build("gw-old", &version(ONE, ONE)).await;
    let new = city.open("gw-new", &version(TWO, TWO), city.fleet.door()).await;
    let why = new.err().expect("to be refused");
    assert!(why.contains("gw-old") && why.contains("reads format 1"), "{why}");
    assert!(why.contains("this node writes 2"), "{why}");
    assert_eq!(city.fleet.members().await.unwrap().len(), 1, "it took a lease");
    order(&old.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    leave(old).await;
    city.build("gw-new", &version(TWO, TWO)).await.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_suits_no_one_any_more_claims_nothing() {
    let city = City::new();
    let old = city.build("old", &version(BOTH, ONE)).await;
    order(&old.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    let new = city.build("new", &version(TWO, TWO)).await;
    writes(&old, None).await;
    assert_eq!(order(&old.runtime, &toy("b"), &Order::Add(1)).await, Err(CallError::Busy));
    assert_eq!(city.owner("b").await, None);
    // What it has goes on.
    order(&old.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    order(&new.runtime, &toy("c"), &Order::Add(1)).await.unwrap();
    leave(new).await;
    writes(&old, Some(1)).await;
    order(&old.runtime, &toy("b"), &Order::Add(1)).await.unwrap();
    old.drain().await;
}
