//! The load test's verifier finds what it is for: on a store that loses one acknowledged record in
//! so many, has one twice, or has one in an older term's name, it names the promise and the
//! player, and shows the record; so it does where a trade brings one side less than it was told. On
//! one that does none of it, it finds nothing.

mod market;
mod runs;
mod store;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;
use holdfast::clock::Clock;
use holdfast::config::{Settings, StoreChoice};
use holdfast::node::Node;
use holdfast::store::embedded::Embedded;
use holdfast_protocol::client::{ClientMessage, MoveType, Verb};
use holdfast_protocol::server::{Event, ServerMessage};
use loadtest::http::Client;
use loadtest::load::account::{Account, Closed};
use loadtest::load::mind::Names;
use loadtest::load::orders::{Verification, Verified};
use loadtest::result::Violation;
use loadtest::socket::{Handshake, Socket};
use loadtest::verify::{verify, verify_rooms};
use loadtest::walk;
use loadtest::wire::Wire;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::support::PATIENCE;
use store::{Crime, Saboteur};

const NAMES: Names = Names { seed: 0x5ab0 };
const PLAYERS: u32 = 4;
/// Commands of each, the join that comes first among them.
const COMMANDS: u64 = 12;
/// Of so many moves one is spoilt: two of them all.
const EVERY: u64 = 20;
const WIRE: Wire = Wire::Json;

fn settings(dir: &Path) -> Settings {
    let any = "127.0.0.1:0".parse().unwrap();
    Settings {
        listen: any,
        admin_listen: Some(any),
        store: StoreChoice::Embedded(dir.to_owned()),
        data_dir: dir.to_owned(),
        commands_per_s: 1_000,
        movement_clock: false,
        linkdead_ms: 600_000,
        ..Settings::default()
    }
}

/// One player's whole life, on one socket.
struct Player {
    account: Account,
    socket: Socket,
}

impl Player {
    async fn enter(url: &str, nth: u32) -> Self {
        let handshake = Handshake { subprotocol: Some(WIRE.subprotocol()), origin: None };
        let socket = Socket::open(url, handshake, PATIENCE).await.unwrap();
        let account = Account::new(NAMES.player(nth).unwrap());
        let mut player = Self { account, socket };
        player.say(&player.account.greeting()).await;
        match player.hear().await {
            ServerMessage::Welcome(welcome) => player.account.welcome(*welcome),
            other => panic!("no welcome: {other:?}"),
        }
        player
    }

    async fn say(&mut self, message: &ClientMessage) {
        self.socket.send(WIRE.say(message)).await.unwrap();
    }

    async fn hear(&mut self) -> ServerMessage {
        let message = timeout(PATIENCE, self.socket.hear()).await.expect("no message in time");
        WIRE.read(&message.unwrap()).unwrap()
    }

    /// Until everything that was sent has an outcome.
    async fn settle(&mut self) {
        let mut settled = Vec::new();
        while !self.account.is_settled() {
            match self.hear().await {
                ServerMessage::Event(Event::Room(frame)) => self.account.room(frame, &mut settled),
                message => self.account.hear(message, &mut settled),
            }
        }
    }

    async fn ask(&mut self, verb: Verb) {
        let message = self.account.ask(verb, Instant::now());
        self.say(&message).await;
    }

    /// Command after step after command, so that no record has two of them.
    async fn live(mut self) -> Closed {
        self.ask(Verb::JoinRoom { room_id: NAMES.room(0).unwrap() }).await;
        self.settle().await;
        for nth in 1..COMMANDS {
            let (move_type, target_player_id, event_id) = (MoveType::Attack, None, None);
            self.ask(Verb::ExecuteMove { move_type, target_player_id, event_id }).await;
            self.settle().await;
            let step = walk::step_of(nth);
            let seq = self.account.walk(step, Instant::now());
            self.socket.send(WIRE.input(seq, step)).await.unwrap();
            self.settle().await;
        }
        self.socket.close().await.unwrap();
        self.account.close()
    }
}

/// A node on a store that is not to be trusted, and what its players were promised.
struct Stage {
    dir: TempDir,
    node: Node,
    store: Saboteur,
    /// By player.
    closed: Vec<Closed>,
}

fn open(dir: &Path) -> Arc<Embedded> {
    Arc::new(Embedded::open(dir, Clock::system()).unwrap())
}

async fn start(settings: &Settings, store: &Saboteur) -> Node {
    Node::start_on(settings, Arc::new(store.clone()), Clock::system()).await.unwrap()
}

/// All players at the same time.
async fn play(node: &Node) -> Vec<Closed> {
    let url = format!("ws://{}/ws", node.address);
    let lives = (0..PLAYERS).map(async |nth| Player::enter(&url, nth).await.live().await);
    join_all(lives).await
}

impl Stage {
    async fn played(crime: Option<Crime>) -> Self {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("holdfast.db");
        let store = Saboteur::new(open(dir.path()), file, crime, EVERY);
        let node = start(&settings(dir.path()), &store).await;
        let closed = play(&node).await;
        Self { dir, node, store, closed }
    }

    /// Stops the node and starts one that keeps its promises on what is stored.
    async fn restart(self) -> Self {
        let Self { dir, node, store, closed } = self;
        assert!(node.drain(10_000).await);
        let file = dir.path().join("holdfast.db");
        let honest = Saboteur::new(open(dir.path()), file, None, EVERY);
        let node = start(&settings(dir.path()), &honest).await;
        Self { dir, node, store, closed }
    }

