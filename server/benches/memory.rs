//! Resident memory of the server for each player: connected and idle, and active.
//!
//! - `idle`: 5,000 players who are connected, their actors included; then each does one command,
//!   and each joins a room of 20. They are sockets of this process, which says hello for each,
//!   answers pings, and nothing else.
//! - `active`: a fresh server, and 1,000 players in rooms of 20 who send input at 20 Hz for ten
//!   minutes: what each takes, and whether that stays; `--store redis` leaves out SQLite's caches.
//!
//! The difference of the server process's resident memory (`VmRSS`) before and after, divided by
//! the players; so what the allocator holds back and what SQLite caches count as well. The server
//! has its default settings. Run it with `cargo bench -p holdfast --bench memory`; `-- --help`
//! lists parts and sizes.

#![allow(clippy::print_stdout, reason = "it prints its findings")]

#[path = "memory/active.rs"]
mod active;
mod support;

use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use holdfast_protocol::client::{ClientMessage, MoveType, Verb};
use holdfast_protocol::ids::{PlayerId, RoomId};
use loadtest::socket::{Handshake, Incoming, JSON, Socket};
use support::{Outcome, Process, Server, verdict};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::sleep;

/// Open files besides the sockets.
const FILES_BESIDE: u64 = 100;
/// Players that connect at the same time.
const CONNECTING: usize = 64;
const ROOM_LEN: u64 = 20;
/// Most bytes for each player.
const GOAL: f64 = 12.0 * 1024.0;
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than the pause between two pings, so that each socket has had one.
const QUIET: Duration = Duration::from_secs(18);
/// Resident memory is read this often until two readings agree.
const GLANCE: Duration = Duration::from_secs(2);
const GLANCES_MAX: usize = 15;
/// Readings within this many bytes agree.
const AGREE: u64 = 128 * 1024;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What all players do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    Move,
    Join,
}

/// Resident memory of the server for each player
#[derive(Debug, Parser)]
#[command(name = "memory")]
struct Args {
    /// What to measure; both without any
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Idle players
    #[arg(long, value_name = "N", default_value_t = 5_000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    idle: u64,
    /// Active players
    #[arg(long, value_name = "N", default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    active: u32,
    /// On which store they are
    #[arg(long, value_enum, default_value_t = Store::Embedded)]
    store: Store,
    /// How long they are active; the first two minutes do not count for the verdict on growth
    #[arg(long, value_name = "MIN", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(3..=10_000))]
    minutes: u32,
    /// Said by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Idle,
    Active,
}

/// A store of the active players.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    /// The embedded one, whose caches are in the server's memory.
    Embedded,
    /// A Redis of its own.
    Redis,
}

impl Store {
    const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "the embedded store",
            Self::Redis => "Redis",
        }
    }
}

impl Args {
    fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Open files that this process needs.
    fn files(&self) -> u64 {
        let idle = if self.has(Part::Idle) { self.idle } else { 0 };
        let active = if self.has(Part::Active) { self.active.into() } else { 0 };
        FILES_BESIDE + idle.max(active)
    }
}

fn main() -> Outcome<()> {
    let args = Args::parse();
    support::print_machine()?;
    let (files, needed) = (rlimit::increase_nofile_limit(u64::MAX)?, args.files());
    if files < needed {
        return Err(format!("{files} open files are allowed, {needed} needed").into());
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(&args))
}

async fn measure(args: &Args) -> Outcome<()> {
    let mut rows = Vec::new();
    if args.has(Part::Idle) {
        rows.extend(idle(args.idle).await?);
    }
    if args.has(Part::Active) {
        rows.extend(active::run(args).await?);
    }
    support::print_load("at the end");
    println!("\n| players | measured, bytes each | goal | |\n|---|---|---|---|");
    for Row { what, bytes, most } in rows {
        let goal = most.map_or(String::new(), |most| format!("at most {most:.0}"));
        let met = most.map_or("", |most| verdict(bytes <= most));
        println!("| {what} | {bytes:.0} | {goal} | {met} |");
    }
    Ok(())
}

/// A line of the final table.
struct Row {
    what: String,
    bytes: f64,
    most: Option<f64>,
}

