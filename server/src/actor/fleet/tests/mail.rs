//! Mail from node to node.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::actor::contract::{Origin, Reject};
use crate::actor::core::{Tell, Verdict};
use crate::actor::envelope::{Answered, Call, CallError};
use crate::actor::fleet::post::{BatchError, decode_batch, encode_batch, encode_post};
use crate::actor::record::TellId;

fn actor(name: &str) -> holdfast_protocol::ids::ActorId {
    name.parse().unwrap()
}

fn not_here(number: usize) -> Post {
    Post::NotHere { actor: actor(&format!("player:{number}")) }
}

/// One of each kind, with every field away from its default.
fn one_of_each() -> Vec<Post> {
    let (to, from) = (actor("room:hall"), actor("player:alice"));
    let id = TellId { epoch: 5, seq: 6, index: 7 };
    let prev = Some(TellId { epoch: 1, seq: 2, index: 3 });
    let payload = Bytes::from_static(&[0, 200, 255]);
    let tell = Tell { id, prev, payload: payload.clone(), creates: true, hops: 4, attempt: 7 };
    let mut posts = vec![
        Post::Tell { to: to.clone(), from: from.clone(), tell },
        Post::Settled { to: to.clone(), from: from.clone(), id },
        Post::SettleAsked { to: to.clone(), from: from.clone(), id },
        Post::Query { to: to.clone(), id: 8, payload: payload.clone(), linearizable: true },
        Post::HandOver { actor: to.clone() },
        Post::HandedOver { actor: to.clone() },
        Post::NotHere { actor: to.clone() },
    ];
    for verdict in [Verdict::Received, Verdict::NoSuchActor(7), Verdict::Gap, Verdict::Busy] {
        posts.push(Post::Verdict { to: to.clone(), from: from.clone(), id, verdict });
    }
    for origin in [Origin::Session, Origin::Owner, Origin::Service] {
        let call = Call {
            origin,
            key: Some("k".into()),
            payload: payload.clone(),
            creates: true,
            signal: true,
        };
        posts.push(Post::Call { to: to.clone(), id: 9, call });
    }
    let answered = Answered { body: "{}".into(), epoch: 1, seq: 2, dup: true };
    for result in [
        Ok(answered),
        Err(CallError::Rejected(Reject::new("room_full", "the room is full"))),
        Err(CallError::NoSuchActor),
        Err(CallError::Busy),
        Err(CallError::Pending),
        Err(CallError::OutcomeUnknown),
        Err(CallError::Quarantined),
    ] {
        let from = holdfast_protocol::ids::ActorId::player(&"alice".parse().unwrap());
        posts.push(Post::Answer { from, id: 10, result });
    }
    posts
}

#[test]
fn every_post_comes_out_as_it_went_in() {
    let posts = one_of_each();
    let encoded: Vec<_> = posts.iter().map(|post| encode_post(post).unwrap()).collect();
    let batch = decode_batch(&encode_batch(42, 7, &encoded).unwrap()).unwrap();
    assert_eq!((batch.from, batch.unread), (42, 0));
    assert_eq!(format!("{:?}", batch.posts), format!("{posts:?}"));
}

#[test]
fn an_unknown_post_does_not_take_the_others_with_it() {
    let unknown = rmp_serde::to_vec_named(&std::collections::BTreeMap::from([("zz", 1)])).unwrap();
    let encoded = [encode_post(&not_here(1)).unwrap(), unknown.into()];
    let batch = decode_batch(&encode_batch(1, 1, &encoded).unwrap()).unwrap();
    assert_eq!((batch.posts.len(), batch.unread), (1, 1));
}

#[test]
fn another_version_is_refused() {
    let other = rmp_serde::to_vec_named(&std::collections::BTreeMap::from([("v", 2)])).unwrap();
    assert_eq!(decode_batch(&other).unwrap_err(), BatchError::Version(2));
    assert!(matches!(decode_batch(b"").unwrap_err(), BatchError::Malformed(_)));
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        // Whatever comes of it: it does not panic.
        let _ = decode_batch(&bytes);
    }
}

async fn pair(config: Config) -> (Node, Node, Clock) {
    let (fleet, clock) = world();
    let one = Node::start(&fleet, &clock, config.clone());
    let other = Node::start(&fleet, &clock, config);
    one.held().await;
    other.held().await;
    clock.advance(TTL_MS / 5);
    for node in [&one, &other] {
        node.sees("both", |table| table.members().count() == 2).await;
    }
    (one, other, clock)
}