    /// The players whose records were spoilt.
    fn victims(&self) -> BTreeSet<String> {
        let victims = self.store.victims();
        assert_eq!(victims.len() as u64, u64::from(PLAYERS) * (COMMANDS - 1) / EVERY);
        victims.into_iter().map(|(actor, _)| actor.key().to_owned()).collect()
    }

    /// Compares, and gives up the books.
    async fn verify(self) -> Verified {
        let Self { dir, node, closed, .. } = self;
        let admin = vec![format!("http://{}", node.admin_address.unwrap())];
        let origins = vec![format!("http://{}", node.address)];
        let http = Client::default();
        let asked = Verification { origins, retained: true, admin: admin.clone() };
        let mut done = 0;
        let mut verified = verify(&http, &asked, closed, Vec::new(), |now| done = now).await;
        assert_eq!((done, verified.players), (u64::from(PLAYERS), u64::from(PLAYERS)));
        let rooms = [NAMES.room(0).unwrap().to_string()];
        verified.add(verify_rooms(&http, &admin, &rooms).await);
        assert!(node.drain(10_000).await);
        drop(dir);
        verified
    }
}

/// Promises that were broken.
fn broken(verified: &Verified) -> Vec<(&str, u64)> {
    let checks = verified.checks.values().filter(|check| check.violations > 0);
    checks.map(|check| (check.name.as_str(), check.violations)).collect()
}

/// Whose.
fn players(violations: &[Violation], check: &str) -> BTreeSet<String> {
    let of = violations.iter().filter(|violation| violation.check == check);
    of.map(|violation| violation.player.clone()).collect()
}

/// Each violation of a check shows a line like this.
fn assert_shown(verified: &Verified, check: &str, what: impl Fn(&str) -> bool) {
    for violation in verified.violations.iter().filter(|one| one.check == check) {
        let lines = &violation.history;
        assert!(lines.len() <= 8 && lines.iter().any(|line| what(line)), "{violation:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_its_promises_has_no_findings() {
    let stage = Stage::played(None).await;
    let verified = stage.restart().await.verify().await;
    assert_eq!((broken(&verified), &verified.violations), (Vec::new(), &Vec::new()));
    assert_eq!((verified.unchecked, verified.dropped), (Vec::<String>::new(), 0));
    for check in verified.checks.values() {
        assert!(check.looked_at > 0, "{check:?}");
    }
    let looked_at = |name: &str| verified.checks[name].looked_at;
    let commands = u64::from(PLAYERS) * COMMANDS;
    assert_eq!((looked_at("lost"), looked_at("doubled")), (commands + 4, commands));
    assert_eq!((looked_at("state"), looked_at("place"), looked_at("capacity")), (4, 4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_known_is_said_and_is_no_finding() {
    let mut stage = Stage::played(None).await;
    // The same players once more: their former sessions are in nobody's books.
    stage.closed = play(&stage.node).await;
    stage.closed[0].unacknowledged = 2;
    let verified = stage.verify().await;
    assert_eq!((broken(&verified), &verified.violations), (Vec::new(), &Vec::new()));
    let [open, foreign, goods] = &verified.unchecked[..] else { panic!("{verified:#?}") };
    let compared = "were not compared (lt5ab0-";
    assert!(open.starts_with(&format!("the states of 1 player {compared}0): 2 ")), "{open}");
    assert!(foreign.starts_with(&format!("the states of 3 players {compared}1, ")), "{foreign}");
    assert!(foreign.contains("played 3 sessions that are not of this run"), "{foreign}");
    assert!(goods.starts_with("4 players left out of the sum of gold and items"), "{goods}");
    let commands = u64::from(PLAYERS) * COMMANDS;
    assert_eq!(verified.checks["lost"].looked_at, commands + 4);
    assert_eq!(verified.checks["doubled"].looked_at, commands * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loses_an_acknowledged_record_is_found() {
    let stage = Stage::played(Some(Crime::Drop)).await;
    let victims = stage.victims();
    let verified = stage.verify().await;
    let lost = verified.checks["lost"].violations;
    assert_eq!((broken(&verified), lost), (vec![("lost", lost)], 2), "{:#?}", verified.violations);
    assert_eq!(players(&verified.violations, "lost"), victims);
    assert_shown(&verified, "lost", |line| line.ends_with(": nothing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_applies_a_command_twice_is_found() {
    let stage = Stage::played(Some(Crime::Twice)).await;
    let victims = stage.victims();
    let verified = stage.restart().await.verify().await;
    assert_eq!(verified.checks["doubled"].violations, 2, "{:#?}", verified.violations);
    assert_eq!(players(&verified.violations, "doubled"), victims);
    assert_shown(&verified, "doubled", |line| line.matches("answered").count() == 2);
    assert_eq!(players(&verified.violations, "state"), victims, "{:#?}", verified.violations);
    let other = ["lost", "stale", "gaps", "order", "promises", "conserved", "capacity"];
    for check in other {
        assert_eq!(verified.checks[check].violations, 0, "{check}: {:#?}", verified.violations);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_the_word_of_a_former_owner_is_found() {
    let stage = Stage::played(Some(Crime::Stale)).await;
    let victims = stage.victims();
    let verified = stage.restart().await.verify().await;
    let whose = victims.len() as u64;
    assert_eq!(broken(&verified), [("stale", 2), ("state", whose)], "{:#?}", verified.violations);
    assert_eq!(players(&verified.violations, "stale"), victims);
    assert_eq!(players(&verified.violations, "state"), victims, "their journals can't be loaded");
    assert_shown(&verified, "stale", |line| line.contains("answered"));
}
