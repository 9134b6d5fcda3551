//! The player's actor: which rule judges which message.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::client::Verb;
use holdfast_protocol::edge::{Opening, Request};
use holdfast_protocol::ids::{ActorId, PlayerId};
use holdfast_protocol::movement::Step;
use holdfast_protocol::server as wire;

use super::draft::Draft;
use super::event::Event;
use super::tells::party::ToParty;
use super::tells::{ToPlayer, ToRoom};
use super::{
    PARTY, PLAYER, ROOM, Settings, TRADE, coins, combat, dealing, fellowship, inventory, json,
    leaderboard, metrics, movement, notices, presence, public, travel, unpack,
};
use crate::actor::contract::{
    Actor, Attributes, Ctx, Decision, Declaration, Message, Origin, Reject, Undelivered, View,
};

pub use super::state::{Join, Membership, Player, Presence, Swing};

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
        if let Message::Command { origin, payload } = *message {
            return self.decide_command(ctx, origin, payload);
        }
        let mut draft = Draft::new(self, ctx);
        match *message {
            Message::Opened { payload } => {
                presence::opened(&mut draft, &unpack::<Opening>(payload)?)?;
            }
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
            Message::ActivityEnded { .. } | Message::Command { .. } => {}
        }
        Ok(draft.finish())
    }

    fn apply(&mut self, event: &Event) {
        self.fold(event);
    }

    fn query(&self, ctx: &Ctx<'_, Settings>, payload: &[u8]) -> Result<Bytes, Reject> {
        let state = public::state_at(self, ctx.now_ms).filter(|_| self.exists);
        let state = state.ok_or_else(unknown_player)?;
        if payload.is_empty() {
            return Ok(json(&state));
        }
        match unpack(payload)? {
            Request::Verb(Verb::GetState {}) => Ok(json(&state)),
            Request::Verb(Verb::GetInventory {}) => {
                Ok(json(&wire::InventoryBody { inventory: state.inventory }))
            }
            Request::Verb(Verb::GetStatus {}) => {
                Ok(json(&wire::StatusBody { status: state.status }))
            }
            Request::Verb(verb) => Err(unknown_verb(&verb)),
            Request::Metrics {} => Ok(json(&metrics::body(self))),
            Request::Admit(_) | Request::Notify { .. } | Request::Reach { .. } => {
                Err(Reject::new("unknown_verb", "this is a command, not a query"))
            }
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

    fn attributes(&self) -> Option<Attributes> {
        self.exists.then(|| public::attributes(self))
    }

    fn declared() -> Vec<Declaration> {
        public::declared()
    }
}

impl Player {
    fn decide_command(
        &self,
        ctx: &Ctx<'_, Settings>,
        origin: Origin,
        payload: &[u8],
    ) -> Result<Decision<Event>, Reject> {
        let request = match unpack(payload) {
            Ok(Request::Verb(Verb::Input { seq, steps })) => {
                return self.decide_input(ctx, origin, seq, &steps);
            }
            other => other,
        };
        let mut draft = Draft::new(self, ctx);
        match request {
            Ok(Request::Admit(opening)) => {
                presence::admit(&mut draft, &opening)?;
                draft.reply_empty();
            }
            _ if !self.exists => return Err(unknown_player()),
            Ok(Request::Verb(verb)) => command(&mut draft, origin, verb)?,
            Ok(Request::Notify { text, from }) if origin == Origin::Service => {
                notices::notify(&mut draft, &text, from)?;
            }
            Ok(Request::Notify { .. }) => {
                return Err(Reject::new("unauthorized", "only services send notifications"));
            }
            Ok(Request::Reach { coin }) if origin == Origin::Service => {
                coins::reach(&mut draft, coin)?;
            }
            Ok(Request::Reach { .. }) => {
                return Err(Reject::new("unauthorized", "only the node says what is in reach"));
            }
            Ok(Request::Metrics {}) => return Err(Reject::new("unknown_verb", "metrics are read")),
            Err(reject) => return Err(reject),
        }
        Ok(draft.finish())
    }

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

fn command(draft: &mut Draft<'_>, origin: Origin, verb: Verb) -> Result<(), Reject> {
    if matches!(verb, Verb::Logout {}) {
        presence::logout(draft);
        return Ok(());
    }
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
        Verb::TradeOffer { to, give, want } => {
            defeat(draft, "trade")?;
            dealing::offer(draft, &to, &give, Some(&want))
        }
        Verb::Gift { to, give } => {
            defeat(draft, "give anything away")?;
            dealing::offer(draft, &to, &give, None)
        }
        Verb::TradeCounter { trade_id, give, want, revision } => {
            defeat(draft, "trade")?;
            dealing::counter(draft, &trade_id, revision, (&give, &want))
        }
        Verb::TradeAccept { trade_id, revision } => {
            defeat(draft, "trade")?;
            dealing::accept(draft, &trade_id, revision)
        }
        Verb::TradeCancel { trade_id } => {
            defeat(draft, "trade")?;
            dealing::cancel(draft, &trade_id)
        }
        Verb::PartyJoinRoom { .. } => {
            defeat(draft, "enter a room")?;
            fellowship::command(draft, verb)
        }
        Verb::PartyCreate { .. }
        | Verb::PartyInvite { .. }
        | Verb::PartyKick { .. }
        | Verb::PartyAccept { .. }
        | Verb::PartyLeave {}
        | Verb::PartySay { .. } => fellowship::command(draft, verb),
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

/// What is not from the kind of actor that says such things is heard and passed by.
fn tell(draft: &mut Draft<'_>, from: &ActorId, tell: ToPlayer) {
    match (from.kind(), tell) {
        (ROOM, ToPlayer::Joined { n, entity, count, max }) => {
            travel::joined(draft, from.key(), n, entity, (count, max));
        }
        (ROOM, ToPlayer::Full { n, max }) => {
            travel::refused(draft, from.key(), n, &format!("is full: it has {max} places"));
        }
        (TRADE, ToPlayer::Trade { trade, word }) if *trade == *from.key() => {
            dealing::hear(draft, &trade, word);
        }
        (PARTY, ToPlayer::Party(tell)) => fellowship::told(draft, from.key(), tell),
        (PLAYER, blow @ ToPlayer::Blow { .. }) => combat::struck(draft, from, &blow),
        (ROOM, ToPlayer::Coin { coin, gold }) => coins::given(draft, from.key(), coin, gold),
        (ROOM, ToPlayer::CoinGone { coin }) => coins::missed(draft, from.key(), coin),
        (PLAYER, ToPlayer::BlowDone { token, damage, gold }) => {
            combat::done(draft, from, token, (damage, gold));
        }
        (PLAYER, ToPlayer::BlowRefused { token, code, message }) => {
            let reject = Reject { code: code.into(), message: message.into() };
            combat::refused(draft, from, token, reject);
        }
        _ => {}
    }
}

/// A tell of this player came back: whoever waits for its answer is told so.
fn undelivered(draft: &mut Draft<'_>, to: &ActorId, payload: &[u8], reason: Undelivered) {
    if to.kind() == ROOM {
        match unpack(payload) {
            Ok(ToRoom::Join { n, .. }) => {
                travel::refused(draft, to.key(), n, "can't be reached");
            }
            Ok(ToRoom::Take { coin }) => coins::missed(draft, to.key(), coin),
            Ok(ToRoom::Leave { .. } | ToRoom::JoinAll { .. }) | Err(_) => {}
        }
        return;
    }
    if to.kind() == TRADE {
        return dealing::undelivered(draft, to.key());
    }
    if to.kind() == PARTY {
        if let Ok(tell) = unpack::<ToParty>(payload) {
            fellowship::undelivered(draft, to.key(), &tell);
        }
        return;
    }
    let reject = match reason {
        Undelivered::NoSuchActor => unknown_player(),
        Undelivered::TooManyHops => Reject::new("no_such_player", "the target can't be reached"),
    };
    match unpack(payload) {
        Ok(ToPlayer::Blow { token, .. }) => combat::refused(draft, to, token, reject),
        Ok(ToPlayer::BlowDone { token, gold, .. }) => combat::regain(draft, token, gold),
        _ => {}
    }
}

fn timer(draft: &mut Draft<'_>, name: &str) {
    match name {
        presence::LINKDEAD_TIMER => presence::linkdead_timer(draft),
        presence::IDLE_TIMER => presence::idle_timer(draft),
        combat::DEFEND_TIMER => combat::defend_timer(draft),
        combat::COOLDOWN_TIMER => combat::cooldown_timer(draft),
        combat::RECOVER_TIMER => combat::recover_timer(draft),
        dealing::DEALS_TIMER => dealing::timer(draft),
        leaderboard::SCORE_TIMER => leaderboard::timer(draft),
        _ => {}
    }
}
