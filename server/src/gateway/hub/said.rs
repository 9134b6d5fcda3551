//! What actors say at a place: who hears it, and what the hub itself learns from it of coins.
//!
//! A room's actor may live on a node where none of its members are: what it says goes out to the
//! nodes that have some. The hub remembers the coins of places with sockets, tells them to sockets
//! that come, and hints players' actors that one is in their reach.
//! I7: [`REACHES_MAX`] hints wait to be passed on; one beyond is dropped, and the player is named
//! again with a later step.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use holdfast_protocol::server::{CoinsEvent, Event};
use tokio::sync::mpsc;

use super::{Hub, Inside, Known, Place, Source, lock};
use crate::actor::contract::View;
use crate::actor::envelope::{Delivery, Nearby};
use crate::gateway::seat::Seat;

/// Hints that wait for their actors' queues.
pub const REACHES_MAX: usize = 1_024;
/// How an event of coins begins. No other message is looked into.
const COINS: &[u8] = b"{\"ev\":\"coins\"";

/// A player's actor, and a coin in its reach.
pub(in crate::gateway) type Reach = (ActorId, u64);

/// Hints on their way.
pub(super) struct Reaches {
    /// As of the last tick.
    now_ms: AtomicU64,
    queue: mpsc::Sender<Reach>,
    /// Until someone passes them on.
    out: Mutex<Option<mpsc::Receiver<Reach>>>,
}

impl Default for Reaches {
    fn default() -> Self {
        let (queue, out) = mpsc::channel(REACHES_MAX);
        Self { now_ms: AtomicU64::new(0), queue, out: Mutex::new(Some(out)) }
    }
}

impl Reaches {
    pub(super) fn note_time(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }
}

impl Hub {
    /// Where the hints come out. Once; `None` after that.
    pub(in crate::gateway) fn reaches(&self) -> Option<mpsc::Receiver<Reach>> {
        lock(&self.inner.reaches.out).take()
    }

    /// Hints a player's actor of the coins that are in its reach now.
    pub(super) fn reach(&self, inside: &mut Inside, known: &Known, view: &View) {
        let Some(coins) = &mut inside.coins else { return };
        let reaches = &self.inner.reaches;
        let now_ms = reaches.now_ms.load(Ordering::Relaxed);
        coins.near(&known.player, (view.x, view.y), now_ms, |coin| {
            if let Ok(actor) = ActorId::new("player", &known.player) {
                // Full: the next step names it again.
                let _ = reaches.queue.try_send((actor, coin));
            }
        });
    }

    /// The place where something is said. Where nobody of this node is, there is one for as long
    /// as it takes to tell other nodes.
    fn stage(&self, topic: &Arc<str>) -> Option<Arc<Place>> {
        let mut places = lock(&self.inner.places);
        if let Some(place) = places.get(topic) {
            return Some(place.clone());
        }
        self.inner.across.as_ref()?;
        let place = Arc::new(self.found(topic));
        places.insert(topic.clone(), place.clone());
        Some(place)
    }
}

impl Nearby for Hub {
    fn view(&self, actor: &ActorId, epoch: u64, seq: u64, view: Option<View>) {
        if actor.kind() == "player" {
            self.see(actor, epoch, seq, view, Source::Here);
        }
    }

    fn broadcast(&self, _actor: &ActorId, topic: &Arc<str>, message: Bytes) {
        let Some(place) = self.stage(topic) else { return };
        let mut inside = lock(&place.inside);
        inside.shout(&message);
        if let (Some(exchange), Some(across)) = (&mut inside.exchange, &self.inner.across) {
            if !exchange.say(message) {
                across.traffic.count_dropped();
            }
            drop(inside);
            self.pend(&place);
        }
    }
}

impl Inside {
    /// Shows a message to every socket here.
    pub(super) fn shout(&mut self, message: &Bytes) {
        if message.starts_with(COINS) {
            self.learn(message);
        }
        for seat in self.seats.values() {
            seat.connection.deliver(Delivery::Transient(message.clone()));
        }
    }

    /// Remembers the coins that a message tells of, while somebody here can pick them up.
    fn learn(&mut self, message: &[u8]) {
        if self.seats.is_empty() {
            self.coins = None;
            return;
        }
        let Ok(event) = serde_json::from_slice::<CoinsEvent>(message) else { return };
        let coins = self.coins.get_or_insert_default();
        coins.hear(&event);
        if coins.is_empty() {
            self.coins = None;
        }
    }

    /// Adds a socket, which is told what lies here.
    pub(super) fn sit(&mut self, seat: &Arc<Seat>) {
        let before = self.seats.insert(seat.connection.id, seat.clone());
        if let (None, Some(coins)) = (before, &self.coins) {
            // Plain data into memory: encoding can't fail.
            let message = serde_json::to_vec(&Event::Coins(coins.all())).unwrap_or_default();
            seat.connection.deliver(Delivery::Transient(message.into()));
        }
    }
}
