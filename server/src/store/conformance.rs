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

/// Checks by name.
pub type Checks = &'static [(&'static str, Check)];

/// What every store promises.
pub const CHECKS: Checks = &[
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

/// What a store promises that judges a whole append before it writes any of it. Others leave
/// counting to the writer, see a repeat only, and may wake an actor for nothing.
pub const STRICT: Checks = &[
    ("gaps are refused", |s| gaps_are_refused(s).boxed()),
    ("refused appends leave no trace", |s| refused_appends_leave_no_trace(s).boxed()),
];

/// Runs every check, each on a store of its own.
///
/// # Panics
/// When a check fails, with the names of all that did.
pub async fn run(checks: &[Checks], open: impl AsyncFn() -> Subject) {
    let mut failed = Vec::new();
    for (name, check) in checks.iter().copied().flatten() {
        let store = open().await;
        if AssertUnwindSafe(check(store)).catch_unwind().await.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "the store breaks the port: {failed:?}");
}

pub(super) const ME: NodeSession = 1;
pub(super) const OTHER: NodeSession = u64::MAX;

pub(super) fn id(text: &str) -> ActorId {
    text.parse().unwrap()
}

pub(super) fn claim(actor: &ActorId, session: NodeSession) -> Claim {
    Claim { actor: actor.clone(), session, creates: true, replaces: None }
}

pub(super) async fn hold(store: &Subject, actor: &ActorId) -> Epoch {
    match store.claim(claim(actor, ME)).await.unwrap() {
        Claimed::Granted { epoch, .. } => epoch,
        refused => panic!("{actor} was not granted: {refused:?}"),
    }
}

fn record(actor: &ActorId, seq: Seq) -> Bytes {
    format!("{actor} {seq}").into()
}

pub(super) fn append(store: &Subject, actor: &ActorId, epoch: Epoch, seq: Seq) -> Append {
    // Ids are random: the upper half must survive too.
    let append_id = u64::MAX - seq;
    let (record, history) = (record(actor, seq), store.history_of(actor));
    Append { actor: actor.clone(), epoch, seq, append_id, history, record, due_ms: None }
}

/// The tip, whatever the number of its history.
pub(super) async fn tip(store: &Subject, actor: &ActorId) -> Option<Tip> {
    store.tip(actor).await.unwrap().map(|tip| Tip { history: 0, ..tip })
}

/// A load, whatever the number of its history.
pub(super) async fn load(store: &Subject, actor: &ActorId, base: Base) -> Loaded {
    let mut loaded = store.load(actor, base).await.unwrap();
    loaded.tip.history = 0;
    loaded
}

/// What is due in all partitions, by time.
pub(super) async fn due(store: &Subject, until_ms: u64) -> Vec<(u64, ActorId)> {
    let partitions = (0..store.partitions()).map(|at| store.due(at, None, until_ms, 10));
    let mut due: Vec<_> = join_all(partitions).await.into_iter().flat_map(Result::unwrap).collect();
    due.sort();
    due
}

/// A repeat or a gap is refused at once, or its writer is sent to read the tip.
fn assert_refused(answer: &Result<(), Error>) {
    assert!(matches!(answer, Err(Error::OutOfSequence { .. } | Error::Doubt(_))), "{answer:?}");
}

/// An append to no actor is refused at once, or its writer is sent to read the tip.
pub(super) fn assert_nowhere(answer: &Result<(), Error>) {
    assert!(matches!(answer, Err(Error::Absent | Error::Doubt(_))), "{answer:?}");
}

pub(super) fn tip_of(epoch: Epoch, seq: Seq) -> Tip {
    Tip { epoch, seq, append_id: u64::MAX - seq, continues: None, history: 0 }
}

pub(super) async fn put(store: &Subject, append: Append) -> Result<(), Error> {
    store.append(vec![append]).await.pop().unwrap()
}

/// Claims an actor and gives it its first records.
pub(super) async fn grown(store: &Subject, name: &str, len: Seq) -> (ActorId, Epoch) {
    let actor = id(name);
    let epoch = hold(store, &actor).await;
    for seq in 1..=len {
        put(store, append(store, &actor, epoch, seq)).await.unwrap();
    }
    (actor, epoch)
}

pub(super) fn snapshot(actor: &ActorId, epoch: Epoch, seq: Seq) -> Snapshot {
    let bytes = state(seq);
    Snapshot { actor: actor.clone(), epoch, seq, bytes, retain: 0, due_ms: None }
}

pub(super) fn state(seq: Seq) -> Bytes {
    format!("state {seq}").into()
}

fn seqs(records: &[RecordRow]) -> Vec<Seq> {
    records.iter().map(|row| row.seq).collect()
}

pub(super) fn assert_loaded(
    loaded: &Loaded,
    base: Option<Seq>,
    tail: std::ops::RangeInclusive<Seq>,
) {
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
    // Clocks of this process may be a little ahead of the store's.
    assert!(epoch + 1_000 >= before_ms, "epochs are milliseconds of the store's clock");
    assert_eq!(seq, 0);
    put(&store, append(&store, &actor, epoch, 1)).await.unwrap();
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
    assert_eq!(tip(&store, &actor).await, Some(tip_of(last, 1)));
}

async fn absent_claims_leave_no_key(store: Subject) {
    let actor = id("trade:t1");
    let mut absent = Claim { creates: false, ..claim(&actor, ME) };
    assert_eq!(store.claim(absent.clone()).await.unwrap(), Claimed::Absent);
    absent.replaces = Some(Owner { session: OTHER, epoch: 7 });
    assert_eq!(store.claim(absent).await.unwrap(), Claimed::Absent);
    assert_eq!(tip(&store, &actor).await, None);
    assert_eq!(store.load(&actor, Base::Newest).await, Err(Error::Absent));
    assert_eq!(store.history(&actor, 1, 10).await, Err(Error::Absent));
    assert_nowhere(&put(&store, append(&store, &actor, 1, 1)).await);
    assert_eq!(store.snapshot(snapshot(&actor, 1, 1)).await, Err(Error::Absent));
    assert_eq!(store.release(&actor, 1, None).await, Err(Error::Absent));
    assert_eq!(tip(&store, &actor).await, None, "a refusal makes no actor");
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
    put(&store, append(&store, &actor, epoch, 3)).await.expect("a refused claim changes nothing");

    let replaces = Some(owner);
    let granted = store.claim(Claim { replaces, ..claim(&actor, OTHER) }).await.unwrap();
    let Claimed::Granted { epoch: newest, seq: 3, .. } = granted else {
        panic!("the named owner was not replaced: {granted:?}");
    };
    assert!(newest > epoch);
    assert_eq!(put(&store, append(&store, &actor, epoch, 4)).await, Err(Error::Fenced { newest }));
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
    assert_eq!(tip(&store, &actor).await, Some(empty));
    for seq in 1..=3 {
        put(&store, append(&store, &actor, epoch, seq)).await.unwrap();
        assert_eq!(tip(&store, &actor).await, Some(tip_of(epoch, seq)));
    }
    for seq in [0, 1, 3] {
        assert_refused(&put(&store, append(&store, &actor, epoch, seq)).await);
    }
    put(&store, append(&store, &actor, epoch, 4)).await.expect("refusals change nothing");
}

async fn older_epochs_are_fenced(store: Subject) {
    let (actor, old) = grown(&store, "player:alice", 2).await;
    let newest = hold(&store, &actor).await;
    let fenced = Err(Error::Fenced { newest });
    assert_eq!(
        put(&store, append(&store, &actor, old, 3)).await,
        fenced,
        "before the new one writes"
    );
    put(&store, append(&store, &actor, newest, 3)).await.unwrap();
    for seq in [3, 4] {
        assert_eq!(put(&store, append(&store, &actor, old, seq)).await, fenced);
    }
    assert_eq!(store.snapshot(snapshot(&actor, old, 2)).await, fenced);
    assert_eq!(store.release(&actor, old, Some(1)).await, fenced);
    let loaded = load(&store, &actor, Base::Newest).await;
    assert_loaded(&loaded, None, 1..=3);
    let epochs: Vec<_> = loaded.records.iter().map(|row| row.epoch).collect();
    assert_eq!(epochs, [old, old, newest]);
    assert_eq!(due(&store, u64::MAX).await, []);
}

async fn batches_answer_in_order(store: Subject) {
    let (a, a_epoch) = grown(&store, "player:a", 1).await;
    let (b, b_old) = grown(&store, "player:b", 0).await;
    let b_epoch = hold(&store, &b).await;
    let absent = id("player:nobody");
    let batch = vec![
        append(&store, &a, a_epoch, 2),
        append(&store, &absent, a_epoch, 1),
        append(&store, &b, b_old, 1),
        append(&store, &a, a_epoch, 3),
        append(&store, &b, b_epoch, 1),
        append(&store, &a, a_epoch, 3),
    ];
    let answers = store.append(batch).await;
    assert_eq!(answers.len(), 6);
    assert_nowhere(&answers[1]);
    assert_eq!(answers[2], Err(Error::Fenced { newest: b_epoch }));
    assert_eq!([&answers[0], &answers[3], &answers[4]], [&Ok(()); 3]);
    assert_refused(&answers[5]);
    assert_eq!(store.append(Vec::new()).await, []);
    assert_eq!(tip(&store, &a).await.unwrap().seq, 3);
    assert_eq!(tip(&store, &b).await.unwrap().seq, 1);
}

async fn calls_take_effect_in_their_order(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 0).await;
    let mut calls: Vec<_> =
        (1..=200).map(|seq| store.append(vec![append(&store, &actor, epoch, seq)])).collect();
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
    let whole = load(&store, &actor, Base::Newest).await;
    assert_loaded(&whole, None, 1..=8);
    assert_eq!(whole.tip, tip(&store, &actor).await.unwrap());
    assert!(whole.records.iter().all(|row| row.record == record(&actor, row.seq)));

    store.snapshot(snapshot(&actor, epoch, 5)).await.unwrap();
    assert_loaded(&load(&store, &actor, Base::Newest).await, Some(5), 6..=8);
    let fallback = load(&store, &actor, Base::Older).await;
    assert_eq!(fallback, whole, "a first snapshot trims nothing");

    store.snapshot(snapshot(&actor, epoch, 7)).await.unwrap();
    assert_loaded(&load(&store, &actor, Base::Newest).await, Some(7), 8..=8);
    let fallback = load(&store, &actor, Base::Older).await;
    assert_loaded(&fallback, Some(5), 6..=8);
    assert_eq!(fallback.records, whole.records[5..], "the same records from the older base");

    store.snapshot(snapshot(&actor, epoch, 8)).await.unwrap();
    let newest = load(&store, &actor, Base::Newest).await;
    assert_eq!((newest.snapshot.unwrap().seq, newest.records.len()), (8, 0));
    assert_eq!(newest.tip, whole.tip, "snapshots change no tip");
    assert_loaded(&load(&store, &actor, Base::Older).await, Some(7), 8..=8);
}

