//! Runs that are met, missed, violated or void, and the numbers that thresholds read.

use std::time::Duration;

use super::*;
use crate::report::sample;
use crate::result::Violation;

const TOML: &str = "version = 1\nname = \"t\"\nplayers = 10\nramp = \"1s\"\nhold = \"10s\"\n\
                    bots = [{ kind = \"mover\" }]\n";

/// What a run of ten players over ten seconds measured: a hundred inputs a second.
struct Ran {
    held: Stats,
    all: Stats,
    checks: Vec<Check>,
    processes: Vec<Process>,
    dropped: u64,
    late_is_void: bool,
}

fn ran() -> Ran {
    let mut held = Stats::default();
    held.count(Count::Sends, 1_000);
    held.count(Count::LateSends, 10);
    held.count(Count::Inputs, 1_000);
    held.count(Count::InputsAcked, 1_000);
    held.count(Count::BytesIn, 12_500);
    for micros in 1..=1_000 {
        held.time(Measure::InputAck, Duration::from_micros(micros * 100));
    }
    let mut all = held.clone();
    all.count(Count::Inputs, 100);
    all.count(Count::InputsAcked, 100);
    all.time(Measure::Recovery, Duration::from_millis(70));
    let sample = |at_ms, cores| Sample { at_ms, cores, resident: 1_000_000 };
    let process = |name: &str, cores| Process {
        name: name.to_owned(),
        samples: (0..14).map(|second| sample(second * 1_000, cores)).collect(),
    };
    let processes = vec![process("gw-1", 0.5), process("redis", 0.25), process("loadtest-1", 0.9)];
    let checks = vec![Check { name: "lost".to_owned(), looked_at: 9, ..Check::default() }];
    Ran { held, all, checks, processes, dropped: 0, late_is_void: true }
}

impl Ran {
    fn numbers(&self) -> Numbers<'_> {
        Numbers {
            held: &self.held,
            all: &self.all,
            held_s: 10.0,
            players: 10.0,
            dropped: self.dropped,
            unacknowledged: 3,
            lost: 1,
            checks: &self.checks,
            processes: &self.processes,
            // The looks of ten of the fourteen seconds.
            hold_ms: (1_500, 11_500),
            late_is_void: self.late_is_void,
        }
    }

    fn read(&self, threshold: &str) -> Option<f64> {
        let scenario = Scenario::parse(&format!("{TOML}thresholds = [\"{threshold} >= 0\"]"));
        let judged = self.numbers().judge(&scenario.unwrap());
        judged.first().and_then(|one| one.measured)
    }

    /// Its verdict against a threshold.
    fn conclude(&self, threshold: &str, broken: Option<&str>) -> RunResult {
        let scenario = Scenario::parse(&format!("{TOML}thresholds = [\"{threshold}\"]")).unwrap();
        let mut result = sample::bare();
        let numbers = self.numbers();
        result.checks.clone_from(&self.checks);
        result.violations = vec![Violation {
            check: "lost".to_owned(),
            player: "p7".to_owned(),
            what: "command 3 is gone".to_owned(),
            history: Vec::new(),
        }];
        result.thresholds = numbers.judge(&scenario);
        conclude(&mut result, &numbers, broken.map(str::to_owned));
        result
    }
}

#[test]
fn thresholds_read_what_was_measured() {
    let ran = ran();
    let near = |threshold: &str, expected: f64| {
        let read = ran.read(threshold).unwrap_or(f64::NAN);
        assert!((read - expected).abs() <= expected * 2e-3 + 1e-9, "{threshold} is {read}");
    };
    near("input_ack.p50", 50.0);
    near("input_ack.max", 100.0);
    near("input_ack.count", 1_000.0);
    near("recovery.p99", 70.0);
    near("inputs_per_s", 100.0);
    near("inputs_acked_share", 1.0);
    near("late_share", 0.01);
    near("in_bits_per_player", 1_000.0);
    near("server_cores", 0.75);
    near("server_cpu_per_input_us", 7_500.0);
    near("resident_per_player", 100_000.0);
    near("unacknowledged", 3.0);
    near("lost_players", 1.0);
    assert_eq!(ran.read("echo.p99"), None);
    assert_eq!(ran.read("closed"), Some(0.0));
}

