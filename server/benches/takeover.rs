//! What the death of a gateway costs its players, against what the same storm of connects costs
//! a bare WebSocket echo.
//!
//! Two gateways on one Redis, each with as many players, in rooms of twenty, each sending a command
//! a second; one gateway is killed (SIGKILL), and everybody who lost a socket resumes at the other
//! at once. A sample is the time from the loss to the next acknowledged command. The
//! echo's players do as much over the wire: connect, upgrade, two messages each answered. Rounds
//! alternate. The last part kills a gateway whose players never come back, and takes the time
//! until each one's journal goes on: its connection's loss is recorded and its deadline runs.
//! Servers and players share the machine's cores. Needs `redis-server` in the PATH.
//! Run it with `cargo bench -p holdfast --bench takeover`; `-- PLAYERS` plays one size only.

#![allow(clippy::print_stdout, reason = "it prints its findings")]

mod support;

use std::time::{Duration, Instant};

use futures::future::join_all;
use holdfast::clock::{Clock, instant};
use holdfast::store::Store;
use holdfast::store::durability::Durability;
use holdfast::store::redis::{Options, Redis};
use holdfast_protocol::client::{ClientMessage, MoveType, Verb};
use holdfast_protocol::ids::{ActorId, PlayerId, RoomId};
use loadtest::socket::{Error, Handshake, Incoming, JSON, Socket};
use support::client::{echo, is_echo, start_echo};
use support::redis::RedisServer;
use support::{Outcome, Process, Server, median, quantile, verdict};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Players on each gateway.
const SIZES: [usize; 2] = [200, 1_000];
const ROUNDS: usize = 5;
const ROOM_OF: usize = 20;
/// From one command of a player to the next, as in a game where people think.
const COMMAND_EVERY: Duration = Duration::from_secs(1);
/// Play before the kill.
const PLAY: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);
/// Sockets opened at a time while a round is set up.
const OPENING: usize = 50;
/// Most milliseconds to the next acknowledged command, of 99 in 100 of the smaller storm.
const GOAL_MS: f64 = 250.0;
/// Most times as long as the echo, of the larger storm.
const GOAL_RATIO: f64 = 2.0;
/// Players who never come back, of one survivor.
const UNATTENDED: usize = 2_000;
/// How often their journals are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a lease runs, and how much later all must have gone on.
const TTL_MS: f64 = 1_500.0;
const SLACK_MS: f64 = 500.0;

fn main() -> Outcome<()> {
    let args: Vec<_> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new()?;
    if is_echo() {
        return runtime.block_on(echo());
    }
    support::print_machine()?;
    let asked: Option<usize> = args.iter().find_map(|arg| arg.parse().ok());
    runtime.block_on(compare(&asked.map_or_else(|| SIZES.to_vec(), |size| vec![size])))
}

async fn compare(sizes: &[usize]) -> Outcome<()> {
    let mut rows = Vec::new();
    for &size in sizes {
        println!("\n{size} players on each of two gateways, one killed; milliseconds");
        println!(
            "{:>6} {:>8} {:>8} {:>8} {:>10} {:>10} {:>10} {:>7}",
            "round", "p50", "p99", "longest", "echo p50", "echo p99", "longest", "ratio"
        );
        let (mut p99s, mut ratios) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            let ours = storm(&Holdfast::pair()?, size).await?;
            let theirs = storm(&Bare::pair()?, size).await?;
            println!("{:>6} {}\n{:>6} {}", "ours", ours.explained(), "echo", theirs.explained());
            let (ours, theirs) = (ours.totals(), theirs.totals());
            let ratio = quantile(&ours, 0.99) / quantile(&theirs, 0.99);
            println!(
                "{round:>6} {:>8.0} {:>8.0} {:>8.0} {:>10.0} {:>10.0} {:>10.0} {ratio:>7.2}",
                median(&ours),
                quantile(&ours, 0.99),
                quantile(&ours, 1.0),
                median(&theirs),
                quantile(&theirs, 0.99),
                quantile(&theirs, 1.0),
            );
            p99s.push(quantile(&ours, 0.99));
            ratios.push(ratio);
        }
        rows.push((size, median(&p99s), median(&ratios)));
    }
    let mut left = unattended().await?;
    left.sort_by(f64::total_cmp);
    report(&rows, &left);
    Ok(())
}

