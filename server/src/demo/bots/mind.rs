//! What a bot of the show wants, a step at a time, from a seed and from what it sees. Pure.
//!
//! Bots are company, not a threat. They stroll near visitors, rest, chase each other, heal, and say
//! a word now and then. A visitor is struck by one of them at a time, now and then, and only while
//! he is well, so that nobody who just looks is ever brought down; whoever strikes a bot has
//! asked for more.

use std::collections::BTreeSet;

use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::movement::{
    BUTTON_SPRINT, Position, SPRINT_SPEED, Step, WALK_SPEED, WORLD_SIZE,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::cast::{GREETINGS, REMARKS};

/// What heals most, and how the server calls it.
pub const POTION: &str = "potion-001";

/// How far from the middle of a place they stroll, and from its edge they keep.
const STROLL: i32 = 380;
const EDGE: i32 = 120;
/// From how near they strike, and from how far they run.
const REACH: i32 = 90;
const FAR: i32 = 260;
/// A strike at a visitor who has not struck leaves at least half.
const VISITOR_WELL: u32 = 75;
/// For so long it is one bot's turn to bother visitors, then the next one's.
const TURN_MS: u64 = 20_000;
/// Between two moves.
const ACT_MS: (u64, u64) = (700, 1_700);
const REST_MS: (u64, u64) = (800, 3_200);
const CHASE_MS: u64 = 9_000;
const STROLL_MS: u64 = 8_000;
const TALK_MS: (u64, u64) = (45_000, 120_000);
const SPECIAL_MS: u64 = 6_000;
/// New faces that are remembered; a bound, not a wish.
const FACES_MAX: usize = 64;

/// Somebody else in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Who.
    pub player: PlayerId,
    /// Where.
    pub at: Position,
    /// How well.
    pub health: u32,
    /// Can't be struck now.
    pub is_down: bool,
    /// None of the cast.
    pub is_visitor: bool,
}

/// What a bot sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Unix milliseconds.
    pub now_ms: u64,
    /// Where it is itself.
    pub at: Position,
    /// How well.
    pub health: u32,
    /// It is defeated.
    pub is_down: bool,
    /// Potions in its bag.
    pub potions: u64,
    /// Everybody else in the room.
    pub others: Vec<Other>,
    /// Who has struck it since it looked last.
    pub struck_by: Vec<PlayerId>,
}

/// What it does now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    /// A step.
    pub step: Option<Step>,
    /// A command.
    pub verb: Option<Verb>,
}

/// What it is up to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mood {
    Rest { until_ms: u64 },
    Stroll { to: Position, runs: bool, until_ms: u64 },
    Chase { whom: PlayerId, blows: u32, until_ms: u64 },
}

/// See the module.
#[derive(Debug)]
pub struct Mind {
    nth: u64,
    cast_len: u64,
    rng: StdRng,
    mood: Mood,
    act_at_ms: u64,
    special_at_ms: u64,
    talk_at_ms: u64,
    /// Visitors that it has seen.
    faces: BTreeSet<PlayerId>,
    /// A visitor that has struck it.
    grudge: Option<PlayerId>,
}

impl Mind {
    /// That of the bot `nth` of so many.
    #[must_use]
    pub fn new(seed: u64, nth: u32, cast_len: u32) -> Self {
        Self {
            nth: nth.into(),
            cast_len: u64::from(cast_len).max(1),
            rng: StdRng::seed_from_u64(seed ^ (u64::from(nth) << 32)),
            mood: Mood::Rest { until_ms: 0 },
            act_at_ms: 0,
            special_at_ms: 0,
            talk_at_ms: 0,
            faces: BTreeSet::new(),
            grudge: None,
        }
    }

    /// What it does now; asked once a step.
    pub fn think(&mut self, sight: &Sight) -> Wish {
        if sight.is_down {
            let until_ms = sight.now_ms + self.between(REST_MS);
            (self.mood, self.grudge) = (Mood::Rest { until_ms }, None);
            return Wish::default();
        }
        self.resent(sight);
        if self.is_over(sight) {
            self.mood = self.choose(sight);
        }
        let verb = self.act(sight).or_else(|| self.talk(sight));
        Wish { step: self.step(sight), verb }
    }

