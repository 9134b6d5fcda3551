//! The charts of a result: what happened second by second, and how the times are spread. Pure.
//!
//! A long run has more seconds than a chart has pixels: some are put together then, with the
//! worst of them kept of times and the mean of everything else.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::axis::{Scale, nines, nines_of, percentile_ticks, share_at, time_ticks};
use super::chart::{Along, Band, Chart, Flag, Line, Stroke};
use super::facts::Facts;
use super::number::{byte_unit, fixed, real, span};
use crate::result::{Process, Quantiles, Sample, Second};
use crate::stats::{Count, Measure};

/// Places along a chart, at most.
const PLACES_MAX: u64 = 600;
/// Places between one nine and the next.
const PER_NINE: u32 = 24;
/// Nines that the chart of percentiles shows, at most: 99.99 %.
const NINES_MAX: f64 = 4.0;
/// Colours of processes.
const INKS: [&str; 8] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];

/// The colour of a measure, the same in all charts.
#[must_use]
pub const fn ink(measure: Measure) -> &'static str {
    match measure {
        Measure::InputAck => "c1",
        Measure::Command => "c2",
        Measure::Seen => "c3",
        Measure::Call => "c4",
        Measure::Resume => "c5",
        Measure::Recovery => "c6",
        Measure::FrameInterval => "c7",
        Measure::FrameJitter => "c8",
        Measure::Connect => "c9",
        Measure::Hello => "c10",
        Measure::Dealing => "c11",
        Measure::Accept => "c12",
        Measure::AcceptSeen => "c13",
        Measure::Traded => "c14",
        Measure::Echo => "echo",
    }
}

/// How the numbers of several seconds become one.
#[derive(Clone, Copy)]
enum Fold {
    Mean,
    Worst,
}

/// The seconds of a run, as many as a chart shows.
struct Grid {
    end_s: f64,
    /// Seconds of a place.
    step: u64,
    len: u64,
}

impl Grid {
    fn of(facts: &Facts<'_>) -> Self {
        let end_s = facts.span_s();
        let seconds = (end_s.ceil() as u64).clamp(1, 100 * 366 * 86_400);
        let step = seconds.div_ceil(PLACES_MAX);
        Self { end_s, step, len: seconds.div_ceil(step) }
    }

    /// A line's numbers, from numbers at milliseconds.
    fn line(&self, numbers: impl Iterator<Item = (u64, f64)>, fold: Fold) -> Vec<Option<f64>> {
        let mut by_place: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for (at_ms, number) in numbers.filter(|(_, number)| number.is_finite()) {
            let (sum, count) = by_place.entry(self.place(at_ms)).or_insert((0.0, 0.0));
            *sum = match fold {
                Fold::Mean => *sum + number,
                Fold::Worst => sum.max(number),
            };
            *count += 1.0;
        }
        let number = |place| {
            let (sum, count) = by_place.get(&place)?;
            Some(match fold {
                Fold::Mean => sum / count,
                Fold::Worst => *sum,
            })
        };
        (0..self.len).map(number).collect()
    }

    /// Where a second that ended then belongs.
    fn place(&self, end_ms: u64) -> u64 {
        let second = end_ms.saturating_add(500) / 1_000;
        (second.saturating_sub(1) / self.step).min(self.len - 1)
    }

    fn places(&self) -> Vec<(f64, String)> {
        let end = |place: u64| real((place + 1) * self.step).min(self.end_s.max(1.0));
        (0..self.len).map(|place| (end(place), span(end(place)))).collect()
    }
}

/// What is shaded and marked along the time.
fn along(facts: &Facts<'_>) -> Along {
    let end = facts.span_s();
    let seconds = |ms: u64| real(ms) / 1_000.0;
    let phases = &facts.result.phases;
    let ends = phases.iter().skip(1).map(|next| seconds(next.at_ms)).chain([end]);
    let bands = phases.iter().zip(ends).map(|(phase, to)| Band {
        from: seconds(phase.at_ms),
        to,
        name: phase.what.clone(),
        main: phase.what.starts_with("hold"),
    });
    let flags = facts.result.chaos.iter();
    let flags = flags.map(|mark| Flag { at: seconds(mark.at_ms), what: mark.what.clone() });
    Along { end, ticks: time_ticks(end), bands: bands.collect(), flags: flags.collect() }
}

/// The charts along the time, those that show something.
#[must_use]
pub fn over_time(facts: &Facts<'_>) -> Vec<Chart> {
    let grid = Grid::of(facts);
    let (places, along) = (grid.places(), along(facts));
    let chart = |title, unit: &str, scale, lines| Chart {
        title,
        unit: unit.to_owned(),
        along: along.clone(),
        places: places.clone(),
        lines,
        scale,
        height: 180.0,
    };
    let seconds = &facts.result.seconds;
    let (memory_unit, memory_name) = memory_unit(&facts.result.processes);
    let cores = |sample: &Sample| sample.cores;
    let memory = |sample: &Sample| real(sample.resident) / memory_unit;
    let inputs = [(Count::Inputs, "sent", "c2"), (Count::InputsAcked, "acknowledged", "c1")];
    let trades = [
        (Count::TradesCommitted, "committed", "c3"),
        (Count::TradesCancelled, "cancelled", "c2"),
        (Count::TradesExpired, "expired", "c6"),
    ];
    let losses = [
        (Count::Losses, "sockets lost", "c6"),
        (Count::Drops, "dropped by players", "c2"),
        (Count::Resumes, "resumed", "c3"),
        (Count::Resyncs, "resumed from state", "c4"),
        (Count::Hellos, "begun anew", "c8"),
    ];
    let charts = [
        chart("Players connected", "", Scale::Whole, connected(&grid, seconds)),
        chart("Inputs", "per second", Scale::Whole, counted(&grid, seconds, &inputs)),
        chart("Trades", "per second", Scale::Whole, counted(&grid, seconds, &trades)),
        chart("Latencies", "ms", Scale::Auto, latencies(&grid, seconds)),
        chart("Connections", "per second", Scale::Whole, counted(&grid, seconds, &losses)),
        chart("CPU", "cores", Scale::Linear, processes(&grid, facts, cores)),
        chart("Resident memory", memory_name, Scale::Linear, processes(&grid, facts, memory)),
    ];
    charts.into_iter().filter(|chart| !chart.is_empty()).collect()
}

