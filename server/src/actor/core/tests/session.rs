//! Hello, resume, resync, and who is connected.

use bytes::Bytes;

use super::*;
use crate::actor::envelope::{Attachment, Refusal};

fn refusal(out: &[Output]) -> Option<&Refusal> {
    out.iter().find_map(|output| match output {
        Output::Deliver(_, Delivery::Refused(refusal)) => Some(&**refusal),
        _ => None,
    })
}

#[test]
fn a_hello_opens_a_session_named_by_its_record() {
    let mut rig = Rig::new();
    let out = rig.put(hello(1));
    let attached = attached(&out);
    assert_eq!((attached.how, attached.session, attached.seq), (Attachment::Welcome, 1, 1));
    assert_eq!(&attached.state[..], b"opened");
}

#[test]
fn nothing_is_said_before_the_hello_is_durable() {
    let mut rig = Rig::new();
    rig.auto = false;
    assert!(rig.put(hello(1)).is_empty());
    assert!(matches!(rig.appended()[0], Output::Deliver(1, Delivery::Attached(_))));
}

#[test]
fn a_refused_hello_changes_nothing() {
    let mut rig = Rig::new();
    let payload = Bytes::from_static(b"no");
    let out = rig.put(Input::Attach(1, Attach::Hello { payload, creates: true }));
    assert!(matches!(refusal(&out), Some(Refusal::Rejected(reject)) if reject.code == "no"));
    assert_eq!((rig.records.len(), rig.core.connection()), (0, None));
}

#[test]
fn a_resume_replays_what_was_missed_and_no_more() {
    let mut rig = Rig::attached();
    for n in 1..=3 {
        rig.ask(n, &Script::push(&format!("{n}")));
    }
    let resume = rig.resume(2, 3);
    let out = rig.put(resume);
    let attached = attached(&out);
    assert_eq!(attached.how, Attachment::Resumed);
    assert_eq!(attached.replay, [(4, Bytes::from_static(b"3"))]);
}

#[test]
fn a_resume_from_the_floor_is_whole_and_from_below_it_a_resync() {
    let mut rig = Rig::attached();
    for n in 1..=70 {
        rig.ask(n, &Script::push(&format!("{n}")));
    }
    let floor = rig.core.durable().ledger.frames_floor;
    assert_eq!(floor, 71 - 64);
    for (connection, seen, how) in [
        (2, floor, Attachment::Resumed),
        (3, floor - 1, Attachment::Resync),
        (4, 71, Attachment::Resumed),
        (5, 72, Attachment::Resync),
    ] {
        let resume = rig.resume(connection, seen);
        let out = rig.put(resume);
        assert_eq!(attached(&out).how, how, "seen {seen}");
        let frames = if how == Attachment::Resync { 0 } else { 71 - seen };
        assert_eq!(attached(&out).replay.len() as u64, frames);
    }
}

#[test]
fn a_frame_larger_than_what_is_kept_is_delivered_whole_and_resynced() {
    let mut rig = Rig::attached();
    rig.auto = false;
    rig.ask_later(1, "first");
    for id in 2..=4 {
        rig.ask_later(id, &"x".repeat(2_000));
    }
    rig.appended();
    let out = rig.appended();
    let evs = out.iter().find_map(|output| match output {
        Output::Deliver(1, Delivery::Events { seq: 3, evs }) => Some(evs.len()),
        _ => None,
    });
    assert_eq!(evs, Some(3 * 2_000 + 2));
    let resume = rig.resume(2, 2);
    assert_eq!(attached(&rig.put(resume)).how, Attachment::Resync);
}

impl Rig {
    /// A command whose answer is not looked at: it pushes.
    fn ask_later(&mut self, id: u64, text: &str) {
        let command = self.command(1, id, &Script::push(text));
        self.put(command);
    }
}

