//! Sessions found by what they are: over HTTP and by the command line, live and asleep, after a
//! kill, and when somebody has tampered with the index.

use std::net::SocketAddr;
use std::process::Output;

use serde_json::{Value, json};

use crate::services::{Caller, SERVICE, enter, strike, tokens};
use crate::support::gateways::Gateways;
use crate::support::http::{Connection, Response};
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, PATIENCE, Server, command, eventually};

/// A query as a URL's value.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn ask(addr: SocketAddr, path: &str, query: &str, rest: &str) -> Response {
    let path = format!("{path}?query={}{rest}", escaped(query));
    Connection::open(addr).await.unwrap().get(&path).await.unwrap()
}

/// The sessions that a query finds.
async fn list(addr: SocketAddr, query: &str) -> Vec<Value> {
    let page = ask(addr, "/v1/players", query, "&limit=1000").await;
    assert_eq!(page.status, 200, "{query}: {}", page.body);
    page.json()["players"].as_array().unwrap().clone()
}

async fn ids(addr: SocketAddr, query: &str) -> Vec<String> {
    let rows = list(addr, query).await;
    rows.iter().map(|row| row["player_id"].as_str().unwrap().to_owned()).collect()
}

/// Waits until a query finds these, in this order.
async fn finds(addr: SocketAddr, query: &str, expected: &[&str]) {
    let mut last = Vec::new();
    let found = crate::support::within(PATIENCE, async || {
        last = ids(addr, query).await;
        (last == expected).then_some(())
    });
    assert!(found.await.is_some(), "{query} finds {last:?}, not {expected:?}");
}

