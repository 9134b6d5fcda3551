//! The player's side of parties: what it asks of them, and what it knows of its own.
//!
//! A player is in at most one party, or on the way into one: its own record says which, and a
//! party that thinks otherwise is told so. What the party answers completes the commands. Whoever
//! has nothing to do with parties has no [`Fellowship`].

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_protocol::client::Verb;
use holdfast_protocol::ids::{PartyId, PlayerId};
use holdfast_protocol::server as wire;
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::event::Event;
use super::player::{Player, Presence};
use super::tells::party::{Change, FromParty, Info, News, ToParty, Why};
use super::{PARTY, notices, travel};
use crate::actor::contract::{Reject, Token};

/// Invitations that a player keeps; the oldest gives way.
pub const INVITATIONS_MAX: usize = 8;
/// Commands of one player that may wait for parties.
pub const ASKS_MAX: usize = 8;

/// What a player has to do with parties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Fellowship {
    /// The party that the player is in, or on the way into.
    pub(super) own: Option<Own>,
    /// Oldest first, one of a party; at most [`INVITATIONS_MAX`].
    pub(super) invitations: Vec<Info>,
    /// Commands that wait for a party; at most [`ASKS_MAX`].
    asks: BTreeSet<Token>,
}

/// The player's own party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// Which.
    party: Arc<str>,
    /// The command that leads into it.
    token: Token,
    /// The newest that it said of itself. None: it has not taken the player in yet.
    pub(super) info: Option<Info>,
}

/// What has happened between a player and parties. Part of [`Event`], and as durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FellowEvent {
    /// A command waits for a party.
    #[serde(rename = "ask")]
    Asked {
        /// Whose command waits.
        token: Token,
        /// The player is on the way into that party.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        party: Option<Arc<str>>,
    },
    /// The command waits no more.
    #[serde(rename = "ans")]
    Answered {
        /// Whose command waited.
        token: Token,
    },
    /// The player's party is like this now.
    #[serde(rename = "info")]
    Informed(Info),
    /// The player is in no party, and on the way into none.
    #[serde(rename = "out")]
    Parted,
    /// The player may join that party.
    #[serde(rename = "inv")]
    Invited(Info),
    /// The player may not any more.
    #[serde(rename = "uninv")]
    Uninvited {
        /// Which party.
        party: Arc<str>,
    },
    /// A place in a room was reserved, if all of the party get one.
    #[serde(rename = "come")]
    Coming {
        /// The join's number.
        n: u64,
        /// Which room.
        room: Arc<str>,
        /// The party's number of it.
        entry: u64,
    },
}

/// Folds one fact.
pub(super) fn apply(player: &mut Player, event: &FellowEvent) {
    let mut held = player.fellowship.take().unwrap_or_default();
    match event {
        FellowEvent::Asked { token, party } => {
            held.asks.insert(*token);
            if let Some(party) = party {
                held.own = Some(Own { party: Arc::clone(party), token: *token, info: None });
            }
        }
        FellowEvent::Answered { token } => {
            held.asks.remove(token);
        }
        FellowEvent::Informed(info) => {
            held.invitations.retain(|one| one.id != info.id);
            let token = held.own.as_ref().map_or(0, |own| own.token);
            held.own = Some(Own { party: Arc::clone(&info.id), token, info: Some(info.clone()) });
        }
        FellowEvent::Parted => held.own = None,
        FellowEvent::Invited(info) => {
            held.invitations.retain(|one| one.id != info.id);
            held.invitations.push(info.clone());
        }
        FellowEvent::Uninvited { party } => held.invitations.retain(|one| one.id != *party),
        FellowEvent::Coming { n, room, entry } => player.come_along(*n, room, *entry),
    }
    player.fellowship = (*held != Fellowship::default()).then_some(held);
}

impl Fellowship {
    /// The party that the player is in.
    pub(super) fn info(&self) -> Option<&Info> {
        self.own.as_ref().and_then(|own| own.info.as_ref())
    }
}

/// The wire's form of a party. None where ids are none, which no party's are.
pub(super) fn body(info: &Info) -> Option<wire::PartyInfo> {
    let id = |id: &Arc<str>| PlayerId::new(id).ok();
    Some(wire::PartyInfo {
        party_id: PartyId::new(&info.id).ok()?,
        name: info.name.to_string(),
        leader: info.members.first().and_then(id)?,
        members: info.members.iter().filter_map(id).collect(),
        on_leader_left: match info.passes_on {
            true => wire::OnLeaderLeft::PassOn,
            false => wire::OnLeaderLeft::End,
        },
    })
}