async fn idle(players: u64) -> Outcome<Vec<Row>> {
    let server = Server::start(&[])?;
    let (stage, stages) = watch::channel(Stage::Idle);
    let (done, mut all_done) = mpsc::channel(64);
    // One player first, so that what is made once is there before.
    let connecting = Arc::new(Semaphore::new(CONNECTING));
    let join = |n| {
        let player = Player { n, url: server.url.clone(), connecting: Arc::clone(&connecting) };
        tokio::spawn(player.live(stages.clone(), done.clone()));
    };
    join(0);
    wait(&mut all_done, 1).await?;
    let before = settled(&server.process).await?;
    println!("before: {} KiB resident", before / 1024);
    for n in 1..=players {
        join(n);
    }
    wait(&mut all_done, players).await?;
    let row = |what: &str, bytes, most| Row { what: format!("{players} {what}"), bytes, most };
    let bytes = each(&server.process, before, players).await?;
    let mut rows = vec![row("connected, idle", bytes, Some(GOAL))];
    for (name, next) in [("after one command", Stage::Move), ("in rooms of 20", Stage::Join)] {
        stage.send(next)?;
        wait(&mut all_done, players + 1).await?;
        rows.push(row(name, each(&server.process, before, players).await?, None));
    }
    Ok(rows)
}

/// Waits for so many players to have done what they were to do.
async fn wait(done: &mut mpsc::Receiver<Result<(), Failure>>, players: u64) -> Outcome<()> {
    for nth in 1..=players {
        let one = tokio::time::timeout(PATIENCE, done.recv()).await?;
        one.ok_or("the players are gone")?.map_err(|failure| failure.to_string())?;
        if nth % 1_000 == 0 {
            println!("{nth} of {players} players");
        }
    }
    Ok(())
}

async fn each(process: &Process, before: u64, players: u64) -> Outcome<f64> {
    let after = settled(process).await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let each = after.saturating_sub(before) as f64 / players as f64;
    println!("{} KiB resident, {each:.0} bytes for each player", after / 1024);
    Ok(each)
}

/// Resident memory when it no longer changes.
async fn settled(process: &Process) -> Outcome<u64> {
    sleep(QUIET).await;
    let mut last = process.resident()?;
    for _ in 0..GLANCES_MAX {
        sleep(GLANCE).await;
        let now = process.resident()?;
        if now.abs_diff(last) <= AGREE {
            return Ok(now);
        }
        last = now;
    }
    Err("the server's memory does not settle".into())
}

/// One connected player.
struct Player {
    n: u64,
    url: String,
    connecting: Arc<Semaphore>,
}

impl Player {
    async fn live(
        self,
        mut stages: watch::Receiver<Stage>,
        done: mpsc::Sender<Result<(), Failure>>,
    ) {
        let played = self.play(&mut stages, &done).await;
        let _ = done.send(played).await;
    }

    /// Connects, then does what each stage asks for, and reads what comes meanwhile.
    async fn play(
        &self,
        stages: &mut watch::Receiver<Stage>,
        done: &mpsc::Sender<Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let mut socket = self.enter().await?;
        loop {
            done.send(Ok(())).await?;
            let stage = loop {
                tokio::select! {
                    changed = stages.changed() => {
                        changed?;
                        break *stages.borrow_and_update();
                    }
                    incoming = socket.next(Duration::MAX) => still_open(incoming?)?,
                }
            };
            self.act(&mut socket, stage).await?;
        }
    }

    async fn enter(&self) -> Result<Socket, Failure> {
        let _turn = self.connecting.acquire().await?;
        let handshake = Handshake { subprotocol: Some(JSON), origin: None };
        let mut socket = Socket::open(&self.url, handshake, PATIENCE).await?;
        let player = Some(PlayerId::new(&format!("player-{}", self.n))?);
        say(&mut socket, None, Verb::Hello { token: None, player, name: None }).await?;
        match socket.next(PATIENCE).await? {
            Incoming::Text(text) if text.contains("welcome") => Ok(socket),
            other => Err(format!("no welcome but {other:?}").into()),
        }
    }

    async fn act(&self, socket: &mut Socket, stage: Stage) -> Result<(), Failure> {
        let (id, verb) = match stage {
            Stage::Idle => return Ok(()),
            Stage::Move => {
                let (target_player_id, event_id) = (None, None);
                let move_type = MoveType::Heal;
                (1, Verb::ExecuteMove { move_type, target_player_id, event_id })
            }
            Stage::Join => {
                let room_id = RoomId::new(&format!("room-{}", self.n / ROOM_LEN))?;
                (2, Verb::JoinRoom { room_id })
            }
        };
        say(socket, Some(id), verb).await?;
        let reply = format!("\"id\":{id},\"ok\"");
        loop {
            match socket.next(PATIENCE).await? {
                Incoming::Text(text) if text.contains(&reply) => return Ok(()),
                incoming => still_open(incoming)?,
            }
        }
    }
}

async fn say(socket: &mut Socket, id: Option<u64>, verb: Verb) -> Result<(), Failure> {
    Ok(socket.send_text(ClientMessage { id, verb }.encode()).await?)
}

fn still_open(incoming: Incoming) -> Result<(), Failure> {
    match incoming {
        Incoming::Closed(code) => Err(format!("closed with {code:?}").into()),
        Incoming::Text(text) if text.contains("\"err\":") => Err(text.into()),
        _ => Ok(()),
    }
}
