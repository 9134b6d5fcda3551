//! The end of an actor: when it is erased, what that waits for, and what becomes of what comes
//! meanwhile.

use super::*;
use crate::actor::core::Verdict;

fn erases(out: &[Output]) -> Option<u64> {
    out.iter().find_map(|output| match output {
        Output::Erase { seq, .. } => Some(*seq),
        _ => None,
    })
}

fn has_ended(out: &[Output]) -> bool {
    matches!(out, [.., Output::Erased])
}

fn over() -> Script {
    Script::event("over")
}

/// One that was called and is over by it, with whatever else the script wants.
fn called(script: &Script) -> (Rig, Vec<Output>) {
    let mut rig = Rig::new();
    let out = rig.put(call(1, "k", script));
    (rig, out)
}

/// One whose erasure is under way.
fn erasing() -> Rig {
    let (rig, out) = called(&over());
    assert_eq!(erases(&out), Some(1));
    rig
}

fn verdict(out: &[Output]) -> Option<Verdict> {
    out.iter().find_map(|output| match output {
        Output::Verdict(_, _, verdict) => Some(*verdict),
        _ => None,
    })
}

fn hear(rig: &mut Rig, seq: u64, script: &Script) -> Vec<Output> {
    rig.put(Input::Tell(id("other"), tell(seq, None, script)))
}

#[test]
fn one_that_owes_nothing_is_erased_and_ends() {
    let mut rig = erasing();
    assert!(answer(&rig.drain()).is_none());
    assert_eq!(rig.core.wake_at_ms(), None, "the store answers");
    assert!(!rig.core.is_idle());
    assert!(matches!(rig.erased(Erasure::Done)[..], [Output::Erased]));
    assert!(rig.put(call(2, "l", &Script::event("late"))).is_empty(), "it does nothing more");
}

#[test]
fn the_answer_leaves_before_the_end() {
    let (_, out) = called(&over());
    let answered = out.iter().position(|output| matches!(output, Output::Answer(..)));
    let erases = out.iter().position(|output| matches!(output, Output::Erase { .. }));
    assert!(answered.is_some() && answered < erases, "{out:?}");
}

#[test]
fn one_that_is_not_over_or_has_no_record_stays() {
    let (mut rig, out) = called(&Script::event("a"));
    assert_eq!(erases(&out), None);
    assert_eq!(erases(&rig.wait(1_000_000)), None);
    let mut fresh = Rig::new();
    assert_eq!(erases(&fresh.wait(1_000_000)), None);
}

#[test]
fn a_tell_that_is_not_acknowledged_keeps_it() {
    let tells = vec![("other".into(), Bytes::new())];
    let (mut rig, out) = called(&Script { tells, ..over() });
    assert_eq!(erases(&out), None);
    let told = rig.core.durable().ledger.outbox[0].id;
    rig.put(Input::Verdict(id("other"), told, Verdict::Received));
    assert_eq!(erases(&rig.wait(999)), None, "that it was received is not journaled");
    let out = rig.wait(1);
    assert_eq!(erases(&out), Some(2));
    let settles = out.iter().position(|output| matches!(output, Output::Settled(..)));
    assert_eq!(settles, Some(0), "the receiver hears of it first");
}

#[test]
fn a_timer_keeps_it_until_it_is_gone() {
    let at_ms = 1_000_000 + 5_000;
    let timer = Some(("t".into(), at_ms));
    let (mut rig, out) = called(&Script { timer, ..over() });
    assert_eq!(erases(&out), None);
    assert_eq!(rig.core.wake_at_ms(), Some(at_ms));
    // The timer's event makes it live again.
    assert_eq!(erases(&rig.wait(5_000)), None);
    assert_eq!(erases(&rig.put(call(2, "l", &over()))), Some(3));
}

#[test]
fn an_activity_and_a_pending_reply_keep_it() {
    let (_, out) = called(&Script { activity: Some(1), ..over() });
    assert_eq!(erases(&out), None);
    let (mut rig, out) = called(&Script { later: true, ..over() });
    assert_eq!(erases(&out), None);
    assert_eq!(erases(&rig.crash()), None, "nor when no one waits here any more");
    let script = Script { complete: Some((1, true)), ..over() };
    assert_eq!(erases(&rig.put(call(2, "l", &script))), Some(2));
}

