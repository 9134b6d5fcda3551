//! The room: who has a place, and under which number; in an arena, whose a coin is.
//!
//! A room judges joins and takes, nothing else; positions and health belong to the players. Its
//! state holds present members only, so that it is bounded by its capacity (I8). A place belongs
//! to the join that got it: a leave that names an older join of the same player changes nothing.
//! An arena with members puts coins down at the pace of a timer, [`coins::COINS_MAX`] at most, and
//! shows them all each time; an empty one has no timer, and keeps its coins. I9: a coin's number
//! is never used again, and the record that gives the coin away carries the tell that brings it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use holdfast_protocol::server as wire;
use serde::{Deserialize, Serialize};

use super::tells::party::{Guest, ToParty};
use super::tells::{ToPlayer, ToRoom};
use super::{PARTY, PLAYER, Settings, coins, json, pack, unpack};
use crate::actor::contract::{Actor, Ctx, Decision, Message, Reject, Tell, TimerChange};

/// The timer that puts coins down.
const COIN_TIMER: &str = "coin";

/// A room's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Room {
    /// Present members, by player id.
    #[serde(default)]
    members: BTreeMap<String, Member>,
    /// The number given last.
    #[serde(default)]
    last_entity: u32,
    /// The coins that lie here.
    #[serde(default)]
    coins: BTreeSet<u64>,
    /// The coin put down last.
    #[serde(default)]
    last_coin: u64,
    /// The timer for coins is set.
    #[serde(default)]
    mints: bool,
}

/// A place in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The player's number in this room, while it is a member.
    pub entity: u32,
    /// The player's join that got the place.
    pub n: u64,
    /// The display name at that time.
    pub name: Arc<str>,
}

/// What has happened to a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomEvent {
    /// A player has a place.
    #[serde(rename = "in")]
    Joined {
        /// Who.
        player: String,
        /// The place.
        member: Member,
    },
    /// A player has none any more.
    #[serde(rename = "out")]
    Left {
        /// Who.
        player: String,
    },
    /// Coins are put down from now on, until the last member leaves.
    #[serde(rename = "mint")]
    Minting,
    /// A coin lies here: a new one, or one that found nobody.
    #[serde(rename = "coin")]
    CoinLaid {
        /// Its number.
        coin: u64,
    },
    /// A coin was given away.
    #[serde(rename = "took")]
    CoinTaken {
        /// Its number.
        coin: u64,
    },
}

/// A room as queries see it.
#[derive(Serialize)]
struct RoomBody<'a> {
    room_id: &'a str,
    room_name: String,
    player_count: usize,
    max_players: u32,
    members: Vec<(u32, &'a str, &'a str)>,
}

/// A room's name for people.
#[must_use]
pub fn name_of(room: &str) -> String {
    format!("Room {room}")
}

impl Room {
    /// Present members, by player id.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }

    fn join(&self, max: u32, player: &str, n: u64, name: Arc<str>) -> (ToPlayer, Vec<RoomEvent>) {
        let known = self.members.get(player);
        let count = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        if known.is_none() && count >= max {
            return (ToPlayer::Full { n, max }, Vec::new());
        }
        let entity = known.map_or_else(|| self.free_entity(), |member| member.entity);
        let count = if known.is_some() { count } else { count.saturating_add(1) };
        let member = Member { entity, n, name };
        let joined = RoomEvent::Joined { player: player.to_owned(), member };
        (ToPlayer::Joined { n, entity, count, max }, vec![joined])
    }