fn own_body(draft: &Draft<'_>) -> wire::PartyBody {
    let info = draft.now.fellowship.as_ref().and_then(|held| held.info());
    wire::PartyBody { party: info.and_then(body) }
}

/// The party that the player is in or on the way into.
fn own(draft: &Draft<'_>) -> Option<Arc<str>> {
    let own = draft.now.fellowship.as_ref().and_then(|held| held.own.as_ref());
    own.map(|own| Arc::clone(&own.party))
}

fn is_in(draft: &Draft<'_>) -> bool {
    draft.now.fellowship.as_ref().is_some_and(|held| held.info().is_some())
}

fn invitation(draft: &Draft<'_>, party: &str) -> Option<Info> {
    let held = draft.now.fellowship.as_ref()?;
    held.invitations.iter().find(|one| *one.id == *party).cloned()
}

fn record(draft: &mut Draft<'_>, event: FellowEvent) {
    draft.record(Event::Fellow(event));
}

fn push(draft: &mut Draft<'_>, what: Change, party: Option<&Info>, by: Option<&str>) {
    let what = match what {
        Change::Created => wire::PartyChange::Created,
        Change::Invited => wire::PartyChange::Invited,
        Change::Joined => wire::PartyChange::Joined,
        Change::Left => wire::PartyChange::Left,
        Change::Kicked => wire::PartyChange::Kicked,
        Change::Led => wire::PartyChange::Led,
        Change::Ended => wire::PartyChange::Ended,
        Change::Entered => wire::PartyChange::Entered,
    };
    let (party, by) = (party.and_then(body), by.and_then(|by| PlayerId::new(by).ok()));
    draft.push(&wire::Event::Party(wire::PartyEvent { party, by, what }));
}

/// A verb of parties. `verb` is one.
pub(super) fn command(draft: &mut Draft<'_>, verb: Verb) -> Result<(), Reject> {
    match verb {
        Verb::PartyCreate { name, on_leader_left } => create(draft, &name, on_leader_left),
        Verb::PartyAccept { party_id } => accept(draft, party_id.as_str()),
        Verb::PartyLeave {} => {
            leave(draft);
            Ok(())
        }
        Verb::PartyInvite { player } if player.as_str() == draft.ctx.id.key() => {
            Err(Reject::new("not_yourself", "you are in the party already"))
        }
        Verb::PartyInvite { player } => {
            let player = player.as_str().into();
            ask_own(draft, |token| ToParty::Invite { token, player })
        }
        Verb::PartyKick { player } => {
            let player = player.as_str().into();
            ask_own(draft, |token| ToParty::Kick { token, player })
        }
        Verb::PartySay { text } => ask_own(draft, |token| ToParty::Say { token, text }),
        Verb::PartyJoinRoom { room_id } => {
            let room = room_id.as_str().into();
            ask_own(draft, |token| ToParty::Enter { token, room })
        }
        other => {
            let message = format!("a party does not know {}", other.name());
            Err(Reject::new("unknown_verb", message))
        }
    }
}

/// The token of a command that waits for a party.
fn wait(draft: &mut Draft<'_>, party: Option<Arc<str>>) -> Result<Token, Reject> {
    if draft.now.fellowship.as_ref().is_some_and(|held| held.asks.len() >= ASKS_MAX) {
        return Err(Reject::new("too_many_in_flight", "too many commands wait for parties"));
    }
    let token = draft.reply_later();
    record(draft, FellowEvent::Asked { token, party });
    Ok(token)
}

/// Asks the player's own party; it judges.
fn ask_own(draft: &mut Draft<'_>, tell: impl FnOnce(Token) -> ToParty) -> Result<(), Reject> {
    let Some(party) = own(draft) else {
        return Err(Reject::new("no_such_party", "you are in no party"));
    };
    let token = wait(draft, None)?;
    draft.tell(PARTY, &party, &tell(token), false);
    Ok(())
}

fn check_free(draft: &Draft<'_>) -> Result<(), Reject> {
    match own(draft) {
        None => Ok(()),
        Some(_) => Err(Reject::new("bad_args", "you are in a party already; leave it first")),
    }
}

