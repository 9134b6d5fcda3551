//! The party: who is in it, who is invited, and its way into a room.
//!
//! A party is an actor that its first leader creates; its id is never used again. It judges what
//! is asked of it and tells every member the whole of it after each change. Whether a player is a
//! member is the player's to say in the end: one who says it is not, or who does not exist, is
//! dropped. When it has ended, and has told everyone so, it is over and nothing is kept of it.
//!
//! - `membership`: begins, invites, joins, leaves, speaks.
//! - `entry`: enters a room, all of it or nobody.
//! - Bounds: [`MEMBERS_MAX`], [`INVITED_MAX`], [`WAITING_MAX`]; one entry at a time (I8).

mod entry;
mod membership;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use super::tells::party::{FromParty, Info, News, ToParty};
use super::tells::{ToPlayer, ToRoom};
use super::{PLAYER, ROOM, Settings, json, pack, unpack};
use crate::actor::contract::{Actor, Ctx, Decision, Message, Reject, Tell, TimerChange, Token};

/// Members of a party.
pub const MEMBERS_MAX: usize = 8;
/// Open invitations of a party.
pub const INVITED_MAX: usize = 8;
/// Commands of one party that wait for a player to be told of an invitation.
pub const WAITING_MAX: usize = 8;
/// How long members have to say that they come along, in milliseconds.
pub const READY_MS: u64 = 5_000;
/// A room that has not answered for so long is waited for no more, if the leader asks again.
pub const ROOM_SILENT_MS: u64 = 60_000;

/// The timer that ends the wait for members.
const ENTRY_TIMER: &str = "entry";

/// A party's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Party {
    id: Arc<str>,
    name: Arc<str>,
    /// It goes on when its leader leaves.
    passes_on: bool,
    /// Rises with whatever is told; at least the time, so that it rises beyond what a store that
    /// went back in time has forgotten.
    revision: u64,
    /// Longest first; the first leads. At most [`MEMBERS_MAX`].
    members: Vec<Arc<str>>,
    /// Oldest first; at most [`INVITED_MAX`].
    invited: Vec<Invitation>,
    /// At most [`WAITING_MAX`].
    waiting: Vec<Waiting>,
    entry: Option<Entry>,
    ended: bool,
}

/// Somebody who may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Invitation {
    player: Arc<str>,
    /// The party's when it invited.
    revision: u64,
}

/// A command that waits until a player has seen an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    by: Arc<str>,
    token: Token,
}

/// The way into a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// Its number; rises.
    entry: u64,
    room: Arc<str>,
    /// Whose command waits.
    by: Arc<str>,
    token: Token,
    /// When it began, in Unix milliseconds.
    at_ms: u64,
    /// Members that come along: the number of their join and their name.
    ready: BTreeMap<Arc<str>, (u64, Arc<str>)>,
    /// All are ready and the room was asked.
    asked: bool,
}

/// What has happened to a party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartyEvent {
    /// It began.
    #[serde(rename = "new")]
    Began {
        /// For people.
        name: Arc<str>,
        /// It goes on when its leader leaves.
        passes_on: bool,
        /// The first member.
        leader: Arc<str>,
        /// Its revision then.
        revision: u64,
    },
    /// Somebody may join.
    #[serde(rename = "inv")]
    Invited {
        /// Who.
        player: Arc<str>,
        /// Its revision then.
        revision: u64,
        /// Who invited.
        by: Arc<str>,
        /// Whose command waits.
        token: Token,
    },
    /// A command waits for an invitation no more.
    #[serde(rename = "told")]
    Told {
        /// Who invited.
        by: Arc<str>,
        /// Whose command waited.
        token: Token,
    },
    /// Somebody may join no more.
    #[serde(rename = "uninv")]
    Uninvited {
        /// Who.
        player: Arc<str>,
    },
    /// A member came.
    #[serde(rename = "in")]
    Joined {
        /// Who.
        player: Arc<str>,
        /// Its revision then.
        revision: u64,
    },
    /// A member went.
    #[serde(rename = "out")]
    Left {
        /// Who.
        player: Arc<str>,
        /// Its revision then.
        revision: u64,
    },
    /// Nothing changed, but members will be told again.
    #[serde(rename = "rev")]
    Revised {
        /// Its revision then.
        revision: u64,
    },
    /// Members were asked to come along into a room.
    #[serde(rename = "go")]
    EntryBegun {
        /// The entry's number, and the party's revision then.
        entry: u64,
        /// Which room.
        room: Arc<str>,
        /// Who leads.
        by: Arc<str>,
        /// Whose command waits.
        token: Token,
        /// When, in Unix milliseconds.
        at: u64,
    },
    /// A member comes along.
    #[serde(rename = "ready")]
    Ready {
        /// Who.
        player: Arc<str>,
        /// The number of its join.
        n: u64,
        /// Its display name.
        name: Arc<str>,
    },
    /// The room was asked for places.
    #[serde(rename = "ask")]
    RoomAsked,
    /// The entry is over, well or not.
    #[serde(rename = "went")]
    EntryOver,
    /// It has ended.
    #[serde(rename = "end")]
    Ended,
}

