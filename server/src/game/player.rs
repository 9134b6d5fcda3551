//! The player: its state, how facts change it, and which rule judges which message.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::client::{MoveType, Verb};
use holdfast_protocol::edge::{Opening, Request};
use holdfast_protocol::ids::{ActorId, PlayerId};
use holdfast_protocol::movement::{Position, Step};
use holdfast_protocol::server as wire;
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::event::{Event, Notice};
use super::notices::ServiceRequest;
use super::tells::{ToPlayer, ToRoom};
use super::{
    ROOM, Settings, combat, inventory, json, leaderboard, movement, notices, presence, public,
    travel, unpack,
};
use crate::actor::contract::{
    Actor, Ctx, Decision, Message, Origin, Reject, Token, Undelivered, View,
};

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
    /// Whose command waits; none after a hello.
    pub token: Option<Token>,
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
    pub(super) session_actions: u64,
    pub(super) total_actions: u64,
    /// When session metrics were handed over, or the session began.
    pub(super) measured_ms: u64,
    /// At most [`notices::PENDING_MAX`].
    pub(super) notices: VecDeque<Notice>,
    pub(super) sent: leaderboard::Sent,
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
            session_actions: 0,
            total_actions: 0,
            measured_ms: 0,
            notices: VecDeque::new(),
            sent: leaderboard::Sent::default(),
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
        self.remembered = None;
        self.sprinting = false;
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
                (self.active_ms, self.measured_ms) = (*at, *at);
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
                self.joins.insert(*n, Join { room: Arc::clone(room), token: *token });
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
            Event::Measured { at } => (self.session_actions, self.measured_ms) = (0, *at),
            _ => {}
        }
    }
}

impl Actor for Player {
    type Event = Event;
    type Settings = Settings;

    fn new(id: &ActorId) -> Self {
        Self { id: id.key().into(), ..Self::default() }
    }

    fn decide(
        &self,
        ctx: &Ctx<'_, Settings>,
        message: &Message<'_>,
    ) -> Result<Decision<Event>, Reject> {
        let mut draft = Draft::new(self, ctx);
        match *message {
            Message::Opened { payload } => {
                presence::opened(&mut draft, &unpack::<Opening>(payload)?)?;
            }
            Message::Command { origin, payload } => match unpack::<Request>(payload) {
                Ok(Request::Verb(Verb::Input { seq, steps })) => {
                    return self.decide_input(ctx, origin, seq, &steps);
                }
                Ok(request) => command(&mut draft, origin, request)?,
                Err(_) if origin == Origin::Service && self.exists => {
                    let ServiceRequest::Notify { text, from } = unpack(payload)?;
                    notices::notify(&mut draft, &text, from)?;
                }
                Err(reject) => return Err(reject),
            },
            Message::Tell { from, payload } => tell(&mut draft, from, unpack(payload)?),
            Message::Resumed if self.exists => presence::resumed(&mut draft),
            Message::Lost => presence::lost(&mut draft),
            Message::Resumed => {}
            Message::Undelivered { to, payload, reason } => {
                undelivered(&mut draft, to, payload, reason);
            }
            Message::Timer { name } => timer(&mut draft, name),
            Message::ActivityEnded { name: leaderboard::UPDATE_LEADERBOARD, outcome, .. } => {
                leaderboard::ended(&mut draft, outcome.is_ok());
            }
            Message::ActivityEnded { .. } => {}
        }
        Ok(draft.finish())
    }

    fn apply(&mut self, event: &Event) {
        // Each takes the facts of its features and passes the others by.
        self.apply_presence(event);
        self.apply_travel(event);
        self.apply_combat(event);
        self.apply_rest(event);
    }

    fn query(&self, ctx: &Ctx<'_, Settings>, payload: &[u8]) -> Result<Bytes, Reject> {
        let state = public::state_at(self, ctx.now_ms).filter(|_| self.exists);
        let state = state.ok_or_else(unknown_player)?;
        match unpack(payload)? {
            Request::Verb(Verb::GetState {}) => Ok(json(&state)),
            Request::Verb(Verb::GetInventory {}) => {
                Ok(json(&wire::InventoryBody { inventory: state.inventory }))
            }
            Request::Verb(Verb::GetStatus {}) => {
                Ok(json(&wire::StatusBody { status: state.status }))
            }
            Request::Verb(verb) => Err(unknown_verb(&verb)),
            Request::Admit(_) => Err(Reject::new("unknown_verb", "an admission is no query")),
        }
    }

    fn view(&self) -> Option<View> {
        let flag = |set: bool, bit: u8| if set { u32::from(bit) } else { 0 };
        let is_lost = matches!(self.presence, Presence::Lost { .. });
        self.exists.then(|| View {
            topic: self.room.as_ref().map(|place| Arc::clone(&place.room)),
            entity: self.room.as_ref().map_or(0, |place| place.entity),
            label: Arc::clone(&self.name),
            x: self.at.x,
            y: self.at.y,
            health: i32::try_from(self.health).unwrap_or(i32::MAX),
            flags: flag(self.defend_until_ms.is_some(), wire::FLAG_DEFENDING)
                | flag(self.health == 0, wire::FLAG_DEFEATED)
                | flag(self.sprinting, wire::FLAG_SPRINTING)
                | flag(is_lost, wire::FLAG_LINKDEAD),
            input: self.input,
        })
    }
}

