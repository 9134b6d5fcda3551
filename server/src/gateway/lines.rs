//! What a socket remembers for a person who types: numbers for messages that have none, what an
//! answer is waited for, and where a walk ends. Pure.
//!
//! I7: at most [`WAITING_MAX`] answers and walks are remembered; the oldest is forgotten, and
//! its answer is shown without words.

use std::collections::VecDeque;

use holdfast_protocol::client::Verb;
use holdfast_protocol::server::{EntityRow, PlayerState, RoomInfo};
use holdfast_protocol::text::dealing::Ask;
use holdfast_protocol::text::known::Known;
use holdfast_protocol::text::render;

use super::view::Member;

/// Most answers that are waited for.
pub const WAITING_MAX: usize = 64;
/// Room frames a second of `watch on` without a number.
pub const WATCH_HZ_DEFAULT: u8 = 2;

/// What an answer is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// The answer itself.
    Verb(Verb),
    /// The gold in the state.
    Gold,
    /// The room around the state.
    Look,
    /// The item that a word means, to use it then.
    Use(String),
    /// What a line about trades and parties means by the state, to do it then.
    Ask(Box<Ask>),
}

/// A person's side of a socket.
#[derive(Debug, Default)]
pub struct Lines {
    /// Replies and events are JSON though lines are typed.
    pub json: bool,
    /// Room frames a second, where they are wanted.
    pub watch_hz: Option<u8>,
    /// What was told of trades and goods.
    pub known: Known,
    waiting: VecDeque<(u64, Want)>,
    /// The number after the newest step of this session.
    next_step: u64,
    walks: VecDeque<u64>,
}

impl Lines {
    /// A new session: steps are numbered afresh after `input`, nothing is waited for.
    pub fn begin(&mut self, input: u64) {
        self.waiting.clear();
        self.walks.clear();
        self.next_step = input + 1;
    }

    /// Waits for the answer to `id`.
    pub fn wait(&mut self, id: u64, want: Want) {
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back((id, want));
    }

    /// What the answer to `id` is for.
    pub fn take(&mut self, id: u64) -> Option<Want> {
        let at = self.waiting.iter().position(|(known, _)| *known == id)?;
        self.waiting.remove(at).map(|(_, want)| want)
    }

    /// Numbers a walk of `len` steps; the number of the first.
    pub fn walk(&mut self, len: usize, input: u64) -> u64 {
        let first = self.next_step.max(input + 1);
        self.stepped(first, len);
        if self.walks.len() >= WAITING_MAX {
            self.walks.pop_front();
        }
        self.walks.push_back(self.next_step - 1);
        first
    }

    /// Notes steps that were numbered by the client itself.
    pub fn stepped(&mut self, first: u64, len: usize) {
        self.next_step = self.next_step.max(first.saturating_add(len as u64));
    }

    /// True when a walk ended with `input`, the last durable step; those before end with it.
    pub fn arrived(&mut self, input: u64) -> bool {
        let before = self.walks.len();
        self.walks.retain(|end| *end > input);
        self.walks.len() < before
    }

    /// Waits for no walk any more: it was refused.
    pub fn stand(&mut self) {
        self.walks.clear();
    }

    /// True while a typed line has no answer.
    #[must_use]
    pub fn owes(&self) -> bool {
        !self.waiting.is_empty() || self.is_walking()
    }

    /// True while a walk is under way.
    #[must_use]
    pub fn is_walking(&self) -> bool {
        !self.walks.is_empty()
    }
}

/// Display names of the others at a place.
#[must_use]
pub fn others(members: &[Member], own: &str) -> Vec<String> {
    members.iter().filter(|one| &*one.player != own).map(|one| one.name.to_string()).collect()
}

/// What `look` says.
#[must_use]
pub fn look(state: &PlayerState, members: &[Member]) -> String {
    let own = state.player_id.as_str();
    let at = holdfast_protocol::movement::Position { x: state.x, y: state.y };
    let others: Vec<(String, EntityRow)> = members
        .iter()
        .filter(|one| &*one.player != own)
        .map(|one| (one.name.to_string(), one.row))
        .collect();
    // The state knows how many there were when its player came in; who is here now is seen.
    let room = state.current_room.clone().map(|room| RoomInfo {
        player_count: u32::try_from(members.len()).unwrap_or(u32::MAX),
        ..room
    });
    render::look(room.as_ref(), at, &others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_are_numbered_one_after_the_other() {
        let mut lines = Lines::default();
        lines.begin(0);
        assert_eq!((lines.walk(3, 0), lines.walk(2, 0)), (1, 4));
        lines.stepped(6, 4);
        assert_eq!(lines.walk(1, 0), 10);
        assert!(!lines.arrived(2));
        assert!(lines.arrived(5), "both of the first walks");
        assert!(!lines.arrived(9));
        assert!(lines.is_walking());
        assert!(lines.arrived(10));
        assert!(!lines.is_walking());
    }

    #[test]
    fn a_resumed_session_goes_on_after_its_input() {
        let mut lines = Lines::default();
        lines.begin(40);
        assert_eq!(lines.walk(1, 0), 41);
        assert_eq!(lines.walk(1, 60), 61);
    }

    #[test]
    fn an_answer_is_taken_once() {
        let mut lines = Lines::default();
        assert!(!lines.owes());
        lines.walk(3, 0);
        assert!(lines.owes(), "a walk is answered too");
        lines.stand();
        assert!(!lines.owes() && !lines.is_walking());
        lines.wait(1, Want::Gold);
        lines.wait(2, Want::Look);
        assert_eq!(lines.take(2), Some(Want::Look));
        assert_eq!(lines.take(2), None);
        for id in 10..10 + WAITING_MAX as u64 {
            lines.wait(id, Want::Gold);
        }
        assert_eq!(lines.take(1), None, "the oldest is forgotten");
    }
}
