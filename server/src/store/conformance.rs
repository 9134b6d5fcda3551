//! The suite that every backend passes: the port's promises, one check each.
//!
//! A check gets a fresh store and knows nothing of its kind. [`run`] names the checks that fail.

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
use holdfast_protocol::ids::ActorId;

use super::{
    Append, Base, Claim, Claimed, Epoch, Error, Loaded, NodeSession, Owner, RecordRow, Score, Seq,
    SessionMetrics, Snapshot, SnapshotRow, Store, Tip,
};

/// What a check runs on.
pub type Subject = Arc<dyn Store>;

/// One promise of the port.
pub type Check = fn(Subject) -> BoxFuture<'static, ()>;

/// Every promise, by name.
pub const CHECKS: &[(&str, Check)] = &[
    ("claims grant rising epochs", |s| claims_grant_rising_epochs(s).boxed()),
    ("absent claims leave no key", |s| absent_claims_leave_no_key(s).boxed()),
    ("a holder is replaced by name only", |s| a_holder_is_replaced_by_name_only(s).boxed()),
    ("released actors are free", |s| released_actors_are_free(s).boxed()),
    ("appends follow the tip", |s| appends_follow_the_tip(s).boxed()),
    ("older epochs are fenced", |s| older_epochs_are_fenced(s).boxed()),
    ("batches answer in order", |s| batches_answer_in_order(s).boxed()),
    ("calls take effect in their order", |s| calls_take_effect_in_their_order(s).boxed()),
    ("loads begin at the base", |s| loads_begin_at_the_base(s).boxed()),
    ("bytes come back as they were", |s| bytes_come_back_as_they_were(s).boxed()),
    ("trimming keeps what it must", |s| trimming_keeps_what_it_must(s).boxed()),
    ("wrong snapshots are refused", |s| wrong_snapshots_are_refused(s).boxed()),
    ("appends only lower the due time", |s| appends_only_lower_the_due_time(s).boxed()),
    ("due actors come earliest first", |s| due_actors_come_earliest_first(s).boxed()),
    ("actors are listed by kind", |s| actors_are_listed_by_kind(s).boxed()),
    ("history is read in pieces", |s| history_is_read_in_pieces(s).boxed()),
    ("the newest score counts", |s| the_newest_score_counts(s).boxed()),
    ("metrics and secrets are kept once", |s| metrics_and_secrets_are_kept_once(s).boxed()),
    ("many actors append at once", |s| many_actors_append_at_once(s).boxed()),
    ("a closed store refuses", |s| a_closed_store_refuses(s).boxed()),
];

/// Runs every check on a store of its own.
///
/// # Panics
/// When a check fails, with the names of all that did.
pub async fn run(open: impl AsyncFn() -> Subject) {
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        let store = open().await;
        if AssertUnwindSafe(check(store)).catch_unwind().await.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "the store breaks the port: {failed:?}");
}

const ME: NodeSession = 1;
const OTHER: NodeSession = u64::MAX;

fn id(text: &str) -> ActorId {
    text.parse().unwrap()
}

fn claim(actor: &ActorId, session: NodeSession) -> Claim {
    Claim { actor: actor.clone(), session, creates: true, replaces: None }
}

async fn hold(store: &Subject, actor: &ActorId) -> Epoch {
    match store.claim(claim(actor, ME)).await.unwrap() {
        Claimed::Granted { epoch, .. } => epoch,
        refused => panic!("{actor} was not granted: {refused:?}"),
    }
}

fn record(actor: &ActorId, seq: Seq) -> Bytes {
    format!("{actor} {seq}").into()
}

fn append(actor: &ActorId, epoch: Epoch, seq: Seq) -> Append {
    // Ids are random: the upper half must survive too.
    let append_id = u64::MAX - seq;
    let record = record(actor, seq);
    Append { actor: actor.clone(), epoch, seq, append_id, history: 0, record, due_ms: None }
}

fn tip_of(epoch: Epoch, seq: Seq) -> Tip {
    Tip { epoch, seq, append_id: u64::MAX - seq, continues: None, history: 0 }
}