/// A party as queries see it.
#[derive(Serialize)]
struct PartyBody<'a> {
    party_id: &'a str,
    name: &'a str,
    leader: Option<&'a str>,
    members: Vec<&'a str>,
    invited: Vec<&'a str>,
    ended: bool,
}

impl Party {
    /// Everyone, longest first; the first leads.
    #[must_use]
    pub fn members(&self) -> &[Arc<str>] {
        &self.members
    }

    fn has(&self, player: &str) -> bool {
        self.members.iter().any(|member| **member == *player)
    }

    fn invites(&self, player: &str) -> bool {
        self.invited.iter().any(|one| *one.player == *player)
    }

    fn leads(&self, player: &str) -> bool {
        self.members.first().is_some_and(|leader| **leader == *player)
    }

    fn info(&self) -> Info {
        Info {
            id: Arc::clone(&self.id),
            revision: self.revision,
            name: Arc::clone(&self.name),
            passes_on: self.passes_on,
            members: self.members.clone(),
        }
    }

    fn apply_membership(&mut self, event: &PartyEvent) {
        match event {
            PartyEvent::Began { name, passes_on, leader, revision } => {
                (self.name, self.passes_on) = (Arc::clone(name), *passes_on);
                self.members = vec![Arc::clone(leader)];
                self.revision = *revision;
            }
            PartyEvent::Invited { player, revision, by, token } => {
                self.revision = *revision;
                self.invited.retain(|one| one.player != *player);
                self.invited.push(Invitation { player: Arc::clone(player), revision: *revision });
                self.waiting.push(Waiting { by: Arc::clone(by), token: *token });
            }
            PartyEvent::Told { by, token } => {
                self.waiting.retain(|one| one.by != *by || one.token != *token);
            }
            PartyEvent::Uninvited { player } => self.invited.retain(|one| one.player != *player),
            PartyEvent::Joined { player, revision } => {
                self.revision = *revision;
                self.invited.retain(|one| one.player != *player);
                self.members.push(Arc::clone(player));
            }
            PartyEvent::Left { player, revision } => {
                self.revision = *revision;
                self.members.retain(|member| member != player);
            }
            PartyEvent::Revised { revision } => self.revision = *revision,
            PartyEvent::Ended => {
                self.ended = true;
                self.members.clear();
                self.invited.clear();
                self.waiting.clear();
                self.entry = None;
            }
            _ => {}
        }
    }

    fn apply_entry(&mut self, event: &PartyEvent) {
        match event {
            PartyEvent::EntryBegun { entry, room, by, token, at } => {
                self.revision = *entry;
                self.entry = Some(Entry {
                    entry: *entry,
                    room: Arc::clone(room),
                    by: Arc::clone(by),
                    token: *token,
                    at_ms: *at,
                    ready: BTreeMap::new(),
                    asked: false,
                });
            }
            PartyEvent::Ready { player, n, name } => {
                if let Some(entry) = &mut self.entry {
                    entry.ready.insert(Arc::clone(player), (*n, Arc::clone(name)));
                }
            }
            PartyEvent::RoomAsked => {
                if let Some(entry) = &mut self.entry {
                    entry.asked = true;
                }
            }
            PartyEvent::EntryOver => self.entry = None,
            _ => {}
        }
    }
}

impl Actor for Party {
    type Event = PartyEvent;
    type Settings = Settings;

    fn new(id: &ActorId) -> Self {
        Self { id: id.key().into(), ..Self::default() }
    }

    fn decide(
        &self,
        ctx: &Ctx<'_, Settings>,
        message: &Message<'_>,
    ) -> Result<Decision<PartyEvent>, Reject> {
        let mut draft = Draft { now: self.clone(), ctx, decision: Decision::default() };
        match *message {
            Message::Tell { from, payload } => match from.kind() {
                PLAYER => from_player(&mut draft, from.key().into(), unpack(payload)?),
                ROOM => entry::answered(&mut draft, from.key(), &unpack(payload)?),
                _ => {}
            },
            Message::Undelivered { to, payload, reason } => match to.kind() {
                PLAYER => membership::undelivered(&mut draft, to.key(), unpack(payload)?, reason),
                ROOM => entry::undelivered(&mut draft, &unpack(payload)?),
                _ => {}
            },
            Message::Timer { name: ENTRY_TIMER } => entry::timer(&mut draft),
            Message::Command { .. } => {
                return Err(Reject::new("unknown_verb", "a party takes no commands"));
            }
            _ => {}
        }
        Ok(draft.decision)
    }

