//! The protocol's transcript, and the lines around it.

use super::*;
use crate::codes::ErrorCode;
use crate::ids::PlayerId;
use crate::server::tests::STATE;
use crate::text::{Line, parse};

fn verb(line: &str) -> Verb {
    match parse(line).unwrap() {
        Line::Verb(verb) => verb,
        other => panic!("{other:?}"),
    }
}

fn line_of(event_json: &str) -> Option<String> {
    let names = |number: u32| (number == 1).then(|| "Alice".to_owned());
    event(&serde_json::from_str(event_json).unwrap(), names)
}

const ROOM: &str = r#"{"room":{"room_id":"dungeon-7","room_name":"Room dungeon-7","player_count":2,"max_players":20}}"#;

#[test]
fn the_transcript_is_written_as_in_the_protocol() {
    assert_eq!(greeting("gw-1"), "* holdfast gw-1. Say \"login NAME\" to play, \"help\" for more.");
    let mut state: PlayerState = serde_json::from_str(STATE).unwrap();
    state.health = 100;
    let player = PlayerId::new("alice").unwrap();
    let mut hello = Welcome::new(WelcomeKind::Welcome, player, state);
    (hello.node, hello.epoch, hello.seq) = ("gw-1".into(), 1_795_345_219_097, 1);
    assert_eq!(
        welcome(&hello),
        "* welcome alice (node gw-1, epoch 1795345219097, seq 1) health 100 gold 100"
    );
    assert_eq!(
        reply(&verb("join dungeon-7"), ROOM, Some(3), false, &["bob".into()]),
        "ok seq 3: in Room dungeon-7 with bob"
    );
    let unknown = parse("atack bob").unwrap_err();
    assert_eq!(
        error(&ErrorBody::new(unknown.code, unknown.message)),
        "! unknown_verb: atack (did you mean attack?)"
    );
    let body = r#"{"damage":25,"xp":10,"health":100}"#;
    assert_eq!(
        reply(&verb("attack bob"), body, Some(5), false, &[]),
        "ok seq 5: 25 damage to bob, 10 xp"
    );
    let body = r#"{"damage":25,"xp":10,"health":100,"gold":12}"#;
    assert_eq!(
        reply(&verb("attack bob"), body, Some(6), false, &[]),
        "ok seq 6: 25 damage to bob, 10 xp, 12 gold"
    );
    let notice = "bob attacked you for 25 damage (attack executed against alice)";
    assert_eq!(
        line_of(&format!(r#"{{"ev":"notice","text":"{notice}","from":"bob"}}"#)),
        Some(format!("* {notice}"))
    );
    let potion =
        r#"{"item":{"item_id":"potion-001","name":"Health Potion","quantity":4},"health":100}"#;
    let used = Verb::UseItem { item_id: "potion-001".into() };
    assert_eq!(
        reply(&used, potion, Some(8), false, &[]),
        "ok seq 8: Health Potion used, health 100"
    );
}

#[test]
fn a_claimed_name_comes_with_its_token() {
    let state = serde_json::from_str(STATE).unwrap();
    let player = PlayerId::new("alice").unwrap();
    let mut hello = Welcome::new(WelcomeKind::Welcome, player, state);
    hello.token = Some("tok".into());
    assert!(welcome(&hello).ends_with("\n* the name is yours; next time: login alice tok"));
}

#[test]
fn replies_are_short_sentences() {
    let said = |line: &str, body: &str| reply(&verb(line), body, None, false, &[]);
    assert_eq!(said("join dungeon-7", ROOM), "ok: in Room dungeon-7, alone");
    assert_eq!(said("leave", r#"{"room":null}"#), "ok: in no room");
    let body = r#"{"damage":25,"xp":10,"health":60}"#;
    assert_eq!(said("attack", body), "ok: 25 damage in practice, 10 xp");
    assert_eq!(said("defend", body), "ok: defending, 10 xp");
    assert_eq!(said("heal", body), "ok: health 60, 10 xp");
    assert_eq!(said("say hi", "{}"), "ok");
    let who = r#"{"players":[["alice","Al","arena"],["bob","Bob",null]]}"#;
    assert_eq!(said("who", who), "ok: alice (arena), bob");
    assert_eq!(said("who", r#"{"players":[]}"#), "ok: nobody");
    let rooms =
        r#"{"rooms":[{"room_id":"a","room_name":"Room a","player_count":1,"max_players":20}]}"#;
    assert_eq!(said("rooms", rooms), "ok: a 1/20");
    assert_eq!(said("top", r#"{"top":[["alice","Al",35,1]]}"#), "ok: 1. Al 35");
    assert_eq!(
        said("inv", &STATE.replace("\"xp\"", "\"x\"")),
        "ok: Iron Sword x1, Health Potion x5"
    );
    assert_eq!(reply(&Verb::Logout {}, "{}", Some(9), false, &[]), "ok seq 9: goodbye");
    assert_eq!(
        reply(&Verb::GetStatus {}, r#"{"status":"in_room"}"#, None, false, &[]),
        "ok: in_room"
    );
    assert_eq!(gold(100), "100 gold");
}

#[test]
fn a_repeat_says_so() {
    assert_eq!(reply(&verb("heal"), "{}", None, true, &[]), "ok (as before)");
    let body = r#"{"damage":0,"xp":10,"health":60}"#;
    let again = reply(&verb("heal"), body, Some(4), true, &[]);
    assert_eq!(again, "ok seq 4 (as before): health 60, 10 xp");
}

#[test]
fn the_state_fits_a_line() {
    assert_eq!(
        reply(&verb("state"), STATE, None, false, &[]),
        "ok: alice (Alice), in_room, in Room dungeon-7 at 2048,2000; health 75/100, gold 100, \
         level 1, xp 10, score 35; Iron Sword x1, Health Potion x5"
    );
}

#[test]
fn look_shows_who_is_where() {
    let state: PlayerState = serde_json::from_str(STATE).unwrap();
    let own = Position { x: 1, y: 2 };
    let row =
        EntityRow { entity: 2, x: 3, y: 4, health: 50, flags: FLAG_DEFENDING | FLAG_LINKDEAD };
    assert_eq!(
        look(state.current_room.as_ref(), own, &[("bob".into(), row)]),
        "in Room dungeon-7 (2 of 20), at 1,2; bob at 3,4 health 50 defending connection lost"
    );
    assert!(look(state.current_room.as_ref(), own, &[]).ends_with("; nobody else"));
    assert_eq!(look(None, own, &[]), "in no room, at 1,2");
}

#[test]
fn events_are_lines_or_nothing() {
    let line = |json: &str| line_of(json).unwrap_or_default();
    assert_eq!(line(r#"{"ev":"say","from":"alice","text":"hi"}"#), "* alice: hi");
    assert_eq!(
        line(r#"{"ev":"say","from":"al","text":"hi","party":"p"}"#),
        "* al to the party: hi"
    );
    assert_eq!(
        line(r#"{"ev":"drain","retry_after_ms":500}"#),
        "* drain: this node stops; connect again in 500 ms"
    );
    assert_eq!(line(r#"{"ev":"leaderboard","top":[["al","Al",3,1]]}"#), "* top: 1. Al 3");
    assert_eq!(line(r#"{"ev":"roster","players":[[1,"al","Al"]],"full":true}"#), "* here: Al");
    assert_eq!(line(r#"{"ev":"roster","players":[[1,"al","Al"]]}"#), "* now here too: Al");
    assert_eq!(
        line(r#"{"ev":"room","tick":7,"in":0,"e":[[1,2,3,100,4],[9,8,7,0,2]],"gone":[5]}"#),
        "* tick 7: Alice at 2,3 health 100 sprinting, #9 at 8,7 health 0 defeated; gone: #5"
    );
    assert_eq!(line_of(r#"{"ev":"player","set":{"health":1}}"#), None);
    assert_eq!(line_of(r#"{"ev":"coins","at":[[1,2,3]],"taken":[],"full":true}"#), None);
    assert_eq!(
        line_of(r#"{"ev":"combat","move_type":"attack","by":"al","damage":1,"xp":1}"#),
        None
    );
    assert_eq!(line_of(r#"{"ev":"later"}"#), None);
}

#[test]
fn errors_and_pongs_are_lines() {
    let slow = ErrorBody::new(ErrorCode::RateLimited, "too many commands").after_ms(50);
    assert_eq!(error(&slow), "! rate_limited: too many commands (again in 50 ms)");
    assert_eq!(pong(&Pong { pong: 0.into(), now: 12 }), "* pong, server time 12 ms");
    assert_eq!(at(Position { x: 1, y: 2 }), "at 1,2");
}

#[test]
fn no_text_of_others_leaves_its_line() {
    assert_eq!(
        line_of(r#"{"ev":"notice","text":"a\n! fake\u001b[2J"}"#).unwrap(),
        "* a ! fake [2J"
    );
}