#[tokio::test]
async fn posts_arrive_in_order() {
    let (one, other, _) = pair(Config::default()).await;
    let mut inbox = other.handle.inbox().unwrap();
    assert!(other.handle.inbox().is_none(), "it is taken once");
    for number in 0..600 {
        assert!(one.handle.post(other.handle.session(), not_here(number)));
    }
    for number in 0..600 {
        let (from, post) = soon("mail", inbox.recv()).await.unwrap();
        assert_eq!(from, one.handle.session());
        assert_eq!(format!("{post:?}"), format!("{:?}", not_here(number)));
    }
}

#[tokio::test]
async fn a_full_lane_refuses() {
    let (one, other, _) = pair(Config { outbox_len_max: 8, ..Config::default() }).await;
    let to = other.handle.session();
    // Nothing else runs on this thread before the first await.
    let taken = (0..100).filter(|number| one.handle.post(to, not_here(*number))).count();
    assert_eq!(taken, 8);
    let mut inbox = other.handle.inbox().unwrap();
    for number in 0..8 {
        let (_, post) = soon("mail", inbox.recv()).await.unwrap();
        assert_eq!(format!("{post:?}"), format!("{:?}", not_here(number)));
    }
    assert!(one.handle.post(to, not_here(8)), "there is room again");
}

#[tokio::test]
async fn mail_that_is_too_old_is_refused() {
    let (one, other, clock) = pair(Config { inbox_len_max: 1, ..Config::default() }).await;
    let mut inbox = other.handle.inbox().unwrap();
    let delay = &one.door.faults().delays_mail_ms;
    delay.store(PARCEL_AGE_MS_MAX + 1, Ordering::SeqCst);
    assert!(one.handle.post(other.handle.session(), not_here(1)));
    one.handle.0.outbox.flushed().await;
    delay.store(0, Ordering::SeqCst);
    clock.advance(PARCEL_AGE_MS_MAX + 1);
    one.held().await;
    assert!(one.handle.post(other.handle.session(), not_here(2)));
    let (_, post) = soon("the later one", inbox.recv()).await.unwrap();
    assert_eq!(format!("{post:?}"), format!("{:?}", not_here(2)));
}

#[tokio::test]
async fn mail_to_the_dead_comes_back() {
    let (one, other, _) = pair(Config::default()).await;
    let to = other.handle.session();
    let mut returned = one.handle.returned().unwrap();
    one.door.leave(to).await.unwrap();
    assert!(one.handle.post(to, not_here(1)), "this node has not seen it go");
    let back = soon("it comes back", returned.recv()).await.unwrap();
    assert_eq!((back.to, back.why), (to, Why::Gone));
    assert_eq!(format!("{:?}", back.post), format!("{:?}", not_here(1)));
}

#[tokio::test]
async fn mail_that_the_store_fails_to_take_comes_back_in_doubt() {
    let (one, other, _) = pair(Config::default()).await;
    let mut returned = one.handle.returned().unwrap();
    one.cut_off(true);
    assert!(one.handle.post(other.handle.session(), not_here(1)));
    let back = soon("it comes back", returned.recv()).await.unwrap();
    assert_eq!(back.why, Why::Doubt);
    one.cut_off(false);
    let mut inbox = other.handle.inbox().unwrap();
    assert!(one.handle.post(other.handle.session(), not_here(2)));
    let (_, post) = soon("mail", inbox.recv()).await.unwrap();
    assert_eq!(format!("{post:?}"), format!("{:?}", not_here(2)));
}

#[tokio::test]
async fn mail_that_waits_when_a_node_freezes_is_not_sent() {
    let (one, other, clock) = pair(Config::default()).await;
    let mut returned = one.handle.returned().unwrap();
    one.cut_off(true);
    assert!(one.handle.post(other.handle.session(), not_here(1)));
    // Nothing else ran on this thread since: the lane has yet to send it.
    clock.advance(TTL_MS);
    let back = soon("it comes back", returned.recv()).await.unwrap();
    assert_eq!(back.why, Why::Frozen);
    assert!(!one.handle.post(other.handle.session(), not_here(2)), "frozen");
}

