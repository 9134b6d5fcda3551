//! Misuses before a session and beside it: first messages, tokens, handshakes, HTTP.

use loadtest::socket::{self, Handshake, JSON, Socket, TEXT};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::house::House;
use crate::support::http::Connection;
use crate::support::raw::Raw;
use crate::support::{PATIENCE, eventually};

/// Signed with a key that is not this server's, good until the year 2100.
const FOREIGN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJhdWQiOiJob2xkZmFzdCIsInR5cCI6InNlc3Npb24iLCJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.\
    OKHBWAyFI9Z3fngUGOuPPvSXynzuIlgLYP6DVIznT6A";
/// The same without any signature.
const UNSIGNED: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.\
    eyJhdWQiOiJob2xkZmFzdCIsInR5cCI6InNlc3Npb24iLCJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.";
/// How often each list is gone through, to see that the memory comes back.
const ROUNDS: usize = 6;
/// How long tokens are good here, in milliseconds.
const TOKEN_TTL_MS: &str = "1000";

/// A first message, the code it is refused with, and the close that follows; none where the
/// socket stays.
struct First {
    what: &'static str,
    say: String,
    code: &'static str,
    close: Option<u16>,
    rules: &'static str,
}

fn first(what: &'static str, say: impl Into<String>, code: &'static str, close: u16) -> First {
    First { what, say: say.into(), code, close: Some(close), rules: JSON }
}

/// Not understood: the socket stays, and a hello may follow.
fn muddle(what: &'static str, say: impl Into<String>, code: &'static str) -> First {
    First { close: None, ..first(what, say, code, 0) }
}

fn in_text(first: First) -> First {
    First { rules: TEXT, ..first }
}

fn hello(token: &str) -> String {
    json!({"id": 1, "do": "hello", "args": {"token": token}}).to_string()
}

fn resume(token: &str) -> String {
    json!({"id": 1, "do": "resume", "args": {"token": token, "seq": 0}}).to_string()
}

/// Tokens that were come by honestly.
struct Tokens {
    /// alice's, good no more.
    expired: String,
    /// A resume token of alice's.
    resume: String,
    /// A resume token of a session that ended.
    ended: String,
}

impl Tokens {
    async fn gather(house: &House) -> Self {
        let expired = issue(house, "alice").await;
        let mut old = Raw::open(&house.server).await;
        let ended = resume_of(&mut old).await;
        let mut new = Raw::open(&house.server).await;
        let resume = resume_of(&mut new).await;
        assert_eq!(old.closed().await, Some(4504), "alice connected again");
        eventually("the token's end", PATIENCE, async || {
            let mut http = Connection::open(house.server.addr()).await.unwrap();
            let bearer = format!("Bearer {expired}");
            let headers = [("authorization", bearer.as_str())];
            let read = http.request("GET", "/v1/leaderboard", &headers, "").await.unwrap();
            (read.status == 401).then_some(())
        })
        .await;
        Self { expired, resume, ended }
    }
}

async fn issue(house: &House, player: &str) -> String {
    let mut http = Connection::open(house.server.addr()).await.unwrap();
    let body = json!({"player": player}).to_string();
    let session = http.post("/v1/sessions", &body).await.unwrap().json();
    session["token"].as_str().expect("a token").to_owned()
}

