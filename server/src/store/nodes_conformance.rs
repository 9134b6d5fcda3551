//! The suite for stores that many nodes share: owners, and memory that is written back.
//!
//! Beside [`super::conformance`], whose runner and helpers it uses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a check fails by panicking"
)]

use futures::future::{FutureExt, join_all};

use super::conformance::{
    Checks, ME, OTHER, Subject, append, assert_loaded, claim, due, grown, hold, id, load, put,
    snapshot, state, tip, tip_of,
};
use super::{
    Append, Base, Claim, Claimed, Epoch, Error, Owner, Reassert, Reasserted, Seq, Term, Tip,
};
use holdfast_protocol::ids::ActorId;

/// What such a store promises.
pub const CHECKS: Checks = &[
    ("owners are told", |s| owners_are_told(s).boxed()),
    ("one of two racing claims wins", |s| one_of_two_racing_claims_wins(s).boxed()),
    ("a delayed claim changes nothing", |s| a_delayed_claim_changes_nothing(s).boxed()),
    ("a marker continues a term", |s| a_marker_continues_a_term(s).boxed()),
    ("a record after a marker is the tip", |s| a_record_after_a_marker_is_the_tip(s).boxed()),
    ("memory goes over an older history", |s| memory_goes_over_an_older_history(s).boxed()),
    ("only the observed tip is replaced", |s| only_the_observed_tip_is_replaced(s).boxed()),
    ("what is not there is made where it was seen not to be", |s| {
        what_is_not_there_is_made_only_where_it_was_seen_not_to_be(s).boxed()
    }),
    ("a first record may be only in memory", |s| a_first_record_may_be_only_in_memory(s).boxed()),
    ("a longer line gives way", |s| a_longer_line_gives_way(s).boxed()),
    ("one of two reassertions wins", |s| one_of_two_reassertions_wins(s).boxed()),
];

/// The random id of a reassertion, with its upper half.
const MARK: u64 = u64::MAX - 1_000_000;

/// A reassertion against the tip as it is, marker only.
async fn marker(store: &Subject, actor: &ActorId, continues: Epoch) -> Reassert {
    let observed = store.tip(actor).await.unwrap().unwrap();
    Reassert {
        actor: actor.clone(),
        session: OTHER,
        observed,
        continues,
        seq: observed.seq,
        append_id: MARK,
        snapshot: None,
        due_ms: None,
    }
}

async fn whole(store: &Subject, actor: &ActorId, continues: Epoch, seq: Seq) -> Reassert {
    Reassert { seq, snapshot: Some(state(seq)), ..marker(store, actor, continues).await }
}

async fn granted(store: &Subject, reassert: Reassert) -> Epoch {
    let actor = reassert.actor.clone();
    match store.reassert(reassert).await.unwrap() {
        Reasserted::Granted { epoch, history } => {
            assert_eq!(history, store.history_of(&actor));
            epoch
        }
        Reasserted::Changed => panic!("{actor} was not reasserted"),
    }
}

fn marked(epoch: Epoch, seq: Seq, continues: Epoch) -> Tip {
    Tip { append_id: MARK, continues: Some(continues), ..tip_of(epoch, seq) }
}

async fn owners_are_told(store: Subject) {
    let (held, epoch) = grown(&store, "player:held", 2).await;
    let (released, old) = grown(&store, "player:released", 1).await;
    store.release(&released, old, None).await.unwrap();
    let (moved, old) = grown(&store, "player:moved", 1).await;
    let newest = granted(&store, marker(&store, &moved, old).await).await;
    let asked = vec![held, released, id("player:nobody"), moved];
    let owner = |session, epoch| Some(Owner { session, epoch });
    let expected = [owner(ME, epoch), None, None, owner(OTHER, newest)];
    assert_eq!(store.owners(asked).await.unwrap(), expected);
    assert_eq!(store.owners(Vec::new()).await.unwrap(), []);
}

async fn one_of_two_racing_claims_wins(store: Subject) {
    for nth in 0..20 {
        let actor = id(&format!("player:p{nth}"));
        let claims = [ME, OTHER].map(|session| store.claim(claim(&actor, session)));
        let claimed: Vec<_> = join_all(claims).await.into_iter().map(Result::unwrap).collect();
        let winner = claimed.iter().position(|it| matches!(it, Claimed::Granted { .. })).unwrap();
        let Claimed::Granted { epoch, seq: 0, .. } = claimed[winner] else { panic!("{claimed:?}") };
        let owner = Owner { session: [ME, OTHER][winner], epoch };
        assert_eq!(claimed[1 - winner], Claimed::Held(owner));
        put(&store, append(&store, &actor, epoch, 1)).await.unwrap();
    }
}

