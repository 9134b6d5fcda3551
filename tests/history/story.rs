//! The recorded journals of `tests/fixtures/journals`: two players through most of the game, played
//! on a real server. What is recorded here holds the events that the fixtures hold; with
//! `HOLDFAST_WRITE_FIXTURES=1` it takes their place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use holdfast::actor::history::check::check;
use holdfast::actor::history::recorded::{Journal, read};
use holdfast::actor::record::{Fact, Record};
use holdfast::node::todays_kinds;
use holdfast_protocol::client::{MoveType, Step, Verb};
use loadtest::bot::Bot;
use serde_json::{Value, json};

use super::{act, enter};
use crate::scenario::{attack, join, strike};
use crate::services::{SERVICE, tokens};
use crate::support::http::Connection;
use crate::support::{Options, PATIENCE, Server, command, eventually};

const CAST: [(&str, &str); 3] = [
    ("player:alice", "alice.jsonl"),
    ("player:bob", "bob.jsonl"),
    ("room:dungeon-7", "dungeon-7.jsonl"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/journals")
}

/// Names of everything that a journal holds.
fn names(journal: &Journal) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for step in &journal.steps {
        for fact in Record::decode(&step.row.bytes).unwrap().facts {
            let shown = match &fact {
                Fact::Event(bytes) => rmp_serde::from_slice::<Value>(bytes).unwrap_or_default(),
                fact => serde_json::to_value(fact).unwrap(),
            };
            let name = shown.as_str().map(str::to_owned);
            let name = name.or_else(|| Some(shown.as_object()?.keys().next()?.clone()));
            let kind = if matches!(fact, Fact::Event(_)) { "event" } else { "fact" };
            names.insert(format!("{kind} {}", name.unwrap_or_default()));
        }
    }
    names
}

/// Blows, goods, a lost socket, notices and rooms.
async fn play(server: &Server) {
    let (mut alice, mut bob) = enter(&server.ws(), &server.ws()).await;
    alice.input(vec![Step::from((1, 0, 0)); 5]).await.unwrap();
    act(&mut alice, strike(MoveType::Attack, Some("bob"), Some("blow-1"))).await;
    act(&mut alice, strike(MoveType::Attack, Some("bob"), Some("blow-1"))).await;
    act(&mut bob, Verb::UseItem { item_id: "potion-001".into() }).await;
    act(&mut bob, strike(MoveType::Defend, None, None)).await;
    act(&mut alice, strike(MoveType::Special, Some("bob"), None)).await;
    assert!(alice.command(attack("ghost")).await.unwrap().result.is_err());
    act(&mut alice, strike(MoveType::Heal, None, None)).await;
    alice.command(Verb::Say { text: "Well fought.".into() }).await.unwrap().result.unwrap();
    alice.kill();
    alice.resume().await.unwrap();
    act(&mut bob, Verb::Logout {}).await;
    drop(bob);
    let mut http = Connection::open(server.addr()).await.unwrap();
    let token = format!("Bearer {SERVICE}");
    let headers = [("content-type", "application/json"), ("authorization", token.as_str())];
    let notice = json!({"do": "notify", "args": {"text": "A parcel waits."}}).to_string();
    let path = "/v1/players/bob/commands";
    assert_eq!(http.request("POST", path, &headers, &notice).await.unwrap().status, 200);
    let mut bob = Bot::enter(&server.ws(), "bob", Some("Bob the Bold")).await.unwrap();
    act(&mut bob, join("dungeon-7")).await;
    act(&mut alice, attack("bob")).await;
    act(&mut alice, Verb::LeaveRoom {}).await;
    act(&mut alice, Verb::Logout {}).await;
    // The score's way to the leaderboard ends in a record of its own.
    eventually("the score on its way", PATIENCE, async || {
        let text = server.get("/v1/players/alice/history?limit=1000").await.body;
        text.contains("\"name\":\"scored\"").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_journals_hold_what_is_played() {
    let (_tokens, file) = tokens();
    let options = Options::default().admin().with(&["--service-token-file", &file]);
    let server = Server::start_with(options).await;
    play(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let admin = server.admin().to_string();
    let writes = std::env::var("HOLDFAST_WRITE_FIXTURES").is_ok_and(|on| on == "1");
    for (actor, file) in CAST {
        let args = ["history", actor, "--save", file, "--admin", &admin];
        let saved = command(dir.path()).args(args).output().await.unwrap();
        assert!(saved.status.success(), "{saved:?}");
        if writes {
            std::fs::copy(dir.path().join(file), folder().join(file)).unwrap();
        }
        let load = |folder: &Path| {
            let path = folder.join(file);
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
            read(&text).unwrap_or_else(|e| panic!("{file}: {e}"))
        };
        let (played, kept) = (load(dir.path()), load(&folder()));
        assert_eq!(check(&todays_kinds(), &played).unwrap().difference, None, "{file}");
        let missing: Vec<_> = names(&played).difference(&names(&kept)).cloned().collect();
        assert!(
            missing.is_empty(),
            "{file} lacks {missing:?}: see the head of server/src/tests/journals.rs"
        );
    }
}
