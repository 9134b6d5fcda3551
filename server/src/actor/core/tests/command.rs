//! Order, repeats, bounds, and faults of rules and store.

use super::*;

#[test]
fn a_repeat_gets_the_first_reply() {
    let mut rig = Rig::attached();
    let first = rig.ask(1, &Script::event("a"));
    let again = rig.ask(1, &Script::event("a"));
    assert_eq!((first.result.clone(), first.seq), (again.result, again.seq));
    assert!(again.dup && !first.dup);
    rig.crash();
    let resume = rig.resume(1, 1);
    rig.put(resume);
    assert_eq!(rig.ask(1, &Script::event("a")).result, first.result);
    assert_eq!(rig.said(), "opened,a,lost,resumed");
}

#[test]
fn a_repeat_whose_reply_is_no_longer_kept_is_unknown() {
    let mut rig = Rig::attached();
    for n in 1..=65 {
        rig.ask(n, &Script::event("x"));
    }
    assert_eq!(code(&rig.ask(1, &Script::event("x"))), "outcome_unknown");
    assert!(rig.ask(2, &Script::event("x")).result.is_ok());
}

#[test]
fn a_refusal_is_remembered_and_rides_in_the_next_record() {
    let mut rig = Rig::attached();
    let refused = Script { reject: true, ..Script::default() };
    assert_eq!(code(&rig.ask(1, &refused)), "bad_args");
    assert_eq!(rig.records.len(), 1);
    assert!(rig.ask(1, &refused).dup);
    rig.ask(2, &Script::event("a"));
    assert!(matches!(rig.facts()[0], Fact::Refused { .. }));
    rig.crash();
    let resume = rig.resume(1, 1);
    rig.put(resume);
    assert_eq!(code(&rig.ask(1, &Script::event("b"))), "bad_args");
}

#[test]
fn later_commands_wait_while_one_is_pending_and_reads_pass() {
    let mut rig = Rig::attached();
    for (id, script) in [(1, Script::later()), (2, Script::event("two"))] {
        let command = rig.command(1, id, &script);
        assert_eq!(reply(&rig.put(command), id), None);
    }
    let read = rig.put(Input::Read(1, 3, Bytes::new()));
    assert_eq!(reply(&read, 3).unwrap().result.unwrap(), "opened");
    let out = rig.put(Input::Tell(id("other"), tell(1, None, &Script::complete(1, true))));
    assert_eq!(reply(&out, 1).unwrap().result.unwrap(), "\"done\"");
    assert_eq!(reply(&out, 2).unwrap().result.unwrap(), "\"two\"");
}

#[test]
fn commands_that_wait_for_a_former_socket_are_dropped() {
    let mut rig = Rig::attached_with(Limits { in_flight_max: 2, ..Limits::default() });
    for (id, script) in [(1, Script::later()), (2, Script::event("two"))] {
        let command = rig.command(1, id, &script);
        rig.put(command);
    }
    let resume = rig.resume(2, 1);
    rig.put(resume);
    for id in [2, 3] {
        let command = rig.command(2, id, &Script::event("x"));
        assert_eq!(reply(&rig.put(command), id), None);
    }
    let out = rig.put(Input::Tell(id("other"), tell(1, None, &Script::complete(1, true))));
    assert!(reply(&out, 2).is_some() && reply(&out, 3).is_some());
    assert_eq!(rig.said(), "opened,x,x");
}

#[test]
fn pending_is_said_after_a_while_and_ends_nothing() {
    let mut rig = Rig::attached();
    let command = rig.command(1, 1, &Script::later());
    rig.put(command);
    assert_eq!(rig.core.wake_at_ms(), Some(rig.now_ms + 5_000));
    assert_eq!(reply(&rig.wait(4_999), 1), None);
    assert_eq!(code(&reply(&rig.wait(1), 1).unwrap()), "pending");
    assert_eq!(reply(&rig.wait(10_000), 1), None);
    rig.crash();
    let resume = rig.resume(1, 1);
    rig.put(resume);
    let again = rig.command(1, 1, &Script::later());
    assert_eq!(reply(&rig.put(again), 1), None);
    assert_eq!(code(&reply(&rig.wait(5_000), 1).unwrap()), "pending");
    let out = rig.put(Input::Tell(id("other"), tell(1, None, &Script::complete(1, false))));
    assert_eq!(code(&reply(&out, 1).unwrap()), "no");
}

#[test]
fn pending_is_not_said_of_what_is_in_doubt() {
    let mut rig = Rig::attached();
    rig.auto = false;
    let command = rig.command(1, 1, &Script::later());
    rig.put(command);
    rig.doubt();
    assert!(rig.wait(6_000).is_empty());
    let out = rig.tip(Some(tip(2, 1, 0)));
    assert!(matches!(out[..], [Output::Fenced { lost: None }]), "{out:?}");
    assert!(rig.wait(6_000).is_empty());
}

