//! The page's top: what was played, how it ended and why, and the numbers that people ask for
//! first; and its foot. Pure.

use std::fmt::Write as _;

use super::facts::Facts;
use super::number::{Esc, NONE, bytes, date, decimal, fixed, plural, span, whole};
use crate::result::{Role, RunResult, Verdict};
use crate::stats::{Count, Measure};

/// The verdict in a sentence.
#[must_use]
pub fn sentence(result: &RunResult) -> &'static str {
    let judged = !result.thresholds.is_empty();
    let checked = !result.checks.is_empty();
    match result.verdict {
        Verdict::Met => match (judged, checked) {
            (true, true) => "Every threshold is met, and no promise was broken.",
            (true, false) => "Every threshold is met.",
            (false, true) => "No promise was broken; the scenario asks for no thresholds.",
            (false, false) => "The scenario asks for no thresholds.",
        },
        Verdict::Missed => "Not every threshold is met.",
        Verdict::Violated => "A promise to the players was broken.",
        Verdict::Void if !result.complete => "The run has not come to its verdict.",
        Verdict::Void => "The run says nothing about the servers.",
    }
}

/// The sign that goes with a verdict's word, so that colour is not all there is.
#[must_use]
pub const fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "✓",
        Verdict::Missed => "✗",
        Verdict::Violated => "!",
        Verdict::Void => "–",
    }
}

