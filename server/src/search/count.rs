//! How many sessions there are for each value of an attribute.

use std::collections::BTreeMap;

use super::attribute::{Attribute, Registry, Type};
use super::mistake::{Fault, Mistake, echo};
use super::row::Row;
use super::value::Value;

/// Most values that are counted apart; sessions with further ones are counted together.
pub const GROUPS_MAX: usize = 1_000;

/// Counts by group. Those of several parts of the world are added up by [`Counts::merge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    by: Attribute,
    groups: BTreeMap<Option<Value>, u64>,
    other: u64,
}

impl Counts {
    /// Groups by the attribute of that name.
    ///
    /// # Errors
    /// [`Mistake`] when there is no such attribute, or its values are of no use as groups: a
    /// time or a duration, of which nearly every session has its own.
    pub fn by(registry: &Registry, name: &str) -> Result<Self, Mistake> {
        let fault = |sentence| Fault::new(0..name.len(), sentence);
        let Some(by) = registry.find(name) else {
            let near = registry.nearest(name).map(str::to_owned);
            let fault = fault(format!("there is no attribute {}", echo(name))).or_perhaps(near);
            return Err(fault.into_mistake(name));
        };
        if matches!(by.kind(), Type::Time | Type::Duration) {
            let sentence = format!("{} is {}: it makes no groups", by.name(), by.kind().noun());
            return Err(fault(sentence).into_mistake(name));
        }
        Ok(Self { by: by.clone(), groups: BTreeMap::new(), other: 0 })
    }

    /// Counts a session, once for each time it is offered.
    pub fn offer(&mut self, row: &Row) {
        let value = row.value(&self.by, 0).map(|value| value.to_value());
        self.add(value, 1);
    }

    /// Adds what was counted elsewhere by the same attribute.
    pub fn merge(&mut self, other: Self) {
        other.groups.into_iter().for_each(|(value, count)| self.add(value, count));
        self.other = self.other.saturating_add(other.other);
    }

    fn add(&mut self, value: Option<Value>, count: u64) {
        let room = self.groups.len() < GROUPS_MAX || self.groups.contains_key(&value);
        let to = if room { self.groups.entry(value).or_default() } else { &mut self.other };
        *to = to.saturating_add(count);
    }

    /// What is grouped by.
    #[must_use]
    pub fn attribute(&self) -> &Attribute {
        &self.by
    }

    /// Sessions in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.groups.values().fold(self.other, |sum, count| sum.saturating_add(*count))
    }

    /// Sessions whose value was one too many.
    #[must_use]
    pub fn other(&self) -> u64 {
        self.other
    }

    /// Values (`None`: without one) and how many sessions have them; the most frequent first,
    /// then by value.
    #[must_use]
    pub fn groups(&self) -> Vec<(Option<&Value>, u64)> {
        let mut groups: Vec<_> =
            self.groups.iter().map(|(value, count)| (value.as_ref(), *count)).collect();
        groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        groups
    }
}