fn report(rows: &[(usize, f64, f64)], left: &[f64]) {
    support::print_load("at the end");
    println!("\n| what | p99 | times the echo's | goal | |");
    println!("|---|---|---|---|---|");
    for (size, p99, ratio) in rows {
        let small = *size <= 200;
        let (goal, met) = if small {
            (format!("at most {GOAL_MS} ms"), *p99 <= GOAL_MS)
        } else {
            (format!("at most {GOAL_RATIO} times"), *ratio <= GOAL_RATIO)
        };
        let what = format!("socket lost to next acknowledged command, {size} players on each");
        println!("| {what} | {p99:.0} ms | {ratio:.2} | {goal} | {} |", verdict(met));
    }
    let longest = quantile(left, 1.0);
    println!(
        "| {UNATTENDED} players without a client, until each one's journal goes on | p50 {:.0} ms, \
         longest {longest:.0} ms | | at most {:.0} ms | {} |",
        median(left),
        TTL_MS + SLACK_MS,
        verdict(longest <= TTL_MS + SLACK_MS)
    );
}

/// Two servers, of which one will be killed.
trait Pair {
    /// Where players connect; the first is killed.
    fn urls(&self) -> [String; 2];
    /// What a player says there.
    fn tongue(&self) -> Tongue;
    /// SIGKILL to the first.
    fn kill(&self) -> Outcome<()>;
    /// CPU used so far by the second, by Redis, and by the players, in milliseconds.
    fn cpu_ms(&self) -> Outcome<[f64; 3]>;
}

/// What players say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tongue {
    /// Holdfast's protocol.
    Game,
    /// Texts that come back as they are.
    Echo,
}

struct Holdfast {
    redis: RedisServer,
    gateways: [Server; 2],
}

impl Holdfast {
    fn pair() -> Outcome<Self> {
        let redis = RedisServer::start()?;
        let url = redis.url();
        let gateway = |name| Server::start_on(Some(url.clone()), &["--node", name]);
        let gateways = [gateway("gw-1")?, gateway("gw-2")?];
        Ok(Self { redis, gateways })
    }
}

impl Pair for Holdfast {
    fn urls(&self) -> [String; 2] {
        self.gateways.each_ref().map(|gateway| gateway.url.clone())
    }

    fn tongue(&self) -> Tongue {
        Tongue::Game
    }

    fn kill(&self) -> Outcome<()> {
        self.gateways[0].process.signal("KILL")
    }

    fn cpu_ms(&self) -> Outcome<[f64; 3]> {
        let server = self.gateways[1].process.cpu_micros()?;
        let redis = self.redis.process().cpu_micros()?;
        Ok([server / 1e3, redis / 1e3, support::own_cpu_micros()? / 1e3])
    }
}

struct Bare {
    servers: [(Process, String); 2],
}

impl Bare {
    fn pair() -> Outcome<Self> {
        Ok(Self { servers: [start_echo()?, start_echo()?] })
    }
}

impl Pair for Bare {
    fn urls(&self) -> [String; 2] {
        self.servers.each_ref().map(|(_, url)| url.clone())
    }

    fn tongue(&self) -> Tongue {
        Tongue::Echo
    }

    fn kill(&self) -> Outcome<()> {
        self.servers[0].0.signal("KILL")
    }

    fn cpu_ms(&self) -> Outcome<[f64; 3]> {
        let server = self.servers[1].0.cpu_micros()?;
        Ok([server / 1e3, 0.0, support::own_cpu_micros()? / 1e3])
    }
}

/// Milliseconds from the loss of a socket to the next one, to the answer to its first message,
/// and to the next acknowledged command.
type Stages = [f64; 3];

/// What a storm took.
struct Storm {
    stages: Vec<Stages>,
    /// Milliseconds of CPU from the kill to the last acknowledgement: of the surviving server,
    /// of Redis, and of the players.
    cpu: [f64; 3],
}

impl Storm {
    fn totals(&self) -> Vec<f64> {
        self.stages.iter().map(|[.., whole]| *whole).collect()
    }

    fn explained(&self) -> String {
        let p50 = |at: usize| {
            median(&self.stages.iter().filter_map(|s| s.get(at).copied()).collect::<Vec<_>>())
        };
        let [server, redis, players] = self.cpu;
        format!(
            "p50 until connected {:.0}, welcomed {:.0}, acknowledged {:.0}; CPU of server \
             {server:.0}, Redis {redis:.0}, players {players:.0}",
            p50(0),
            p50(1),
            p50(2)
        )
    }
}

