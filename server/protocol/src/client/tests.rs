//! What [`super::decode`] takes, what it refuses and with which words.

use proptest::prelude::*;

use super::*;
use crate::codes::ErrorCode;

fn refused(text: &str) -> (Option<u64>, ErrorCode, String) {
    let error = decode(text).expect_err(text);
    (error.id, error.code, error.message)
}

fn bad_args(verb: &str, args: &str) -> String {
    let (id, code, message) = refused(&format!(r#"{{"id":7,"do":"{verb}","args":{args}}}"#));
    assert_eq!((id, code), (Some(7), ErrorCode::BadArgs), "{message}");
    message
}

fn player(id: &str) -> PlayerId {
    PlayerId::new(id).unwrap()
}

/// One of each verb, with every optional field filled.
pub(crate) fn all_verbs() -> Vec<Verb> {
    vec![
        Verb::Hello { token: Some("t".into()), player: Some(player("al")), name: Some("A".into()) },
        Verb::Resume { token: "r".into(), seq: 12 },
        Verb::JoinRoom { room_id: RoomId::new("dungeon-7").unwrap() },
        Verb::LeaveRoom {},
        Verb::ExecuteMove {
            move_type: MoveType::Special,
            target_player_id: Some(player("bob")),
            event_id: Some("e-1".into()),
        },
        Verb::Input { seq: 3, steps: vec![Step { dx: -1, dy: 1, buttons: 1 }, Step::default()] },
        Verb::UseItem { item_id: "potion-001".into() },
        Verb::Say { text: "hi \"you\" \u{1f600}".into() },
        Verb::GetState {},
        Verb::GetInventory {},
        Verb::GetStatus {},
        Verb::Who {},
        Verb::Rooms {},
        Verb::Top {},
        Verb::Look {},
        Verb::Refresh { token: "t".into() },
        Verb::Ping { t: Number::from_f64(1.5).unwrap() },
        Verb::Logout {},
    ]
}

#[test]
fn every_verb_goes_there_and_back() {
    let verbs = all_verbs();
    assert_eq!(verbs.len(), VERBS.len());
    for (verb, name) in verbs.into_iter().zip(VERBS) {
        assert_eq!(verb.name(), name);
        let message = ClientMessage { id: Some(9), verb };
        assert_eq!(decode(&message.encode()), Ok(message.clone()));
        let packed = rmp_serde::to_vec_named(&message.verb).unwrap();
        assert_eq!(rmp_serde::from_slice::<Verb>(&packed).unwrap(), message.verb);
        let json = serde_json::to_string(&message.verb).unwrap();
        assert_eq!(serde_json::from_str::<Verb>(&json).unwrap(), message.verb);
    }
}

#[test]
fn absent_options_go_there_and_back() {
    let verbs = [
        Verb::Hello { token: None, player: Some(player("al")), name: None },
        Verb::ExecuteMove { move_type: MoveType::Heal, target_player_id: None, event_id: None },
        Verb::Ping { t: (-3).into() },
    ];
    for verb in verbs {
        let packed = rmp_serde::to_vec_named(&verb).unwrap();
        assert_eq!(rmp_serde::from_slice::<Verb>(&packed).unwrap(), verb);
        let message = ClientMessage { id: Some(1), verb };
        assert_eq!(decode(&message.encode()), Ok(message.clone()));
    }
}

#[test]
fn a_message_looks_like_the_protocol() {
    let verb = Verb::Input { seq: 3, steps: vec![Step { dx: -1, dy: 0, buttons: 1 }] };
    let message = ClientMessage { id: None, verb };
    assert_eq!(message.encode(), r#"{"do":"input","args":{"seq":3,"steps":[[-1,0,1]]}}"#);
    let message = ClientMessage { id: Some(7), verb: Verb::LeaveRoom {} };
    assert_eq!(message.encode(), r#"{"id":7,"do":"leave_room","args":{}}"#);
}

#[test]
fn order_escapes_nulls_and_unknown_fields_do_not_matter() {
    let text = r#" {"args":{"room_id":"a","x":[1]},"extra":{},"do":"join\u005froom","id":1} "#;
    assert_eq!(decode(text).unwrap().verb.name(), "join_room");
    let text = r#"{"id":1,"do":"execute_move","args":{"move_type":"heal","event_id":null}}"#;
    assert_eq!(decode(text).unwrap().verb.event_id(), None);
    for args in ["", r#","args":null"#, r#","args":{}"#] {
        let text = format!(r#"{{"id":1,"do":"who"{args}}}"#);
        assert_eq!(decode(&text).unwrap().verb, Verb::Who {});
    }
}

#[test]
fn what_is_no_message_is_bad_message() {
    for text in [
        "",
        "hello",
        "[]",
        r#"[7,"who",{}]"#,
        "{",
        r#"{"id":1,"do":"who"} x"#,
        r#"{"id":1,"id":2,"do":"who"}"#,
        r#"{"id":"1","do":"who"}"#,
        r#"{"id":0,"do":"who"}"#,
        r#"{"id":-1,"do":"who"}"#,
        r#"{"id":1.0,"do":"who"}"#,
        r#"{"id":9007199254740992,"do":"who"}"#,
        r#"{"id":{},"do":"who"}"#,
    ] {
        let (id, code, _) = refused(text);
        assert_eq!((id, code), (None, ErrorCode::BadMessage), "{text}");
    }
    for text in [r#"{"id":7}"#, r#"{"id":7,"do":5}"#, r#"{"id":7,"do":null,"args":{}}"#] {
        let (id, code, _) = refused(text);
        assert_eq!((id, code), (Some(7), ErrorCode::BadMessage), "{text}");
    }
}

#[test]
fn ids_are_needed_where_replies_are_kept_or_matched() {
    for verb in all_verbs() {
        let needs = matches!(verb.class(), Class::Command | Class::Query);
        let decoded = decode(&ClientMessage { id: None, verb: verb.clone() }.encode());
        assert_eq!(decoded.is_err(), needs, "{}", verb.name());
        if let Err(error) = decoded {
            assert_eq!(error.code, ErrorCode::BadMessage);
            assert!(error.message.contains("needs an id"), "{}", error.message);
        }
    }
    assert_eq!(decode(r#"{"id":9007199254740991,"do":"who"}"#).unwrap().id, Some(INTEGER_MAX));
}

#[test]
fn an_unknown_verb_keeps_its_id_and_is_corrected() {
    let (id, code, message) = refused(r#"{"id":7,"do":"joinroom"}"#);
    assert_eq!((id, code), (Some(7), ErrorCode::UnknownVerb));
    assert_eq!(message, "joinroom (did you mean join_room?)");
    for later in ["trade_offer", "gift", "party_create", ""] {
        let (_, code, _) = refused(&format!(r#"{{"id":7,"do":"{later}"}}"#));
        assert_eq!(code, ErrorCode::UnknownVerb);
    }
}

#[test]
fn bad_args_names_the_field() {
    assert_eq!(bad_args("join_room", "[\"a\"]"), "args must be an object");
    assert!(bad_args("join_room", "{}").starts_with("room_id is missing; it must be a room id"));
    let message = bad_args("join_room", r#"{"room_id":"Dungeon"}"#);
    assert_eq!(message, "room_id must be a room id: 1 to 64 of a-z, 0-9, _ and -");
    assert!(bad_args("join_room", r#"{"room_id":7}"#).starts_with("room_id must be"));
    let message = bad_args("execute_move", r#"{"move_type":"kick"}"#);
    assert_eq!(message, "move_type must be attack, defend, heal or special");
    let message = bad_args("execute_move", r#"{"move_type":"heal","target_player_id":"B B"}"#);
    assert!(message.starts_with("target_player_id must be"));
    let event_id = format!(r#"{{"move_type":"heal","event_id":"{}"}}"#, "e".repeat(65));
    assert!(bad_args("execute_move", &event_id).starts_with("event_id must be"));
    assert!(bad_args("use_item", r#"{"item_id":""}"#).starts_with("item_id must be"));
    assert!(bad_args("hello", "{}").contains("token or a player"));
    assert!(bad_args("hello", r#"{"player":"a","name":"a\u0007"}"#).starts_with("name must be"));
    assert!(bad_args("hello", r#"{"player":"a","name":""}"#).starts_with("name must be"));
    assert!(bad_args("resume", r#"{"token":"t","seq":-1}"#).starts_with("seq must be"));
    assert!(bad_args("ping", r#"{"t":"now"}"#).starts_with("t must be"));
    assert!(bad_args("say", r#"{"text":"a\nb"}"#).starts_with("text must be"));
    assert!(bad_args("say", r#"{"text":"a","text":"b"}"#).contains("text"));
}

#[test]
fn lengths_count_characters() {
    let say = |len: usize| {
        decode(&format!(r#"{{"id":1,"do":"say","args":{{"text":"{}"}}}}"#, "é".repeat(len)))
    };
    assert!(say(SAY_LEN_MAX).is_ok());
    assert!(say(SAY_LEN_MAX + 1).is_err());
    let name = |len: usize| {
        let verb =
            Verb::Hello { token: None, player: Some(player("a")), name: Some("é".repeat(len)) };
        verb.check()
    };
    assert!(name(NAME_LEN_MAX).is_ok());
    assert!(name(NAME_LEN_MAX + 1).is_err());
}

#[test]
fn input_keeps_to_its_bounds() {
    let steps = |seq: u64, step: &str, count: usize| {
        format!(r#"{{"seq":{seq},"steps":[{}]}}"#, vec![step; count].join(","))
    };
    let text = format!(r#"{{"do":"input","args":{}}}"#, steps(1, "[0,0,0]", 32));
    assert!(decode(&text).is_ok());
    for args in [
        steps(1, "[0,0,0]", 0),
        steps(1, "[0,0,0]", 33),
        steps(1, "[2,0,0]", 1),
        steps(1, "[0,-2,0]", 1),
        steps(1, "[0,0,2]", 1),
        steps(1, "[0,0]", 1),
        steps(1, "[0,0,0,0]", 1),
        steps(1, "[0.5,0,0]", 1),
        steps(1, "[300,0,0]", 1),
        steps(1, "7", 1),
        r#"{"seq":1}"#.into(),
    ] {
        assert!(bad_args("input", &args).starts_with("steps "), "{args}");
    }
    for seq in [0, INTEGER_MAX, u64::MAX] {
        assert!(bad_args("input", &steps(seq, "[0,0,0]", 1)).starts_with("seq must be"));
    }
    let last = format!(r#"{{"do":"input","args":{}}}"#, steps(INTEGER_MAX - 1, "[0,0,0]", 1));
    assert!(decode(&last).is_ok());
}

#[test]
fn deep_nesting_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(decode(&deep).is_err());
    for field in ["id", "do", "args", "extra"] {
        let _ = decode(&format!(r#"{{"{field}":{deep}}}"#));
    }
    for field in ["text", "steps", "extra"] {
        let _ = decode(&format!(r#"{{"id":1,"do":"say","args":{{"{field}":{deep}}}}}"#));
        let _ = decode(&format!(r#"{{"id":1,"do":"input","args":{{"{field}":{deep}}}}}"#));
    }
}

pub(crate) fn any_verb() -> impl Strategy<Value = Verb> {
    let step = (-1..=1i8, -1..=1i8, 0..=1u8).prop_map(Step::from);
    prop_oneof![
        (1..=1u64 << 50, prop::collection::vec(step, 1..=32))
            .prop_map(|(seq, steps)| Verb::Input { seq, steps }),
        "[^\\p{Cc}]{1,200}".prop_map(|text| Verb::Say { text }),
        "[a-z0-9_-]{1,64}".prop_map(|id| Verb::JoinRoom { room_id: RoomId::new(&id).unwrap() }),
        ("[a-z0-9_-]{1,32}", "[^\\p{Cc}]{1,32}").prop_map(|(id, name)| Verb::Hello {
            token: None,
            player: Some(player(&id)),
            name: Some(name)
        }),
        ".{1,64}".prop_map(|item_id| Verb::UseItem { item_id }),
        any::<i64>().prop_map(|t| Verb::Ping { t: t.into() }),
    ]
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*") {
        let _ = decode(&text);
    }

    #[test]
    fn no_near_message_panics(
        id in "-?[0-9]{1,20}|null|\"x\"|\\[\\]",
        verb in "[a-z_]{1,12}|input|say|ping|execute_move",
        args in "\\{\"(seq|steps|text|t|move_type)\":[0-9\\[\\]{}\",a-z]{0,12}\\}|.{0,20}",
    ) {
        let _ = decode(&format!(r#"{{"id":{id},"do":"{verb}","args":{args}}}"#));
    }

    #[test]
    fn encode_and_decode_agree(id in 1..=INTEGER_MAX, verb in any_verb()) {
        let message = ClientMessage { id: Some(id), verb };
        prop_assert_eq!(decode(&message.encode()), Ok(message));
    }
}
