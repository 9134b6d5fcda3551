//! A result such as a run leaves, made of a seed: two gateways on Redis, one of them killed.

use std::sync::LazyLock;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::number::real;
use crate::result::{
    Check, Judged, Machine, Mark, Process, RunResult, Sample, Second, Setup, Verdict, Violation,
};
use crate::run::meter::quantiles;
use crate::stats::{Count, Measure, Stats};

const PLAYERS: u64 = 2_000;
/// Seconds at which all play, at which they stop, and of the end.
const RAMPED_S: u64 = 20;
const HELD_S: u64 = 110;
const END_S: u64 = 120;
/// When a gateway is killed, and when it is back.
const KILL_S: u64 = 40;
const BACK_S: u64 = 46;

const TOML: &str = "\
# What players notice of a gateway that dies
name = \"kill-one-gateway\"
players = 2000
ramp = \"20s\"
hold = \"90s\"
seed = 7

[[chaos]]
at = \"40s\"
do = \"kill gw-1, and start it again after 6s\"

[thresholds]
all = [\"input_ack.p99 < 250ms\", \"command.p99 < 400ms\", \"late_sends < 1%\"]
";

/// A run that went well.
pub fn met() -> RunResult {
    static MET: LazyLock<RunResult> = LazyLock::new(|| made(7, 1.0, END_S));
    MET.clone()
}

/// A run in which all took half as long again.
pub fn slower() -> RunResult {
    static SLOWER: LazyLock<RunResult> = LazyLock::new(|| made(8, 1.5, END_S));
    SLOWER.clone()
}

/// A run in which promises were broken and a threshold was missed.
pub fn violated() -> RunResult {
    let mut result = met();
    result.verdict = Verdict::Violated;
    result.reasons = vec![
        "2 commands that were acknowledged as durable are not in their players’ state".to_owned(),
        "input_ack.p99 < 25ms is missed: 44.8 ms were measured".to_owned(),
    ];
    result.thresholds[0] = Judged {
        text: "input_ack.p99 < 25ms".to_owned(),
        measured: Some(44.8),
        allowed: Some(25.0),
        unit: "ms".to_owned(),
        met: false,
    };
    result.checks[0].violations = 2;
    let history = [
        "40.012 s  gw-1  → 311 add_item sword 1",
        "40.019 s  gw-1  ← 311 ok {\"inventory\":{\"sword\":3}}",
        "40.020 s  gw-1  ✗ connection lost",
        "41.377 s  gw-2  ⟳ resumed at 8842, missed 0",
        "112.40 s  gw-2  ? state {\"inventory\":{\"sword\":2}}",
    ];
    let violation = |player: &str| Violation {
        check: "lost".to_owned(),
        player: player.to_owned(),
        what: "the command 311 was acknowledged at 40.019 s, and its item is not there".to_owned(),
        history: history.map(String::from).to_vec(),
    };
    result.violations = vec![violation("bot-0317"), violation("<script>alert('bot')</script>")];
    result
}

/// A run that was cut off after 52 s.
pub fn cut() -> RunResult {
    let mut result = made(7, 1.0, 52);
    result.complete = false;
    result.verdict = Verdict::Void;
    result.reasons = vec!["the run was stopped by a signal".to_owned()];
    result.thresholds.clear();
    result.checks.clear();
    result.unchecked = vec!["nothing was verified: the run did not get that far".to_owned()];
    result
}

/// What there is before anything happened.
pub fn bare() -> RunResult {
    RunResult::begun(0, Setup::default(), Machine::default())
}

fn made(seed: u64, slow: f64, until_s: u64) -> RunResult {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut held, mut all, mut seconds) = (Stats::default(), Stats::default(), Vec::new());
    for at in 1..=until_s {
        let (connected, stats) = second(&mut rng, at, slow);
        let counts = stats.counts().clone();
        let times = Measure::ALL
            .into_iter()
            .filter_map(|measure| Some((measure, quantiles(&stats, measure)?)));
        seconds.push(Second { at_ms: at * 1_000 + 3, connected, counts, times: times.collect() });
        all.add(&stats);
        if (RAMPED_S + 1..=HELD_S).contains(&at) {
            held.add(&stats);
        }
    }
    let mark = |at: u64, what: &str| Mark { at_ms: at * 1_000, what: what.to_owned() };
    let mut phases = vec![mark(0, "ramp"), mark(RAMPED_S, "hold"), mark(HELD_S, "verify")];
    phases.retain(|phase| phase.at_ms <= until_s * 1_000);
    RunResult {
        complete: true,
        verdict: Verdict::Met,
        began_ms: 1_792_144_509_000,
        setup: setup(seed),
        machine: machine(),
        phases,
        chaos: vec![mark(KILL_S, "kill gw-1"), mark(BACK_S, "start gw-1")],
        held: held.pack(),
        all: all.pack(),
        seconds,
        processes: processes(&mut rng, slow, until_s),
        thresholds: thresholds(),
        checks: checks(),
        unchecked: vec!["12 commands were still unanswered when the run ended".to_owned()],
        ..bare()
    }
}