/// Scenario, verdict, reasons and the circumstances.
pub fn headline(out: &mut String, facts: &Facts<'_>) {
    let result = facts.result;
    let (setup, verdict) = (&result.setup, result.verdict);
    let _ = write!(
        out,
        "<header>\n<div class=\"title\">\n<p class=\"brand\">Holdfast load test</p>\n<h1>{}</h1>\n",
        Esc(&setup.scenario)
    );
    if !setup.about.is_empty() {
        let _ = writeln!(out, "<p class=\"about\">{}</p>", Esc(&setup.about));
    }
    let _ = write!(
        out,
        "</div>\n<div class=\"verdict {0}\"><span>{1}</span> {0}</div>\n\
         <div class=\"why\">\n<p>{2}</p>\n",
        verdict.name(),
        sign(verdict),
        sentence(result)
    );
    if !result.reasons.is_empty() {
        out.push_str("<ul>\n");
        for reason in &result.reasons {
            let _ = writeln!(out, "<li>{}</li>", Esc(reason));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</div>\n<dl class=\"facts\">\n");
    for (name, what) in circumstances(facts) {
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", Esc(&what));
    }
    out.push_str("</dl>\n</header>\n");
}

fn circumstances(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let RunResult { setup, machine, began_ms, .. } = facts.result;
    let mut all = vec![
        ("Date", format!("{} UTC", date(*began_ms))),
        ("Duration", duration(facts)),
        ("Players", whole(setup.players)),
        ("Store", setup.store.clone()),
    ];
    all.push(("Holdfast", machine.holdfast.clone()));
    all.retain(|(_, what)| !what.is_empty());
    all
}

/// How long it took, and of that, with all players.
fn duration(facts: &Facts<'_>) -> String {
    let all = span(facts.span_s());
    match facts.hold_s() {
        Some((from, to)) => format!("{all}, of that {} held", span(to - from)),
        None => all,
    }
}

/// What a reader has to know before any number.
pub fn banners(out: &mut String, facts: &Facts<'_>) {
    let mut banner = |text: &str| {
        let _ = writeln!(out, "<p class=\"banner\" role=\"note\">{}</p>", Esc(text));
    };
    if !facts.result.complete {
        let after = span(facts.span_s());
        banner(&format!("Cut off after {after}; what follows is what was known."));
    }
    if let Some(why) = &facts.unreadable {
        banner(&format!("Some measurements are missing here: {why}."));
    }
}

/// One of the numbers that people ask for first.
struct Tile {
    name: &'static str,
    number: String,
    unit: &'static str,
    note: String,
    look: &'static str,
}

impl Tile {
    fn new(name: &'static str, number: String, unit: &'static str, note: String) -> Self {
        Self { name, number, unit, note, look: "" }
    }
}

/// The numbers that people ask for first, those that were measured.
pub fn tiles(out: &mut String, facts: &Facts<'_>) {
    let tiles = [
        players(facts),
        inputs(facts),
        latency(facts),
        commands(facts),
        trades(facts),
        violations(facts),
        cores(facts),
    ];
    let tiles: Vec<Tile> = tiles.into_iter().flatten().collect();
    if tiles.is_empty() {
        return;
    }
    out.push_str("<div class=\"tiles\">\n");
    for Tile { name, number, unit, note, look } in tiles {
        let _ = writeln!(
            out,
            "<div class=\"tile {look}\"><h3>{name}</h3><p class=\"number\">{number} \
             <small>{unit}</small></p><p class=\"note\">{}</p></div>",
            Esc(&note)
        );
    }
    out.push_str("</div>\n");
}

fn players(facts: &Facts<'_>) -> Option<Tile> {
    let most = facts.connected_max()?;
    let asked = whole(facts.result.setup.players);
    let note = format!("connected at once, of {asked}");
    Some(Tile::new("Players", whole(most), "", note))
}

fn latency(facts: &Facts<'_>) -> Option<Tile> {
    let p99 = facts.within_ms(Measure::InputAck, 0.99)?;
    let p50 = facts.within_ms(Measure::InputAck, 0.5)?;
    let echo = facts.within_ms(Measure::Echo, 0.99);
    let note = match echo {
        Some(echo) => format!("p50 {}; p99 of the bare echo {}", ms(p50), ms(echo)),
        None => format!("p50 {}", ms(p50)),
    };
    Some(Tile::new("Input → durable ack, p99", decimal(p99), "ms", note))
}

fn commands(facts: &Facts<'_>) -> Option<Tile> {
    let p99 = facts.within_ms(Measure::Command, 0.99)?;
    let p50 = facts.within_ms(Measure::Command, 0.5)?;
    let done = facts.rate(Count::CommandsDone);
    let done = done.map_or_else(String::new, |done| format!("; {} done a second", rate(done)));
    let note = format!("p50 {}{done}", ms(p50));
    Some(Tile::new("Command → durable reply, p99", decimal(p99), "ms", note))
}

fn trades(facts: &Facts<'_>) -> Option<Tile> {
    let committed = facts.rate(Count::TradesCommitted)?;
    let times = facts.within_ms(Measure::Traded, 0.5).zip(facts.within_ms(Measure::Traded, 0.99));
    let note = times.map_or_else(String::new, |(p50, p99)| {
        format!("accepted → both sides told: p50 {}, p99 {}", ms(p50), ms(p99))
    });
    Some(Tile::new("Trades committed", rate(committed), "per s", note))
}

fn inputs(facts: &Facts<'_>) -> Option<Tile> {
    let acked = facts.rate(Count::InputsAcked)?;
    let sent = facts.rate(Count::Inputs);
    let note = sent.map_or_else(String::new, |sent| {
        // Rounded down: not all is not 100 %.
        let percent = (1e4 * acked / sent).floor() / 100.0;
        format!("{} % of {} sent", fixed(percent, 2), rate(sent))
    });
    Some(Tile::new("Inputs acknowledged", rate(acked), "per s", note))
}

fn violations(facts: &Facts<'_>) -> Option<Tile> {
    let RunResult { checks, violations, .. } = facts.result;
    if checks.is_empty() && violations.is_empty() {
        return None;
    }
    let count = facts.violations();
    let looked_at: u64 = checks.iter().map(|check| check.looked_at).sum();
    let checks = plural(checks.len() as u64, "check");
    let note = format!("{checks} of {}", plural(looked_at, "thing"));
    let look = if count > 0 { "bad" } else { "good" };
    Some(Tile { look, ..Tile::new("Violations", whole(count), "", note) })
}

fn cores(facts: &Facts<'_>) -> Option<Tile> {
    let cores = facts.cores(Role::Server)?;
    let mut notes = Vec::new();
    if let Some(micros) = facts.micros_per_input() {
        notes.push(format!("{}\u{a0}µs per input", decimal(micros)));
    }
    if let Some(resident) = facts.resident(Role::Server) {
        notes.push(format!("{} resident", bytes(resident).replace(' ', "\u{a0}")));
    }
    if let Some(redis) = facts.cores(Role::Redis) {
        notes.push(format!("Redis\u{a0}{}", fixed(redis, 2)));
    }
    Some(Tile::new("Server CPU", fixed(cores, 2), "cores", notes.join("; ")))
}

/// Milliseconds that stay on one line with their unit.
fn ms(number: f64) -> String {
    format!("{}\u{a0}ms", decimal(number))
}

/// A rate: whole where it is large.
#[must_use]
pub fn rate(per_second: f64) -> String {
    match per_second {
        number if !number.is_finite() => NONE.to_owned(),
        number if number >= 100.0 => whole(number.round() as u64),
        number => decimal(number),
    }
}

/// Who made the page, and how its numbers are meant.
pub fn foot(out: &mut String, result: &RunResult) {
    let seed = result.setup.seed;
    let _ = write!(
        out,
        "<footer>\n<p>A latency counts from the time at which its message was due, sent late or \
         not, so that a pause of the server can’t hide (coordinated omission). p99 is the time \
         that 99 % of the messages did not exceed.</p>\n<p>Made by loadtest {} with the seed \
         {seed}.</p>\n</footer>\n",
        Esc(&result.machine.loadtest),
    );
}
