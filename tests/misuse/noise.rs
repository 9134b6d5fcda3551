//! Ten thousand messages that no client means: valid ones with something bent, JSON of any shape,
//! any text, any bytes. Each gets one error and the socket stays; the seed is printed.

use holdfast_protocol::client;
use holdfast_protocol::text::{self, Line};
use loadtest::socket::{JSON, TEXT};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::house::{House, join};
use crate::support::raw::Raw;
use crate::support::seed;

/// How often both sets of rules have their turn.
const TURNS: usize = 2;
/// Messages of each turn under each of the two sets of rules.
const MESSAGES: usize = 2_500;
/// Messages that are sent before their answers are read.
const CHUNK: usize = 50;
/// Frames of each turn that are no UTF-8; each costs a socket.
const GARBLED: usize = 20;

/// Valid messages, to be bent.
const VALID: [&str; 12] = [
    r#"{"id":2001,"do":"join_room","args":{"room_id":"dungeon-7"}}"#,
    r#"{"id":2002,"do":"leave_room","args":{}}"#,
    r#"{"id":2003,"do":"execute_move","args":{"move_type":"attack","target_player_id":"bob"}}"#,
    r#"{"id":2004,"do":"execute_move","args":{"move_type":"special","event_id":"evt-1"}}"#,
    r#"{"do":"input","args":{"seq":1,"steps":[[0,1,0],[-1,0,1]]}}"#,
    r#"{"id":2005,"do":"use_item","args":{"item_id":"potion-001"}}"#,
    r#"{"id":2006,"do":"say","args":{"text":"hi \"you\" 😀"}}"#,
    r#"{"id":2007,"do":"get_state","args":{}}"#,
    r#"{"id":2008,"do":"refresh","args":{"token":"a.b.c"}}"#,
    r#"{"do":"ping","args":{"t":17.5}}"#,
    r#"{"id":2009,"do":"hello","args":{"player":"alice","name":"Alice"}}"#,
    r#"{"id":2010,"do":"resume","args":{"token":"a.b.c","seq":12}}"#,
];
/// The same in words.
const LINES: [&str; 10] = [
    "join dungeon-7",
    "attack bob",
    "special bob",
    "move n 3",
    "use potion",
    "say hello to all",
    "watch on 5",
    "json on",
    "help join",
    "login alice",
];
const PIECES: [&str; 20] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "-1",
    "1e999",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "\u{feff}",
    "id",
    "do",
    "args",
    " ",
    "é",
    "99999999999999999999",
];

/// One message.
#[derive(Debug, Clone)]
enum Noise {
    Text(String),
    Binary(Vec<u8>),
}

/// Bends one of these texts in one to four places.
fn bend(rng: &mut StdRng, texts: &[&str]) -> String {
    let mut chars: Vec<char> = texts[rng.random_range(0..texts.len())].chars().collect();
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=chars.len());
        let end = (at + rng.random_range(0..6)).min(chars.len());
        let piece = PIECES[rng.random_range(0..PIECES.len())];
        match rng.random_range(0..5) {
            0 => drop(chars.splice(at..end, [])),
            1 => drop(chars.splice(at..at, piece.chars())),
            2 => drop(chars.splice(at..end, piece.chars())),
            3 => chars.truncate(at),
            _ => {
                let again: Vec<char> = chars[at..end].to_vec();
                chars.splice(at..at, again);
            }
        }
    }
    chars.into_iter().collect()
}

fn any_text(rng: &mut StdRng, len_max: usize) -> String {
    (0..rng.random_range(0..len_max))
        .map(|_| char::from_u32(rng.random_range(0..0x11_0000)).unwrap_or('{'))
        .collect()
}

fn any_json(rng: &mut StdRng, depth: usize) -> Value {
    match rng.random_range(0..if depth == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => json!(rng.random_bool(0.5)),
        2 => json!(rng.random::<i64>()),
        3 => json!(rng.random::<f64>() * 1e20),
        4 => json!(any_text(rng, 12)),
        5 => (0..rng.random_range(0..5)).map(|_| any_json(rng, depth - 1)).collect(),
        _ => {
            let names = ["id", "do", "args", "room_id", "player", "token", "seq", "steps", "x"];
            let verbs = ["join_room", "execute_move", "input", "hello", "say", "use_item"];
            let field = |rng: &mut StdRng| {
                let name = names[rng.random_range(0..names.len())];
                let value = match name {
                    "do" => json!(verbs[rng.random_range(0..verbs.len())]),
                    "id" => json!(rng.random_range(0..9_000)),
                    _ => any_json(rng, depth - 1),
                };
                (name.to_owned(), value)
            };
            Value::Object((0..rng.random_range(1..6)).map(|_| field(rng)).collect())
        }
    }
}