async fn put(store: &Subject, append: Append) -> Result<(), Error> {
    store.append(vec![append]).await.pop().unwrap()
}

/// Claims an actor and gives it its first records.
async fn grown(store: &Subject, name: &str, len: Seq) -> (ActorId, Epoch) {
    let actor = id(name);
    let epoch = hold(store, &actor).await;
    for seq in 1..=len {
        put(store, append(&actor, epoch, seq)).await.unwrap();
    }
    (actor, epoch)
}

fn snapshot(actor: &ActorId, epoch: Epoch, seq: Seq) -> Snapshot {
    let bytes = state(seq);
    Snapshot { actor: actor.clone(), epoch, seq, bytes, retain: 0, due_ms: None }
}

fn state(seq: Seq) -> Bytes {
    format!("state {seq}").into()
}

fn seqs(records: &[RecordRow]) -> Vec<Seq> {
    records.iter().map(|row| row.seq).collect()
}

fn assert_loaded(loaded: &Loaded, base: Option<Seq>, tail: std::ops::RangeInclusive<Seq>) {
    let expected = base.map(|seq| SnapshotRow { seq, bytes: state(seq) });
    assert_eq!(loaded.snapshot, expected);
    assert_eq!(seqs(&loaded.records), tail.clone().collect::<Vec<_>>());
    assert_eq!(loaded.tip.seq, *tail.end());
}

async fn claims_grant_rising_epochs(store: Subject) {
    let actor = id("player:alice");
    let before_ms = store.now_ms();
    let Claimed::Granted { epoch, seq, .. } = store.claim(claim(&actor, ME)).await.unwrap() else {
        panic!("a new actor was not granted");
    };
    assert!(epoch >= before_ms, "epochs are milliseconds of the store's clock");
    assert_eq!(seq, 0);
    put(&store, append(&actor, epoch, 1)).await.unwrap();
    let mut last = epoch;
    // All at once, so that the clock does not move between them.
    let claims: Vec<_> = (0..5).map(|_| store.claim(claim(&actor, ME))).collect();
    for claimed in join_all(claims).await {
        let Ok(Claimed::Granted { epoch, seq: 1, .. }) = claimed else {
            panic!("the holder itself was not granted: {claimed:?}");
        };
        assert!(epoch > last, "epoch {epoch} after {last}");
        last = epoch;
    }
    let tip = tip_of(last, 1);
    assert_eq!(store.tip(&actor).await.unwrap(), Some(tip));
}

async fn absent_claims_leave_no_key(store: Subject) {
    let actor = id("trade:t1");
    let mut absent = Claim { creates: false, ..claim(&actor, ME) };
    assert_eq!(store.claim(absent.clone()).await.unwrap(), Claimed::Absent);
    absent.replaces = Some(Owner { session: OTHER, epoch: 7 });
    assert_eq!(store.claim(absent).await.unwrap(), Claimed::Absent);
    assert_eq!(store.tip(&actor).await.unwrap(), None);
    assert_eq!(store.load(&actor, Base::Newest).await, Err(Error::Absent));
    assert_eq!(store.history(&actor, 1, 10).await, Err(Error::Absent));
    assert_eq!(put(&store, append(&actor, 1, 1)).await, Err(Error::Absent));
    assert_eq!(store.snapshot(snapshot(&actor, 1, 1)).await, Err(Error::Absent));
    assert_eq!(store.release(&actor, 1, None).await, Err(Error::Absent));
    assert_eq!(store.tip(&actor).await.unwrap(), None, "a refusal makes no actor");
}

