//! What crosses as MessagePack is what crosses as JSON, and nothing that a client sends does harm.
//!
//! `rmp_serde` is the second opinion on every byte: it shares no code with this module.

mod golden;
mod sizes;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::client::tests::{all_verbs, any_verb};
use crate::client::{INTEGER_MAX, MoveType};
use crate::frame;
use crate::server::Event;

/// By an independent reader.
fn value(bytes: &[u8]) -> Value {
    rmp_serde::from_slice(bytes).unwrap()
}

/// By an independent writer.
fn bytes(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap()
}

fn refused(bytes: &[u8]) -> (Option<u64>, ErrorCode, String) {
    let error = match decode(bytes).and_then(settled) {
        Err(error) => error,
        Ok(message) => panic!("{message:?}"),
    };
    (error.id, error.code, error.message)
}

/// As the gateway goes on.
fn settled(packed: Packed) -> Result<ClientMessage, DecodeError> {
    match packed {
        Packed::Input(verb) => Ok(ClientMessage { id: None, verb }),
        Packed::Text(text) => client::decode(&text),
    }
}

fn bad_message(bytes: &[u8]) -> String {
    let (id, code, message) = refused(bytes);
    assert_eq!((id, code), (None, ErrorCode::BadMessage), "{message}");
    message
}

fn bad_input(input: &Value) -> String {
    let (id, code, message) = refused(&bytes(input));
    assert_eq!((id, code), (None, ErrorCode::BadArgs), "{message}");
    message
}

/// `{"do": <these bytes>}`.
fn around(inner: &[u8]) -> Vec<u8> {
    [b"\x81\xa2do", inner].concat()
}

fn row(entity: u32, x: i32, y: i32, health: u32, flags: u8) -> EntityRow {
    EntityRow { entity, x, y, health, flags }
}

// What clients are told.

