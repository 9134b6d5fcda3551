//! What a run's numbers are, and whether they are what its scenario asked for. Pure.

use crate::result::{Check, Judged, Process, Role, RunResult, Sample, Verdict};
use crate::scenario::Scenario;
use crate::scenario::threshold::{Name, Statistic};
use crate::stats::{Count, Measure, Stats};

/// The harness may be late in so many of its sends.
pub const LATE_SHARE_MAX: f64 = 0.01;

/// What is judged: the numbers of the hold, and of the whole run.
#[derive(Debug, Clone, Copy)]
pub struct Numbers<'a> {
    /// While all played.
    pub held: &'a Stats,
    /// From beginning to end.
    pub all: &'a Stats,
    /// How long the hold was, in seconds.
    pub held_s: f64,
    /// Players in all.
    pub players: f64,
    /// Steps that the servers dropped.
    pub dropped: u64,
    /// Commands and steps without an outcome.
    pub unacknowledged: u64,
    /// Players who could not come back.
    pub lost: u64,
    /// What was compared.
    pub checks: &'a [Check],
    /// Processes, looked at.
    pub processes: &'a [Process],
    /// The hold's beginning and end, in milliseconds after the run's.
    pub hold_ms: (u64, u64),
    /// Whether a harness that is late makes the run void.
    pub late_is_void: bool,
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run, far below 2^52")]
const fn float(count: u64) -> f64 {
    count as f64
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

impl Numbers<'_> {
    /// A time's statistic, in milliseconds; of the echo and of what is rare, over the whole run.
    fn time(&self, measure: Measure, statistic: Statistic) -> Option<f64> {
        let rare = matches!(
            measure,
            Measure::Echo | Measure::Connect | Measure::Hello | Measure::Resume | Measure::Recovery
        );
        let times = if rare { self.all } else { self.held }.times(measure)?;
        Some(match statistic {
            Statistic::Count => float(times.len()),
            Statistic::Mean => times.mean() / 1e3,
            Statistic::Max => float(times.max()) / 1e3,
            Statistic::Quantile(share) => float(times.value_at_quantile(share)) / 1e3,
        })
    }

    fn held(&self, count: Count) -> f64 {
        float(self.held.counted(count))
    }

    fn samples(&self) -> impl Iterator<Item = (Role, Sample)> {
        let (from, to) = self.hold_ms;
        self.processes.iter().flat_map(move |process| {
            let held = process.samples.iter().filter(move |s| (from..=to).contains(&s.at_ms));
            held.map(|sample| (Role::of(&process.name), *sample))
        })
    }

    /// Core seconds of the servers during the hold; `None`: none was looked at.
    fn core_s(&self) -> Option<f64> {
        let servers = |(role, _): &_| matches!(role, Role::Server | Role::Redis);
        let mut looks = self.samples().filter(servers).peekable();
        looks.peek()?;
        // A look counts for the second before it.
        Some(looks.map(|(_, sample)| sample.cores).sum())
    }

    /// The most that the gateways' memory came to in one second.
    fn resident(&self) -> Option<f64> {
        let mut seconds = std::collections::BTreeMap::<u64, u64>::new();
        for (_, sample) in self.samples().filter(|(role, _)| *role == Role::Server) {
            *seconds.entry(sample.at_ms / 1_000).or_default() += sample.resident;
        }
        seconds.into_values().max().map(float)
    }

    /// Broken promises.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.checks.iter().map(|check| check.violations).sum()
    }

    /// A reading by name.
    #[must_use]
    pub fn read(&self, name: &Name) -> Option<f64> {
        let number = match name {
            Name::Time(measure, statistic) => return self.time(*measure, *statistic),
            Name::Number(number) => *number,
        };
        let acked = (self.held(Count::InputsAcked) - float(self.dropped)).max(0.0);
        let all = |count| float(self.all.counted(count));
        match number {
            "violations" => Some(float(self.violations())),
            "unacknowledged" => Some(float(self.unacknowledged)),
            "lost_players" => Some(float(self.lost)),
            "late_share" => ratio(self.held(Count::LateSends), self.held(Count::Sends)),
            "inputs_acked_share" => {
                let acked = (all(Count::InputsAcked) - float(self.dropped)).max(0.0);
                ratio(acked, all(Count::Inputs))
            }
            "inputs_per_s" => ratio(acked, self.held_s),
            "commands_per_s" => {
                ratio(self.held(Count::CommandsDone) + self.held(Count::Calls), self.held_s)
            }
            "trades_committed" => Some(all(Count::TradesCommitted)),
            "trades_cancelled" => Some(all(Count::TradesCancelled)),
            "trades_expired" => Some(all(Count::TradesExpired)),
            "trades_per_s" => ratio(self.held(Count::TradesCommitted), self.held_s),
            "escrow_left" => {
                let check = self.checks.iter().find(|check| check.name == "escrow")?;
                Some(float(check.violations))
            }
            "in_bits_per_player" => {
                ratio(self.held(Count::BytesIn) * 8.0, self.held_s * self.players)
            }
            "out_bits_per_player" => {
                ratio(self.held(Count::BytesOut) * 8.0, self.held_s * self.players)
            }
            "server_cores" => ratio(self.core_s()?, self.held_s),
            "server_cpu_per_input_us" => ratio(self.core_s()? * 1e6, acked),
            "resident_per_player" => ratio(self.resident()?, self.players),
            "closed" => Some(all(Count::Losses)),
            _ => None,
        }
    }

    /// Judges all thresholds.
    #[must_use]
    pub fn judge(&self, scenario: &Scenario) -> Vec<Judged> {
        let one = |threshold: &crate::scenario::threshold::Threshold| {
            let reading = threshold.read(|name| self.read(name));
            Judged {
                text: threshold.text.clone(),
                measured: reading.left,
                allowed: reading.right,
                unit: threshold.unit().to_owned(),
                met: reading.met,
            }
        };
        scenario.thresholds.iter().map(one).collect()
    }

    /// What share of the sends was late, where it is too large.
    #[must_use]
    pub fn too_late(&self) -> Option<f64> {
        let share = ratio(self.held(Count::LateSends), self.held(Count::Sends));
        share.filter(|share| *share > LATE_SHARE_MAX)
    }

    /// What makes the run say nothing, in sentences.
    #[must_use]
    pub fn void(&self) -> Vec<String> {
        let mut why = Vec::new();
        if let Some(share) = self.too_late().filter(|_| self.late_is_void) {
            why.push(format!(
                "the harness was late in {:.1} % of its sends, more than {} %: this machine can't \
                 play so many players beside the servers; say fewer --players",
                share * 100.0,
                LATE_SHARE_MAX * 100.0
            ));
        }
        if self.held.counted(Count::Sends) == 0 {
            why.push("nothing was sent while the load was to be held".to_owned());
        }
        why
    }
}