async fn bytes_come_back_as_they_were(store: Subject) {
    let (actor, epoch) = grown(&store, "room:7", 0).await;
    let samples = [Bytes::new(), (0..=255).collect(), vec![0xA5; 1 << 20].into()];
    for (seq, sample) in (1..).zip(&samples) {
        let record = sample.clone();
        put(&store, Append { record, ..append(&store, &actor, epoch, seq) }).await.unwrap();
    }
    let bytes = samples[2].clone();
    store.snapshot(Snapshot { bytes, ..snapshot(&actor, epoch, 3) }).await.unwrap();
    let loaded = load(&store, &actor, Base::Older).await;
    assert!(loaded.records.iter().map(|row| &row.record).eq(&samples));
    let loaded = load(&store, &actor, Base::Newest).await;
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
        assert_loaded(&load(&store, &actor, Base::Older).await, Some(10), 11..=20);
        assert_loaded(&load(&store, &actor, Base::Newest).await, Some(15), 16..=20);
        put(&store, append(&store, &actor, epoch, 21)).await.expect("the journal goes on");
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
    assert_loaded(&load(&store, &actor, Base::Newest).await, Some(3), 4..=5);
    assert_loaded(&load(&store, &actor, Base::Older).await, None, 1..=5);
}

async fn appends_only_lower_the_due_time(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 0).await;
    let steps = [(None, None), (Some(500), Some(500)), (Some(300), Some(300))];
    let never_raised = [(Some(900), Some(300)), (None, Some(300)), (Some(299), Some(299))];
    for (seq, (due_ms, expected)) in (1..).zip(steps.into_iter().chain(never_raised)) {
        put(&store, Append { due_ms, ..append(&store, &actor, epoch, seq) }).await.unwrap();
        assert_due(&store, &actor, expected).await;
    }
    let epoch = hold(&store, &actor).await;
    assert_due(&store, &actor, Some(299)).await;
    put(&store, Append { due_ms: Some(400), ..append(&store, &actor, epoch, 7) }).await.unwrap();
    assert_due(&store, &actor, Some(299)).await;

    let due_ms = Some(700);
    store.snapshot(Snapshot { due_ms, ..snapshot(&actor, epoch, 6) }).await.unwrap();
    assert_due(&store, &actor, Some(700)).await;
    put(&store, Append { due_ms: Some(650), ..append(&store, &actor, epoch, 8) }).await.unwrap();
    assert_due(&store, &actor, Some(650)).await;
    store.snapshot(snapshot(&actor, epoch, 8)).await.unwrap();
    assert_due(&store, &actor, None).await;
    store.release(&actor, epoch, Some(800)).await.unwrap();
    assert_due(&store, &actor, Some(800)).await;
    store.release(&actor, epoch, None).await.unwrap();
    assert_due(&store, &actor, None).await;
}