async fn a_holder_is_replaced_by_name_only(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 2).await;
    let owner = Owner { session: ME, epoch };
    let wrong = [
        None,
        Some(Owner { session: OTHER, epoch }),
        Some(Owner { session: ME, epoch: epoch - 1 }),
    ];
    for replaces in wrong {
        let refused = store.claim(Claim { replaces, ..claim(&actor, OTHER) }).await.unwrap();
        assert_eq!(refused, Claimed::Held(owner), "replacing {replaces:?}");
    }
    put(&store, append(&actor, epoch, 3)).await.expect("a refused claim changes nothing");

    let replaces = Some(owner);
    let granted = store.claim(Claim { replaces, ..claim(&actor, OTHER) }).await.unwrap();
    let Claimed::Granted { epoch: newest, seq: 3, .. } = granted else {
        panic!("the named owner was not replaced: {granted:?}");
    };
    assert!(newest > epoch);
    assert_eq!(put(&store, append(&actor, epoch, 4)).await, Err(Error::Fenced { newest }));
    let held = store.claim(Claim { replaces, ..claim(&actor, ME) }).await.unwrap();
    assert_eq!(held, Claimed::Held(Owner { session: OTHER, epoch: newest }));
}

async fn released_actors_are_free(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 1).await;
    store.release(&actor, epoch, None).await.unwrap();
    store.release(&actor, epoch, None).await.expect("a repeat does no harm");
    let granted = store.claim(claim(&actor, OTHER)).await.unwrap();
    let Claimed::Granted { epoch: newest, seq: 1, .. } = granted else {
        panic!("a released actor was not granted: {granted:?}");
    };
    assert!(newest > epoch);
    assert_eq!(store.release(&actor, epoch, None).await, Err(Error::Fenced { newest }));
    let held = store.claim(claim(&actor, ME)).await.unwrap();
    assert_eq!(held, Claimed::Held(Owner { session: OTHER, epoch: newest }));
}

async fn appends_follow_the_tip(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 0).await;
    let empty = Tip { append_id: 0, ..tip_of(epoch, 0) };
    assert_eq!(store.tip(&actor).await.unwrap(), Some(empty));
    for seq in 1..=3 {
        put(&store, append(&actor, epoch, seq)).await.unwrap();
        let tip = tip_of(epoch, seq);
        assert_eq!(store.tip(&actor).await.unwrap(), Some(tip));
    }
    for seq in [0, 1, 3, 5, 100] {
        let refused = put(&store, append(&actor, epoch, seq)).await;
        assert_eq!(refused, Err(Error::OutOfSequence { tip: 3 }), "seq {seq}");
    }
    put(&store, append(&actor, epoch, 4)).await.expect("refusals change nothing");
}

async fn older_epochs_are_fenced(store: Subject) {
    let (actor, old) = grown(&store, "player:alice", 2).await;
    let newest = hold(&store, &actor).await;
    let fenced = Err(Error::Fenced { newest });
    assert_eq!(put(&store, append(&actor, old, 3)).await, fenced, "before the new one writes");
    put(&store, append(&actor, newest, 3)).await.unwrap();
    for seq in [3, 4] {
        assert_eq!(put(&store, append(&actor, old, seq)).await, fenced);
    }
    assert_eq!(store.snapshot(snapshot(&actor, old, 2)).await, fenced);
    assert_eq!(store.release(&actor, old, Some(1)).await, fenced);
    let loaded = store.load(&actor, Base::Newest).await.unwrap();
    assert_loaded(&loaded, None, 1..=3);
    let epochs: Vec<_> = loaded.records.iter().map(|row| row.epoch).collect();
    assert_eq!(epochs, [old, old, newest]);
    assert_eq!(store.due(0, None, u64::MAX, 10).await.unwrap(), []);
}

async fn batches_answer_in_order(store: Subject) {
    let (a, a_epoch) = grown(&store, "player:a", 1).await;
    let (b, b_old) = grown(&store, "player:b", 0).await;
    let b_epoch = hold(&store, &b).await;
    let absent = id("player:nobody");
    let batch = vec![
        append(&a, a_epoch, 2),
        append(&absent, a_epoch, 1),
        append(&b, b_old, 1),
        append(&a, a_epoch, 3),
        append(&b, b_epoch, 2),
        append(&b, b_epoch, 1),
        append(&a, a_epoch, 3),
    ];
    let expected = [
        Ok(()),
        Err(Error::Absent),
        Err(Error::Fenced { newest: b_epoch }),
        Ok(()),
        Err(Error::OutOfSequence { tip: 0 }),
        Ok(()),
        Err(Error::OutOfSequence { tip: 3 }),
    ];
    assert_eq!(store.append(batch).await, expected);
    assert_eq!(store.append(Vec::new()).await, []);
    assert_eq!(store.tip(&a).await.unwrap().unwrap().seq, 3);
    assert_eq!(store.tip(&b).await.unwrap().unwrap().seq, 1);
}

