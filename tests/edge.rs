//! The edge among other nodes: what it does while its node can't serve, whom it shows, and that
//! a socket goes on while the runtime has no room. In the test's own process, so that the test
//! says how the node stands and what time it is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use holdfast::actor::activity::Activities;
use holdfast::actor::contract::View;
use holdfast::actor::envelope::Nearby;
use holdfast::actor::handle::{Config as RuntimeConfig, Parts, Runtime};
use holdfast::clock::Clock;
use holdfast::gateway::{
    self, Board, Config, Directory, Gateway, Hub, Live, NodeRow, Peer, Standing,
};
use holdfast_protocol::ids::{ActorId, PlayerId};
use holdfast_protocol::server::TopRow;
use loadtest::socket::{Handshake, Incoming, JSON, Socket};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::inproc::kinds;
use crate::support::http::{Connection, Response};
use crate::support::{PATIENCE, eventually};
use crate::toy::store::Bent;

#[derive(Debug)]
struct NoBoard;

impl Board for NoBoard {
    fn top(&self, _: usize) -> BoxFuture<'_, Vec<TopRow>> {
        async { Vec::new() }.boxed()
    }

    fn changes(&self) -> watch::Receiver<Arc<Vec<TopRow>>> {
        watch::channel(Arc::default()).1
    }
}

/// Shows views to the hub, as long as nobody holds the gate: then the worker stands still.
#[derive(Debug)]
struct Gated {
    hub: Hub,
    gate: Arc<Mutex<()>>,
    waits: Arc<AtomicBool>,
}

impl Nearby for Gated {
    fn view(&self, actor: &ActorId, epoch: u64, seq: u64, view: Option<View>) {
        if self.gate.try_lock().is_err() {
            self.waits.store(true, Ordering::SeqCst);
        }
        // What waits for this thread goes on elsewhere.
        tokio::task::block_in_place(|| drop(self.gate.lock()));
        self.hub.view(actor, epoch, seq, view);
    }

    fn broadcast(&self, actor: &ActorId, topic: &Arc<str>, message: Bytes) {
        self.hub.broadcast(actor, topic, message);
    }
}

/// Another node has every player; its operator can take the book away.
#[derive(Debug)]
struct Book(Arc<AtomicBool>);

impl Directory for Book {
    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeRow>, String>> {
        let row = |node: &str, alive| NodeRow {
            node: node.to_owned(),
            session: u64::MAX,
            address: format!("http://{node}"),
            version: "1".to_owned(),
            lease_age_ms: Some(7),
            alive,
            draining: false,
            activations: 3,
            sockets: 2,
        };
        let read = self.0.load(Ordering::SeqCst);
        let rows = vec![row("gw-1", true), row("gw-2", false)];
        async move { if read { Ok(rows) } else { Err("the store does not answer".to_owned()) } }
            .boxed()
    }

    fn holder(&self, _: &PlayerId) -> BoxFuture<'_, Result<Option<String>, String>> {
        async { Ok(Some("gw-2".to_owned())) }.boxed()
    }
}

struct House {
    clock: Clock,
    store: Bent,
    addr: SocketAddr,
    standing: watch::Sender<Standing>,
    live: watch::Sender<Arc<Live>>,
    gate: Arc<Mutex<()>>,
    waits: Arc<AtomicBool>,
    stop: CancellationToken,
    runtime: Runtime,
}

impl House {
    fn open() -> Self {
        Self::open_with(None)
    }

    fn open_with(directory: Option<Arc<dyn Directory>>) -> Self {
        let clock = Clock::movable();
        let store = Bent::new(&clock);
        let (hub, gate) = (Hub::new(), Arc::new(Mutex::new(())));
        let waits = Arc::new(AtomicBool::new(false));
        let nearby = Gated { hub: hub.clone(), gate: gate.clone(), waits: waits.clone() };
        let parts = Parts {
            store: store.shared(),
            kinds: kinds(holdfast::game::Settings::default()),
            activities: Activities::default(),
            nearby: Arc::new(nearby),
            clock: clock.clone(),
            fleet: None,
            index: None,
        };
        let config = RuntimeConfig { workers: 1, queue_len_max: 1, ..RuntimeConfig::default() };
        let runtime = Runtime::start(&config, parts);
        let listener = gateway::listen("127.0.0.1:0".parse().unwrap(), 64).unwrap();
        let addr = listener.local_addr().unwrap();
        let (standing, stands) = watch::channel(Standing::Serving);
        let (live, lives) = watch::channel(Arc::<Live>::default());
        let config = Config {
            standing: Some(stands),
            live: Some(lives),
            directory,
            clock: clock.clone(),
            ..Config::new(listener, "gw-1", b"a key".to_vec())
        };
        let health: gateway::Health = Arc::new(Vec::new);
        let edge = Gateway::new(config, runtime.clone(), hub, Arc::new(NoBoard), health);
        let stop = CancellationToken::new();
        tokio::spawn(edge.run(stop.clone()));
        Self { clock, store, addr, standing, live, gate, waits, stop, runtime }
    }

