//! The suite for actors that come to their end: what is erased is gone, and stays so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a check fails by panicking"
)]

use std::time::Duration;

use futures::FutureExt;
use holdfast_protocol::ids::ActorId;

use super::conformance::{
    Checks, ME, OTHER, Subject, append, assert_loaded, assert_nowhere, claim, due, grown, hold, id,
    load, put, snapshot, tip, tip_of,
};
use super::{Append, Base, Claim, Claimed, Epoch, Error, Owner, Seq, Snapshot};
use crate::clock;

/// What every store promises.
pub const CHECKS: Checks = &[
    ("what is erased is gone", |s| what_is_erased_is_gone(s).boxed()),
    ("only the tip's holder erases", |s| only_the_tips_holder_erases(s).boxed()),
    ("a repeated erasure finds nothing", |s| a_repeated_erasure_finds_nothing(s).boxed()),
    ("a former owner brings nothing back", |s| a_former_owner_brings_nothing_back(s).boxed()),
    ("a new life has a higher epoch", |s| a_new_life_has_a_higher_epoch(s).boxed()),
    ("others stay as they are", |s| others_stay_as_they_are(s).boxed()),
];

/// How long an epoch's own millisecond may take to pass.
const PATIENCE: Duration = Duration::from_secs(10);

/// Erases, once the epoch is past.
async fn erase(store: &Subject, actor: &ActorId, epoch: Epoch, seq: Seq) -> Result<(), Error> {
    let begun = clock::instant();
    loop {
        match store.erase(actor, epoch, seq).await {
            Err(Error::Stalled(_)) if begun.elapsed() < PATIENCE => tokio::task::yield_now().await,
            answer => return answer,
        }
    }
}

/// One with two snapshots, a tail, and something due.
async fn settled(store: &Subject, name: &str) -> (ActorId, Epoch) {
    let (actor, epoch) = grown(store, name, 4).await;
    for seq in [2, 4] {
        let due_ms = Some(700);
        store.snapshot(Snapshot { due_ms, ..snapshot(&actor, epoch, seq) }).await.unwrap();
    }
    let due_ms = Some(500);
    put(store, Append { due_ms, ..append(store, &actor, epoch, 5) }).await.unwrap();
    (actor, epoch)
}

/// Whether the store knows nothing of an actor.
async fn assert_gone(store: &Subject, actor: &ActorId) {
    assert_eq!(tip(store, actor).await, None);
    for base in [Base::Newest, Base::Older] {
        assert_eq!(store.load(actor, base).await, Err(Error::Absent));
    }
    assert_eq!(store.history(actor, 0, 10).await, Err(Error::Absent));
    assert_eq!(store.actors(actor.kind(), None, 10).await.unwrap(), []);
    assert_eq!(store.owners(vec![actor.clone()]).await.unwrap(), [None]);
    assert!(due(store, u64::MAX).await.iter().all(|(_, other)| other != actor));
    let absent = Claim { creates: false, ..claim(actor, OTHER) };
    assert_eq!(store.claim(absent).await.unwrap(), Claimed::Absent);
}

async fn what_is_erased_is_gone(store: Subject) {
    let (actor, epoch) = settled(&store, "trade:t1").await;
    erase(&store, &actor, epoch, 5).await.unwrap();
    assert_gone(&store, &actor).await;
    // Released, and known from what is stored alone.
    let (actor, epoch) = settled(&store, "trade:t2").await;
    store.release(&actor, epoch, Some(1)).await.unwrap();
    erase(&store, &actor, epoch, 5).await.unwrap();
    assert_gone(&store, &actor).await;
}