async fn calls_take_effect_in_their_order(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 0).await;
    let mut calls: Vec<_> =
        (1..=200).map(|seq| store.append(vec![append(&actor, epoch, seq)])).collect();
    let last = store.snapshot(snapshot(&actor, epoch, 200));
    // Polled backwards: the order of the calls counts.
    last.await.unwrap();
    calls.reverse();
    for answers in join_all(calls).await {
        assert_eq!(answers, [Ok(())]);
    }
}

async fn loads_begin_at_the_base(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 8).await;
    let whole = store.load(&actor, Base::Newest).await.unwrap();
    assert_loaded(&whole, None, 1..=8);
    assert_eq!(whole.tip, store.tip(&actor).await.unwrap().unwrap());
    assert!(whole.records.iter().all(|row| row.record == record(&actor, row.seq)));

    store.snapshot(snapshot(&actor, epoch, 5)).await.unwrap();
    assert_loaded(&store.load(&actor, Base::Newest).await.unwrap(), Some(5), 6..=8);
    let fallback = store.load(&actor, Base::Older).await.unwrap();
    assert_eq!(fallback, whole, "a first snapshot trims nothing");

    store.snapshot(snapshot(&actor, epoch, 7)).await.unwrap();
    assert_loaded(&store.load(&actor, Base::Newest).await.unwrap(), Some(7), 8..=8);
    let fallback = store.load(&actor, Base::Older).await.unwrap();
    assert_loaded(&fallback, Some(5), 6..=8);
    assert_eq!(fallback.records, whole.records[5..], "the same records from the older base");

    store.snapshot(snapshot(&actor, epoch, 8)).await.unwrap();
    let newest = store.load(&actor, Base::Newest).await.unwrap();
    assert_eq!((newest.snapshot.unwrap().seq, newest.records.len()), (8, 0));
    assert_eq!(newest.tip, whole.tip, "snapshots change no tip");
    assert_loaded(&store.load(&actor, Base::Older).await.unwrap(), Some(7), 8..=8);
}

async fn bytes_come_back_as_they_were(store: Subject) {
    let (actor, epoch) = grown(&store, "room:7", 0).await;
    let samples = [Bytes::new(), (0..=255).collect(), vec![0xA5; 1 << 20].into()];
    for (seq, sample) in (1..).zip(&samples) {
        let record = sample.clone();
        put(&store, Append { record, ..append(&actor, epoch, seq) }).await.unwrap();
    }
    let bytes = samples[2].clone();
    store.snapshot(Snapshot { bytes, ..snapshot(&actor, epoch, 3) }).await.unwrap();
    let loaded = store.load(&actor, Base::Older).await.unwrap();
    assert!(loaded.records.iter().map(|row| &row.record).eq(&samples));
    let loaded = store.load(&actor, Base::Newest).await.unwrap();
    assert_eq!(loaded.snapshot.unwrap().bytes, samples[2]);
}

async fn trimming_keeps_what_it_must(store: Subject) {
    let cases = [("player:a", 0, 11), ("player:b", 12, 9), ("player:c", 100, 1)];
    for (name, retain, first) in cases {
        let (actor, epoch) = grown(&store, name, 20).await;
        for seq in [4, 10, 15] {
            let snapshot = Snapshot { retain, ..snapshot(&actor, epoch, seq) };
            store.snapshot(snapshot).await.unwrap();
        }
        let kept = seqs(&store.history(&actor, 0, 100).await.unwrap());
        assert_eq!(kept, (first..=20).collect::<Vec<_>>(), "retaining {retain}");
        assert_loaded(&store.load(&actor, Base::Older).await.unwrap(), Some(10), 11..=20);
        assert_loaded(&store.load(&actor, Base::Newest).await.unwrap(), Some(15), 16..=20);
        put(&store, append(&actor, epoch, 21)).await.expect("the journal goes on");
    }
}

