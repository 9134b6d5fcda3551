//! When a step of one player is seen by another: the place that a room frame shows for a player of
//! this process tells which step led there, because a walk repeats no place within ten seconds.

use std::collections::{BTreeMap, VecDeque};

use holdfast_protocol::movement::Position;
use tokio::time::Instant;

use super::account::since;
use super::mind::Names;
use super::share::Share;
use crate::mirror::RoomView;
use crate::stats::Measure;

/// Places of a player that are remembered: far fewer than a walk takes to come back to one.
pub const TRACK_LEN: usize = 64;

/// The newest places of one player, and when the step to each was due.
#[derive(Debug, Default)]
pub struct Track {
    steps: VecDeque<(Position, Instant)>,
}

impl Track {
    /// A step leads there.
    pub fn push(&mut self, at: Position, due: Instant) {
        if self.steps.len() >= TRACK_LEN {
            self.steps.pop_front();
        }
        self.steps.push_back((at, due));
    }

    /// When the step to that place was due, if it is among the newest.
    #[must_use]
    pub fn due(&self, at: Position) -> Option<Instant> {
        self.steps.iter().rev().find(|(place, _)| *place == at).map(|(_, due)| *due)
    }
}

/// What one player has seen of the others.
#[derive(Debug)]
pub struct Sight {
    names: Names,
    /// By entity: the due time of the newest step that was seen.
    seen: BTreeMap<u32, Instant>,
}

impl Sight {
    /// Of the players with these names.
    #[must_use]
    pub const fn new(names: Names) -> Self {
        Self { names, seen: BTreeMap::new() }
    }

    /// After a new connection: entities may mean others.
    pub fn clear(&mut self) {
        self.seen.clear();
    }

    /// Looks at the room; measures each step of another player that is seen for the first time.
    pub(super) fn look(&mut self, share: &Share, room: &RoomView, now: Instant) {
        for (entity, row) in &room.entities {
            let Some((player, _)) = room.roster.get(entity) else { continue };
            let Some(nth) = self.names.nth(player.as_str()) else { continue };
            let Some(due) = share.due(nth, Position { x: row.x, y: row.y }) else { continue };
            let before = self.seen.insert(*entity, due);
            // What it saw first had stood there for a while.
            if before.is_some_and(|before| before < due) {
                share.time(Measure::Seen, since(due, now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_newest_step_to_a_place_is_found_and_old_ones_are_forgotten() {
        let (mut track, began) = (Track::default(), Instant::now());
        let at = |x| Position { x, y: 5 };
        for x in 0..100 {
            track.push(at(x % 90), began + Duration::from_millis(x as u64));
        }
        assert_eq!(track.due(at(5)), Some(began + Duration::from_millis(95)));
        assert_eq!(track.due(at(20)), None);
        assert_eq!(track.due(at(50)), Some(began + Duration::from_millis(50)));
    }
}
