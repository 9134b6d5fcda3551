//! What has happened to a player, read by HTTP: a fight in its history, the state before and after
//! the blow, what differs, and new records as they come; on the embedded store, and on Redis with
//! the player held by another gateway.

mod cli;
mod story;

use std::collections::BTreeSet;

use holdfast_protocol::client::{MoveType, Verb};
use loadtest::bot::Bot;
use serde_json::{Value, json};

use crate::scenario::{attack, join, strike};
use crate::support::gateways::Gateways;
use crate::support::http::{Connection, EVENTS, Response};
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, PATIENCE, Server, eventually};

/// Alice and bob in a room.
pub async fn enter(alice: &str, bob: &str) -> (Bot, Bot) {
    let mut alice = Bot::enter(alice, "alice", Some("Alice the Brave")).await.unwrap();
    let mut bob = Bot::enter(bob, "bob", None).await.unwrap();
    for bot in [&mut alice, &mut bob] {
        bot.command(join("dungeon-7")).await.unwrap();
    }
    (alice, bob)
}

/// Commands, and gives the record of the answer.
pub async fn act(bot: &mut Bot, verb: Verb) -> u64 {
    let answer = bot.command(verb).await.unwrap();
    answer.result.unwrap().seq.expect("a record")
}

async fn page(http: &mut Connection, path: &str) -> Value {
    let response = http.get(path).await.unwrap();
    assert_eq!(response.status, 200, "{path}: {}", response.body);
    response.json()
}

fn entries(page: &Value) -> &Vec<Value> {
    page["entries"].as_array().unwrap()
}

/// The seq of the record that holds a fact of the rules, and the fact.
fn find<'a>(page: &'a Value, name: &str) -> Option<(u64, &'a Value)> {
    entries(page).iter().find_map(|entry| {
        let fact = entry["facts"].as_array()?.iter().find(|fact| fact["name"] == name)?;
        Some((entry["seq"].as_u64()?, fact))
    })
}

fn whats(page: &Value) -> BTreeSet<String> {
    let facts = entries(page).iter().filter_map(|entry| entry["facts"].as_array()).flatten();
    facts.map(|fact| fact["what"].as_str().unwrap().to_owned()).collect()
}