#[test]
fn a_socket_keeps_it() {
    let mut rig = Rig::attached();
    let command = rig.command(1, 1, &over());
    assert_eq!(erases(&rig.put(command)), None);
    assert_eq!(erases(&rig.wait(1_000_000)), None);
}

#[test]
fn a_watermark_keeps_it_until_it_is_forgotten_and_no_longer() {
    let mut rig = Rig::new();
    assert_eq!(erases(&hear(&mut rig, 1, &over())), None);
    rig.put(Input::Settled(id("other"), tell(1, None, &over()).id));
    let (mut wakes, mut end) = (0, None);
    while end.is_none() {
        let at_ms = rig.core.wake_at_ms().expect("it has an end before it");
        assert!(at_ms > rig.now_ms, "awake all the time");
        end = erases(&rig.wait(at_ms - rig.now_ms));
        wakes += 1;
    }
    let after_ms = rig.now_ms - 1_000_000;
    assert!((60_000..=66_000).contains(&after_ms), "after {after_ms} ms");
    assert!(wakes <= 15, "woken {wakes} times");
    // A late copy of the tell would now begin a new life; so long after, there is none.
    assert_eq!(end, Some(2));
}

#[test]
fn a_late_copy_of_a_tell_is_known_again_until_then() {
    let mut rig = Rig::new();
    hear(&mut rig, 1, &over());
    rig.put(Input::Settled(id("other"), tell(1, None, &over()).id));
    rig.wait(59_000);
    assert_eq!(verdict(&hear(&mut rig, 1, &over())), Some(Verdict::Received));
    assert_eq!(rig.records.len(), 1);
}

#[test]
fn what_comes_meanwhile_comes_again() {
    let mut rig = erasing();
    assert!(hear(&mut rig, 1, &Script::event("b")).is_empty());
    assert!(rig.put(call(2, "l", &Script::event("c"))).is_empty());
    assert!(rig.put(Input::Query(3, Bytes::new())).is_empty());
    assert!(rig.put(hello(7)).is_empty());
    let out = rig.erased(Erasure::Done);
    assert_eq!(verdict(&out), Some(Verdict::Busy));
    let busy = |output: &&Output| matches!(output, Output::Answer(_, Err(CallError::Busy)));
    assert_eq!(out.iter().filter(busy).count(), 2);
    let refused = |output: &Output| matches!(output, Output::Deliver(7, Delivery::Refused(_)));
    assert!(out.iter().any(refused), "{out:?}");
    assert!(has_ended(&out), "{out:?}");
    assert_eq!(rig.records.len(), 1, "nothing was executed");
}

#[test]
fn what_comes_meanwhile_is_executed_if_nothing_was_erased() {
    let mut rig = erasing();
    hear(&mut rig, 1, &Script::event("b"));
    assert_eq!(verdict(&rig.erased(Erasure::NotNow)), Some(Verdict::Received));
    assert_eq!(rig.said(), "over,b");
    assert_eq!(erases(&rig.wait(1_000_000)), None, "it lives again");
}

#[test]
fn a_store_that_can_not_erase_is_asked_again_after_a_while() {
    let mut rig = erasing();
    for _ in 0..3 {
        assert_eq!(erases(&rig.erased(Erasure::NotNow)), None);
        assert_eq!(rig.core.wake_at_ms(), Some(rig.now_ms + 200));
        assert_eq!(erases(&rig.wait(199)), None);
        assert_eq!(erases(&rig.wait(1)), Some(1));
    }
    assert!(has_ended(&rig.erased(Erasure::Done)));
}

#[test]
fn what_was_acknowledged_is_stable_before_it_is_erased() {
    let mut rig = Rig::with(Limits { stable_ms: 3_000, ..Limits::default() });
    assert_eq!(erases(&rig.put(call(1, "k", &over()))), None);
    assert_eq!(rig.core.wake_at_ms(), Some(rig.now_ms + 3_000));
    assert_eq!(erases(&rig.wait(2_999)), None);
    assert_eq!(erases(&rig.wait(1)), Some(1));
}

