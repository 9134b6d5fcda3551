//! `holdfast.v1.msgpack` on a real server: the same game, room frames and inputs as arrays, and
//! each kind of nonsense refused in a sentence.

use holdfast_protocol::client::{Step, Verb};
use holdfast_protocol::pack;
use holdfast_protocol::server::{Event, PlayerState, RoomBody, ServerMessage};
use loadtest::bot::Bot;
use loadtest::socket::{Handshake, Incoming, PACKED, Socket};
use loadtest::wire;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::scenario::{attack, join};
use crate::support::{PATIENCE, Server, eventually};

const EAST: Step = Step { dx: 1, dy: 0, buttons: 0 };

/// A socket that says bytes and hears messages.
struct Wire(Socket);

impl Wire {
    async fn open(server: &Server) -> Self {
        let handshake = Handshake { subprotocol: Some(PACKED), origin: None };
        Self(Socket::open(&server.ws(), handshake, PATIENCE).await.unwrap())
    }

    async fn say(&mut self, bytes: impl Into<Vec<u8>>) {
        self.0.send(Message::binary(bytes.into())).await.unwrap();
    }

    /// What came next: a room frame's bytes begin as an array, all others' as a map.
    async fn hear(&mut self) -> (bool, ServerMessage) {
        match self.0.next(PATIENCE).await.unwrap() {
            Incoming::Binary(bytes) => {
                let is_array = matches!(bytes[0], 0x90..=0x9f);
                (is_array, pack::read(&bytes).unwrap().decode().unwrap())
            }
            other => panic!("{other:?} under MessagePack"),
        }
    }

    /// The code and the sentence of the next error.
    async fn refused(&mut self) -> (Option<u64>, String, String) {
        loop {
            let (_, message) = self.hear().await;
            let ServerMessage::Reply(reply) = message else { continue };
            if let holdfast_protocol::server::Outcome::Err(error) = reply.outcome {
                return (reply.id, error.code.to_string(), error.message);
            }
        }
    }
}