    /// Places for all guests or none. One who has a place keeps it, with the newer join.
    fn join_all(&self, ctx: &Ctx<'_, Settings>, party: &ActorId, all: &All) -> Decision<RoomEvent> {
        let max = ctx.settings.capacity(ctx.id.key());
        let count = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let is_new = |guest: &&Guest| !self.members.contains_key(&*guest.player);
        let needed = u32::try_from(all.guests.iter().filter(is_new).count()).unwrap_or(u32::MAX);
        let (entry, free) = (all.entry, max.saturating_sub(count));
        let mut decision = Decision::default();
        let outcome = if needed > free {
            for Guest { player, n, .. } in &all.guests {
                decision.tells.extend(to_player(player, &ToPlayer::Full { n: *n, max }));
            }
            ToParty::Full { entry, free }
        } else {
            let (mut now, count) = (self.clone(), count.saturating_add(needed));
            for Guest { player, n, name } in &all.guests {
                let known = now.members.get(&**player);
                if known.is_some_and(|member| member.n >= *n) {
                    continue;
                }
                let entity = known.map_or_else(|| now.free_entity(), |member| member.entity);
                let member = Member { entity, n: *n, name: Arc::clone(name) };
                let event = RoomEvent::Joined { player: player.to_string(), member };
                now.apply(&event);
                decision.events.push(event);
                let answer = ToPlayer::Joined { n: *n, entity, count, max };
                decision.tells.extend(to_player(player, &answer));
            }
            ToParty::Placed { entry }
        };
        decision.tells.push(Tell { to: party.clone(), payload: pack(&outcome), creates: false });
        decision
    }

    /// The next number from 1 that no member has.
    fn free_entity(&self) -> u32 {
        let mut entity = self.last_entity.wrapping_add(1);
        while entity == 0 || self.members.values().any(|member| member.entity == entity) {
            entity = entity.wrapping_add(1);
        }
        entity
    }

    fn leave(&self, player: &str, n: u64) -> Vec<RoomEvent> {
        match self.members.get(player) {
            Some(member) if member.n == n => vec![RoomEvent::Left { player: player.to_owned() }],
            _ => Vec::new(),
        }
    }

    /// Sets the timer for coins with the first member of an arena, and cancels it with the last.
    fn wind(&self, ctx: &Ctx<'_, Settings>, decision: &mut Decision<RoomEvent>) {
        let joins = decision.events.iter().any(|event| matches!(event, RoomEvent::Joined { .. }));
        let leaves = decision.events.iter().any(|event| matches!(event, RoomEvent::Left { .. }));
        if joins && !self.mints && coins::is_arena(ctx.id.key()) {
            decision.events.push(RoomEvent::Minting);
            decision.timers.push(next_coin(ctx));
        }
        if leaves && self.mints && self.members.len() == 1 {
            decision.timers.push(TimerChange::Cancel { name: COIN_TIMER.into() });
        }
    }

    /// Puts the next coin down where there is room for it, and shows all of them.
    fn mint(&self, ctx: &Ctx<'_, Settings>) -> Decision<RoomEvent> {
        if !self.mints {
            return Decision::default();
        }
        let new = (self.coins.len() < coins::COINS_MAX).then(|| self.last_coin.saturating_add(1));
        let at = self.coins.iter().copied().chain(new);
        let at = at.map(|coin| coins::row(ctx.id.key(), coin)).collect();
        let shown = wire::CoinsEvent { at, taken: Vec::new(), full: true };
        Decision {
            events: new.map(|coin| RoomEvent::CoinLaid { coin }).into_iter().collect(),
            timers: vec![next_coin(ctx)],
            broadcasts: vec![json(&wire::Event::Coins(shown))],
            ..Decision::default()
        }
    }

    /// Gives a coin to a member, once.
    fn take(&self, from: &ActorId, coin: u64) -> Decision<RoomEvent> {
        let is_given = self.members.contains_key(from.key()) && self.coins.contains(&coin);
        if !is_given {
            let tells = vec![answer(from, &ToPlayer::CoinGone { coin })];
            return Decision { tells, ..Decision::default() };
        }
        let shown = wire::CoinsEvent { at: Vec::new(), taken: vec![coin], full: false };
        Decision {
            events: vec![RoomEvent::CoinTaken { coin }],
            tells: vec![answer(from, &ToPlayer::Coin { coin, gold: coins::COIN_GOLD })],
            broadcasts: vec![json(&wire::Event::Coins(shown))],
            ..Decision::default()
        }
    }

