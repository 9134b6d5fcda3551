//! A tiny runtime for rules: players and rooms, a clock that the test moves, and tells that are
//! carried one by one, first in first out per pair of actors.
//!
//! After every decision of a player it folds the events, through their journal form, onto a
//! second state that began from nothing, and compares (I3).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::client::{MoveType, Step, Verb};
use holdfast_protocol::edge::{Opening, Proof, Request};
use holdfast_protocol::ids::{ActorId, PlayerId, RoomId};
use holdfast_protocol::server::PlayerState;
use serde_json::Value;

use crate::actor::contract::{
    ActivityCall, Actor, Ctx, Decision, Message, Origin, Push, Reject, Reply, TimerChange, Token,
    Undelivered,
};
use crate::actor::kind::{Behaviour, Facts, Kind};
use crate::game::event::Event;
use crate::game::party::Party;
use crate::game::player::Player;
use crate::game::room::Room;
use crate::game::trade::Trade;
use crate::game::{Settings, pack, unpack};

pub const START_MS: u64 = 1_795_000_000_000;

/// A player and what the runtime would keep of it.
pub struct Seat {
    pub state: Player,
    mirror: Player,
    pub connected: bool,
    pub seq: u64,
    pub timers: BTreeMap<String, u64>,
    pub pushes: Vec<Value>,
    /// Events for the socket that are not numbered.
    pub passing: Vec<Value>,
    pub broadcasts: Vec<Value>,
    pub activities: Vec<ActivityCall>,
    pub warnings: Vec<Reject>,
    pub answers: BTreeMap<Token, Result<Value, Reject>>,
    pub sessions_ended: u32,
    pub alarms: Vec<String>,
}

/// An actor of another kind than players and rooms.
pub struct Other {
    pub behaviour: Box<dyn Behaviour>,
    timers: BTreeMap<String, u64>,
}

struct Mail {
    from: ActorId,
    to: ActorId,
    payload: Bytes,
    creates: bool,
}

/// What came of a command at once.
#[derive(Debug, PartialEq)]
pub enum Sent {
    Now(Value),
    Later(Token),
    Nothing,
}

pub struct World {
    pub settings: Settings,
    pub now_ms: u64,
    pub players: BTreeMap<String, Seat>,
    pub rooms: BTreeMap<String, Room>,
    pub others: BTreeMap<ActorId, Other>,
    /// What actors of other kinds had to tell the operators.
    pub alarms: Vec<String>,
    random: u64,
    /// Timers of rooms.
    pub room_timers: BTreeMap<ActorId, BTreeMap<String, u64>>,
    /// What rooms have said, oldest first.
    pub room_says: Vec<Value>,
    mail: Vec<Mail>,
}

pub fn player_id(id: &str) -> ActorId {
    ActorId::new("player", id).unwrap()
}

pub fn opening(name: Option<&str>, proof: Proof) -> Bytes {
    pack(&Opening { name: name.map(ToOwned::to_owned), proof })
}

pub fn join(room: &str) -> Verb {
    Verb::JoinRoom { room_id: RoomId::new(room).unwrap() }
}

pub fn strike(move_type: MoveType, target: Option<&str>) -> Verb {
    let target_player_id = target.map(|id| PlayerId::new(id).unwrap());
    Verb::ExecuteMove { move_type, target_player_id, event_id: None }
}

pub fn use_item(item: &str) -> Verb {
    Verb::UseItem { item_id: item.to_owned() }
}

