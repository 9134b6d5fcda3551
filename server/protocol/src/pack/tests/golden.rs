//! The bytes that the JavaScript twin is held to as well: `tests/fixtures/msgpack.json`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::*;

#[derive(Deserialize)]
struct Fixture {
    version: u32,
    said: Vec<Golden>,
    told: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    message: Box<RawValue>,
    hex: String,
}

impl Golden {
    fn bytes(&self) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&self.hex[at..at + 2], 16).unwrap();
        (0..self.hex.len()).step_by(2).map(byte).collect()
    }

    fn json(&self) -> &str {
        self.message.get()
    }
}

fn fixture() -> Fixture {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/msgpack.json");
    let fixture: Fixture = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(fixture.version, 1);
    fixture
}

#[test]
fn what_clients_say_is_read_from_the_golden_bytes() {
    let said = fixture().said;
    assert!(said.len() > 5);
    for golden in said {
        let message = client::decode(golden.json()).unwrap();
        assert_eq!(decode(&golden.bytes()).and_then(settled), Ok(message), "{}", golden.json());
    }
}

#[test]
fn what_clients_are_told_has_the_golden_bytes() {
    let told = fixture().told;
    assert!(told.len() > 6);
    for golden in told {
        let ServerMessage::Event(Event::Room(sent)) = ServerMessage::decode(golden.json()).unwrap()
        else {
            assert_eq!(message(golden.json()), golden.bytes(), "{}", golden.json());
            continue;
        };
        let bytes = plain_room(sent.tick, sent.input_seq, &sent.e, &sent.gone, sent.full);
        assert_eq!(bytes, golden.bytes(), "{}", golden.json());
    }
}