#[test]
fn a_message_keeps_its_names_and_its_integers() {
    let text = frame::reply_ok(7, r#"{"damage":25,"xp":-10,"health":75.5}"#, Some(9912), true);
    let packed = message(&text);
    let expected = json!({"id": 7, "ok": {"damage": 25, "xp": -10, "health": 75.5}, "seq": 9912,
        "dup": true});
    assert_eq!(value(&packed), expected);
    assert_eq!(read(&packed), Ok(Told::Text(text)));
}

#[test]
fn what_is_no_json_is_an_event_that_clients_ignore() {
    for text in ["", "{", "null,", r#"{"id":1} x"#, "[1e999]", "\u{0}"] {
        let told = read(&message(text)).unwrap();
        assert_eq!(told, Told::Text(r#"{"ev":"unreadable"}"#.into()), "{text}");
        let ServerMessage::Event(Event::Unknown(_)) = told.decode().unwrap() else { panic!() };
    }
}

/// A room frame whose first row is the own one.
fn plain_room(tick: u64, input_seq: u64, all: &[EntityRow], gone: &[u32], full: bool) -> Vec<u8> {
    let (own, own_row) = (all.first().map_or(0, |row| row.entity), all.first().copied());
    room(&Room { tick, input_seq, own, own_row, rows: &rows(all), gone, full })
}

#[test]
fn a_room_frame_is_an_array_that_is_read_back() {
    let all = [row(3, 2048, 0, 100, 5), row(300, -1, 4095, 0, 2)];
    let packed = plain_room(77, 40, &all, &[4, 5], false);
    let expected = json!([77, 40, [[3, 2048, 0, 100, 5], [300, -1, 4095, 0, 2]], [4, 5], false]);
    assert_eq!((value(&packed), &packed), (expected.clone(), &bytes(&expected)));
    let room_event =
        RoomEvent { tick: 77, input_seq: 40, e: all.into(), gone: vec![4, 5], full: false };
    assert_eq!(read(&packed), Ok(Told::Room(room_event.clone())));
    let ServerMessage::Event(event) = read(&packed).unwrap().decode().unwrap() else { panic!() };
    assert_eq!(event, Event::Room(room_event));
    assert_eq!(value(&plain_room(1, 0, &[], &[], true)), json!([1, 0, [], [], true]));
}

#[test]
fn a_room_frame_is_allocated_once() {
    for count in [0, 1, 15, 16, 20, 1000] {
        let all: Vec<_> = (0..count).map(|at| row(at + 60_000, 4095, 4095, 127, 15)).collect();
        let gone: Vec<_> = (60_000..60_000 + count).collect();
        assert_eq!(rows(&all).all.capacity(), all.len() * ROW_LEN, "{count} rows");
        let reserved = HEAD_LEN + ROW_LEN + all.len() * (ROW_LEN + ENTITY_LEN);
        let packed = plain_room(u64::MAX, u64::MAX, &all, &gone, true);
        assert_eq!(packed.capacity(), reserved, "{count} rows in {} bytes", packed.len());
    }
}

#[test]
fn rows_are_encoded_once_for_everybody_in_a_room() {
    for count in [1, 15, 16, 17, 70_000] {
        let all: Vec<_> = (0..count).map(|at| row(at, 10, 0, 100, 0)).collect();
        let shared = rows(&all);
        for (own, own_row) in [(0, None), (count / 2, None), (count / 2, Some(99)), (count, None)] {
            let own_row = own_row.map(|x| row(own, x, 0, 100, 0));
            let (tick, input_seq, gone, full) = (1, 2, &[][..], false);
            let packed = room(&Room { tick, input_seq, own, own_row, rows: &shared, gone, full });
            let Ok(Told::Room(told)) = read(&packed) else { panic!("{count} rows, own {own}") };
            let others = all.iter().copied().filter(|row| row.entity != own);
            assert_eq!(told.e, own_row.into_iter().chain(others).collect::<Vec<_>>());
        }
    }
}

#[test]
fn later_servers_may_add_to_the_ends_of_arrays() {
    let told = json!([1, 2, [[3, 4, 5, 6, 7, "new", [8]]], [], true, {"new": [9]}, 10]);
    let expected =
        RoomEvent { tick: 1, input_seq: 2, e: vec![row(3, 4, 5, 6, 7)], gone: vec![], full: true };
    assert_eq!(read(&bytes(&told)), Ok(Told::Room(expected)));
}

#[test]
fn what_is_no_room_frame_is_not_read() {
    for told in [
        json!([]),
        json!([1, 2, [], []]),
        json!([-1, 2, [], [], true]),
        json!([1, 2.0, [], [], true]),
        json!([1, 2, [[3, 4, 5, 6]], [], true]),
        json!([1, 2, [[3, 4, 5, 6, 256]], [], true]),
        json!([1, 2, {}, [], true]),
        json!([1, 2, [], ["x"], true]),
        json!([1, 2, [], [], 1]),
    ] {
        assert_eq!(read(&bytes(&told)), Err(PackError::Room), "{told}");
    }
    let mut packed = plain_room(1, 2, &[], &[], true);
    packed.push(0);
    assert_eq!(read(&packed), Err(PackError::Trailing(1)));
}

#[test]
fn long_lists_get_long_heads() {
    for len in [0, 15, 16, 255, 256, 65_535, 65_536] {
        let list = json!(vec![1; len]);
        assert_eq!(message(&list.to_string()), bytes(&list), "a list of {len}");
        let map: Value = (0..len).map(|key| (key.to_string(), json!([key]))).collect();
        assert_eq!(message(&map.to_string()), bytes(&map), "a map of {len}");
        let text = json!("é".repeat(len / 2));
        assert_eq!(message(&text.to_string()), bytes(&text), "text of {len}");
    }
}

#[test]
fn integers_take_their_shortest_form_and_are_read_back() {
    let edges = [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000];
    let near = |edge: i64| [edge, -edge, -edge - 1, -edge / 2, -edge / 2 - 1, -edge / 2 - 2];
    let numbers = edges.into_iter().chain([0x20, 0x40, i64::MAX]).flat_map(near).map(Value::from);
    for number in numbers.chain([u64::MAX.into()]) {
        let text = json!({"n": number}).to_string();
        let packed = message(&text);
        assert_eq!(packed, bytes(&json!({"n": number})), "{number}");
        assert_eq!(read(&packed), Ok(Told::Text(text)));
    }
}

// What clients say.

#[test]
fn every_verb_goes_there_and_back() {
    for verb in all_verbs() {
        let message = ClientMessage { id: Some(9), verb };
        assert_eq!(decode(&encode(&message)).and_then(settled), Ok(message.clone()));
        let by_others = bytes(&serde_json::from_str(&message.encode()).unwrap());
        assert_eq!(decode(&by_others).and_then(settled), Ok(message));
    }
}

#[test]
fn an_input_is_an_array() {
    let steps = vec![Step { dx: -1, dy: 1, buttons: 1 }, Step::default()];
    let verb = Verb::Input { seq: 300, steps };
    let packed = encode(&ClientMessage { id: None, verb: verb.clone() });
    let expected = json!([300, [[-1, 1, 1], [0, 0, 0]]]);
    assert_eq!((value(&packed), &packed), (expected.clone(), &bytes(&expected)));
    assert_eq!(decode(&packed), Ok(Packed::Input(verb.clone())));
    let map = json!({"do": "input", "args": {"seq": 300, "steps": [[-1, 1, 1], [0, 0, 0]]}});
    let message = ClientMessage { id: None, verb };
    assert_eq!(decode(&bytes(&map)).and_then(settled), Ok(message));
}

#[test]
fn integers_of_any_width_are_integers() {
    let wide = b"\x92\xcf\0\0\0\0\0\0\0\x07\xdd\0\0\0\x01\xdc\0\x03\xd3\xff\xff\xff\xff\xff\xff\
        \xff\xff\xd1\0\x01\xcc\x01";
    let steps = vec![Step { dx: -1, dy: 1, buttons: 1 }];
    assert_eq!(decode(wide), Ok(Packed::Input(Verb::Input { seq: 7, steps })));
}

#[test]
fn a_map_becomes_the_json_text_of_the_same() {
    let text = r#"{"do":"say","id":1,"args":{"text":"\"é\"\n\u0001","x":[null,true,-7,0.5,{}]}}"#;
    assert_eq!(decode(&message(text)), Ok(Packed::Text(text.into())));
    let nothing = decode(&message("{}")).unwrap();
    assert_eq!(nothing, Packed::Text("{}".into()));
}

#[test]
fn the_judge_of_maps_is_the_one_of_json() {
    let (id, code, _) = refused(&bytes(&json!({"id": 7, "do": "joinroom"})));
    assert_eq!((id, code), (Some(7), ErrorCode::UnknownVerb));
    let (id, code, message) = refused(&bytes(&json!({"id": 7, "do": "say", "args": {"text": 5}})));
    assert_eq!((id, code), (Some(7), ErrorCode::BadArgs), "{message}");
    assert!(bad_message(&bytes(&json!({"id": u64::MAX, "do": "who"}))).starts_with("id must be"));
    assert!(bad_message(&bytes(&json!({"id": 1.0, "do": "who"}))).starts_with("id must be"));
    let twice = b"\x83\xa2do\xa3who\xa2id\x01\xa2id\x02";
    assert!(bad_message(twice).starts_with("a message is"));
}

#[test]
fn inputs_keep_to_the_bounds_of_json() {
    let allowed = json!([1, vec![[0, 0, 0]; 32]]);
    assert!(matches!(decode(&bytes(&allowed)), Ok(Packed::Input(_))));
    for steps in [
        json!([]),
        json!(vec![[0, 0, 0]; 33]),
        json!([[2, 0, 0]]),
        json!([[0, -2, 0]]),
        json!([[0, 0, 2]]),
        json!([[0, 0]]),
        json!([[0, 0, 0, 0]]),
        json!([[0.5, 0, 0]]),
        json!([[300, 0, 0]]),
        json!([[u64::MAX, 0, 0]]),
        json!(7),
        json!({"x": 1}),
        Value::Null,
    ] {
        let message = bad_input(&json!([1, steps]));
        assert!(message.starts_with("steps "), "{steps}: {message}");
        let map = json!({"do": "input", "args": {"seq": 1, "steps": steps}});
        assert_eq!(bad_input(&map), message, "{steps}");
    }
    for seq in [json!(0), json!(-1), json!(INTEGER_MAX), json!(u64::MAX), json!(1.0), json!("1")] {
        assert!(bad_input(&json!([seq, [[0, 0, 0]]])).starts_with("seq must be"), "{seq}");
    }
}

#[test]
fn what_is_neither_map_nor_input_is_told_the_shapes() {
    for other in [json!(null), json!(7), json!("{}"), json!(true), json!(0.5)] {
        assert!(bad_message(&bytes(&other)).starts_with("a message is a map"), "{other}");
    }
    assert!(bad_message(b"").starts_with("a message is a map"));
    assert!(bad_message(br#"{"id":1,"do":"who"}"#).starts_with("a message is a map"));
    for other in [json!([]), json!([1]), json!([1, [[0, 0, 0]], 3]), json!([7, "who", {}])] {
        assert!(bad_message(&bytes(&other)).starts_with("an array is an input: [seq,"), "{other}");
    }
}

#[test]
fn what_json_lacks_is_refused() {
    let type_ = |marker: &str| {
        format!(
            "type {marker} is not taken: only numbers, text, arrays, maps, true, false and nil are"
        )
    };
    assert_eq!(bad_message(&around(b"\xc4\x01x")), type_("0xc4"));
    assert_eq!(bad_message(&around(b"\xc6\xff\xff\xff\xff")), type_("0xc6"));
    assert_eq!(bad_message(&around(b"\xd4\x01x")), type_("0xd4"));
    assert_eq!(bad_message(&around(b"\xd6\xff\0\0\0\0")), type_("0xd6"));
    assert_eq!(bad_message(&around(b"\xc1")), type_("0xc1"));
    assert_eq!(bad_message(b"\x92\x01\xc4\x03\0\0\0"), type_("0xc4"));
    let double = |number: f64| [b"\xcb".as_slice(), &number.to_be_bytes()].concat();
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(bad_message(&around(&double(number))), "numbers must be finite");
        let single = [b"\xca".as_slice(), &(number as f32).to_be_bytes()].concat();
        assert_eq!(bad_message(&around(&single)), "numbers must be finite");
    }
    for key in [b"\x01".as_slice(), b"\xc0", b"\xc2", b"\x90", b"\x80"] {
        let map = [b"\x81", key, b"\x01"].concat();
        assert_eq!(bad_message(&map), "the keys of a map must be text", "{key:x?}");
        assert_eq!(bad_message(&around(&map)), "the keys of a map must be text", "{key:x?}");
    }
}

#[test]
fn lies_about_lengths_are_refused() {
    let lies = |len: u64, left| {
        format!("a length of {len} is more than the {left} bytes that follow can hold")
    };
    assert_eq!(bad_message(b"\xdf\xff\xff\xff\xff"), lies(u32::MAX.into(), 0));
    assert_eq!(bad_message(b"\xdd\xff\xff\xff\xff\x01"), lies(u32::MAX.into(), 1));
    assert_eq!(bad_message(b"\x92\x01\xdd\xff\xff\xff\xff"), lies(u32::MAX.into(), 0));
    assert_eq!(bad_message(&around(b"\xdb\xff\xff\xff\xffwho")), lies(u32::MAX.into(), 3));
    assert_eq!(bad_message(&around(b"\xde\x00\x02\xa1a")), lies(2, 2));
    assert_eq!(bad_message(&around(b"\xa4who")), lies(4, 3));
    assert_eq!(bad_message(&around(b"\xa3who\x01")), "bytes after the message: 1");
    assert_eq!(bad_message(b"\x92\x01\x91\x93\0\0\0\0\0"), "bytes after the message: 2");
    assert_eq!(bad_message(&around(b"\xa2\xc3\x28")), "text must be UTF-8");
    assert_eq!(bad_message(b"\x81\xa1\xff\x01"), "text must be UTF-8");
}

#[test]
fn every_beginning_of_a_message_is_refused() {
    for verb in all_verbs() {
        for id in [Some(9), None] {
            let whole = encode(&ClientMessage { id, verb: verb.clone() });
            for len in 0..whole.len() {
                bad_message(&whole[..len]);
            }
        }
    }
    let packed = plain_room(300, 0, &[row(1, 2048, 3, 4, 5)], &[6], true);
    for len in 1..packed.len() {
        assert!(read(&packed[..len]).is_err());
    }
}

#[test]
fn deep_nesting_costs_no_stack() {
    const LEN: usize = 16 * 1024;
    let deep = "arrays and maps nest deeper than 32 levels";
    let lists = vec![0x91; LEN];
    assert!(bad_message(&lists).starts_with("an array is an input"));
    assert_eq!(bad_message(&[b"\x92", &lists[..]].concat()), deep);
    assert_eq!(bad_message(&[b"\x92\x01", &lists[..]].concat()), deep);
    assert_eq!(bad_message(&around(&lists)), deep);
    let maps = b"\x81\xa1a".repeat(LEN / 3);
    assert_eq!(bad_message(&maps), deep);
    assert_eq!(read(&lists), Err(PackError::Room));
    assert_eq!(read(&maps), Err(PackError::Deep));
    let nested = |levels: usize| around(&[vec![0x91; levels - 2], vec![0x90]].concat());
    assert!(decode(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(bad_message(&nested(DEPTH_MAX + 1)), deep);
}

/// Any JSON value whose numbers have one way to be written.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..20).prop_map(|map| json!(map)),
        ]
    })
}

/// Bytes that are often heads, so that more of them are read.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let heads = prop::sample::select(
        b"\x80\x81\x82\x83\x90\x91\x92\x93\xa0\xa2\xc0\xc4\xca\xcb\xcf\xd9\xdc\xdd\xde\xdf\xff",
    );
    prop::collection::vec(prop_oneof![any::<u8>(), heads], 0..200)
}

