//! What simulated players of each kind want, from a seed. Pure: the same seed wants the same.
//!
//! A new kind of one's own game is a variant of [`Kind`], its defaults there, and its wishes here;
//! what its commands must have done belongs to [`crate::expect`].

use std::time::Duration;

use holdfast_protocol::client::{MoveType, Step, Verb};
use holdfast_protocol::ids::{PlayerId, RoomId};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::expect::POTION;
use crate::scenario::{Bots, Kind, Scenario};
use crate::walk;

/// Mean time from a flaky player's resumed session to the next drop.
const DROP_EVERY: Duration = Duration::from_secs(8);
/// Rooms that churners visit beside their own.
const CHURN_ROOMS: u32 = 8;

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

    fn churn_room(self, nth: u32) -> Option<RoomId> {
        RoomId::new(&format!("lt{:x}-churn-{nth}", self.seed & 0xffff_ffff)).ok()
    }
}

/// One player's mind.
#[derive(Debug)]
pub struct Mind {
    kind: Kind,
    think: Duration,
    rng: StdRng,
    rivals: Vec<PlayerId>,
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
        let fights = |other: &u32| {
            *other != nth && scenario.bots_of(*other).is_some_and(|b| b.kind == Kind::Brawler)
        };
        let last = first.saturating_add(scenario.room_of).min(scenario.players);
        let rivals = if bots.kind == Kind::Brawler {
            (first..last).filter(fights).filter_map(|other| names.player(other)).collect()
        } else {
            Vec::new()
        };
        let rooms = names.churn_rooms();
        Self {
            kind: bots.kind,
            think: bots.think,
            rng: StdRng::seed_from_u64(names.seed ^ (u64::from(nth) << 32)),
            rivals,
            home: names.room(room),
            rooms,
            asked: 0,
        }
    }

    /// The room that it begins in; none for those who are not seen.
    #[must_use]
    pub fn home(&self) -> Option<RoomId> {
        self.home.clone().filter(|_| self.kind != Kind::Caller)
    }

    /// The next command or query.
    pub fn wish(&mut self) -> Verb {
        self.asked += 1;
        match self.kind {
            Kind::Chatter => self.chat(),
            Kind::Churner => self.churn(),
            Kind::Brawler => self.brawl(),
            Kind::Grinder | Kind::Caller | Kind::Flaky => self.practice(),
            Kind::Mover | Kind::SlowReader | Kind::Abuser => Verb::GetState {},
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
    pub const fn step(&self, nth: u64) -> Step {
        walk::step_of(nth)
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
            strikes.then(|| self.rivals.choose(&mut self.rng).cloned()).flatten();
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

fn exponential(rng: &mut StdRng, mean: Duration) -> Duration {
    let share: f64 = rng.random_range(f64::EPSILON..1.0);
    mean.mul_f64(-share.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mind(kind: &str, nth: u32) -> Mind {
        let text = format!(
            "version = 1\nname = \"t\"\nplayers = 40\nramp = \"1s\"\nhold = \"1s\"\n\
             bots = [{{ kind = \"{kind}\", think = \"1s\" }}, {{ kind = \"mover\" }}]"
        );
        let scenario = Scenario::parse(&text).unwrap();
        let bots = scenario.bots.first().unwrap().clone();
        Mind::new(&scenario, &bots, Names { seed: 7 }, nth)
    }

    #[test]
    fn the_same_seed_wants_the_same_and_another_player_something_else() {
        let wishes = |nth| {
            let mut mind = mind("brawler", nth);
            (0..50).map(|_| mind.wish()).collect::<Vec<_>>()
        };
        assert_eq!(wishes(2), wishes(2));
        assert_ne!(wishes(2), wishes(4));
    }

    #[test]
    fn brawlers_strike_brawlers_of_their_room_only() {
        let mut mind = mind("brawler", 21);
        let mut struck = std::collections::BTreeSet::new();
        for _ in 0..500 {
            if let Verb::ExecuteMove { target_player_id: Some(target), .. } = mind.wish() {
                struck.insert(Names { seed: 7 }.nth(target.as_str()).unwrap());
            }
        }
        assert!(struck.len() >= 8, "{struck:?}");
        assert!(struck.iter().all(|nth| (20..40).contains(nth) && *nth != 21), "{struck:?}");
    }

    #[test]
    fn pauses_have_the_mean_that_was_asked_for() {
        let mut mind = mind("chatter", 0);
        let sum: f64 = (0..4_000).map(|_| mind.pause().as_secs_f64()).sum();
        assert!((3_600.0..4_400.0).contains(&sum), "{sum}");
    }

    #[test]
    fn names_are_told_apart_from_those_of_other_runs() {
        let names = Names { seed: 0xbeef };
        assert_eq!(names.nth(names.player(17).unwrap().as_str()), Some(17));
        assert_eq!(names.nth(Names { seed: 1 }.player(17).unwrap().as_str()), None);
        assert_eq!(names.nth("alice"), None);
    }
}
