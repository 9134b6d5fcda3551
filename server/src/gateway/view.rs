//! What one topic (a room) looks like, and what a socket has yet to be told about it. Pure.
//!
//! Each change of an entity gets the topic's next version. A socket remembers one number, the
//! version of its last frame, so that a watcher costs no copy of what was sent; in a crowd, where
//! a frame can't hold everybody, one for each entity ([`interest`]).
//! Outside a crowd frames go up to the version that was published last, once a tick: who is as
//! far as the others is shown the same rows, which are encoded once ([`shown`]).
//! Invariant: a client that applies every frame in order holds what the topic holds, in a crowd
//! once its cursor is not behind.
//! I7: at most [`ENTITIES_MAX`] entities (a newer one is not shown) and [`GONE_MAX`] remembered
//! departures (a socket that is further behind gets a full frame).

pub mod interest;
pub mod shown;

use std::cell::OnceCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use holdfast_protocol::server::EntityRow;

use interest::{Budget, Told};
use shown::{Rows, Shown};

/// Most entities of one topic.
pub const ENTITIES_MAX: usize = 1_024;
/// Departures that a topic remembers.
pub const GONE_MAX: usize = 256;

/// Somebody at a topic.
#[derive(Debug, Clone)]
struct Entity {
    player: Arc<str>,
    name: Arc<str>,
    row: EntityRow,
    /// Version of the newest change of `row`.
    changed: u64,
    /// Version of the newest change of `player` or `name`.
    named: u64,
}

/// Everybody at one topic.
#[derive(Debug, Default)]
pub struct Topic {
    version: u64,
    entities: BTreeMap<u32, Entity>,
    /// (version, entity), oldest first.
    gone: VecDeque<(u64, u32)>,
    /// Newest version whose departure is forgotten.
    forgotten: u64,
    /// Newest version in which somebody got a name.
    named: u64,
    /// The version of the last tick, and of the one before.
    published: u64,
    published_before: u64,
    /// What changed between them, once somebody has asked.
    shown: OnceCell<Arc<Shown>>,
}

/// One member, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The player's id.
    pub player: Arc<str>,
    /// The display name.
    pub name: Arc<str>,
    /// Where and how.
    pub row: EntityRow,
}

/// What a socket has been told. `None`: nothing yet, so the next frame is full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The topic's version of the last room frame.
    pub version: Option<u64>,
    /// The topic's version of the last roster.
    pub roster: Option<u64>,
    /// When the next full frame is due, in Unix milliseconds.
    pub full_at_ms: u64,
    /// In a crowd.
    told: Option<Box<Told>>,
}

impl Cursor {
    /// The last frame left something out, or may have.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.told.as_ref().is_some_and(|told| told.is_behind())
    }
}

/// What changed since a socket's last frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// Changed entities, the own one first.
    pub rows: Rows,
    /// Entities that left.
    pub gone: Vec<u32>,
    /// No delta: who is not in `rows` is gone.
    pub full: bool,
}

impl Delta {
    /// True when there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.full && self.rows.is_empty() && self.gone.is_empty()
    }
}

/// Names that a socket does not know yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// (entity, player, name).
    pub rows: Vec<(u32, Arc<str>, Arc<str>)>,
    /// True when this is everybody.
    pub full: bool,
}

impl Topic {
    /// Puts an entity or replaces what was known of it. True when anything changed.
    pub fn put(&mut self, player: &Arc<str>, name: &Arc<str>, row: EntityRow) -> bool {
        let known = self.entities.get(&row.entity);
        if known.is_none() && self.entities.len() >= ENTITIES_MAX {
            return false;
        }
        let named = known.is_none_or(|known| known.player != *player || known.name != *name);
        if !named && known.is_some_and(|known| known.row == row) {
            return false;
        }
        self.version += 1;
        let version = self.version;
        let named = match known {
            Some(known) if !named => known.named,
            _ => version,
        };
        self.named = self.named.max(named);
        let (player, name) = (player.clone(), name.clone());
        self.entities.insert(row.entity, Entity { player, name, row, changed: version, named });
        true
    }

    /// What is known of an entity.
    pub fn row(&self, entity: u32) -> Option<EntityRow> {
        self.entities.get(&entity).map(|known| known.row)
    }

    /// Removes an entity, unless its number means another player by now. True when it was there.
    pub fn remove(&mut self, player: &str, entity: u32) -> bool {
        if self.entities.get(&entity).is_none_or(|known| &*known.player != player) {
            return false;
        }
        self.entities.remove(&entity);
        self.version += 1;
        self.gone.push_back((self.version, entity));
        while self.gone.len() > GONE_MAX {
            self.forgotten = self.gone.pop_front().map_or(self.forgotten, |(version, _)| version);
        }
        true
    }