#[test]
fn the_newest_connection_wins() {
    let mut rig = Rig::attached();
    let resume = rig.resume(2, 1);
    let out = rig.put(resume);
    assert_eq!(closed(&out), Some((1, Closing::Replaced)));
    assert!(rig.put(Input::Detach(1)).is_empty());
    assert_eq!(rig.core.connection(), Some(2));
    let old = rig.command(1, 1, &Script::event("old"));
    assert!(rig.put(old).is_empty());
    assert_eq!(rig.said(), "opened");
}

#[test]
fn a_resume_after_a_crash_is_told_to_the_rules_once() {
    let mut rig = Rig::attached();
    rig.crash();
    assert_eq!(rig.said(), "opened,lost");
    let resume = rig.resume(2, 1);
    assert_eq!(attached(&rig.put(resume)).how, Attachment::Resumed);
    let resume = rig.resume(3, 1);
    rig.put(resume);
    assert_eq!(rig.said(), "opened,lost,resumed");
}

#[test]
fn a_hello_ends_the_session_before_and_its_late_commands_are_refused() {
    let mut rig = Rig::attached();
    rig.put(hello(2));
    let late = rig.command(1, 1, &Script::event("late"));
    let out = rig.put(late);
    assert_eq!(code(&reply(&out, 1).unwrap()), "unauthorized");
    let resume = rig.resume(3, 1);
    assert_eq!(refusal(&rig.put(resume)), Some(&Refusal::SessionEnded));
    assert_eq!(rig.said(), "opened,opened");
}

#[test]
fn four_sessions_are_remembered() {
    let mut rig = Rig::attached();
    for connection in 2..=6 {
        rig.put(hello(connection));
    }
    let ledger = &rig.core.durable().ledger;
    let ids: Vec<_> = ledger.sessions.iter().map(|s| (s.id, s.ended)).collect();
    assert_eq!(ids, [(3, true), (4, true), (5, true), (6, false)]);
}

#[test]
fn a_session_runs_out_without_a_socket() {
    let mut rig = Rig::attached();
    rig.put(Input::Detach(1));
    rig.now_ms += 24 * 60 * 60 * 1_000 + 1;
    let resume = rig.resume(2, 1);
    assert_eq!(refusal(&rig.put(resume)), Some(&Refusal::SessionEnded));
}

#[test]
fn a_timer_of_the_rules_ends_the_session() {
    let mut rig = Rig::attached();
    let at_ms = rig.now_ms + 100;
    let script = Script { timer: Some(("end".into(), at_ms)), ..Script::default() };
    rig.ask(1, &script);
    let out = rig.wait(100);
    assert_eq!(closed(&out), Some((1, Closing::Expired)));
    let resume = rig.resume(2, 1);
    assert_eq!(refusal(&rig.put(resume)), Some(&Refusal::SessionEnded));
}

#[test]
fn a_logout_is_answered_before_the_socket_is_closed() {
    let mut rig = Rig::attached();
    let command = rig.command(1, 1, &Script { ends: true, ..Script::event("bye") });
    let out = rig.put(command);
    assert!(matches!(out[0], Output::Deliver(1, Delivery::Reply { .. })), "{out:?}");
    assert_eq!(closed(&out), Some((1, Closing::LoggedOut)));
}

#[test]
fn an_attach_finds_no_room_in_a_full_mailbox() {
    let mut rig = Rig::attached_with(Limits { mailbox_len_max: 1, ..Limits::default() });
    rig.auto = false;
    for id in 1..=2 {
        let command = rig.command(1, id, &Script::event("x"));
        rig.put(command);
    }
    assert_eq!(refusal(&rig.put(hello(2))), Some(&Refusal::Busy));
}

#[test]
fn the_record_of_an_attach_ends_with_it() {
    let mut rig = Rig::attached();
    rig.put(Input::Detach(1));
    rig.auto = false;
    rig.put(hello(2));
    rig.put(Input::Tell(id("other"), tell(1, None, &Script::push("late"))));
    let resume = rig.resume(3, 3);
    rig.put(resume);
    rig.auto = true;
    let out = rig.appended();
    assert_eq!(attached(&out).seq, 3);
    assert!(rig.records[2].facts.iter().all(|fact| !matches!(fact, Fact::Pushed(_))));
}