#[tokio::test]
async fn a_leaving_node_sends_what_waits() {
    let (one, other, _) = pair(Config::default()).await;
    let mut inbox = other.handle.inbox().unwrap();
    for number in 0..300 {
        assert!(one.handle.post(other.handle.session(), not_here(number)));
    }
    soon("it leaves", one.handle.leave()).await;
    for _ in 0..300 {
        soon("mail", inbox.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn a_new_session_reads_its_own_inbox() {
    let (one, other, clock) = pair(Config::default()).await;
    let mut inbox = other.handle.inbox().unwrap();
    let dead = other.handle.session();
    one.door.leave(dead).await.unwrap();
    clock.advance(TTL_MS / 3);
    let mut state = other.handle.state();
    let renewed = state
        .wait_for(|state| matches!(state, LeaseState::Held { session, .. } if *session != dead));
    soon("a new session", renewed).await.unwrap();
    let fresh = other.held().await;
    assert!(one.handle.post(fresh, not_here(1)), "it may have joined since the last read");
    let (_, post) = soon("mail", inbox.recv()).await.unwrap();
    assert_eq!(format!("{post:?}"), format!("{:?}", not_here(1)));
}

#[tokio::test]
async fn returned_mail_that_no_one_takes_is_dropped_and_counted() {
    let (one, other, _) = pair(Config { outbox_len_max: 4, ..Config::default() }).await;
    let (to, stats) = (other.handle.session(), one.handle.stats());
    one.door.leave(to).await.unwrap();
    for round in 1..=2 {
        for number in 0..4 {
            assert!(one.handle.post(to, not_here(10 * round + number)), "not seen to be gone");
        }
        soon("all are decided", one.handle.0.outbox.flushed()).await;
    }
    assert_eq!((stats.mail_returned.get(), stats.mail_dropped.get()), (8, 4));
    let mut returned = one.handle.returned().unwrap();
    for number in 0..4 {
        let back = soon("the first ones are kept", returned.recv()).await.unwrap();
        assert_eq!(format!("{:?}", back.post), format!("{:?}", not_here(10 + number)));
    }
    assert!(returned.try_recv().is_err());
}

#[tokio::test]
async fn a_reader_that_falls_behind_loses_nothing_that_the_store_keeps() {
    let (one, other, _) = pair(Config { inbox_len_max: 2, ..Config::default() }).await;
    for number in 0..60 {
        assert!(one.handle.post(other.handle.session(), not_here(number)));
        soon("it is stored", one.handle.0.outbox.flushed()).await;
    }
    let mut inbox = other.handle.inbox().unwrap();
    assert!(inbox.len() <= 2, "more waits than may");
    for number in 0..60 {
        let (_, post) = soon("mail", inbox.recv()).await.unwrap();
        assert_eq!(format!("{post:?}"), format!("{:?}", not_here(number)));
    }
    assert_eq!(other.handle.stats().batches_missed.get(), 0);
    assert_eq!(one.handle.stats().batches_sent.get(), 60);
}

#[tokio::test]
async fn an_inbox_that_overflows_loses_its_oldest_mail_and_says_so() {
    /// How many batches the store keeps.
    const KEPT: u64 = 10_000;
    let (one, other, _) = pair(Config::default()).await;
    let (from, to) = (one.handle.session(), other.handle.session());
    let mut inbox = other.handle.inbox().unwrap();
    let send = async |number: u64| {
        let post = encode_post(&not_here(usize::try_from(number).unwrap())).unwrap();
        one.door.send(to, encode_batch(from, number, &[post]).unwrap()).await.unwrap()
    };
    assert!(send(1).await);
    soon("the first", inbox.recv()).await.unwrap();
    other.cut_off(true);
    for number in 2..=KEPT + 51 {
        assert!(send(number).await);
    }
    other.cut_off(false);
    let (_, oldest) = soon("what is left", inbox.recv()).await.unwrap();
    assert_eq!(format!("{oldest:?}"), format!("{:?}", not_here(52)));
    assert_eq!(other.handle.stats().batches_missed.get(), 50);
}

#[tokio::test]
async fn what_is_refused_or_not_understood_is_counted() {
    let (one, other, clock) = pair(Config { outbox_len_max: 8, ..Config::default() }).await;
    let (from, to) = (one.handle.session(), other.handle.session());
    let mut inbox = other.handle.inbox().unwrap();
    let taken = (0..11).filter(|number| one.handle.post(to, not_here(*number))).count();
    assert_eq!((taken, one.handle.stats().mail_refused.get()), (8, 3));
    let unknown = rmp_serde::to_vec_named(&std::collections::BTreeMap::from([("zz", 1)])).unwrap();
    let letters = [
        Bytes::from_static(b"no batch"),
        encode_batch(from, 0, &[unknown.into(), encode_post(&not_here(99)).unwrap()]).unwrap(),
    ];
    for letter in letters {
        assert!(one.door.send(to, letter).await.unwrap());
    }
    let last = format!("{:?}", not_here(99));
    while format!("{:?}", soon("the last", inbox.recv()).await.unwrap().1) != last {}
    assert_eq!(other.handle.stats().mail_unread.get(), 2);
    one.door.faults().delays_mail_ms.store(PARCEL_AGE_MS_MAX + 1, Ordering::SeqCst);
    assert!(one.door.send(to, encode_batch(from, 0, &[]).unwrap()).await.unwrap());
    clock.advance(PARCEL_AGE_MS_MAX + 1);
    let stats = other.handle.stats();
    let stale = async {
        while stats.batches_stale.get() == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("it is refused", stale).await;
}