fn refusal(response: &Response) -> (u16, String, String) {
    let error = &response.json()["error"];
    let text = |name: &str| error[name].as_str().unwrap().to_owned();
    (response.status, text("code"), text("message"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fight_is_read_in_the_histories_of_both() {
    let server = Server::start().await;
    let (mut alice, _bob) = enter(&server.ws(), &server.ws()).await;
    let blow = act(&mut alice, strike(MoveType::Attack, Some("bob"), Some("k1"))).await;
    let mut http = Connection::open(server.addr()).await.unwrap();

    let hers = page(&mut http, "/v1/players/alice/history").await;
    assert_eq!(
        (&hers["player"], &hers["base"], &hers["next"]),
        (&json!("alice"), &json!(0), &Value::Null)
    );
    let tip = hers["tip"].as_u64().unwrap();
    assert!(tip >= blow, "{tip} < {blow}");
    let first = &entries(&hers)[0];
    assert_eq!((&first["entry"], &first["after"]), (&json!("claim"), &json!(0)));
    let (created, fact) = find(&hers, "new").expect("her beginning");
    assert_eq!((created, &fact["data"]["name"]), (1, &json!("Alice the Brave")));
    let is_blow = |entry: &&Value| entry["entry"] == "record" && entry["seq"] == blow;
    let answered = entries(&hers).iter().find(is_blow).unwrap();
    let completed = answered["facts"].as_array().unwrap().iter();
    let completed: Vec<_> = completed.filter(|fact| fact["what"] == "completed").collect();
    assert_eq!(completed[0]["data"], json!({"damage": 25, "xp": 10, "health": 100}));
    for what in ["event", "opened", "attached", "told", "heard", "deferred", "completed"] {
        assert!(whats(&hers).contains(what), "no {what} in {hers:#}");
    }

    let his = page(&mut http, "/v1/players/bob/history").await;
    let (hit, fact) = find(&his, "hit").expect("the blow");
    assert_eq!(fact["data"], json!({"health": 75}));
    let before = page(&mut http, &format!("/v1/players/bob/state?at={}", hit - 1)).await;
    let after = page(&mut http, &format!("/v1/players/bob/state?at={hit}")).await;
    assert_eq!((&before["state"]["health"], &after["state"]["health"]), (&json!(100), &json!(75)));
    let path = format!("/v1/players/bob/diff?from={}&to={hit}", hit - 1);
    let changes = page(&mut http, &path).await["changes"].clone();
    let health = json!({"path": "/health", "before": 100, "after": 75});
    assert!(changes.as_array().unwrap().contains(&health), "{changes:#}");
    let start = page(&mut http, "/v1/players/bob/state?at=0").await;
    assert_eq!(start["state"]["exists"], false);

    // One record a page: together they are the whole.
    let whole = page(&mut http, &format!("/v1/players/alice/history?to={tip}")).await;
    let (mut from, mut parts) = (0, Vec::new());
    loop {
        let path = format!("/v1/players/alice/history?limit=1&from={from}&to={tip}");
        let part = page(&mut http, &path).await;
        parts.extend(entries(&part).clone());
        let Some(next) = part["next"].as_u64() else { break };
        from = next;
    }
    assert_eq!(&parts, entries(&whole));
}

/// What is refused of a player whose state is known from `base` on, and the sentences.
fn mistakes(base: u64, tip: u64) -> Vec<(String, String)> {
    let (gone, beyond) = (base - 1, tip + 1);
    let none = |seq: u64| {
        format!("there is no record {seq} yet: the newest record of player:alice is {tip}")
    };
    let numbers =
        "from, to and limit must be whole numbers, follow true or false, each at most once";
    let trimmed = format!(
        "the state after record {gone} is no longer known: the oldest kept state of player:alice \
         is the one after record {base}"
    );
    let backwards = |one: u64, two: u64| {
        format!("from must not be greater than to, but {one} is greater than {two}")
    };
    let seqs = "from and to must be seqs of records, and stand once each";
    vec![
        ("history?from=x".into(), numbers.into()),
        ("history?from=1&from=2".into(), numbers.into()),
        ("history?limit=0".into(), "limit must be an integer from 1 to 1000".into()),
        ("history?limit=1001".into(), "limit must be an integer from 1 to 1000".into()),
        ("history?from=2&to=1".into(), backwards(2, 1)),
        (format!("history?from={}", tip + 2), none(tip + 2)),
        (format!("state?at={gone}"), trimmed.clone()),
        (format!("state?at={beyond}"), none(beyond)),
        ("state?at=-1".into(), "at must be the seq of a record, and stand once".into()),
        (format!("diff?from={gone}&to={tip}"), trimmed),
        (format!("diff?to={beyond}"), none(beyond)),
        (format!("diff?from={tip}&to={base}"), backwards(tip, base)),
        ("diff?from=x".into(), seqs.into()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_shown_is_refused_with_a_sentence() {
    let server =
        Server::start_with(Options::default().with(&["--snapshot-records", "4", "--retain", "0"]))
            .await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    let mut http = Connection::open(server.addr()).await.unwrap();
    for _ in 0..12 {
        act(&mut alice, Verb::LeaveRoom {}).await;
    }
    drop(alice);
    let whole =
        eventually("the end of the socket, and no snapshot to come", PATIENCE, async || {
            let whole = page(&mut http, "/v1/players/alice/history").await;
            let kept = entries(&whole).iter().filter(|entry| entry["entry"] == "snapshot");
            let kept = kept.filter_map(|entry| entry["seq"].as_u64()).max()?;
            let quiet = whole["tip"].as_u64()? < kept + 4 && whats(&whole).contains("detached");
            quiet.then_some(whole)
        })
        .await;
    let (base, tip) = (whole["base"].as_u64().unwrap(), whole["tip"].as_u64().unwrap());
    assert!(base > 4, "never trimmed: {whole:#}");
    for (path, message) in mistakes(base, tip) {
        let response = http.get(&format!("/v1/players/alice/{path}")).await.unwrap();
        assert_eq!(refusal(&response), (400, "bad_args".to_owned(), message), "{path}");
    }
    for path in ["history", "history?follow=true", "state", "diff"] {
        let response = http.get(&format!("/v1/players/ghost/{path}")).await.unwrap();
        let unknown = (404, "no_such_player".to_owned(), "no player has that id".to_owned());
        assert_eq!(refusal(&response), unknown, "{path}");
    }
    let path = "/v1/players/alice/history?follow=true";
    let junk = http.request("GET", path, &[("last-event-id", "x")], "").await.unwrap();
    assert_eq!(refusal(&junk).2, "Last-Event-ID must be the seq of a record");
    let again = page(&mut http, "/v1/players/alice/history").await;
    assert_eq!(again, whole, "reading changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_need_a_token_where_guests_are_not_open() {
    let server = Server::start_with(Options::default().with(&["--guests", "claim"])).await;
    let mut http = Connection::open(server.addr()).await.unwrap();
    let made = http.post("/v1/sessions", r#"{"player":"alice"}"#).await.unwrap().json();
    let token = format!("Bearer {}", made["token"].as_str().unwrap());
    for path in ["history", "history?follow=true", "state", "diff"] {
        let path = format!("/v1/players/alice/{path}");
        assert_eq!(http.get(&path).await.unwrap().status, 401, "{path}");
        let headers = [("authorization", token.as_str())];
        let mut own = Connection::open(server.addr()).await.unwrap();
        assert_eq!(own.request("GET", &path, &headers, "").await.unwrap().status, 200, "{path}");
    }
}

/// Opens a stream of a player's history.
async fn follow(addr: std::net::SocketAddr, query: &str, last: Option<u64>) -> Connection {
    let mut http = Connection::open(addr).await.unwrap();
    let last = last.map(|id| id.to_string());
    let headers: Vec<_> = last.iter().map(|id| ("last-event-id", id.as_str())).collect();
    let path = format!("/v1/players/alice/history?follow=true{query}");
    let begun = http.request("GET", &path, &headers, "").await.unwrap();
    assert_eq!((begun.status, begun.header("content-type")), (200, Some(EVENTS)));
    http
}

/// The next event: its kind, id and entry.
async fn next(stream: &mut Connection) -> (String, Option<u64>, Value) {
    let event = stream.event().await.unwrap().expect("the stream goes on");
    let entry: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!(entry["entry"], event.kind.as_str());
    (event.kind, event.id.map(|id| id.parse().unwrap()), entry)
}

/// Reads up to the record with this seq.
async fn up_to(stream: &mut Connection, seq: u64) -> Value {
    loop {
        if let (_, Some(id), entry) = next(stream).await
            && id >= seq
        {
            assert_eq!((id, &entry["seq"]), (seq, &json!(seq)));
            return entry;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_records_are_followed_and_a_cut_stream_goes_on() {
    let mut server = Server::start().await;
    let (mut alice, _bob) = enter(&server.ws(), &server.ws()).await;
    let blow = act(&mut alice, attack("bob")).await;
    let mut stream = follow(server.addr(), "", None).await;
    assert_eq!(next(&mut stream).await.0, "claim");
    assert_eq!(next(&mut stream).await.1, Some(1));
    up_to(&mut stream, blow).await;
    let defence = act(&mut alice, strike(MoveType::Defend, None, None)).await;
    let entry = up_to(&mut stream, defence).await;
    let names: Vec<_> = entry["facts"].as_array().unwrap().iter().map(|f| &f["name"]).collect();
    assert!(names.contains(&&json!("def")), "{entry:#}");
    drop(stream);

    let mut again = follow(server.addr(), "&from=1", Some(blow)).await;
    assert_eq!(next(&mut again).await.1, Some(blow + 1), "goes on after the last one");
    let mut part = follow(server.addr(), &format!("&from=2&to={blow}"), None).await;
    assert_eq!(next(&mut part).await.1, Some(2));
    up_to(&mut part, blow).await;
    assert_eq!(part.event().await.unwrap(), None, "it was asked for up to {blow}");

    server.signal("TERM").await;
    while let Some(event) = again.event().await.unwrap() {
        assert!(!event.data.is_empty());
    }
    assert!(server.exited().await.success(), "a follower must not hold up the drain");
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_are_bounded() {
    let server = Server::start().await;
    let _alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(follow(server.addr(), "", None).await);
    }
    let path = "/v1/players/alice/history?follow=true";
    let refused = server.get(path).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("5")),
        "{}",
        refused.body
    );
    streams.pop();
    eventually("a free place", PATIENCE, async || {
        (server.get(path).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_whom_another_gateway_holds_is_followed() {
    let redis = Redis::single(Aof::Always).await;
    let gateways = Gateways::start(2, |_| redis.url(), Options::default()).await;
    let [one, two] = [&gateways.all[0], &gateways.all[1]];
    let (mut alice, bob) = enter(&one.ws(), &one.ws()).await;
    let mut http = Connection::open(two.addr()).await.unwrap();
    let mut stream = follow(two.addr(), "", None).await;
    let blow = act(&mut alice, attack("bob")).await;
    up_to(&mut stream, blow).await;
    let his = page(&mut http, "/v1/players/bob/history").await;
    let (hit, _) = find(&his, "hit").expect("the blow");
    let health = async |http: &mut Connection, at: u64| {
        page(http, &format!("/v1/players/bob/state?at={at}")).await["state"]["health"].clone()
    };
    assert_eq!(health(&mut http, hit - 1).await, 100);
    assert_eq!(health(&mut http, hit).await, 75);
    let held = page(&mut http, "/v1/players/alice").await;
    assert_eq!(held["node"], "gw-1", "reading took her away");

    // She comes to the other gateway: a claim, and a new term.
    let old = held["epoch"].as_u64().unwrap();
    let mut alice = Bot::enter(&two.ws(), "alice", None).await.unwrap();
    let claim = loop {
        let (kind, _, entry) = next(&mut stream).await;
        if kind == "claim" && entry["epoch"].as_u64() > Some(old) {
            break entry;
        }
    };
    let last = act(&mut alice, Verb::LeaveRoom {}).await;
    let entry = up_to(&mut stream, last).await;
    assert_eq!(entry["epoch"], claim["epoch"]);
    let whole = page(&mut http, "/v1/players/alice/history").await;
    assert!(entries(&whole).contains(&claim), "{claim} is not in {whole:#}");
    drop(bob);
}
