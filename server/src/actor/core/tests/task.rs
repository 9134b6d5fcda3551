//! Timers, activities, snapshots, and when an activation may sleep.

use super::*;
use crate::actor::activity::Failure;
use crate::actor::core::RunOut;

fn run(out: &[Output]) -> Option<RunOut> {
    out.iter().find_map(|output| match output {
        Output::Run(run) => Some(run.clone()),
        _ => None,
    })
}

fn begin(rig: &mut Rig, attempts: u32) -> RunOut {
    let script = Script { activity: Some(attempts), ..Script::default() };
    let out = rig.put(call(1, "work", &script));
    run(&out).unwrap()
}

#[test]
fn a_timer_fires_once_also_after_a_crash() {
    let mut rig = Rig::new();
    let at_ms = rig.now_ms + 1_000;
    rig.put(call(1, "k", &Script { timer: Some(("t".into(), at_ms)), ..Script::default() }));
    assert_eq!(rig.core.wake_at_ms(), Some(at_ms));
    assert_eq!(rig.core.due_at_ms(), Some(at_ms));
    rig.wait(999);
    assert_eq!(rig.said(), "");
    rig.crash();
    rig.wait(1);
    rig.wait(1);
    rig.crash();
    assert_eq!((rig.said(), rig.core.wake_at_ms()), ("timer t".into(), None));
}

#[test]
fn attempts_are_repeated_with_growing_waits_and_then_fail() {
    let mut rig = Rig::new();
    let mut attempt = begin(&mut rig, 3);
    for wait in [1_000, 2_000] {
        rig.put(Input::ActivityEnded(attempt.activity, Err(Failure::passing("later"))));
        assert_eq!(rig.core.wake_at_ms(), Some(rig.now_ms + wait));
        assert_eq!(run(&rig.wait(wait - 1)), None);
        let next = run(&rig.wait(1)).unwrap();
        assert_eq!(next.attempt, attempt.attempt + 1);
        attempt = next;
    }
    rig.put(Input::ActivityEnded(attempt.activity, Err(Failure::passing("later"))));
    rig.wait(1_000);
    assert_eq!(rig.said(), "failed: later");
    assert_eq!(run(&rig.wait(100_000)), None);
}

#[test]
fn a_lasting_failure_is_not_tried_again() {
    let mut rig = Rig::new();
    let attempt = begin(&mut rig, 5);
    rig.put(Input::ActivityEnded(attempt.activity, Err(Failure::lasting("never"))));
    rig.wait(1_000);
    assert_eq!(rig.said(), "failed: never");
}

#[test]
fn a_result_takes_effect_once_and_a_crash_runs_again() {
    let mut rig = Rig::new();
    let attempt = begin(&mut rig, 5);
    rig.put(Input::ActivityEnded(attempt.activity, Ok(Bytes::new())));
    let again = run(&rig.crash()).unwrap();
    assert_eq!((again.activity, again.attempt), (attempt.activity, 1));
    for _ in 0..2 {
        rig.put(Input::ActivityEnded(again.activity, Ok(Bytes::new())));
    }
    rig.wait(1_000);
    assert_eq!((rig.said(), run(&rig.crash())), ("worked".into(), None));
}

#[test]
fn heartbeats_make_a_record_every_five_seconds_at_most() {
    let mut rig = Rig::new();
    let attempt = begin(&mut rig, 5);
    let before = rig.records.len();
    for n in 0..99_u64 {
        rig.put(Input::Heartbeat(attempt.activity, format!("{n}").into()));
        rig.wait(100);
    }
    assert_eq!(rig.records.len() - before, 2);
    rig.wait(5_000);
    assert_eq!(run(&rig.crash()).unwrap().heartbeat.unwrap(), "98");
}

