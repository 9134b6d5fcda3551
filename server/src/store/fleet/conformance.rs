//! The suite that every fleet passes: the port's promises, one check each.
//!
//! A check gets two ways into one fresh fleet and knows nothing of its kind. [`run`] names the
//! checks that fail. Leases run by the store's clock, so checks of what runs out use a short TTL
//! and wait until they see it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a check fails by panicking"
)]

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, join_all};
use tokio::sync::mpsc;

use super::{Fleet, Heard, Member, NodeInfo, Parcel, Renewed};
use crate::clock::Clock;
use crate::store::NodeSession;

/// Two ways into one fleet.
#[derive(Debug, Clone)]
pub struct Subject {
    /// One node's.
    pub one: Arc<dyn Fleet>,
    /// Another's.
    pub other: Arc<dyn Fleet>,
}

/// One promise of the port.
pub type Check = fn(Subject) -> BoxFuture<'static, ()>;

/// Long enough for nothing to run out.
const LONG_MS: u64 = 60_000;
/// Short enough to wait for.
const SHORT_MS: u64 = 200;
/// How long anything may take to be seen.
const PATIENCE_MS: u64 = 10_000;

/// Every promise, by name, with the TTL that it is checked with.
pub const CHECKS: &[(&str, u64, Check)] = &[
    ("a lease is seen by others", LONG_MS, |s| a_lease_is_seen_by_others(s).boxed()),
    ("the living are not reaped", LONG_MS, |s| the_living_are_not_reaped(s).boxed()),
    ("a late renewal revives", SHORT_MS, |s| a_late_renewal_revives(s).boxed()),
    ("the dead stay dead", SHORT_MS, |s| the_dead_stay_dead(s).boxed()),
    ("one reaper reaps", SHORT_MS, |s| one_reaper_reaps(s).boxed()),
    ("who leaves is gone", LONG_MS, |s| who_leaves_is_gone(s).boxed()),
    ("mail comes in order", LONG_MS, |s| mail_comes_in_order(s).boxed()),
    ("mail goes to the living only", LONG_MS, |s| mail_goes_to_the_living_only(s).boxed()),
    ("a read waits for mail", LONG_MS, |s| a_read_waits_for_mail(s).boxed()),
    ("mail outlasts a late renewal", SHORT_MS, |s| mail_outlasts_a_late_renewal(s).boxed()),
    ("many send at once", LONG_MS, |s| many_send_at_once(s).boxed()),
    ("topics reach who watches them", LONG_MS, |s| topics_reach_who_watches_them(s).boxed()),
];

/// Runs every check on a fleet of its own, opened with the TTL it asks for.
///
/// # Panics
/// When a check fails, with the names of all that did.
pub async fn run(open: impl AsyncFn(u64) -> Subject) {
    let mut failed = Vec::new();
    for (name, ttl_ms, check) in CHECKS {
        let subject = open(*ttl_ms).await;
        if AssertUnwindSafe(check(subject)).catch_unwind().await.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "the fleet breaks the port: {failed:?}");
}

const ME: NodeSession = 1;
const PEER: NodeSession = u64::MAX;

fn info(session: NodeSession) -> NodeInfo {
    NodeInfo {
        session,
        name: format!("node {session}"),
        address: "http://localhost:1".into(),
        version: "1.2.3".into(),
        format: 1,
        format_oldest: 1,
        activations: 7,
        sockets: 5,
        draining: false,
        outdated: false,
    }
}

async fn join(fleet: &Arc<dyn Fleet>, session: NodeSession) {
    assert_eq!(fleet.renew(info(session)).await.unwrap(), Renewed::Held);
}

async fn find(fleet: &Arc<dyn Fleet>, session: NodeSession) -> Option<Member> {
    let members = fleet.members().await.unwrap();
    members.into_iter().find(|member| member.info.session == session)
}

/// Waits until the lease of `session` is seen to have run out.
async fn expiry(fleet: &Arc<dyn Fleet>, session: NodeSession) {
    let seen = async {
        while !find(fleet, session).await.unwrap().expired {
            tokio::task::yield_now().await;
        }
    };
    Clock::system().within_ms(PATIENCE_MS, seen).await.expect("the lease runs out");
}

