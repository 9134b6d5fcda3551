//! Two results, held against each other: what became better, what worse, and whether they may be
//! compared at all. Pure.
//!
//! Numbers are those of the held load. The bare echo is shown and not judged: it tells of the
//! machine, so that a comparison warns when it differs.

use crate::report::facts::Facts;
use crate::report::number::{NONE, bytes, date, decimal, fixed, plural, whole};
use crate::report::{aligned, rate};
use crate::result::{Role, RunResult, Verdict};
use crate::stats::{Count, Measure};

#[cfg(test)]
mod tests;

/// What is called the same unless said otherwise: 10 % more or less.
pub const TOLERANCE: f64 = 0.1;

/// What became of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Better by more than the tolerance.
    Better,
    /// Worse by more than the tolerance.
    Worse,
    /// Within the tolerance.
    Same,
    /// It is not to be judged, or is there in one of them only.
    Unjudged,
}

impl Change {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "WORSE",
            Self::Same => "same",
            Self::Unjudged => NONE,
        }
    }
}

/// Which way a number is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    Down,
    Up,
    Nowhere,
}

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Times a second.
    PerSecond,
    /// Microseconds of a core.
    CpuMicros,
    /// Bytes.
    Bytes,
    /// A number of things.
    Things,
}

impl Unit {
    fn say(self, number: Option<f64>) -> String {
        let Some(number) = number else { return NONE.to_owned() };
        match self {
            Self::Ms => format!("{} ms", decimal(number)),
            Self::PerSecond => format!("{} /s", rate(number)),
            Self::CpuMicros => format!("{} µs", decimal(number)),
            Self::Bytes => bytes(number),
            Self::Things => fixed(number, 0),
        }
    }
}

/// A number of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is, such as `input_ack p99`.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// In the first; `None`: it was not measured.
    pub a: Option<f64>,
    /// In the second.
    pub b: Option<f64>,
    /// How many times the first the second is; `None`: one is missing or the first is 0.
    pub ratio: Option<f64>,
    /// What became of it.
    pub change: Change,
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared, a line each.
    pub heads: [String; 2],
    /// Why the numbers may not be comparable, in sentences.
    pub warnings: Vec<String>,
    /// The numbers.
    pub rows: Vec<Row>,
    /// The share of more or less that is called the same.
    pub tolerance: f64,
}

/// Compares; `tolerance` is the share of more or less that is called the same.
#[must_use]
pub fn compare(a: &RunResult, b: &RunResult, tolerance: f64) -> Comparison {
    let (a, b) = (Facts::of(a), Facts::of(b));
    let mut rows = Vec::new();
    let mut add = |name: String, unit, aim, numbers: [Option<f64>; 2]| {
        if numbers.iter().any(Option::is_some) {
            rows.push(judge(name, unit, aim, numbers, tolerance));
        }
    };
    for measure in Measure::ALL {
        let aim = if measure == Measure::Echo { Aim::Nowhere } else { Aim::Down };
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let numbers = [&a, &b].map(|facts| facts.within_ms(measure, share));
            add(format!("{} {name}", measure.name()), Unit::Ms, aim, numbers);
        }
    }
    let rates = [
        ("inputs acknowledged", Count::InputsAcked),
        ("commands done", Count::CommandsDone),
        ("HTTP commands", Count::Calls),
        ("trades committed", Count::TradesCommitted),
    ];
    for (name, count) in rates {
        let numbers = or_zero([&a, &b].map(|facts| facts.rate(count)));
        add(name.to_owned(), Unit::PerSecond, Aim::Up, numbers);
    }
    let to_player = [&a, &b].map(bytes_to_player);
    add("bytes to a player, per second".to_owned(), Unit::Bytes, Aim::Down, to_player);
    let cpu = [&a, &b].map(Facts::micros_per_input);
    add("server CPU per input".to_owned(), Unit::CpuMicros, Aim::Down, cpu);
    for (name, role) in [("server memory", Role::Server), ("Redis memory", Role::Redis)] {
        let numbers = [&a, &b].map(|facts| facts.resident(role));
        add(name.to_owned(), Unit::Bytes, Aim::Down, numbers);
    }
    add("violations".to_owned(), Unit::Things, Aim::Down, [&a, &b].map(violations));
    let warnings = warnings(&a, &b, &rows);
    Comparison { heads: [head(a.result), head(b.result)], warnings, rows, tolerance }
}

/// What one did at all, the other did not at all.
fn or_zero(numbers: [Option<f64>; 2]) -> [Option<f64>; 2] {
    if numbers.iter().all(Option::is_none) {
        return numbers;
    }
    numbers.map(|number| number.or(Some(0.0)))
}

fn bytes_to_player(facts: &Facts<'_>) -> Option<f64> {
    let players = facts.connected_max()?;
    Some(facts.rate(Count::BytesIn)? / crate::report::number::real(players))
}

