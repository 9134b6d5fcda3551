//! One room's traffic between nodes: what is to be said, and who was heard of. Pure.
//!
//! Says what changed among the actors of this node, once a beat, while another node listens, and
//! all of it now and then: whoever has nothing to hear still hears that. Keeps, of the actors of
//! other nodes, which node named them last and when: an actor that its node does not name in a
//! whole full round is gone, and so is one that was not named for [`GHOST_ROUNDS`] rounds.
//! Which of two sightings counts is not judged here: that is the hub's, by (epoch, seq).
//! I7: at most [`REMOTE_MAX`] actors of other nodes (a newer one is not shown) and
//! [`NODES_MAX`] nodes (the one longest silent is forgotten); at most [`WAITING_SAYS_MAX`]
//! broadcasts wait for a beat (a newer one is not shown elsewhere).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::news::{Gone, News, Seen, split};

/// Most actors of other nodes in one room.
pub const REMOTE_MAX: usize = 1_024;
/// Most nodes that are listened to in one room.
pub const NODES_MAX: usize = 256;
/// Most broadcasts that wait for the next beat.
pub const WAITING_SAYS_MAX: usize = 256;
/// After so many full rounds' time an actor that nobody names is gone, and nobody who was silent
/// listens any more.
pub const GHOST_ROUNDS: u64 = 3;

/// The spans of an exchange, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two beats.
    pub frame_ms: u64,
    /// Between two full rounds.
    pub full_frame_ms: u64,
}

impl Pace {
    fn ghost_ms(self) -> u64 {
        self.full_frame_ms.saturating_mul(GHOST_ROUNDS)
    }
}

/// An actor of another node.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Remote {
    node: u64,
    epoch: u64,
    seq: u64,
    /// The message that named it last, and when that came.
    n: u64,
    at_ms: u64,
}

/// A node that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heard {
    /// Its newest message.
    n: u64,
    /// The newest message that did not follow the one before.
    gap_n: u64,
    at_ms: u64,
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// It is new: take what it says.
    New,
    /// It came before.
    Known,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Exchange {
    local: BTreeMap<Arc<str>, Seen>,
    changed: BTreeSet<Arc<str>>,
    gone: BTreeMap<Arc<str>, Gone>,
    says: Vec<Bytes>,
    remote: BTreeMap<Arc<str>, Remote>,
    nodes: BTreeMap<u64, Heard>,
    /// The newest message that was made here.
    said_n: u64,
    /// When the next full round is due.
    full_at_ms: u64,
    /// That round asks the others for theirs.
    wants: bool,
    /// Until when somebody listens.
    listened_until_ms: u64,
}

impl Exchange {
    /// Shows an actor of this node.
    pub fn show(&mut self, seen: Seen) {
        self.remote.remove(&seen.player);
        self.gone.remove(&seen.player);
        self.changed.insert(seen.player.clone());
        self.local.insert(seen.player.clone(), seen);
    }

    /// An actor of this node is here no more; the others are told.
    pub fn withdraw(&mut self, player: &Arc<str>, epoch: u64, seq: u64) {
        self.changed.remove(player);
        if self.local.remove(player).is_some() {
            self.gone.insert(player.clone(), Gone { player: player.clone(), epoch, seq });
        }
    }

    /// Takes a broadcast of an actor of this node. False: too many wait already.
    pub fn say(&mut self, message: Bytes) -> bool {
        let room = self.says.len() < WAITING_SAYS_MAX;
        if room {
            self.says.push(message);
        }
        room
    }

    /// Notes an actor of another node, named by message `n` of `node`. False: there is no room.
    pub fn note(&mut self, seen: &Seen, node: u64, n: u64, now_ms: u64) -> bool {
        let known = self.remote.contains_key(&seen.player);
        if !known && self.remote.len() >= REMOTE_MAX {
            return false;
        }
        // Another node has it now; that node tells the others.
        self.local.remove(&seen.player);
        self.changed.remove(&seen.player);
        let (epoch, seq) = (seen.epoch, seen.seq);
        self.remote.insert(seen.player.clone(), Remote { node, epoch, seq, n, at_ms: now_ms });
        true
    }

    /// Forgets an actor of another node.
    pub fn forget(&mut self, player: &str) {
        self.remote.remove(player);
    }

    /// True while this node has an actor here.
    #[must_use]
    pub fn has_local(&self) -> bool {
        !self.local.is_empty()
    }