#[test]
fn a_doubt_is_settled_by_the_tip() {
    let doubt = || {
        let mut rig = erasing();
        assert!(matches!(rig.erased(Erasure::Doubt)[..], [Output::ReadTip(_)]));
        rig
    };
    let id = |rig: &Rig| rig.append.as_ref().unwrap().append_id;
    let mut rig = doubt();
    assert!(has_ended(&rig.put(Input::Gone(rig.ask, 1))), "it was done");
    let mut rig = doubt();
    assert!(has_ended(&rig.put(Input::Gone(rig.ask, 2))), "it needs no place in another history");
    let mut rig = doubt();
    assert_eq!(erases(&rig.tip(Some(tip(1, 1, id(&rig))))), None);
    assert_eq!(erases(&rig.wait(200)), Some(1), "it was not");
    let mut rig = doubt();
    assert!(matches!(rig.tip(Some(tip(2, 1, 0)))[..], [Output::Fenced { lost: None }]));
    let mut rig = doubt();
    assert!(matches!(rig.tip(None)[..], [Output::Halted(_)]), "the partition was wiped");
}

#[test]
fn only_the_newest_question_is_answered() {
    let mut rig = erasing();
    let first = rig.ask;
    rig.put(Input::Suspect);
    assert!(rig.put(Input::Erased(first, Erasure::Done)).is_empty());
    assert!(rig.put(Input::Gone(first, 1)).is_empty());
    assert!(has_ended(&rig.put(Input::Gone(rig.ask, 1))));
}

#[test]
fn a_frozen_node_hears_of_the_end_when_it_thaws() {
    let mut rig = erasing();
    rig.put(Input::Freeze);
    assert!(rig.erased(Erasure::Done).is_empty(), "frozen");
    assert!(matches!(rig.put(Input::Thaw { reclaim: true })[..], [Output::ReadTip(_)]));
    assert!(has_ended(&rig.put(Input::Gone(rig.ask, 1))));
}

#[test]
fn a_former_holder_does_not_write_back_what_another_ended() {
    let (mut rig, _) = called(&Script::event("a"));
    rig.put(Input::Suspect);
    assert!(has_ended(&rig.put(Input::Gone(rig.ask, 1))));

    let (mut rig, _) = called(&Script::event("a"));
    rig.core.linger();
    rig.put(Input::Suspect);
    assert!(rig.put(Input::Gone(rig.ask, 1)).is_empty());
    assert!(rig.core.rests());

    // Another history may not have heard of it yet.
    let (mut rig, _) = called(&Script::event("a"));
    rig.put(Input::Suspect);
    let out = rig.put(Input::Gone(rig.ask, 2));
    assert!(out.iter().any(|output| matches!(output, Output::Reassert(_))), "{out:?}");
}

#[test]
fn a_record_in_flight_ends_with_an_actor_that_is_gone() {
    let mut rig = Rig::new();
    rig.auto = false;
    rig.put(call(1, "k", &over()));
    rig.doubt();
    let out = rig.put(Input::Gone(rig.ask, 1));
    assert!(matches!(out[..], [Output::Erased]), "nothing that is not durable is said: {out:?}");
}

#[test]
fn one_that_is_over_is_due_at_once_and_does_not_sleep() {
    let mut rig = Rig::new();
    hear(&mut rig, 1, &over());
    assert_eq!(rig.append.as_ref().unwrap().due_ms, Some(rig.now_ms));
    assert_eq!(rig.core.due_at_ms(), Some(rig.now_ms));
    let (mut rig, _) = called(&over());
    assert_eq!(rig.append.as_ref().unwrap().due_ms, Some(rig.now_ms));
    rig.erased(Erasure::NotNow);
    assert!(!rig.core.can_passivate(rig.now_ms, 0));
    rig.put(call(2, "l", &Script::event("alive")));
    assert!(rig.core.can_passivate(rig.now_ms, 0));
    assert_eq!(rig.core.due_at_ms(), None);
}

#[test]
fn whoever_finds_it_brings_it_to_its_end() {
    let mut rig = erasing();
    assert_eq!(erases(&rig.crash()), Some(1));
    let mut rig = Rig::new();
    hear(&mut rig, 1, &over());
    assert_eq!(erases(&rig.crash()), None);
    rig.put(Input::Settled(id("other"), tell(1, None, &over()).id));
    let end = (0..20).find_map(|_| erases(&rig.wait(5_000)));
    assert_eq!(end, Some(2));
}
