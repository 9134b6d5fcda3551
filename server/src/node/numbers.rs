//! What the edge counts, and how this node stands, among the node's metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_protocol::codes::{CloseCode, ErrorCode};
use tokio::sync::watch;

use super::shared::Shared;
use crate::gateway;
use crate::gateway::limit::Limit;
use crate::telemetry::metrics::Metrics;

/// Reads one of the edge's counters.
type ReadEdge = fn(&gateway::Counters) -> &AtomicU64;

/// The edge's counters: name, help, and which.
const EDGE: [(&str, &str, ReadEdge); 11] = [
    ("tcp_accepted", "TCP connections taken", |c| &c.accepted),
    ("tcp_dropped", "TCP connections dropped because the node is full", |c| &c.dropped),
    ("sockets_opened", "WebSockets opened", |c| &c.opened),
    ("handshakes_refused", "Handshakes refused: origin, subprotocol, rate, number", |c| {
        &c.turned_away
    }),
    ("messages_in", "Messages from clients", |c| &c.messages_in),
    ("messages_out", "Messages to clients", |c| &c.messages_out),
    ("input_frames", "Input frames taken into a batch", |c| &c.input_frames),
    ("input_commands", "Input commands that the beat sent", |c| &c.input_commands),
    ("room_frames", "Room frames sent", |c| &c.room_frames),
    ("room_frames_held_back", "Room frames after which a slow socket was given more time", |c| {
        &c.held_back
    }),
    ("sockets_lost", "WebSockets whose peer went away without a close of ours", |c| &c.lost),
];

/// Shows the edge's own counters among the node's metrics.
pub(super) fn watch_edge(metrics: &Metrics, edge: &gateway::Handle) {
    let open = edge.clone();
    metrics.gauge("sockets", "WebSockets open now", move || open.connections_len() as u64);
    let busy = edge.clone();
    let help = "How busy this node's workers are, in thousandths: the beat and frames go by it";
    metrics.gauge("edge_busy", help, move || u64::from(busy.busy()));
    for (name, help, read) in EDGE {
        let edge = edge.clone();
        metrics.counter(name, help, move || read(edge.counters()).load(Ordering::Relaxed));
    }
    let closed = edge.clone();
    metrics.counters("sockets_closed", "WebSockets that the edge closed", "code", move || {
        let count = |code: &CloseCode| (code.code().to_string(), closed.counters().closed(*code));
        CloseCode::ALL.iter().map(count).collect()
    });
    let refused = edge.clone();
    metrics.counters("messages_refused", "Messages that the edge refused", "code", move || {
        let count = |code: &ErrorCode| (code.to_string(), refused.counters().refused(*code));
        ErrorCode::ALL.iter().map(count).collect()
    });
    let limited = edge.clone();
    metrics.counters("limited", "What the edge refused for a limit", "limit", move || {
        let count = |limit: &Limit| (limit.as_str().to_owned(), limited.counters().limited(*limit));
        Limit::ALL.iter().map(count).collect()
    });
    let http = edge.clone();
    metrics.counters("http_refused", "Answers by HTTP from 400 on", "status", move || {
        let refused = http.counters().http_refused();
        refused.map(|(status, count)| (status.to_string(), count)).collect()
    });
}

/// Shows how this node stands with its store and with the other nodes.
pub(super) fn watch_standing(
    metrics: &Metrics,
    standing: watch::Receiver<gateway::Standing>,
    shared: Option<&Shared>,
) {
    metrics.gauge("store_stalled", "1 while the store takes no appends", move || {
        u64::from(matches!(*standing.borrow(), gateway::Standing::Held(_)))
    });
    if let Some(shared) = shared {
        metrics.watch_fleet(&shared.handle);
    }
}