fn violations(facts: &Facts<'_>) -> Option<f64> {
    let checked = !facts.result.checks.is_empty() || !facts.result.violations.is_empty();
    checked.then(|| crate::report::number::real(facts.violations()))
}

fn judge(name: String, unit: Unit, aim: Aim, [a, b]: [Option<f64>; 2], tolerance: f64) -> Row {
    let ratio = a.zip(b).filter(|(a, _)| *a > 0.0).map(|(a, b)| b / a);
    let change = match (a.zip(b), aim) {
        (None, _) | (_, Aim::Nowhere) => Change::Unjudged,
        (Some((a, b)), _) if (b - a).abs() <= tolerance * a => Change::Same,
        (Some((a, b)), aim) => {
            if (b > a) == (aim == Aim::Up) {
                Change::Better
            } else {
                Change::Worse
            }
        }
    };
    Row { name, unit, a, b, ratio, change }
}

fn head(result: &RunResult) -> String {
    let RunResult { setup, machine, verdict, began_ms, .. } = result;
    let version =
        if machine.holdfast.is_empty() { NONE.to_owned() } else { machine.holdfast.clone() };
    format!(
        "{}, {} on {}, holdfast {version}, {} UTC: {}",
        setup.scenario,
        plural(setup.players, "player"),
        setup.store,
        date(*began_ms),
        verdict.name()
    )
}

/// Why the numbers may not be comparable.
fn warnings(a: &Facts<'_>, b: &Facts<'_>, rows: &[Row]) -> Vec<String> {
    let mut all = Vec::new();
    for (which, facts) in [("A", a), ("B", b)] {
        if !facts.result.complete {
            all.push(format!("{which} was cut off; only what was known is compared"));
        } else if facts.result.verdict == Verdict::Void {
            all.push(format!("{which} is void: {}", facts.result.reasons.join("; ")));
        }
        if let Some(why) = &facts.unreadable {
            all.push(format!("of {which}, measurements are missing: {why}"));
        }
    }
    let (one, other) = (differences(a.result), differences(b.result));
    for ((what, a), (_, b)) in one.into_iter().zip(other) {
        if a != b {
            all.push(format!("{what} differ: {a} in A, {b} in B"));
        }
    }
    for row in rows {
        match (row.a, row.b, row.ratio) {
            (Some(_), None, _) => all.push(format!("{}: measured in A only", row.name)),
            (None, Some(_), _) => all.push(format!("{}: measured in B only", row.name)),
            (_, _, Some(ratio)) if row.name.starts_with("echo p50") && !near(ratio) => {
                all.push(format!(
                    "the bare echo took {} times as long in B: the machines were not equally free",
                    fixed(ratio, 2)
                ));
            }
            _ => {}
        }
    }
    all
}

fn near(ratio: f64) -> bool {
    (ratio - 1.0).abs() <= TOLERANCE
}

/// What has to be equal in both.
fn differences(result: &RunResult) -> [(&'static str, String); 9] {
    let RunResult { setup, machine, .. } = result;
    let or_none = |text: &str| if text.is_empty() { NONE.to_owned() } else { text.to_owned() };
    [
        ("scenarios", or_none(&setup.scenario)),
        ("players", whole(setup.players)),
        ("stores", or_none(&setup.store)),
        ("numbers of servers", whole(setup.urls.len() as u64)),
        ("milliseconds of ramp", whole(setup.ramp_ms)),
        ("milliseconds of hold", whole(setup.hold_ms)),
        ("raised limits", or_none(&setup.raised.join(", "))),
        ("numbers of cores", whole(machine.cores)),
        ("processors", or_none(&machine.cpu)),
    ]
}

impl Comparison {
    /// Whether anything is worse by more than the tolerance.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.count(Change::Worse) > 0
    }

    fn count(&self, change: Change) -> usize {
        self.rows.iter().filter(|row| row.change == change).count()
    }

    /// The table for a terminal, without the end of its last line.
    #[must_use]
    pub fn text(&self) -> String {
        let [a, b] = &self.heads;
        let mut lines = vec![format!("A: {a}"), format!("B: {b}")];
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.push(String::new());
        let mut cells = vec![["", "A", "B", "B/A", ""].map(String::from)];
        for Row { name, unit, a, b, ratio, change } in &self.rows {
            let ratio = ratio.map_or_else(|| NONE.to_owned(), |ratio| fixed(ratio, 2));
            cells.push([name.clone(), unit.say(*a), unit.say(*b), ratio, change.name().to_owned()]);
        }
        lines.extend(aligned(&cells));
        lines.push(String::new());
        lines.push(format!(
            "{} worse, {} better, {} the same within {} %",
            self.count(Change::Worse),
            self.count(Change::Better),
            self.count(Change::Same),
            fixed(100.0 * self.tolerance, 0)
        ));
        lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
    }
}
