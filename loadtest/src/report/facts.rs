//! What a result says in numbers that it does not hold as such: rates, cores, memory, and how
//! long its load was held. Pure.
//!
//! What was not measured is `None`, so that nobody shows a zero for it.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::number::real;
use crate::result::{Mark, Role, RunResult, Sample};
use crate::stats::{Count, Measure, Stats};

/// The phase during which all play.
const HOLD: &str = "hold";
/// Microseconds in a millisecond.
const MICROS: f64 = 1_000.0;

/// A result, unpacked.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What it is of.
    pub result: &'a RunResult,
    /// Measured and counted while the load was held.
    pub held: Stats,
    /// Of the whole run.
    pub all: Stats,
    /// Why measurements could not be read, if they could not: their numbers are missing.
    pub unreadable: Option<String>,
}

impl<'a> Facts<'a> {
    /// Unpacks.
    #[must_use]
    pub fn of(result: &'a RunResult) -> Self {
        let (held, all) = (result.held.unpack(), result.all.unpack());
        let unreadable = held.as_ref().err().or(all.as_ref().err()).cloned();
        Self { result, held: held.unwrap_or_default(), all: all.unwrap_or_default(), unreadable }
    }

    /// Seconds from the beginning to the last thing that is known.
    #[must_use]
    pub fn span_s(&self) -> f64 {
        let RunResult { seconds, phases, chaos, processes, .. } = self.result;
        let samples = processes.iter().flat_map(|process| process.samples.last());
        let marks = phases.iter().chain(chaos).map(|mark| mark.at_ms);
        let ends = seconds.iter().map(|second| second.at_ms).chain(marks);
        let last = ends.chain(samples.map(|sample| sample.at_ms)).max();
        real(last.unwrap_or(0)) / MICROS
    }

    /// The seconds between which the load was held; `None`: it never was.
    #[must_use]
    pub fn hold_s(&self) -> Option<(f64, f64)> {
        let phases = &self.result.phases;
        let nth = phases.iter().position(|phase| phase.what.starts_with(HOLD))?;
        let at = |mark: &Mark| real(mark.at_ms) / MICROS;
        let from = at(phases.get(nth)?);
        let to = phases.get(nth + 1).map_or_else(|| self.span_s(), at);
        (to > from).then_some((from, to))
    }

    /// Whether there is anything of the time during which the load was held.
    #[must_use]
    pub fn was_held(&self) -> bool {
        self.hold_s().is_some() && self.held != Stats::default()
    }

    /// What numbers are of: the held load, or everything where it never was.
    #[must_use]
    pub fn window(&self) -> &Stats {
        if self.was_held() { &self.held } else { &self.all }
    }

    /// The seconds that the window spans.
    #[must_use]
    pub fn window_s(&self) -> f64 {
        match self.hold_s() {
            Some((from, to)) if self.was_held() => to - from,
            _ => self.span_s(),
        }
    }

    /// How often a thing happened in a second of the window; `None`: it never did.
    #[must_use]
    pub fn rate(&self, count: Count) -> Option<f64> {
        let counted = self.window().counted(count);
        let seconds = self.window_s();
        (counted > 0 && seconds > 0.0).then(|| real(counted) / seconds)
    }

    /// The times of a measure: those of the window. The bare echo may have been measured before.
    #[must_use]
    pub fn times(&self, measure: Measure) -> Option<&Histogram<u64>> {
        let within = self.window().times(measure).filter(|times| !times.is_empty());
        match measure {
            Measure::Echo => within.or_else(|| self.all.times(measure)),
            _ => within,
        }
    }

    /// The milliseconds within which a share of a measure's times lies, in the window.
    #[must_use]
    pub fn within_ms(&self, measure: Measure, share: f64) -> Option<f64> {
        let times = self.times(measure).filter(|times| !times.is_empty())?;
        Some(real(times.value_at_quantile(share)) / MICROS)
    }

    /// The most players that were connected at once; `None`: none ever was.
    #[must_use]
    pub fn connected_max(&self) -> Option<u64> {
        let most = self.result.seconds.iter().map(|second| second.connected).max()?;
        (most > 0).then_some(most)
    }

    /// Cores that the processes of a role used on average in the window.
    #[must_use]
    pub fn cores(&self, role: Role) -> Option<f64> {
        let by_second = self.by_second(role, |sample| sample.cores);
        let cores: Vec<f64> = by_second.into_values().filter(|cores| cores.is_finite()).collect();
        (!cores.is_empty()).then(|| cores.iter().sum::<f64>() / real(cores.len() as u64))
    }

    /// The most memory, in bytes, that the processes of a role had resident at once in the window.
    #[must_use]
    pub fn resident(&self, role: Role) -> Option<f64> {
        self.by_second(role, |sample| real(sample.resident)).into_values().reduce(f64::max)
    }

    /// What the processes of a role come to together, by the second.
    fn by_second(&self, role: Role, of: impl Fn(&Sample) -> f64) -> BTreeMap<u64, f64> {
        let window = self.hold_s().filter(|_| self.was_held());
        let within = |sample: &&Sample| {
            let at = real(sample.at_ms) / MICROS;
            window.is_none_or(|(from, to)| (from..=to).contains(&at))
        };
        let processes = self.result.processes.iter().filter(|one| Role::of(&one.name) == role);
        let mut sums = BTreeMap::new();
        for sample in processes.flat_map(|process| &process.samples).filter(within) {
            *sums.entry(sample.at_ms.div_ceil(1_000)).or_insert(0.0) += of(sample);
        }
        sums
    }

    /// All violations that the checks counted, or that are shown.
    #[must_use]
    pub fn violations(&self) -> u64 {
        let counted: u64 = self.result.checks.iter().map(|check| check.violations).sum();
        counted.max(self.result.violations.len() as u64)
    }

    /// Microseconds of a core that the servers spend on an acknowledged input.
    #[must_use]
    pub fn micros_per_input(&self) -> Option<f64> {
        Some(self.cores(Role::Server)? * 1e6 / self.rate(Count::InputsAcked)?)
    }
}

/// What a count is, for readers of a report.
#[must_use]
pub const fn title(count: Count) -> &'static str {
    match count {
        Count::Sends => "messages due and sent",
        Count::LateSends => "of those, late by the harness",
        Count::Inputs => "inputs sent",
        Count::InputsAcked => "inputs acknowledged",
        Count::InputsRefused => "inputs refused",
        Count::InputsUnsent => "inputs due while cut off",
        Count::Commands => "commands sent",
        Count::CommandsDone => "commands done",
        Count::CommandsRefused => "commands refused",
        Count::CommandsHeld => "commands held back",
        Count::Repeats => "sent again after a resume",
        Count::Abuses => "abuse refused",
        Count::Calls => "HTTP commands answered",
        Count::TradesCommitted => "trades committed",
        Count::TradesCancelled => "trades cancelled",
        Count::TradesExpired => "trades expired",
        Count::Connects => "sockets opened",
        Count::ConnectsFailed => "sockets not opened",
        Count::Losses => "sockets lost",
        Count::Drops => "sockets dropped by players",
        Count::Resumes => "sessions resumed",
        Count::Resyncs => "sessions resumed from state",
        Count::Hellos => "sessions begun anew",
        Count::FramesIn => "frames to players",
        Count::BytesIn => "bytes to players",
        Count::FramesOut => "frames from players",
        Count::BytesOut => "bytes from players",
    }
}