async fn only_the_tips_holder_erases(store: Subject) {
    let (actor, old) = settled(&store, "trade:t1").await;
    for seq in [0, 4, 6] {
        let refused = erase(&store, &actor, old, seq).await;
        assert_eq!(refused, Err(Error::OutOfSequence { tip: 5 }), "at {seq}");
    }
    let refused = erase(&store, &actor, old + 1, 5).await;
    assert_eq!(refused, Err(Error::OutOfSequence { tip: 5 }), "never claimed");
    let newest = hold(&store, &actor).await;
    for seq in [4, 5] {
        let refused = erase(&store, &actor, old, seq).await;
        assert_eq!(refused, Err(Error::Fenced { newest }), "at {seq}");
    }
    assert_eq!(tip(&store, &actor).await, Some(tip_of(newest, 5)));
    assert_loaded(&load(&store, &actor, Base::Older).await, Some(2), 3..=5);
    assert_loaded(&load(&store, &actor, Base::Newest).await, Some(4), 5..=5);
    assert_eq!(due(&store, 1_000).await, [(500, actor.clone())]);
    let held = Claimed::Held(Owner { session: ME, epoch: newest });
    assert_eq!(store.claim(claim(&actor, OTHER)).await.unwrap(), held);
    put(&store, append(&store, &actor, newest, 6)).await.expect("a refusal changes nothing");
    erase(&store, &actor, newest, 6).await.unwrap();
    assert_gone(&store, &actor).await;
}

async fn a_repeated_erasure_finds_nothing(store: Subject) {
    let (actor, epoch) = settled(&store, "trade:t1").await;
    erase(&store, &actor, epoch, 5).await.unwrap();
    assert_eq!(erase(&store, &actor, epoch, 5).await, Err(Error::Absent));
    let newest = hold(&store, &actor).await;
    assert_eq!(erase(&store, &actor, epoch, 5).await, Err(Error::Fenced { newest }));
    assert_eq!(tip(&store, &actor).await.map(|tip| tip.epoch), Some(newest), "the new life stays");
}

async fn a_former_owner_brings_nothing_back(store: Subject) {
    let (actor, old) = settled(&store, "trade:t1").await;
    let epoch = hold(&store, &actor).await;
    erase(&store, &actor, epoch, 5).await.unwrap();
    for (epoch, seq) in [(old, 6), (epoch, 6), (epoch, 1)] {
        let due_ms = Some(900);
        let late = Append { due_ms, ..append(&store, &actor, epoch, seq) };
        assert_nowhere(&put(&store, late).await);
    }
    assert_eq!(store.snapshot(snapshot(&actor, epoch, 5)).await, Err(Error::Absent));
    assert_eq!(store.release(&actor, epoch, Some(1)).await, Err(Error::Absent));
    // A wake-up that an append left behind ends with the claim that it brings about.
    let absent = Claim { creates: false, ..claim(&actor, OTHER) };
    assert_eq!(store.claim(absent).await.unwrap(), Claimed::Absent);
    assert_gone(&store, &actor).await;
}

async fn a_new_life_has_a_higher_epoch(store: Subject) {
    let actor = id("trade:t1");
    let mut last = 0;
    for _ in 0..20 {
        let epoch = hold(&store, &actor).await;
        assert!(epoch > last, "epoch {epoch} after {last}");
        assert_eq!(tip(&store, &actor).await.map(|tip| tip.seq), Some(0));
        put(&store, append(&store, &actor, epoch, 1)).await.unwrap();
        if last > 0 {
            let late = put(&store, append(&store, &actor, last, 2)).await;
            assert_eq!(late, Err(Error::Fenced { newest: epoch }), "of the life before");
        }
        assert_loaded(&load(&store, &actor, Base::Newest).await, None, 1..=1);
        erase(&store, &actor, epoch, 1).await.unwrap();
        last = epoch;
    }
}

async fn others_stay_as_they_are(store: Subject) {
    // Two of one partition.
    let actor = id("trade:t1");
    let at = store.partition_of(&actor);
    let mut names = (0_u32..).map(|n| format!("trade:n{n:06}"));
    let name = names.find(|name| store.partition_of(&id(name)) == at).unwrap();
    let (other, other_epoch) = settled(&store, &name).await;
    let (_, epoch) = settled(&store, "trade:t1").await;
    erase(&store, &actor, epoch, 5).await.unwrap();
    assert_eq!(store.actors("trade", None, 10).await.unwrap(), std::slice::from_ref(&other));
    assert_eq!(due(&store, 1_000).await, [(500, other.clone())]);
    assert_loaded(&load(&store, &other, Base::Older).await, Some(2), 3..=5);
    put(&store, append(&store, &other, other_epoch, 6)).await.unwrap();
}