/// Plays `size` players on each of a pair and kills the first.
async fn storm(pair: &impl Pair, size: usize) -> Outcome<Storm> {
    let [first, second] = pair.urls();
    let (stop, stopped) = watch::channel(false);
    let (say, mut heard) = mpsc::unbounded_channel();
    let mut players = JoinSet::new();
    for (home, other) in [(&first, &second), (&second, &first)] {
        for chunk in crowd(pair.tongue(), home, other, size).chunks(OPENING) {
            let mut entering = JoinSet::new();
            for player in chunk.iter().cloned() {
                entering.spawn(player.enter());
            }
            for entered in entering.join_all().await {
                let (say, stopped) = (say.clone(), stopped.clone());
                players.spawn(entered.map_err(|e| e.to_string())?.play(say, stopped));
            }
        }
    }
    drop(say);
    sleep(PLAY).await;
    let before = pair.cpu_ms()?;
    pair.kill()?;
    let mut stages = Vec::new();
    while stages.len() < size {
        let sample = tokio::time::timeout(PATIENCE, heard.recv()).await;
        let sample = sample.map_err(|_| format!("only {} players went on", stages.len()))?;
        stages.push(sample.ok_or("the players ended early")?);
    }
    let after = pair.cpu_ms()?;
    let [server, redis, own] = before;
    let cpu = [after[0] - server, after[1] - redis, after[2] - own];
    let _ = stop.send(true);
    for ended in players.join_all().await {
        ended?;
    }
    Ok(Storm { stages, cpu })
}

fn crowd(tongue: Tongue, home: &str, other: &str, size: usize) -> Vec<Stranger> {
    let name = |n: usize| format!("{}-{n}", if home < other { "a" } else { "b" });
    let stranger = |n| Stranger {
        tongue,
        home: home.to_owned(),
        other: other.to_owned(),
        name: name(n),
        room: format!("room-{}-{}", name(0), n / ROOM_OF),
    };
    (0..size).map(stranger).collect()
}

/// A player who is not there yet.
#[derive(Debug, Clone)]
struct Stranger {
    tongue: Tongue,
    home: String,
    other: String,
    name: String,
    room: String,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Stranger {
    async fn enter(self) -> Result<Player, Failure> {
        let socket = open(self.tongue, &self.home).await?;
        let mut player =
            Player { who: self, socket, next_id: 1, resume: String::new(), seq: String::new() };
        let hello =
            Verb::Hello { token: None, player: Some(PlayerId::new(&player.who.name)?), name: None };
        player.greet(hello).await?;
        let join = Verb::JoinRoom { room_id: RoomId::new(&player.who.room)? };
        player.command(join).await?;
        Ok(player)
    }
}

async fn open(tongue: Tongue, url: &str) -> Result<Socket, Error> {
    let subprotocol = (tongue == Tongue::Game).then_some(JSON);
    Socket::open(url, Handshake { subprotocol, origin: None }, PATIENCE).await
}

/// One who plays.
struct Player {
    who: Stranger,
    socket: Socket,
    next_id: u64,
    resume: String,
    seq: String,
}

impl Player {
    /// A command a second until told to stop; says how long a loss took.
    async fn play(
        mut self,
        say: mpsc::UnboundedSender<Stages>,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), String> {
        let phase = COMMAND_EVERY.mul_f64(f64::from(fraction(&self.who.name)));
        let mut next = instant() + phase;
        loop {
            let lost = tokio::select! {
                _ = stopped.changed() => return Ok(()),
                read = self.socket.next(next.saturating_duration_since(instant())) => match read {
                    Err(Error::Deadline(_)) => {
                        next += COMMAND_EVERY;
                        self.command(heal()).await.is_err()
                    }
                    Ok(Incoming::Closed(_)) | Err(_) => true,
                    Ok(_) => false,
                }
            };
            if lost {
                let at = instant();
                let stages = self.go_on(at).await;
                let _ = say.send(stages.map_err(|error| format!("{}: {error}", self.who.name))?);
                next = instant() + phase;
            }
        }
    }

    /// Resumes at the other gateway, until a command is acknowledged there.
    async fn go_on(&mut self, lost: Instant) -> Result<Stages, Failure> {
        loop {
            match self.try_other(lost).await {
                Err(error) if lost.elapsed() > PATIENCE => return Err(error),
                Err(_) => {}
                stages => return stages,
            }
        }
    }

