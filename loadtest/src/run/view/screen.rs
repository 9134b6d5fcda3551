//! The live screen of a run, on a terminal: how far it is, rates and percentiles of the last
//! second with their course, connections, refusals, and what was done to the servers.

use std::collections::VecDeque;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{View, clock};
use crate::result::Second;
use crate::run::Options;
use crate::run::meter::Meter;
use crate::stats::{Count, Measure};

/// Seconds that a course shows.
const COURSE_LEN: usize = 30;
/// Marks that stay on the screen.
const MARKS_LEN: usize = 4;
const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A rate, its time, and their names; the rate may be that of the time itself.
const ROWS: [(&str, Option<Count>, Measure); 7] = [
    ("inputs", Some(Count::InputsAcked), Measure::InputAck),
    ("commands", Some(Count::CommandsDone), Measure::Command),
    ("calls", Some(Count::Calls), Measure::Call),
    ("seen", None, Measure::Seen),
    ("trades", Some(Count::TradesCommitted), Measure::Traded),
    ("accepts", None, Measure::Accept),
    ("told", None, Measure::AcceptSeen),
];
/// Rows from this one on are of trades, and stay empty where there are none.
const TRADES_FROM: usize = 4;

/// See the module.
#[derive(Debug)]
pub struct Screen {
    all: MultiProgress,
    head: ProgressBar,
    people: ProgressBar,
    rows: Vec<(ProgressBar, VecDeque<u64>)>,
    trouble: ProgressBar,
    chaos: ProgressBar,
    marks: VecDeque<String>,
    phase: String,
    phase_at: Duration,
    players: u64,
    ramp: Duration,
    hold: Duration,
    echo: Duration,
}

fn line(all: &MultiProgress, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─");
    let bar = all.add(ProgressBar::new(1).with_style(style));
    bar.tick();
    bar
}

impl Screen {
    /// An empty one, on standard error.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let scenario = &options.scenario;
        let head = line(&all, "{prefix:.bold} {msg:<8} {bar:30.cyan} {pos}/{len} s");
        head.set_prefix(scenario.name.clone());
        // From top to bottom in this order.
        let people = line(&all, "  {msg}");
        let rows = ROWS.iter().map(|_| (line(&all, "  {msg}"), VecDeque::new())).collect();
        Self {
            people,
            trouble: line(&all, "  {msg:.yellow}"),
            chaos: line(&all, "  {msg:.red}"),
            all,
            head,
            rows,
            marks: VecDeque::new(),
            phase: String::new(),
            phase_at: Duration::ZERO,
            players: scenario.players.into(),
            ramp: scenario.ramp,
            hold: scenario.hold,
            echo: scenario.echo,
        }
    }

    /// How long the phase is meant to be; zero: it is as long as it takes.
    fn meant(&self) -> Duration {
        match self.phase.as_str() {
            "echo" => self.echo,
            "ramp" => self.ramp,
            "hold" => self.hold,
            _ => Duration::ZERO,
        }
    }

    fn pass(&self, at: Duration) {
        let (passed, meant) = (at.saturating_sub(self.phase_at).as_secs(), self.meant().as_secs());
        self.head.set_length(meant.max(passed));
        self.head.set_position(passed);
    }
}

impl View for Screen {
    fn phase(&mut self, what: &str, at: Duration) {
        what.clone_into(&mut self.phase);
        self.phase_at = at;
        self.head.set_message(what.to_owned());
        self.pass(at);
    }

    fn second(&mut self, second: &Second, meter: &Meter, at: Duration) {
        self.pass(at);
        let count = |count| second.counts.get(&count).copied().unwrap_or(0);
        let cores: f64 =
            meter.processes().iter().filter_map(|one| one.samples.last()).map(|s| s.cores).sum();
        self.people.set_message(format!(
            "{:>6} of {} connected, {cores:.2} cores in use",
            second.connected, self.players
        ));
        let rows = self.rows.iter_mut().zip(ROWS).enumerate();
        for (nth, ((bar, course), (name, number, measure))) in rows {
            if course.len() == COURSE_LEN {
                course.pop_front();
            }
            let times = second.times.get(&measure);
            let rate = number.map_or(times.map_or(0, |times| times.count), count);
            course.push_back(rate);
            if nth >= TRADES_FROM && course.iter().all(|rate| *rate == 0) {
                bar.set_message(String::new());
                continue;
            }
            let times = times.map_or(String::new(), |times| {
                format!("p50 {:>7.1}  p99 {:>7.1} ms", times.p50, times.p99)
            });
            bar.set_message(format!("{name:<9}{rate:>8}/s  {times:<29} {}", sparks(course)));
        }
        let (lost, late) = (count(Count::Losses), count(Count::LateSends));
        let (off, expired) = (count(Count::TradesCancelled), count(Count::TradesExpired));
        let refused = count(Count::InputsRefused) + count(Count::CommandsRefused);
        self.trouble.set_message(if lost + late + refused + off + expired > 0 {
            let trades = match off + expired {
                0 => String::new(),
                _ => format!(", trades: {off} cancelled, {expired} expired"),
            };
            format!("{lost} connections lost, {refused} refused, {late} sent late{trades}")
        } else {
            String::new()
        });
    }

    fn mark(&mut self, what: &str, at: Duration) {
        if self.marks.len() == MARKS_LEN {
            self.marks.pop_front();
        }
        self.marks.push_back(format!("{} {what}", clock(at)));
        self.chaos.set_message(Vec::from(self.marks.clone()).join("  ·  "));
    }

    fn remark(&mut self, what: &str) {
        let _ = self.all.println(format!("note: {what}"));
    }

    fn checked(&mut self, done: u64, of: u64) {
        self.people.set_message(format!("{done:>6} of {of} players verified"));
    }

    fn end(&mut self) {
        let _ = self.all.clear();
    }
}

/// The course of a rate, from nothing to its highest.
fn sparks(course: &VecDeque<u64>) -> String {
    let most = course.iter().copied().max().unwrap_or(0).max(1);
    let eighth = |rate: &u64| {
        let place = usize::try_from(rate * 7 / most).unwrap_or(0);
        EIGHTHS.get(place).copied().unwrap_or(' ')
    };
    course.iter().map(eighth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_goes_from_nothing_to_its_highest() {
        assert_eq!(sparks(&VecDeque::from([0, 4, 7, 14])), "▁▃▄█");
        assert_eq!(sparks(&VecDeque::from([0, 0])), "▁▁");
    }
}