async fn a_delayed_claim_changes_nothing(store: Subject) {
    let (actor, old) = grown(&store, "player:alice", 2).await;
    let epoch = hold(&store, &actor).await;
    let delayed =
        Claim { replaces: Some(Owner { session: ME, epoch: old }), ..claim(&actor, OTHER) };
    let held = store.claim(delayed).await.unwrap();
    assert_eq!(held, Claimed::Held(Owner { session: ME, epoch }));
    assert_eq!(tip(&store, &actor).await, Some(tip_of(epoch, 2)));
    put(&store, append(&store, &actor, epoch, 3)).await.unwrap();
}

async fn a_marker_continues_a_term(store: Subject) {
    let (actor, old) = grown(&store, "player:alice", 3).await;
    let due_ms = Some(700);
    let reassert = Reassert { due_ms, ..marker(&store, &actor, old).await };
    let epoch = granted(&store, reassert.clone()).await;
    assert!(epoch > old);
    assert_eq!(tip(&store, &actor).await, Some(marked(epoch, 3, old)));
    assert_eq!(store.reassert(reassert).await, Ok(Reasserted::Changed), "a delayed repeat");
    assert_eq!(due(&store, 1_000).await, [(700, actor.clone())]);

    let loaded = load(&store, &actor, Base::Newest).await;
    assert_loaded(&loaded, None, 1..=3);
    assert_eq!(loaded.terms, [Term { epoch: old, from: 0 }, Term { epoch, from: 3 }]);
    let fenced = put(&store, append(&store, &actor, old, 4)).await;
    assert_eq!(fenced, Err(Error::Fenced { newest: epoch }));
}

async fn a_record_after_a_marker_is_the_tip(store: Subject) {
    let (actor, old) = grown(&store, "player:alice", 3).await;
    let first = granted(&store, marker(&store, &actor, old).await).await;
    let second = granted(&store, marker(&store, &actor, first).await).await;
    assert_eq!(tip(&store, &actor).await, Some(marked(second, 3, first)));
    let claimed =
        Claim { replaces: Some(Owner { session: OTHER, epoch: second }), ..claim(&actor, ME) };
    let Claimed::Granted { epoch, seq: 3, .. } = store.claim(claimed).await.unwrap() else {
        panic!("the named owner was not replaced");
    };
    let claimed = Tip { continues: None, ..marked(epoch, 3, 0) };
    assert_eq!(tip(&store, &actor).await, Some(claimed), "a claim ends what a marker says");
    put(&store, append(&store, &actor, epoch, 4)).await.unwrap();
    assert_eq!(tip(&store, &actor).await, Some(tip_of(epoch, 4)));
    assert_loaded(&load(&store, &actor, Base::Newest).await, None, 1..=4);
}

async fn memory_goes_over_an_older_history(store: Subject) {
    let (actor, old) = grown(&store, "player:alice", 4).await;
    store.snapshot(snapshot(&actor, old, 2)).await.unwrap();
    let due_ms = Some(5);
    put(&store, Append { due_ms, ..append(&store, &actor, old, 5) }).await.unwrap();
    // Memory is of a term that the store has lost.
    let lost = old + 60_000;
    let epoch = granted(&store, whole(&store, &actor, lost, 9).await).await;
    assert!(epoch > lost);
    assert_eq!(tip(&store, &actor).await, Some(marked(epoch, 9, lost)));
    assert_eq!(due(&store, u64::MAX).await, []);
    assert_eq!(store.history(&actor, 0, 10).await.unwrap(), []);
    for base in [Base::Newest, Base::Older] {
        let loaded = load(&store, &actor, base).await;
        assert_eq!(loaded.snapshot.unwrap().bytes, state(9));
        assert_eq!((loaded.records.len(), loaded.tip.seq), (0, 9));
        assert_eq!(loaded.terms, [Term { epoch, from: 9 }]);
    }
    put(&store, append(&store, &actor, epoch, 10)).await.unwrap();
    for base in [Base::Newest, Base::Older] {
        assert_loaded(&load(&store, &actor, base).await, Some(9), 10..=10);
    }
    store.snapshot(snapshot(&actor, epoch, 10)).await.unwrap();
    assert_loaded(&load(&store, &actor, Base::Older).await, Some(9), 10..=10);
}