    /// True when nobody is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// How many are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// Everybody, by entity number.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.entities.values().map(|entity| Member {
            player: entity.player.clone(),
            name: entity.name.clone(),
            row: entity.row,
        })
    }

    /// Begins a tick: frames go up to here from now on.
    pub fn publish(&mut self) {
        if self.published != self.version {
            (self.published_before, self.published) = (self.published, self.version);
            self.shown = OnceCell::new();
        }
    }

    /// What changed since `cursor`, which moves on. Everything when the cursor is new, or too far
    /// behind, or a full frame is due at `now_ms`: in a crowd that much later as it is larger.
    pub fn delta(
        &self,
        cursor: &mut Cursor,
        own: u32,
        budget: Budget,
        now_ms: u64,
        full_every_ms: u64,
    ) -> Delta {
        let before = cursor.version;
        let since = before.filter(|since| *since >= self.forgotten);
        let stale = since.is_some_and(|since| since < self.version);
        let full = since.is_none() || (stale && now_ms >= cursor.full_at_ms);
        // Whoever was left out is still to be shown when the others have gone.
        let crowd = self.entities.len() > budget.crowd || cursor.is_behind();
        if !crowd || full {
            cursor.told = None;
        }
        let upto = match since {
            Some(since) if !full && !crowd => since.max(self.published),
            _ => self.version,
        };
        // In a full frame too: a client's roster outlives it.
        let gone = before.map_or_else(Vec::new, |before| self.gone_between(before, upto));
        let rows = match since {
            Some(since) if !full && !crowd => self.rows_since(since, own),
            Some(since) if !full => {
                let told = cursor.told.get_or_insert_with(|| Box::new(Told::until(self, since)));
                gone.iter().for_each(|entity| told.forget(*entity));
                Rows::chosen(own, self.choose(told, own, budget.rows))
            }
            _ => Rows::chosen(own, self.changed_since(0)),
        };
        cursor.version = Some(upto);
        if full {
            let crowds = (self.entities.len() / budget.crowd.max(1)).max(1) as u64;
            cursor.full_at_ms = now_ms.saturating_add(full_every_ms.saturating_mul(crowds));
            cursor.told = crowd.then(|| Box::new(Told::until(self, self.version)));
        }
        Delta { rows, gone, full }
    }

    /// The rows for somebody who was told up to a version. The own row is as new as it can be:
    /// it goes with the newest input. Others may be newer than what was published, and are
    /// told again then.
    fn rows_since(&self, since: u64, own: u32) -> Rows {
        let changed = |known: &&Entity| known.changed > since;
        let own_row = self.entities.get(&own).filter(changed).map(|known| known.row);
        let shown = if since == self.published_before {
            let shown = self.shown.get_or_init(|| Arc::new(Shown::new(self.changed_since(since))));
            shown.clone()
        } else if since < self.published {
            Arc::new(Shown::new(self.changed_since(since)))
        } else {
            Arc::default()
        };
        Rows { own, own_row, shown }
    }

    /// The rows of those that changed after a version.
    fn changed_since(&self, since: u64) -> Vec<EntityRow> {
        let mut rows = Vec::with_capacity(self.entities.len());
        let changed = self.entities.values().filter(|entity| entity.changed > since);
        rows.extend(changed.map(|entity| entity.row));
        rows
    }

    /// Who left after one version and up to another, once each, without numbers that are taken
    /// again.
    fn gone_between(&self, since: u64, upto: u64) -> Vec<u32> {
        let newest_first = self.gone.iter().rev().skip_while(|(version, _)| *version > upto);
        let mut gone: Vec<u32> = newest_first
            .take_while(|(version, _)| *version > since)
            .map(|(_, entity)| *entity)
            .filter(|entity| !self.entities.contains_key(entity))
            .collect();
        gone.sort_unstable();
        gone.dedup();
        gone
    }

    /// The names that `cursor` does not know, and moves it on; everybody's, where it is so far
    /// behind that departures are forgotten. `None`: it knows all.
    pub fn names(&self, cursor: &mut Cursor) -> Option<Names> {
        let since = cursor.roster.filter(|since| *since >= self.forgotten);
        if since.is_some_and(|since| since >= self.named) {
            cursor.roster = Some(self.version);
            return None;
        }
        let fresh = |entity: &&Entity| since.is_none_or(|since| entity.named > since);
        let row = |entity: &Entity| (entity.row.entity, entity.player.clone(), entity.name.clone());
        let rows: Vec<_> = self.entities.values().filter(fresh).map(row).collect();
        cursor.roster = Some(self.version);
        (since.is_none() || !rows.is_empty()).then_some(Names { rows, full: since.is_none() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOMY: Budget = Budget { crowd: 10_000, rows: 0 };

    fn row(entity: u32, x: i32) -> EntityRow {
        EntityRow { entity, x, y: 0, health: 100, flags: 0 }
    }

    fn put(topic: &mut Topic, player: &str, entity: u32, x: i32) -> bool {
        topic.put(&player.into(), &player.to_uppercase().into(), row(entity, x))
    }

    fn delta(topic: &mut Topic, cursor: &mut Cursor, own: u32) -> Delta {
        at(topic, cursor, own, 0)
    }

    /// The frame of a tick.
    fn at(topic: &mut Topic, cursor: &mut Cursor, own: u32, now_ms: u64) -> Delta {
        topic.publish();
        topic.delta(cursor, own, ROOMY, now_ms, 5_000)
    }

    fn some(rows: Vec<EntityRow>, gone: Vec<u32>, full: bool) -> Delta {
        Delta { rows: Rows::chosen(9, rows), gone, full }
    }

    #[test]
    fn the_first_frame_is_full_and_the_next_holds_changes() {
        let mut topic = Topic::default();
        put(&mut topic, "alice", 1, 10);
        put(&mut topic, "bob", 2, 20);
        let mut cursor = Cursor::default();
        let first = delta(&mut topic, &mut cursor, 2);
        assert_eq!((first.rows.to_vec(), first.full), (vec![row(2, 20), row(1, 10)], true));
        assert!(delta(&mut topic, &mut cursor, 2).is_empty());
        put(&mut topic, "alice", 1, 11);
        let second = delta(&mut topic, &mut cursor, 2);
        assert_eq!(second, some(vec![row(1, 11)], vec![], false));
    }

    #[test]
    fn who_is_as_far_as_the_others_is_shown_the_same() {
        let mut topic = Topic::default();
        for entity in 0..4 {
            put(&mut topic, "x", entity, 0);
        }
        let mut cursors: Vec<Cursor> = vec![Cursor::default(); 4];
        let mut frames = |topic: &mut Topic, x: i32| -> Vec<Rows> {
            for entity in 0..4 {
                put(topic, "x", entity, x);
            }
            topic.publish();
            // In the middle of the tick somebody moves.
            let frame = |(own, cursor): (usize, &mut Cursor)| {
                put(topic, "x", 2, x + own as i32);
                topic.delta(cursor, own as u32, ROOMY, 0, 5_000).rows
            };
            cursors.iter_mut().enumerate().map(frame).collect()
        };
        frames(&mut topic, 10);
        frames(&mut topic, 20);
        let rows = frames(&mut topic, 30);
        assert!(rows.iter().all(|rows| Arc::ptr_eq(&rows.shown, &rows_of(&topic))));
        assert_eq!(rows[0].to_vec()[2], row(2, 30));
        assert_eq!(rows[2].to_vec()[0], row(2, 32), "the own row is not kept for others");
    }

    fn rows_of(topic: &Topic) -> Arc<Shown> {
        topic.shown.get().unwrap().clone()
    }

    #[test]
    fn between_two_ticks_only_the_own_row_is_told() {
        let mut topic = Topic::default();
        put(&mut topic, "alice", 1, 10);
        put(&mut topic, "bob", 2, 20);
        let mut cursor = Cursor::default();
        delta(&mut topic, &mut cursor, 1);
        put(&mut topic, "alice", 1, 11);
        put(&mut topic, "bob", 2, 21);
        topic.remove("bob", 2);
        let early = topic.delta(&mut cursor, 1, ROOMY, 0, 5_000);
        assert_eq!(early, some(vec![row(1, 11)], vec![], false));
        assert_eq!(delta(&mut topic, &mut cursor, 1), some(vec![row(1, 11)], vec![2], false));
    }

    #[test]
    fn an_equal_row_is_no_change() {
        let mut topic = Topic::default();
        assert!(put(&mut topic, "alice", 1, 10));
        assert!(!put(&mut topic, "alice", 1, 10));
    }

    #[test]
    fn a_number_taken_again_is_not_gone() {
        let mut topic = Topic::default();
        put(&mut topic, "alice", 1, 10);
        let mut cursor = Cursor::default();
        topic.names(&mut cursor);
        delta(&mut topic, &mut cursor, 9);
        assert!(topic.remove("alice", 1));
        put(&mut topic, "bob", 1, 10);
        assert!(!topic.remove("alice", 1), "the number is bob's now");
        let next = delta(&mut topic, &mut cursor, 9);
        assert_eq!(next, some(vec![row(1, 10)], vec![], false));
        let names = topic.names(&mut cursor).unwrap();
        assert_eq!((names.rows.len(), names.full), (1, false));
        assert_eq!(topic.names(&mut cursor), None);
    }

    #[test]
    fn a_socket_too_far_behind_gets_everything() {
        let mut topic = Topic::default();
        let mut cursor = Cursor::default();
        delta(&mut topic, &mut cursor, 0);
        for entity in 0..=GONE_MAX as u32 {
            put(&mut topic, "alice", entity, 0);
            topic.remove("alice", entity);
        }
        let names = topic.names(&mut cursor).unwrap();
        assert_eq!((names.rows.len(), names.full), (0, true));
        let next = delta(&mut topic, &mut cursor, 0);
        assert_eq!((next.rows.to_vec().len(), next.full), (0, true));
    }

    #[test]
    fn who_left_is_named_in_a_full_frame_too() {
        let mut topic = Topic::default();
        put(&mut topic, "alice", 1, 10);
        put(&mut topic, "bob", 2, 20);
        let mut cursor = Cursor::default();
        at(&mut topic, &mut cursor, 1, 1_000);
        topic.remove("bob", 2);
        let next = at(&mut topic, &mut cursor, 1, 9_000);
        assert_eq!(next, some(vec![row(1, 10)], vec![2], true));
    }

    #[test]
    fn a_full_frame_comes_when_it_is_due_and_something_changed() {
        let mut topic = Topic::default();
        put(&mut topic, "alice", 1, 10);
        let mut cursor = Cursor::default();
        at(&mut topic, &mut cursor, 1, 1_000);
        assert!(at(&mut topic, &mut cursor, 1, 9_000).is_empty());
        put(&mut topic, "alice", 1, 11);
        assert!(at(&mut topic, &mut cursor, 1, 9_000).full);
        assert_eq!(cursor.full_at_ms, 14_000);
    }

    #[test]
    fn one_too_many_is_not_shown() {
        let mut topic = Topic::default();
        for entity in 0..ENTITIES_MAX as u32 {
            assert!(put(&mut topic, "alice", entity, 0));
        }
        assert!(!put(&mut topic, "bob", u32::MAX, 0));
        assert!(put(&mut topic, "alice", 0, 7));
    }

    #[derive(Debug, Clone)]
    enum Act {
        Put(u8, u8, i32),
        Remove(u8, u8),
        Frame(bool),
        Tick,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0_u8..4, 0_u8..6, 0_i32..5)
                .prop_map(|(player, entity, x)| Act::Put(player, entity, x)),
            (0_u8..4, 0_u8..6).prop_map(|(player, entity)| Act::Remove(player, entity)),
            any::<bool>().prop_map(Act::Frame),
            Just(Act::Tick),
        ]
    }

    #[derive(Default)]
    struct Client {
        rows: BTreeMap<u32, EntityRow>,
        names: BTreeMap<u32, Arc<str>>,
        cursor: Cursor,
    }

    impl Client {
        fn apply(&mut self, topic: &Topic, now_ms: u64) {
            if let Some(names) = topic.names(&mut self.cursor) {
                if names.full {
                    self.names.clear();
                }
                self.names
                    .extend(names.rows.into_iter().map(|(entity, player, _)| (entity, player)));
            }
            let delta = topic.delta(&mut self.cursor, 1, ROOMY, now_ms, 50);
            if delta.full {
                self.rows.clear();
            }
            self.rows.extend(delta.rows.to_vec().into_iter().map(|row| (row.entity, row)));
            for entity in delta.gone {
                self.names.remove(&entity);
                assert!(
                    self.rows.remove(&entity).is_some() || !topic.entities.contains_key(&entity)
                );
            }
        }
    }

    proptest! {
        #[test]
        fn a_client_that_applies_every_frame_holds_the_topic(acts in prop::collection::vec(act(), 1..200)) {
            let mut topic = Topic::default();
            let (mut prompt, mut slow) = (Client::default(), Client::default());
            for (now_ms, act) in acts.into_iter().chain([Act::Tick, Act::Frame(true)]).enumerate() {
                match act {
                    Act::Put(player, entity, x) => {
                        put(&mut topic, &format!("p{player}"), u32::from(entity), x);
                    }
                    Act::Remove(player, entity) => {
                        topic.remove(&format!("p{player}"), u32::from(entity));
                    }
                    Act::Tick => topic.publish(),
                    Act::Frame(both) => {
                        prompt.apply(&topic, now_ms as u64);
                        if both {
                            slow.apply(&topic, now_ms as u64);
                        }
                    }
                }
            }
            for client in [prompt, slow] {
                let rows: Vec<_> = client.rows.into_values().collect();
                let held: Vec<_> = topic.entities.values().map(|entity| entity.row).collect();
                prop_assert_eq!(rows, held);
                let known = topic.entities.iter().map(|(entity, known)| (*entity, known.player.clone()));
                prop_assert_eq!(client.names, known.collect());
            }
        }
    }
}
