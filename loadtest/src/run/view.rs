//! Who is told how far a run is: a line every few seconds here, a live screen in [`screen`].

pub mod screen;

use std::io::{self, Write as _};
use std::time::Duration;

use super::meter::Meter;
use crate::result::Second;
use crate::span;
use crate::stats::{Count, Measure};

/// How often a line is written.
const LINE_EVERY: u64 = 5;

/// See the module. Nothing of it can fail: who does not look is no reason to stop.
pub trait View {
    /// A phase began, so long after the run.
    fn phase(&mut self, what: &str, at: Duration);
    /// A second has passed.
    fn second(&mut self, second: &Second, meter: &Meter, at: Duration);
    /// Something was done to the servers.
    fn mark(&mut self, what: &str, at: Duration);
    /// Something worth knowing.
    fn remark(&mut self, what: &str);
    /// So many of so many players are compared.
    fn checked(&mut self, done: u64, of: u64);
    /// The run has ended; what is shown makes room for its summary.
    fn end(&mut self) {}
}

/// Lines on standard error.
#[derive(Debug, Default)]
pub struct Lines {
    seconds: u64,
    phase: String,
}

/// Whole seconds, for people.
pub(super) fn clock(at: Duration) -> String {
    span::show(Duration::from_secs(at.as_secs()))
}

fn write(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

impl View for Lines {
    fn phase(&mut self, what: &str, at: Duration) {
        what.clone_into(&mut self.phase);
        self.seconds = 0;
        write(&format!("[{:>5}] {what}", clock(at)));
    }

    fn second(&mut self, second: &Second, _meter: &Meter, at: Duration) {
        self.seconds += 1;
        if self.seconds.is_multiple_of(LINE_EVERY) {
            write(&format!("[{:>5}] {}: {}", clock(at), self.phase, line(second)));
        }
    }

    fn mark(&mut self, what: &str, at: Duration) {
        write(&format!("[{:>5}] chaos: {what}", clock(at)));
    }

    fn remark(&mut self, what: &str) {
        write(&format!("note: {what}"));
    }

    fn checked(&mut self, done: u64, of: u64) {
        if done.is_multiple_of((of / 10).max(50)) {
            write(&format!("        verified {done} of {of} players"));
        }
    }
}

/// A second in one line.
#[must_use]
pub fn line(second: &Second) -> String {
    let count = |count| second.counts.get(&count).copied().unwrap_or(0);
    let mut parts = vec![format!("{} connected", second.connected)];
    let mut rate = |what: &str, number: u64, measure: Measure| {
        if number > 0 {
            let times = second.times.get(&measure);
            let times = times.map(|t| format!(" (p50 {:.1} p99 {:.1} ms)", t.p50, t.p99));
            parts.push(format!("{number} {what}/s{}", times.unwrap_or_default()));
        }
    };
    rate("inputs", count(Count::InputsAcked), Measure::InputAck);
    rate("commands", count(Count::CommandsDone), Measure::Command);
    rate("calls", count(Count::Calls), Measure::Call);
    rate("trades", count(Count::TradesCommitted), Measure::Traded);
    let lost = count(Count::Losses);
    if lost > 0 {
        parts.push(format!("{lost} lost"));
    }
    parts.join(", ")
}
