//! The edge: sockets, HTTP, and what is shown of the world.
//!
//! Holds nothing that a resume can't rebuild. Reading order, pure: [`session`] (one socket's
//! conversation), [`batch`] (input until the next beat), [`view`] (what changed in a room),
//! `coins` (what lies there), `speak` and `lines` (deliveries as JSON and as human lines). I/O: `accept` (TCP), `http`
//! (routes), `assets` (the page), [`auth`] (tokens and origins), [`limit`] (who is let in),
//! `socket` with `ask` and `tell` (one task a connection), `beat` (input to the runtime), [`hub`]
//! and `seat` (who sees what), [`board`] (the leaderboard), [`nodes`] (who else there is), [`finder`] (sessions by a
//! query), `past` (what has happened to players), [`counters`]. Between nodes: [`relay`] (what carries it), [`news`] (what is carried),
//! [`exchange`] (one room's traffic), [`standing`] (whether this node may serve).
//!
//! Shutdown: take no more sockets, tell each to come back elsewhere (`drain`, then 1012), wait
//! for them with a deadline; health answers to the end.

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use holdfast_protocol::edge::Request;
use holdfast_protocol::frame;
use holdfast_protocol::ids::RoomId;
use holdfast_protocol::server::{RoomInfo, TopRow};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actor::archive::Archive;
use crate::actor::contract::Origin;
use crate::actor::envelope::Call;
use crate::actor::handle::Runtime;
use crate::clock::Clock;

mod accept;
mod ask;
mod assets;
pub mod auth;
pub mod batch;
mod beat;
pub mod board;
mod coins;
pub mod counters;
mod dealing;
pub mod exchange;
pub mod finder;
mod http;
pub mod hub;
pub mod limit;
mod lines;
pub mod news;
pub mod nodes;
mod past;
pub mod relay;
mod seat;
pub mod session;
mod socket;
mod speak;
pub mod standing;
pub mod strain;
mod tell;
pub mod tempo;
pub mod view;

pub use accept::listen;
pub use auth::Guests;
pub use board::Board;
pub use counters::Counters;
pub use finder::SessionIndex;
pub use hub::Hub;
pub use limit::Limits;
pub use nodes::{Directory, NodeRow};
pub use relay::{Live, Peer, Relay};
pub use standing::Standing;

use auth::{Auth, Origins};
use beat::Beat;
use limit::Door;
use past::Past;
use seat::Mark;
use standing::Patience;
use tempo::{Stretch, Tempo};

/// How many sockets are told to go at once, and how far apart.
const DRAIN_BATCH: usize = 256;
const DRAIN_PAUSE_MS: u64 = 20;
/// How long the leaderboard waits for the store, in milliseconds.
const TOP_PATIENCE_MS: u64 = 1_000;
/// How often quiet addresses are forgotten, in milliseconds.
const SWEEP_MS: u64 = 60_000;

/// Why this node is not ready, for people; empty when it is.
pub type Health = Arc<dyn Fn() -> Vec<String> + Send + Sync>;
/// How many players a room holds.
pub type RoomCapacity = Arc<dyn Fn(&RoomId) -> u32 + Send + Sync>;

