//! `holdfast demo`: a show of real processes that is really broken, by the buttons that its page has.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::server::PlayerState;
use loadtest::bot::Bot;
use loadtest::http::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use crate::scenario::{join, strike};
use crate::support::http::{Connection, EVENTS};
use crate::support::{PATIENCE, beside, binary, command, eventually, signal};

/// A show on a free port.
struct Demo {
    child: Child,
    front: SocketAddr,
    dir: TempDir,
    _turn: tokio::sync::RwLockReadGuard<'static, ()>,
}

impl Demo {
    /// Starts one, and waits until its page can be opened.
    async fn start(args: &str) -> Self {
        let turn = beside().await;
        let dir = tempfile::tempdir().unwrap();
        let front = SocketAddr::from(([127, 0, 0, 1], loadtest::port::free().unwrap()));
        let log = std::fs::File::create(dir.path().join("demo.log")).unwrap();
        let child = command(dir.path())
            .args(["demo", "--listen", &front.to_string()])
            .args(args.split_whitespace())
            // What it would leave there goes with the test.
            .env("TMPDIR", dir.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut demo = Self { child, front, dir, _turn: turn };
        eventually("the show's banner", PATIENCE, async || {
            let exit = demo.child.try_wait().unwrap();
            assert!(exit.is_none(), "the show ended with {exit:?}:\n{}", demo.said());
            demo.said().contains("stop      Ctrl-C").then_some(())
        })
        .await;
        demo
    }

    /// What it has said so far.
    fn said(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("demo.log")).unwrap()
    }

    fn ws(&self) -> String {
        format!("ws://{}/ws", self.front)
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}{path}", self.front);
        Client::default().get_json(&url).await.unwrap()
    }

    /// Where the buttons are.
    async fn control(&self) -> String {
        self.get("/v1/nodes").await["demo"]["control"].as_str().unwrap().to_owned()
    }

    async fn show(&self) -> Value {
        let url = format!("{}/show", self.control().await);
        Client::default().get_json(&url).await.unwrap()
    }

    async fn press(&self, button: &str, body: Value) -> Value {
        press(&self.control().await, button, body).await
    }

    /// Waits until so many players are in the arena, in which there are bots only.
    async fn bots(&self, count: u32) {
        eventually("the bots in the arena", PATIENCE, async || {
            let rooms = self.get("/v1/rooms").await;
            let rooms = rooms["rooms"].as_array().unwrap();
            let arena = rooms.iter().find(|room| room["room_id"] == "arena")?;
            (arena["player_count"] == count).then_some(())
        })
        .await;
    }

    async fn signal(&self, name: &str) {
        signal(self.child.id().unwrap(), name).await;
    }

    async fn exited(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("the show to end").unwrap()
    }
}