fn any(rng: &mut StdRng, words: bool) -> Noise {
    match rng.random_range(0..10) {
        0..4 => Noise::Text(bend(rng, &VALID)),
        4..7 if words => Noise::Text(bend(rng, &LINES)),
        4..7 => Noise::Text(any_json(rng, 4).to_string()),
        7 => Noise::Text(any_json(rng, 6).to_string()),
        8 => Noise::Text(any_text(rng, 200)),
        _ => {
            let mut bytes = vec![0; rng.random_range(0..300)];
            rng.fill_bytes(&mut bytes);
            Noise::Binary(bytes)
        }
    }
}

/// True when nobody could mean this message; one line, because a frame may hold several.
fn is_malformed(noise: &Noise, words: bool) -> bool {
    let Noise::Text(said) = noise else { return true };
    if !words {
        return client::decode(said.trim_ascii()).is_err();
    }
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let (Some(line), None) = (lines.next(), lines.next()) else { return false };
    match text::parse(line) {
        _ if text::is_json(line) => client::decode(line).is_err(),
        Ok(Line::Help { topic }) => text::help::help(topic.as_deref()).is_err(),
        parsed => parsed.is_err(),
    }
}

fn malformed(rng: &mut StdRng, words: bool) -> Noise {
    loop {
        let noise = any(rng, words);
        if is_malformed(&noise, words) {
            return noise;
        }
    }
}

/// The id that an error must name: JSON's, where it could be read.
fn id_of(noise: &Noise) -> Option<u64> {
    let Noise::Text(said) = noise else { return None };
    text::is_json(said).then(|| client::decode(said.trim()).err()?.id).flatten()
}

async fn make_noise(house: &House, rng: &mut StdRng, rules: &str) {
    let words = rules == TEXT;
    let mut raw = Raw::enter_as(&house.server, Some(rules), "alice").await;
    join(&mut raw, 1_000, "den").await;
    let ends = house.settled().await;
    for _ in 0..MESSAGES / CHUNK {
        let chunk: Vec<_> = (0..CHUNK).map(|_| malformed(rng, words)).collect();
        for noise in &chunk {
            let message = match noise {
                Noise::Text(said) => Message::text(said.clone()),
                Noise::Binary(bytes) => Message::binary(bytes.clone()),
            };
            raw.0.send(message).await.unwrap();
        }
        for noise in &chunk {
            let refused = raw.refused().await;
            let known = ["bad_message", "unknown_verb", "bad_args"].contains(&&*refused.code);
            assert!(known, "{}: {noise:?}", refused.whole);
            assert!(!refused.message.contains(char::is_control), "{refused:?}: {noise:?}");
            assert_eq!(refused.id, id_of(noise), "{}: {noise:?}", refused.whole);
        }
    }
    raw.say(r#"{"id":9001,"do":"get_status","args":{}}"#).await;
    let status = raw.hear(|message| message["id"] == 9_001).await;
    assert_eq!(status["ok"]["status"], "in_room", "the socket stays");
    assert_eq!(house.ends().await, ends, "a journal grew");
}

/// A text frame with bytes that are no UTF-8.
fn garbled(rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = VALID[rng.random_range(0..VALID.len())].as_bytes().to_vec();
    let at = rng.random_range(0..=bytes.len());
    let bad: [&[u8]; 4] = [&[0xff], &[0xc0, 0xaf], &[0xed, 0xa0, 0x80], &[0xf4, 0x90, 0x80, 0x80]];
    bytes.splice(at..at, bad[rng.random_range(0..bad.len())].iter().copied());
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_malformed_messages_are_each_refused_and_nothing_breaks() {
    let mut rng = StdRng::seed_from_u64(seed());
    let house = House::open(&[]).await;
    let witnesses = house.witnesses().await;
    let mut held_kib = Vec::new();
    for _ in 0..TURNS {
        for rules in [JSON, TEXT] {
            make_noise(&house, &mut rng, rules).await;
            for _ in 0..GARBLED {
                let mut raw = Raw::open_as(&house.server, Some(rules)).await;
                raw.say_bytes(garbled(&mut rng)).await;
                assert_eq!(raw.closed().await, Some(1007));
            }
        }
        held_kib.push(house.server.rss_kib());
    }
    house.holds_no_more_than(held_kib[0], "noise").await;
    assert_eq!(house.witnesses().await, witnesses, "somebody else was touched");
    assert_eq!(house.server.get("/health/live").await.status, 200);
    house.check_log();
}