/// About normal: its mean is 0 and its deviation 1.
fn normal(rng: &mut StdRng) -> f64 {
    (0..4).map(|_| rng.random_range(-1.0..1.0)).sum::<f64>() * 0.866
}

/// A time that is about log-normal, with some that are much longer.
fn some_ms(rng: &mut StdRng, median: f64, spread: f64) -> Duration {
    let tail = if rng.random_bool(0.004) { rng.random_range(2.0..9.0) } else { 1.0 };
    Duration::from_secs_f64(median * (spread * normal(rng)).exp() * tail / 1e3)
}

/// Players connected at a second's end, and what happened in it.
fn second(rng: &mut StdRng, at: u64, slow: f64) -> (u64, Stats) {
    let mut stats = Stats::default();
    let gone = match at.saturating_sub(KILL_S) {
        0 => 0,
        since => (PLAYERS / 2) >> (2 * since - 1).min(20),
    };
    let lost = if at == KILL_S + 1 { PLAYERS / 2 } else { 0 };
    let connected = match at {
        at if at <= RAMPED_S => PLAYERS * at / RAMPED_S,
        at if at > HELD_S => 0,
        _ => PLAYERS - gone,
    };
    if at <= RAMPED_S {
        stats.count(Count::Connects, PLAYERS / RAMPED_S);
        for _ in 0..PLAYERS / RAMPED_S {
            stats.time(Measure::Connect, some_ms(rng, 0.7 * slow, 0.4));
            stats.time(Measure::Hello, some_ms(rng, 3.1 * slow, 0.4));
        }
    }
    stats.count(Count::Losses, lost);
    let back = if (1..=4).contains(&at.saturating_sub(KILL_S)) { PLAYERS / 8 } else { 0 };
    for nth in 0..back {
        let since = real(at - KILL_S) * 700.0;
        stats.time(Measure::Recovery, some_ms(rng, since, 0.3));
        stats.count(if nth % 50 == 0 { Count::Resyncs } else { Count::Resumes }, 1);
        stats.closed(None);
    }
    traffic(&mut stats, rng, (at, connected), slow);
    (connected, stats)
}

fn traffic(stats: &mut Stats, rng: &mut StdRng, (at, connected): (u64, u64), slow: f64) {
    let shock = match at.saturating_sub(KILL_S) {
        since @ 1..8 => 14.0 / real(since) + 1.0,
        _ => 1.0,
    };
    let inputs = connected * 2 + rng.random_range(0..90) * u64::from(connected > 0);
    for nth in 0..inputs {
        stats.time(Measure::InputAck, some_ms(rng, 4.2 * slow * shock, 0.35));
        if nth % 5 == 0 {
            stats.time(Measure::Command, some_ms(rng, 6.8 * slow * shock, 0.45));
        }
        if nth % 8 == 0 {
            stats.time(Measure::Seen, some_ms(rng, 31.0 + 4.0 * slow * shock, 0.3));
            stats.time(Measure::FrameJitter, some_ms(rng, 1.1 * slow, 0.6));
        }
        if nth % 10 == 0 && at > RAMPED_S {
            stats.time(Measure::Echo, some_ms(rng, 0.21, 0.3));
        }
    }
    let frames = connected * 21;
    let counts = [
        (Count::Sends, inputs + inputs / 5),
        (Count::LateSends, inputs / 900),
        (Count::Inputs, inputs),
        (Count::InputsAcked, inputs - inputs.min(PLAYERS - connected) / 40),
        (Count::Commands, inputs / 5),
        (Count::CommandsDone, inputs / 5 - inputs / 300),
        (Count::CommandsRefused, inputs / 300),
        (Count::FramesIn, frames),
        (Count::BytesIn, frames * 164),
        (Count::FramesOut, inputs + inputs / 5),
        (Count::BytesOut, inputs * 71),
    ];
    for (count, number) in counts {
        stats.count(count, number);
    }
    for nth in 0..inputs / 300 {
        stats.refused(if nth % 3 == 0 { "not_enough" } else { "cooldown" });
    }
}

