//! Starting and stopping: a drain says goodbye, a store has one process, and what can't be used
//! stops the start with a sentence.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::server::{PlayerState, WelcomeKind};
use loadtest::bot::{Bot, Error};
use loadtest::expect::Expected;
use tokio::time::timeout;

use crate::scenario::{join, strike};
use crate::support::{PATIENCE, Server, command};

/// How long a start that must fail may take.
const REFUSAL: Duration = Duration::from_secs(10);

/// Runs the server with arguments that it must refuse.
async fn refused(dir: &Path, args: &[&str]) -> String {
    let run = command(dir).args(args).output();
    let Output { status, stderr, .. } =
        timeout(REFUSAL, run).await.unwrap_or_else(|_| panic!("{args:?} was accepted")).unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(!status.success(), "{args:?}: exit {status}, {said}");
    assert!(!said.contains("panicked"), "{args:?}: {said}");
    assert!(said.trim().len() > 10, "{args:?}: no sentence, but {said:?}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_drains_and_a_second_start_goes_on() {
    let mut server = Server::start().await;
    let mut alice = Bot::enter(&server.ws(), "alice", None).await.unwrap();
    assert!(alice.command(join("den")).await.unwrap().result.is_ok());
    for _ in 0..20 {
        alice.send(strike(MoveType::Attack, None, None)).await.unwrap();
    }
    server.signal("INT").await;
    assert_eq!(alice.closed().await.unwrap(), Some(1012));
    assert!(alice.mirror().draining, "drain was not announced");
    let status = server.exited().await;
    assert!(status.success(), "{status}");
    let gone = Bot::connect(&server.ws()).await.unwrap_err();
    assert!(gone.is_lost(), "{gone}");

    server.start_again().await;
    let welcome = alice.resume_within(PATIENCE).await.unwrap();
    assert_ne!(welcome.kind, WelcomeKind::Welcome);
    for id in alice.ledger().open() {
        assert!(alice.reply(id).await.unwrap().result.is_ok());
    }
    let state: PlayerState = alice.query(Verb::GetState {}).await.unwrap();
    assert_eq!(state.total_actions_count, 21);
    assert!(Expected::of(alice.ledger()).unwrap().differences(&state).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_though_a_client_never_closes() {
    let mut server = Server::start().await;
    let mut deaf = Bot::enter(&server.ws(), "deaf", None).await.unwrap();
    server.stop().await;
    let heard = deaf.wait_for("the close", |_| false).await.unwrap_err();
    assert!(matches!(heard, Error::Closed(Some(1012))), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_one_process() {
    let server = Server::start().await;
    let mut args = server.args();
    let listen = args.iter().position(|arg| arg == "--listen").unwrap();
    args[listen + 1] = "127.0.0.1:0".to_owned();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let elsewhere = tempfile::tempdir().unwrap();
    let said = refused(elsewhere.path(), &args).await;
    let store = server.store_dir().display().to_string();
    assert!(said.contains(&store), "it does not name the directory: {said}");
    Bot::enter(&server.ws(), "alice", None).await.expect("the first process goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_stops_the_start() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let listen = server.addr().to_string();
    let args = ["serve", "--listen", &listen, "--admin-listen", "off", "--store", "embedded:mine"];
    let said = refused(dir.path(), &args).await;
    assert!(said.contains(&listen), "it does not name the address: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_cannot_be_used_stop_the_start_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["--no-such-option"], "no-such-option"),
        (&["serve", "--guests", "maybe"], "guests"),
        (&["serve", "--listen", "nowhere"], "listen"),
        (&["serve", "--store", "floppy:a"], "store"),
        (&["serve", "--beat-ms", "0"], "beat-ms"),
        (&["serve", "--room-capacity", "many"], "room-capacity"),
        // The same address for two listeners.
        (&["serve", "--listen", "127.0.0.1:9", "--admin-listen", "127.0.0.1:9"], "admin-listen"),
    ];
    for (args, named) in cases {
        let said = refused(dir.path(), args).await;
        assert!(said.contains(named), "{args:?}: {named} is not named in {said}");
    }
    assert!(!dir.path().join("holdfast-data").exists(), "a refused start made a store");
}

#[tokio::test(flavor = "multi_thread")]
async fn dump_config_shows_each_value_and_where_it_came_from() {
    let dir = tempfile::tempdir().unwrap();
    let mut holdfast = command(dir.path());
    holdfast.env("HOLDFAST_ROOM_CAPACITY", "7").args(["--node", "gw-9", "--dump-config"]);
    let output = timeout(REFUSAL, holdfast.output()).await.expect("it to end").unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let line = |key: &str| {
        let found = said.lines().find(|line| line.trim_start().starts_with(key));
        found.unwrap_or_else(|| panic!("{key} is not in {said}")).to_owned()
    };
    assert!(line("node").contains("gw-9"), "{said}");
    let capacity = line("room");
    assert!(capacity.contains('7') && capacity.contains("HOLDFAST_ROOM_CAPACITY"), "{said}");
    assert!(said.contains("default"), "{said}");
}
