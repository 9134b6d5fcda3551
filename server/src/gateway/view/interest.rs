//! Who is shown to a socket in a crowd, where not everybody fits in a frame. Pure.
//!
//! - The own entity comes first, then the nearest of those that have changed; what is left of the
//!   frame, and a quarter of it at least, goes round the others. So what is near is fresh, and
//!   everybody is shown anew after some frames.
//! - The rows of a frame follow from the time since the last one: a socket in a crowd costs
//!   [`BYTES_PER_S`] at most, whatever the pace of frames is and however many are there.
//! - A socket is *behind* until a whole round found nobody who is to be shown anew.
//!
//! I7: one version is remembered for each entity of the topic at most.

use std::collections::HashMap;
use std::ops::Bound::{Excluded, Unbounded};

use holdfast_protocol::server::EntityRow;

use super::{Entity, Topic};

/// More entities than this are a crowd.
pub const CROWD: usize = 32;
/// What room frames to one socket in a crowd may take, in bytes a second: 64 kbit/s.
const BYTES_PER_S: u64 = 8_000;
/// Bytes of a frame without rows, and of a row, as JSON and with the socket's own framing.
const HEAD_LEN: u64 = 80;
const ROW_LEN: u64 = 24;
/// Rows of a frame in a crowd, whatever the time since the last one was.
const ROWS_MIN: u64 = 4;
const ROWS_MAX: u64 = 64;
/// Entities that one frame's round looks at, at least.
const VISITS_MIN: usize = 64;

/// What a frame may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// With at most so many entities everybody is shown whenever they change.
    pub crowd: usize,
    /// Rows of a frame in a crowd.
    pub rows: usize,
}

impl Budget {
    /// The budget of a frame, so many milliseconds after the one before.
    #[must_use]
    pub fn after(elapsed_ms: u64) -> Self {
        let bytes = (elapsed_ms.min(10_000) * BYTES_PER_S / 1_000).saturating_sub(HEAD_LEN);
        let rows = (bytes / ROW_LEN).clamp(ROWS_MIN, ROWS_MAX);
        Self { crowd: CROWD, rows: usize::try_from(rows).unwrap_or(usize::MAX) }
    }
}

/// What a socket in a crowd has been told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The version of each entity's newest row that was sent.
    versions: HashMap<u32, u64>,
    /// The entity at which the round is.
    round: u32,
    /// The topic's version at the last frame.
    version: u64,
    /// Entities that the round has yet to look at since then.
    unseen: usize,
}

impl Told {
    /// Everything was sent that had changed up to a version.
    pub(super) fn until(topic: &Topic, version: u64) -> Self {
        let sent = |(entity, known): (&u32, &Entity)| (*entity, known.changed.min(version));
        let versions = topic.entities.iter().map(sent).collect();
        Self { versions, round: 0, version, unseen: 0 }
    }

    /// Somebody is to be shown anew, or may be.
    pub fn is_behind(&self) -> bool {
        self.unseen > 0
    }

    pub(super) fn forget(&mut self, entity: u32) {
        self.versions.remove(&entity);
    }

    fn take(&mut self, known: &Entity, rows: &mut Vec<EntityRow>) {
        let told = self.versions.entry(known.row.entity).or_default();
        if *told < known.changed {
            *told = known.changed;
            rows.push(known.row);
        }
    }
}

impl Topic {
    /// The rows of a frame in a crowd: the own entity first, at most `rows_max` in all.
    pub(super) fn choose(&self, told: &mut Told, own: u32, rows_max: usize) -> Vec<EntityRow> {
        if told.version != self.version {
            (told.version, told.unseen) = (self.version, self.entities.len());
        }
        let mut rows = Vec::with_capacity(rows_max);
        let at = self.entities.get(&own);
        if let Some(known) = at {
            told.take(known, &mut rows);
        }
        if let Some(known) = at {
            let near_max = rows_max - rows_max / 4;
            for near in self.nearest(known.row, rows_max * 2) {
                if rows.len() >= near_max {
                    break;
                }
                told.take(near, &mut rows);
            }
        }
        self.go_round(told, &mut rows, rows_max);
        rows
    }

    /// Goes on with the round, until the frame is full.
    fn go_round(&self, told: &mut Told, rows: &mut Vec<EntityRow>, rows_max: usize) {
        let visits = VISITS_MIN.max(rows_max * 4).min(self.entities.len());
        let behind = self.entities.range((Excluded(told.round), Unbounded));
        for (entity, known) in behind.chain(&self.entities).take(visits) {
            if rows.len() >= rows_max {
                return;
            }
            told.take(known, rows);
            told.round = *entity;
            told.unseen = told.unseen.saturating_sub(1);
        }
    }