fn processes(rng: &mut StdRng, slow: f64, until_s: u64) -> Vec<Process> {
    let kinds = [
        ("gw-1", 0.62, 48.0),
        ("gw-2", 0.60, 47.0),
        ("redis", 0.31, 22.0),
        ("loadtest", 0.44, 61.0),
    ];
    let process = |(name, cores, mib): (&str, f64, f64)| {
        let mut samples = Vec::new();
        for at in 1..=until_s {
            let dead = name == "gw-1" && (KILL_S + 1..=BACK_S).contains(&at);
            if dead {
                continue;
            }
            let load = match at {
                at if at <= RAMPED_S => real(at) / real(RAMPED_S),
                at if at > HELD_S => 0.1,
                at if name == "gw-2" && (KILL_S + 1..=BACK_S + 4).contains(&at) => 1.6,
                _ => 1.0,
            };
            let cores = (cores * slow * load + 0.02 * normal(rng)).max(0.0);
            let cores = (cores * 1e3).round() / 1e3;
            let grown = 0.35 + 0.65 * load.min(1.0) + 0.0008 * real(at);
            let resident = (mib * grown * 1_048_576.0) as u64;
            samples.push(Sample { at_ms: at * 1_000 + 11, cores, resident });
        }
        Process { name: name.to_owned(), samples }
    };
    kinds.map(process).into()
}

fn setup(seed: u64) -> Setup {
    Setup {
        scenario: "kill-one-gateway".to_owned(),
        about: "2,000 players walk and trade on two gateways; one is killed and comes back."
            .to_owned(),
        toml: TOML.to_owned(),
        players: PLAYERS,
        ramp_ms: RAMPED_S * 1_000,
        hold_ms: (HELD_S - RAMPED_S) * 1_000,
        seed,
        store: "redis".to_owned(),
        urls: vec!["ws://127.0.0.1:40213/ws".to_owned(), "ws://127.0.0.1:40217/ws".to_owned()],
        processes: 1,
        raised: vec!["connections_max = 20000".to_owned(), "connects_per_s = 2000".to_owned()],
    }
}

fn machine() -> Machine {
    Machine {
        cores: 8,
        cpu: "AMD EPYC 7763 64-Core Processor".to_owned(),
        memory_bytes: 32 << 30,
        kernel: "Linux 6.12.9".to_owned(),
        holdfast: "0.1.0".to_owned(),
        loadtest: "0.1.0".to_owned(),
    }
}

fn thresholds() -> Vec<Judged> {
    let judged = |text: &str, measured, allowed, unit: &str| Judged {
        text: text.to_owned(),
        measured: Some(measured),
        allowed: Some(allowed),
        unit: unit.to_owned(),
        met: true,
    };
    vec![
        judged("input_ack.p99 < 250ms", 44.8, 250.0, "ms"),
        judged("command.p99 < 400ms", 74.688, 400.0, "ms"),
        judged("late_sends < 1%", 0.11, 1.0, "%"),
        judged("recovery.max < 10s", 5_120.0, 10_000.0, "ms"),
    ]
}

fn checks() -> Vec<Check> {
    let check = |name: &str, what: &str, looked_at| Check {
        name: name.to_owned(),
        what: what.to_owned(),
        looked_at,
        violations: 0,
    };
    vec![
        check("lost", "What was acknowledged as durable is still there.", 71_904),
        check("twice", "A command that was sent again took effect once.", 214),
        check("order", "Events of a session arrive once, and in their order.", 4_512_377),
        check("steps", "A walk is exactly as long as its acknowledged inputs.", 2_000),
        check("conserved", "Trades neither make nor destroy gold or items.", 1),
        check("ranks", "The leaderboard agrees with the players’ own points.", 0),
    ]
}