#[test]
fn a_snapshot_is_due_after_so_many_records_and_holds_them() {
    let mut rig = Rig::with(Limits { snapshot_records: 4, ..Limits::default() });
    let mut at = Vec::new();
    for n in 1..=12_u64 {
        let mut outputs = rig.put(call(n, &format!("k{n}"), &Script::event("x")));
        // Until then the first is on its way; the second is overdue.
        if n == 9 {
            outputs.extend(rig.put(Input::SnapshotDone(true)));
        }
        for output in outputs {
            if let Output::Snapshot { seq, bytes, .. } = output {
                assert_eq!(bytes, rig.core.durable().save());
                at.push(seq);
            }
        }
    }
    assert_eq!(at, [4, 9]);
}

#[test]
fn a_snapshot_of_a_crowd_is_replaced_when_the_crowd_is_forgotten() {
    let limits = Limits { snapshot_records: 50, snapshot_bytes: u64::MAX, ..Limits::default() };
    let mut rig = Rig::with(limits);
    let mut snapshots = Vec::new();
    let mut note = |rig: &Rig, outputs: Vec<Output>| {
        for output in outputs {
            if let Output::Snapshot { bytes, .. } = output {
                snapshots.push((bytes.len(), rig.core.durable().ledger.heard.len()));
            }
        }
    };
    for n in 1..=60_u64 {
        let visitor = tell(1, None, &Script::default());
        let outputs = rig.put(Input::Tell(id(&format!("visitor-{n}")), visitor));
        note(&rig, outputs);
    }
    let outputs = rig.put(Input::SnapshotDone(true));
    note(&rig, outputs);
    for n in 1..=60_u64 {
        let visit = tell(1, None, &Script::default()).id;
        rig.put(Input::Settled(id(&format!("visitor-{n}")), visit));
    }
    for _ in 0..30 {
        let outputs = rig.wait(5_000);
        note(&rig, outputs);
    }
    let [(crowded, 50), (empty, 0)] = snapshots[..] else { panic!("{snapshots:?}") };
    assert!(empty * 4 < crowded, "{empty} bytes against {crowded}");
}

#[test]
fn an_activation_may_sleep_only_when_nothing_is_owed() {
    let may = |rig: &Rig| rig.core.can_passivate(rig.now_ms, 60_000);
    let mut rig = Rig::new();
    assert!(may(&rig));
    rig.put(hello(1));
    assert!(!may(&rig), "a socket");
    rig.put(Input::Detach(1));
    assert!(may(&rig));
    let at_ms = rig.now_ms + 60_000;
    rig.put(call(1, "t", &Script { timer: Some(("t".into(), at_ms)), ..Script::default() }));
    assert!(!may(&rig), "a timer that is near");
    assert!(rig.core.can_passivate(rig.now_ms, 59_999));
    rig.wait(60_000);
    assert!(may(&rig));
    begin(&mut rig, 1);
    assert!(!may(&rig), "an activity");
    let mut rig = Rig::new();
    rig.put(Input::Tell(id("other"), tell(1, None, &Script::default())));
    assert!(!may(&rig), "a watermark");
    let mut rig = Rig::new();
    let tells = vec![("other".into(), Bytes::new())];
    rig.put(call(1, "k", &Script { tells, ..Script::default() }));
    assert!(!may(&rig), "a tell");
    rig.auto = false;
    rig.put(call(2, "l", &Script::event("x")));
    assert!(!may(&rig), "an append");
    assert_eq!(rig.core.due_at_ms(), Some(rig.now_ms));
}

#[test]
fn an_idle_activation_gives_room_back_and_loses_nothing() {
    let mut rig = Rig::new();
    let attempt = begin(&mut rig, 1);
    let at_ms = rig.now_ms + 60_000;
    rig.put(call(2, "k", &Script { timer: Some(("t".into(), at_ms)), ..Script::default() }));
    rig.put(Input::ActivityEnded(attempt.activity, Ok(Bytes::new())));
    rig.wait(1_000);
    assert_ne!((rig.core.mailbox.capacity(), rig.core.out.capacity()), (0, 0));
    let before = rig.core.durable.save();
    rig.core.slim();
    assert_eq!((rig.core.mailbox.capacity(), rig.core.out.capacity()), (0, 0));
    assert_eq!(rig.core.durable.save(), before);
    rig.wait(59_000);
    assert_eq!(rig.said(), "worked,timer t");
}