fn create(draft: &mut Draft<'_>, name: &str, then: wire::OnLeaderLeft) -> Result<(), Reject> {
    check_free(draft)?;
    let party = draft.fresh_key();
    let token = wait(draft, Some(Arc::clone(&party)))?;
    let passes_on = then == wire::OnLeaderLeft::PassOn;
    draft.tell(PARTY, &party, &ToParty::Create { token, name: name.into(), passes_on }, true);
    Ok(())
}

fn accept(draft: &mut Draft<'_>, party: &str) -> Result<(), Reject> {
    let info = draft.now.fellowship.as_ref().and_then(|held| held.info());
    if info.is_some_and(|info| *info.id == *party) {
        let body = own_body(draft);
        draft.reply(&body);
        return Ok(());
    }
    check_free(draft)?;
    if invitation(draft, party).is_none() {
        return Err(Reject::new("no_such_party", "you have no invitation to that party"));
    }
    let token = wait(draft, Some(party.into()))?;
    draft.tell(PARTY, party, &ToParty::Accept { token }, false);
    Ok(())
}

/// Leaves at once; the party is told.
fn leave(draft: &mut Draft<'_>) {
    if let Some(party) = own(draft) {
        draft.tell(PARTY, &party, &ToParty::Leave {}, false);
        let by = draft.ctx.id.key();
        part(draft, Change::Left, Some(by));
    }
    draft.reply(&wire::PartyBody { party: None });
}

/// Is in no party any more, and waits for no place with it.
fn part(draft: &mut Draft<'_>, what: Change, by: Option<&str>) {
    travel::stay_behind(draft, None);
    let was_in = is_in(draft);
    record(draft, FellowEvent::Parted);
    if was_in {
        push(draft, what, None, by);
    }
}

/// Whether a command still waits under that token; it does not any more.
fn answered(draft: &mut Draft<'_>, token: Token) -> bool {
    let waits = draft.now.fellowship.as_ref().is_some_and(|held| held.asks.contains(&token));
    if waits {
        record(draft, FellowEvent::Answered { token });
    }
    waits
}

fn complete(draft: &mut Draft<'_>, token: Option<Token>) {
    if let Some(token) = token
        && answered(draft, token)
    {
        let body = own_body(draft);
        draft.complete(token, &body);
    }
}

/// A player that is back asks whether what it knows is still so.
pub(super) fn arrive(draft: &mut Draft<'_>) {
    let Some(party) = own(draft) else { return };
    let info = draft.now.fellowship.as_ref().and_then(|held| held.info());
    let revision = info.map_or(0, |info| info.revision);
    draft.tell(PARTY, &party, &ToParty::Ask { revision }, false);
}

/// A party says something.
pub(super) fn told(draft: &mut Draft<'_>, party: &str, tell: FromParty) {
    let is_own = own(draft).is_some_and(|own| *own == *party);
    match tell {
        FromParty::Info { info, news, token } => {
            if is_own {
                informed(draft, &info, &news);
            } else {
                // The invitation was taken up, and then thought better of.
                uninvite(draft, party, None);
                draft.tell(PARTY, party, &ToParty::Leave {}, false);
            }
            complete(draft, token);
        }
        FromParty::Refused { token, code, message, out } => {
            let own = draft.now.fellowship.as_ref().and_then(|held| held.own.as_ref());
            let enters = own.is_some_and(|own| own.info.is_none() && own.token == token);
            if is_own && enters && code != "party_full" {
                uninvite(draft, party, None);
            }
            if out && is_own && (enters || is_in(draft)) {
                part(draft, Change::Ended, None);
            }
            if answered(draft, token) {
                let reject = Reject { code: code.into(), message: message.into() };
                draft.complete_refused(token, reject);
            }
        }
        FromParty::Invited { info, by, token } => invited(draft, party, info, by, token),
        FromParty::Withdrawn { by } => uninvite(draft, party, by.as_deref()),
        // Whoever is on the way in waits for the answer to that.
        FromParty::Out(news) if is_own && is_in(draft) => part(draft, news.what, Some(&news.by)),
        FromParty::Out(_) => {}
        FromParty::Heard { from, text, token } => {
            if let (true, Ok(from)) = (is_own, PlayerId::new(&from)) {
                let party = Some(party.to_owned());
                draft.pass(&wire::Event::Say(wire::SayEvent { from, text, party }));
            }
            complete(draft, token);
        }
        FromParty::Come { entry, room } => come(draft, party, entry, room),
        FromParty::CalledOff { entry } => {
            if is_own {
                travel::stay_behind(draft, Some(entry));
            }
        }
    }
}