/// What the edge is told at start.
pub struct Config {
    /// Already bound, see [`listen`].
    pub listener: TcpListener,
    /// This node's name.
    pub node: String,
    /// The WebSocket URL under which clients reach this node; `None`: as the request called it.
    pub advertise: Option<String>,
    /// The other live nodes; `None`: there are none.
    pub live: Option<watch::Receiver<Arc<Live>>>,
    /// How this node stands with its store; `None`: it always serves.
    pub standing: Option<watch::Receiver<Standing>>,
    /// Which nodes hold what; `None`: this one holds everything.
    pub directory: Option<Arc<dyn Directory>>,
    /// Finds sessions by their attributes; `None`: nobody can.
    pub sessions: Option<Arc<dyn SessionIndex>>,
    /// Where histories of players are read; `None`: none are shown.
    pub archive: Option<Archive>,
    /// Whether callers may name themselves.
    pub guests: Guests,
    /// Foreign pages that may connect and read.
    pub allow_origins: Vec<String>,
    /// Where pages find the buttons of the demo that this node is part of.
    pub demo_control: Option<String>,
    /// Signs tokens; the same on every gateway.
    pub token_key: Vec<u8>,
    /// How long session tokens live, in milliseconds.
    pub token_life_ms: u64,
    /// Each opens everything that services may do.
    pub service_tokens: Vec<String>,
    /// How long input waits to be batched.
    pub beat: Stretch,
    /// Time between room frames.
    pub frame: Stretch,
    /// Time between full room frames, in milliseconds.
    pub full_frame_ms: u64,
    /// Least time between leaderboard events, in milliseconds.
    pub board_ms: u64,
    /// How long a hello may wait for its answer (doubt, stall, freeze), in milliseconds.
    pub hold_ms: u64,
    /// How many players a room holds.
    pub room_capacity: RoomCapacity,
    /// Who is let in, and how much each may ask.
    pub limits: Limits,
    /// The node's clock.
    pub clock: Clock,
}

impl Config {
    /// The defaults around what has none.
    #[must_use]
    pub fn new(listener: TcpListener, node: impl Into<String>, token_key: Vec<u8>) -> Self {
        Self {
            listener,
            node: node.into(),
            advertise: None,
            live: None,
            standing: None,
            directory: None,
            sessions: None,
            archive: None,
            guests: Guests::Open,
            allow_origins: Vec::new(),
            demo_control: None,
            token_key,
            token_life_ms: auth::TOKEN_LIFE_MS,
            service_tokens: Vec::new(),
            beat: Stretch { least_ms: 10, most_ms: 100 },
            frame: Stretch { least_ms: 50, most_ms: 100 },
            full_frame_ms: 5_000,
            board_ms: 2_000,
            hold_ms: 8_000,
            room_capacity: Arc::new(|_| 20),
            limits: Limits::default(),
            clock: Clock::system(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("node", &self.node)
            .field("guests", &self.guests)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What every route and socket shares.
struct Edge {
    node: String,
    advertise: Option<String>,
    live: Option<watch::Receiver<Arc<Live>>>,
    standing: Option<watch::Receiver<Standing>>,
    directory: Option<Arc<dyn Directory>>,
    sessions: Option<Arc<dyn SessionIndex>>,
    past: Option<Past>,
    demo_control: Option<String>,
    /// Names this run where there is no membership.
    session: u64,
    origins: Origins,
    room_capacity: RoomCapacity,
    limits: Limits,
    full_frame_ms: u64,
    hold_ms: u64,
    clock: Clock,
    runtime: Runtime,
    hub: Hub,
    board: Arc<dyn Board>,
    health: Health,
    auth: Auth,
    door: Arc<Door>,
    beat: Beat,
    counters: Arc<Counters>,
    tempo: Tempo,
    sockets: TaskTracker,
    draining: AtomicBool,
    connections: AtomicU64,
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "edge of {}", self.node)
    }
}

impl Edge {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// The WebSocket URLs of the other live gateways that take sockets.
    fn peers(&self) -> Vec<String> {
        let live = self.live();
        let open = live.others.iter().filter(|peer| !peer.draining);
        open.map(|peer| peer.url.clone()).collect()
    }

    fn live(&self) -> Arc<Live> {
        self.live.as_ref().map_or_else(Arc::default, |live| live.borrow().clone())
    }

    fn standing(&self) -> Standing {
        self.standing.as_ref().map_or(Standing::Serving, |standing| *standing.borrow())
    }

    /// How long sockets wait from now on.
    fn patience(&self) -> Patience {
        self.standing().judge(self.clock.now_ms(), self.hold_ms)
    }

    /// The rooms that this node sees, and how full they are.
    fn rooms(&self) -> Vec<RoomInfo> {
        self.hub.rooms().into_iter().map(|(id, len)| self.room(id, len as u64)).collect()
    }

    fn room(&self, room_id: RoomId, members: u64) -> RoomInfo {
        RoomInfo {
            room_name: format!("Room {room_id}"),
            player_count: u32::try_from(members).unwrap_or(u32::MAX),
            max_players: (self.room_capacity)(&room_id),
            room_id,
        }
    }

    /// The best players; the last known of them while the store does not answer.
    async fn top(&self, limit: usize) -> Vec<TopRow> {
        tokio::select! {
            biased;
            top = self.board.top(limit) => top,
            () = self.clock.sleep_ms(TOP_PATIENCE_MS) => {
                self.board.changes().borrow().iter().take(limit).cloned().collect()
            }
        }
    }

    /// True when a page of `origin` may ask a node that was called `host`.
    fn allows(&self, origin: &str, host: Option<&str>) -> bool {
        self.origins.allow(origin, host)
            || Origins::new(self.live().others.iter().map(|peer| &*peer.url)).allow(origin, None)
    }
}

/// The edge, before it runs.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    board_ms: u64,
    edge: Arc<Edge>,
}

/// What others may ask of a running edge. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    edge: Arc<Edge>,
}