async fn press(control: &str, button: &str, body: Value) -> Value {
    let answer = Client::default().post(&format!("{control}/{button}"), None, None, &body).await;
    let answer = answer.unwrap();
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{button} {body}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// State and parent of a process, if there is one.
fn process(id: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// True until it has ended, whether or not anybody has asked how.
fn lives(id: &u32) -> bool {
    process(*id).is_some_and(|(state, _)| state != 'Z')
}

/// Whom a process has started.
fn children(parent: u32) -> Vec<u32> {
    let ids = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| process(*id).is_some_and(|(_, of)| of == parent)).filter(lives).collect()
}

/// The row of a gateway in `show`.
fn gateway<'a>(show: &'a Value, node: &str) -> &'a Value {
    let all = show["gateways"].as_array().unwrap();
    all.iter().find(|row| row["node"] == node).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_serves_the_page_and_has_life_in_it() {
    let mut demo = Demo::start("").await;
    let page = Connection::open(demo.front).await.unwrap().get("/").await.unwrap();
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<html"), "{}", page.body);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("connect-src 'self' http: https: ws: wss:;"), "{policy}");
    demo.bots(6).await;
    let show = demo.show().await;
    assert_eq!((&show["store"], &show["bots"]), (&json!("embedded"), &json!(6)));
    assert_eq!(show["returns_after_ms"], json!(1_000));
    assert_eq!(show["network"], json!({"cut_ms": 0, "delay_ms": 0, "jitter_ms": 0}));
    let row = gateway(&show, "gw-1");
    assert_eq!(row["state"], "running");
    let welcome = Bot::enter(&demo.ws(), "alice", None).await.unwrap();
    let gateways = &welcome.mirror().welcome.as_ref().unwrap().gateways;
    assert_eq!(json!(gateways), json!([row["url"]]));
    let pid = u32::try_from(row["pid"].as_u64().unwrap()).unwrap();
    let said = demo.said();
    let files = said.lines().find_map(|line| line.trim().strip_prefix("files     ")).unwrap();
    let files = PathBuf::from(files.split(" (").next().unwrap());
    assert!(files.join("gw-1.log").is_file(), "{said}");
    demo.signal("INT").await;
    let status = demo.exited().await;
    assert!(status.success(), "{status}: {}", demo.said());
    assert!(!files.exists(), "{} is still there", files.display());
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the gateway lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_the_page_kills_returns_with_everything_kept() {
    let demo = Demo::start("--bots 2 --returns-after-ms 300").await;
    let mut alice = Bot::enter(&demo.ws(), "alice", None).await.unwrap();
    alice.command(join("den")).await.unwrap();
    for _ in 0..5 {
        let practice = strike(MoveType::Attack, None, None);
        assert!(alice.command(practice).await.unwrap().result.is_ok());
    }
    let before: PlayerState = alice.query(Verb::GetState {}).await.unwrap();
    let first = gateway(&demo.show().await, "gw-1")["pid"].clone();
    let done = demo.press("kill", json!({"node": "gw-1"})).await;
    assert_eq!(gateway(&done["show"], "gw-1")["state"], "gone", "{done}");
    assert!(done["done_at_ms"].as_u64().unwrap() > 1_700_000_000_000, "{done}");
    let welcome = alice.resume_within(PATIENCE).await.unwrap();
    let activation = welcome.activation.expect("this resume brought the actor up");
    assert!((1..1_000).contains(&activation.records), "{activation:?}");
    assert!((0.0..20_000.0).contains(&activation.took_ms), "{activation:?}");
    let after: PlayerState = alice.query(Verb::GetState {}).await.unwrap();
    assert_eq!(
        (before.score, before.gold, before.inventory),
        (after.score, after.gold, after.inventory)
    );
    let again = alice.resume_within(PATIENCE).await.unwrap();
    assert_eq!(again.activation, None, "the actor was there");
    let show = demo.show().await;
    assert_eq!(gateway(&show, "gw-1")["state"], "running");
    assert_ne!(gateway(&show, "gw-1")["pid"], first);
    demo.bots(2).await;
    assert!(demo.said().contains("gw-1 serves again, after"), "{}", demo.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn players_of_a_killed_gateway_go_on_at_the_other_one() {
    let demo = Demo::start("--gateways 2 --bots 2 --returns-after-ms 500").await;
    let mut alice = Bot::enter(&demo.ws(), "alice", None).await.unwrap();
    let welcome = alice.mirror().welcome.clone().unwrap();
    assert_eq!(welcome.node, "gw-1", "the front door prefers the first");
    alice.know(welcome.gateways.iter().cloned());
    alice.command(join("den")).await.unwrap();
    demo.press("kill", json!({"node": "gw-1"})).await;
    let welcome = alice.resume_within(PATIENCE).await.unwrap();
    assert_eq!(welcome.node, "gw-2");
    assert!(welcome.activation.is_some(), "{welcome:?}");
    eventually("gw-1 to serve again", PATIENCE, async || {
        (gateway(&demo.show().await, "gw-1")["state"] == "running").then_some(())
    })
    .await;
    // Drained, it hands over: nobody has to wait for a lease.
    let draining = demo.press("drain", json!({"node": "gw-2"})).await;
    assert_eq!(gateway(&draining["show"], "gw-2")["state"], "draining");
    assert_eq!(alice.closed().await.unwrap(), Some(1012));
    let welcome = alice.resume_within(PATIENCE).await.unwrap();
    assert_eq!(welcome.node, "gw-1");
    demo.bots(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoilt_network_is_the_visitors_alone() {
    let demo = Demo::start("--bots 1").await;
    let (control, pid) = (demo.control().await, gateway(&demo.show().await, "gw-1")["pid"].clone());
    // A bot's own way, past the front door.
    let direct = direct_address(u32::try_from(pid.as_u64().unwrap()).unwrap());
    let mut visitor = Bot::enter(&demo.ws(), "visitor", None).await.unwrap();
    let mut local = Bot::enter(&format!("ws://{direct}/ws"), "local", None).await.unwrap();
    let shown = press(&control, "delay", json!({"delay_ms": 400, "jitter_ms": 0})).await;
    assert_eq!(shown["show"]["network"]["delay_ms"], 400);
    assert!(round_trip(&mut visitor).await >= Duration::from_millis(390));
    let near = round_trip(&mut local).await;
    assert!(near < Duration::from_millis(390), "the bots' way is delayed: {near:?}");
    press(&control, "delay", json!({"delay_ms": 0, "jitter_ms": 0})).await;
    let began = Instant::now();
    let cut = press(&control, "cut", json!({"ms": 2_000})).await;
    let left = cut["show"]["network"]["cut_ms"].as_u64().unwrap();
    assert!((1_000..=2_000).contains(&left), "{cut}");
    let near = round_trip(&mut local).await;
    assert!(near < Duration::from_millis(1_500), "the bots' way is cut: {near:?}");
    // A new connection hangs, too.
    Bot::enter(&demo.ws(), "late", None).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(1_900), "{:?}", began.elapsed());
    round_trip(&mut visitor).await;
    assert_eq!(demo.show().await["network"]["cut_ms"], 0);
}

async fn round_trip(bot: &mut Bot) -> Duration {
    let began = Instant::now();
    bot.command(Verb::GetStatus {}).await.unwrap();
    began.elapsed()
}

/// Where a gateway listens, as it was told.
fn direct_address(pid: u32) -> SocketAddr {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let at = words.iter().position(|word| word == "--listen").unwrap();
    words[at + 1].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_are_for_pages_of_the_show_that_know_its_token() {
    let demo = Demo::start("--bots 0").await;
    let control = demo.control().await;
    let rest = control.strip_prefix("http://").unwrap();
    let (address, token) = rest.split_once('/').unwrap();
    let mut http = Connection::open(address.parse().unwrap()).await.unwrap();
    let own = format!("http://{}", demo.front);
    let localhost = format!("http://localhost:{}", demo.front.port());
    let body = r#"{"ms": 1}"#;
    for (origin, token, kind, status) in [
        (own.as_str(), token, "application/json", 200),
        (&localhost, token, "application/json", 200),
        ("http://evil.test", token, "application/json", 403),
        ("null", token, "application/json", 403),
        (&own, "0", "application/json", 404),
        (&own, token, "text/plain", 415),
    ] {
        let headers = [("origin", origin), ("content-type", kind)];
        let path = format!("/{token}/cut");
        let answer = http.request("POST", &path, &headers, body).await.unwrap();
        assert_eq!(answer.status, status, "{origin} {path} {kind}: {}", answer.body);
        let shared = answer.header("access-control-allow-origin");
        assert_eq!(shared.is_some(), status != 403, "{origin}");
        if status != 200 {
            assert!(answer.json()["error"]["message"].as_str().unwrap().len() > 10);
        }
    }
    let headers = [("origin", own.as_str()), ("access-control-request-method", "POST")];
    let path = format!("/{token}/kill");
    let preflight = http.request("OPTIONS", &path, &headers, "").await.unwrap();
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-headers"), Some("content-type"));
    for (button, node, status) in [("kill", "gw-7", 404), ("drain", "gw-7", 404)] {
        let url = format!("{control}/{button}");
        let answer =
            Client::default().post(&url, None, None, &json!({"node": node})).await.unwrap();
        assert_eq!(answer.status, status);
    }
    demo.press("kill", json!({"node": "gw-1"})).await;
    let url = format!("{control}/drain");
    let gone = Client::default().post(&url, None, None, &json!({"node": "gw-1"})).await.unwrap();
    assert_eq!(gone.status, 409, "{:?}", gone.body);
}

/// What the page reads of the gateway that it has gone on at, from the front door's origin.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_front_door_reads_of_every_gateway() {
    let demo = Demo::start("--gateways 2 --bots 0").await;
    let _alice = Bot::enter(&demo.ws(), "alice", None).await.unwrap();
    let show = demo.show().await;
    let url = gateway(&show, "gw-2")["url"].as_str().unwrap();
    let way = url.trim_start_matches("ws://").trim_end_matches("/ws").parse().unwrap();
    let origin = format!("http://{}", demo.front);
    let mut http = Connection::open(way).await.unwrap();
    let asked = [
        ("origin", origin.as_str()),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization,last-event-id"),
    ];
    let path = "/v1/players/alice/history?follow=true";
    let preflight = http.request("OPTIONS", path, &asked, "").await.unwrap();
    let allowed = preflight.header("access-control-allow-headers").unwrap().to_owned();
    assert!(allowed.contains("authorization") && allowed.contains("last-event-id"), "{allowed}");
    let headers = [("origin", origin.as_str())];
    let nodes = http.request("GET", "/v1/nodes", &headers, "").await.unwrap();
    assert_eq!(nodes.header("access-control-allow-origin"), Some(origin.as_str()));
    assert_eq!(nodes.json()["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(nodes.json()["demo"]["control"], json!(demo.control().await));
    let headers = [("origin", origin.as_str()), ("last-event-id", "0")];
    let stream = http.request("GET", path, &headers, "").await.unwrap();
    assert_eq!(stream.header("content-type"), Some(EVENTS));
    assert_eq!(stream.header("access-control-allow-origin"), Some(origin.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_is_killed_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let args = format!("--gateways 2 --bots 1 --data-dir {}", data.path().display());
    let mut demo = Demo::start(&args).await;
    // Two gateways, a Redis, and whoever ends them.
    let started = children(demo.child.id().unwrap());
    assert_eq!(started.len(), 4, "{started:?}");
    demo.child.kill().await.unwrap();
    eventually("everything to have ended", PATIENCE, async || {
        (!started.iter().any(lives)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_directory_is_kept_and_goes_on_the_next_time() {
    let data = tempfile::tempdir().unwrap();
    let args = format!("--bots 0 --data-dir {}", data.path().display());
    let mut demo = Demo::start(&args).await;
    let alice = Bot::enter(&demo.ws(), "alice", Some("Alice the Brave")).await.unwrap();
    drop(alice);
    demo.signal("TERM").await;
    assert!(demo.exited().await.success());
    drop(demo);
    let demo = Demo::start(&args).await;
    let page = demo.get("/v1/players/alice").await;
    assert_eq!(page.pointer("/state/display_name"), Some(&json!("Alice the Brave")), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_demo_lacks_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.display().to_string();
    for (args, code, words) in [
        (vec!["--gateways", "2"], 1, "apt install redis-server"),
        (vec!["--gateways", "0"], 2, "a whole number from 1 to 8"),
        (vec!["--bots", "17"], 2, "a whole number from 0 to 16"),
        (vec!["--listen", "0.0.0.0:8080"], 2, "no address that a browser can go to"),
        (vec!["--listen", "here"], 2, "give IP:PORT"),
        (vec!["--listen", &taken], 1, "another server listens on"),
        (vec!["--data-dir", &file], 1, "--data-dir"),
    ] {
        let run = Command::new(binary())
            .arg("demo")
            .args(&args)
            .env("PATH", "")
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let done = timeout(PATIENCE, run).await.expect("it ends").unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.starts_with("holdfast: ") && said.contains(words), "{args:?}: {said}");
    }
}