proptest! {
    #[test]
    fn any_json_is_packed_as_others_pack_it(value in any_value()) {
        let packed = message(&value.to_string());
        prop_assert_eq!(&packed, &bytes(&value));
        if !value.is_array() {
            let Ok(Told::Text(text)) = read(&packed) else { panic!() };
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn any_room_frame_is_read_back(
        tick: u64,
        input_seq: u64,
        rows in prop::collection::vec(any::<(u32, i32, i32, u32, u8)>(), 0..40),
        gone in prop::collection::vec(any::<u32>(), 0..40),
        full: bool,
    ) {
        let e: Vec<EntityRow> = rows.into_iter().map(EntityRow::from).collect();
        let packed = plain_room(tick, input_seq, &e, &gone, full);
        prop_assert_eq!(&packed, &bytes(&json!([tick, input_seq, e, gone, full])));
        let sent = RoomEvent { tick, input_seq, e, gone, full };
        prop_assert_eq!(read(&packed), Ok(Told::Room(sent)));
    }

    #[test]
    fn encode_and_decode_agree(id in prop::option::of(1..=INTEGER_MAX), verb in any_verb()) {
        let message = ClientMessage { id, verb };
        let packed = encode(&message);
        prop_assert_eq!(decode(&packed).and_then(settled), client::decode(&message.encode()));
    }

    #[test]
    fn no_bytes_panic_or_grow(bytes in any_bytes(), key in any_bytes()) {
        let map = [b"\x82\xa2do\xa3say\xa4args".as_slice(), &key].concat();
        let input = [b"\x92\x01".as_slice(), &bytes].concat();
        for bytes in [bytes, map, input] {
            let _ = read(&bytes);
            if let Ok(Packed::Text(text)) = decode(&bytes) {
                prop_assert!(text.len() <= 6 * bytes.len(), "{} of {}", text.len(), bytes.len());
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            }
        }
    }

    #[test]
    fn a_changed_byte_of_a_message_harms_nobody(
        verb in any_verb(),
        at: prop::sample::Index,
        byte: u8,
    ) {
        for id in [None, Some(1)] {
            let mut packed = encode(&ClientMessage { id, verb: verb.clone() });
            let at = at.index(packed.len());
            packed[at] = byte;
            if let Err(error) = decode(&packed).and_then(settled) {
                prop_assert!(!error.message.is_empty());
            }
        }
    }
}
