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
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::actor::stats::{Count, Stats};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    /// Seconds from an append's call to its answer.
    pub append_seconds: Histogram,
    /// Records of one group of appends.
    pub append_group_records: Histogram,
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
        Self { append_seconds, append_group_records, registry: Arc::new(Mutex::new(registry)) }
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
        self.watch(Shown { name, help, is_gauge: false, read: Box::new(read) });
    }

    /// Shows a number that rises and falls.
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.watch(Shown { name, help, is_gauge: true, read: Box::new(read) });
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
        for (name, help, read) in RUNTIME {
            self.counter(name, help, of(read));
        }
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
const RUNTIME: [(&str, &str, Read); 11] = [
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
    ("alarms", "Things for an operator's eyes; each is logged", |s| &s.alarms),
];

/// One number of another part.
struct Shown {
    name: &'static str,
    help: &'static str,
    is_gauge: bool,
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
        if self.is_gauge {
            let kind = MetricType::Gauge;
            let to = encoder.encode_descriptor(self.name, self.help, None, kind)?;
            return ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(to);
        }
        let to = encoder.encode_descriptor(self.name, self.help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(to)
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