async fn wrong_snapshots_are_refused(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 5).await;
    let refused = Err(Error::OutOfSequence { tip: 5 });
    assert_eq!(store.snapshot(snapshot(&actor, epoch, 6)).await, refused);
    store.snapshot(snapshot(&actor, epoch, 3)).await.unwrap();
    for seq in [0, 2, 3] {
        assert_eq!(store.snapshot(snapshot(&actor, epoch, seq)).await, refused, "seq {seq}");
    }
    let newest = hold(&store, &actor).await;
    let stale = store.snapshot(snapshot(&actor, epoch, 4)).await;
    assert_eq!(stale, Err(Error::Fenced { newest }));
    assert_loaded(&store.load(&actor, Base::Newest).await.unwrap(), Some(3), 4..=5);
    assert_loaded(&store.load(&actor, Base::Older).await.unwrap(), None, 1..=5);
}

async fn appends_only_lower_the_due_time(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 0).await;
    let steps = [(None, None), (Some(500), Some(500)), (Some(300), Some(300))];
    let never_raised = [(Some(900), Some(300)), (None, Some(300)), (Some(299), Some(299))];
    for (seq, (due_ms, expected)) in (1..).zip(steps.into_iter().chain(never_raised)) {
        put(&store, Append { due_ms, ..append(&actor, epoch, seq) }).await.unwrap();
        assert_due(&store, &actor, expected).await;
    }
    let refused = Append { due_ms: Some(1), ..append(&actor, epoch, 1) };
    put(&store, refused).await.unwrap_err();
    assert_due(&store, &actor, Some(299)).await;
    let epoch = hold(&store, &actor).await;
    assert_due(&store, &actor, Some(299)).await;
    put(&store, Append { due_ms: Some(400), ..append(&actor, epoch, 7) }).await.unwrap();
    assert_due(&store, &actor, Some(299)).await;

    let due_ms = Some(700);
    store.snapshot(Snapshot { due_ms, ..snapshot(&actor, epoch, 6) }).await.unwrap();
    assert_due(&store, &actor, Some(700)).await;
    put(&store, Append { due_ms: Some(650), ..append(&actor, epoch, 8) }).await.unwrap();
    assert_due(&store, &actor, Some(650)).await;
    store.snapshot(snapshot(&actor, epoch, 8)).await.unwrap();
    assert_due(&store, &actor, None).await;
    store.release(&actor, epoch, Some(800)).await.unwrap();
    assert_due(&store, &actor, Some(800)).await;
    store.release(&actor, epoch, None).await.unwrap();
    assert_due(&store, &actor, None).await;
}

async fn assert_due(store: &Subject, actor: &ActorId, expected: Option<u64>) {
    let due = store.due(0, None, 1_000, 10).await.unwrap();
    assert_eq!(due, expected.map(|at_ms| (at_ms, actor.clone())).into_iter().collect::<Vec<_>>());
}

async fn due_actors_come_earliest_first(store: Subject) {
    for (name, due_ms) in
        [("room:b", 20), ("room:a", 30), ("room:c", 10), ("room:d", 40), ("room:e", 20)]
    {
        let (actor, epoch) = grown(&store, name, 0).await;
        let due_ms = Some(due_ms);
        put(&store, Append { due_ms, ..append(&actor, epoch, 1) }).await.unwrap();
    }
    let all = [(10, "room:c"), (20, "room:b"), (20, "room:e"), (30, "room:a")];
    let all = all.map(|(at_ms, name)| (at_ms, id(name)));
    assert_eq!(store.due(0, None, 30, 10).await.unwrap(), all);
    assert_eq!(store.due(0, None, 30, 2).await.unwrap(), all[..2]);
    assert_eq!(store.due(0, Some(all[1].clone()), 30, 10).await.unwrap(), all[2..]);
    assert_eq!(store.due(0, Some(all[3].clone()), 30, 10).await.unwrap(), []);
    assert_eq!(store.due(0, None, 9, 10).await.unwrap(), []);
}

