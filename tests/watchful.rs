//! What nodes look after by themselves: activations that no longer own their actor, partitions
//! that are gone, whatever is due in any partition, and what a fork of history leaves behind.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::iter;
use holdfast::actor::connection::Connection;
use holdfast::actor::envelope::{Attach, CallError, Closing, Delivery, Refusal};
use holdfast::actor::fleet::drive::driver;
use holdfast::actor::kind::{Facts, Kind};
use holdfast::actor::record::{Fact, Formats, Record};
use holdfast::actor::replay::Durable;
use holdfast::clock::Clock;
use holdfast::store::{Append, Claim, Claimed, Store};

use crate::houses::{City, Plan};
use crate::inproc::SOON;
use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;
use crate::toy::{Line, Order, Toy, order, query, seq, toy};

/// A node session that no one has.
const NO_ONE: u64 = 77;

#[tokio::test(flavor = "multi_thread")]
async fn an_activation_that_was_replaced_unheard_goes_away() {
    let city = City::on(Clock::movable(), 600_000);
    let mut plan = Plan::default();
    plan.runtime.idle_ms = 3_600_000;
    let one = city.build("one", &plan).await;
    for key in ["a", "b"] {
        order(&one.runtime, &toy(key), &Order::Add(1)).await.unwrap();
    }
    let (actor, session) = (toy("a"), NO_ONE);
    let replaces = city.store.owners(vec![actor.clone()]).await.unwrap()[0];
    let claim = Claim { actor, session, creates: false, replaces };
    assert!(matches!(city.store.claim(claim).await, Ok(Claimed::Granted { .. })));
    let stats = one.runtime.stats();
    city.clock.advance(20_000);
    order(&one.runtime, &toy("b"), &Order::Add(1)).await.unwrap();
    // The worker has looked around since: it has done this too.
    order(&one.runtime, &toy("b"), &Order::Add(1)).await.unwrap();
    assert_eq!((stats.stale_checks.get(), stats.activations.get()), (0, 2));
    city.clock.advance(11_000);
    let gone = async || (stats.activations.get() == 1).then_some(());
    eventually("the stale activation to go", PATIENCE, gone).await;
    assert_eq!((stats.stale_checks.get(), stats.fenced.get()), (1, 1));
    // One that is still the owner stays.
    city.clock.advance(31_000);
    let looked = async || (stats.stale_checks.get() >= 2).then_some(());
    eventually("the other one to be looked at", PATIENCE, looked).await;
    assert_eq!(query(&one.runtime, &toy("b"), true).await.unwrap().sum, 3);
    assert_eq!((stats.activations.get(), stats.fenced.get()), (1, 1));
    one.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_partition_is_halted_and_nothing_is_made_anew() {
    let city = City::new();
    let one = city.house("one").await;
    order(&one.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    let mut line = Line::open(&one.runtime, "p").await;
    Bent::turn(&city.store.switches().wiped, true);
    // What was under way may have been written before it was gone.
    let unknown = order(&one.runtime, &toy("a"), &Order::Add(1)).await;
    assert_eq!(unknown, Err(CallError::OutcomeUnknown));
    line.send(1, &Order::Add(1)).await;
    assert_eq!(line.acknowledged().await, (0, Closing::Lost));
    for key in ["a", "p", "new"] {
        let halted = order(&one.runtime, &toy(key), &Order::Add(1)).await;
        assert_eq!(halted, Err(CallError::Quarantined), "{key}");
    }
    let connection = Connection::new(9, 8);
    let hello = Attach::Hello { payload: Bytes::new(), creates: true };
    one.runtime.attach(&toy("fresh"), connection.clone(), hello).await;
    let answer = tokio::time::timeout(SOON, connection.next()).await.unwrap();
    assert!(matches!(answer, Delivery::Refused(why) if *why == Refusal::Quarantined));
    let stats = one.runtime.stats();
    assert_eq!((stats.halted.get(), stats.activations.get()), (4, 0), "two each");
    assert_eq!(stats.alarms.get(), 4);
    Bent::turn(&city.store.switches().wiped, false);
    for key in ["new", "fresh"] {
        assert_eq!(city.store.tip(&toy(key)).await.unwrap(), None, "{key} was made anew");
    }
    // What was in memory has to be looked at first.
    assert_eq!(order(&one.runtime, &toy("a"), &Order::Add(1)).await, Err(CallError::Quarantined));
    order(&one.runtime, &toy("new"), &Order::Add(1)).await.unwrap();
    one.drain().await;
}

/// An actor of a dead node with a timer whose time has come.
async fn leave_behind(city: &City, key: String) {
    let claim = Claim { actor: toy(&key), session: NO_ONE, creates: true, replaces: None };
    let Ok(Claimed::Granted { epoch, .. }) = city.store.claim(claim).await else { panic!() };
    let now_ms = city.clock.now_ms();
    let facts = vec![Fact::TimerSet { name: "late".into(), at_ms: now_ms }];
    let record = Record { now_ms, facts }.encode();
    let due_ms = Some(now_ms);
    let actor = toy(&key);
    let append = Append { actor, epoch, seq: 1, append_id: 1, history: 0, record, due_ms };
    assert_eq!(city.store.append(vec![append]).await, [Ok(())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_adopted_in_every_partition_by_who_drives_it() {
    const PARTITIONS: u16 = 1_024;
    let count = u64::from(PARTITIONS);
    let city = City::new();
    city.store.switches().partitions.store(PARTITIONS, Ordering::SeqCst);
    for partition in 0..PARTITIONS {
        leave_behind(&city, partition.to_string()).await;
    }
    let (one, two) = (city.house("one").await, city.house("two").await);
    let sessions = [one.session(), two.session()];
    for house in [&one, &two] {
        let both = async || {
            let table = house.handle.members();
            let alive = table.borrow().members().count();
            (alive == 2).then_some(())
        };
        eventually("both to see each other", PATIENCE, both).await;
    }
    Bent::turn(&city.store.switches().no_due, false);
    let adopted = || [&one, &two].map(|house| house.runtime.stats().adopted.get());
    let all = async || (adopted().iter().sum::<u64>() >= count).then_some(());
    eventually("everything to be adopted", PATIENCE, all).await;
    assert_eq!(adopted().iter().sum::<u64>(), count, "adopted twice");
    assert_eq!(city.store.switches().walked.lock().unwrap().len() as u64, count);
    for partition in 0..PARTITIONS {
        let key = partition.to_string();
        let fired = async || (seq(&city.store, &toy(&key)).await == 2).then_some(());
        eventually("its timer to fire", PATIENCE, fired).await;
        let owner = city.owner(&key).await;
        assert_eq!(owner, driver(partition, sessions), "partition {partition}");
    }
    one.drain().await;
    two.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_loser_of_a_fork_knew_is_kept() {
    let (city, dir) = (City::new(), tempfile::tempdir().unwrap());
    let mut plan = Plan::default();
    plan.runtime.lost_found = Some(dir.path().join("lost+found"));
    let (one, two) = (city.build("one", &plan).await, city.house("two").await);
    order(&one.runtime, &toy("a"), &Order::Add(5)).await.unwrap();
    city.store.keep();
    for _ in 0..3 {
        order(&one.runtime, &toy("a"), &Order::Add(5)).await.unwrap();
    }
    let (dead, epoch) = (one.session(), city.store.tip(&toy("a")).await.unwrap().unwrap().epoch);
    one.cut_off(true);
    one.frozen().await;
    city.store.go_back();
    two.buries(dead).await;
    // Another goes on from what the store has left.
    order(&two.runtime, &toy("a"), &Order::Add(1)).await.unwrap();
    one.cut_off(false);
    let kept = dir.path().join("lost+found").join(format!("toy.a.{epoch}.4"));
    let bytes = eventually("the loser's tail", PATIENCE, async || std::fs::read(&kept).ok()).await;
    let (head, snapshot) = bytes.split_at(bytes.iter().position(|b| *b == b'\n').unwrap() + 1);
    let head: serde_json::Value = serde_json::from_slice(head).unwrap();
    assert_eq!((&head["actor"], &head["acked"]), (&"toy:a".into(), &4.into()));
    assert_eq!(head["winner_seq"], 2);
    let kind = Kind::of::<Toy>(std::sync::Arc::new(()));
    let durable = Durable::restore(&kind, Formats::READS, snapshot).unwrap();
    let (id, now_ms) = (toy("a"), 0);
    let facts = Facts { id: &id, now_ms, seq: 4, token: 0, random: 0, connected: false };
    let state: Toy = serde_json::from_slice(&durable.state.query(facts, b"").unwrap()).unwrap();
    assert_eq!(state.sum, 20, "what its clients were told");
    let stats = one.runtime.stats();
    assert_eq!((stats.lost_tails.get(), stats.fenced.get(), stats.alarms.get()), (1, 1, 1));
    assert_eq!(query(&one.runtime, &toy("a"), true).await.unwrap().sum, 6, "the winner's");
    let files = iter(std::fs::read_dir(kept.parent().unwrap()).unwrap());
    assert_eq!(files.count().await, 1);
    one.drain().await;
    two.drain().await;
}