async fn receive(fleet: &Arc<dyn Fleet>, after: Option<String>, count: usize) -> Vec<Parcel> {
    let (mut parcels, mut after) = (Vec::new(), after);
    let read = async {
        while parcels.len() < count {
            let more: Vec<Parcel> = fleet.receive(ME, after.clone(), 1_000).await.unwrap();
            after = more.last().map(|parcel| parcel.at.clone()).or(after.clone());
            parcels.extend(more);
        }
    };
    Clock::system().within_ms(PATIENCE_MS, read).await.expect("the mail arrives");
    assert_eq!(parcels.len(), count);
    parcels
}

async fn a_lease_is_seen_by_others(Subject { one, other }: Subject) {
    assert_eq!(other.members().await.unwrap(), []);
    assert_eq!(one.ttl_ms(), LONG_MS);
    join(&one, ME).await;
    join(&other, PEER).await;
    let seen = find(&other, ME).await.unwrap();
    assert_eq!(seen.info, info(ME));
    assert!(!seen.expired && seen.age_ms < LONG_MS, "{seen:?}");
    let changed = NodeInfo { activations: 8, draining: true, ..info(ME) };
    assert_eq!(one.renew(changed.clone()).await.unwrap(), Renewed::Held);
    assert_eq!(find(&other, ME).await.unwrap().info, changed);
    assert_eq!(find(&one, PEER).await.unwrap().info, info(PEER));
    assert_eq!(one.members().await.unwrap().len(), 2);
}

async fn the_living_are_not_reaped(Subject { one, other }: Subject) {
    join(&one, ME).await;
    assert!(!other.reap(ME).await.unwrap());
    assert!(!other.reap(PEER).await.unwrap(), "no such session");
    join(&one, ME).await;
    assert!(find(&other, ME).await.is_some());
}

async fn a_late_renewal_revives(Subject { one, other }: Subject) {
    join(&one, ME).await;
    expiry(&other, ME).await;
    let late = find(&other, ME).await.unwrap();
    assert!(late.age_ms >= SHORT_MS, "{late:?}");
    join(&one, ME).await;
    let back = find(&other, ME).await.unwrap();
    assert!(back.age_ms < late.age_ms, "{back:?} after {late:?}");
}

async fn the_dead_stay_dead(Subject { one, other }: Subject) {
    join(&one, ME).await;
    assert!(other.send(ME, "lost".into()).await.unwrap());
    expiry(&other, ME).await;
    assert!(other.reap(ME).await.unwrap());
    assert_eq!(find(&other, ME).await, None);
    assert_eq!(one.renew(info(ME)).await.unwrap(), Renewed::Reaped);
    assert_eq!(one.renew(info(ME)).await.unwrap(), Renewed::Reaped);
    assert_eq!(find(&other, ME).await, None);
    assert!(!other.send(ME, "nobody".into()).await.unwrap());
    assert_eq!(one.receive(ME, None, 0).await.unwrap_or_default(), []);
}

async fn one_reaper_reaps(Subject { one, other }: Subject) {
    join(&one, ME).await;
    expiry(&other, ME).await;
    let reapers = (0..8).map(|at| if at % 2 == 0 { one.reap(ME) } else { other.reap(ME) });
    let reaped = join_all(reapers).await;
    assert_eq!(reaped.into_iter().filter(|did| *did.as_ref().unwrap()).count(), 1);
}

async fn who_leaves_is_gone(Subject { one, other }: Subject) {
    join(&one, ME).await;
    join(&other, PEER).await;
    one.leave(ME).await.unwrap();
    assert_eq!(find(&other, ME).await, None);
    assert!(find(&other, PEER).await.is_some());
    assert!(!other.send(ME, "nobody".into()).await.unwrap());
    assert_eq!(one.renew(info(ME)).await.unwrap(), Renewed::Reaped);
}

async fn mail_comes_in_order(Subject { one, other }: Subject) {
    join(&one, ME).await;
    let letters: Vec<Bytes> = vec!["first".into(), vec![0, 255, 13, 10].into(), Bytes::new()];
    for letter in &letters {
        assert!(other.send(ME, letter.clone()).await.unwrap());
    }
    let parcels = receive(&one, None, 3).await;
    assert!(parcels.iter().all(|parcel| parcel.age_ms < PATIENCE_MS), "{parcels:?}");
    let bytes: Vec<_> = parcels.iter().map(|parcel| parcel.bytes.clone()).collect();
    assert_eq!(bytes, letters);
    assert!(other.send(ME, "fourth".into()).await.unwrap());
    let rest = receive(&one, Some(parcels[1].at.clone()), 2).await;
    assert_eq!(rest[0].bytes, letters[2]);
    assert_eq!(rest[1].bytes, "fourth");
    let after = Some(rest[1].at.clone());
    assert_eq!(one.receive(ME, after, 0).await.unwrap(), []);
}

