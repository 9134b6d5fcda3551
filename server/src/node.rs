//! The composition root: the one file that knows every part.
//!
//! Start: listeners are bound first, so that a busy port stops the start before anything is
//! claimed; then the store, the leaderboard, the runtime, the edge, the operators' listener.
//! Stop goes the other way: sockets are let go, actors are given up when what is in flight is
//! durable, the store is closed last.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use holdfast_protocol::ids::RoomId;
use holdfast_protocol::server::TopRow;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::activities::{self, board, notification::LogHook, rebuild};
use crate::actor::activity::Activities;
use crate::actor::archive::Archive;
use crate::actor::core;
use crate::actor::handle::{self, Runtime};
use crate::actor::index::Index;
use crate::actor::kind::{Kind, Kinds};
use crate::admin;
use crate::admin::audit as goods;
use crate::admin::audit::walk::Books;
use crate::admin::players::Auditor;
use crate::clock::Clock;
use crate::config::{ConfigError, Guests, Settings, read_secret, read_tokens, redis_address};
use crate::doctor::{self, SAMPLES_AT_START};
use crate::game;
use crate::gateway::tempo::Stretch;
use crate::gateway::{self, Gateway, Hub};
use crate::search::attribute::DeclareError;
use crate::store::embedded::Embedded;
use crate::store::fleet::Fleet;
use crate::store::redis::fleet::RedisFleet;
use crate::store::redis::{self, Redis};
use crate::store::{self, Store};
use crate::telemetry::measured::{Measured, Stall};
use crate::telemetry::metrics::Metrics;

mod numbers;
pub(crate) mod sessions;
mod shared;

use numbers::{watch_edge, watch_standing};
use sessions::Finder;
use shared::{Busy, Shared, standing};

/// What every key of this world begins with.
const NAMESPACE: &str = "hf";
/// The store's name for the key that signs tokens.
const TOKEN_KEY: &str = "token-key";

/// Why a node can't start. Reacts: the operator; each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A listener can't be opened.
    #[error("{0}")]
    Listen(io::Error),
    /// The store can't be opened.
    #[error("{0}")]
    Store(#[from] store::Error),
    /// The rules declare attributes that there can't be. A bug of the game's.
    #[error("the game's attributes can't be used: {0}")]
    Attributes(#[from] DeclareError),
    /// The Redis does not answer.
    #[error(transparent)]
    Unreachable(#[from] doctor::Unreachable),
    /// The Redis does not give what was asked for.
    #[error("the Redis can't be used as it is configured (holdfast doctor says more):\n  {0}")]
    Refused(String),
}

/// A running node.
pub struct Node {
    name: String,
    /// Where players connect.
    pub address: SocketAddr,
    /// Where operators look, if anywhere.
    pub admin_address: Option<SocketAddr>,
    description: store::Description,
    directory: PathBuf,
    guests: Guests,
    store: Arc<dyn Store>,
    runtime: Runtime,
    edge: CancellationToken,
    rest: CancellationToken,
    edge_tasks: TaskTracker,
    rest_tasks: TaskTracker,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} at {}", self.name, self.address)
    }
}

/// The leaderboard, as the edge reads it.
#[derive(Debug)]
struct BoardWindow(board::Board);

impl gateway::Board for BoardWindow {
    fn top(&self, limit: usize) -> BoxFuture<'_, Vec<TopRow>> {
        async move {
            self.0.top(limit).await.unwrap_or_else(|error| {
                warn!(%error, "the leaderboard can't be read");
                Vec::new()
            })
        }
        .boxed()
    }

    fn changes(&self) -> watch::Receiver<Arc<Vec<TopRow>>> {
        self.0.changes()
    }
}