async fn assert_due(store: &Subject, actor: &ActorId, expected: Option<u64>) {
    let expected: Vec<_> = expected.map(|at_ms| (at_ms, actor.clone())).into_iter().collect();
    assert_eq!(due(store, 1_000).await, expected);
}

async fn due_actors_come_earliest_first(store: Subject) {
    // Five rooms of one partition, by name.
    let at = store.partition_of(&id("room:a"));
    let rooms = (0_u32..).map(|n| id(&format!("room:r{n:06}")));
    let rooms: Vec<_> = rooms.filter(|room| store.partition_of(room) == at).take(5).collect();
    for (nth, due_ms) in [(1, 20), (0, 30), (2, 10), (3, 40), (4, 20)] {
        let (actor, epoch) = grown(&store, rooms[nth].as_str(), 0).await;
        let due_ms = Some(due_ms);
        put(&store, Append { due_ms, ..append(&store, &actor, epoch, 1) }).await.unwrap();
    }
    let all = [(10, 2), (20, 1), (20, 4), (30, 0)];
    let all = all.map(|(at_ms, nth): (_, usize)| (at_ms, rooms[nth].clone()));
    assert_eq!(store.due(at, None, 30, 10).await.unwrap(), all);
    assert_eq!(store.due(at, None, 30, 2).await.unwrap(), all[..2]);
    for (nth, entry) in all.iter().enumerate() {
        let rest = store.due(at, Some(entry.clone()), 30, 1).await.unwrap();
        assert_eq!(rest, all[nth + 1..].iter().take(1).cloned().collect::<Vec<_>>());
    }
    assert_eq!(store.due(at, Some(all[1].clone()), 30, 10).await.unwrap(), all[2..]);
    assert_eq!(store.due(at, None, 9, 10).await.unwrap(), []);
    assert_eq!(due(&store, 30).await, all, "and in no other partition");
}

