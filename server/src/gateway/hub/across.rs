//! The hub's side of the exchange with other nodes.
//!
//! A node hears of a room while it has sockets or actors of its own there. The hub's one task
//! does all of it: it hears, and once a beat it publishes one message a room (more where one is
//! too long). Workers only note what changed.
//! I7: [`TOPICS_MAX`] subscriptions wait to be begun or ended, then the next beat tries again;
//! [`DEPARTED_MAX`] dead nodes are remembered, then the oldest is forgotten.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use holdfast_protocol::ids::{ActorId, PlayerId};
use tokio::sync::{mpsc, watch};

use super::{Hub, Inside, Known, Place, lock};
use crate::actor::contract::View;
use crate::gateway::counters::add;
use crate::gateway::exchange::{Hearing, Pace};
use crate::gateway::news::{self, Gone, News, Seen};
use crate::gateway::relay::{Heard, Live, Relay};

/// Subscriptions that wait to be begun or ended.
pub const TOPICS_MAX: usize = 4_096;
/// Dead node sessions that are remembered, so that a late message of one shows nobody.
pub const DEPARTED_MAX: usize = 1_024;
/// What the topics of rooms begin with.
const TOPIC: &str = "room:";
/// Looks at quiet rooms in the time of one full round.
const SWEEPS: u64 = 8;

/// What the exchange counts.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Messages published.
    pub published: AtomicU64,
    /// Messages of other nodes taken in.
    pub heard: AtomicU64,
    /// Messages that could not be read.
    pub unread: AtomicU64,
    /// Actors and broadcasts beyond a bound, which are not shown across nodes.
    pub dropped: AtomicU64,
}

impl Traffic {
    pub(super) fn count_dropped(&self) {
        add(&self.dropped);
    }
}

/// What joins this hub to those of other nodes.
pub(super) struct Across {
    relay: Arc<dyn Relay>,
    live: watch::Receiver<Arc<Live>>,
    pace: Pace,
    n: AtomicU64,
    topics: mpsc::Sender<(String, bool)>,
    /// Until the hub runs.
    asked: Mutex<Option<mpsc::Receiver<(String, bool)>>>,
    pending: Mutex<Vec<Arc<Place>>>,
    met: Mutex<Met>,
    sweep_at_ms: AtomicU64,
    pub(super) traffic: Arc<Traffic>,
}

/// The nodes of before.
#[derive(Default)]
struct Met {
    own: u64,
    alive: BTreeSet<u64>,
    departed: VecDeque<u64>,
}

impl Met {
    fn bury(&mut self, node: u64) {
        self.departed.push_back(node);
        if self.departed.len() > DEPARTED_MAX {
            self.departed.pop_front();
        }
    }
}

/// Where a view comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// This node's runtime.
    Here,
    /// Message `n` of another node.
    There { node: u64, n: u64, now_ms: u64 },
}

impl Source {
    pub(super) fn node(self) -> Option<u64> {
        match self {
            Self::Here => None,
            Self::There { node, .. } => Some(node),
        }
    }
}

/// What the hub's task waits for besides its beat.
pub(in crate::gateway) struct Line {
    heard: Option<mpsc::Receiver<Heard>>,
    live: Option<watch::Receiver<Arc<Live>>>,
}

/// What came.
pub(in crate::gateway) enum Next {
    Heard(Heard),
    Live,
}

