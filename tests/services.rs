//! Services and players by HTTP alone: the guide's scenario, keys, signals that survive a kill,
//! who may command whom, and players that another gateway holds.

use std::os::unix::fs::PermissionsExt;

use holdfast_protocol::client::Verb;
use holdfast_protocol::server::PlayerState;
use loadtest::bot::Bot;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scenario::join;
use crate::storm::options;
use crate::support::gateways::Gateways;
use crate::support::http::{Connection, Response};
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, PATIENCE, Server, eventually};

pub const SERVICE: &str = "a-secret-of-the-matchmaker";
const NOTICE: &str = "Alice the Brave attacked you for 25 damage (attack executed against bob)";

/// A file with two services' tokens.
pub fn tokens() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens");
    std::fs::write(&path, format!("a-secret-of-the-shop\n{SERVICE}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let path = path.display().to_string();
    (dir, path)
}

/// One who asks a server, with a token.
pub struct Caller {
    http: Connection,
    token: String,
}

impl Caller {
    pub async fn new(addr: std::net::SocketAddr, token: &str) -> Self {
        Self { http: Connection::open(addr).await.unwrap(), token: format!("Bearer {token}") }
    }

    /// A player with a token of its own.
    pub async fn player(addr: std::net::SocketAddr, player: &str, name: &str) -> Self {
        let mut caller = Self::new(addr, "none").await;
        let body = json!({"player": player, "name": name}).to_string();
        let made = caller.http.post("/v1/sessions", &body).await.unwrap();
        assert_eq!(made.status, 200, "{}", made.body);
        caller.token = format!("Bearer {}", made.json()["token"].as_str().unwrap());
        caller
    }

    pub async fn command(&mut self, player: &str, key: Option<&str>, body: &Value) -> Response {
        let path = format!("/v1/players/{player}/commands");
        let mut headers =
            vec![("content-type", "application/json"), ("authorization", self.token.as_str())];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.http.request("POST", &path, &headers, &body.to_string()).await.unwrap()
    }

    async fn get(&mut self, path: &str) -> Value {
        let got = self.http.get(path).await.unwrap();
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        got.json()
    }
}

pub fn enter(room: &str) -> Value {
    json!({"do": "join_room", "args": {"room_id": room}})
}

pub fn strike(target: &str) -> Value {
    json!({"do": "execute_move", "args": {"move_type": "attack", "target_player_id": target}})
}

fn code(response: &Response) -> (u16, Value) {
    (response.status, response.json()["error"]["code"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_scenario_holds_by_http_alone_and_survives_a_kill() {
    let mut server = Server::start().await;
    let mut alice = Caller::player(server.addr(), "alice", "Alice the Brave").await;
    let mut bob = Caller::player(server.addr(), "bob", "bob").await;
    for (caller, player) in [(&mut alice, "alice"), (&mut bob, "bob")] {
        let joined = caller.command(player, None, &enter("dungeon-7")).await;
        assert_eq!(joined.status, 200, "{}", joined.body);
        assert_eq!(joined.json()["ok"]["room"]["room_id"], "dungeon-7");
    }
    let blow = alice.command("alice", Some("blow-1"), &strike("bob")).await;
    assert_eq!(blow.json()["ok"], json!({"damage": 25, "xp": 10, "health": 100}), "{}", blow.body);
    let state = &alice.get("/v1/players/bob").await["state"];
    assert_eq!((&state["health"], &state["status"]), (&json!(75), &json!("in_room")));
    let told = state["pending_notifications"].as_array().unwrap().iter();
    assert_eq!(told.filter(|notice| notice["text"] == NOTICE).count(), 1);
    let rooms = alice.get("/v1/rooms").await;
    assert_eq!(rooms["rooms"][0]["player_count"], 2, "{rooms}");
    server.crash().await;
    let mut alice = Caller { http: Connection::open(server.addr()).await.unwrap(), ..alice };
    let again = alice.command("alice", Some("blow-1"), &strike("bob")).await.json();
    assert_eq!((&again["ok"], &again["dup"]), (&blow.json()["ok"], &json!(true)));
    assert_eq!(again["seq"], blow.json()["seq"], "the first answer's record");
    let state = &alice.get("/v1/players/alice?read=linearizable").await["state"];
    assert_eq!((&state["score"], &state["xp"]), (&json!(35), &json!(10)));
    let items = alice.get("/v1/players/alice/inventory").await;
    assert_eq!(items["inventory"].as_array().unwrap().len(), 2);
    assert_eq!(alice.get("/v1/players/alice/status").await["status"], "in_room");
    let metrics = alice.get("/v1/players/alice/metrics").await["metrics"].clone();
    assert_eq!(
        (&metrics["total_actions_count"], &metrics["session_actions_count"]),
        (&json!(2), &json!(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_was_accepted_survives_a_kill() {
    let (_dir, file) = tokens();
    let options = Options::default().with(&["--service-token-file", &file]);
    let mut server = Server::start_with(options).await;
    Caller::player(server.addr(), "alice", "Alice").await;
    for round in 1..=5_u64 {
        let mut shop = Caller::new(server.addr(), SERVICE).await;
        let key = format!("round-{round}");
        let mut blow = json!({"do": "execute_move", "args": {"move_type": "attack"}});
        blow["wait"] = json!(false);
        let accepted = shop.command("alice", Some(&key), &blow).await;
        assert_eq!((accepted.status, &accepted.json()["accepted"]), (202, &json!(true)));
        server.crash().await;
        let mut shop = Caller::new(server.addr(), SERVICE).await;
        assert_eq!(shop.get("/v1/players/alice").await["state"]["score"], 35 * round);
        let again = shop.command("alice", Some(&key), &blow).await;
        assert_eq!((again.status, &again.json()["dup"]), (202, &json!(true)));
        assert_eq!(again.json()["seq"], accepted.json()["seq"]);
        assert_eq!(shop.get("/v1/players/alice").await["state"]["score"], 35 * round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_by_http_is_online_and_one_commanded_by_a_service_is_not() {
    let (_dir, file) = tokens();
    let options = Options::default().with(&["--service-token-file", &file]);
    let server = Server::start_with(options).await;
    let mut alice = Caller::player(server.addr(), "alice", "Alice").await;
    let mut bob = Caller::player(server.addr(), "bob", "Bob").await;
    let mut shop = Caller::new(server.addr(), SERVICE).await;
    let defend = json!({"do": "execute_move", "args": {"move_type": "defend"}});
    assert_eq!(alice.command("alice", None, &defend).await.status, 200);
    assert_eq!(shop.command("bob", None, &defend).await.status, 200);
    assert_eq!(shop.get("/v1/players/alice/status").await["status"], "online");
    assert_eq!(shop.get("/v1/players/bob/status").await["status"], "offline");

    let notify = json!({"do": "notify", "args": {"text": "A parcel waits.", "from": "shop"}});
    assert_eq!(shop.command("bob", None, &notify).await.json()["ok"], json!({}));
    let waiting = &bob.get("/v1/players/bob").await["state"]["pending_notifications"][0];
    assert_eq!((&waiting["text"], &waiting["from"]), (&json!("A parcel waits."), &json!("shop")));

    let unauthorized = (401, json!("unauthorized"));
    assert_eq!(code(&bob.command("bob", None, &notify).await), unauthorized);
    assert_eq!(code(&bob.command("alice", None, &defend).await), unauthorized);
    let mut nobody = Caller::new(server.addr(), "not.a.token").await;
    assert_eq!(code(&nobody.command("bob", None, &defend).await), unauthorized);
    let path = "/v1/players/bob/commands";
    let bare = nobody.http.post(path, &defend.to_string()).await.unwrap();
    assert_eq!(code(&bare), unauthorized);
    assert_eq!(code(&shop.command("ghost", None, &defend).await), (404, json!("no_such_player")));
    let gone = nobody.http.get("/v1/players/ghost/status").await.unwrap();
    assert_eq!(code(&gone), (404, json!("no_such_player")), "a command created it");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_status_and_use_up_no_key() {
    let (_dir, file) = tokens();
    let args = ["--service-token-file", &file, "--room-capacity", "1"];
    let server = Server::start_with(Options::default().with(&args)).await;
    let mut alice = Caller::player(server.addr(), "alice", "Alice").await;
    let mut bob = Caller::player(server.addr(), "bob", "Bob").await;
    let mut shop = Caller::new(server.addr(), SERVICE).await;
    let offline = shop.command("alice", None, &enter("den")).await;
    assert_eq!(code(&offline), (409, "not_in_room".into()), "a service puts nobody online");
    assert_eq!(alice.command("alice", None, &enter("den")).await.status, 200);
    assert_eq!(
        code(&bob.command("bob", Some("k"), &enter("den")).await),
        (409, "room_full".into())
    );
    assert_eq!(shop.command("alice", None, &json!({"do": "leave_room"})).await.status, 200);
    // The room hears of it a moment later; until then the key stays free.
    let joined = eventually("a free place", PATIENCE, async || {
        let joined = bob.command("bob", Some("k"), &enter("den")).await;
        (joined.status == 200).then_some(joined)
    })
    .await;
    assert_eq!(joined.json()["dup"], Value::Null, "{}", joined.body);
    let cases = [
        (json!({"do": "use_item", "args": {"item_id": "moon"}}), 404, "no_such_item"),
        (json!({"do": "use_item", "args": {"item_id": "potion-001"}}), 409, "not_useful"),
        (strike("ghost"), 404, "no_such_player"),
        (json!({"do": "get_state"}), 400, "unknown_verb"),
        (json!({"do": "join_room", "args": {"room_id": "A B"}}), 400, "bad_args"),
        (json!(["leave_room"]), 400, "bad_message"),
        (json!({"do": "say", "args": {"text": "x".repeat(20_000)}}), 413, "too_large"),
    ];
    for (body, status, name) in cases {
        let refused = bob.command("bob", None, &body).await;
        assert_eq!(code(&refused), (status, name.into()), "{}", refused.body);
    }
    // After a body that was too large the connection may be gone.
    bob.http = Connection::open(server.addr()).await.unwrap();
    let mut flood = None;
    for _ in 0..500 {
        let moon = json!({"do": "use_item", "args": {"item_id": "moon"}});
        let answer = bob.command("bob", None, &moon).await;
        flood = (answer.status != 404).then_some(answer);
        if flood.is_some() {
            break;
        }
    }
    let flood = flood.expect("five hundred commands at once");
    assert_eq!(code(&flood), (429, "rate_limited".into()));
    assert!(flood.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_may_command() {
    let options = Options::default().with(&["--allow-origin", "http://ok.test"]);
    let server = Server::start_with(options).await;
    let mut http = Connection::open(server.addr()).await.unwrap();
    for (origin, allowed) in [("http://ok.test", true), ("http://evil.test", false)] {
        let headers = [("origin", origin), ("access-control-request-method", "POST")];
        let path = "/v1/players/alice/commands";
        let preflight = http.request("OPTIONS", path, &headers, "").await.unwrap();
        assert_eq!(preflight.status, 204);
        let header = |name| preflight.header(name).map(str::to_owned);
        let methods = header("access-control-allow-methods").unwrap_or_default();
        assert_eq!(
            (header("access-control-allow-origin").is_some(), methods.contains("POST")),
            (allowed, allowed)
        );
        let heads = header("access-control-allow-headers").unwrap_or_default();
        assert_eq!(heads.contains("idempotency-key"), allowed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_commands_a_player_whom_another_gateway_holds() {
    let redis = Redis::single(Aof::Always).await;
    let (_dir, file) = tokens();
    let options = options().with(&["--service-token-file", &file]);
    let gateways = Gateways::start(2, |_| redis.url(), options).await;
    let [one, two] = [&gateways.all[0], &gateways.all[1]];
    let mut alice = Bot::enter(&one.ws(), "alice", Some("Alice the Brave")).await.unwrap();
    let mut bob = Bot::enter(&two.ws(), "bob", None).await.unwrap();
    bob.command(join("dungeon-7")).await.unwrap();
    let mut shop = Caller::new(two.addr(), SERVICE).await;
    let joined = shop.command("alice", Some("in"), &enter("dungeon-7")).await;
    assert_eq!(joined.json()["ok"]["room"]["room_id"], "dungeon-7", "{}", joined.body);
    let blow = shop.command("alice", Some("blow"), &strike("bob")).await.json();
    assert_eq!(blow["ok"], json!({"damage": 25, "xp": 10, "health": 100}), "{blow}");
    let again = shop.command("alice", Some("blow"), &strike("bob")).await.json();
    assert_eq!((&again["ok"], &again["seq"]), (&blow["ok"], &blow["seq"]));
    assert_eq!(again["dup"], true);
    let page = shop.get("/v1/players/alice?read=linearizable").await;
    assert_eq!((&page["node"], &page["state"]["score"]), (&json!("gw-1"), &json!(35)));
    let told = |bob: &Bot| bob.mirror().notices().any(|(_, notice)| notice.text == NOTICE);
    bob.wait_for("the notice", told).await.unwrap();
    // Her own socket saw what was done for her, and is still her own.
    alice.wait_for("the score", |alice| alice.state().unwrap().score == 35).await.unwrap();
    let state: PlayerState = alice.query(Verb::GetState {}).await.unwrap();
    assert_eq!(state.current_room.unwrap().room_id.as_str(), "dungeon-7");
    let notify = json!({"do": "notify", "args": {"text": "Well struck."}, "wait": false});
    assert_eq!(shop.command("alice", None, &notify).await.status, 202);
    let told = |alice: &Bot| alice.mirror().notices().any(|(_, n)| n.text == "Well struck.");
    alice.wait_for("the service's notice", told).await.unwrap();
    eventually("the room on both", PATIENCE, async || {
        (shop.get("/v1/rooms").await["rooms"][0]["player_count"] == 2).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn goods_pass_by_http_between_players_and_by_a_service() {
    let (_dir, file) = tokens();
    let options = Options::default().with(&["--service-token-file", &file]);
    let server = Server::start_with(options).await;
    let mut alice = Caller::player(server.addr(), "alice", "Alice").await;
    let mut bob = Caller::player(server.addr(), "bob", "Bob").await;
    let mut shop = Caller::new(server.addr(), SERVICE).await;
    let sword = json!({"items": [{"item_id": "sword-001", "quantity": 1}]});
    let offer =
        json!({"do": "trade_offer", "args": {"to": "bob", "give": sword, "want": {"gold": 20}}});
    let offered = alice.command("alice", Some("offer"), &offer).await;
    assert_eq!(offered.status, 200, "{}", offered.body);
    let trade_id = offered.json()["ok"]["trade_id"].clone();
    for player in ["alice", "bob"] {
        let page = shop.get(&format!("/v1/players/{player}?read=linearizable")).await;
        let open = &page["state"]["trades"][0];
        assert_eq!((&open["trade_id"], &open["phase"]), (&trade_id, &json!("offered")), "{page}");
        assert_eq!((&open["revision"], &open["give"]), (&json!(1), &sword));
    }
    let again = alice.command("alice", Some("offer"), &offer).await.json();
    assert_eq!((&again["ok"]["trade_id"], &again["dup"]), (&trade_id, &json!(true)));
    let accept = |revision: u32| json!({"do": "trade_accept", "args": {"trade_id": trade_id, "revision": revision}});
    let own = alice.command("alice", None, &accept(1)).await;
    assert_eq!(code(&own), (409, "not_yourself".into()));
    let other = bob.command("bob", None, &accept(2)).await;
    assert_eq!(code(&other), (404, "no_such_trade".into()), "other terms than there are");
    let accepted = bob.command("bob", Some("yes"), &accept(1)).await;
    assert_eq!(accepted.json()["ok"], json!({"trade_id": trade_id}), "{}", accepted.body);
    let ended = bob.command("bob", None, &accept(1)).await;
    assert_eq!(code(&ended), (404, "no_such_trade".into()));
    let gift = json!({"do": "gift", "args": {"to": "alice", "give": {"gold": 3}}});
    assert_eq!(shop.command("bob", Some("gift"), &gift).await.status, 200);
    let mut poor = gift.clone();
    poor["args"]["give"]["gold"] = json!(1_000);
    assert_eq!(code(&shop.command("bob", None, &poor).await), (409, "not_enough".into()));
    let mut signal = gift.clone();
    signal["wait"] = json!(false);
    let signalled = shop.command("bob", Some("signal"), &signal).await;
    assert_eq!((signalled.status, &signalled.json()["accepted"]), (202, &json!(true)));
    eventually("all the gold", PATIENCE, async || {
        let state = shop.get("/v1/players/alice").await["state"].clone();
        (state["gold"] == 126 && state["trades"] == Value::Null).then_some(())
    })
    .await;
    let state = shop.get("/v1/players/bob").await["state"].clone();
    assert_eq!((&state["gold"], &state["inventory"][1]["quantity"]), (&json!(74), &json!(2)));
}