/// What a run comes to, and why; `broken`: what kept it from its end.
pub fn conclude(result: &mut RunResult, numbers: &Numbers<'_>, broken: Option<String>) {
    let void = if broken.is_some() { Vec::new() } else { numbers.void() };
    let violated = numbers.violations();
    result.reasons.clear();
    if let Some(share) = numbers.too_late().filter(|_| !numbers.late_is_void) {
        let percent = share * 100.0;
        let what = "how long anything took: the harness was late in";
        result.unchecked.push(format!("{what} {percent:.1} % of its sends"));
    }
    if violated > 0 {
        let broken = result.checks.iter().filter(|check| check.violations > 0);
        let names: Vec<_> = broken.map(|c| format!("{} {}", c.violations, c.name)).collect();
        let who =
            result.violations.first().map(|one| format!("; first: {}: {}", one.player, one.what));
        let who = who.unwrap_or_default();
        result.reasons.push(format!("promises were broken: {}{who}", names.join(", ")));
    }
    let is_void = broken.is_some() || !void.is_empty();
    result.reasons.extend(broken.into_iter().chain(void));
    let missed = result.thresholds.iter().filter(|judged| !judged.met).count();
    // Of a run that says nothing, what was missed says nothing either.
    for judged in result.thresholds.iter().filter(|judged| !judged.met && !is_void) {
        let show = |side: Option<f64>| {
            side.map_or("not measured".to_owned(), |n| format!("{n:.3} {}", judged.unit))
        };
        let (measured, allowed) = (show(judged.measured), show(judged.allowed));
        let (measured, allowed) = (measured.trim(), allowed.trim());
        let text = &judged.text;
        result.reasons.push(format!("missed: {text} (it is {measured}, allowed {allowed})"));
    }
    result.verdict = match (violated, is_void, missed) {
        (1.., ..) => Verdict::Violated,
        (0, true, _) => Verdict::Void,
        (0, false, 1..) => Verdict::Missed,
        (0, false, 0) => Verdict::Met,
    };
}

#[cfg(test)]
#[path = "judge/tests.rs"]
mod tests;