    /// Whether it is this one's turn to bother visitors.
    fn has_turn(&self, now_ms: u64) -> bool {
        now_ms / TURN_MS % self.cast_len == self.nth
    }

    /// A visitor that strikes is struck back, most times.
    fn resent(&mut self, sight: &Sight) {
        let struck_by =
            |other: &&Other| other.is_visitor && sight.struck_by.contains(&other.player);
        let Some(visitor) = sight.others.iter().find(struck_by) else { return };
        if self.rng.random_bool(0.6) {
            let whom = visitor.player.clone();
            self.grudge = Some(whom.clone());
            self.mood = Mood::Chase { whom, blows: 1, until_ms: sight.now_ms + CHASE_MS };
        }
    }

    fn is_over(&self, sight: &Sight) -> bool {
        let now_ms = sight.now_ms;
        match &self.mood {
            Mood::Rest { until_ms } => now_ms >= *until_ms,
            Mood::Stroll { to, until_ms, .. } => now_ms >= *until_ms || is_near(sight.at, *to, 24),
            Mood::Chase { whom, blows, until_ms } => {
                now_ms >= *until_ms || *blows == 0 || self.prey(sight, whom).is_none()
            }
        }
    }

    /// Whom it chases, while that one can be struck.
    fn prey<'a>(&self, sight: &'a Sight, whom: &PlayerId) -> Option<&'a Other> {
        let prey = sight.others.iter().find(|other| other.player == *whom && !other.is_down)?;
        let is_fair = !prey.is_visitor
            || self.grudge.as_ref() == Some(whom)
            || (prey.health >= VISITOR_WELL && self.has_turn(sight.now_ms));
        is_fair.then_some(prey)
    }

    fn choose(&mut self, sight: &Sight) -> Mood {
        self.grudge = None;
        match self.rng.random_range(0..100) {
            0..30 => Mood::Rest { until_ms: sight.now_ms + self.between(REST_MS) },
            30..65 if sight.health > 40 => {
                self.hunt(sight).unwrap_or_else(|| self.stroll(sight, false))
            }
            roll => self.stroll(sight, roll % 4 == 0),
        }
    }

    /// Somebody to chase; a visitor seldom, and only in its turn.
    fn hunt(&mut self, sight: &Sight) -> Option<Mood> {
        let bothers = self.has_turn(sight.now_ms) && self.rng.random_bool(0.4);
        let fair = |other: &&Other| {
            let is_well = !other.is_visitor || (bothers && other.health >= VISITOR_WELL);
            !other.is_down && is_well
        };
        let fair: Vec<&Other> = sight.others.iter().filter(fair).collect();
        let prey = fair.choose(&mut self.rng)?;
        let blows = if prey.is_visitor { 1 } else { self.rng.random_range(1..=4) };
        let (whom, until_ms) = (prey.player.clone(), sight.now_ms + CHASE_MS);
        Some(Mood::Chase { whom, blows, until_ms })
    }

    /// Somewhere near a visitor, or near the middle.
    fn stroll(&mut self, sight: &Sight, runs: bool) -> Mood {
        let visitors: Vec<&Other> = sight.others.iter().filter(|other| other.is_visitor).collect();
        let company = visitors.choose(&mut self.rng).filter(|_| self.rng.random_bool(0.6));
        let middle = Position { x: WORLD_SIZE / 2, y: WORLD_SIZE / 2 };
        let around = company.map_or(middle, |visitor| visitor.at);
        let mut along = |around: i32| {
            let place = around + self.rng.random_range(-STROLL..=STROLL);
            place.clamp(EDGE, WORLD_SIZE - EDGE)
        };
        let to = Position { x: along(around.x), y: along(around.y) };
        Mood::Stroll { to, runs, until_ms: sight.now_ms + STROLL_MS }
    }

    /// A move, if one is due.
    fn act(&mut self, sight: &Sight) -> Option<Verb> {
        if sight.now_ms < self.act_at_ms {
            return None;
        }
        let verb = self.mend(sight).or_else(|| self.strike(sight));
        if verb.is_some() {
            self.act_at_ms = sight.now_ms + self.between(ACT_MS);
        }
        verb
    }

    fn mend(&mut self, sight: &Sight) -> Option<Verb> {
        if !sight.struck_by.is_empty() && self.rng.random_bool(0.3) {
            return Some(execute(MoveType::Defend, None));
        }
        if sight.health <= 45 {
            let drinks = sight.potions > 0 && self.rng.random_bool(0.5);
            return Some(match drinks {
                true => Verb::UseItem { item_id: POTION.to_owned() },
                false => execute(MoveType::Heal, None),
            });
        }
        // Asked twenty times a second.
        let heals = sight.health < 85 && self.rng.random_bool(0.02);
        heals.then(|| execute(MoveType::Heal, None))
    }

    fn strike(&mut self, sight: &Sight) -> Option<Verb> {
        let Mood::Chase { whom, .. } = &self.mood else { return None };
        let prey = self.prey(sight, whom).filter(|prey| is_near(sight.at, prey.at, REACH))?;
        let (player, is_visitor) = (prey.player.clone(), prey.is_visitor);
        let may_special = sight.now_ms >= self.special_at_ms && !is_visitor;
        let move_type = if may_special && self.rng.random_bool(0.3) {
            self.special_at_ms = sight.now_ms + SPECIAL_MS;
            MoveType::Special
        } else {
            MoveType::Attack
        };
        if let Mood::Chase { blows, .. } = &mut self.mood {
            *blows = blows.saturating_sub(1);
        }
        Some(execute(move_type, Some(player)))
    }

    fn talk(&mut self, sight: &Sight) -> Option<Verb> {
        let visitors = sight.others.iter().filter(|other| other.is_visitor);
        let new = visitors.map(|other| &other.player).find(|face| !self.faces.contains(*face));
        if let Some(face) = new.cloned() {
            if self.faces.len() >= FACES_MAX {
                self.faces.clear();
            }
            self.faces.insert(face);
            // One of them says so.
            return self.has_turn(sight.now_ms).then(|| self.say(&GREETINGS)).flatten();
        }
        if sight.now_ms < self.talk_at_ms {
            return None;
        }
        let first = self.talk_at_ms == 0;
        self.talk_at_ms = sight.now_ms + self.between(TALK_MS);
        if first { None } else { self.say(&REMARKS) }
    }

    fn say(&mut self, texts: &[&str]) -> Option<Verb> {
        texts.choose(&mut self.rng).map(|text| Verb::Say { text: (*text).to_owned() })
    }

    fn step(&self, sight: &Sight) -> Option<Step> {
        match &self.mood {
            Mood::Rest { .. } => None,
            Mood::Stroll { to, runs, .. } => towards(sight.at, *to, *runs),
            Mood::Chase { whom, .. } => {
                let prey = self.prey(sight, whom)?;
                if is_near(sight.at, prey.at, REACH / 2) {
                    return None;
                }
                towards(sight.at, prey.at, !is_near(sight.at, prey.at, FAR))
            }
        }
    }

    fn between(&mut self, (least, most): (u64, u64)) -> u64 {
        self.rng.random_range(least..=most)
    }
}

fn execute(move_type: MoveType, target_player_id: Option<PlayerId>) -> Verb {
    Verb::ExecuteMove { move_type, target_player_id, event_id: None }
}

fn is_near(one: Position, other: Position, distance: i32) -> bool {
    (one.x - other.x).abs() <= distance && (one.y - other.y).abs() <= distance
}

/// A step nearer, in one of eight directions; straight while one way is much the longer.
fn towards(from: Position, to: Position, runs: bool) -> Option<Step> {
    let (right, down) = (to.x - from.x, to.y - from.y);
    let reach = if runs { SPRINT_SPEED } else { WALK_SPEED };
    let along = |way: i32, other: i32| match way {
        way if way.abs() < reach || way.abs() * 3 < other.abs() => 0,
        way => way.signum() as i8,
    };
    let step = Step {
        dx: along(right, down),
        dy: along(down, right),
        buttons: if runs { BUTTON_SPRINT } else { 0 },
    };
    (step.dx != 0 || step.dy != 0).then_some(step)
}

#[cfg(test)]
mod tests;