async fn only_the_observed_tip_is_replaced(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 3).await;
    let before = tip(&store, &actor).await.unwrap();
    let good = whole(&store, &actor, epoch, 5).await;
    let seen = good.observed;
    let others = [
        Tip { epoch: seen.epoch - 1, ..seen },
        Tip { epoch: seen.epoch + 1, ..seen },
        Tip { seq: seen.seq - 1, ..seen },
        Tip { append_id: seen.append_id - 1, ..seen },
        Tip { append_id: 0, ..seen },
    ];
    let fewer = Reassert { seq: 2, snapshot: None, ..good.clone() };
    let more = Reassert { snapshot: None, ..good.clone() };
    let others = others.map(|observed| Reassert { observed, ..good.clone() });
    for wrong in others.into_iter().chain([fewer, more]) {
        assert_eq!(store.reassert(wrong.clone()).await, Ok(Reasserted::Changed), "{wrong:?}");
        assert_eq!(tip(&store, &actor).await, Some(before));
    }
    put(&store, append(&store, &actor, epoch, 4)).await.expect("nothing was changed");
    assert_eq!(store.reassert(good).await, Ok(Reasserted::Changed));
    assert_loaded(&load(&store, &actor, Base::Newest).await, None, 1..=4);
}

async fn what_is_not_there_is_made_only_where_it_was_seen_not_to_be(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 1).await;
    let nobody = id("player:nobody");
    let whole = Reassert { actor: nobody.clone(), ..whole(&store, &actor, epoch, 3).await };
    let seen = Reassert { observed: Tip::of_nothing(whole.observed.history), ..whole.clone() };
    for wrong in [whole, Reassert { snapshot: None, seq: 0, ..seen.clone() }] {
        assert_eq!(store.reassert(wrong.clone()).await, Ok(Reasserted::Changed), "{wrong:?}");
        assert_eq!(tip(&store, &nobody).await, None, "a refusal makes no actor");
    }
    let made = granted(&store, seen.clone()).await;
    assert!(made > epoch);
    assert_eq!(tip(&store, &nobody).await, Some(marked(made, 3, epoch)));
    assert_eq!(store.reassert(seen).await, Ok(Reasserted::Changed), "only once");
    put(&store, append(&store, &nobody, made, 4)).await.unwrap();
    assert_loaded(&load(&store, &nobody, Base::Older).await, Some(3), 4..=4);
    let listed = store.actors("player", None, 10).await.unwrap();
    assert_eq!(listed, [actor, nobody]);
}

async fn a_first_record_may_be_only_in_memory(store: Subject) {
    let (actor, old) = grown(&store, "player:alice", 0).await;
    let epoch = granted(&store, whole(&store, &actor, old, 1).await).await;
    let listed = store.actors("player", None, 10).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&actor));
    let claimed = Claim { replaces: Some(Owner { session: OTHER, epoch }), ..claim(&actor, ME) };
    let claimed = store.claim(claimed).await.unwrap();
    assert!(matches!(claimed, Claimed::Granted { seq: 1, .. }), "{claimed:?}");
}

async fn a_longer_line_gives_way(store: Subject) {
    let (actor, old) = grown(&store, "player:alice", 3).await;
    let rival = granted(&store, whole(&store, &actor, old, 6).await).await;
    // Memory is of a later term than the one that the rival goes on from.
    let epoch = granted(&store, whole(&store, &actor, old + 1, 4).await).await;
    assert!(epoch > rival);
    assert_eq!(tip(&store, &actor).await, Some(marked(epoch, 4, old + 1)));
    put(&store, append(&store, &actor, epoch, 5)).await.unwrap();
    for base in [Base::Newest, Base::Older] {
        assert_loaded(&load(&store, &actor, base).await, Some(4), 5..=5);
    }
}

async fn one_of_two_reassertions_wins(store: Subject) {
    let (actor, old) = grown(&store, "player:alice", 3).await;
    let mine = Reassert { session: ME, append_id: 1, ..whole(&store, &actor, old, 4).await };
    let theirs = whole(&store, &actor, old, 5).await;
    let answers = join_all([store.reassert(mine), store.reassert(theirs)]).await;
    let changed = answers.iter().filter(|answer| **answer == Ok(Reasserted::Changed)).count();
    assert_eq!(changed, 1, "{answers:?}");
    let seq = if answers[0] == Ok(Reasserted::Changed) { 5 } else { 4 };
    assert_eq!(load(&store, &actor, Base::Newest).await.snapshot.unwrap().seq, seq);
}
