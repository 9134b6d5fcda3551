//! The room: who has a place, and under which number.
//!
//! A room judges joins and nothing else; positions and health belong to the players. Its state
//! holds present members only, so that it is bounded by its capacity (I8). A place belongs to
//! the join that got it: a leave that names an older join of the same player changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use super::tells::{ToPlayer, ToRoom};
use super::{Settings, json, pack, unpack};
use crate::actor::contract::{Actor, Ctx, Decision, Message, Reject, Tell};

/// A room's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Room {
    /// Present members, by player id.
    #[serde(default)]
    members: BTreeMap<String, Member>,
    /// The number given last.
    #[serde(default)]
    last_entity: u32,
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
            _ => return Ok(Decision::default()),
        };
        match unpack(payload)? {
            ToRoom::Join { n, name } => {
                let max = ctx.settings.capacity(ctx.id.key());
                let (answer, events) = self.join(max, from.key(), n, name);
                let tell = Tell { to: from.clone(), payload: pack(&answer), creates: false };
                Ok(Decision { events, tells: vec![tell], ..Decision::default() })
            }
            ToRoom::Leave { n } => {
                Ok(Decision { events: self.leave(from.key(), n), ..Decision::default() })
            }
        }
    }

    fn apply(&mut self, event: &RoomEvent) {
        match event {
            RoomEvent::Joined { player, member } => {
                self.last_entity = self.last_entity.max(member.entity);
                self.members.insert(player.clone(), member.clone());
            }
            RoomEvent::Left { player } => {
                self.members.remove(player);
            }
        }
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