impl Handle {
    /// What the edge counted since it started.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.edge.counters
    }

    /// Sockets that are open now.
    #[must_use]
    pub fn connections_len(&self) -> usize {
        self.edge.door.len()
    }

    /// True once the edge lets its sockets go.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.edge.is_draining()
    }

    /// How busy this node's workers are, in thousandths of their time.
    #[must_use]
    pub fn busy(&self) -> u32 {
        self.edge.tempo.busy()
    }

    /// Signs a session token; the second is its end, in Unix milliseconds.
    #[must_use]
    pub fn issue_token(&self, player: &holdfast_protocol::ids::PlayerId) -> (String, u64) {
        self.edge.auth.issue(player, self.edge.clock.now_ms())
    }
}

impl Gateway {
    /// Puts the edge together; nothing is served before [`Gateway::run`].
    #[must_use]
    pub fn new(
        config: Config,
        runtime: Runtime,
        hub: Hub,
        board: Arc<dyn Board>,
        health: Health,
    ) -> Self {
        let counters = Arc::<Counters>::default();
        let named = config.allow_origins.iter().chain(&config.advertise).map(String::as_str);
        let edge = Edge {
            origins: Origins::new(named),
            auth: Auth::new(&config.token_key, config.guests, &config.service_tokens)
                .token_life_ms(config.token_life_ms),
            door: Door::new(&config.limits),
            beat: Beat::new(runtime.clone(), counters.clone()),
            tempo: Tempo::new(config.beat, config.frame),
            node: config.node,
            advertise: config.advertise,
            live: config.live,
            standing: config.standing,
            directory: config.directory,
            sessions: config.sessions,
            past: config.archive.map(Past::new),
            demo_control: config.demo_control,
            session: rand::random(),
            room_capacity: config.room_capacity,
            limits: config.limits,
            full_frame_ms: config.full_frame_ms,
            hold_ms: config.hold_ms,
            clock: config.clock,
            runtime,
            hub,
            board,
            health,
            counters,
            sockets: TaskTracker::new(),
            draining: AtomicBool::new(false),
            connections: AtomicU64::new(0),
        };
        Self { listener: config.listener, board_ms: config.board_ms, edge: Arc::new(edge) }
    }

    /// What others may ask of this edge.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { edge: self.edge.clone() }
    }

    /// Serves until it is told to stop, then lets every socket go. Until the last is gone new
    /// sockets are refused and health still answers, with 503.
    ///
    /// # Errors
    /// The listener can't be used.
    pub async fn run(self, shutdown: CancellationToken) -> std::io::Result<()> {
        let Self { listener, board_ms, edge } = self;
        let stop = CancellationToken::new();
        let clock = edge.clock.clone();
        let parts = TaskTracker::new();
        parts.spawn(edge.tempo.clone().run(clock.clone(), stop.clone()));
        parts.spawn(edge.hub.clone().run(clock.clone(), edge.tempo.clone(), stop.clone()));
        parts.spawn(edge.beat.clone().run(clock.clone(), edge.tempo.clone(), stop.clone()));
        parts.spawn(show_board(edge.clone(), board_ms, stop.clone()));
        parts.spawn(reach(edge.clone(), stop.clone()));
        parts.spawn(sweep(edge.clone(), stop.clone()));
        parts.spawn(watch_standing(edge.clone(), stop.clone()));
        let until_drained = async {
            shutdown.cancelled().await;
            drain(&edge).await;
            stop.cancel();
        };
        let serving = accept::serve(listener, edge.clone(), stop.clone());
        let (served, ()) = tokio::join!(
            async {
                let served = serving.await;
                // A listener that fails ends the rest too.
                shutdown.cancel();
                served
            },
            until_drained
        );
        parts.close();
        parts.wait().await;
        served
    }
}

