//! The attribute index in memory: rows by player, each read for every question. What the other
//! backends find by their entries is compared with this.

use std::collections::BTreeMap;
use std::ops::Bound;

use holdfast_protocol::ids::PlayerId;

use crate::search::{Registry, Row};
use crate::store::attributes::{Collector, Doomed, EntriesFound, Found, RowAt, RowOf, Search};

/// Rows as they are stored: what they tell of, and the encoded row.
#[derive(Debug, Default, Clone)]
pub(super) struct Rows(BTreeMap<PlayerId, (RowAt, Vec<u8>)>);

impl Rows {
    pub fn put(&mut self, registry: &Registry, rows: Vec<RowOf>) {
        for RowOf { at, row } in rows {
            let newer = |known: &(RowAt, Vec<u8>)| known.0 > at;
            if !self.0.get(row.player()).is_some_and(newer) {
                self.0.insert(row.player().clone(), (at, row.encode(registry)));
            }
        }
    }

    pub fn search(&self, search: &Search) -> Found {
        let mut collector = Collector::new(search);
        let now_ms = collector.now_ms();
        for (_, bytes) in self.0.values() {
            let Ok(row) = Row::decode(&search.registry, bytes) else { continue };
            if search.query.matches(&row, now_ms) {
                collector.offer(row);
            }
            if collector.is_full() {
                break;
            }
        }
        collector.finish()
    }

    pub fn after(&self, registry: &Registry, after: Option<&PlayerId>, limit: usize) -> Vec<RowOf> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.0.range::<PlayerId, _>((from, Bound::Unbounded));
        let read = |(at, bytes): &(RowAt, Vec<u8>)| {
            Some(RowOf { at: *at, row: Row::decode(registry, bytes).ok()? })
        };
        rows.filter_map(|(_, stored)| read(stored)).take(limit).collect()
    }

    pub fn drop_those(&mut self, rows: &[Doomed]) {
        for (player, at) in rows {
            if self.0.get(player).is_some_and(|(known, _)| known == at) {
                self.0.remove(player);
            }
        }
    }

    pub fn check(&mut self, registry: &Registry, mends: bool) -> EntriesFound {
        if mends {
            self.0.retain(|_, (_, bytes)| Row::decode(registry, bytes).is_ok());
        }
        EntriesFound { rows: self.0.len() as u64, missing: 0, stray: 0 }
    }
}
