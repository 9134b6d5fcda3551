//! A crowd of random players that plays on through whatever a test does to the servers. What must
//! hold afterwards, every acknowledged command counted exactly once and none by half, is in
//! [`checks`]; what does not hold is counted in [`findings`], and shown by [`results`].

mod checks;
mod findings;
pub mod results;

use std::time::Duration;

use holdfast_protocol::client::Verb;
use holdfast_protocol::server::PlayerState;
use loadtest::bot::{Bot, Error};
use loadtest::expect::Expected;
use loadtest::player::{RandomPlayer, World};
use loadtest::trial::{Pace, Tally, play};
use loadtest::wire::Wire;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::{Options, PATIENCE};
use findings::{Findings, doubled_keys};

/// Players who share their rooms.
const GROUP: usize = 20;
/// A group has two rooms, which together hold fewer than all of it wants at times.
const CAPACITY: &str = "12";

/// What every server that bears a storm is started with.
pub fn options() -> Options {
    let settings =
        ["--room-capacity", CAPACITY, "--snapshot-records", "64", "--commands-per-s", "10000"];
    Options::default().alone().with(&settings)
}

/// One player at the end of the storm.
pub struct Survivor {
    pub bot: Bot,
    pub name: String,
    pub tally: Tally,
    pub expected: Expected,
    pub state: PlayerState,
}

/// All players at the end of the storm, and what is amiss.
#[derive(Default)]
pub struct Crowd {
    pub survivors: Vec<Survivor>,
    pub findings: Findings,
    /// Players who could not play to the end.
    broken: usize,
}

pub fn name(player: usize) -> String {
    format!("p{player:03}")
}

fn world(player: usize) -> World {
    let group = player / GROUP;
    let mates = (group * GROUP..(group + 1) * GROUP).filter(|mate| *mate != player);
    World {
        players: mates.map(|mate| name(mate).parse().unwrap()).collect(),
        rooms: ["a", "b"].map(|side| format!("den-{group}-{side}").parse().unwrap()).to_vec(),
    }
}

/// Players on their way.
pub struct Storm {
    stop: watch::Sender<bool>,
    players: JoinSet<(String, Result<Survivor, Findings>)>,
}

impl Storm {
    /// Sends everybody in, spread over the gateways; each knows all of them.
    pub async fn begin(players: usize, gateways: &[String], seed: u64, pace: Pace) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut crowd = JoinSet::new();
        for player in 0..players {
            let home = player % gateways.len();
            // Half of them speak MessagePack.
            let wire = [Wire::Json, Wire::Packed][player / 2 % 2];
            let mut bot = Bot::connect_as(&gateways[home], wire).await.unwrap();
            bot.hello(&name(player), None).await.unwrap();
            let others = (1..gateways.len()).map(|n| gateways[(home + n) % gateways.len()].clone());
            bot.know(others);
            bot.patience = Duration::from_secs(30);
            bot.open_patience = pace.silence.unwrap_or(bot.open_patience);
            let mut random = RandomPlayer::new(seed.wrapping_add(player as u64), world(player));
            let stopped = stopped.clone();
            crowd.spawn(async move {
                let played = play(&mut bot, &mut random, pace, stopped).await;
                let survivor = match played {
                    Ok(tally) => survive(bot, name(player), tally).await,
                    Err(error) => Err(error.into()),
                };
                (name(player), survivor)
            });
        }
        Self { stop, players: crowd }
    }

    /// Stops everybody, until every command has an outcome.
    pub async fn end(self) -> Crowd {
        self.stop.send_replace(true);
        let mut crowd = Crowd::default();
        let mut players = self.players.join_all().await;
        players.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, survivor) in players {
            // Who ended early was still struck by who ended late.
            let survivor = match survivor {
                Ok(survivor) => survivor.looks_again().await,
                broken => broken,
            };
            match survivor {
                Ok(survivor) => crowd.survivors.push(survivor),
                Err(found) => {
                    crowd.broken += 1;
                    crowd.findings.add(&name, found);
                }
            }
        }
        crowd
    }
}

impl Survivor {
    /// Learns its state once more.
    pub async fn looks_again(mut self) -> Result<Self, Findings> {
        self.bot.patience = PATIENCE;
        self.state = ask_state(&mut self.bot).await?;
        Ok(self)
    }
}

/// A player's whole state, whatever the last fault still does to its socket. What was pushed before
/// it has arrived by then.
async fn ask_state(bot: &mut Bot) -> Result<PlayerState, Error> {
    loop {
        match bot.query(Verb::GetState {}).await {
            Err(error) if error.is_lost() => drop(bot.resume_within(PATIENCE).await?),
            told => return told,
        }
    }
}

async fn survive(mut bot: Bot, name: String, tally: Tally) -> Result<Survivor, Findings> {
    let state = ask_state(&mut bot).await?;
    let mut found = Findings::default();
    for _ in 0..doubled_keys(bot.ledger()) {
        found.double("a key took effect twice");
    }
    match Expected::of(bot.ledger()) {
        Ok(expected) => Ok(Survivor { bot, name, tally, expected, state }),
        Err(odd) => {
            found.say(odd);
            Err(found)
        }
    }
}

impl Crowd {
    /// Commands that were acknowledged and count.
    pub fn done(&self) -> u64 {
        self.survivors.iter().map(|survivor| survivor.expected.done).sum()
    }

    /// Writes the row of a fault, and fails if anything is amiss.
    pub fn report(&self, fault: &str) {
        results::fault(fault, self);
        assert!(self.findings.is_none(), "{fault}: {}", self.findings);
    }
}
