//! What [`super::decode`] takes, what it refuses and with which words.

use proptest::prelude::*;

use super::*;
use crate::codes::ErrorCode;
use crate::goods::{GoodsItem, ITEMS_MAX, QUANTITY_MAX};

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

fn goods(gold: Option<u64>, items: &[&str]) -> Goods {
    let item = |id: &&str| GoodsItem { item_id: (*id).to_owned(), quantity: 2 };
    Goods { gold, items: items.iter().map(item).collect() }
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
        Verb::TradeOffer {
            to: player("bob"),
            give: goods(Some(5), &[]),
            want: goods(None, &["a"]),
        },
        Verb::TradeCounter {
            trade_id: TradeId::new("t-1").unwrap(),
            give: goods(None, &["a", "b"]),
            want: goods(Some(1), &[]),
            revision: Some(2),
        },
        Verb::TradeAccept { trade_id: TradeId::new("t-1").unwrap(), revision: Some(3) },
        Verb::TradeCancel { trade_id: TradeId::new("t-1").unwrap() },
        Verb::Gift { to: player("bob"), give: goods(Some(1_000_000_000), &["a"]) },
        Verb::PartyCreate { name: "The Heroes".into(), on_leader_left: OnLeaderLeft::PassOn },
        Verb::PartyInvite { player: player("bob") },
        Verb::PartyKick { player: player("bob") },
        Verb::PartyAccept { party_id: PartyId::new("p-1").unwrap() },
        Verb::PartyLeave {},
        Verb::PartySay { text: "hi \"you\"".into() },
        Verb::PartyJoinRoom { room_id: RoomId::new("dungeon-7").unwrap() },
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
        Verb::TradeOffer { to: player("bob"), give: Goods::default(), want: goods(Some(1), &[]) },
        Verb::TradeAccept { trade_id: TradeId::new("t-1").unwrap(), revision: None },
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
    for other in ["trade", "trade_", "party_", "party_dance", "gifts", ""] {
        let (_, code, _) = refused(&format!(r#"{{"id":7,"do":"{other}"}}"#));
        assert_eq!(code, ErrorCode::UnknownVerb);
    }
}

#[test]
fn goods_keep_to_their_bounds() {
    let offer = |give: &str, want: &str| {
        bad_args("trade_offer", &format!(r#"{{"to":"bob","give":{give},"want":{want}}}"#))
    };
    let items = |count: usize| {
        let item = |n: usize| format!(r#"{{"item_id":"i{n}","quantity":1}}"#);
        format!(r#"{{"items":[{}]}}"#, (0..count).map(item).collect::<Vec<_>>().join(","))
    };
    let most = format!(
        r#"{{"id":1,"do":"trade_offer","args":{{"to":"bob","give":{},"want":{{"gold":1000000000}}}}}}"#,
        items(ITEMS_MAX)
    );
    assert!(decode(&most).is_ok());
    for goods in [
        r#"{"gold":0}"#,
        r#"{"gold":-1}"#,
        r#"{"gold":1.5}"#,
        r#"{"gold":"5"}"#,
        r#"{"gold":1000000001}"#,
        r#"{"items":{}}"#,
        r#"{"items":[7]}"#,
        r#"{"items":[{"item_id":"a"}]}"#,
        r#"{"items":[{"item_id":"a","quantity":0}]}"#,
        r#"{"items":[{"item_id":"","quantity":1}]}"#,
        r#"{"items":[{"item_id":"a","quantity":1},{"item_id":"a","quantity":1}]}"#,
        &items(ITEMS_MAX + 1),
        "7",
        "\"gold\"",
    ] {
        assert!(offer(goods, r#"{"gold":1}"#).starts_with("give must be goods, "), "{goods}");
        assert!(offer(r#"{"gold":1}"#, goods).starts_with("want must be goods, "), "{goods}");
    }
    for nothing in ["{}", "null", r#"{"gold":null,"items":[]}"#] {
        assert!(offer(nothing, nothing).starts_with("nothing stands on either side"));
    }
    let nothing = bad_args("gift", r#"{"to":"bob","give":{}}"#);
    assert!(nothing.starts_with("nothing stands on either side"));
}

#[test]
fn bad_args_of_trades_and_parties_name_the_field() {
    let bad = |verb: &str, args: &str, starts: &str| {
        let message = bad_args(verb, args);
        assert!(message.starts_with(starts), "{verb} {args}: {message}");
    };
    bad("trade_offer", r#"{"give":{"gold":1}}"#, "to is missing; it must be a player id");
    bad("trade_offer", r#"{"to":"B B","give":{"gold":1}}"#, "to must be a player id");
    bad("gift", r#"{"to":"bob"}"#, "give is missing; it must be goods");
    for verb in ["trade_counter", "trade_accept", "trade_cancel"] {
        bad(verb, "{}", "trade_id is missing; it must be a trade id");
        bad(verb, r#"{"trade_id":7}"#, "trade_id must be a trade id");
        bad(verb, r#"{"trade_id":"T"}"#, "trade_id must be a trade id");
    }
    for revision in ["0", "-1", "1.5", "4294967296", "\"1\""] {
        let args = format!(r#"{{"trade_id":"t","give":{{"gold":1}},"revision":{revision}}}"#);
        bad("trade_accept", &args, "revision must be an integer from 1");
        bad("trade_counter", &args, "revision must be an integer from 1");
    }
    bad("party_create", r#"{"on_leader_left":"end"}"#, "name is missing");
    let long = format!(r#"{{"name":"{}","on_leader_left":"end"}}"#, "n".repeat(33));
    bad("party_create", &long, "name must be 1 to 32 characters");
    bad("party_create", r#"{"name":"a\nb","on_leader_left":"end"}"#, "name must be");
    bad("party_create", r#"{"name":"a"}"#, "on_leader_left is missing; it must be end or pass_on");
    bad("party_create", r#"{"name":"a","on_leader_left":"stay"}"#, "on_leader_left must be");
    for verb in ["party_invite", "party_kick"] {
        bad(verb, "{}", "player is missing; it must be a player id");
        bad(verb, r#"{"player":"BOB"}"#, "player must be a player id");
    }
    bad("party_accept", r#"{"party_id":""}"#, "party_id must be a party id");
    bad("party_say", r#"{"text":""}"#, "text must be 1 to 200 characters");
    bad("party_join_room", r#"{"room_id":"D"}"#, "room_id must be a room id");
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

fn any_goods() -> impl Strategy<Value = Goods> {
    let items = prop::collection::btree_map(".{1,64}", 1..=QUANTITY_MAX, 0..4);
    (prop::option::of(1..=QUANTITY_MAX), items).prop_map(|(gold, items)| {
        let item = |(item_id, quantity)| GoodsItem { item_id, quantity };
        Goods { gold, items: items.into_iter().map(item).collect() }
    })
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
        ("[a-z0-9_-]{1,32}", any_goods(), any_goods())
            .prop_filter("something", |(_, give, want)| !give.is_empty() || !want.is_empty())
            .prop_map(|(id, give, want)| Verb::TradeOffer { to: player(&id), give, want }),
        ("[a-z0-9_-]{1,64}", prop::option::of(1..=u32::MAX)).prop_map(|(id, revision)| {
            Verb::TradeAccept { trade_id: TradeId::new(&id).unwrap(), revision }
        }),
        "[^\\p{Cc}]{1,32}"
            .prop_map(|name| Verb::PartyCreate { name, on_leader_left: OnLeaderLeft::End }),
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