    async fn try_other(&mut self, lost: Instant) -> Result<Stages, Failure> {
        let ms = || lost.elapsed().as_secs_f64() * 1e3;
        self.socket = open(self.who.tongue, &self.who.other).await?;
        let connected = ms();
        let seq = self.seq.parse().unwrap_or_default();
        self.greet(Verb::Resume { token: self.resume.clone(), seq }).await?;
        let welcomed = ms();
        self.command(heal()).await?;
        Ok([connected, welcomed, ms()])
    }

    /// The first message of a socket, and its answer.
    async fn greet(&mut self, verb: Verb) -> Result<(), Failure> {
        let text = ClientMessage { id: None, verb }.encode();
        self.socket.send_text(text).await?;
        let text = self.read().await?;
        if self.who.tongue == Tongue::Game {
            self.resume = field(&text, "\"resume\":\"", '"').ok_or_else(|| text.clone())?;
            self.seq = field(&text, "\"seq\":", ',').ok_or_else(|| text.clone())?;
        }
        Ok(())
    }

    /// A command and its acknowledgement, past events.
    async fn command(&mut self, verb: Verb) -> Result<(), Failure> {
        let id = self.next_id;
        self.next_id += 1;
        self.socket.send_text(ClientMessage { id: Some(id), verb }.encode()).await?;
        let mine = format!("\"id\":{id},");
        loop {
            let text = self.read().await?;
            match text.contains(&mine) {
                true if text.contains("\"err\":") => return Err(text.into()),
                true => return Ok(()),
                false => {}
            }
        }
    }

    async fn read(&mut self) -> Result<String, Failure> {
        match self.socket.next(PATIENCE).await? {
            Incoming::Text(text) => Ok(text),
            other => Err(format!("{other:?}").into()),
        }
    }
}

fn heal() -> Verb {
    Verb::ExecuteMove { move_type: MoveType::Heal, target_player_id: None, event_id: None }
}

/// What stands between `begin` and `end`.
fn field(text: &str, begin: &str, end: char) -> Option<String> {
    let rest = text.split_once(begin)?.1;
    rest.split([end, '}']).next().map(str::to_owned)
}

/// Some number from 0 to 1 that depends on the name only.
fn fraction(name: &str) -> f32 {
    let sum: u32 = name.bytes().fold(7, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    f32::from(u8::try_from(sum % 256).unwrap_or_default()) / 256.0
}

/// Kills a gateway with players who never come back. Returns for each after how many milliseconds
/// its journal went on: its connection's loss was recorded, by whoever adopted it.
async fn unattended() -> Outcome<Vec<f64>> {
    let pair = Holdfast::pair()?;
    let [first, second] = pair.urls();
    let mut players = Vec::new();
    for chunk in crowd(Tongue::Game, &first, &second, UNATTENDED).chunks(OPENING) {
        let mut entering = JoinSet::new();
        for stranger in chunk.iter().cloned() {
            entering.spawn(stranger.enter());
        }
        for entered in entering.join_all().await {
            players.push(entered.map_err(|error| error.to_string())?);
        }
    }
    let address = pair.redis.url().parse()?;
    let options = Options { address, namespace: "hf".into(), level: Durability::Stored };
    let store = Redis::open(&options, Clock::system()).await?;
    let mut waiting = Vec::new();
    sleep(PLAY).await;
    for player in &players {
        let actor: ActorId = format!("player:{}", player.who.name).parse()?;
        let tip = store.tip(&actor).await?.ok_or("a player without a journal")?;
        waiting.push((actor, tip.seq));
    }
    let killed = instant();
    pair.kill()?;
    drop(players);
    let mut left = Vec::new();
    while !waiting.is_empty() {
        sleep(LOOK_EVERY).await;
        let tips = join_all(waiting.iter().map(|(actor, _)| store.tip(actor))).await;
        let after = killed.elapsed();
        let mut still = Vec::new();
        for ((actor, seq), tip) in waiting.into_iter().zip(tips) {
            match tip? {
                Some(tip) if tip.seq > seq => left.push(after.as_secs_f64() * 1e3),
                _ => still.push((actor, seq)),
            }
        }
        waiting = still;
        if after > PATIENCE {
            return Err(format!("{} players were not adopted", waiting.len()).into());
        }
    }
    Ok(left)
}
