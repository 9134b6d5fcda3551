//! Each promise is broken once, and seen.

use super::*;

fn ok(body: &str, seq: u64) -> Answer {
    Answer { result: Ok(Done { body: body.into(), seq: Some(seq) }), dup: false }
}

fn again(answer: &Answer) -> Answer {
    Answer { dup: true, ..answer.clone() }
}

fn refused(code: ErrorCode) -> Answer {
    Answer { result: Err(ErrorBody::new(code, "no")), dup: false }
}

fn asked() -> (Ledger, u64) {
    let mut ledger = Ledger::default();
    let id = ledger.issue(Verb::LeaveRoom {}).id.unwrap();
    (ledger, id)
}

#[test]
fn the_same_reply_twice_is_fine_once_it_was_asked_twice() {
    let (mut ledger, id) = asked();
    assert_eq!(ledger.open(), [id]);
    ledger.repeat(id).unwrap();
    assert_eq!(ledger.note(Some(id), ok("{}", 3)), Ok(true));
    assert_eq!(ledger.note(Some(id), again(&ok("{}", 3))), Ok(true));
    assert_eq!(ledger.note(Some(id), ok("{}", 3)), Err(Violation::Twice { id, sent: 2 }));
    assert!(ledger.open().is_empty());
}

#[test]
fn another_body_or_another_seq_is_a_broken_promise() {
    for second in [ok("{ }", 3), ok("{}", 4), refused(ErrorCode::Cooldown)] {
        let (mut ledger, id) = asked();
        ledger.repeat(id).unwrap();
        ledger.note(Some(id), ok("{}", 3)).unwrap();
        let found = ledger.note(Some(id), second);
        assert!(matches!(found, Err(Violation::Changed { .. })), "{found:?}");
    }
}

#[test]
fn pending_is_no_outcome() {
    let (mut ledger, id) = asked();
    assert_eq!(ledger.note(Some(id), refused(ErrorCode::Pending)), Ok(false));
    assert_eq!(ledger.open(), [id]);
    assert_eq!(ledger.note(Some(id), ok("{}", 9)), Ok(true));
    assert_eq!(ledger.answer(id).unwrap().seq(), Some(9));
}

#[test]
fn replies_nobody_asked_for_are_seen() {
    let (mut ledger, id) = asked();
    assert!(matches!(ledger.note(Some(id + 1), ok("{}", 1)), Err(Violation::Unasked { .. })));
    assert!(matches!(ledger.note(None, ok("{}", 1)), Err(Violation::Unasked { .. })));
}

#[test]
fn a_first_reply_is_no_dup_and_has_a_seq() {
    let (mut ledger, id) = asked();
    assert_eq!(ledger.note(Some(id), again(&ok("{}", 3))), Err(Violation::FalseDup { id }));
    let (mut ledger, id) = asked();
    let mut bare = ok("{}", 3);
    bare.result.as_mut().unwrap().seq = None;
    assert_eq!(ledger.note(Some(id), bare), Err(Violation::NoSeq { id }));
}
