//! What is not as the players were told, counted: acknowledged and not there is lost, there
//! without an acknowledgement of its own is doubled. Pure.
//!
//! The two counts are what tables show. Everything that is amiss is said in words as well, also
//! what is neither of the two, and any word fails a test.

use std::fmt;

use holdfast_protocol::server::PlayerState;
use loadtest::bot::Error;
use loadtest::expect::{Expected, POTION, POTIONS, XP_PER_MOVE};
use loadtest::ledger::{Ledger, Violation};

/// The score of a special move, the most that one command gives.
const SCORE_PER_MOVE_MAX: u64 = 50;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Effects that were acknowledged and are not there.
    pub lost: u64,
    /// Effects that are there more often than they were acknowledged.
    pub doubled: u64,
    said: Vec<String>,
}

impl Findings {
    /// Something amiss that loses and doubles nothing by itself.
    pub fn say(&mut self, what: impl Into<String>) {
        self.said.push(what.into());
    }

    /// One effect that is not there.
    pub fn lose(&mut self, what: impl Into<String>) {
        self.lost += 1;
        self.say(what);
    }

    /// One effect that is there twice.
    pub fn double(&mut self, what: impl Into<String>) {
        self.doubled += 1;
        self.say(what);
    }

    /// Compares how often something is there with how often it was acknowledged.
    pub fn compare(&mut self, what: impl fmt::Display, acknowledged: u64, there: u64) {
        self.lost += acknowledged.saturating_sub(there);
        self.doubled += there.saturating_sub(acknowledged);
        if acknowledged != there {
            self.say(format!("{what}: {there}, not {acknowledged}"));
        }
    }

    /// Compares what moves gave: the fewest moves that explain every difference count.
    pub fn compare_gains(&mut self, acknowledged: [u64; 3], there: [u64; 3]) {
        let per_move = [1, XP_PER_MOVE, SCORE_PER_MOVE_MAX];
        let moves = |more: [u64; 3], less: [u64; 3]| {
            let gains = more.into_iter().zip(less).zip(per_move);
            gains.map(|((more, less), most)| more.saturating_sub(less).div_ceil(most)).max()
        };
        self.lost += moves(acknowledged, there).unwrap_or(0);
        self.doubled += moves(there, acknowledged).unwrap_or(0);
        if acknowledged != there {
            let what = "actions, experience and score";
            self.say(format!("{what} are {there:?}, not {acknowledged:?}"));
        }
    }

    /// Compares a player's state with the sum of what was acknowledged.
    pub fn compare_state(&mut self, name: &str, expected: &Expected, state: &PlayerState) {
        let mut found = Self::default();
        let acknowledged = [expected.actions, expected.xp, expected.score];
        found.compare_gains(acknowledged, [state.total_actions_count, state.xp, state.score]);
        let left = state.inventory.iter().find(|item| item.item_id == POTION);
        let used = POTIONS.saturating_sub(left.map_or(0, |item| item.quantity));
        found.compare("potions used", expected.potions_used, used);
        let room = state.current_room.as_ref().map(|room| &room.room_id);
        if room != expected.room.as_ref() {
            found.lose(format!("it is in {room:?}, not in {:?}", expected.room));
        }
        for odd in expected.differences(state) {
            found.say(odd);
        }
        if state.health > state.max_health {
            found.say(format!("it has {} health", state.health));
        }
        self.add(name, found);
    }

    /// Takes over what was found elsewhere, under a name.
    pub fn add(&mut self, name: &str, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.said.extend(other.said.into_iter().map(|said| format!("{name}: {said}")));
    }

    /// Whether all is well.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, doubled, said } = self;
        write!(f, "{lost} lost, {doubled} doubled:\n{}", said.join("\n"))
    }
}

/// Why a bot could play no further.
impl From<Error> for Findings {
    fn from(error: Error) -> Self {
        let mut found = Self::default();
        let why = error.to_string();
        match error {
            Error::Violation(
                Violation::Changed { .. }
                | Violation::FramesMissing { .. }
                | Violation::WentBack { .. },
            ) => found.lose(why),
            Error::Violation(Violation::Twice { .. } | Violation::FalseDup { .. }) => {
                found.double(why);
            }
            _ => found.say(why),
        }
        found
    }
}

/// Commands that took effect under a key that had had its effect before.
pub fn doubled_keys(ledger: &Ledger) -> u64 {
    let mut seen = std::collections::BTreeSet::new();
    let ok = |answer: &loadtest::ledger::Answer| answer.result.is_ok() && !answer.dup;
    let done = ledger.iter().filter(|(_, entry)| entry.answer.as_ref().is_some_and(ok));
    let again =
        done.filter_map(|(_, entry)| entry.verb.event_id()).filter(|key| !seen.insert(*key));
    again.count() as u64
}

#[test]
fn what_is_missing_is_lost_and_what_is_too_much_is_doubled() {
    let mut found = Findings::default();
    found.compare("blows", 3, 3);
    found.compare_gains([7, 60, 200], [7, 60, 200]);
    assert!(found.is_none());
    found.compare("blows", 3, 1);
    found.compare("potions", 0, 1);
    assert_eq!((found.lost, found.doubled), (2, 1));
    assert!(found.to_string().contains("blows: 1, not 3"), "{found}");
}

#[test]
fn a_move_that_is_lost_counts_once_whatever_it_gave() {
    let gains = |there| {
        let mut found = Findings::default();
        found.compare_gains([7, 60, 250], there);
        (found.lost, found.doubled)
    };
    assert_eq!(gains([6, 50, 200]), (1, 0));
    assert_eq!(gains([7, 60, 215]), (1, 0), "half of it is there");
    assert_eq!(gains([9, 80, 350]), (0, 2));
}

#[test]
fn broken_promises_are_sorted() {
    let of = |violation| Findings::from(Error::Violation(violation));
    assert_eq!(of(Violation::Twice { id: 1, sent: 1 }).doubled, 1);
    assert_eq!(of(Violation::WentBack { what: "seq", was: 2, now: 1 }).lost, 1);
    let other = of(Violation::NoSeq { id: 1 });
    assert_eq!((other.lost, other.doubled, other.is_none()), (0, 0, false));
}