/// Alice and bob in dungeon-7, carol in dungeon-8; alice has struck bob.
async fn play(addr: SocketAddr) -> [Caller; 3] {
    let mut alice = Caller::player(addr, "alice", "Alice the Brave").await;
    let mut bob = Caller::player(addr, "bob", "Bob").await;
    let mut carol = Caller::player(addr, "carol", "carol").await;
    for (caller, player, room) in [
        (&mut alice, "alice", "dungeon-7"),
        (&mut bob, "bob", "dungeon-7"),
        (&mut carol, "carol", "dungeon-8"),
    ] {
        let joined = caller.command(player, None, &enter(room)).await;
        assert_eq!(joined.status, 200, "{}", joined.body);
    }
    let blow = alice.command("alice", None, &strike("bob")).await;
    assert_eq!(blow.status, 200, "{}", blow.body);
    [alice, bob, carol]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_dungeon_7_is_found_and_who_was_is_not() {
    let server = Server::start().await;
    let addr = server.addr();
    let [mut alice, ..] = play(addr).await;
    let in_room = "PlayerStatus = \"in_room\" AND CurrentRoom = \"dungeon-7\"";
    finds(addr, in_room, &["alice", "bob"]).await;
    finds(
        addr,
        "CurrentRoom STARTS_WITH 'dungeon-' ORDER BY Score DESC, PlayerId DESC",
        &["alice", "carol", "bob"],
    )
    .await;
    finds(addr, "Health < 100", &["bob"]).await;
    let row = &list(addr, "PlayerId = 'alice'").await[0];
    let state = server.player("alice").await;
    assert_eq!(row["display_name"], "Alice the Brave");
    for (shown, kept) in [("level", "level"), ("score", "score"), ("gold", "gold")] {
        assert_eq!(row[shown], state[kept], "{shown}");
    }
    assert_eq!((&row["room"], &row["node"]), (&json!("dungeon-7"), &json!("gw-1")));
    assert_eq!((&row["total_actions"], &row["attributes"]["Health"]), (&json!(2), &json!(100)));
    let (idle, last) = (row["idle_ms"].as_i64().unwrap(), row["last_command_ms"].as_i64().unwrap());
    assert!((0..60_000).contains(&idle) && last > 1_700_000_000_000, "{row}");
    let left = alice.command("alice", None, &json!({"do": "leave_room", "args": {}})).await;
    assert_eq!(left.status, 200, "{}", left.body);
    finds(addr, in_room, &["bob"]).await;
    finds(addr, "CurrentRoom IS NULL", &["alice"]).await;
    let counts = ask(addr, "/v1/players/count", "", "&by=CurrentRoom").await.json();
    assert_eq!((&counts["by"], &counts["total"]), (&json!("CurrentRoom"), &json!(3)));
    let groups = counts["groups"].as_array().unwrap();
    let mut groups: Vec<_> = groups.iter().map(Value::to_string).collect();
    groups.sort();
    let expected = [
        json!({"count": 1, "value": "dungeon-7"}),
        json!({"count": 1, "value": "dungeon-8"}),
        json!({"count": 1, "value": null}),
    ];
    assert_eq!(groups, expected.map(|group| group.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_answered_with_its_column_and_what_to_write() {
    let server = Server::start().await;
    let addr = server.addr();
    let wrong = ask(addr, "/v1/players", "PlayerLevle >= 10", "").await;
    assert_eq!(wrong.status, 400);
    let error = &wrong.json()["error"];
    assert_eq!((&error["code"], &error["column"]), (&json!("bad_args"), &json!(1)));
    assert_eq!(error["suggestion"], "PlayerLevel");
    let message = "column 1: there is no attribute PlayerLevle; write PlayerLevel";
    assert_eq!(error["message"], message);
    for (path, query, rest, says) in [
        ("/v1/players", "Gold > ", "", "column"),
        ("/v1/players", "", "&limit=0", "limit must be an integer from 1 to 1000"),
        ("/v1/players", "", "&limit=1001", "limit must be an integer from 1 to 1000"),
        ("/v1/players", "", "&limit=many", "limit an integer"),
        ("/v1/players", "", "&after=zz", "this is no cursor"),
        ("/v1/players/count", "", "&by=Gild", "there is no attribute Gild; write Gold"),
        ("/v1/players/count", "", "&by=IdleTime", "it makes no groups"),
    ] {
        let refused = ask(addr, path, query, rest).await;
        let error = &refused.json()["error"];
        assert_eq!((refused.status, &error["code"]), (400, &json!("bad_args")), "{query}{rest}");
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hang_together_over_http() {
    let server = Server::start().await;
    let addr = server.addr();
    let mut made = Vec::new();
    for n in 0..25 {
        made.push(format!("p{n:02}"));
        Caller::player(addr, &made[n], "somebody").await;
    }
    let made: Vec<_> = made.iter().map(String::as_str).collect();
    finds(addr, "PlayerId STARTS_WITH 'p'", &made).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = ask(addr, "/v1/players", "", &format!("&limit=10{after}")).await.json();
        let rows = page["players"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["player_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_of_sessions_need_a_token_where_guests_are_off() {
    let (_dir, file) = tokens();
    let options = Options::default().with(&["--guests", "off", "--service-token-file", &file]);
    let server = Server::start_with(options).await;
    for path in ["/v1/players", "/v1/players/count"] {
        assert_eq!(server.get(path).await.status, 401, "{path}");
        let token = format!("Bearer {SERVICE}");
        let mut http = Connection::open(server.addr()).await.unwrap();
        let read = http.request("GET", path, &[("authorization", &token)], "").await.unwrap();
        assert_eq!(read.status, 200, "{}", read.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_no_session_with_a_holder_that_is_gone() {
    let options = Options::default().with(&["--passivate-after-ms", "4000"]);
    let mut server = Server::start_with(options).await;
    let addr = server.addr();
    play(addr).await;
    // Dora has no timers and owes nothing: nobody asks for her after the kill.
    Caller::player(addr, "dora", "Dora").await;
    finds(addr, "Node = 'gw-1' AND Score >= 0", &["alice", "bob", "carol", "dora"]).await;
    server.crash().await;
    finds(addr, "CurrentRoom = 'dungeon-7'", &["alice", "bob"]).await;
    finds(addr, "Node IS NULL", &["dora"]).await;
    server.restart().await;
    assert!(ids(addr, "Node IS NULL").await.contains(&"dora".to_owned()));
}

/// Runs `holdfast` against a node's admin listener.
async fn holdfast(admin: SocketAddr, args: &[&str]) -> (Output, String) {
    let mut command = command(&std::env::temp_dir());
    let output = command.args(args).args(["--admin", &admin.to_string()]).output().await.unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_lists_counts_and_is_told_of_mistakes() {
    let server = Server::start_with(Options::default().admin()).await;
    play(server.addr()).await;
    finds(server.addr(), "CurrentRoom = 'dungeon-7' AND Score = 35", &["alice"]).await;
    let at = server.admin();
    let (listed, text) =
        holdfast(at, &["players", "list", "--query", "Score > 0 OR PlayerId = 'bob'"]).await;
    assert!(listed.status.success());
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("PLAYER  NAME"), "{text}");
    assert!(lines[1].starts_with("alice   Alice the Brave  in_room  dungeon-7"), "{text}");
    let (_, text) = holdfast(at, &["players", "list", "--json", "--limit", "2"]).await;
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| &row["player_id"]).collect::<Vec<_>>(), ["alice", "bob"]);
    let (_, text) = holdfast(at, &["players", "list", "--query", "Gold > 1000000"]).await;
    assert_eq!(text, "no session is like that\n");
    let (_, text) = holdfast(at, &["players", "count", "--by", "CurrentRoom"]).await;
    assert!(text.starts_with("        2  dungeon-7\n") && text.contains("3  in all"), "{text}");
    let (_, text) = holdfast(at, &["players", "count", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["total"], 3);
    let (refused, _) = holdfast(at, &["players", "list", "--query", "Scoer = 1"]).await;
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success());
    assert!(
        complaint.contains("column 1: there is no attribute Scoer; write Score"),
        "{complaint}"
    );
}

/// Has the index verified; says whether it is equal, and what was found.
async fn audit(admin: SocketAddr, verb: &str) -> (bool, Value) {
    let (output, text) = holdfast(admin, &["players", verb, "--json"]).await;
    let last = text.lines().last().unwrap_or_else(|| {
        panic!("{verb} says nothing but {}", String::from_utf8_lossy(&output.stderr))
    });
    let status: Value = serde_json::from_str(last).unwrap();
    assert_eq!(status["status"], "finished", "{status}");
    assert_eq!(output.status.success(), status["equal"] == true, "{status}");
    (output.status.success(), status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_index_is_found_and_mended_on_the_embedded_store() {
    let options = Options::default().admin();
    let mut server = Server::start_with(options).await;
    let addr = server.addr();
    play(addr).await;
    finds(addr, "CurrentRoom = 'dungeon-7' AND Score = 35", &["alice"]).await;
    finds(addr, "Health = 75", &["bob"]).await;
    let (equal, status) = audit(server.admin(), "verify").await;
    assert!(equal, "{status}");
    let file = rusqlite::Connection::open(server.store_dir().join("attributes.db")).unwrap();
    file.busy_timeout(PATIENCE).unwrap();
    let change = |sql: &str| assert!(file.execute(sql, []).unwrap() > 0, "{sql} changed nothing");
    change("DELETE FROM rows WHERE player = 'alice'");
    change(
        "UPDATE rows SET row = (SELECT row FROM rows WHERE player = 'carol') WHERE player = 'bob'",
    );
    change("DELETE FROM entries WHERE player = 'carol'");
    drop(file);
    let (equal, status) = audit(server.admin(), "verify").await;
    assert!(!equal, "{status}");
    assert!(ids(addr, "CurrentRoom = 'dungeon-8'").await != ["carol"], "verifying mends nothing");
    let (equal, status) = audit(server.admin(), "rebuild").await;
    assert!(equal, "{status}");
    assert!(status["found"]["entries_missing"].as_u64() > Some(0), "{status}");
    finds(addr, "CurrentRoom = 'dungeon-7' ORDER BY Score DESC", &["alice", "bob"]).await;
    finds(addr, "CurrentRoom = 'dungeon-8'", &["carol"]).await;
    // Without the file the players' rows come back by themselves.
    server.stop().await;
    for name in ["attributes.db", "attributes.db-wal", "attributes.db-shm"] {
        let _ = std::fs::remove_file(server.store_dir().join(name));
    }
    server.start_again().await;
    finds(addr, "Score >= 0", &["alice", "bob", "carol"]).await;
    assert!(audit(server.admin(), "verify").await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_found_from_every_gateway_and_follow_their_player() {
    let redis = Redis::single(Aof::Always).await;
    let mut gateways = Gateways::start(2, |_| redis.url(), Options::default()).await;
    let (first, second) = (gateways.all[0].addr(), gateways.all[1].addr());
    play(first).await;
    finds(second, "CurrentRoom = 'dungeon-7' AND Node = 'gw-1'", &["alice", "bob"]).await;
    finds(second, "Score = 35", &["alice"]).await;
    let counts = ask(second, "/v1/players/count", "", "&by=Node").await.json();
    assert_eq!(counts["groups"][0], json!({"count": 3, "value": "gw-1"}), "{counts}");
    let admin = gateways.all[1].admin();
    let (equal, status) = audit(admin, "verify").await;
    assert!(equal, "{status}");
    // Who is found at a dead node goes on at a living one, or sleeps.
    gateways.all[0].kill().await;
    finds(second, "Node = 'gw-1'", &[]).await;
    finds(second, "CurrentRoom = 'dungeon-7'", &["alice", "bob"]).await;
    let (equal, status) = audit(admin, "verify").await;
    assert!(equal, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_index_is_found_and_mended_on_redis() {
    let redis = Redis::single(Aof::Always).await;
    let gateways = Gateways::start(1, |_| redis.url(), Options::default()).await;
    let (addr, admin) = (gateways.all[0].addr(), gateways.all[0].admin());
    play(addr).await;
    finds(addr, "CurrentRoom = 'dungeon-7' AND Score = 35", &["alice"]).await;
    // What is taken away below has been written.
    finds(addr, "CurrentRoom = 'dungeon-7'", &["alice", "bob"]).await;
    let rows: Vec<String> = redis.ask(&["KEYS", "hf:{p*}:r"]).await;
    assert_eq!(rows.len(), 3, "alice, bob and carol lie in three partitions: {rows:?}");
    let partition = |name: &str| {
        let hash = holdfast::store::redis::keys::partition_of(&name.parse().unwrap());
        format!("hf:{{p{hash:04}}}")
    };
    let (alice, bob) = (partition("player:alice"), partition("player:bob"));
    let gone: u64 = redis.ask(&["HDEL", &format!("{alice}:r"), "alice"]).await;
    assert_eq!(gone, 1);
    // The entry of bob's room.
    let gone: u64 = redis.ask(&["DEL", &format!("{bob}:x:w3")]).await;
    assert_eq!(gone, 1);
    let (equal, status) = audit(admin, "verify").await;
    assert!(!equal, "{status}");
    assert_eq!(status["found"]["missing"], 1, "{status}");
    assert!(status["found"]["entries_missing"].as_u64() > Some(0), "{status}");
    let (equal, status) = audit(admin, "rebuild").await;
    assert!(equal, "{status}");
    finds(addr, "CurrentRoom = 'dungeon-7'", &["alice", "bob"]).await;
    eventually("an equal index", PATIENCE, async || audit(admin, "verify").await.0.then_some(()))
        .await;
}
