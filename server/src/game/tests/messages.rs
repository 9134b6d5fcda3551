//! Odd messages, queries, and the forms that journals hold for ever.

use holdfast_protocol::client::Verb;
use serde_json::json;

use super::world::{World, join};
use crate::actor::contract::{Message, Origin};
use crate::game::event::{Event, Input};
use crate::game::tells::{ToPlayer, ToRoom};
use crate::game::{pack, unpack};

#[test]
fn what_is_no_command_is_an_unknown_verb() {
    let mut world = World::with(&["alice"]);
    for verb in [Verb::Who {}, Verb::GetState {}, Verb::Rooms {}, Verb::Top {}, Verb::Look {}] {
        assert_eq!(world.refusal("alice", verb), "unknown_verb");
    }
    assert_eq!(world.query("alice", join("r")).unwrap_err().code, "unknown_verb");
}

#[test]
fn what_can_not_be_read_is_a_bad_message() {
    let mut world = World::with(&["alice"]);
    let code = |result: Result<_, crate::actor::contract::Reject>| match result {
        Err(reject) => reject.code.into_owned(),
        Ok(_) => String::new(),
    };
    let payload: &[u8] = &[0xc1];
    for origin in [Origin::Session, Origin::Owner, Origin::Service] {
        let refused = world.message("alice", &Message::Command { origin, payload });
        assert_eq!(code(refused), "bad_message");
    }
    assert_eq!(code(world.message("alice", &Message::Opened { payload })), "bad_message");
    let from = "player:bob".parse().unwrap();
    assert_eq!(
        code(world.message("alice", &Message::Tell { from: &from, payload })),
        "bad_message"
    );
}

#[test]
fn answers_to_nothing_change_nothing() {
    let mut world = World::in_room("r", &["alice"]);
    let before = world.seat("alice").state.clone();
    let (bob, room) = ("player:bob".parse().unwrap(), "room:r".parse().unwrap());
    for (from, tell) in [
        (&bob, ToPlayer::BlowDone { token: 99, damage: 25, gold: 0 }),
        (&bob, ToPlayer::BlowRefused { token: 99, code: "x".into(), message: "y".into() }),
        (&room, ToPlayer::Full { n: 99, max: 20 }),
        (&room, ToPlayer::Joined { n: 1, entity: 1, count: 1, max: 20 }),
    ] {
        world.message("alice", &Message::Tell { from, payload: &pack(&tell) }).unwrap();
    }
    for name in ["linkdead", "idle", "defend", "cooldown", "recover", "score", "unknown"] {
        world.message("alice", &Message::Timer { name }).unwrap();
    }
    assert_eq!(world.seat("alice").state, before);
    assert!(world.events("alice").is_empty());
    world.deliver();
    assert_eq!(world.members("r"), ["alice"]);
}

#[test]
fn the_queries_answer_as_the_protocol_says() {
    let mut world = World::with(&["alice"]);
    assert_eq!(world.query("alice", Verb::GetStatus {}).unwrap(), json!({"status": "online"}));
    let inventory = world.query("alice", Verb::GetInventory {}).unwrap();
    assert_eq!(inventory["inventory"][1]["item_id"], "sword-001");
    let seq = world.seat("alice").seq;
    assert_eq!(world.state("alice").player_id.as_str(), "alice");
    assert_eq!(world.seat("alice").seq, seq);
}

#[test]
fn a_key_that_is_no_player_id_never_becomes_one() {
    let mut world = World::new();
    let long = "x".repeat(33);
    let refused = world.open(&long, None, holdfast_protocol::edge::Proof::Open).unwrap_err();
    assert_eq!(refused.code, "bad_args");
}

fn form<T: serde::Serialize>(value: &T) -> serde_json::Value {
    unpack(&pack(value)).unwrap()
}

#[test]
fn journaled_forms_keep_their_names() {
    let input = Input {
        first: 5,
        steps: bytes::Bytes::new(),
        input: 9,
        credit: 500,
        credit_ms: 7,
        dropped: 0,
        at: 8,
    };
    assert_eq!(
        form(&Event::Input(input)),
        json!({"in": {"f": 5, "n": 9, "c": 500, "ct": 7, "t": 8}})
    );
    assert_eq!(form(&Event::Protected), json!("prot"));
    assert_eq!(form(&Event::Gone { room: None }), json!({"gone": {}}));
    let asked = Event::JoinAsked { n: 1, room: "r".into(), token: Some(3) };
    assert_eq!(form(&asked), json!({"jask": {"n": 1, "room": "r", "token": 3}}));
    let join = ToRoom::Join { n: 1, name: "a".into() };
    assert_eq!(form(&join), json!({"join": {"n": 1, "name": "a"}}));
    let done = ToPlayer::BlowDone { token: 3, damage: 12, gold: 0 };
    assert_eq!(form(&done), json!({"done": {"token": 3, "damage": 12}}));
}

#[test]
fn an_input_event_is_small() {
    let mut world = World::in_room("r", &["alice"]);
    world.act("alice", super::world::walk(1, &[(1, 0, 0)])).unwrap();
    let input = Input {
        first: 100_000,
        steps: bytes::Bytes::from_static(&[4, 4, 4]),
        input: 100_002,
        credit: 9_500,
        credit_ms: world.now_ms,
        dropped: 0,
        at: world.now_ms,
    };
    assert!(pack(&Event::Input(input)).len() <= 64);
}