#[test]
fn dropped_steps_are_not_acknowledged() {
    let ran = Ran { dropped: 110, ..ran() };
    assert_eq!(ran.read("inputs_acked_share"), Some(0.9));
    assert_eq!(ran.read("inputs_per_s"), Some(89.0));
}

#[test]
fn a_run_is_met_or_missed_by_its_thresholds() {
    let met = ran().conclude("input_ack.p99 <= 100ms", None);
    assert_eq!((met.verdict, met.reasons.len()), (Verdict::Met, 0));
    let missed = ran().conclude("input_ack.p99 <= 90ms", None);
    assert_eq!((missed.verdict, missed.reasons.len()), (Verdict::Missed, 1));
    assert!(missed.reasons[0].contains("allowed 90.000 ms"), "{:?}", missed.reasons);
    // What was not measured is not met.
    assert_eq!(ran().conclude("echo.p99 <= 1h", None).verdict, Verdict::Missed);
}

#[test]
fn a_late_harness_says_nothing_of_the_servers() {
    let mut ran = ran();
    ran.held.count(Count::LateSends, 1);
    let void = ran.conclude("input_ack.p99 <= 90ms", None);
    assert_eq!((void.verdict, void.reasons.len()), (Verdict::Void, 1));
    assert!(void.reasons[0].contains("late in 1.1 % of its sends"), "{:?}", void.reasons);
}

#[test]
fn a_run_without_judged_times_stands_though_the_harness_is_late() {
    let mut ran = ran();
    ran.held.count(Count::LateSends, 500);
    ran.late_is_void = false;
    let met = ran.conclude("inputs_per_s >= 10", None);
    assert_eq!((met.verdict, met.unchecked.len()), (Verdict::Met, 1));
    assert!(met.unchecked[0].contains("the harness was late in 51.0 %"), "{:?}", met.unchecked);
    assert_eq!(ran.conclude("violations == 1", None).verdict, Verdict::Missed);
}

#[test]
fn trades_are_counted_and_those_that_stay_open_too() {
    let mut ran = ran();
    ran.held.count(Count::TradesCommitted, 40);
    ran.all.count(Count::TradesCommitted, 55);
    ran.all.count(Count::TradesExpired, 3);
    assert_eq!(ran.read("trades_per_s"), Some(4.0));
    assert_eq!(ran.read("trades_committed"), Some(55.0));
    assert_eq!((ran.read("trades_expired"), ran.read("trades_cancelled")), (Some(3.0), Some(0.0)));
    assert_eq!(ran.read("escrow_left"), None, "nobody has looked");
    let (name, looked_at, violations) = ("escrow".to_owned(), 9, 2);
    ran.checks.push(Check { name, looked_at, violations, ..Check::default() });
    assert_eq!(ran.read("escrow_left"), Some(2.0));
}

#[test]
fn what_kept_a_run_from_its_end_is_what_is_said() {
    let broken = ran().conclude("input_ack.p99 <= 90ms", Some("gw-1 has ended"));
    assert_eq!(
        (broken.verdict, broken.reasons),
        (Verdict::Void, vec!["gw-1 has ended".to_owned()])
    );
    let nothing = Ran { held: Stats::default(), ..ran() };
    let reasons = nothing.conclude("recovery.p99 <= 90ms", None).reasons;
    assert!(reasons[0].contains("nothing was sent"), "{reasons:?}");
}

#[test]
fn a_broken_promise_stands_whatever_else_is_so() {
    let mut ran = ran();
    ran.checks[0].violations = 2;
    ran.held.count(Count::LateSends, 500);
    let violated = ran.conclude("input_ack.p99 <= 90ms", Some("gw-1 has ended"));
    assert_eq!(violated.verdict, Verdict::Violated);
    let expected = "promises were broken: 2 lost; first: p7: command 3 is gone";
    assert_eq!(violated.reasons[0], expected);
}