pub fn walk(seq: u64, steps: &[(i8, i8, u8)]) -> Verb {
    Verb::Input { seq, steps: steps.iter().copied().map(Step::from).collect() }
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The kind of an actor that is neither a player nor a room.
fn kind_of(id: &ActorId, settings: &Settings) -> Option<Kind> {
    let settings = Arc::new(settings.clone());
    match id.kind() {
        "trade" => Some(Kind::of::<Trade>(settings)),
        "party" => Some(Kind::of::<Party>(settings)),
        _ => None,
    }
}

fn change(timers: &mut BTreeMap<String, u64>, changes: Vec<TimerChange>) {
    for change in changes {
        match change {
            TimerChange::Set { name, at_ms } => timers.insert(name.into_owned(), at_ms),
            TimerChange::Cancel { name } => timers.remove(&*name),
        };
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            settings: Settings::default(),
            now_ms: START_MS,
            players: BTreeMap::new(),
            rooms: BTreeMap::new(),
            others: BTreeMap::new(),
            alarms: Vec::new(),
            random: 7,
            room_timers: BTreeMap::new(),
            room_says: Vec::new(),
            mail: Vec::new(),
        }
    }

    /// A world where these players have said hello.
    pub fn with(players: &[&str]) -> Self {
        let mut world = Self::new();
        for player in players {
            world.hello(player);
        }
        world
    }

    /// A world where these players are in `room`, and nobody has been told anything.
    pub fn in_room(room: &str, players: &[&str]) -> Self {
        let mut world = Self::with(players);
        for player in players {
            world.act(player, join(room)).unwrap();
        }
        for player in players {
            world.events(player);
        }
        world
    }

    pub fn seat(&mut self, player: &str) -> &mut Seat {
        self.players.entry(player.to_owned()).or_insert_with(|| Seat {
            state: Player::new(&player_id(player)),
            mirror: Player::new(&player_id(player)),
            connected: false,
            seq: 0,
            timers: BTreeMap::new(),
            pushes: Vec::new(),
            passing: Vec::new(),
            broadcasts: Vec::new(),
            activities: Vec::new(),
            warnings: Vec::new(),
            answers: BTreeMap::new(),
            sessions_ended: 0,
            alarms: Vec::new(),
        })
    }

    /// One message to a player; its tells wait in the mail.
    pub fn message(&mut self, player: &str, message: &Message<'_>) -> Result<Sent, Reject> {
        let (now_ms, settings) = (self.now_ms, self.settings.clone());
        let id = player_id(player);
        let random = self.next_random();
        let seat = self.seat(player);
        let ctx = Ctx {
            id: &id,
            now_ms,
            seq: seat.seq + 1,
            token: (seat.seq + 1) << 10,
            random,
            connected: seat.connected,
            settings: &settings,
        };
        let decision = seat.state.decide(&ctx, message)?;
        seat.seq += 1;
        seat.fold(&decision.events);
        for tell in decision.tells.iter().cloned() {
            let (to, payload, creates) = (tell.to, tell.payload, tell.creates);
            self.mail.push(Mail { from: id.clone(), to, payload, creates });
        }
        Ok(self.seat(player).keep(decision))
    }

    pub fn open(&mut self, player: &str, name: Option<&str>, proof: Proof) -> Result<(), Reject> {
        self.message(player, &Message::Opened { payload: &opening(name, proof) })?;
        self.seat(player).connected = true;
        self.deliver();
        Ok(())
    }

    pub fn hello(&mut self, player: &str) {
        self.open(player, None, Proof::Open).unwrap();
    }

    pub fn resume(&mut self, player: &str) {
        self.seat(player).connected = true;
        self.message(player, &Message::Resumed).unwrap();
        self.deliver();
    }

    pub fn lose(&mut self, player: &str) {
        self.seat(player).connected = false;
        self.message(player, &Message::Lost).unwrap();
        self.deliver();
    }

    /// A command whose tells wait in the mail.
    pub fn send(&mut self, player: &str, origin: Origin, verb: Verb) -> Result<Sent, Reject> {
        self.message(player, &Message::Command { origin, payload: &pack(&Request::Verb(verb)) })
    }

    /// A command from anywhere, and what came of it when everything has settled.
    pub fn act_as(&mut self, origin: Origin, player: &str, verb: Verb) -> Result<Value, Reject> {
        let sent = self.send(player, origin, verb)?;
        self.deliver();
        match sent {
            Sent::Now(body) => Ok(body),
            Sent::Later(token) => self.seat(player).answers.remove(&token).unwrap(),
            Sent::Nothing => Ok(Value::Null),
        }
    }

    /// A command of the player's session, and what came of it when everything has settled.
    pub fn act(&mut self, player: &str, verb: Verb) -> Result<Value, Reject> {
        self.act_as(Origin::Session, player, verb)
    }

    /// The code that refuses a command.
    pub fn refusal(&mut self, player: &str, verb: Verb) -> String {
        let before = self.seat(player).state.clone();
        let code = self.act(player, verb).unwrap_err().code.into_owned();
        let mut after = self.seat(player).state.clone();
        // The room was asked, or the deed was noticed: neither is worth anything.
        (after.active_ms, after.join_count) = (before.active_ms, before.join_count);
        assert_eq!(after, before, "a refused command uses nothing up");
        code
    }

    pub fn deliver(&mut self) {
        while self.deliver_one(0) {}
    }

    /// Carries the first waiting tell of one pair of actors; which, `choice` says.
    pub fn deliver_one(&mut self, choice: usize) -> bool {
        if self.mail.is_empty() {
            return false;
        }
        let chosen = &self.mail[choice % self.mail.len()];
        let (from, to) = (chosen.from.clone(), chosen.to.clone());
        let first = self.mail.iter().position(|mail| mail.from == from && mail.to == to);
        let mail = self.mail.remove(first.unwrap());
        let is_there =
            mail.creates || self.rooms.contains_key(to.key()) || self.others.contains_key(&to);
        let tell = Message::Tell { from: &mail.from, payload: &mail.payload };
        if kind_of(&to, &self.settings).is_some() && is_there {
            self.tell_other(&to, &tell);
        } else if to.kind() == "room" && is_there {
            self.room_message(&to, &tell);
        } else if to.kind() == "player" && self.players.get(to.key()).is_some_and(Seat::exists) {
            self.message(to.key(), &tell).unwrap();
        } else {
            let (to, payload) = (&mail.to, &mail.payload);
            let undelivered =
                Message::Undelivered { to, payload, reason: Undelivered::NoSuchActor };
            if self.others.contains_key(&from) {
                self.tell_other(&from, &undelivered);
            } else if from.kind() == "room" {
                self.room_message(&from, &undelivered);
            } else {
                self.message(from.key(), &undelivered).unwrap();
            }
        }
        self.erase();
        true
    }

    /// Carries the first waiting tell of an actor. False: there is none.
    pub fn deliver_from(&mut self, from: &str) -> bool {
        let next = self.mail.iter().position(|mail| mail.from.as_str() == from);
        next.is_some_and(|next| self.deliver_one(next))
    }

    /// Carries the first waiting tell to an actor. False: there is none.
    pub fn deliver_to(&mut self, to: &str) -> bool {
        let next = self.mail.iter().position(|mail| mail.to.as_str() == to);
        next.is_some_and(|next| self.deliver_one(next))
    }

    /// What an actor of another kind says of itself.
    pub fn other(&self, id: &ActorId) -> Value {
        let facts =
            Facts { id, now_ms: self.now_ms, seq: 1, token: 1, random: 0, connected: false };
        value(&self.others[id].behaviour.query(facts, &[]).unwrap())
    }

    /// Who is over is erased when all its tells have arrived.
    fn erase(&mut self) {
        let mail = &self.mail;
        let owes = |id: &ActorId| mail.iter().any(|mail| mail.from == *id);
        self.others
            .retain(|id, other| !other.behaviour.is_over() || !other.timers.is_empty() || owes(id));
    }

    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.random
    }

    /// One message to an actor of another kind. One that is over is erased when it has been heard.
    fn tell_other(&mut self, id: &ActorId, message: &Message<'_>) {
        let (now_ms, random) = (self.now_ms, self.next_random());
        let kind = kind_of(id, &self.settings).unwrap();
        let other = self
            .others
            .entry(id.clone())
            .or_insert_with(|| Other { behaviour: kind.fresh(id), timers: BTreeMap::new() });
        let facts = Facts { id, now_ms, seq: 1, token: 1, random, connected: false };
        let decision = other.behaviour.decide(facts, message).unwrap();
        other.behaviour = kind.restore(&other.behaviour.save()).unwrap();
        change(&mut other.timers, decision.timers);
        self.alarms.extend(decision.alarms);
        for tell in decision.tells {
            let (to, payload, creates) = (tell.to, tell.payload, tell.creates);
            self.mail.push(Mail { from: id.clone(), to, payload, creates });
        }
    }

    /// What a player's journal might have held, too.
    pub fn fold(&mut self, player: &str, events: &[Event]) {
        self.seat(player).fold(events);
    }

    /// One message to a room; its tells wait in the mail.
    pub fn room_message(&mut self, id: &ActorId, message: &Message<'_>) {
        let room = self.rooms.entry(id.key().to_owned()).or_insert_with(|| Room::new(id));
        let ctx = Ctx {
            id,
            now_ms: self.now_ms,
            seq: 1,
            token: 1,
            random: 7,
            connected: false,
            settings: &self.settings,
        };
        let decision = room.decide(&ctx, message).unwrap();
        for event in &decision.events {
            room.apply(&unpack(&pack(event)).unwrap());
        }
        change(self.room_timers.entry(id.clone()).or_default(), decision.timers);
        self.room_says.extend(decision.broadcasts.iter().map(|bytes| value(bytes)));
        for tell in decision.tells {
            let (to, payload, creates) = (tell.to, tell.payload, tell.creates);
            self.mail.push(Mail { from: id.clone(), to, payload, creates });
        }
    }

    /// Lets time pass; due timers fire in order.
    pub fn pass(&mut self, ms: u64) {
        self.pass_with(ms, Self::deliver);
    }

    /// As [`Self::pass`], but tells stay in the mail.
    pub fn pass_alone(&mut self, ms: u64) {
        self.pass_with(ms, |_| ());
    }

    fn pass_with(&mut self, ms: u64, then: fn(&mut Self)) {
        let end_ms = self.now_ms + ms;
        while let Some((at_ms, actor, name)) = self.next_timer().filter(|next| next.0 <= end_ms) {
            self.now_ms = self.now_ms.max(at_ms);
            let timer = Message::Timer { name: &name };
            if let Some(other) = self.others.get_mut(&actor) {
                other.timers.remove(&name);
                self.tell_other(&actor, &timer);
            } else if let Some(timers) = self.room_timers.get_mut(&actor) {
                timers.remove(&name);
                self.room_message(&actor, &timer);
            } else {
                self.seat(actor.key()).timers.remove(&name);
                self.message(actor.key(), &timer).unwrap();
            }
            then(self);
            self.erase();
        }
        self.now_ms = end_ms;
    }

    fn next_timer(&self) -> Option<(u64, ActorId, String)> {
        let seats = self.players.iter().map(|(player, seat)| (player_id(player), &seat.timers));
        let others = self.others.iter().map(|(id, other)| (id.clone(), &other.timers));
        let rooms = self.room_timers.iter().map(|(id, timers)| (id.clone(), timers));
        let timers = seats.chain(others).chain(rooms).flat_map(|(id, timers)| {
            timers.iter().map(move |(name, at_ms)| (*at_ms, id.clone(), name.clone()))
        });
        timers.min()
    }

    /// Ends the oldest open activity of that name.
    pub fn end_activity(&mut self, player: &str, name: &str, outcome: Result<&[u8], &str>) {
        let seat = self.seat(player);
        let open = seat.activities.iter().position(|call| call.name == name).unwrap();
        let call = seat.activities.remove(open);
        let ended = Message::ActivityEnded { name, input: &call.input, outcome };
        self.message(player, &ended).unwrap();
    }

    pub fn query(&mut self, player: &str, verb: Verb) -> Result<Value, Reject> {
        let (now_ms, settings) = (self.now_ms, self.settings.clone());
        let (id, seat) = (player_id(player), self.seat(player));
        let ctx = Ctx {
            id: &id,
            now_ms,
            seq: seat.seq,
            token: 0,
            random: 0,
            connected: seat.connected,
            settings: &settings,
        };
        seat.state.query(&ctx, &pack(&Request::Verb(verb))).map(|bytes| value(&bytes))
    }

    pub fn state(&mut self, player: &str) -> PlayerState {
        serde_json::from_value(self.query(player, Verb::GetState {}).unwrap()).unwrap()
    }

    pub fn status(&mut self, player: &str) -> String {
        self.query(player, Verb::GetStatus {}).unwrap()["status"].as_str().unwrap().to_owned()
    }

    /// The flags that others see.
    pub fn flags(&mut self, player: &str) -> u32 {
        self.seat(player).state.view().unwrap().flags
    }

    /// Numbered events since the last time.
    pub fn events(&mut self, player: &str) -> Vec<Value> {
        std::mem::take(&mut self.seat(player).pushes)
    }

    /// Members of a room, by player.
    pub fn members(&self, room: &str) -> Vec<String> {
        self.rooms.get(room).map_or(Vec::new(), |room| room.members().keys().cloned().collect())
    }

    /// Inputs of the activities of one name, since the last time.
    pub fn inputs<T: serde::de::DeserializeOwned>(&mut self, player: &str, name: &str) -> Vec<T> {
        let calls = &mut self.seat(player).activities;
        let named: Vec<_> = calls.extract_if(.., |call| call.name == name).collect();
        named.iter().map(|call| unpack(&call.input).unwrap()).collect()
    }
}

