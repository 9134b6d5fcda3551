//! Rules that lose what bob gets in a trade: the game's own, but for one decision.

use std::sync::Arc;

use bytes::Bytes;
use holdfast::actor::contract::{
    Actor, Attributes, Ctx, Decision, Declaration, Message, Reject, View,
};
use holdfast::actor::kind::{Kind, Kinds};
use holdfast::game::event::{DealEvent, Event};
use holdfast::game::player::Player;
use holdfast::game::stock::Stock;
use holdfast::game::tells::ToTrade;
use holdfast::game::{self, PLAYER, pack, unpack};
use holdfast::node::todays_kinds;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crime {
    /// A settlement is heard, and nothing comes of it.
    Swallow,
    /// Goods are given, and nothing is got for them.
    Keep,
}

/// All kinds of actors, and the one of players.
pub fn thieves(crime: Crime) -> (Kinds, Kind) {
    let kind = match crime {
        Crime::Swallow => Kind::of::<Thief<true>>(Arc::default()),
        Crime::Keep => Kind::of::<Thief<false>>(Arc::default()),
    };
    (todays_kinds().with(PLAYER, kind.clone()), kind)
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Thief<const SWALLOWS: bool>(Player);

/// Spoils a settlement: what was got is nothing.
fn spoil(decision: &mut Decision<Event>) {
    for event in &mut decision.events {
        if let Event::Deal { deal: DealEvent::Settled { got, .. }, .. } = event {
            *got = Stock::default();
        }
    }
    for tell in &mut decision.tells {
        if let Ok(ToTrade::Receipt { gave, .. }) = unpack(&tell.payload) {
            tell.payload = pack(&ToTrade::Receipt { gave, got: Stock::default() });
        }
    }
}

impl<const SWALLOWS: bool> Actor for Thief<SWALLOWS> {
    type Event = Event;
    type Settings = game::Settings;

    fn new(id: &ActorId) -> Self {
        Self(Player::new(id))
    }

    fn decide(
        &self,
        ctx: &Ctx<'_, game::Settings>,
        message: &Message<'_>,
    ) -> Result<Decision<Event>, Reject> {
        let mut decision = self.0.decide(ctx, message)?;
        let settles =
            |event: &Event| matches!(event, Event::Deal { deal: DealEvent::Settled { .. }, .. });
        if ctx.id.key() == "bob" && decision.events.iter().any(settles) {
            if SWALLOWS {
                return Ok(Decision::default());
            }
            spoil(&mut decision);
        }
        Ok(decision)
    }

    fn apply(&mut self, event: &Event) {
        self.0.apply(event);
    }

    fn query(&self, ctx: &Ctx<'_, game::Settings>, payload: &[u8]) -> Result<Bytes, Reject> {
        self.0.query(ctx, payload)
    }

    fn view(&self) -> Option<View> {
        self.0.view()
    }

    fn attributes(&self) -> Option<Attributes> {
        self.0.attributes()
    }

    fn declared() -> Vec<Declaration> {
        Player::declared()
    }
}
