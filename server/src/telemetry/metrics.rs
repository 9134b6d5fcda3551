//! The node's numbers, declared once, rendered for the admin listener's `/metrics`.
//!
//! Each part counts for itself and knows nothing of this file: [`Metrics`] is given a way to read
//! each number and reads it when asked. Only what no part keeps is kept here: how long appends
//! take and how many go together, which [`super::measured::Measured`] sees at the store's door.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::actor::fleet::FleetHandle;
use crate::actor::stats::{Count, FleetStats, Stats};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    /// Seconds from an append's call to its answer.
    pub append_seconds: Histogram,
    /// Records of one group of appends.
    pub append_group_records: Histogram,
    /// How often the store began to refuse all appends.
    pub stalls: Counter,
    /// Appends that the store refused for now.
    pub appends_stalled: Counter,
    registry: Arc<Mutex<Registry>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node's metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        // 50 us to 1.6 s, and 1 to 2048 records
        let append_seconds = Histogram::new(exponential_buckets(0.000_05, 2.0, 16));
        let append_group_records = Histogram::new(exponential_buckets(1.0, 2.0, 12));
        let mut registry = Registry::with_prefix("holdfast");
        registry.register(
            "append_seconds",
            "From an append's call to its answer",
            append_seconds.clone(),
        );
        registry.register(
            "append_group_records",
            "Records of one group of appends",
            append_group_records.clone(),
        );
        let (stalls, appends_stalled) = (Counter::default(), Counter::default());
        registry.register("store_stalls", "Times that the store began to refuse", stalls.clone());
        registry.register("appends_stalled", "Appends refused for now", appends_stalled.clone());
        let registry = Arc::new(Mutex::new(registry));
        Self { append_seconds, append_group_records, stalls, appends_stalled, registry }
    }
}

impl Metrics {
    fn watch(&self, collector: impl Collector) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(collector));
    }

    /// Shows a number that only grows.
    pub fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.watch(Shown { name, help, shape: Shape::Counter, read: Box::new(read) });
    }

    /// Shows a time that only grows; `read` gives milliseconds, and the name gets its unit.
    pub fn seconds(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.watch(Shown { name, help, shape: Shape::Seconds, read: Box::new(read) });
    }

    /// Shows a number that rises and falls.
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.watch(Shown { name, help, shape: Shape::Gauge, read: Box::new(read) });
    }

    /// Shows numbers that only grow, one for each value of `label`, such as error codes.
    pub fn counters(
        &self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> Vec<(String, u64)> + Send + Sync + 'static,
    ) {
        self.watch(Labelled { name, help, label, read: Box::new(read) });
    }

    /// Shows what the runtime counts. Once a runtime.
    pub fn watch_runtime(&self, stats: &Arc<Stats>) {
        let of = |read: Read| {
            let stats = Arc::clone(stats);
            move || read(&stats).get()
        };
        self.gauge("activations", "Actors in memory", of(|s| &s.activations));
        let doubted = "Activations that wait for the store to say who writes";
        self.gauge("activations_in_doubt", doubted, of(|s| &s.doubted));
        let waiting = "Rows that wait for the attribute index";
        self.gauge("index_rows_waiting", waiting, of(|s| &s.rows_waiting));
        for (name, help, read) in RUNTIME {
            self.counter(name, help, of(read));
        }
    }

    /// Shows this node's part among the others. Once a node.
    pub fn watch_fleet(&self, fleet: &FleetHandle) {
        let stats = fleet.stats();
        let of = |read: ReadFleet| {
            let stats = Arc::clone(&stats);
            move || read(&stats).get()
        };
        for (name, help, read) in FLEET {
            self.counter(name, help, of(read));
        }
        let (lease, frozen, table) = (fleet.clone(), fleet.clone(), fleet.members());
        self.gauge("frozen", "1 without a lease", move || u64::from(!lease.in_force()));
        self.seconds("frozen", "Time without a lease", move || frozen.frozen_ms());
        self.gauge("nodes", "Nodes whose lease is in force, this one included", move || {
            table.borrow().members().filter(|member| !member.expired).count() as u64
        });
    }

    /// All of it, as OpenMetrics text.
    #[must_use]
    pub fn render(&self) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        // Writing to a String can't fail.
        let _ = text::encode(&mut out, &registry);
        out
    }
}

/// Reads one of the runtime's counters.
type Read = fn(&Stats) -> &Count;