/// The own party changed. What it said before is older, whatever comes when.
fn informed(draft: &mut Draft<'_>, info: &Info, news: &[News]) {
    let held = draft.now.fellowship.as_ref().and_then(|held| held.info());
    if held.is_some_and(|held| held.revision > info.revision) {
        return;
    }
    if held != Some(info) {
        record(draft, FellowEvent::Informed(info.clone()));
    }
    for one in news {
        push(draft, one.what, Some(info), Some(&one.by));
    }
}

fn uninvite(draft: &mut Draft<'_>, party: &str, by: Option<&str>) {
    if invitation(draft, party).is_some() {
        record(draft, FellowEvent::Uninvited { party: party.into() });
        let by = by.and_then(|by| PlayerId::new(by).ok());
        let what = wire::PartyChange::Withdrawn;
        draft.push(&wire::Event::Party(wire::PartyEvent { party: None, by, what }));
    }
}

fn invited(draft: &mut Draft<'_>, party: &str, info: Info, by: Arc<str>, token: Token) {
    let exists = draft.now.exists;
    let is_own = own(draft).is_some_and(|own| *own == *party);
    if exists && !is_own {
        if invitation(draft, party).is_none() {
            make_way(draft);
        }
        record(draft, FellowEvent::Invited(info.clone()));
        push(draft, Change::Invited, Some(&info), Some(&by));
        if !draft.ctx.connected || draft.now.presence != Presence::Here {
            let text = format!("{by} invites you to the party {}", info.name);
            notices::receive(draft, text, Some(by.to_string()));
        }
    }
    draft.tell(PARTY, party, &ToParty::Seen { by, token, exists }, false);
}

/// Makes room for another invitation: the oldest is declined.
fn make_way(draft: &mut Draft<'_>) {
    let Some(held) = &draft.now.fellowship else { return };
    let oldest = held.invitations.first().filter(|_| held.invitations.len() >= INVITATIONS_MAX);
    if let Some(Info { id, revision, .. }) = oldest.cloned() {
        draft.tell(PARTY, &id, &ToParty::Decline { revision }, false);
        uninvite(draft, &id, None);
    }
}

/// Comes along into a room, if nothing stands against it.
fn come(draft: &mut Draft<'_>, party: &str, entry: u64, room: Arc<str>) {
    let name = Arc::clone(&draft.now.name);
    let answer = match can_come(draft, party) {
        Err(why) => ToParty::Unready { entry, why },
        Ok(()) => match draft.now.room.as_ref().filter(|place| place.room == room) {
            Some(place) => ToParty::Ready { entry, n: place.n, name },
            None => ToParty::Ready { entry, n: travel::reserve(draft, room, entry), name },
        },
    };
    draft.tell(PARTY, party, &answer, false);
}

fn can_come(draft: &Draft<'_>, party: &str) -> Result<(), Why> {
    if own(draft).is_none_or(|own| *own != *party) {
        return Err(Why::Left);
    }
    if draft.now.presence == Presence::Offline {
        return Err(Why::Offline);
    }
    if draft.now.health == 0 {
        return Err(Why::Defeated);
    }
    let waits = draft.now.joins.values().any(|join| join.token.is_some());
    if waits { Err(Why::Elsewhere) } else { Ok(()) }
}

/// Says that the player does not come along after all.
pub(super) fn stays(draft: &mut Draft<'_>, entry: u64, why: Why) {
    if let Some(party) = own(draft) {
        draft.tell(PARTY, &party, &ToParty::Unready { entry, why }, false);
    }
}

/// A party can't be told: there is none any more.
pub(super) fn undelivered(draft: &mut Draft<'_>, party: &str, tell: &ToParty) {
    uninvite(draft, party, None);
    if own(draft).is_some_and(|own| *own == *party) {
        part(draft, Change::Ended, None);
    }
    let token = match *tell {
        ToParty::Create { token, .. }
        | ToParty::Invite { token, .. }
        | ToParty::Accept { token }
        | ToParty::Kick { token, .. }
        | ToParty::Say { token, .. }
        | ToParty::Enter { token, .. } => token,
        _ => return,
    };
    if answered(draft, token) {
        let reject = Reject::new("no_such_party", "there is no such party any more");
        draft.complete_refused(token, reject);
    }
}