impl Line {
    /// The next of either; never, where there is no relay or it has ended.
    pub(super) async fn next(&mut self) -> Next {
        let heard = async {
            match &mut self.heard {
                Some(heard) => heard.recv().await,
                None => std::future::pending().await,
            }
        };
        let changed = async {
            match &mut self.live {
                Some(live) => live.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let next = tokio::select! {
            heard = heard => match heard {
                Some(heard) => Some(Next::Heard(heard)),
                None => { self.heard = None; None }
            },
            alive = changed => {
                if !alive { self.live = None; }
                alive.then_some(Next::Live)
            }
        };
        match next {
            Some(next) => next,
            None => std::future::pending().await,
        }
    }
}

fn seen(known: &Known, view: &View) -> Seen {
    Seen {
        player: known.player.clone(),
        epoch: known.epoch,
        seq: known.seq,
        entity: view.entity,
        label: view.label.clone(),
        x: view.x,
        y: view.y,
        health: view.health,
        flags: view.flags,
    }
}

impl Hub {
    /// An empty hub that shows its actors to other nodes, and theirs to its sockets.
    #[must_use]
    pub fn across(
        relay: Arc<dyn Relay>,
        live: watch::Receiver<Arc<Live>>,
        frame_ms: u64,
        full_frame_ms: u64,
    ) -> Self {
        let (topics, asked) = mpsc::channel(TOPICS_MAX);
        let own = live.borrow().own;
        let alive = live.borrow().others.iter().map(|peer| peer.session).collect();
        Self::with(Some(Across {
            relay,
            live,
            pace: Pace { frame_ms, full_frame_ms },
            n: AtomicU64::new(0),
            topics,
            asked: Mutex::new(Some(asked)),
            pending: Mutex::default(),
            met: Mutex::new(Met { own, alive, ..Met::default() }),
            sweep_at_ms: AtomicU64::new(0),
            traffic: Arc::default(),
        }))
    }

    /// What the exchange with other nodes counts; `None` where there is none.
    #[must_use]
    pub fn traffic(&self) -> Option<Arc<Traffic>> {
        self.inner.across.as_ref().map(|across| across.traffic.clone())
    }

    /// Begins to hear other nodes.
    pub(in crate::gateway) fn listen(&self) -> Line {
        let Some(across) = &self.inner.across else { return Line { heard: None, live: None } };
        let heard = lock(&across.asked).take().map(|asked| across.relay.watch(asked));
        Line { heard, live: Some(across.live.clone()) }
    }

    pub(in crate::gateway) fn take_in(&self, next: Next, now_ms: u64) {
        match next {
            Next::Heard(Heard::Lost) => self.begin_anew(now_ms),
            Next::Heard(Heard::Message { topic, bytes }) => self.hear(&topic, &bytes, now_ms),
            Next::Live => self.meet(now_ms),
        }
    }

    /// Notes for the exchange what an actor looks like. False: there is no room for it.
    pub(super) fn record(
        &self,
        inside: &mut Inside,
        known: &Known,
        view: &View,
        from: Source,
    ) -> bool {
        let (Some(exchange), Some(across)) = (&mut inside.exchange, &self.inner.across) else {
            return true;
        };
        let seen = seen(known, view);
        match from {
            Source::Here => exchange.show(seen),
            Source::There { node, n, now_ms } => {
                if !exchange.note(&seen, node, n, now_ms) {
                    across.traffic.count_dropped();
                    return false;
                }
            }
        }
        true
    }

    /// Has the next beat look at a place's exchange.
    pub(super) fn pend(&self, place: &Arc<Place>) {
        let Some(across) = &self.inner.across else { return };
        if !place.pending.swap(true, Ordering::AcqRel) {
            lock(&across.pending).push(place.clone());
        }
    }

    fn places(&self) -> Vec<Arc<Place>> {
        lock(&self.inner.places).values().cloned().collect()
    }

    /// One beat of the exchange: what changed goes out, and now and then quiet rooms are looked at.
    pub(super) fn trade(&self, now_ms: u64) {
        let Some(across) = &self.inner.across else { return };
        if now_ms >= across.sweep_at_ms.load(Ordering::Relaxed) {
            let every_ms = (across.pace.full_frame_ms / SWEEPS).max(across.pace.frame_ms);
            across.sweep_at_ms.store(now_ms.saturating_add(every_ms), Ordering::Relaxed);
            self.sweep(across, now_ms);
        }
        let pending = std::mem::take(&mut *lock(&across.pending));
        for place in pending {
            place.pending.store(false, Ordering::Release);
            self.trade_at(across, &place, now_ms);
        }
    }

    /// Finds ghosts, and rooms where a full round is due.
    fn sweep(&self, across: &Across, now_ms: u64) {
        for place in self.places() {
            let inside = lock(&place.inside);
            let Some(exchange) = &inside.exchange else { continue };
            let ghosts = exchange.ghosts(now_ms, across.pace);
            let due = exchange.is_full_due(now_ms);
            drop(inside);
            for ghost in &ghosts {
                self.unsee(&place, ghost);
            }
            if due {
                self.pend(&place);
            }
        }
    }

    fn trade_at(&self, across: &Across, place: &Arc<Place>, now_ms: u64) {
        let topic = format!("{TOPIC}{}", place.id);
        let mut inside = lock(&place.inside);
        let seated = !inside.seats.is_empty();
        let Some(exchange) = &mut inside.exchange else { return };
        let here = seated || exchange.has_local();
        let subscribed = place.subscribed.load(Ordering::Acquire);
        let mut settled = true;
        if here != subscribed {
            settled = across.topics.try_send((topic.clone(), here)).is_ok();
            if settled {
                place.subscribed.store(here, Ordering::Release);
            }
            if settled && here {
                exchange.begin(now_ms, across.pace);
            }
        }
        let own = across.live.borrow().own;
        let out = if here || exchange.is_pending() {
            exchange.take(own, now_ms, across.pace, || across.n.fetch_add(1, Ordering::Relaxed) + 1)
        } else {
            Vec::new()
        };
        let soon = exchange.is_full_due(now_ms.saturating_add(across.pace.frame_ms));
        let strangers = if here { Vec::new() } else { exchange.leave() };
        drop(inside);
        for part in &out {
            add(&across.traffic.published);
            across.relay.publish(&topic, news::encode(part));
        }
        for stranger in &strangers {
            self.unsee(place, stranger);
        }
        if !settled || (here && soon) {
            self.pend(place);
        } else if !here {
            self.retire(place);
        }
    }

    /// Forgets a place where nobody is.
    fn retire(&self, place: &Arc<Place>) {
        let mut places = lock(&self.inner.places);
        let inside = lock(&place.inside);
        let same = places.get(&place.id).is_some_and(|known| Arc::ptr_eq(known, place));
        if same && inside.topic.is_empty() && inside.seats.is_empty() {
            places.remove(&place.id);
        }
    }

    /// Something may have been missed everywhere.
    fn begin_anew(&self, now_ms: u64) {
        let Some(across) = &self.inner.across else { return };
        for place in self.places() {
            if let Some(exchange) = &mut lock(&place.inside).exchange {
                exchange.begin(now_ms, across.pace);
            }
            self.pend(&place);
        }
    }

    /// The membership has changed: the actors of a node that is gone go with it.
    fn meet(&self, now_ms: u64) {
        let Some(across) = &self.inner.across else { return };
        let live = across.live.borrow().clone();
        let alive: BTreeSet<u64> = live.others.iter().map(|peer| peer.session).collect();
        let mut met = lock(&across.met);
        let mut gone: Vec<u64> = met.alive.difference(&alive).copied().collect();
        let reborn = met.own != live.own;
        if reborn {
            gone.push(std::mem::replace(&mut met.own, live.own));
        }
        met.departed.retain(|node| !alive.contains(node));
        for node in &gone {
            met.bury(*node);
        }
        met.alive = alive;
        drop(met);
        for place in self.places() {
            self.bereave(&place, &gone);
        }
        if reborn {
            self.begin_anew(now_ms);
        }
    }

    fn bereave(&self, place: &Arc<Place>, nodes: &[u64]) {
        for node in nodes {
            let mut inside = lock(&place.inside);
            let Some(exchange) = &mut inside.exchange else { return };
            let gone = exchange.bereave(*node);
            drop(inside);
            for actor in &gone {
                self.unsee(place, actor);
            }
        }
    }

    fn hear(&self, topic: &str, bytes: &[u8], now_ms: u64) {
        let Some(across) = &self.inner.across else { return };
        let news = match news::decode(bytes) {
            Ok(news) => news,
            Err(error) => {
                add(&across.traffic.unread);
                return tracing::debug!(%error, topic, "a message of another node can't be read");
            }
        };
        let own = across.live.borrow().own;
        if news.node == own || lock(&across.met).departed.contains(&news.node) {
            return;
        }
        let Some(room) = topic.strip_prefix(TOPIC) else { return };
        let place = lock(&self.inner.places).get(room).cloned();
        let Some(place) = place else { return };
        let mut inside = lock(&place.inside);
        let Some(exchange) = &mut inside.exchange else { return };
        if exchange.hear(&news, now_ms, across.pace, rand::random()) == Hearing::Known {
            return;
        }
        drop(inside);
        add(&across.traffic.heard);
        self.take_over(&place, &news, now_ms);
        self.pend(&place);
    }

    /// Shows what a new message says.
    fn take_over(&self, place: &Arc<Place>, news: &News, now_ms: u64) {
        for gone in &news.gone {
            self.unsee(place, gone);
        }
        let from = Source::There { node: news.node, n: news.n, now_ms };
        for seen in &news.seen {
            let Ok(player) = PlayerId::new(&seen.player) else { continue };
            let view = View {
                topic: Some(place.id.clone()),
                entity: seen.entity,
                label: seen.label.clone(),
                x: seen.x,
                y: seen.y,
                health: seen.health,
                flags: seen.flags,
                input: 0,
            };
            self.see(&ActorId::player(&player), seen.epoch, seen.seq, Some(view), from);
        }
        let mut inside = lock(&place.inside);
        for message in &news.says {
            inside.shout(message);
        }
        let gone = inside.exchange.as_ref().map(|exchange| exchange.unnamed(news));
        drop(inside);
        for actor in gone.iter().flatten() {
            self.unsee(place, actor);
        }
    }

    /// Takes an actor of another node from a place, unless something newer is known of it.
    fn unsee(&self, place: &Arc<Place>, gone: &Gone) {
        let Ok(player) = PlayerId::new(&gone.player) else { return };
        let actor = ActorId::player(&player);
        let Some(mut shard) = self.shard(&actor) else { return };
        let Some(known) = shard.actors.get_mut(&actor) else { return };
        let there = known.node.is_some()
            && known.place.as_ref().is_some_and(|at| Arc::ptr_eq(at, place))
            && (gone.epoch, gone.seq) >= (known.epoch, known.seq);
        if !there {
            return;
        }
        (known.epoch, known.seq) = (gone.epoch, gone.seq);
        let entity = known.view.take().map_or(0, |view| view.entity);
        known.place = None;
        self.leave(place, known, entity, false);
        if known.seats.is_empty() {
            shard.bury(actor);
        }
    }
}

#[cfg(test)]
mod tests;