/// Shows the leaderboard to every socket when it changed, at most every `board_ms`.
async fn show_board(edge: Arc<Edge>, board_ms: u64, stop: CancellationToken) {
    let mut changes = edge.board.changes();
    let watches = async {
        while changes.changed().await.is_ok() {
            let rows = changes.borrow_and_update().clone();
            let top = rows
                .iter()
                .map(|row| (row.player.as_str(), row.name.as_str(), row.score, row.rank));
            edge.hub.show_board(Bytes::from(frame::leaderboard(top.take(board::TOP_LEN))));
            edge.clock.sleep_ms(board_ms).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = watches => {}
    }
}

/// Tells players' actors which coins are in their reach, until it is told to stop.
async fn reach(edge: Arc<Edge>, stop: CancellationToken) {
    let Some(mut reaches) = edge.hub.reaches() else { return };
    let passes = async {
        while let Some((actor, coin)) = reaches.recv().await {
            let payload = beat::encode(&Request::Reach { coin });
            let (origin, signal) = (Origin::Service, true);
            let call = Call { origin, key: None, payload, creates: false, signal };
            edge.runtime.hint(&actor, call).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = passes => {}
    }
}

async fn sweep(edge: Arc<Edge>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = edge.clock.sleep_ms(SWEEP_MS) => edge.door.sweep(),
        }
    }
}

/// Tells every socket when the node's standing changes, and when it has been bad for too long.
async fn watch_standing(edge: Arc<Edge>, stop: CancellationToken) {
    let Some(mut standing) = edge.standing.clone() else { return };
    loop {
        let now = *standing.borrow_and_update();
        let waits = now.judge(edge.clock.now_ms(), edge.hold_ms) == Patience::Wait;
        for batch in edge.hub.seats().chunks(DRAIN_BATCH) {
            batch.iter().for_each(|seat| seat.mark(Mark::Standing));
            if now != Standing::Serving && !waits {
                // All of them may close.
                edge.clock.sleep_ms(DRAIN_PAUSE_MS).await;
            }
        }
        let over_ms = now.since_ms().filter(|_| waits).map(|ms| ms.saturating_add(edge.hold_ms));
        tokio::select! {
            () = stop.cancelled() => return,
            changed = standing.changed() => if changed.is_err() { return },
            () = edge.clock.sleep_until(over_ms.unwrap_or(u64::MAX)) => {}
        }
    }
}

/// Lets every socket go, a batch at a time, and waits for the last with a deadline.
async fn drain(edge: &Edge) {
    edge.draining.store(true, Ordering::Release);
    edge.sockets.close();
    let seats = edge.hub.seats();
    tracing::info!(sockets = seats.len(), "letting sockets go");
    for batch in seats.chunks(DRAIN_BATCH) {
        batch.iter().for_each(|seat| seat.mark(Mark::Drain));
        edge.clock.sleep_ms(DRAIN_PAUSE_MS).await;
    }
    // Those that came in between.
    edge.hub.seats().iter().for_each(|seat| seat.mark(Mark::Drain));
    let deadline = Duration::from_millis(edge.limits.drain_deadline_ms);
    if tokio::time::timeout(deadline, edge.sockets.wait()).await.is_err() {
        tracing::warn!(sockets = edge.door.len(), "gave up waiting for sockets");
        edge.hub.seats().iter().for_each(|seat| seat.connection.cut());
    }
}