async fn mail_goes_to_the_living_only(Subject { one, other }: Subject) {
    assert!(!other.send(ME, "too early".into()).await.unwrap());
    join(&one, ME).await;
    assert!(!other.send(PEER, "nobody".into()).await.unwrap());
    assert!(other.send(ME, "here".into()).await.unwrap());
    assert_eq!(receive(&one, None, 1).await[0].bytes, "here");
}

async fn a_read_waits_for_mail(Subject { one, other }: Subject) {
    join(&one, ME).await;
    let mut reading = one.receive(ME, None, PATIENCE_MS);
    assert_eq!(futures::poll!(&mut reading), std::task::Poll::Pending);
    assert!(other.send(ME, "at last".into()).await.unwrap());
    let read = reading.await.unwrap();
    assert_eq!(read[0].bytes, "at last");
    let after = Some(read[0].at.clone());
    assert_eq!(one.receive(ME, after, 20).await.unwrap(), [], "nothing more comes");
}

async fn mail_outlasts_a_late_renewal(Subject { one, other }: Subject) {
    join(&one, ME).await;
    assert!(other.send(ME, "kept".into()).await.unwrap());
    expiry(&other, ME).await;
    assert!(other.send(ME, "late, not dead".into()).await.unwrap());
    join(&one, ME).await;
    let parcels = receive(&one, None, 2).await;
    assert_eq!(parcels[1].bytes, "late, not dead");
}

async fn many_send_at_once(Subject { one, other }: Subject) {
    join(&one, ME).await;
    let letter = |number: u32| Bytes::from(number.to_string());
    let send = |number| [&one, &other][number as usize % 2].send(ME, letter(number));
    let sent = join_all((0..500).map(send)).await;
    assert!(sent.into_iter().all(|sent| sent == Ok(true)));
    let parcels = receive(&one, None, 500).await;
    let mut numbers: Vec<u32> = parcels
        .iter()
        .map(|parcel| std::str::from_utf8(&parcel.bytes).unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
}

async fn topics_reach_who_watches_them(Subject { one, other }: Subject) {
    let (topics, wanted) = mpsc::channel(8);
    let mut heard = one.watch(wanted);
    topics.send(("hall".into(), true)).await.unwrap();
    topics.send(("yard".into(), true)).await.unwrap();
    hear(&other, &mut heard, "hall").await;
    hear(&other, &mut heard, "yard").await;
    topics.send(("hall".into(), false)).await.unwrap();
    let silence = async {
        let mut silent = 0;
        while silent < 20 {
            silent += 1;
            other.publish("hall", "again".into()).await.unwrap();
            hear(&other, &mut heard, "yard").await;
            while let Ok(more) = heard.try_recv() {
                let hall = matches!(&more, Heard::Message { topic, .. } if topic == "hall");
                silent = if hall { 0 } else { silent };
            }
        }
    };
    Clock::system().within_ms(PATIENCE_MS, silence).await.expect("the subscription ends");
    let heard_elsewhere = other.publish("nowhere", "nobody".into()).await;
    heard_elsewhere.unwrap();
}

/// Publishes until it is heard; whatever else was published may be heard before.
async fn hear(fleet: &Arc<dyn Fleet>, heard: &mut mpsc::Receiver<Heard>, topic: &str) {
    let sent = Bytes::from(vec![0, 200, 10]);
    let expected = Heard::Message { topic: topic.into(), bytes: sent.clone() };
    let hearing = async {
        loop {
            fleet.publish(topic, sent.clone()).await.unwrap();
            let next = Clock::system().within_ms(50, heard.recv()).await;
            if next.map(|heard| heard.expect("the store is open")) == Some(expected.clone()) {
                return;
            }
        }
    };
    Clock::system().within_ms(PATIENCE_MS, hearing).await.expect("it is heard");
}