fn small(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn rules(settings: &Settings) -> game::Settings {
    game::Settings {
        room_capacity: small(settings.room_capacity),
        room_capacities: settings.rooms.iter().map(|(id, n)| (id.clone(), small(*n))).collect(),
        movement_clock_check: settings.movement_clock,
        linkdead_ms: settings.linkdead_ms,
        offer_ms: settings.trade_offer_ms,
        ..game::Settings::default()
    }
}

fn kinds(rules: &Arc<game::Settings>) -> (Kinds, Kind) {
    let player = Kind::of::<game::player::Player>(Arc::clone(rules));
    let room = Kind::of::<game::room::Room>(Arc::clone(rules));
    let party = Kind::of::<game::party::Party>(Arc::clone(rules));
    let leaderboard = Kind::of::<game::leaderboard::Leaderboard>(Arc::clone(rules));
    let trade = Kind::of::<game::trade::Trade>(Arc::clone(rules));
    let kinds = Kinds::default()
        .with(game::PLAYER, player.clone())
        .with(game::ROOM, room)
        .with(game::TRADE, trade)
        .with(game::PARTY, party)
        .with(game::LEADERBOARD, leaderboard);
    (kinds, player)
}

/// The rules of this version, by kind of actor. What an operator may set is not in them: it never
/// changes what a journal means.
#[must_use]
pub fn todays_kinds() -> Kinds {
    kinds(&Arc::default()).0
}

fn runtime_config(settings: &Settings) -> handle::Config {
    let limits = core::Limits {
        mailbox_len_max: size(settings.mailbox_len_max),
        in_flight_max: size(settings.in_flight_max),
        pending_after_ms: settings.pending_after_ms,
        snapshot_records: settings.snapshot_records,
        snapshot_bytes: settings.snapshot_bytes,
        resume_ms: settings.session_ttl_ms,
        ..core::Limits::default()
    };
    handle::Config {
        limits,
        workers: size(settings.workers),
        activations_max: size(settings.activations_max),
        idle_ms: settings.passivate_after_ms,
        retain: settings.retain,
        activities_max: size(settings.activities_max),
        adopt_per_s: settings.adopt_per_s,
        lost_found: Some(settings.directory().join("lost+found")),
        ..handle::Config::default()
    }
}

fn edge_limits(settings: &Settings) -> gateway::Limits {
    gateway::Limits {
        message_len_max: size(settings.message_bytes_max),
        input_frames_per_s: small(settings.inputs_per_s),
        commands_per_s: small(settings.commands_per_s),
        say_per_s: small(settings.says_per_s),
        in_flight_max: small(settings.in_flight_max),
        hello_deadline_ms: settings.hello_ms,
        hello_deadline_text_ms: settings.hello_text_ms,
        header_deadline_ms: settings.header_ms,
        ping_ms: settings.ping_every_ms,
        dead_ms: settings.dead_after_ms,
        drain_deadline_ms: settings.drain_ms / 2,
        lane_len_max: size(settings.lane_len_max),
        connections_max: size(settings.connections_max),
        connections_per_address_max: small(settings.connections_per_address_max),
        misuse_max: size(settings.violations_max),
        ..gateway::Limits::default()
    }
}

fn secret_file(option: &str, path: Option<&Path>) -> Result<Option<Vec<u8>>, ConfigError> {
    path.map(|path| read_secret(option, path).map(|secret| secret.expose().to_vec())).transpose()
}

fn service_tokens(settings: &Settings) -> Result<Vec<String>, ConfigError> {
    let path = settings.service_token_file.as_deref();
    path.map_or(Ok(Vec::new()), |path| read_tokens("--service-token-file", path))
}

/// The key that signs tokens: the operator's, or the store's, which makes one once.
async fn token_key(settings: &Settings, store: &dyn Store) -> Result<Vec<u8>, StartError> {
    let own = secret_file("--token-key-file", settings.token_key_file.as_deref())?;
    match own {
        Some(key) => Ok(key),
        None => {
            let fresh: [u8; 32] = rand::random();
            Ok(store.secret(TOKEN_KEY, Bytes::copy_from_slice(&fresh)).await?.to_vec())
        }
    }
}

/// The edge's configuration, the listener aside.
fn edge_config(
    settings: &Settings,
    listener: TcpListener,
    token_key: Vec<u8>,
    clock: &Clock,
) -> Result<gateway::Config, StartError> {
    let capacity = rules(settings);
    Ok(gateway::Config {
        advertise: settings.advertise.as_deref().map(websocket_url),
        guests: match settings.guests {
            Guests::Open => gateway::Guests::Open,
            Guests::Claim => gateway::Guests::Claim,
            Guests::Off => gateway::Guests::Off,
        },
        allow_origins: settings.allow_origin.clone(),
        demo_control: settings.demo_control.clone(),
        service_tokens: service_tokens(settings)?,
        beat: Stretch { least_ms: settings.beat_least_ms, most_ms: settings.beat_ms },
        frame: Stretch { least_ms: settings.frame_least_ms, most_ms: settings.frame_ms },
        hold_ms: settings.hold_ms,
        room_capacity: Arc::new(move |room: &RoomId| capacity.capacity(room.as_str())),
        token_life_ms: settings.token_ttl_ms,
        limits: edge_limits(settings),
        clock: clock.clone(),
        ..gateway::Config::new(listener, settings.node.clone(), token_key)
    })
}

/// The game's work with effects outside.
fn activities(
    store: &Arc<dyn Store>,
    board: &board::Board,
    player: Kind,
    clock: &Clock,
    watch: &rebuild::Watch,
) -> Activities {
    activities::all(&activities::Parts {
        store: Arc::clone(store),
        board: board.clone(),
        player,
        clock: clock.clone(),
        hook: Arc::new(LogHook),
        watch: watch.clone(),
    })
}

/// The players' listener with its address, and the operators'.
type Bound = (TcpListener, SocketAddr, Option<TcpListener>);

/// Opens the players' port, and the operators'.
fn bind(settings: &Settings) -> io::Result<Bound> {
    let backlog = small(settings.backlog);
    let players = gateway::listen(settings.listen, backlog)?;
    let operators = settings.admin_listen.map(|at| gateway::listen(at, backlog)).transpose()?;
    let address = players.local_addr()?;
    Ok((players, address, operators))
}

/// A store, and what goes between the nodes that share it.
type Opened = (Arc<dyn Store>, Option<Arc<dyn Fleet>>);

/// Opens the store of the settings; a Redis is examined first.
async fn open_store(settings: &Settings, clock: &Clock) -> Result<Opened, StartError> {
    let Some(address) = redis_address(settings)? else {
        return Ok((Arc::new(Embedded::open(&settings.directory(), clock.clone())?), None));
    };
    let order =
        doctor::Order { address, durability: settings.durability, samples: SAMPLES_AT_START };
    let report = doctor::examine(&order, clock).await?;
    for warning in report.warnings() {
        warn!("{warning}");
    }
    info!("{}", report.durability.summary);
    match report.refusals() {
        refusals if refusals.is_empty() => {}
        refusals => return Err(StartError::Refused(refusals.join("\n  "))),
    }
    let (address, level) = (order.address, order.durability);
    let options = redis::Options { address, namespace: NAMESPACE.into(), level };
    let redis = Redis::open(&options, clock.clone()).await?;
    let (router, ttl_ms) = (redis.router().clone(), settings.lease_ttl_ms);
    let fleet = RedisFleet::new(router, clock.clone(), ttl_ms);
    Ok((Arc::new(redis), Some(Arc::new(fleet))))
}

/// Joins the other nodes, where the store is shared.
async fn join(
    settings: &Settings,
    address: SocketAddr,
    port: Option<Arc<dyn Fleet>>,
    busy: &Busy,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<Option<Shared>, StartError> {
    let Some(port) = port else { return Ok(None) };
    let origin = settings.advertise.clone().unwrap_or(format!("http://{address}"));
    Ok(Some(Shared::join(settings, origin, port, busy, clock, stop.clone()).await?))
}

/// Gives the edge what it needs of the other nodes; the hub shows their actors too.
fn share_edge(
    config: &mut gateway::Config,
    shared: Option<&Shared>,
    store: &Arc<dyn Store>,
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> Hub {
    let Some(shared) = shared else { return Hub::new() };
    let live = shared.live(tasks, stop.clone());
    config.live = Some(live.clone());
    config.directory = Some(shared.directory(Arc::clone(store)));
    let relay = shared.relay(tasks, stop.clone());
    Hub::across(relay, live, config.frame.most_ms, config.full_frame_ms)
}

/// Wraps a store so that it is measured, and says when its appends stall.
fn measure(
    inner: Arc<dyn Store>,
    metrics: &Metrics,
    clock: &Clock,
) -> (Arc<dyn Store>, watch::Receiver<Option<Stall>>) {
    let (trouble, troubled) = watch::channel(None);
    let (clock, metrics) = (clock.clone(), metrics.clone());
    (Arc::new(Measured { inner, metrics, clock, trouble }), troubled)
}

/// Why this node can't serve, whatever its store does.
fn health(runtime: &Runtime) -> gateway::Health {
    let fatal = runtime.fatal();
    let failed = || vec!["the store has failed; the node is about to stop".to_owned()];
    Arc::new(move || if fatal.is_cancelled() { failed() } else { Vec::new() })
}

/// Puts the edge together, and shows what it and the runtime count.
fn open_edge(
    config: gateway::Config,
    runtime: &Runtime,
    hub: Hub,
    board: board::Board,
    metrics: &Metrics,
) -> Gateway {
    let window = Arc::new(BoardWindow(board));
    let gateway = Gateway::new(config, runtime.clone(), hub, window, health(runtime));
    metrics.watch_runtime(&runtime.stats());
    watch_edge(metrics, &gateway.handle());
    gateway
}

fn serve_players(gateway: Gateway, tasks: &TaskTracker, stop: CancellationToken) {
    tasks.spawn(async move {
        if let Err(error) = gateway.run(stop).await {
            error!(%error, "the public listener has failed");
        }
    });
}

impl Node {
    /// Starts every part. The node serves when this returns.
    ///
    /// # Errors
    /// [`StartError`], for the operator; nothing is left running.
    pub async fn start(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let bound = bind(settings).map_err(StartError::Listen)?;
        let opened = open_store(settings, &clock).await?;
        let kinds = kinds(&Arc::new(rules(settings)));
        Self::assemble(settings, kinds, bound, opened, clock).await
    }

    /// Starts every part on a store that is open already and that no other node writes to; the
    /// store that the settings name is left alone.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_on(
        settings: &Settings,
        store: Arc<dyn Store>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        Self::start_by(settings, kinds(&Arc::new(rules(settings))), store, clock).await
    }

    /// The same by other rules: all kinds, and the one of players.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_by(
        settings: &Settings,
        kinds: (Kinds, Kind),
        store: Arc<dyn Store>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let bound = bind(settings).map_err(StartError::Listen)?;
        Self::assemble(settings, kinds, bound, (store, None), clock).await
    }

    /// Puts the parts together, in the order in which they need each other.
    async fn assemble(
        settings: &Settings,
        (kinds, player): (Kinds, Kind),
        (listener, address, admin_listener): Bound,
        (inner, port): Opened,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let metrics = Metrics::default();
        let (store, troubled) = measure(inner, &metrics, &clock);
        let key = token_key(settings, &*store).await?;
        let mut config = edge_config(settings, listener, key, &clock)?;
        let (edge, rest) = (CancellationToken::new(), CancellationToken::new());
        let (edge_tasks, rest_tasks) = (TaskTracker::new(), TaskTracker::new());
        let (busy, watch) = (Busy::default(), rebuild::Watch::default());
        let shared = join(settings, address, port, &busy, &clock, &rest).await?;
        let standing = standing(shared.as_ref(), troubled, &clock, (&rest_tasks, &rest));
        watch_standing(&metrics, standing.clone(), shared.as_ref());
        config.standing = Some(standing);
        let hub = share_edge(&mut config, shared.as_ref(), &store, (&rest_tasks, &rest));
        let (board, refresh) = board::open(Arc::clone(&store), clock.clone());
        rest_tasks.spawn(refresh.run(rest.clone()));
        let index = Index { registry: Arc::new(kinds.attributes()?), node: settings.node.clone() };
        let archive = Archive::new(Arc::clone(&store), kinds.clone());
        config.archive = Some(archive.clone());
        let fleet = shared.map(|shared| shared.handle);
        let audit = sessions::audit(&index, &store, &player, fleet.as_ref(), &clock);
        let auditor = Auditor::new(audit, rest_tasks.clone(), rest.clone());
        let sessions = Arc::new(Finder::new(&index, &store));
        config.sessions = Some(sessions.clone());
        let activities = activities(&store, &board, player, &clock, &watch);
        let books = Books { store: Arc::clone(&store), kinds: kinds.clone(), clock: clock.clone() };
        let (nearby, index) = (Arc::new(hub.clone()), Some(index));
        let parts = {
            let store = Arc::clone(&store);
            handle::Parts { store, kinds, activities, nearby, clock, fleet, index }
        };
        let runtime = Runtime::start(&runtime_config(settings), parts);
        let goods = goods::Auditor::new(books, runtime.stats(), rest_tasks.clone(), rest.clone());
        let gateway = open_edge(config, &runtime, hub, board, &metrics);
        // Nobody else fills it.
        let _ = busy.set((runtime.clone(), gateway.handle()));
        serve_players(gateway, &edge_tasks, edge.clone());
        let admin = admin::AdminState {
            node: settings.node.clone(),
            metrics,
            store: Arc::clone(&store),
            rebuild: Arc::new(admin::rebuild::ByActor::new(runtime.clone(), watch)),
            archive,
            sessions,
            auditor,
            goods,
        };
        let node = Self {
            name: settings.node.clone(),
            address,
            admin_address: None,
            description: store.describe(),
            directory: settings.directory(),
            guests: settings.guests,
            store,
            runtime,
            edge,
            rest,
            edge_tasks,
            rest_tasks,
        };
        node.serve_operators(admin_listener, admin)
    }

    fn serve_operators(
        mut self,
        listener: Option<TcpListener>,
        state: admin::AdminState,
    ) -> Result<Self, StartError> {
        let Some(listener) = listener else { return Ok(self) };
        let address = listener.local_addr().map_err(StartError::Listen)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Listen)?;
        admin::file::announce(&self.directory, address).map_err(StartError::Listen)?;
        let router = admin::router(state);
        let stop = self.rest.clone();
        self.rest_tasks.spawn(async move {
            let serve =
                axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = serve.await {
                error!(%error, "the operators' listener has failed");
            }
        });
        self.admin_address = Some(address);
        Ok(self)
    }

    /// What a new user sees first.
    #[must_use]
    pub fn banner(&self) -> String {
        let admin = self.admin_address.map_or_else(
            || "off".to_owned(),
            |at| format!("http://{at}/ (this machine's operators only)"),
        );
        format!(
            "holdfast {version}, node {name}\n\
             \x20 play      http://{at}/\n\
             \x20 terminal  websocat ws://{at}/ws\n\
             \x20 store     {store}: {durability}\n\
             \x20 guests    {guests}: {sentence}\n\
             \x20 admin     {admin}\n\
             \x20 stop      Ctrl-C: players are told, everything is written, the next start goes on\n",
            version = env!("CARGO_PKG_VERSION"),
            name = self.name,
            at = self.address,
            store = self.description.name,
            durability = self.description.durability,
            guests = self.guests.as_str(),
            sentence = self.guests.sentence(),
        )
    }

    /// Ends when the store can't go on: the process must stop, and recovers at its next start.
    pub async fn failed(&self) {
        self.runtime.fatal().cancelled().await;
    }

    /// Lets every socket go, writes what is in flight, closes the store. Returns whether all of
    /// it was done within the deadline.
    pub async fn drain(self, deadline_ms: u64) -> bool {
        info!(node = self.name, "drain");
        let deadline = Duration::from_millis(deadline_ms);
        let drained = tokio::time::timeout(deadline, self.stop_parts()).await;
        if drained.is_err() {
            warn!(deadline_ms, "gave up waiting; what was acknowledged is in the journal");
        }
        if self.admin_address.is_some() {
            admin::file::withdraw(&self.directory);
        }
        drained.is_ok()
    }

    async fn stop_parts(&self) {
        self.edge.cancel();
        self.edge_tasks.close();
        self.edge_tasks.wait().await;
        self.runtime.drain().await;
        self.rest.cancel();
        self.rest_tasks.close();
        self.rest_tasks.wait().await;
        if let Err(error) = self.store.close().await {
            error!(%error, "the store did not close cleanly");
        }
    }
}

/// The WebSocket URL of an advertised `http(s)` origin.
fn websocket_url(origin: &str) -> String {
    format!("{}/ws", origin.trim_end_matches('/').replacen("http", "ws", 1))
}
