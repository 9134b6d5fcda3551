//! The node's numbers, declared once. Handles are cheap to clone; `/metrics` renders them.
//!
//! The edge counts into [`Metrics`]; the runtime keeps counters of its own, which
//! [`Metrics::watch_runtime`] shows beside them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, MetricType, text,
};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::actor::stats::{Count, Stats};

/// A protocol error code.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Code {
    /// Such as `room_full`.
    pub code: String,
}

/// A WebSocket close code.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CloseCode {
    /// Such as 4002.
    pub code: u32,
}

/// How a connection got its session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct How {
    /// `welcome`, `resumed`, `resync` or `refused`.
    pub how: &'static str,
}

/// See the module.
#[derive(Clone)]
pub struct Metrics {
    /// Open sockets.
    pub connections: Gauge,
    /// Sockets ever opened.
    pub connections_opened: Counter,
    /// Sockets closed, by code.
    pub closes: Family<CloseCode, Counter>,
    /// Answers to hello and resume.
    pub attachments: Family<How, Counter>,
    /// Messages from clients.
    pub messages_in: Counter,
    /// Messages to clients.
    pub messages_out: Counter,
    /// Commands handed to actors.
    pub commands: Counter,
    /// Seconds from a command's arrival to its reply.
    pub command_seconds: Histogram,
    /// Input frames handed over.
    pub input_frames: Counter,
    /// Input commands that they were collected into.
    pub input_batches: Counter,
    /// Errors to clients, by code.
    pub rejects: Family<Code, Counter>,
    /// Room frames sent.
    pub room_frames: Counter,
    /// Requests to the HTTP surface.
    pub http_requests: Counter,
    registry: Arc<Mutex<Registry>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node's metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        // 50 us to 1.6 s
        let seconds = || Histogram::new(exponential_buckets(0.000_05, 2.0, 16));
        let metrics = Self {
            connections: Gauge::default(),
            connections_opened: Counter::default(),
            closes: Family::default(),
            attachments: Family::default(),
            messages_in: Counter::default(),
            messages_out: Counter::default(),
            commands: Counter::default(),
            command_seconds: seconds(),
            input_frames: Counter::default(),
            input_batches: Counter::default(),
            rejects: Family::default(),
            room_frames: Counter::default(),
            http_requests: Counter::default(),
            registry: Arc::new(Mutex::new(Registry::with_prefix("holdfast"))),
        };
        metrics.declare();
        metrics
    }
}

impl Metrics {
    fn declare(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register("connections", "Open sockets", self.connections.clone());
        let counters = [
            ("connections_opened", "Sockets ever opened", &self.connections_opened),
            ("messages_in", "Messages from clients", &self.messages_in),
            ("messages_out", "Messages to clients", &self.messages_out),
            ("commands", "Commands handed to actors", &self.commands),
            ("input_frames", "Input frames from clients", &self.input_frames),
            ("input_batches", "Input commands made of them", &self.input_batches),
            ("room_frames", "Room frames sent", &self.room_frames),
            ("http_requests", "HTTP requests", &self.http_requests),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register("closes", "Sockets closed, by code", self.closes.clone());
        registry.register("attachments", "Answers to hello and resume", self.attachments.clone());
        registry.register("rejects", "Errors to clients, by code", self.rejects.clone());
        registry.register(
            "command_seconds",
            "From a command's arrival to its reply",
            self.command_seconds.clone(),
        );
    }

    /// Counts an error that a client is told.
    pub fn reject(&self, code: &str) {
        self.rejects.get_or_create(&Code { code: code.to_owned() }).inc();
    }

    /// Counts a closed socket.
    pub fn close(&self, code: u16) {
        self.closes.get_or_create(&CloseCode { code: u32::from(code) }).inc();
    }

    /// Shows the runtime's counters beside the others. Once a runtime.
    pub fn watch_runtime(&self, stats: Arc<Stats>) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(RuntimeStats(stats)));
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

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Reads one of the runtime's counters.
type Read = fn(&Stats) -> &Count;

/// The runtime's counters: name, meaning, where.
const RUNTIME: [(&str, &str, Read); 11] = [
    ("activated", "Activations ever begun", |s| &s.activated),
    ("appends", "Records sent to the store", |s| &s.appends),
    ("append_batches", "Groups that they were sent in", |s| &s.batches),
    ("append_doubts", "Appends whose fate was not known at first", |s| &s.doubts),
    ("snapshots", "Snapshots sent to the store", |s| &s.snapshots),
    ("tells", "Tells sent, resends included", |s| &s.tells),
    ("activity_attempts", "Attempts of activities begun", |s| &s.attempts),
    ("activity_attempts_failed", "Attempts of activities that failed", |s| &s.attempts_failed),
    ("quarantined", "Actors whose journal can't be read", |s| &s.quarantined),
    ("refused_at_cap", "Mail refused for want of room for activations", |s| &s.refused_at_cap),
    ("alarms", "Things for an operator's eyes; each is logged", |s| &s.alarms),
];

#[derive(Debug)]
struct RuntimeStats(Arc<Stats>);

impl Collector for RuntimeStats {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let in_memory = i64::try_from(self.0.activations.get()).unwrap_or(i64::MAX);
        let gauge = encoder.encode_descriptor(
            "activations",
            "Actors in memory",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(in_memory).encode(gauge)?;
        for (name, help, read) in RUNTIME {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(read(&self.0).get()).encode(counter)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered() {
        let metrics = Metrics::default();
        let handle = metrics.clone();
        handle.connections.set(3);
        handle.reject("room_full");
        handle.close(4002);
        handle.attachments.get_or_create(&How { how: "resumed" }).inc();
        handle.command_seconds.observe(0.002);
        let stats = Arc::new(Stats::default());
        metrics.watch_runtime(Arc::clone(&stats));
        stats.appends.add(7);
        stats.activations.add(2);
        let text = metrics.render();
        for line in [
            "holdfast_connections 3",
            "holdfast_rejects_total{code=\"room_full\"} 1",
            "holdfast_closes_total{code=\"4002\"} 1",
            "holdfast_attachments_total{how=\"resumed\"} 1",
            "holdfast_command_seconds_count 1",
            "holdfast_appends_total 7",
            "holdfast_activations 2",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