/// The time that a place of those charts spans, in seconds.
#[must_use]
pub fn step_s(facts: &Facts<'_>) -> u64 {
    Grid::of(facts).step
}

fn connected(grid: &Grid, seconds: &[Second]) -> Vec<Line> {
    let numbers = seconds.iter().map(|second| (second.at_ms, real(second.connected)));
    let (name, numbers) = ("players connected".to_owned(), grid.line(numbers, Fold::Mean));
    vec![Line { name, ink: "c1", stroke: Stroke::Area, numbers }]
}

/// Lines of those counts of which there is any.
fn counted(grid: &Grid, seconds: &[Second], counts: &[(Count, &str, &'static str)]) -> Vec<Line> {
    let any = |count: &Count| {
        seconds.iter().any(|second| second.counts.get(count).is_some_and(|count| *count > 0))
    };
    let line = |(count, name, ink): &(Count, &str, &'static str)| {
        let counted = |second: &Second| second.counts.get(count).copied().unwrap_or(0);
        let numbers = seconds.iter().map(|second| (second.at_ms, real(counted(second))));
        let numbers = grid.line(numbers, Fold::Mean);
        Line { name: (*name).to_owned(), ink, stroke: Stroke::Solid, numbers }
    };
    counts.iter().filter(|(count, ..)| any(count)).map(line).collect()
}

fn latencies(grid: &Grid, seconds: &[Second]) -> Vec<Line> {
    let mut lines = Vec::new();
    let shown =
        [(Measure::InputAck, "input"), (Measure::Command, "command"), (Measure::Traded, "trade")];
    for (measure, name) in shown {
        for (share, stroke) in [("p99", Stroke::Solid), ("p50", Stroke::Dashed)] {
            let of = |times: &Quantiles| if share == "p99" { times.p99 } else { times.p50 };
            let times = seconds.iter().filter_map(|second| {
                let times = second.times.get(&measure).filter(|times| times.count > 0)?;
                Some((second.at_ms, of(times)))
            });
            let numbers = grid.line(times, Fold::Worst);
            if numbers.iter().any(Option::is_some) {
                let name = format!("{name} {share}");
                lines.push(Line { name, ink: ink(measure), stroke, numbers });
            }
        }
    }
    lines
}

fn memory_unit(processes: &[Process]) -> (f64, &'static str) {
    let samples = processes.iter().flat_map(|process| &process.samples);
    byte_unit(real(samples.map(|sample| sample.resident).max().unwrap_or(0)))
}

fn processes(grid: &Grid, facts: &Facts<'_>, of: impl Fn(&Sample) -> f64) -> Vec<Line> {
    let line = |(process, ink): (&Process, &&'static str)| {
        let numbers = process.samples.iter().map(|sample| (sample.at_ms, of(sample)));
        let numbers = grid.line(numbers, Fold::Mean);
        Line { name: process.name.clone(), ink, stroke: Stroke::Solid, numbers }
    };
    let seen = facts.result.processes.iter().filter(|process| !process.samples.is_empty());
    seen.zip(INKS.iter().cycle()).map(line).collect()
}

/// How the times of the window are spread, on an axis on which each nine has the same room;
/// `None`: there are none.
#[must_use]
pub fn percentiles(facts: &Facts<'_>) -> Option<Chart> {
    let times = |measure| facts.times(measure).filter(|times| !times.is_empty());
    let measured =
        || Measure::ALL.into_iter().filter_map(|measure| Some((measure, times(measure)?)));
    let most = measured().map(|(_, times)| times.len()).max()?;
    let end = nines_of(most, NINES_MAX).max(1.0);
    let step = 1.0 / f64::from(PER_NINE);
    let places: Vec<f64> = (0..=PER_NINE * 4)
        .map(|nth| f64::from(nth) * step)
        .take_while(|at| *at <= end + 1e-6)
        .collect();
    let line = |(measure, times): (Measure, &Histogram<u64>)| {
        let known = nines_of(times.len(), NINES_MAX) + step;
        let at = |nines: &f64| {
            let micros = times.value_at_quantile(share_at(*nines));
            (*nines <= known).then(|| real(micros) / 1_000.0)
        };
        let stroke = if measure == Measure::Echo { Stroke::Dashed } else { Stroke::Solid };
        let name = measure.title().to_owned();
        Line { name, ink: ink(measure), stroke, numbers: places.iter().map(at).collect() }
    };
    Some(Chart {
        title: "Within how many milliseconds",
        unit: "ms".to_owned(),
        along: Along { end, ticks: percentile_ticks(end), ..Along::default() },
        places: places.iter().map(|at| (*at, percentile(share_at(*at)))).collect(),
        lines: measured().map(line).collect(),
        scale: Scale::Log,
        height: 300.0,
    })
}

/// A share with as many places as tell it from 100 %.
fn percentile(share: f64) -> String {
    let places = match nines(share) {
        near if near < 1.0 => 0,
        near if near < 2.0 => 1,
        near if near < 3.0 => 2,
        _ => 3,
    };
    format!("{} % of the times", fixed(100.0 * share, places))
}
