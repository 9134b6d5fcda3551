//! What a conversation allows, when it ends, and what waits.

use super::*;

const BOUNDS: Bounds = Bounds {
    hello_deadline_ms: 5_000,
    ping_ms: 15_000,
    dead_ms: 30_000,
    answer_deadline_ms: 8_000,
    held_len_max: 2,
    misuse_max: 100,
};

fn session() -> Session {
    Session::new(Rules::Json, BOUNDS, 0)
}

fn asked(name: &str) -> Asked {
    let player = PlayerId::new(name).unwrap();
    Asked { id: Some(1), player, expires_ms: Some(90_000), claims: false }
}

fn hello() -> Verb {
    Verb::Hello { token: None, player: PlayerId::new("alice").ok(), name: None }
}

fn ping() -> Verb {
    Verb::Ping { t: 1.into() }
}

fn attached() -> Session {
    let mut session = session();
    session.ask(asked("alice"), 0).unwrap();
    session.attached(7).unwrap();
    session
}

#[test]
fn the_first_message_is_a_hello() {
    let session = session();
    assert_eq!(session.admit(&hello()), Admission::Pass);
    assert_eq!(session.admit(&Verb::LeaveRoom {}), Admission::NotHello);
    assert_eq!(session.admit(&ping()), Admission::NotHello);
}

#[test]
fn messages_wait_for_the_answer_to_a_hello() {
    let mut session = session();
    session.ask(asked("alice"), 0).unwrap();
    assert_eq!(session.admit(&Verb::LeaveRoom {}), Admission::Hold);
    assert_eq!(session.admit(&ping()), Admission::Pass);
    session.hold("one");
    assert!(session.can_hold());
    session.hold("two");
    assert!(!session.can_hold());
    assert_eq!(session.release(), None);
    session.attached(7).unwrap();
    assert_eq!(session.admit(&Verb::LeaveRoom {}), Admission::Pass);
    assert_eq!(session.release().as_deref(), Some("one"));
    assert_eq!(session.release().as_deref(), Some("two"));
    assert_eq!(session.release(), None);
}

#[test]
fn a_second_hello_is_for_the_same_player() {
    let mut session = attached();
    let error = session.ask(asked("bob"), 0).unwrap_err();
    assert_eq!(error.code, ErrorCode::BadArgs);
    session.ask(asked("alice"), 0).unwrap();
    assert_eq!(session.refused(0).map(|asked| asked.id), Some(Some(1)));
    assert_eq!(session.bound().map(|bound| bound.session), Some(7), "the first one stands");
}

#[test]
fn a_socket_without_hello_ends_in_time() {
    let mut session = session();
    assert_eq!(session.next_due_ms(), 5_000);
    assert_eq!(session.due(4_999), Due::Nothing);
    assert_eq!(session.due(5_000), Due::Close(CloseCode::ProtocolError));
}

#[test]
fn a_hello_without_answer_ends_in_time() {
    let mut session = session();
    session.ask(asked("alice"), 1_000).unwrap();
    assert_eq!(session.next_due_ms(), 9_000);
    assert_eq!(session.due(8_999), Due::Nothing);
    assert_eq!(session.due(9_000), Due::Unanswered);
    assert_eq!(session.unanswered(), Some(Some(1)));
}

#[test]
fn a_hello_waits_with_all_that_follows_until_the_node_serves() {
    let mut session = session();
    session.postpone("hello", None, 1_000);
    assert_eq!(session.admit(&Verb::LeaveRoom {}), Admission::Hold);
    assert_eq!(session.admit(&ping()), Admission::Pass);
    session.hold("leave");
    assert_eq!((session.release(), session.unanswered()), (None, Some(None)));
    assert_eq!(session.due(5_000), Due::Nothing, "a hello came in time");
    assert_eq!((session.next_due_ms(), session.due(9_000)), (9_000, Due::Unanswered));
    session.serve();
    assert_eq!(session.release().as_deref(), Some("hello"));
    session.postpone("hello", None, 9_500);
    session.serve();
    assert_eq!(session.release().as_deref(), Some("hello"), "still the first");
    assert_eq!(session.release().as_deref(), Some("leave"));
}