    /// A tell of this room came back: a coin that it carried lies here again (I9).
    fn returned(ctx: &Ctx<'_, Settings>, payload: &[u8]) -> Decision<RoomEvent> {
        let Ok(ToPlayer::Coin { coin, .. }) = unpack(payload) else { return Decision::default() };
        let at = vec![coins::row(ctx.id.key(), coin)];
        let shown = wire::CoinsEvent { at, taken: Vec::new(), full: false };
        Decision {
            events: vec![RoomEvent::CoinLaid { coin }],
            broadcasts: vec![json(&wire::Event::Coins(shown))],
            ..Decision::default()
        }
    }
}

fn next_coin(ctx: &Ctx<'_, Settings>) -> TimerChange {
    let at_ms = ctx.now_ms.saturating_add(coins::COIN_EVERY_MS);
    TimerChange::Set { name: COIN_TIMER.into(), at_ms }
}

fn answer(to: &ActorId, answer: &ToPlayer) -> Tell {
    Tell { to: to.clone(), payload: pack(answer), creates: false }
}

/// A party that wants in.
struct All {
    entry: u64,
    guests: Vec<Guest>,
}

fn to_player(player: &str, tell: &ToPlayer) -> Option<Tell> {
    let to = ActorId::new(PLAYER, player).ok()?;
    Some(Tell { to, payload: pack(tell), creates: false })
}

impl Actor for Room {
    type Event = RoomEvent;
    type Settings = Settings;

    fn new(_id: &ActorId) -> Self {
        Self::default()
    }

    fn decide(
        &self,
        ctx: &Ctx<'_, Settings>,
        message: &Message<'_>,
    ) -> Result<Decision<RoomEvent>, Reject> {
        let (from, payload) = match *message {
            Message::Tell { from, payload } => (from, payload),
            Message::Command { .. } => {
                return Err(Reject::new("unknown_verb", "a room takes no commands"));
            }
            Message::Timer { name: COIN_TIMER } => return Ok(self.mint(ctx)),
            Message::Undelivered { payload, .. } => return Ok(Self::returned(ctx, payload)),
            _ => return Ok(Decision::default()),
        };
        let mut decision = Decision::default();
        match unpack(payload)? {
            ToRoom::Join { n, name } => {
                let max = ctx.settings.capacity(ctx.id.key());
                let (told, events) = self.join(max, from.key(), n, name);
                (decision.events, decision.tells) = (events, vec![answer(from, &told)]);
            }
            ToRoom::JoinAll { entry, guests } if from.kind() == PARTY => {
                decision = self.join_all(ctx, from, &All { entry, guests });
            }
            ToRoom::JoinAll { .. } => {}
            ToRoom::Leave { n } => decision.events = self.leave(from.key(), n),
            ToRoom::Take { coin } => return Ok(self.take(from, coin)),
        }
        self.wind(ctx, &mut decision);
        Ok(decision)
    }

    fn apply(&mut self, event: &RoomEvent) {
        match event {
            RoomEvent::Joined { player, member } => {
                self.last_entity = self.last_entity.max(member.entity);
                self.members.insert(player.clone(), member.clone());
            }
            RoomEvent::Left { player } => {
                self.members.remove(player);
                self.mints &= !self.members.is_empty();
            }
            RoomEvent::Minting => self.mints = true,
            RoomEvent::CoinLaid { coin } => {
                self.coins.insert(*coin);
                self.last_coin = self.last_coin.max(*coin);
            }
            RoomEvent::CoinTaken { coin } => {
                self.coins.remove(coin);
            }
        }
    }

    fn topic(&self, id: &ActorId) -> Option<Arc<str>> {
        Some(id.key().into())
    }

    fn query(&self, ctx: &Ctx<'_, Settings>, _payload: &[u8]) -> Result<Bytes, Reject> {
        let room_id = ctx.id.key();
        let members = self.members.iter();
        Ok(json(&RoomBody {
            room_id,
            room_name: name_of(room_id),
            player_count: self.members.len(),
            max_players: ctx.settings.capacity(room_id),
            members: members.map(|(id, one)| (one.entity, id.as_str(), &*one.name)).collect(),
        }))
    }
}