async fn resume_of(raw: &mut Raw) -> String {
    raw.say(r#"{"do":"hello","args":{"player":"alice"}}"#).await;
    let welcome = raw.hear(|message| message["ev"] == "welcome").await;
    welcome["resume"].as_str().expect("a resume token").to_owned()
}

fn first_messages(tokens: &Tokens) -> Vec<First> {
    let spoilt = format!("{}x", tokens.resume);
    vec![
        muddle("broken JSON first", "{not json", "bad_message"),
        muddle("an array first", "[1]", "bad_message"),
        muddle("an unknown verb first", r#"{"id":1,"do":"helo","args":{}}"#, "unknown_verb"),
        muddle("a hello in capitals first", r#"{"do":"hello","args":{"player":"A"}}"#, "bad_args"),
        in_text(muddle("an unknown word first", "logon alice", "unknown_verb")),
        in_text(muddle("a login with a bang first", "login alice!", "bad_args")),
        first("a query first", r#"{"id":1,"do":"get_state"}"#, "not_hello", 4501),
        first("a command first", r#"{"id":1,"do":"logout"}"#, "not_hello", 4501),
        first("a ping first", r#"{"do":"ping","args":{"t":1}}"#, "not_hello", 4501),
        first(
            "input first",
            r#"{"do":"input","args":{"seq":1,"steps":[[1,0,0]]}}"#,
            "not_hello",
            4501,
        ),
        in_text(first("a join first, in words", "join den", "not_hello", 4501)),
        in_text(first("a look first, in words", "look", "not_hello", 4501)),
        first("no token at all", hello("nonsense"), "unauthorized", 4500),
        first("an empty token", hello(""), "unauthorized", 4500),
        first("a token of 8,000 letters", hello(&"a".repeat(8_000)), "unauthorized", 4500),
        first("another server's token", hello(FOREIGN), "unauthorized", 4500),
        first("a token without a signature", hello(UNSIGNED), "unauthorized", 4500),
        first("an expired token", hello(&tokens.expired), "unauthorized", 4500),
        first("a resume token for a hello", hello(&tokens.resume), "unauthorized", 4500),
        first("a hello's token for a resume", resume(&tokens.expired), "unauthorized", 4500),
        first("a spoilt resume token", resume(&spoilt), "unauthorized", 4500),
        first("a session that ended", resume(&tokens.ended), "unauthorized", 4005),
        in_text(first("a bad token in words", "login alice nonsense", "unauthorized", 4500)),
    ]
}

/// A list several times over.
fn repeated<T>(list: &[T]) -> impl Iterator<Item = &T> {
    std::iter::repeat_n(list, ROUNDS).flatten()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_first_message_gets_its_code_and_its_close() {
    let house = House::open(&["--token-ttl-ms", TOKEN_TTL_MS]).await;
    let tokens = Tokens::gather(&house).await;
    let (ends, alice) = (house.settled().await, house.state("alice").await);
    let (witnesses, mut held_kib) = (house.witnesses().await, Vec::new());
    let list = first_messages(&tokens);
    for (n, First { what, say, code, close, rules }) in repeated(&list).enumerate() {
        if n % list.len() == 0 {
            held_kib.push(house.server.rss_kib());
        }
        let mut raw = Raw::open_as(&house.server, Some(rules)).await;
        raw.say(say).await;
        let refused = raw.refused().await;
        assert_eq!(refused.code, *code, "{what}: {}", refused.whole);
        if close.is_some() {
            assert_eq!(raw.end().await, (Vec::new(), *close), "{what}");
        } else {
            raw.say("{still there").await;
            assert_eq!(raw.refused().await.code, "bad_message", "{what}: the socket stays");
        }
        assert_eq!(house.ends().await, ends, "{what}: a journal grew");
        assert_eq!(house.state("alice").await, alice, "{what}: alice was touched");
    }
    let mut binary = Raw::open(&house.server).await;
    binary.0.send(Message::binary(vec![0, 159, 146, 150])).await.unwrap();
    assert_eq!(binary.refused().await.code, "bad_message", "binary first: the socket stays");
    assert_eq!(house.ends().await, ends);
    assert_eq!(house.witnesses().await, witnesses, "somebody else was touched");
    house.holds_no_more_than(held_kib[1], "wrong first messages").await;
    house.check_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_is_good_for_its_own_player_only() {
    let house = House::open(&["--token-ttl-ms", "60000"]).await;
    let (mallory, bob) = (issue(&house, "alice").await, house.state("bob").await);
    let ends = house.settled().await;
    let mut raw = Raw::open(&house.server).await;
    let hello = json!({"id": 1, "do": "hello", "args": {"token": mallory, "player": "bob"}});
    raw.say(&hello.to_string()).await;
    let refused = raw.refused().await;
    assert_eq!((&*refused.code, refused.id), ("unauthorized", Some(1)), "{}", refused.whole);
    assert_eq!(raw.closed().await, Some(4500));
    let mut carol = Raw::enter(&house.server, "lone").await;
    let joined = house.settled().await;
    carol.say(&json!({"id": 2, "do": "refresh", "args": {"token": mallory}}).to_string()).await;
    assert_eq!(carol.refused().await.code, "unauthorized");
    assert_eq!(carol.closed().await, Some(4500), "a refresh with somebody else's token");
    let mut http = Connection::open(house.server.addr()).await.unwrap();
    let bearer = format!("Bearer {mallory}");
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let made = http.request("POST", "/v1/sessions", &headers, r#"{"player":"bob"}"#).await.unwrap();
    assert_eq!((made.status, &made.json()["error"]["code"]), (401, &json!("unauthorized")));
    assert_eq!(house.state("bob").await, bob);
    for (before, after) in ends.iter().zip(house.settled().await) {
        let touched = before.0 == "player:lone";
        assert!(touched || *before == after, "{before:?} became {after:?}; {joined:?}");
    }
}

/// A request, and the status and the code it is refused with.
struct Wrong {
    what: &'static str,
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    status: u16,
    code: &'static str,
}

fn get(what: &'static str, path: &'static str, status: u16, code: &'static str) -> Wrong {
    let (method, headers, body) = ("GET", Vec::new(), String::new());
    Wrong { what, method, path, headers, body, status, code }
}

fn post(what: &'static str, body: impl Into<String>, status: u16, code: &'static str) -> Wrong {
    let headers = vec![("content-type", "application/json")];
    let body = body.into();
    Wrong { method: "POST", headers, body, ..get(what, "/v1/sessions", status, code) }
}

fn with(wrong: Wrong, name: &'static str, value: &'static str) -> Wrong {
    let mut headers = wrong.headers;
    headers.push((name, value));
    Wrong { headers, ..wrong }
}

fn by(method: &'static str, wrong: Wrong) -> Wrong {
    Wrong { method, ..wrong }
}

/// An upgrade with one thing wrong.
fn upgrade(what: &'static str, wrong: (&'static str, &'static str), status: u16) -> Wrong {
    let right = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut headers: Vec<_> = right.into_iter().filter(|(name, _)| *name != wrong.0).collect();
    if !wrong.1.is_empty() {
        headers.push(wrong);
    }
    let code = match status {
        403 => "forbidden_origin",
        400 => "unsupported_protocol",
        _ => "bad_message",
    };
    Wrong { headers, ..get(what, "/ws", status, code) }
}

fn requests() -> Vec<Wrong> {
    let origin = |what, origin| upgrade(what, ("origin", origin), 403);
    let protocol = |what, names| upgrade(what, ("sec-websocket-protocol", names), 400);
    let name = |len: usize| format!("{{\"player\":\"new\",\"name\":\"{}\"}}", "n".repeat(len));
    vec![
        origin("a foreign page", "http://evil.test"),
        origin("a page without an origin", "null"),
        origin("an origin that only begins so", "http://127.0.0.1.evil.test"),
        protocol("a version to come", "holdfast.v9.json"),
        protocol("two unknown protocols", "chat, graphql-ws"),
        upgrade("no upgrade", ("upgrade", ""), 426),
        upgrade("no key", ("sec-websocket-key", ""), 426),
        upgrade("an old version", ("sec-websocket-version", "8"), 426),
        by("POST", get("a socket by POST", "/ws", 405, "method_not_allowed")),
        get("nobody", "/v1/players/nobody", 404, "no_such_player"),
        get("a player in capitals", "/v1/players/Alice", 404, "no_such_player"),
        get("a player beyond the alphabet", "/v1/players/%C3%A4", 404, "no_such_player"),
        get("a path for a player", "/v1/players/..%2Froom", 404, "no_such_player"),
        get("an unknown way to read", "/v1/players/bob?read=dirty", 400, "bad_args"),
        get("a top of none", "/v1/leaderboard?limit=0", 400, "bad_args"),
        get("a top of too many", "/v1/leaderboard?limit=101", 400, "bad_args"),
        get("a top of text", "/v1/leaderboard?limit=ten", 400, "bad_args"),
        get("a top below 0", "/v1/leaderboard?limit=-1", 400, "bad_args"),
        get("nothing there", "/v1/nothing", 404, "not_found"),
        by("DELETE", get("a player deleted", "/v1/players/bob", 405, "method_not_allowed")),
        by("PUT", get("a session put", "/v1/sessions", 405, "method_not_allowed")),
        with(
            get("a bearer of nonsense", "/v1/players/bob", 401, "unauthorized"),
            "authorization",
            "Bearer nonsense",
        ),
        with(
            get("a password", "/v1/players/bob", 401, "unauthorized"),
            "authorization",
            "Basic Ym9iOmJvYg==",
        ),
        with(
            get("another server's bearer", "/v1/leaderboard", 401, "unauthorized"),
            "authorization",
            concat!("Bearer ", "eyJhbGciOiJub25lIn0.e30."),
        ),
        post("broken JSON posted", "{\"player\":", 400, "bad_message"),
        post("an empty body", "", 400, "bad_message"),
        post("a session of nobody", "{}", 400, "bad_args"),
        post("a session of a number", r#"{"player":7}"#, 400, "bad_args"),
        post("a session in capitals", r#"{"player":"Bob"}"#, 400, "bad_args"),
        post("an empty name", name(0), 400, "bad_args"),
        post("a name of 33 letters", name(33), 400, "bad_args"),
        post("a name in two lines", r#"{"player":"new","name":"a\nb"}"#, 400, "bad_args"),
        post("a body above the limit", name(20_000), 413, "too_large"),
        Wrong {
            headers: vec![("content-type", "text/plain")],
            ..post("a body of text", r#"{"player":"new"}"#, 415, "bad_message")
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_request_gets_its_status_and_changes_nothing() {
    let house = House::open(&[]).await;
    let (ends, witnesses) = (house.settled().await, house.witnesses().await);
    let (list, mut held_kib) = (requests(), Vec::new());
    for (n, wrong) in repeated(&list).enumerate() {
        let Wrong { what, method, path, headers, body, status, code } = wrong;
        if n % list.len() == 0 {
            held_kib.push(house.server.rss_kib());
        }
        let mut http = Connection::open(house.server.addr()).await.unwrap();
        let answer = http.request(method, path, headers, body).await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answer.status, *status, "{what}: {}", answer.body);
        assert_eq!(answer.json()["error"]["code"], *code, "{what}: {}", answer.body);
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(!message.is_empty(), "{what}: {}", answer.body);
        assert_eq!(house.ends().await, ends, "{what}: a journal grew");
        assert_eq!(house.witnesses().await, witnesses, "{what}: somebody was touched");
    }
    assert_eq!(house.state("new").await, json!(null), "nobody was made");
    house.holds_no_more_than(held_kib[1], "wrong requests").await;
    let handshake = Handshake { subprotocol: Some(JSON), origin: Some("http://evil.test") };
    let foreign = Socket::open(&house.server.ws(), handshake, PATIENCE).await.unwrap_err();
    assert!(matches!(foreign, socket::Error::Refused(403)), "{foreign}");
    house.check_log();
}