#[test]
fn too_many_in_flight_are_refused() {
    let mut rig = Rig::attached();
    let command = rig.command(1, 1, &Script::later());
    rig.put(command);
    for id in 2..=65 {
        let command = rig.command(1, id, &Script::event("x"));
        assert_eq!(reply(&rig.put(command), id), None);
    }
    assert_eq!(code(&rig.ask(66, &Script::event("x"))), "too_many_in_flight");
}

fn full() -> Rig {
    let mut rig = Rig::attached_with(Limits { mailbox_len_max: 2, ..Limits::default() });
    rig.auto = false;
    for id in 1..=3 {
        let command = rig.command(1, id, &Script::event("x"));
        assert!(rig.put(command).is_empty());
    }
    rig
}

#[test]
fn a_full_mailbox_is_busy_for_all_but_acknowledgements() {
    let mut rig = full();
    assert_eq!(code(&rig.ask(4, &Script::event("x"))), "busy");
    let out = rig.put(Input::Tell(id("other"), tell(1, None, &Script::default())));
    assert!(matches!(out[..], [Output::Verdict(_, _, crate::actor::core::Verdict::Busy)]));
    assert_eq!(answer(&rig.put(Input::Query(1, Bytes::new()))), Some(Err(CallError::Busy)));
    let out = rig.put(call(2, "k", &Script::default()));
    assert_eq!(answer(&out), Some(Err(CallError::Busy)));
    assert_eq!(code(&reply(&rig.put(Input::Read(1, 9, Bytes::new())), 9).unwrap()), "busy");
}

#[test]
fn busy_is_never_said_of_what_may_be_executed() {
    let mut rig = full();
    for id in [1, 3] {
        let again = rig.command(1, id, &Script::event("x"));
        let out = rig.put(again);
        assert_eq!((reply(&out, id), closed(&out)), (None, Some((1, Closing::Lost))));
    }
}

#[test]
fn busy_stays_busy() {
    let mut rig = full();
    rig.ask(4, &Script::event("four"));
    rig.auto = true;
    rig.appended();
    assert_eq!(code(&rig.ask(4, &Script::event("four"))), "busy");
    assert!(rig.ask(5, &Script::event("four")).result.is_ok());
    assert_eq!(rig.said(), "opened,x,x,x,four");
}

#[test]
fn busy_stays_busy_or_the_connection_ends() {
    let mut rig = full();
    let flood = |rig: &mut Rig, id| {
        let command = rig.command(1, id, &Script::event("x"));
        rig.put(command)
    };
    for id in 4..=5 {
        assert_eq!(code(&reply(&flood(&mut rig, id), id).unwrap()), "busy");
    }
    assert_eq!(closed(&flood(&mut rig, 6)), Some((1, Closing::Lost)), "it can't be noted");
    assert_eq!(code(&reply(&flood(&mut rig, 4), 4).unwrap()), "busy");
    rig.auto = true;
    rig.appended();
    for id in 4..=5 {
        assert_eq!(code(&rig.ask(id, &Script::event("x"))), "busy");
    }
    assert!(rig.ask(6, &Script::event("six")).result.is_ok());
    assert_eq!(rig.said(), "opened,x,x,x,six");
}

#[test]
fn a_full_outbox_refuses_commands_but_no_tells() {
    let mut rig = Rig::attached_with(Limits { outbox_len_max: 1, ..Limits::default() });
    let tells = vec![("other".into(), Bytes::new())];
    rig.ask(1, &Script { tells: tells.clone(), ..Script::default() });
    assert_eq!(code(&rig.ask(2, &Script::event("x"))), "busy");
    assert_eq!(code(&rig.ask(2, &Script::event("x"))), "busy");
    let out = rig.put(call(1, "k", &Script::event("x")));
    assert_eq!(answer(&out), Some(Err(CallError::Busy)));
    rig.put(Input::Tell(id("other"), tell(1, None, &Script { tells, ..Script::event("heard") })));
    assert_eq!(rig.said(), "opened,heard");
}

#[test]
fn a_panic_in_decide_refuses_the_command_alone() {
    let mut rig = Rig::attached();
    let command = rig.command(1, 1, &Script { panic: true, ..Script::default() });
    let out = rig.put(command);
    assert!(matches!(out[0], Output::Alarm(_)));
    assert_eq!(code(&reply(&out, 1).unwrap()), "bad_args");
    assert!(rig.ask(2, &Script::event("a")).result.is_ok());
}

#[test]
fn a_panic_in_apply_quarantines_and_nothing_leaves() {
    let mut rig = Rig::attached();
    let command = rig.command(1, 1, &Script::event("poison"));
    let out = rig.put(command);
    assert!(matches!(out[..], [Output::Quarantine(_)]), "{out:?}");
    assert!(rig.put(hello(2)).is_empty());
    assert_eq!(rig.records.len(), 1);
}