async fn actors_are_listed_by_kind(store: Subject) {
    for name in ["player:c", "player:a", "play:z", "room:a", "players:b", "player:b"] {
        grown(&store, name, 1).await;
    }
    grown(&store, "player:empty", 0).await;
    let listed = async |after: Option<&str>, limit| {
        let actors = store.actors("player", after.map(id), limit).await.unwrap();
        actors.iter().map(|actor| actor.key().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, 10).await, ["a", "b", "c"]);
    assert_eq!(listed(None, 2).await, ["a", "b"]);
    assert_eq!(listed(Some("player:a"), 10).await, ["b", "c"]);
    assert_eq!(listed(Some("player:c"), 10).await, [""; 0]);
    assert_eq!(store.actors("trade", None, 10).await.unwrap(), []);
}

async fn history_is_read_in_pieces(store: Subject) {
    let (actor, _) = grown(&store, "player:alice", 6).await;
    let read = async |from, limit| seqs(&store.history(&actor, from, limit).await.unwrap());
    assert_eq!(read(1, 4).await, [1, 2, 3, 4]);
    assert_eq!(read(5, 4).await, [5, 6]);
    assert_eq!(read(7, 4).await, [0; 0]);
}

async fn the_newest_score_counts(store: Subject) {
    let score = |player: &str, score, at| {
        let name = format!("{player} at {at}");
        Score { player: player.into(), name, score, at }
    };
    let put = async |player, points, at| {
        store.put_score(score(player, points, at)).await.unwrap();
    };
    put("bob", 50, 3).await;
    put("alice", 50, 9).await;
    put("carol", -7, 1).await;
    put("dave", 80, 2).await;
    put("dave", 10, 4).await;
    put("dave", 90, 3).await;
    let expected =
        [score("alice", 50, 9), score("bob", 50, 3), score("dave", 10, 4), score("carol", -7, 1)];
    assert_eq!(store.top_scores(10).await.unwrap(), expected);
    assert_eq!(store.top_scores(2).await.unwrap(), expected[..2]);
}

async fn metrics_and_secrets_are_kept_once(store: Subject) {
    let metrics = SessionMetrics {
        key: "player:alice/7".into(),
        player: "alice".into(),
        actions: 12,
        duration_ms: 60_000,
        at_ms: 1,
    };
    store.put_metrics(metrics.clone()).await.unwrap();
    store.put_metrics(metrics).await.expect("a repeat changes nothing");

    let first = Bytes::from_static(b"first \0 \xff");
    assert_eq!(store.secret("tokens", first.clone()).await.unwrap(), first);
    assert_eq!(store.secret("tokens", "second".into()).await.unwrap(), first);
    assert_eq!(store.secret("other", "third".into()).await.unwrap(), "third");
}

async fn many_actors_append_at_once(store: Subject) {
    let tasks = (0..100).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let (actor, _) = grown(&store, &format!("player:p{n}"), 20).await;
            let loaded = store.load(&actor, Base::Newest).await.unwrap();
            assert_loaded(&loaded, None, 1..=20);
            assert!(loaded.records.iter().all(|row| row.record == record(&actor, row.seq)));
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(store.actors("player", None, 1_000).await.unwrap().len(), 100);
}

async fn a_closed_store_refuses(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 1).await;
    let before = store.append(vec![append(&actor, epoch, 2)]);
    store.close().await.unwrap();
    assert_eq!(before.await, [Ok(())], "what waited was written");
    let refused = put(&store, append(&actor, epoch, 3)).await;
    assert!(matches!(refused, Err(Error::Poisoned(_))), "{refused:?}");
    assert!(matches!(store.tip(&actor).await, Err(Error::Poisoned(_))));
    assert!(matches!(store.claim(claim(&actor, ME)).await, Err(Error::Poisoned(_))));
    assert!(store.close().await.is_err());
}