    /// True when the next beat has something to say or to do.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        !self.changed.is_empty() || !self.gone.is_empty() || !self.says.is_empty()
    }

    /// Has the next beat say everything and ask the others for the same: nothing is known of what
    /// was said before, nor of who listens.
    pub fn begin(&mut self, now_ms: u64, pace: Pace) {
        self.wants = true;
        self.full_at_ms = now_ms;
        self.listened_until_ms = now_ms.saturating_add(pace.ghost_ms());
    }

    /// Has the next beat say everything.
    pub fn repeat(&mut self, now_ms: u64) {
        self.full_at_ms = now_ms;
    }

    /// Judges a message of another node. `jitter` spreads the answers of several nodes.
    pub fn hear(&mut self, news: &News, now_ms: u64, pace: Pace, jitter: u64) -> Hearing {
        let known = self.nodes.get(&news.node).copied();
        if known.is_some_and(|known| news.n <= known.n) {
            return Hearing::Known;
        }
        self.listened_until_ms = now_ms.saturating_add(pace.ghost_ms());
        let begins = news.full == Some(news.n);
        let follows = known.is_some_and(|known| known.n == news.prev);
        let mut gap_n = known.map_or(0, |known| known.gap_n);
        if !follows {
            gap_n = news.n;
        }
        if !follows && !begins {
            // Something was missed; a round that is beginning now would bring it anyway.
            self.wants = true;
        }
        if news.want || known.is_none() || (!follows && !begins) {
            self.answer_soon(now_ms, pace, jitter);
        }
        if known.is_none() && self.nodes.len() >= NODES_MAX {
            self.forget_quietest();
        }
        self.nodes.insert(news.node, Heard { n: news.n, gap_n, at_ms: now_ms });
        Hearing::New
    }

    /// A full round within a beat, wherever several ask for it.
    fn answer_soon(&mut self, now_ms: u64, pace: Pace, jitter: u64) {
        let soon = now_ms.saturating_add(jitter % pace.frame_ms.max(1));
        self.full_at_ms = self.full_at_ms.min(soon);
    }

    fn forget_quietest(&mut self) {
        let quietest = self.nodes.iter().min_by_key(|(_, heard)| heard.at_ms);
        if let Some(node) = quietest.map(|(node, _)| *node) {
            self.nodes.remove(&node);
        }
    }

    /// Who is gone by the last message of a full round: actors of that node that none of its
    /// parts named. Nobody, where a part was missed.
    #[must_use]
    pub fn unnamed(&self, news: &News) -> Vec<Gone> {
        let Some(first) = news.full.filter(|_| news.last) else { return Vec::new() };
        let whole = self.nodes.get(&news.node).is_some_and(|heard| heard.gap_n <= first);
        self.pick(|remote| whole && remote.node == news.node && remote.n < first)
    }

    /// Who was not named for too long.
    #[must_use]
    pub fn ghosts(&self, now_ms: u64, pace: Pace) -> Vec<Gone> {
        self.pick(|remote| remote.at_ms.saturating_add(pace.ghost_ms()) <= now_ms)
    }

    /// The actors of a node that is gone, which is forgotten.
    pub fn bereave(&mut self, node: u64) -> Vec<Gone> {
        self.nodes.remove(&node);
        self.pick(|remote| remote.node == node)
    }

    /// All actors of other nodes; nobody was heard of any more.
    pub fn leave(&mut self) -> Vec<Gone> {
        self.nodes.clear();
        self.pick(|_| true)
    }

    /// The node that named an actor last.
    #[must_use]
    pub fn node_of(&self, player: &str) -> Option<u64> {
        self.remote.get(player).map(|remote| remote.node)
    }

    fn pick(&self, gone: impl Fn(&Remote) -> bool) -> Vec<Gone> {
        let those = self.remote.iter().filter(|(_, remote)| gone(remote));
        let gone = |(player, remote): (&Arc<str>, &Remote)| Gone {
            player: player.clone(),
            epoch: remote.epoch,
            seq: remote.seq,
        };
        those.map(gone).collect()
    }

    /// True when a full round is due by `now_ms`.
    #[must_use]
    pub fn is_full_due(&self, now_ms: u64) -> bool {
        now_ms >= self.full_at_ms
    }

    /// The messages of this beat, which are then forgotten. `next` gives their numbers.
    pub fn take(
        &mut self,
        node: u64,
        now_ms: u64,
        pace: Pace,
        next: impl FnMut() -> u64,
    ) -> Vec<News> {
        let full = self.is_full_due(now_ms);
        let changed = std::mem::take(&mut self.changed);
        let gone = std::mem::take(&mut self.gone);
        let says = std::mem::take(&mut self.says);
        let listened = now_ms < self.listened_until_ms;
        if !full && (!listened || (changed.is_empty() && gone.is_empty() && says.is_empty())) {
            return Vec::new();
        }
        let changed = changed.iter().filter_map(|player| self.local.get(player));
        let seen = if full {
            self.full_at_ms = now_ms.saturating_add(pace.full_frame_ms);
            self.local.values().cloned().collect()
        } else {
            changed.cloned().collect()
        };
        let whole = News {
            node,
            prev: self.said_n,
            full: full.then_some(0),
            want: full && std::mem::take(&mut self.wants),
            seen,
            gone: gone.into_values().collect(),
            says,
            ..News::default()
        };
        let parts = split(whole, next);
        self.said_n = parts.last().map_or(self.said_n, |last| last.n);
        parts
    }
}

#[cfg(test)]
mod tests;