async fn actors_are_listed_by_kind(store: Subject) {
    for name in ["player:c", "player:a", "play:z", "room:a", "players:b", "player:b"] {
        grown(&store, name, 1).await;
    }
    grown(&store, "player:empty", 0).await;
    let listed = async |after: Option<&str>, limit| {
        let actors = store.actors("player", after.map(id), limit).await.unwrap();
        actors.iter().map(|actor| actor.to_string()).collect::<Vec<_>>()
    };
    let all = listed(None, 10).await;
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!(sorted, ["player:a", "player:b", "player:c"]);
    assert_eq!(listed(None, 2).await, all[..2], "the order is the store's own, and one");
    assert_eq!(listed(Some(&all[0]), 10).await, all[1..]);
    assert_eq!(listed(Some(&all[0]), 1).await, all[1..2]);
    assert_eq!(listed(Some(&all[2]), 10).await, [""; 0]);
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

async fn gaps_are_refused(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 3).await;
    for seq in [0, 1, 3, 5, 100] {
        let refused = put(&store, append(&store, &actor, epoch, seq)).await;
        assert_eq!(refused, Err(Error::OutOfSequence { tip: 3 }), "seq {seq}");
    }
    let batch = [5, 4, 4].map(|seq| append(&store, &actor, epoch, seq));
    let refused = |tip| Err(Error::OutOfSequence { tip });
    assert_eq!(store.append(batch.into()).await, [refused(3), Ok(()), refused(4)]);
}

async fn refused_appends_leave_no_trace(store: Subject) {
    let (actor, epoch) = grown(&store, "player:alice", 0).await;
    let due_ms = Some(300);
    put(&store, Append { due_ms, ..append(&store, &actor, epoch, 1) }).await.unwrap();
    let due_ms = Some(1);
    put(&store, Append { due_ms, ..append(&store, &actor, epoch, 1) }).await.unwrap_err();
    assert_due(&store, &actor, Some(300)).await;
}

async fn many_actors_append_at_once(store: Subject) {
    let tasks = (0..100).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let (actor, _) = grown(&store, &format!("player:p{n}"), 20).await;
            let loaded = load(&store, &actor, Base::Newest).await;
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
    let before = store.append(vec![append(&store, &actor, epoch, 2)]);
    store.close().await.unwrap();
    assert_eq!(before.await, [Ok(())], "what waited was written");
    let refused = put(&store, append(&store, &actor, epoch, 3)).await;
    assert!(matches!(refused, Err(Error::Poisoned(_))), "{refused:?}");
    assert!(matches!(store.tip(&actor).await, Err(Error::Poisoned(_))));
    assert!(matches!(store.claim(claim(&actor, ME)).await, Err(Error::Poisoned(_))));
    assert!(store.close().await.is_err());
}
