//! The player's state, and how facts change it.
//!
//! I3: integers and ordered maps only, and folding is total. Snapshots hold the state's serde
//! form: fields are only added, and have a default.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use holdfast_protocol::client::MoveType;
use holdfast_protocol::movement::Position;
use serde::{Deserialize, Serialize};

use super::deals::Deals;
use super::event::{Event, Notice};
use super::fellowship::{self, Fellowship};
use super::{coins, leaderboard, movement, notices};
use crate::actor::contract::{Reject, Token};

/// Whether a player is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum Presence {
    /// Not here.
    #[default]
    #[serde(rename = "off")]
    Offline,
    /// With a socket.
    #[serde(rename = "here")]
    Here,
    /// Without a socket, for a while.
    #[serde(rename = "lost")]
    Lost {
        /// Until when, in Unix milliseconds.
        until_ms: u64,
    },
}

/// A place in a room, as the room gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Which room.
    pub room: Arc<str>,
    /// The join that got the place.
    pub n: u64,
    /// The player's number there.
    pub entity: u32,
    /// Members at that time.
    pub count: u32,
    /// Members at most.
    pub max: u32,
}

/// A join that waits for its room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Which room.
    pub room: Arc<str>,
    /// Whose command waits; none after a hello, and with a party.
    pub token: Option<Token>,
    /// The party's number of its entry, for a join with all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
}

/// A blow that waits for its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swing {
    /// At whom.
    pub target: Arc<str>,
    /// Which move.
    pub by: MoveType,
    /// When, in Unix milliseconds.
    pub at_ms: u64,
}

/// A player's state. Integers and ordered maps only (I3); snapshots hold its serde form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Player {
    pub(super) id: Arc<str>,
    pub(super) exists: bool,
    pub(super) name: Arc<str>,
    /// The name needs its token.
    pub(super) protected: bool,
    pub(super) presence: Presence,
    pub(super) idle: bool,
    /// When the session began; 0 before the first, and in one that began before this was kept.
    pub(super) opened_ms: u64,
    /// The last command or input.
    pub(super) active_ms: u64,
    pub(super) room: Option<Membership>,
    /// The room that the next hello asks for.
    pub(super) remembered: Option<Arc<str>>,
    /// By the join's number; at most [`travel::JOINS_MAX`].
    pub(super) joins: BTreeMap<u64, Join>,
    pub(super) join_count: u64,
    pub(super) at: Position,
    /// The last step judged.
    pub(super) input: u64,
    /// Tenths of a millisecond, as of `credit_ms`.
    pub(super) credit: u32,
    pub(super) credit_ms: u64,
    pub(super) dropped_steps: u64,
    /// The last step sprinted.
    pub(super) sprinting: bool,
    pub(super) health: u32,
    pub(super) health_max: u32,
    pub(super) defend_until_ms: Option<u64>,
    pub(super) special_until_ms: Option<u64>,
    /// By token; at most [`combat::SWINGS_MAX`].
    pub(super) swings: BTreeMap<Token, Swing>,
    pub(super) xp: u64,
    pub(super) score: u64,
    pub(super) gold: u64,
    /// Quantities above 0, by item id.
    pub(super) inventory: BTreeMap<String, u64>,
    /// Coins that the present room was asked for.
    pub(super) asked: Option<Box<coins::Asked>>,
    pub(super) session_actions: u64,
    pub(super) total_actions: u64,
    /// When session metrics were handed over, or the session began.
    pub(super) measured_ms: u64,
    /// At most [`notices::PENDING_MAX`].
    pub(super) notices: VecDeque<Notice>,
    pub(super) sent: leaderboard::Sent,
    /// Trades; most players have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deals: Option<Box<Deals>>,
    /// None while there is nothing in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fellowship: Option<Box<Fellowship>>,
}

impl Default for Player {
    fn default() -> Self {
        Self {
            id: "".into(),
            exists: false,
            name: "".into(),
            protected: false,
            presence: Presence::Offline,
            idle: false,
            opened_ms: 0,
            active_ms: 0,
            room: None,
            remembered: None,
            joins: BTreeMap::new(),
            join_count: 0,
            at: Position { x: 0, y: 0 },
            input: 0,
            credit: movement::CREDIT_MAX,
            credit_ms: 0,
            dropped_steps: 0,
            sprinting: false,
            health: 0,
            health_max: 0,
            defend_until_ms: None,
            special_until_ms: None,
            swings: BTreeMap::new(),
            xp: 0,
            score: 0,
            gold: 0,
            inventory: BTreeMap::new(),
            asked: None,
            session_actions: 0,
            total_actions: 0,
            measured_ms: 0,
            notices: VecDeque::new(),
            sent: leaderboard::Sent::default(),
            deals: None,
            fellowship: None,
        }
    }
}

impl Player {
    /// The refusal of whatever a defeated player can't do.
    pub(super) fn defeat(&self, what: &str) -> Option<Reject> {
        let sentence = || Reject::new("defeated", format!("you are defeated and can't {what}"));
        (self.health == 0).then(sentence)
    }

    /// Steps that were beyond the clock's credit, ever.
    #[must_use]
    pub fn dropped_steps(&self) -> u64 {
        self.dropped_steps
    }

    fn acted(&mut self) {
        self.session_actions = self.session_actions.saturating_add(1);
        self.total_actions = self.total_actions.saturating_add(1);
    }