/// The runtime's counters: name, meaning, where.
const RUNTIME: [(&str, &str, Read); 35] = [
    ("activated", "Activations ever begun", |s| &s.activated),
    ("appends", "Records sent to the store", |s| &s.appends),
    ("append_groups", "Groups that they were sent in", |s| &s.batches),
    ("append_doubts", "Appends whose fate was not known at first", |s| &s.doubts),
    ("snapshots", "Snapshots sent to the store", |s| &s.snapshots),
    ("tells", "Tells sent, resends included", |s| &s.tells),
    ("activity_attempts", "Attempts of activities begun", |s| &s.attempts),
    ("activity_attempts_failed", "Attempts of activities that failed", |s| &s.attempts_failed),
    ("quarantined", "Actors whose journal can't be read", |s| &s.quarantined),
    ("refused_at_cap", "Mail refused for want of room for activations", |s| &s.refused_at_cap),
    ("index_rows", "Rows written to the attribute index", |s| &s.rows_written),
    ("index_rows_refused", "Offers of rows without room; made again", |s| &s.rows_refused),
    ("index_failed", "Batches of rows that could not be written; tried again", |s| &s.rows_failed),
    ("index_mended", "Sessions woken for a stale row", |s| &s.rows_mended),
    ("alarms", "Things for an operator's eyes; each is logged", |s| &s.alarms),
    ("goods_violations", "Times that the rules found that goods do not add up", |s| {
        &s.violations.count
    }),
    ("halted", "Actors whose journal, or its part of the store, is gone", |s| &s.halted),
    ("dead_letters", "Tells laid aside after too many hands", |s| &s.dead_letters),
    ("claims_free", "Actors claimed that no one held", |s| &s.claims_free),
    ("claims_own", "Actors claimed again that this node held", |s| &s.claims_own),
    ("claims_unanswered", "Actors claimed from nodes that did not answer", |s| {
        &s.claims_unanswered
    }),
    ("claims_waited", "Claims that waited for holders to come first", |s| &s.claims_waited),
    ("claims_lost", "Claims that another node won", |s| &s.claims_lost),
    ("claims_unread", "Claims of what this version can't read", |s| &s.claims_unread),
    ("adopted", "Actors claimed from dead nodes", |s| &s.adopted),
    ("taken_over", "Actors claimed because their player came here", |s| &s.taken_over),
    ("handed_over", "Actors given to where their player went", |s| &s.handed_over),
    ("erased", "Actors that came to their end and left nothing", |s| &s.erased),
    ("fenced", "Activations dropped because another one writes", |s| &s.fenced),
    ("reasserted", "Activations written back to the store", |s| &s.reasserted),
    ("lost_tails", "Acknowledged records lost to another history", |s| &s.lost_tails),
    ("stale_checks", "Tips read of activations that were long quiet", |s| &s.stale_checks),
    ("forwarded", "Mail sent on to the node that has its actor", |s| &s.forwarded),
    ("not_here", "Mail of other nodes for actors that are not here", |s| &s.not_here),
    ("mail_overflows", "Mail that found a queue of this node full", |s| &s.mail_overflows),
];

/// Reads one of the counters between nodes.
type ReadFleet = fn(&FleetStats) -> &Count;

/// The counters between nodes: name, meaning, where.
const FLEET: [(&str, &str, ReadFleet); 10] = [
    ("freezes", "Times that the lease ran out", |s| &s.freezes),
    ("sessions_lost", "Times that this node was declared dead", |s| &s.sessions_lost),
    ("nodes_reaped", "Node sessions that this node declared dead", |s| &s.reaped),
    ("mail_batches_sent", "Batches of mail stored for other nodes", |s| &s.batches_sent),
    ("mail_refused", "Mail to other nodes that was not taken", |s| &s.mail_refused),
    ("mail_returned", "Mail to other nodes not surely delivered", |s| &s.mail_returned),
    ("mail_dropped", "Such mail that no one took back", |s| &s.mail_dropped),
    ("mail_batches_stale", "Batches of other nodes refused for their age", |s| &s.batches_stale),
    ("mail_batches_missed", "Batches of other nodes that never came", |s| &s.batches_missed),
    ("mail_unread", "Batches and posts that can't be read", |s| &s.mail_unread),
];

/// What a number is.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Counter,
    Gauge,
    /// A counter of milliseconds, shown in seconds.
    Seconds,
}

/// One number of another part.
struct Shown {
    name: &'static str,
    help: &'static str,
    shape: Shape,
    read: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let value = (self.read)();
        let (kind, unit) = match self.shape {
            Shape::Counter => (MetricType::Counter, None),
            Shape::Gauge => (MetricType::Gauge, None),
            Shape::Seconds => (MetricType::Counter, Some(&Unit::Seconds)),
        };
        let to = encoder.encode_descriptor(self.name, self.help, unit, kind)?;
        match self.shape {
            Shape::Counter => ConstCounter::new(value).encode(to),
            Shape::Gauge => ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(to),
            Shape::Seconds => ConstCounter::new(value as f64 / 1_000.0).encode(to),
        }
    }
}

/// Numbers of another part, by a label's value.
struct Labelled {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    read: Box<dyn Fn() -> Vec<(String, u64)> + Send + Sync>,
}

impl fmt::Debug for Labelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Collector for Labelled {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut to = encoder.encode_descriptor(self.name, self.help, None, MetricType::Counter)?;
        for (label, value) in (self.read)() {
            let labels = [(self.label, label)];
            ConstCounter::new(value).encode(to.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_parts_count_is_rendered() {
        let metrics = Metrics::default();
        let stats = Arc::new(Stats::default());
        metrics.watch_runtime(&stats);
        metrics.gauge("connections", "Open sockets", || 3);
        metrics.counters("rejects", "Errors to clients", "code", || {
            vec![("room_full".into(), 1), ("busy".into(), 2)]
        });
        stats.appends.add(7);
        stats.activations.add(2);
        metrics.clone().append_seconds.observe(0.002);
        let text = metrics.render();
        for line in [
            "holdfast_connections 3",
            "holdfast_rejects_total{code=\"room_full\"} 1",
            "holdfast_rejects_total{code=\"busy\"} 2",
            "holdfast_append_seconds_count 1",
            "holdfast_appends_total 7",
            "holdfast_activations 2",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
