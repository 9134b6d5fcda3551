//! The findings of all parts, printed at the end.

use std::fmt::Write as _;

use super::growth;
use super::stage::{Measured, middle};
use super::support::{Outcome, verdict};

/// The lines of the final tables.
#[derive(Default)]
pub struct Table {
    goals: String,
    costs: String,
    growth: String,
    faults: usize,
}

/// A bound that a finding is held against.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// The finding is to be no less.
    Least(f64),
    /// The finding is to be no more.
    Most(f64),
    /// Only said.
    Open,
}

impl Goal {
    fn words(self, found: f64, unit: &str) -> (String, &'static str) {
        match self {
            Self::Least(bound) => (format!("at least {bound}{unit}"), verdict(found >= bound)),
            Self::Most(bound) => (format!("at most {bound}{unit}"), verdict(found <= bound)),
            Self::Open => (String::new(), ""),
        }
    }
}

impl Table {
    /// A finding of several rounds: the middle one counts, the least and the most are shown.
    pub fn find(&mut self, what: &str, rounds: &[f64], unit: &str, goal: Goal) {
        let found = middle(rounds);
        let least = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (goal, met) = goal.words(found, unit);
        let _ = writeln!(
            self.goals,
            "| {what} | {found:.2}{unit} ({least:.2} to {most:.2}) | {goal} | {met} |"
        );
    }

    /// Something that is said and not held against a bound.
    pub fn note(&mut self, what: &str, found: &str) {
        let _ = writeln!(self.goals, "| {what} | {found} | | |");
    }

    /// Something that must not be: the program fails in the end.
    pub fn fault(&mut self, what: &str, found: &str) {
        let _ = writeln!(self.goals, "| {what} | {found} | none | {} |", verdict(false));
        self.faults += 1;
    }

    /// What a frame, a command or a round trip cost, by the middle of several rounds.
    pub fn cost(&mut self, what: &str, rounds: &[Measured]) {
        let of = |read: fn(&Measured) -> f64| middle(&rounds.iter().map(read).collect::<Vec<_>>());
        let _ = writeln!(
            self.costs,
            "| {what} | {:.0} | {:.1} | {:.1} | {:.2} | {:.1} | {:.1} |",
            of(|one| one.report.pace()),
            of(Measured::server_each),
            of(Measured::redis_each),
            of(|one| one.driver),
            of(|one| one.report.within_ms(0.5)),
            of(|one| one.report.within_ms(0.99)),
        );
    }

    /// What one number of players cost on one store: a line of cells.
    pub fn grow(&mut self, cells: &[String]) {
        let _ = writeln!(self.growth, "| {} |", cells.join(" | "));
    }

    /// Prints all.
    ///
    /// # Errors
    /// There were faults.
    pub fn print(&self) -> Outcome<()> {
        println!("\n| what | measured (least to most by round) | goal | |\n|---|---|---|---|");
        print!("{}", self.goals);
        if !self.costs.is_empty() {
            println!(
                "\n| each: input frame, command, or the echo's round trip | a second \
                 | server CPU µs | Redis CPU µs | driver, cores | p50 ms | p99 ms |\n\
                 |---|---|---|---|---|---|---|"
            );
            print!("{}", self.costs);
        }
        if !self.growth.is_empty() {
            print!("\n{}{}", growth::head(), self.growth);
        }
        match self.faults {
            0 => Ok(()),
            faults => Err(format!("{faults} findings must not be: see the table").into()),
        }
    }
}
