//! What simulated players of each kind want, from a seed. Pure: the same seed wants the same.
//!
//! A new kind of one's own game is a variant of [`Kind`], its defaults there, and its wishes here;
//! what its commands must have done belongs to [`crate::expect`].

mod dealer;
mod fellow;
mod gather;

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_protocol::client::{MoveType, Step, Verb};
use holdfast_protocol::ids::{PlayerId, RoomId};
use holdfast_protocol::movement::Position;
use holdfast_protocol::server::{CoinRow, PlayerState};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::dealings::Dealings;
use crate::expect::POTION;
use crate::scenario::{Bots, Kind, Scenario};
use crate::walk;

/// Mean time from a flaky player's resumed session to the next drop.
const DROP_EVERY: Duration = Duration::from_secs(8);
/// Rooms that churners visit beside their own, and parties.
const CHURN_ROOMS: u32 = 8;
/// Of so many wishes of one who trades or gives, one has to do with nobody else.
const PRACTICE_OF: u64 = 6;
/// One companion of so many begins a party by itself.
const BEGINS_OF: usize = 4;

/// Who is who in a run: names of players and rooms, from the run's seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// The run's seed.
    pub seed: u64,
}

impl Names {
    /// The player `nth` of the run.
    #[must_use]
    pub fn player(self, nth: u32) -> Option<PlayerId> {
        PlayerId::new(&format!("lt{:x}-{nth}", self.seed & 0xffff_ffff)).ok()
    }

    /// Which of the run's players that is.
    #[must_use]
    pub fn nth(self, player: &str) -> Option<u32> {
        let rest = player.strip_prefix("lt")?;
        let (seed, nth) = rest.split_once('-')?;
        let same = u64::from_str_radix(seed, 16).ok()? == self.seed & 0xffff_ffff;
        nth.parse().ok().filter(|_| same)
    }

    /// The room `nth` of the run.
    #[must_use]
    pub fn room(self, nth: u32) -> Option<RoomId> {
        RoomId::new(&format!("lt{:x}-room-{nth}", self.seed & 0xffff_ffff)).ok()
    }

    /// The rooms that churners visit beside their own.
    #[must_use]
    pub fn churn_rooms(self) -> Vec<RoomId> {
        (0..CHURN_ROOMS).filter_map(|nth| self.churn_room(nth)).collect()
    }

    /// The arena `nth` of the run, where coins lie.
    #[must_use]
    pub fn arena(self, nth: u32) -> Option<RoomId> {
        RoomId::new(&format!("arena-lt{:x}-{nth}", self.seed & 0xffff_ffff)).ok()
    }

    fn churn_room(self, nth: u32) -> Option<RoomId> {
        RoomId::new(&format!("lt{:x}-churn-{nth}", self.seed & 0xffff_ffff)).ok()
    }
}

/// What a player knows when it wishes for something: what it was told, and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Knows<'a> {
    /// Who it is.
    pub me: &'a PlayerId,
    /// Its state; `None` before the first welcome.
    pub state: Option<&'a PlayerState>,
    /// Its trades.
    pub dealings: &'a Dealings,
    /// Where coins lie.
    pub coins: &'a BTreeMap<u64, CoinRow>,
    /// Where it will stand when all that it sent has been taken.
    pub at: Option<Position>,
}

/// One player's mind.
#[derive(Debug)]
pub struct Mind {
    kind: Kind,
    think: Duration,
    rng: StdRng,
    /// Those of its room with whom it has to do.
    others: Vec<PlayerId>,
    /// Among them, it is one who begins parties.
    begins: bool,
    home: Option<RoomId>,
    rooms: Vec<RoomId>,
    asked: u64,
}

impl Mind {
    /// That of the player `nth` of a run.
    #[must_use]
    pub fn new(scenario: &Scenario, bots: &Bots, names: Names, nth: u32) -> Self {
        let room = nth / scenario.room_of;
        let first = room * scenario.room_of;
        let last = first.saturating_add(scenario.room_of).min(scenario.players);
        let kind = |other: u32| scenario.bots_of(other).map(|bots| bots.kind);
        let is_one = |other: &u32| kind(*other).is_some_and(|kind| has_to_do(bots.kind, kind));
        let ones: Vec<u32> = (first..last).filter(is_one).collect();
        let place = ones.iter().position(|one| *one == nth).unwrap_or_default();
        let others = ones.iter().filter(|one| **one != nth);
        let rooms = names.churn_rooms();
        Self {
            kind: bots.kind,
            think: bots.think,
            rng: StdRng::seed_from_u64(names.seed ^ (u64::from(nth) << 32)),
            others: others.filter_map(|other| names.player(*other)).collect(),
            begins: place.is_multiple_of(BEGINS_OF),
            home: match bots.kind {
                Kind::Collector => names.arena(room),
                _ => names.room(room),
            },
            rooms,
            asked: 0,
        }
    }