fn map(message: &Value) -> Vec<u8> {
    pack::message(&message.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_encodings_meet_in_one_room() {
    let mut server = Server::start().await;
    let mut alice = Bot::connect_as(&server.ws(), wire::Wire::Packed).await.unwrap();
    alice.hello("alice", Some("Alice the Brave")).await.unwrap();
    let mut bob = Bot::enter(&server.ws(), "bob", None).await.unwrap();
    for bot in [&mut alice, &mut bob] {
        let joined: RoomBody = bot.query(join("dungeon-7")).await.unwrap();
        assert_eq!(joined.room.unwrap().room_id.as_str(), "dungeon-7");
    }
    assert!(alice.command(attack("bob")).await.unwrap().result.is_ok());
    bob.wait_for("the blow", |bob| bob.state().is_ok_and(|state| state.health == 75))
        .await
        .unwrap();
    let from = alice.query::<PlayerState>(Verb::GetState {}).await.unwrap();
    let last = alice.input(vec![EAST; 4]).await.unwrap();
    alice.wait_for("the steps", |alice| alice.mirror().input_seq >= last).await.unwrap();
    let to = alice.query::<PlayerState>(Verb::GetState {}).await.unwrap();
    assert_eq!((to.x - from.x, to.y - from.y), (4 * 12, 0));
    let at = |bob: &Bot| bob.mirror().room.row_of("alice").map(|row| (row.x, row.y));
    bob.wait_for("alice's steps", |bob| at(bob) == Some((to.x, to.y))).await.unwrap();

    server.crash().await;
    let resumed = alice.resume_within(PATIENCE).await.unwrap();
    assert_eq!(resumed.player.as_str(), "alice");
    let after = alice.query::<PlayerState>(Verb::GetState {}).await.unwrap();
    assert_eq!((after.x, after.y, after.score), (to.x, to.y, to.score));
}

#[tokio::test(flavor = "multi_thread")]
async fn room_frames_are_arrays_and_input_may_precede_the_welcome() {
    let server = Server::start().await;
    let mut wire = Wire::open(&server).await;
    wire.say(map(&json!({"do": "hello", "args": {"player": "alice"}}))).await;
    // This waits for the answer to the hello, in the form that all encodings share.
    wire.say(vec![0x92, 0x01, 0x91, 0x93, 0x01, 0x00, 0x00]).await;
    let (id, code, _) = wire.refused().await;
    assert_eq!((id, &*code), (None, "not_in_room"), "it was judged after the hello");
    wire.say(map(&json!({"id": 1, "do": "join_room", "args": {"room_id": "den"}}))).await;
    let mut joined = false;
    loop {
        match wire.hear().await {
            (true, ServerMessage::Event(Event::Room(room))) if room.input_seq == 2 => {
                assert_eq!(room.e.len(), 1, "{room:?}");
                break;
            }
            (false, ServerMessage::Reply(reply)) => {
                assert_eq!(reply.id, Some(1));
                joined = true;
                wire.say(vec![0x92, 0x02, 0x91, 0x93, 0x01, 0x00, 0x00]).await;
            }
            (false, ServerMessage::Event(Event::Room(room))) => panic!("a map: {room:?}"),
            (true, ServerMessage::Event(Event::Room(_))) | (false, _) => {}
            (true, other) => panic!("an array: {other:?}"),
        }
    }
    assert!(joined);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_in_a_sentence_and_the_socket_stays() {
    let server = Server::start().await;
    let mut wire = Wire::open(&server).await;
    wire.say(map(&json!({"do": "hello", "args": {"player": "alice"}}))).await;
    eventually("the welcome", PATIENCE, async || {
        matches!(wire.hear().await.1, ServerMessage::Welcome(_)).then_some(())
    })
    .await;
    let deep = [vec![0x81, 0xa2, b'd', b'o'], vec![0x91; 2_000], vec![0xc0]].concat();
    let typed = |verb: &str| map(&json!({"id": 9, "do": verb, "args": {"room_id": 7}}));
    for (said, code, part) in [
        (vec![], "bad_message", "a message is a map"),
        (vec![0xc1], "bad_message", "a message is a map"),
        (vec![0x07], "bad_message", "a message is a map"),
        (vec![0x92, 0x01], "bad_message", "more than"),
        (vec![0xdf, 0xff, 0xff, 0xff, 0xff], "bad_message", "more than"),
        (vec![0x81, 0x01, 0x02], "bad_message", "keys"),
        (vec![0x81, 0xa2, b'd', b'o', 0xc4, 0x00], "bad_message", "not taken"),
        (vec![0x81, 0xa2, b'd', b'o', 0xa1, 0xff], "bad_message", "UTF-8"),
        (deep, "bad_message", "deeper"),
        (vec![0x92, 0x01, 0x91, 0x93, 0x02, 0x00, 0x00], "bad_args", "steps"),
        (vec![0x91, 0x01], "bad_message", "an array is an input"),
        (typed("fly"), "unknown_verb", "fly"),
        (typed("join_room"), "bad_args", "room_id"),
        ([typed("who"), vec![0xc0]].concat(), "bad_message", "bytes after"),
    ] {
        wire.say(said.clone()).await;
        let (_, found, message) = wire.refused().await;
        assert!(found == code && message.contains(part), "{said:02x?}: {found}: {message}");
    }
    wire.0.send_text(r#"{"id":1,"do":"who"}"#).await.unwrap();
    let (_, code, message) = wire.refused().await;
    assert_eq!(code, "bad_message");
    assert!(message.contains("text is not spoken here"), "{message}");
    wire.say(map(&json!({"id": 10, "do": "get_status"}))).await;
    let (_, answer) = wire.hear().await;
    assert!(matches!(&answer, ServerMessage::Reply(reply) if reply.id == Some(10)), "{answer:?}");
}
