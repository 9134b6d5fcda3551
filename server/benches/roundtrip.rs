//! One player's serial durable round trip over WebSocket, against a bare WebSocket echo.
//!
//! Both servers are processes of their own with as many threads as cores and the same WebSocket
//! settings; one client on one thread asks, waits for the answer and asks again. Rounds
//! alternate, so that the machine's moods touch both. The echo is this program again, started
//! with `echo`. The third number of a round is the disk alone: a write of a page and its flush
//! to the same file system, without which no answer may go out.
//! Run it with `cargo bench -p holdfast --bench roundtrip`.

#![allow(clippy::print_stdout, reason = "it prints its findings")]

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use holdfast::clock::instant;
use holdfast_protocol::client::{ClientMessage, MoveType, Verb};
use holdfast_protocol::ids::PlayerId;
use loadtest::socket::{Handshake, Incoming, JSON, Socket};
use support::{Outcome, Server, echo, median, micros, quantile, verdict};

const ROUNDS: usize = 9;
const TRIPS_PER_ROUND: u64 = 2_000;
const WARM_UP_TRIPS: u64 = 500;
/// Most times as long as the echo.
const GOAL: f64 = 4.0;
/// A page of the store.
const PAGE: [u8; 4096] = [0x5A; 4096];
const FLUSHES_PER_ROUND: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Outcome<()> {
    if std::env::args().any(|arg| arg == "echo") {
        return tokio::runtime::Runtime::new()?.block_on(echo::serve());
    }
    support::print_machine()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(compare())
}

async fn compare() -> Outcome<()> {
    // One player asks as fast as it is answered, beyond the default of 20 commands a second.
    let server = Server::start(&["--commands-per-s", "1000000"])?;
    let (_echo, url) = echo::start()?;
    let mut player = Client::player(&server.url).await?;
    let mut bare = Client::open(&url, None).await?;
    player.trips(WARM_UP_TRIPS).await?;
    bare.trips(WARM_UP_TRIPS).await?;
    println!("command: execute_move heal, each acknowledged with its place in the journal");
    println!("{ROUNDS} alternating rounds of {TRIPS_PER_ROUND} round trips, microseconds");
    println!(
        "{:>6} {:>12} {:>12} {:>10} {:>10} {:>10} {:>7}",
        "round", "durable p50", "durable p99", "echo p50", "echo p99", "disk p50", "ratio"
    );
    let disk = tempfile::tempfile()?;
    flushes(&disk)?;
    let mut ratios = Vec::new();
    let (mut durable, mut echoed, mut flushed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let (ours, theirs) =
            (player.trips(TRIPS_PER_ROUND).await?, bare.trips(TRIPS_PER_ROUND).await?);
        let (p50, echo_p50, disk_p50) = (median(&ours), median(&theirs), flushes(&disk)?);
        println!(
            "{round:>6} {p50:>12.0} {:>12.0} {echo_p50:>10.0} {:>10.0} {disk_p50:>10.0} {:>7.2}",
            quantile(&ours, 0.99),
            quantile(&theirs, 0.99),
            p50 / echo_p50
        );
        ratios.push(p50 / echo_p50);
        durable.push(p50);
        echoed.push(echo_p50);
        flushed.push(disk_p50);
    }
    report(&ratios, [median(&durable), median(&echoed), median(&flushed)]);
    Ok(())
}

/// Writes pages over and over, each flushed; the middle time in microseconds.
fn flushes(disk: &File) -> Outcome<f64> {
    let mut took = Vec::new();
    for nth in 0..FLUSHES_PER_ROUND {
        let began = instant();
        disk.write_all_at(&PAGE, nth * PAGE.len() as u64)?;
        disk.sync_data()?;
        took.push(micros(began.elapsed()));
    }
    Ok(median(&took))
}

fn report(ratios: &[f64], [durable, echoed, flushed]: [f64; 3]) {
    support::print_load("at the end");
    let ratio = median(ratios);
    println!("\n| durable p50 | echo p50 | disk p50 | ratio (least to most) | goal | |");
    println!("|---|---|---|---|---|---|");
    println!(
        "| {durable:.0} µs | {echoed:.0} µs | {flushed:.0} µs | {ratio:.2} ({:.2} to {:.2}) | at most {GOAL} | {} |",
        quantile(ratios, 0.0),
        quantile(ratios, 1.0),
        verdict(ratio <= GOAL)
    );
}

/// One client that asks one thing at a time.
struct Client {
    socket: Socket,
    next_id: u64,
}

impl Client {
    async fn open(url: &str, subprotocol: Option<&str>) -> Outcome<Self> {
        let handshake = Handshake { subprotocol, origin: None };
        Ok(Self { socket: Socket::open(url, handshake, PATIENCE).await?, next_id: 1 })
    }

    async fn player(url: &str) -> Outcome<Self> {
        let mut client = Self::open(url, Some(JSON)).await?;
        let player = Some(PlayerId::new("alice")?);
        let hello = Verb::Hello { token: None, player, name: None };
        client.socket.send_text(ClientMessage { id: None, verb: hello }.encode()).await?;
        match client.socket.next(PATIENCE).await? {
            Incoming::Text(text) if text.contains("welcome") => Ok(client),
            other => Err(format!("no welcome but {other:?}").into()),
        }
    }

    /// So many round trips, each in microseconds.
    async fn trips(&mut self, count: u64) -> Outcome<Vec<f64>> {
        let mut took = Vec::new();
        for _ in 0..count {
            let verb = Verb::ExecuteMove {
                move_type: MoveType::Heal,
                target_player_id: None,
                event_id: None,
            };
            let text = ClientMessage { id: Some(self.next_id), verb }.encode();
            let began = instant();
            self.socket.send_text(text).await?;
            self.answer().await?;
            took.push(micros(began.elapsed()));
            self.next_id += 1;
        }
        Ok(took)
    }

    /// Waits for what names the id of the last question, past events.
    async fn answer(&mut self) -> Outcome<()> {
        let id = format!("\"id\":{},", self.next_id);
        loop {
            match self.socket.next(PATIENCE).await? {
                Incoming::Text(text) if text.contains("\"err\":") => return Err(text.into()),
                Incoming::Text(text) if text.contains(&id) => return Ok(()),
                Incoming::Text(_) => {}
                other => return Err(format!("no answer but {other:?}").into()),
            }
        }
    }
}
