//! A random player's next wish, from a seed. Pure: the same seed and the same answers give the
//! same wishes.

use holdfast_protocol::client::{MoveType, Step, Verb};
use holdfast_protocol::ids::{PlayerId, RoomId};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::expect::POTION;

/// What a random player wants to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// A command or a query.
    Ask(Verb),
    /// Some steps.
    Walk(Vec<Step>),
}

/// Where a random player lives.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Whom it may hit.
    pub players: Vec<PlayerId>,
    /// Where it may go.
    pub rooms: Vec<RoomId>,
}

/// See the module.
#[derive(Debug)]
pub struct RandomPlayer {
    rng: StdRng,
    world: World,
    keys: u64,
}

impl RandomPlayer {
    /// A player whose wishes follow from `seed`.
    #[must_use]
    pub fn new(seed: u64, world: World) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), world, keys: 0 }
    }

    /// The next wish.
    pub fn wish(&mut self) -> Wish {
        match self.rng.random_range(0..100_u32) {
            0..18 => Wish::Ask(self.join()),
            18..22 => Wish::Ask(Verb::LeaveRoom {}),
            22..72 => Wish::Ask(self.blow()),
            72..76 => Wish::Ask(Verb::UseItem { item_id: POTION.to_owned() }),
            76..78 => Wish::Ask(Verb::Say { text: "hold fast".to_owned() }),
            78..90 => Wish::Walk(self.walk()),
            _ => Wish::Ask(self.question()),
        }
    }

    /// How many wishes to send before waiting for replies.
    pub fn breath(&mut self) -> usize {
        self.rng.random_range(1..=3)
    }

    fn join(&mut self) -> Verb {
        match self.world.rooms.choose(&mut self.rng) {
            Some(room) => Verb::JoinRoom { room_id: room.clone() },
            None => Verb::LeaveRoom {},
        }
    }

    fn blow(&mut self) -> Verb {
        let move_type = match self.rng.random_range(0..10_u32) {
            0..5 => MoveType::Attack,
            5..7 => MoveType::Special,
            7 => MoveType::Defend,
            _ => MoveType::Heal,
        };
        let strikes = matches!(move_type, MoveType::Attack | MoveType::Special);
        let target_player_id = if strikes && self.rng.random_bool(0.6) {
            self.world.players.choose(&mut self.rng).cloned()
        } else {
            None
        };
        Verb::ExecuteMove { move_type, target_player_id, event_id: self.key() }
    }

    /// Often none, sometimes a new one, sometimes the last one again.
    fn key(&mut self) -> Option<String> {
        match self.rng.random_range(0..4_u32) {
            0 => {
                self.keys += 1;
                Some(format!("key-{}", self.keys))
            }
            1 if self.keys > 0 => Some(format!("key-{}", self.keys)),
            _ => None,
        }
    }

    fn walk(&mut self) -> Vec<Step> {
        let (dx, dy) = (self.rng.random_range(-1..=1), self.rng.random_range(-1..=1));
        let buttons = u8::from(self.rng.random_bool(0.3));
        vec![Step { dx, dy, buttons }; self.rng.random_range(1..=4)]
    }

    fn question(&mut self) -> Verb {
        match self.rng.random_range(0..6_u32) {
            0 => Verb::GetState {},
            1 => Verb::GetInventory {},
            2 => Verb::GetStatus {},
            3 => Verb::Who {},
            4 => Verb::Rooms {},
            _ => Verb::Top {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn player(seed: u64) -> RandomPlayer {
        let players = vec!["bob".parse().unwrap(), "carol".parse().unwrap()];
        let rooms = vec!["den".parse().unwrap()];
        RandomPlayer::new(seed, World { players, rooms })
    }

    #[test]
    fn the_same_seed_wishes_the_same() {
        let (mut a, mut b, mut c) = (player(7), player(7), player(8));
        let wishes = |p: &mut RandomPlayer| (0..50).map(|_| p.wish()).collect::<Vec<_>>();
        let first = wishes(&mut a);
        assert_eq!(first, wishes(&mut b));
        assert_ne!(first, wishes(&mut c));
    }

    #[test]
    fn every_kind_of_command_is_wished_for() {
        let mut names = std::collections::BTreeSet::new();
        let (mut player, mut repeats) = (player(1), 0);
        let mut last_key = None;
        for _ in 0..2_000 {
            match player.wish() {
                Wish::Ask(verb) => {
                    if let Some(key) = verb.event_id() {
                        repeats += u32::from(last_key.as_deref() == Some(key));
                        last_key = Some(key.to_owned());
                    }
                    names.insert(verb.name());
                }
                Wish::Walk(steps) => {
                    assert!(steps.iter().all(|step| step.is_allowed()));
                    names.insert("input");
                }
            }
        }
        assert_eq!(names.len(), 12, "{names:?}");
        assert!(repeats > 0, "no key was ever repeated");
    }
}
