//! The world as the server told it: the player's state folded from events, the room's view, and
//! every numbered frame once. Pure.
//!
//! - Numbered frames rise; none comes twice; after `resumed` exactly the promised ones follow.
//! - The acknowledged input seq, the journal position and the epoch never fall within a session.

use std::collections::BTreeMap;

use holdfast_protocol::ids::PlayerId;
use holdfast_protocol::server::{
    CoinRow, CoinsEvent, CombatEvent, EntityRow, Event, Events, NoticeEvent, PlayerEvent,
    PlayerState, RoomEvent, RosterEvent, SayEvent, TopRow, Welcome, WelcomeKind,
};
use serde_json::{Map, Value};

use crate::ledger::Violation;

/// The room as the newest frames draw it.
#[derive(Debug, Clone, Default)]
pub struct RoomView {
    /// The newest frame's tick.
    pub tick: u64,
    /// Frames seen since the last hello, resume or resync.
    pub frames: u64,
    /// Rows by entity.
    pub entities: BTreeMap<u32, EntityRow>,
    /// Whom the entities mean.
    pub roster: BTreeMap<u32, (PlayerId, String)>,
}

impl RoomView {
    /// The newest row of a player, where the roster and the frames know both.
    #[must_use]
    pub fn row_of(&self, player: &str) -> Option<EntityRow> {
        let named = self.roster.iter().find(|(_, (id, _))| id.as_str() == player);
        named.and_then(|(entity, _)| self.entities.get(entity).copied())
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Mirror {
    /// The state as told by welcome, plus every `player` event since.
    pub state: Option<PlayerState>,
    /// The newest answer to hello or resume.
    pub welcome: Option<Welcome>,
    /// Every numbered frame of this session, in order.
    pub frames: Vec<Events>,
    /// How often a resume could not replay, so that `frames` has a hole.
    pub resyncs: u32,
    /// How often a resume was complete.
    pub resumes: u32,
    /// The room's view.
    pub room: RoomView,
    /// The newest acknowledged input seq.
    pub input_seq: u64,
    /// The coins that lie in the room.
    pub coins: BTreeMap<u64, CoinRow>,
    /// Chat, in order.
    pub says: Vec<SayEvent>,
    /// The newest leaderboard.
    pub leaderboard: Vec<TopRow>,
    /// `drain` was said.
    pub draining: bool,
    /// Events that this client does not know.
    pub unknown: Vec<Value>,
    raw: Map<String, Value>,
    seen: u64,
    state_seq: u64,
    replay_left: u64,
}

impl Mirror {
    /// The newest numbered event seen: what `resume` says.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// Takes an answer to hello or resume.
    ///
    /// # Errors
    /// [`Violation`] when position or epoch went back within the session.
    pub fn welcome(&mut self, welcome: Welcome) -> Result<(), Violation> {
        if welcome.kind == WelcomeKind::Welcome {
            *self = Self::default();
        }
        if let Some(last) = &self.welcome {
            not_back("the epoch", last.epoch, welcome.epoch)?;
            not_back("the position", self.seen.max(last.seq), welcome.seq)?;
        }
        self.state_seq = welcome.seq;
        match welcome.kind {
            WelcomeKind::Welcome => {
                // The record that opened the session may itself carry notices that waited.
                self.state_seq = welcome.seq.saturating_sub(1);
                self.seen = self.state_seq;
            }
            WelcomeKind::Resync => {
                self.resyncs += 1;
                self.state_seq = welcome.seq.saturating_sub(1);
                self.seen = self.state_seq;
            }
            WelcomeKind::Resumed => self.resumes += 1,
        }
        self.replay_left = welcome.replayed.unwrap_or(0);
        self.raw = match serde_json::to_value(&welcome.state) {
            Ok(Value::Object(raw)) => raw,
            _ => Map::new(),
        };
        self.state = Some(welcome.state.clone());
        self.room = RoomView::default();
        self.coins.clear();
        self.welcome = Some(welcome);
        Ok(())
    }

    /// Takes a numbered frame.
    ///
    /// # Errors
    /// [`Violation`] when it is out of order, or not one of those that `resumed` promised.
    pub fn events(&mut self, events: Events) -> Result<(), Violation> {
        let seq = events.seq;
        if seq <= self.seen {
            return Err(Violation::FrameOrder { seq, after: self.seen });
        }
        let replayed = seq <= self.state_seq;
        if replayed && self.replay_left == 0 {
            return Err(Violation::FrameOrder { seq, after: self.state_seq });
        }
        if !replayed && self.replay_left > 0 {
            return Err(Violation::FramesMissing { left: self.replay_left, seq });
        }
        self.seen = seq;
        if replayed {
            self.replay_left -= 1;
        } else {
            // The state of welcome already holds what is replayed.
            self.fold(&events);
        }
        self.frames.push(events);
        Ok(())
    }

    fn fold(&mut self, events: &Events) {
        for event in &events.evs {
            if let Event::Player(PlayerEvent { set }) = event {
                self.raw.extend(set.clone());
            }
        }
        // A shape this client can't read leaves the former state; unknown fields are ignored.
        if let Ok(state) = serde_json::from_value(Value::Object(self.raw.clone())) {
            self.state = Some(state);
        }
    }

    /// Takes an event that is not numbered.
    ///
    /// # Errors
    /// [`Violation::InputFell`].
    pub fn event(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Room(room) => self.room(&room)?,
            Event::Roster(RosterEvent { players, full }) => {
                if full {
                    self.room.roster.clear();
                }
                for row in players {
                    self.room.roster.insert(row.entity, (row.player, row.name));
                }
            }
            Event::Say(say) => self.says.push(say),
            Event::Leaderboard(board) => self.leaderboard = board.top,
            Event::Drain(_) => self.draining = true,
            Event::Unknown(value) => self.unknown.push(value),
            Event::Player(_)
            | Event::Notice(_)
            | Event::Combat(_)
            | Event::Trade(_)
            | Event::Party(_) => {}
            Event::Coins(event) => self.coins(event),
        }
        Ok(())
    }

    fn coins(&mut self, event: CoinsEvent) {
        if event.full {
            self.coins.clear();
        }
        self.coins.extend(event.at.into_iter().map(|row| (row.coin, row)));
        for coin in event.taken {
            self.coins.remove(&coin);
        }
    }

    fn room(&mut self, frame: &RoomEvent) -> Result<(), Violation> {
        if frame.input_seq < self.input_seq {
            return Err(Violation::InputFell { was: self.input_seq, now: frame.input_seq });
        }
        self.input_seq = frame.input_seq;
        let room = &mut self.room;
        room.tick = frame.tick;
        room.frames += 1;
        if frame.full {
            room.entities.clear();
        }
        room.entities.extend(frame.e.iter().map(|row| (row.entity, *row)));
        for entity in &frame.gone {
            room.entities.remove(entity);
            room.roster.remove(entity);
        }
        Ok(())
    }

    /// Every notice of this session, with the frame's seq.
    pub fn notices(&self) -> impl Iterator<Item = (u64, &NoticeEvent)> {
        self.numbered().filter_map(|(seq, event)| match event {
            Event::Notice(notice) => Some((seq, notice)),
            _ => None,
        })
    }

    /// Every combat event of this session, with the frame's seq.
    pub fn combats(&self) -> impl Iterator<Item = (u64, &CombatEvent)> {
        self.numbered().filter_map(|(seq, event)| match event {
            Event::Combat(combat) => Some((seq, combat)),
            _ => None,
        })
    }

    fn numbered(&self) -> impl Iterator<Item = (u64, &Event)> {
        self.frames.iter().flat_map(|frame| frame.evs.iter().map(|event| (frame.seq, event)))
    }
}

const fn not_back(what: &'static str, was: u64, now: u64) -> Result<(), Violation> {
    if now < was { Err(Violation::WentBack { what, was, now }) } else { Ok(()) }
}

#[cfg(test)]
#[path = "mirror/tests.rs"]
mod tests;