    /// The room that it begins in; none for those who are not seen.
    #[must_use]
    pub fn home(&self) -> Option<RoomId> {
        let deals = matches!(self.kind, Kind::Trader | Kind::Gifter | Kind::Companion);
        self.home.clone().filter(|_| self.kind != Kind::Caller && !deals)
    }

    /// The next command or query.
    pub fn wish(&mut self, knows: &Knows<'_>) -> Verb {
        self.asked += 1;
        match self.kind {
            Kind::Chatter => self.chat(),
            Kind::Churner => self.churn(),
            Kind::Brawler => self.brawl(),
            Kind::Grinder | Kind::Caller | Kind::Flaky => self.practice(),
            // Beside their dealings, what is theirs alone: each takes as long as it takes.
            Kind::Trader | Kind::Gifter if self.asked.is_multiple_of(PRACTICE_OF) => {
                self.practice()
            }
            Kind::Trader => dealer::trade(&mut self.rng, &self.others, knows),
            Kind::Gifter => dealer::give(&mut self.rng, &self.others, knows),
            Kind::Companion => {
                let where_and_with = (self.others.as_slice(), self.rooms.as_slice());
                fellow::go(&mut self.rng, where_and_with, self.begins, knows)
            }
            Kind::Mover | Kind::SlowReader | Kind::Abuser | Kind::Collector => Verb::GetState {},
        }
    }

    /// From one wish to the next: exponentially distributed.
    pub fn pause(&mut self) -> Duration {
        exponential(&mut self.rng, self.think)
    }

    /// How long a flaky player keeps its connection; `None`: for ever.
    pub fn until_drop(&mut self) -> Option<Duration> {
        (self.kind == Kind::Flaky).then(|| exponential(&mut self.rng, DROP_EVERY))
    }

    /// The step with this number.
    #[must_use]
    pub fn step(&self, nth: u64, knows: &Knows<'_>) -> Step {
        let to_coins = || gather::step(knows).filter(|_| self.kind == Kind::Collector);
        to_coins().unwrap_or_else(|| walk::step_of(nth))
    }

    /// A wait before another attempt: from half of it to all.
    pub fn jittered(&mut self, wait: Duration) -> Duration {
        wait.mul_f64(self.rng.random_range(0.5..=1.0))
    }

    fn chat(&mut self) -> Verb {
        match self.rng.random_range(0..4_u32) {
            0 => Verb::Who {},
            1 => Verb::Top {},
            _ => Verb::Say { text: format!("hold fast, {}", self.asked) },
        }
    }

    fn churn(&mut self) -> Verb {
        let away = self.rooms.choose(&mut self.rng).cloned();
        let room = if self.rng.random_bool(0.5) { self.home.clone() } else { away };
        match room {
            Some(room_id) if self.rng.random_bool(0.8) => Verb::JoinRoom { room_id },
            _ => Verb::LeaveRoom {},
        }
    }

    fn brawl(&mut self) -> Verb {
        let move_type = match self.rng.random_range(0..20_u32) {
            0..8 => MoveType::Attack,
            8..10 => MoveType::Special,
            10..13 => MoveType::Defend,
            13..18 => MoveType::Heal,
            18 => return Verb::UseItem { item_id: POTION.to_owned() },
            _ => return Verb::GetInventory {},
        };
        let strikes = matches!(move_type, MoveType::Attack | MoveType::Special);
        let target_player_id =
            strikes.then(|| self.others.choose(&mut self.rng).cloned()).flatten();
        Verb::ExecuteMove { move_type, target_player_id, event_id: None }
    }

    /// What is never refused, so that each counts.
    fn practice(&mut self) -> Verb {
        let moves = [MoveType::Attack, MoveType::Defend, MoveType::Heal];
        let move_type = moves.choose(&mut self.rng).copied().unwrap_or(MoveType::Heal);
        Verb::ExecuteMove { move_type, target_player_id: None, event_id: None }
    }
}

/// What an abuser sends: not JSON, no verb, wrong arguments, more than is read.
pub const NONSENSE: [&str; 4] = [
    "{\"do\":",
    "{\"do\":\"teleport\",\"args\":{}}",
    "{\"do\":\"input\",\"args\":{\"seq\":-1,\"steps\":7}}",
    "{\"do\":\"input\",\"args\":{\"seq\":1,\"steps\":[[9,9,9]]}}",
];

/// Whether a player of the first kind looks for those of the second.
fn has_to_do(one: Kind, other: Kind) -> bool {
    match one {
        Kind::Brawler | Kind::Trader | Kind::Companion => one == other,
        Kind::Gifter => matches!(other, Kind::Gifter | Kind::Trader),
        _ => false,
    }
}

fn exponential(rng: &mut StdRng, mean: Duration) -> Duration {
    let share: f64 = rng.random_range(f64::EPSILON..1.0);
    mean.mul_f64(-share.ln())
}

#[cfg(test)]
#[path = "mind/tests.rs"]
mod tests;
