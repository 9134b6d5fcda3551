//! `holdfast history` and `holdfast replay` as processes: a history as text and as JSON, states,
//! differences, a journal saved and replayed, and files that were changed.

use std::path::Path;
use std::process::Output;

use holdfast::actor::record::{Fact, Record};
use holdfast_protocol::client::Verb;
use loadtest::bot::Bot;
use serde_json::{Value, json};

use super::{act, enter};
use crate::scenario::attack;
use crate::support::gateways::Gateways;
use crate::support::redis::{Aof, Redis};
use crate::support::{Options, PATIENCE, Server, command, eventually};

/// Runs a command to its end.
async fn run(dir: &Path, args: &[&str]) -> Output {
    let run = command(dir).args(args).output();
    tokio::time::timeout(PATIENCE, run).await.expect("the command to end").expect("it runs")
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn said(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

/// A server on which alice has struck bob, and the record of bob's wound.
async fn fight() -> (Server, [Bot; 2], u64) {
    let server = Server::start_with(Options::default().admin()).await;
    let (mut alice, bob) = enter(&server.ws(), &server.ws()).await;
    act(&mut alice, attack("bob")).await;
    let whole = server.get("/v1/players/bob/history").await.json();
    let (hit, _) = super::find(&whole, "hit").expect("the blow");
    (server, [alice, bob], hit)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_read_on_the_command_line() {
    let (server, _bots, hit) = fight().await;
    let dir = tempfile::tempdir().unwrap();
    let admin = server.admin().to_string();
    let ask = async |args: &str| {
        let line = format!("history {args} --admin {admin}");
        run(dir.path(), &line.split(' ').collect::<Vec<_>>()).await
    };
    let shown = text(&ask("player:bob").await);
    assert!(shown.starts_with("player:bob: the newest record is "), "{shown}");
    assert!(shown.contains("            event            hit {\"health\":75}\n"), "{shown}");
    assert!(shown.contains("claimed after record 0 by epoch"), "{shown}");
    assert!(text(&ask("room:dungeon-7").await).contains("event            in {"));

    let lines = text(&ask("player:bob --json").await);
    let entries: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let page = json!({ "entries": entries });
    assert_eq!(super::find(&page, "hit").unwrap().0, hit);
    let part = text(&ask(&format!("player:bob --json --from {hit} --to {hit}")).await);
    assert_eq!(part.lines().filter(|line| line.contains("\"entry\":\"record\"")).count(), 1);

    let state = text(&ask(&format!("player:bob --state {}", hit - 1)).await);
    assert!(state.contains("\"health\": 100,"), "{state}");
    let state: Value =
        serde_json::from_str(&text(&ask(&format!("player:bob --state {hit} --json")).await))
            .unwrap();
    assert_eq!((&state["state"]["health"], &state["ledger"]["seq"]), (&json!(75), &json!(hit)));
    let diff = text(&ask(&format!("player:bob --diff {} {hit}", hit - 1)).await);
    assert!(diff.contains("was 100, is 75"), "{diff}");

    for (args, sentence) in [
        ("player:ghost", "no such actor: player:ghost has no records"),
        (
            "player:bob --state 9999",
            "there is no record 9999 yet: the newest record of player:bob is",
        ),
        ("player:bob --diff 3 2", "from must not be greater than to, but 3 is greater than 2"),
        ("player:bob --from 9999", "there is no record 9999 yet"),
    ] {
        let refused = said(&ask(args).await);
        assert!(refused.contains(&format!("holdfast: the node refused: {sentence}")), "{refused}");
    }
    let nowhere = run(dir.path(), &["history", "player:bob"]).await;
    assert!(said(&nowhere).contains("no running node answers at"), "{nowhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_followed_on_the_command_line() {
    let (server, [mut alice, _bob], _) = fight().await;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let admin = server.admin().to_string();
    let args = ["history", "player:bob", "--follow", "--json", "--admin", &admin];
    let file = std::fs::File::create(&out).unwrap();
    let mut child = command(dir.path()).args(args).stdout(file).spawn().unwrap();
    let hits = || std::fs::read_to_string(&out).unwrap().matches("\"name\":\"hit\"").count();
    eventually("the first wound", PATIENCE, async || (hits() == 1).then_some(())).await;
    act(&mut alice, attack("bob")).await;
    eventually("the second wound", PATIENCE, async || (hits() == 2).then_some(())).await;
    child.kill().await.unwrap();
}

/// Gives a line of a recorded journal another record.
fn forge(line: &str, change: impl Fn(&mut Vec<Fact>) -> bool) -> Option<String> {
    let mut line: Value = serde_json::from_str(line).unwrap();
    let hex = line["record"].as_str()?.to_owned();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = hex.as_bytes().chunks(2).map(byte).collect();
    let mut record = Record::decode(&bytes).unwrap();
    if !change(&mut record.facts) {
        return None;
    }
    let hex: String = record.encode().iter().map(|byte| format!("{byte:02x}")).collect();
    line["record"] = hex.into();
    Some(line.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_replayed_from_a_node_and_from_a_file() {
    let (mut server, _bots, hit) = fight().await;
    let dir = tempfile::tempdir().unwrap();
    let admin = server.admin().to_string();
    for actor in ["player:alice", "player:bob", "room:dungeon-7"] {
        let replayed = text(&run(dir.path(), &["replay", actor, "--admin", &admin]).await);
        assert!(replayed.contains("each gives the recorded state"), "{replayed}");
    }
    let args = ["history", "player:bob", "--save", "bob.jsonl", "--admin", &admin];
    text(&run(dir.path(), &args).await);
    server.stop().await;

    // From here on there is no node.
    let same = text(&run(dir.path(), &["replay", "bob.jsonl"]).await);
    assert!(same.starts_with("player:bob: ") && same.contains("from record 0 on"), "{same}");
    let file = dir.path().join("bob.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();

    let deeper = rmp_serde::to_vec_named(&json!({"hit": {"health": 50}})).unwrap();
    let wound = rmp_serde::to_vec_named(&json!({"hit": {"health": 75}})).unwrap();
    let deepen = |facts: &mut Vec<Fact>| {
        let found = facts.iter_mut().find(|fact| **fact == Fact::Event(wound.clone().into()));
        found.map(|fact| *fact = Fact::Event(deeper.clone().into())).is_some()
    };
    let forged: Vec<String> =
        whole.lines().map(|line| forge(line, deepen).unwrap_or(line.to_owned())).collect();
    std::fs::write(&file, forged.join("\n")).unwrap();
    let differs = said(&run(dir.path(), &["replay", "bob.jsonl"]).await);
    assert!(
        differs.contains(&format!("the first difference is after record {hit} (")),
        "{differs}"
    );
    assert!(differs.contains("  event            hit {\"health\":50}\n"), "{differs}");
    assert!(differs.contains("  /state/health  recorded 75, replayed 50\n"), "{differs}");
    let json = run(dir.path(), &["replay", "bob.jsonl", "--json"]).await;
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["difference"]["at"]["record"]["seq"], hit);

    let tampered = whole.replacen("\"after\":75", "\"after\":74", 1);
    assert_ne!(tampered, whole);
    std::fs::write(&file, tampered).unwrap();
    let refused = said(&run(dir.path(), &["replay", "bob.jsonl"]).await);
    assert!(refused.contains("the file was changed after it was written"), "{refused}");
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(said(&run(dir.path(), &["replay", "bob.jsonl"]).await).contains("bob.jsonl: line"));
    let nothing = said(&run(dir.path(), &["replay", "nothing.jsonl"]).await);
    assert!(nothing.contains("nothing.jsonl is neither a file nor an actor"), "{nothing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_compared_with_what_its_records_give() {
    let options = Options::default().admin().with(&["--snapshot-records", "4", "--retain", "0"]);
    let server = Server::start_with(options).await;
    let (mut alice, _bob) = enter(&server.ws(), &server.ws()).await;
    for _ in 0..3 {
        act(&mut alice, attack("bob")).await;
    }
    for _ in 0..6 {
        act(&mut alice, Verb::LeaveRoom {}).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let admin = server.admin().to_string();
    eventually("a replay from one snapshot to the other", PATIENCE, async || {
        let replayed = text(&run(dir.path(), &["replay", "player:alice", "--admin", &admin]).await);
        assert!(replayed.contains("each gives the recorded state"), "{replayed}");
        let both = replayed.contains("is the same") && !replayed.contains("from record 0 on");
        both.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_of_a_redis_is_found_by_its_file() {
    let redis = Redis::single(Aof::Always).await;
    let gateways = Gateways::start(1, |_| redis.url(), Options::default()).await;
    let one = &gateways.all[0];
    let (mut alice, _bob) = enter(&one.ws(), &one.ws()).await;
    act(&mut alice, attack("bob")).await;
    let dir = tempfile::tempdir().unwrap();
    let (url, data) = (redis.url(), one.data_dir().display().to_string());
    let ask = async |what: &[&str]| {
        let at = ["--store", url.as_str(), "--data-dir", data.as_str()];
        text(&run(dir.path(), &[what, &at].concat()).await)
    };
    assert!(ask(&["history", "player:alice"]).await.contains("event            swing {"));
    assert!(ask(&["replay", "player:alice"]).await.contains("each gives the recorded state"));
}