    fn apply(&mut self, event: &PartyEvent) {
        // Each takes its own and passes the others by.
        self.apply_membership(event);
        self.apply_entry(event);
    }

    fn query(&self, _ctx: &Ctx<'_, Settings>, _payload: &[u8]) -> Result<Bytes, Reject> {
        Ok(json(&PartyBody {
            party_id: &self.id,
            name: &self.name,
            leader: self.members.first().map(|leader| &**leader),
            members: self.members.iter().map(|member| &**member).collect(),
            invited: self.invited.iter().map(|one| &*one.player).collect(),
            ended: self.ended,
        }))
    }

    fn is_over(&self) -> bool {
        self.ended
    }
}

fn from_player(draft: &mut Draft<'_>, from: Arc<str>, tell: ToParty) {
    match tell {
        ToParty::Create { token, name, passes_on } => {
            membership::create(draft, from, token, name, passes_on);
        }
        ToParty::Seen { by, token, exists } => {
            membership::seen(draft, &from, &by, token, exists);
        }
        ToParty::Accept { token } => membership::accept(draft, from, token),
        ToParty::Decline { revision } => membership::decline(draft, from, revision),
        ToParty::Leave {} => membership::leave(draft, &from),
        ToParty::Ask { revision } => membership::ask(draft, &from, revision),
        ToParty::Invite { token, player } => {
            if draft.admits(&from, token, true) {
                membership::invite(draft, from, token, player);
            }
        }
        ToParty::Kick { token, player } => {
            if draft.admits(&from, token, true) {
                membership::kick(draft, &from, token, &player);
            }
        }
        ToParty::Say { token, text } => {
            if draft.admits(&from, token, false) {
                membership::say(draft, &from, token, &text);
            }
        }
        ToParty::Enter { token, room } => {
            if draft.admits(&from, token, true) {
                entry::begin(draft, from, token, room);
            }
        }
        ToParty::Ready { entry, n, name } => entry::ready(draft, from, entry, n, name),
        ToParty::Unready { entry, why } => entry::unready(draft, &from, entry, why),
        ToParty::Placed { .. } | ToParty::Full { .. } => {}
    }
}

/// A decision in the making: a working copy of the party that takes each event at once.
struct Draft<'a> {
    now: Party,
    ctx: &'a Ctx<'a, Settings>,
    decision: Decision<PartyEvent>,
}

impl Draft<'_> {
    fn record(&mut self, event: PartyEvent) {
        self.now.apply(&event);
        self.decision.events.push(event);
    }

    /// The revision of what is told next.
    fn next_revision(&self) -> u64 {
        self.now.revision.saturating_add(1).max(self.ctx.now_ms)
    }

    fn tell(&mut self, player: &str, message: FromParty) {
        // Keys of players were checked when they became members or were named.
        if let Ok(to) = ActorId::new(PLAYER, player) {
            let payload = pack(&ToPlayer::Party(message));
            self.decision.tells.push(Tell { to, payload, creates: false });
        }
    }

    fn tell_room(&mut self, room: &str, message: &ToRoom) {
        if let Ok(to) = ActorId::new(ROOM, room) {
            self.decision.tells.push(Tell { to, payload: pack(message), creates: true });
        }
    }

    /// Tells every member how the party is now, and one of them the outcome of its command.
    fn inform(&mut self, news: &[News], asked: Option<(&str, Token)>) {
        for member in self.now.members.clone() {
            let token = asked.filter(|(by, _)| **by == *member).map(|(_, token)| token);
            let info = self.now.info();
            self.tell(&member, FromParty::Info { info, news: news.to_vec(), token });
        }
    }

    fn refuse(&mut self, player: &str, token: Token, reject: Reject) {
        let (code, message) = (reject.code.into_owned(), reject.message.into_owned());
        let out = !self.now.has(player);
        self.tell(player, FromParty::Refused { token, code, message, out });
    }

    /// Whether the player may ask for that; if not, says so.
    fn admits(&mut self, player: &str, token: Token, leads: bool) -> bool {
        let reject = if !self.now.has(player) {
            Reject::new("no_such_party", "you are not in that party any more")
        } else if leads && !self.now.leads(player) {
            Reject::new("not_leader", "only the party's leader may do that")
        } else {
            return true;
        };
        self.refuse(player, token, reject);
        false
    }

    fn set_timer(&mut self, at_ms: u64) {
        self.decision.timers.push(TimerChange::Set { name: ENTRY_TIMER.into(), at_ms });
    }

    fn cancel_timer(&mut self) {
        self.decision.timers.push(TimerChange::Cancel { name: ENTRY_TIMER.into() });
    }
}
