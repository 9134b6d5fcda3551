//! The sum of a short evening, and what it refuses to believe.

use super::*;
use crate::ledger::Done;
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::server::ErrorBody;

fn ok(body: &str) -> Answer {
    Answer { result: Ok(Done { body: body.into(), seq: Some(1) }), dup: false }
}

fn join(room: &str) -> (Verb, Answer) {
    let body = format!(
        r#"{{"room":{{"room_id":"{room}","room_name":"Room {room}","player_count":1,"max_players":20}}}}"#
    );
    (Verb::JoinRoom { room_id: room.parse().unwrap() }, ok(&body))
}

fn attack(target: Option<&str>, key: Option<&str>, damage: u64) -> (Verb, Answer) {
    let verb = Verb::ExecuteMove {
        move_type: MoveType::Attack,
        target_player_id: target.map(|target| target.parse().unwrap()),
        event_id: key.map(Into::into),
    };
    (verb, ok(&format!(r#"{{"damage":{damage},"xp":10,"health":100}}"#)))
}

#[test]
fn joins_and_moves_are_actions_and_repeats_are_not() {
    let mut sum = Expected::default();
    let repeat = {
        let (verb, answer) = attack(Some("bob"), Some("k"), 12);
        (verb, Answer { dup: true, ..answer })
    };
    let refused = Answer { result: Err(ErrorBody::new(ErrorCode::RoomFull, "full")), dup: false };
    let evening = [
        join("den"),
        join("den"),
        attack(None, None, 25),
        attack(Some("bob"), Some("k"), 12),
        repeat,
        (join("loft").0, refused),
        (Verb::LeaveRoom {}, ok(r#"{"room":null}"#)),
        join("loft"),
    ];
    for (verb, answer) in &evening {
        sum.fold(verb, answer).unwrap();
    }
    assert_eq!((sum.actions, sum.xp, sum.score), (4, 20, 57));
    assert_eq!(sum.blows, [Blow { target: "bob".parse().unwrap(), damage: 12 }]);
    assert_eq!(sum.room, Some("loft".parse().unwrap()));
    assert_eq!(sum.refused, 1);
}

#[test]
fn replies_against_the_rules_are_odd() {
    let mut sum = Expected::default();
    let (verb, answer) = attack(None, None, 12);
    assert!(sum.fold(&verb, &answer).is_err(), "a practice blow is never halved");
    let (verb, answer) = attack(Some("bob"), Some("k"), 25);
    sum.fold(&verb, &answer).unwrap();
    assert!(sum.fold(&verb, &answer).is_err(), "the same key took effect twice");
    let used =
        ok(r#"{"item":{"item_id":"potion-001","name":"Health Potion","quantity":5},"health":100}"#);
    let verb = Verb::UseItem { item_id: POTION.into() };
    assert!(sum.fold(&verb, &used).is_err(), "a potion was used, and five are left");
}
