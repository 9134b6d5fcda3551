//! What is refused, how it is said, and whether the socket stays.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::server::PlayerState;
use loadtest::bot::{Bot, Error};
use loadtest::socket::{self, Handshake, JSON, Socket};
use serde_json::json;

use crate::scenario::strike;
use crate::support::http::Connection;
use crate::support::raw::Raw;
use crate::support::{Options, PATIENCE, Server};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_message_is_hello_or_resume_and_comes_in_time() {
    let server = Server::start_with(Options::default().with(&["--hello-ms", "400"])).await;
    let mut raw = Raw::open(&server).await;
    let error = raw.error(r#"{"id":1,"do":"get_state","args":{}}"#).await;
    assert_eq!(error["err"]["code"], "not_hello");
    assert_eq!(raw.closed().await, Some(4501));
    let mut silent = Raw::open(&server).await;
    assert_eq!(silent.closed().await, Some(4501));
    let mut forged = Bot::connect(&server.ws()).await.unwrap();
    let refused = forged.hello_with("not.a.token").await.unwrap_err();
    assert!(
        matches!(&refused, Error::Refused(e) if e.code == ErrorCode::Unauthorized),
        "{refused}"
    );
    assert_eq!(forged.closed().await.unwrap(), Some(4500));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_origin_and_an_unknown_subprotocol_are_refused() {
    let server = Server::start_with(Options::default().with(&["--allow-origin", "http://ok.test"]));
    let server = server.await;
    let own = format!("http://{}", server.addr());
    for origin in [None, Some(own.as_str()), Some("http://ok.test")] {
        let handshake = Handshake { subprotocol: Some(JSON), origin };
        Socket::open(&server.ws(), handshake, PATIENCE).await.unwrap();
    }
    let handshake = Handshake { subprotocol: Some(JSON), origin: Some("http://evil.test") };
    let foreign = Socket::open(&server.ws(), handshake, PATIENCE).await.unwrap_err();
    assert!(matches!(foreign, socket::Error::Refused(403)), "{foreign}");

    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "holdfast.v9.json"),
    ];
    let mut http = Connection::open(server.addr()).await.unwrap();
    let refused = http.request("GET", "/ws", &upgrade, "").await.unwrap();
    assert_eq!(refused.status, 400);
    for known in ["holdfast.v1.json", "holdfast.v1.msgpack", "holdfast.v1.text"] {
        assert!(refused.body.contains(known), "{}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_rise_and_repeats_get_the_first_reply() {
    let server = Server::start().await;
    let mut raw = Raw::enter(&server, "alice").await;
    let blow = r#"{"id":10,"do":"execute_move","args":{"move_type":"attack"}}"#;
    raw.say(blow).await;
    let first = raw.hear(|message| message["id"] == 10).await;
    assert!(first.get("dup").is_none() && first["seq"].is_u64(), "{first}");
    let late = raw.error(r#"{"id":5,"do":"execute_move","args":{"move_type":"attack"}}"#).await;
    assert_eq!((&late["id"], &late["err"]["code"]), (&json!(5), &json!("outcome_unknown")));
    assert_eq!(late["err"]["retry"], json!(false), "it will never run");
    raw.say(blow).await;
    let mut again = raw.hear(|message| message["id"] == 10).await;
    assert_eq!(again.as_object_mut().unwrap().remove("dup"), Some(json!(true)));
    assert_eq!(again, first);
    raw.say(r#"{"id":3,"do":"get_state","args":{}}"#).await;
    let state = raw.hear(|message| message["id"] == 3).await;
    assert_eq!(state["ok"]["total_actions_count"], 1, "queries need no rising id; one blow ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_name_needs_its_token() {
    let mut server = Server::start_with(Options::default().with(&["--guests", "claim"])).await;
    let mut alice = Bot::connect(&server.ws()).await.unwrap();
    let token = alice.hello("alice", None).await.unwrap().token.expect("a token for the claim");
    server.restart().await;
    let mut thief = Bot::connect(&server.ws()).await.unwrap();
    let refused = thief.hello("alice", None).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Refused(e) if e.code == ErrorCode::Unauthorized),
        "{refused}"
    );
    assert_eq!(thief.closed().await.unwrap(), Some(4500));
    let mut http = Connection::open(server.addr()).await.unwrap();
    let session = http.post("/v1/sessions", r#"{"player":"alice"}"#).await.unwrap();
    assert_eq!(session.status, 401, "{}", session.body);
    assert_eq!(session.json()["error"]["code"], "unauthorized");
    let mut owner = Bot::connect(&server.ws()).await.unwrap();
    let welcome = owner.hello_with(&token).await.unwrap();
    assert_eq!(welcome.player.as_str(), "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_guests_only_tokens_open_a_session() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("service-token");
    std::fs::write(&secret, "a-secret-of-the-services\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let args = ["--guests", "off", "--service-token-file", secret.to_str().unwrap()];
    let server = Server::start_with(Options::default().with(&args)).await;
    let mut guest = Bot::connect(&server.ws()).await.unwrap();
    let refused = guest.hello("alice", None).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Refused(e) if e.code == ErrorCode::Unauthorized),
        "{refused}"
    );
    assert_eq!(guest.closed().await.unwrap(), Some(4500));
    let mut http = Connection::open(server.addr()).await.unwrap();
    let body = r#"{"player":"alice","name":"Alice"}"#;
    assert_eq!(http.post("/v1/sessions", body).await.unwrap().status, 401);
    let headers = [
        ("content-type", "application/json"),
        ("authorization", "Bearer a-secret-of-the-services"),
    ];
    let session = http.request("POST", "/v1/sessions", &headers, body).await.unwrap();
    assert_eq!(session.status, 200, "{}", session.body);
    let session = session.json();
    let mut alice = Bot::connect(&server.ws()).await.unwrap();
    let welcome = alice.hello_with(session["token"].as_str().unwrap()).await.unwrap();
    assert_eq!((welcome.player.as_str(), &*welcome.state.display_name), ("alice", "Alice"));
    let closed = server.get("/v1/players/alice").await;
    assert_eq!(closed.status, 401, "reads are not open without guests");
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_rate_nothing_is_executed_and_the_wait_is_named() {
    let server = Server::start().await;
    let mut bot = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(bot.send(strike(MoveType::Attack, None, None)).await.unwrap());
    }
    let (mut done, mut limited, mut wait_ms) = (0, 0, 0);
    for id in ids {
        match bot.reply(id).await.unwrap().result {
            Ok(_) => done += 1,
            Err(error) => {
                assert_eq!((error.code, error.retry), (ErrorCode::RateLimited, true), "{error}");
                wait_ms = wait_ms.max(error.retry_after_ms.expect("retry_after_ms"));
                limited += 1;
            }
        }
    }
    // The hello took one place of the burst.
    assert!(done >= 39 && limited > 0, "a burst of 40 passes: {done} done, {limited} limited");
    assert!((1..=10_000).contains(&wait_ms), "{wait_ms} ms");
    // Time for a command and a query.
    bot.listen(Duration::from_millis(wait_ms + 200)).await.unwrap();
    assert!(bot.command(strike(MoveType::Attack, None, None)).await.unwrap().result.is_ok());
    let state: PlayerState = bot.query(Verb::GetState {}).await.unwrap();
    assert_eq!(state.total_actions_count, done + 1);
}