#[test]
fn a_typed_line_waits_for_the_answers_to_those_before_it() {
    let mut session = attached();
    assert!(!session.queue("look"), "nothing is before it");
    session.sent(1);
    session.sent(2);
    assert!(session.queue("look"));
    assert_eq!(session.admit(&Verb::LeaveRoom {}), Admission::Hold, "nothing overtakes it");
    session.answered(1);
    assert_eq!((session.release(), session.has_open()), (None, true));
    session.hold("who");
    session.answered(2);
    assert_eq!(session.release().as_deref(), Some("look"));
    session.sent(9);
    assert!(session.queue("look"));
    session.answered(9);
    assert_eq!(session.release().as_deref(), Some("look"), "still before the others");
    assert_eq!(session.release().as_deref(), Some("who"));
    session.sent(3);
    assert_eq!(session.admit(&Verb::LeaveRoom {}), Admission::Pass, "commands don't wait");
}

#[test]
fn pending_is_no_answer_to_a_typed_line() {
    let mut session = attached();
    session.sent(1);
    session.pends(1);
    assert!(!session.has_open(), "it is durable");
    assert!(session.queue("look") && session.queue("who"));
    assert_eq!(session.release(), None, "the join may still be refused");
    session.answered(1);
    assert_eq!(session.release().as_deref(), Some("look"));
    assert_eq!(session.release().as_deref(), Some("who"));
    session.sent(2);
    session.pends(2);
    session.ask(asked("alice"), 0).unwrap();
    session.attached(8).unwrap();
    assert!(!session.queue("look"), "a new session owes nothing");
}

#[test]
fn a_typed_line_waits_for_the_end_of_a_walk_but_not_for_ever() {
    let mut session = attached();
    session.walks(100);
    assert!(session.queue("look"));
    assert_eq!(session.release(), None);
    session.arrived();
    assert_eq!(session.release().as_deref(), Some("look"));
    session.walks(100);
    assert!(session.queue("look"));
    let by_ms = 100 + WALK_PATIENCE_MS;
    assert_eq!((session.next_due_ms(), session.due(by_ms - 1)), (by_ms, Due::Nothing));
    assert_eq!(session.release(), None);
    assert_eq!(session.due(by_ms), Due::GoOn);
    assert_eq!(session.release().as_deref(), Some("look"));
}

#[test]
fn messages_wait_while_the_runtime_has_no_room() {
    let mut session = attached();
    session.stuck(true);
    assert_eq!(session.admit(&Verb::LeaveRoom {}), Admission::Hold);
    assert_eq!(session.admit(&ping()), Admission::Pass);
    assert_eq!(session.next_due_ms(), 15_000, "with no deadline of its own");
    session.stuck(false);
    assert_eq!(session.admit(&Verb::LeaveRoom {}), Admission::Pass);
}

#[test]
fn silence_is_pinged_and_then_ends_the_socket() {
    let mut session = attached();
    assert_eq!(session.next_due_ms(), 15_000);
    assert_eq!(session.due(15_000), Due::Ping);
    assert_eq!(session.due(15_000), Due::Nothing);
    session.heard(15_010);
    assert_eq!(session.due(30_000), Due::Ping);
    assert_eq!(session.next_due_ms(), 45_000);
    assert_eq!(session.due(45_009), Due::Ping);
    assert_eq!(session.due(45_010), Due::Close(CloseCode::HeartbeatTimeout));
}

#[test]
fn a_token_that_is_not_refreshed_ends_the_socket() {
    let mut session = attached();
    session.heard(89_000);
    session.due(89_000);
    assert_eq!(session.next_due_ms(), 90_000);
    assert_eq!(session.due(90_000), Due::Close(CloseCode::SessionExpired));
    session.prolong(200_000);
    assert_eq!(session.due(90_000), Due::Nothing);
}

#[test]
fn a_hundred_refusals_in_ten_seconds_are_enough() {
    let mut session = session();
    for _ in 0..100 {
        assert!(!session.misused(ErrorCode::BadArgs, 1_000));
    }
    assert!(!session.misused(ErrorCode::RoomFull, 1_000), "that is the game's");
    assert!(session.misused(ErrorCode::RateLimited, 1_000));
    assert!(!session.misused(ErrorCode::BadArgs, 11_000));
}

#[test]
fn only_text_rules_change_the_form() {
    let mut json = session();
    json.speak(Form::Lines);
    assert_eq!(json.form(), Form::Json);
    let mut text = Session::new(Rules::Text, BOUNDS, 0);
    assert_eq!(text.form(), Form::Lines);
    text.speak(Form::Json);
    assert_eq!(text.form(), Form::Json);
}

#[test]
fn a_frame_may_hold_several_lines() {
    assert_eq!(lines("login a\r\n\n join b \n").collect::<Vec<_>>(), ["login a", "join b"]);
    assert_eq!(lines("\n").count(), 0);
}