impl Player {
    /// Input comes twenty times a second: it goes without a working copy unless it ends idleness.
    fn decide_input(
        &self,
        ctx: &Ctx<'_, Settings>,
        origin: Origin,
        seq: u64,
        steps: &[Step],
    ) -> Result<Decision<Event>, Reject> {
        if !self.exists || origin != Origin::Session {
            return Err(Reject::new("unknown_verb", "input needs the player's own session"));
        }
        let Some((event, warning)) = movement::judge(self, ctx, seq, steps) else {
            return Ok(Decision::default());
        };
        if !self.idle {
            return Ok(Decision { events: vec![event], warning, ..Decision::default() });
        }
        let mut draft = Draft::new(self, ctx);
        draft.record(event);
        draft.warn(warning);
        presence::woken(&mut draft);
        Ok(draft.finish())
    }
}

fn unknown_player() -> Reject {
    Reject::new("no_such_player", "there is no such player")
}

fn unknown_verb(verb: &Verb) -> Reject {
    Reject::new("unknown_verb", format!("a player's actor does not know {}", verb.name()))
}

fn command(draft: &mut Draft<'_>, origin: Origin, request: Request) -> Result<(), Reject> {
    let verb = match request {
        Request::Admit(opening) => {
            presence::admit(draft, &opening)?;
            draft.reply_empty();
            return Ok(());
        }
        Request::Verb(_) if !draft.now.exists => return Err(unknown_player()),
        Request::Verb(Verb::Logout {}) => {
            presence::logout(draft);
            return Ok(());
        }
        Request::Verb(verb) => verb,
    };
    presence::touch(draft, origin);
    let defeat = |draft: &Draft<'_>, what| draft.now.defeat(what).map_or(Ok(()), Err);
    match verb {
        Verb::JoinRoom { room_id } => {
            defeat(draft, "join a room")?;
            travel::join(draft, room_id.as_str())
        }
        Verb::LeaveRoom {} => {
            travel::leave(draft);
            Ok(())
        }
        Verb::ExecuteMove { move_type, target_player_id, .. } => {
            defeat(draft, "make a move")?;
            combat::execute(draft, move_type, target_player_id.as_ref())
        }
        Verb::UseItem { item_id } => {
            defeat(draft, "use an item")?;
            inventory::use_item(draft, &item_id)
        }
        Verb::Say { text } => say(draft, text),
        other => Err(unknown_verb(&other)),
    }
}

fn say(draft: &mut Draft<'_>, text: String) -> Result<(), Reject> {
    if draft.now.room.is_none() {
        return Err(Reject::new("not_in_room", "nobody hears you outside a room"));
    }
    let from = PlayerId::new(draft.ctx.id.key()).map_err(|_| unknown_player())?;
    draft.broadcast(&wire::Event::Say(wire::SayEvent { from, text, party: None }));
    draft.reply_empty();
    Ok(())
}

fn tell(draft: &mut Draft<'_>, from: &ActorId, tell: ToPlayer) {
    let room = from.key();
    match tell {
        ToPlayer::Joined { n, entity, count, max } => {
            travel::joined(draft, room, n, entity, (count, max));
        }
        ToPlayer::Full { n, max } => {
            travel::refused(draft, room, n, &format!("is full: it has {max} places"));
        }
        ToPlayer::Blow { .. } => combat::struck(draft, from, &tell),
        ToPlayer::BlowDone { token, damage } => combat::done(draft, from, token, damage),
        ToPlayer::BlowRefused { token, code, message } => {
            let reject = Reject { code: code.into(), message: message.into() };
            combat::refused(draft, from, token, reject);
        }
    }
}

/// A tell of this player came back: whoever waits for its answer is told so.
fn undelivered(draft: &mut Draft<'_>, to: &ActorId, payload: &[u8], reason: Undelivered) {
    if to.kind() == ROOM {
        if let Ok(ToRoom::Join { n, .. }) = unpack(payload) {
            travel::refused(draft, to.key(), n, "can't be reached");
        }
        return;
    }
    let Ok(ToPlayer::Blow { token, .. }) = unpack(payload) else { return };
    let reject = match reason {
        Undelivered::NoSuchActor => unknown_player(),
        Undelivered::TooManyHops => Reject::new("no_such_player", "the target can't be reached"),
    };
    combat::refused(draft, to, token, reject);
}

fn timer(draft: &mut Draft<'_>, name: &str) {
    match name {
        presence::LINKDEAD_TIMER => presence::linkdead_timer(draft),
        presence::IDLE_TIMER => presence::idle_timer(draft),
        combat::DEFEND_TIMER => combat::defend_timer(draft),
        combat::COOLDOWN_TIMER => combat::cooldown_timer(draft),
        combat::RECOVER_TIMER => combat::recover_timer(draft),
        leaderboard::SCORE_TIMER => leaderboard::timer(draft),
        _ => {}
    }
}
