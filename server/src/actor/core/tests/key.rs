//! Caller-chosen keys, of sessions and of services.

use super::*;

#[test]
fn a_repeat_of_a_key_gets_the_first_reply() {
    let mut rig = Rig::attached();
    for (id, dup) in [(1, false), (2, true)] {
        let command = rig.keyed(id, "k", &Script::event("a"));
        let outcome = reply(&rig.put(command), id).unwrap();
        assert_eq!((outcome.result.unwrap(), outcome.dup), ("\"a\"".into(), dup));
    }
    assert_eq!(rig.said(), "opened,a");
}

#[test]
fn a_key_outlives_the_reply_and_is_then_answered_with_nothing() {
    let mut rig = Rig::attached();
    let command = rig.keyed(1, "k", &Script::event("a"));
    rig.put(command);
    for id in 2..=65 {
        rig.ask(id, &Script::default());
    }
    let command = rig.keyed(66, "k", &Script::event("a"));
    let outcome = reply(&rig.put(command), 66).unwrap();
    assert_eq!((outcome.result.unwrap(), outcome.dup), ("{}".into(), true));
    assert!(outcome.seq.is_some());
}

#[test]
fn only_so_many_keys_are_kept() {
    let mut rig = Rig::new();
    for n in 0..=256 {
        rig.put(call(n, &format!("k{n}"), &Script::default()));
    }
    assert!(answer(&rig.put(call(1, "k1", &Script::default()))).unwrap().unwrap().dup);
    assert!(!answer(&rig.put(call(0, "k0", &Script::default()))).unwrap().unwrap().dup);
}

#[test]
fn a_call_with_the_key_of_a_pending_one_attaches() {
    let mut rig = Rig::attached();
    let command = rig.keyed(1, "k", &Script::later());
    rig.put(command);
    assert_eq!(answer(&rig.put(call(5, "k", &Script::later()))), None);
    assert_eq!(answer(&rig.wait(5_000)), Some(Err(CallError::Pending)));
    rig.put(call(6, "k", &Script::later()));
    let out = rig.put(Input::Tell(id("other"), tell(1, None, &Script::complete(1, true))));
    let done = answer(&out).unwrap().unwrap();
    assert_eq!((&*done.body, done.dup), (&b"\"done\""[..], true));
    assert!(reply(&out, 1).is_some());
}

#[test]
fn a_command_with_the_key_of_another_sessions_pending_one_attaches() {
    let mut rig = Rig::attached();
    rig.put(call(5, "k", &Script::later()));
    let command = rig.keyed(1, "k", &Script::later());
    assert_eq!(reply(&rig.put(command), 1), None);
    let out = rig.put(Input::Tell(id("other"), tell(1, None, &Script::complete(1, true))));
    let outcome = reply(&out, 1).unwrap();
    assert_eq!((outcome.result.unwrap(), outcome.dup), ("\"done\"".into(), true));
}

#[test]
fn a_refusal_frees_its_key() {
    let mut rig = Rig::attached();
    let command = rig.keyed(1, "k", &Script { reject: true, ..Script::default() });
    rig.put(command);
    let command = rig.keyed(2, "k", &Script::later());
    rig.put(command);
    let out = rig.put(Input::Tell(id("other"), tell(1, None, &Script::complete(1, false))));
    assert_eq!(code(&reply(&out, 2).unwrap()), "no");
    let command = rig.keyed(3, "k", &Script::event("a"));
    let outcome = reply(&rig.put(command), 3).unwrap();
    assert!(outcome.result.is_ok() && !outcome.dup);
}

#[test]
fn a_repeat_of_a_call_names_the_record_of_the_first() {
    let mut rig = Rig::new();
    let first = answer(&rig.put(call(1, "k", &Script::event("a")))).unwrap().unwrap();
    rig.put(call(2, "other", &Script::event("b")));
    let again = answer(&rig.put(call(3, "k", &Script::event("a")))).unwrap().unwrap();
    assert_eq!((first.dup, again.dup), (false, true));
    assert_eq!((again.body, again.seq), (first.body, first.seq));
    assert_eq!(rig.said(), "a,b");
}

#[test]
fn a_signal_is_answered_when_it_is_durable_though_its_answer_comes_later() {
    let mut rig = Rig::new();
    for (caller, dup) in [(1, false), (2, true)] {
        let said = answer(&rig.put(signal(caller, "k", &Script::later()))).unwrap().unwrap();
        assert_eq!((said.body, said.dup), ("{}".into(), dup));
        assert!(said.seq > 0);
    }
    // Who waits for the answer under the same key gets it.
    assert_eq!(answer(&rig.put(call(3, "k", &Script::later()))), None);
    let out = rig.put(Input::Tell(id("other"), tell(1, None, &Script::complete(1, true))));
    let done = answer(&out).unwrap().unwrap();
    assert_eq!((done.body, done.dup), ("\"done\"".into(), true));
}