    /// So many others, the nearest first.
    fn nearest(&self, own: EntityRow, len: usize) -> Vec<&Entity> {
        let far = |row: EntityRow| {
            let (x, y) = (i64::from(row.x - own.x), i64::from(row.y - own.y));
            (x * x + y * y, row.entity)
        };
        let others = self.entities.values().filter(|known| known.row.entity != own.entity);
        let mut others: Vec<_> = others.map(|known| (far(known.row), known)).collect();
        if len < others.len() {
            others.select_nth_unstable_by_key(len, |(far, _)| *far);
            others.truncate(len);
        }
        others.sort_unstable_by_key(|(far, _)| *far);
        others.into_iter().map(|(_, known)| known).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::{Cursor, Topic};
    use super::*;

    const TIGHT: Budget = Budget { crowd: 4, rows: 5 };

    fn put(topic: &mut Topic, entity: u32, x: i32) {
        let row = EntityRow { entity, x, y: 0, health: 100, flags: 0 };
        topic.put(&format!("p{entity}").into(), &"Name".into(), row);
    }

    fn line(len: u32) -> Topic {
        let mut topic = Topic::default();
        (0..len).for_each(|entity| put(&mut topic, entity, entity.cast_signed() * 10));
        topic
    }

    fn shown(topic: &mut Topic, cursor: &mut Cursor, own: u32) -> Vec<u32> {
        topic.publish();
        let delta = topic.delta(cursor, own, TIGHT, 0, 5_000);
        delta.rows.to_vec().iter().map(|row| row.entity).collect()
    }

    #[test]
    fn the_own_entity_comes_first_then_the_nearest_then_a_round() {
        let mut topic = line(40);
        let mut cursor = Cursor::default();
        assert_eq!(shown(&mut topic, &mut cursor, 20).len(), 40, "the first frame is full");
        (0..40).for_each(|entity| put(&mut topic, entity, entity.cast_signed() * 10 + 1));
        assert_eq!(shown(&mut topic, &mut cursor, 20), [20, 19, 21, 18, 1]);
        assert_eq!(shown(&mut topic, &mut cursor, 20), [22, 17, 23, 16, 2]);
        put(&mut topic, 19, 500);
        put(&mut topic, 21, 212);
        put(&mut topic, 20, 205);
        assert_eq!(shown(&mut topic, &mut cursor, 20), [20, 21, 24, 25, 3], "who is near is fresh");
    }

    #[test]
    fn a_socket_is_behind_until_it_holds_everything() {
        let mut topic = line(300);
        let mut cursor = Cursor::default();
        shown(&mut topic, &mut cursor, 7);
        (0..300).for_each(|entity| put(&mut topic, entity, 7));
        let (mut frames, mut rows) = (0, 0);
        loop {
            let len = shown(&mut topic, &mut cursor, 7).len();
            assert!(len <= TIGHT.rows);
            (frames, rows) = (frames + 1, rows + len);
            if !cursor.is_behind() {
                break;
            }
        }
        assert_eq!(rows, 300, "each once");
        assert!((60..=70).contains(&frames), "{frames}");
        assert!(shown(&mut topic, &mut cursor, 7).is_empty());
    }

    #[test]
    fn who_was_left_out_is_shown_when_the_crowd_has_gone() {
        let mut topic = line(10);
        let mut cursor = Cursor::default();
        shown(&mut topic, &mut cursor, 9);
        (0..10).for_each(|entity| put(&mut topic, entity, 500 + entity.cast_signed()));
        assert_eq!(shown(&mut topic, &mut cursor, 9), [9, 8, 7, 6, 1]);
        for entity in [1, 2, 5, 6, 7, 8, 9] {
            topic.remove(&format!("p{entity}"), entity);
        }
        assert_eq!(shown(&mut topic, &mut cursor, 9), [3, 4, 0]);
        assert!(!cursor.is_behind());
        assert!(shown(&mut topic, &mut cursor, 9).is_empty());
    }

    #[test]
    fn a_crowd_keeps_to_its_bytes_at_any_pace() {
        for elapsed_ms in [50, 100, 500, 1_000] {
            let budget = Budget::after(elapsed_ms);
            let bytes = HEAD_LEN + budget.rows as u64 * ROW_LEN;
            assert!(bytes * 1_000 / elapsed_ms <= BYTES_PER_S, "{elapsed_ms}: {budget:?}");
        }
        assert_eq!(Budget::after(50).rows, 13);
        assert_eq!(Budget::after(0).rows, 4);
        assert_eq!(Budget::after(u64::MAX).rows, 64);
    }

    proptest! {
        #[test]
        fn who_applies_every_frame_ends_with_the_topic(
            acts in prop::collection::vec((0_u32..12, 0_u8..8, 0_i32..9), 1..120)
        ) {
            let (mut topic, mut cursor) = (Topic::default(), Cursor::default());
            let mut rows: BTreeMap<u32, EntityRow> = BTreeMap::new();
            let mut apply = |topic: &mut Topic, cursor: &mut Cursor| {
                topic.publish();
                let delta = topic.delta(cursor, 1, TIGHT, 0, 5_000);
                if delta.full {
                    rows.clear();
                }
                rows.extend(delta.rows.to_vec().into_iter().map(|row| (row.entity, row)));
                for entity in delta.gone {
                    rows.remove(&entity);
                }
                rows.clone()
            };
            for (entity, act, x) in acts {
                match act {
                    0 => drop(topic.remove(&format!("p{entity}"), entity)),
                    1..=5 => put(&mut topic, entity, x),
                    _ => drop(apply(&mut topic, &mut cursor)),
                }
            }
            let mut held = apply(&mut topic, &mut cursor);
            while cursor.is_behind() {
                held = apply(&mut topic, &mut cursor);
            }
            let there = topic.entities.iter().map(|(entity, known)| (*entity, known.row));
            prop_assert_eq!(held, there.collect());
        }
    }
}