    fn leave_room(&mut self) {
        self.room = None;
        self.asked = None;
        self.remembered = None;
        self.sprinting = false;
    }

    pub(super) fn come_along(&mut self, n: u64, room: &Arc<str>, entry: u64) {
        self.join_count = n;
        let room = Arc::clone(room);
        self.joins.insert(n, Join { room, token: None, entry: Some(entry) });
    }

    /// Folds one fact.
    pub(super) fn fold(&mut self, event: &Event) {
        // Each takes the facts of its features and passes the others by.
        self.apply_presence(event);
        self.apply_travel(event);
        self.apply_combat(event);
        self.apply_gold(event);
        self.apply_rest(event);
    }

    fn apply_presence(&mut self, event: &Event) {
        match event {
            Event::Created { name, x, y, health, gold, items } => {
                self.exists = true;
                self.name = Arc::clone(name);
                self.at = Position { x: *x, y: *y };
                (self.health, self.health_max, self.gold) = (*health, *health, *gold);
                self.inventory.clone_from(items);
            }
            Event::Named { name } => self.name = Arc::clone(name),
            Event::Protected => self.protected = true,
            Event::Opened { at } => {
                self.presence = Presence::Here;
                (self.idle, self.sprinting, self.input) = (false, false, 0);
                (self.opened_ms, self.active_ms, self.measured_ms) = (*at, *at, *at);
            }
            Event::Returned => self.presence = Presence::Here,
            Event::Lost { until } => self.presence = Presence::Lost { until_ms: *until },
            Event::Gone { room } => {
                self.leave_room();
                self.joins.clear();
                (self.presence, self.idle) = (Presence::Offline, false);
                self.remembered.clone_from(room);
            }
            Event::Active { at } => (self.active_ms, self.idle) = (*at, false),
            Event::Idled => self.idle = true,
            _ => {}
        }
    }

    fn apply_travel(&mut self, event: &Event) {
        match event {
            Event::Input(input) => movement::apply(self, input),
            Event::JoinAsked { n, room, token } => {
                self.join_count = *n;
                if token.is_none() {
                    self.remembered = None;
                }
                let (room, token) = (Arc::clone(room), *token);
                self.joins.insert(*n, Join { room, token, entry: None });
            }
            Event::JoinDropped { n } => {
                self.joins.remove(n);
            }
            Event::Joined { n, room, entity, count, max, acted } => {
                self.leave_room();
                self.joins.remove(n);
                let (room, n, entity) = (Arc::clone(room), *n, *entity);
                self.room = Some(Membership { room, n, entity, count: *count, max: *max });
                if *acted {
                    self.acted();
                }
            }
            Event::RoomLeft => self.leave_room(),
            _ => {}
        }
    }

    fn apply_combat(&mut self, event: &Event) {
        match event {
            Event::Swung { token, target, by, at } => {
                let swing = Swing { target: Arc::clone(target), by: *by, at_ms: *at };
                self.swings.insert(*token, swing);
            }
            Event::SwingEnded { token } => {
                self.swings.remove(token);
            }
            Event::Moved { damage, xp } => {
                self.xp = self.xp.saturating_add(*xp);
                self.score = self.score.saturating_add(damage.saturating_add(*xp));
                self.acted();
            }
            Event::Hit { health } | Event::Healed { health } => self.health = *health,
            Event::Defended { until } => self.defend_until_ms = *until,
            Event::Cooled { until } => self.special_until_ms = *until,
            _ => {}
        }
    }

    fn apply_gold(&mut self, event: &Event) {
        match event {
            Event::CoinAsked { coin } => coins::ask(self, *coin),
            Event::CoinMissed { coin } => coins::answered(self, *coin),
            Event::Coined { room, coin, gold } => {
                if self.room.as_ref().is_some_and(|place| place.room == *room) {
                    coins::answered(self, *coin);
                }
                self.gold = self.gold.saturating_add(*gold);
            }
            Event::Looted { gold, .. } => self.gold = self.gold.saturating_add(*gold),
            Event::Robbed { gold, .. } => self.gold = self.gold.saturating_sub(*gold),
            _ => {}
        }
    }

    fn apply_rest(&mut self, event: &Event) {
        match event {
            Event::ItemSet { item, quantity: 0 } => {
                self.inventory.remove(item);
            }
            Event::ItemSet { item, quantity } => {
                self.inventory.insert(item.clone(), *quantity);
            }
            Event::Noted(notice) => {
                self.notices.push_back(notice.clone());
                if self.notices.len() > notices::PENDING_MAX {
                    self.notices.pop_front();
                }
            }
            Event::NotesTold => self.notices.clear(),
            Event::ScoreSent { score, name, next } => {
                let name = Arc::clone(name);
                self.sent = leaderboard::Sent { open: true, score: *score, name, next_ms: *next };
            }
            Event::ScoreEnded { ok, next } => {
                (self.sent.open, self.sent.next_ms) = (false, *next);
                if !ok {
                    self.sent.score = 0;
                }
            }
            Event::Deal { trade, deal } => self.apply_deal(trade, deal),
            Event::DealsSwept { at, next } => self.sweep_deals(*at, *next),
            Event::Measured { at } => (self.session_actions, self.measured_ms) = (0, *at),
            Event::Fellow(event) => fellowship::apply(self, event),
            _ => {}
        }
    }
}