impl Seat {
    /// Takes the state as it is, after a test has changed it by hand.
    pub fn resync(&mut self) {
        self.mirror = self.state.clone();
    }

    fn exists(&self) -> bool {
        self.seq > 0
    }

    fn fold(&mut self, events: &[Event]) {
        for event in events {
            self.state.apply(event);
            let journaled = rmp_serde::to_vec_named(event).unwrap();
            self.mirror.apply(&rmp_serde::from_slice(&journaled).unwrap());
        }
        let snapshot = rmp_serde::to_vec_named(&self.mirror).unwrap();
        self.mirror = rmp_serde::from_slice(&snapshot).unwrap();
        assert_eq!(self.mirror, self.state, "I3");
        self.check();
    }

    fn check(&self) {
        let state = &self.state;
        assert!(state.health <= state.health_max);
        assert!(state.inventory.values().all(|quantity| *quantity > 0));
        assert!(state.notices.len() <= 50 && state.joins.len() <= 9 && state.swings.len() <= 16);
        assert!((0..4096).contains(&state.at.x) && (0..4096).contains(&state.at.y));
        assert!(state.session_actions < 1_000);
    }

    fn keep(&mut self, decision: Decision<Event>) -> Sent {
        change(&mut self.timers, decision.timers);
        self.alarms.extend(decision.alarms);
        for push in decision.pushes {
            match push {
                Push::Numbered(bytes) => self.pushes.push(value(&bytes)),
                Push::Transient(bytes) => self.passing.push(value(&bytes)),
            }
        }
        self.broadcasts.extend(decision.broadcasts.iter().map(|bytes| value(bytes)));
        self.activities.extend(decision.activities);
        self.warnings.extend(decision.warning);
        self.sessions_ended += u32::from(decision.ends_session);
        for (token, result) in decision.completions {
            let result = result.map(|bytes| value(&bytes));
            assert!(self.answers.insert(token, result).is_none(), "answered twice");
        }
        match decision.reply {
            Reply::None => Sent::Nothing,
            Reply::Now(bytes) => Sent::Now(value(&bytes)),
            Reply::Later(token) => Sent::Later(token),
        }
    }
}