    fn bad(&self, standing: fn(u64) -> Standing) {
        self.standing.send_replace(standing(self.clock.now_ms()));
    }

    async fn get(&self, path: &str) -> Response {
        Connection::open(self.addr).await.unwrap().get(path).await.unwrap()
    }

    async fn socket(&self) -> Client {
        let handshake = Handshake { subprotocol: Some(JSON), origin: None };
        let url = format!("ws://{}/ws", self.addr);
        Client(Socket::open(&url, handshake, PATIENCE).await.unwrap())
    }

    /// A player who was welcomed; the welcome.
    async fn enter(&self, name: &str) -> (Client, Value) {
        let mut client = self.socket().await;
        client.hello(name).await;
        let welcome = client.until(|message| message["ev"] == "welcome").await;
        (client, welcome)
    }
}

struct Client(Socket);

impl Client {
    async fn say(&mut self, message: Value) {
        self.0.send_text(message.to_string()).await.unwrap();
    }

    async fn hello(&mut self, name: &str) {
        self.say(json!({"id": 1, "do": "hello", "args": {"player": name}})).await;
    }

    async fn strike(&mut self, id: u64) {
        self.say(json!({"id": id, "do": "execute_move", "args": {"move_type": "defend"}})).await;
    }

    /// The first message that is it.
    async fn until(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.0.next(PATIENCE).await.unwrap() {
                Incoming::Text(text) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if is(&message) {
                        return message;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }

    async fn answers_pings(&mut self, t: u64) {
        self.say(json!({"do": "ping", "args": {"t": t}})).await;
        self.until(|message| message["pong"] == t).await;
    }

    /// Messages until the close, and its code.
    async fn closed(&mut self) -> (Vec<Value>, Option<u16>) {
        let mut said = Vec::new();
        loop {
            match self.0.next(PATIENCE).await.unwrap() {
                Incoming::Text(text) => said.push(serde_json::from_str(&text).unwrap()),
                Incoming::Closed(code) => return (said, code),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_socket_answers_pings_while_the_runtime_has_no_room() {
    let house = House::open();
    let (mut alice, _) = house.enter("alice").await;
    let gate = house.gate.clone();
    let (held, open) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    // The gate is held on a thread of its own: a lock is not carried over a wait.
    let keeper = std::thread::spawn(move || {
        let _closed = gate.lock().unwrap();
        held.0.send(()).unwrap();
        let _ = open.1.recv();
    });
    held.1.recv().unwrap();
    alice.strike(1).await;
    eventually("the worker to stand still", PATIENCE, async || {
        house.waits.load(Ordering::SeqCst).then_some(())
    })
    .await;
    // One finds the last place of the queue, one is stuck, and one waits behind it.
    for id in 2..=4 {
        alice.strike(id).await;
        alice.answers_pings(id).await;
    }
    open.0.send(()).unwrap();
    keeper.join().unwrap();
    // Others are shown the first before it is answered, so its worker stood still over the answer.
    for id in 1..=4 {
        let answer = alice.until(|message| message["id"].is_u64()).await;
        assert_eq!((&answer["id"], answer["ok"].is_object()), (&json!(id), true), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_waits_until_the_node_serves() {
    let house = House::open();
    let (mut alice, _) = house.enter("alice").await;
    house.bad(Standing::Held);
    let ready = house.get("/health/ready").await;
    assert_eq!((ready.status, house.get("/health/live").await.status), (503, 200));
    assert!(ready.body.contains("the store does not take writes"), "{}", ready.body);
    let mut bob = house.socket().await;
    bob.hello("bob").await;
    bob.say(json!({"id": 1, "do": "get_status", "args": {}})).await;
    bob.answers_pings(5).await;
    alice.answers_pings(6).await;
    house.standing.send_replace(Standing::Serving);
    bob.until(|message| message["ev"] == "welcome").await;
    bob.until(|message| message["id"] == 1 && message["ok"]["status"] == "online").await;
    assert_eq!(house.get("/health/ready").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_hold_a_hello_is_refused_and_commands_in_doubt_end_their_socket() {
    let house = House::open();
    let (mut alice, _) = house.enter("alice").await;
    let (mut idle, _) = house.enter("idle").await;
    Bent::turn(&house.store.switches().stalled, true);
    house.bad(Standing::Held);
    alice.strike(1).await;
    let mut bob = house.socket().await;
    bob.hello("bob").await;
    bob.answers_pings(5).await;
    alice.answers_pings(6).await;
    house.clock.advance(8_000);
    let (said, code) = bob.closed().await;
    let last = said.last().unwrap();
    assert_eq!(
        (&last["err"]["code"], &last["err"]["retry"], code),
        (&json!("busy"), &json!(true), Some(4000))
    );
    assert_eq!(alice.closed().await.1, Some(4000));
    idle.answers_pings(7).await;
    // Who comes now is told at once.
    let mut carol = house.socket().await;
    carol.hello("carol").await;
    let (said, code) = carol.closed().await;
    assert_eq!((&said[0]["err"]["code"], code), (&json!("busy"), Some(4000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_node_lets_all_its_sockets_go_after_the_hold() {
    let house = House::open();
    let (mut alice, _) = house.enter("alice").await;
    house.bad(Standing::Frozen);
    let mut bob = house.socket().await;
    bob.hello("bob").await;
    bob.answers_pings(1).await;
    alice.answers_pings(2).await;
    house.clock.advance(8_000);
    assert_eq!(alice.closed().await.1, Some(4001));
    let (said, code) = bob.closed().await;
    assert_eq!((&said[said.len() - 1]["err"]["code"], code), (&json!("busy"), Some(4001)));
    assert_eq!(house.get("/health/live").await.status, 200);
}

fn others(list: &[(&str, bool)]) -> Arc<Live> {
    let peer = |(url, draining): &(&str, bool)| Peer {
        session: 2,
        url: (*url).to_owned(),
        draining: *draining,
    };
    Arc::new(Live { own: 1, others: list.iter().map(peer).collect() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_welcome_names_the_gateways_that_take_sockets() {
    let house = House::open();
    let own = format!("ws://{}/ws", house.addr);
    let (_alice, welcome) = house.enter("alice").await;
    assert_eq!(welcome["gateways"], json!([own]));
    house.live.send_replace(others(&[("ws://two/ws", false), ("ws://three/ws", true)]));
    let (_bob, welcome) = house.enter("bob").await;
    assert_eq!(welcome["gateways"], json!([own, "ws://two/ws"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_sends_everybody_elsewhere_at_once() {
    let house = House::open();
    house.live.send_replace(others(&[("ws://two/ws", false)]));
    let (mut alice, _) = house.enter("alice").await;
    house.stop.cancel();
    let (said, code) = alice.closed().await;
    let drain = said.iter().find(|message| message["ev"] == "drain").expect("a drain event");
    assert!(drain["retry_after_ms"].as_u64().unwrap() < 100, "{drain}");
    assert_eq!(code, Some(1012));
    house.runtime.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_alone_is_listed_and_holds_everybody() {
    let house = House::open();
    let (_alice, welcome) = house.enter("alice").await;
    let nodes = house.get("/v1/nodes").await.json();
    let node = &nodes["nodes"][0];
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&node["node"], &node["alive"], &node["draining"]),
        (&json!("gw-1"), &json!(true), &json!(false))
    );
    assert_eq!((&node["sockets"], &node["activations"]), (&json!(1), &json!(1)));
    assert_eq!(node["lease_age_ms"], json!(null));
    let player = house.get("/v1/players/alice").await.json();
    assert_eq!((&player["node"], &player["epoch"]), (&json!("gw-1"), &welcome["epoch"]));
    assert_eq!(player["state"]["player_id"], "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_tells_which_node_holds_whom() {
    let reads = Arc::new(AtomicBool::new(true));
    let house = House::open_with(Some(Arc::new(Book(reads.clone()))));
    let (_alice, _) = house.enter("alice").await;
    assert_eq!(house.get("/v1/players/alice").await.json()["node"], "gw-2");
    let nodes = house.get("/v1/nodes").await.json();
    let second = &nodes["nodes"][1];
    assert_eq!((&second["node"], &second["alive"]), (&json!("gw-2"), &json!(false)));
    assert_eq!(second["session"], json!(u64::MAX.to_string()), "beyond what JSON numbers hold");
    assert_eq!(second["lease_age_ms"], 7);
    reads.store(false, Ordering::SeqCst);
    let refused = house.get("/v1/nodes").await;
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("the store does not answer; try again"), "{}", refused.body);
}
