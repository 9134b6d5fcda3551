//! The page's tables: all times and counts, closes and refusals by code, and the environment.
//! Pure.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use holdfast_protocol::codes::CloseCode;

use super::facts::{Facts, title};
use super::head::rate;
use super::number::{Esc, bytes, decimal, real, span, whole};
use super::{TABLE_END, section, table};
use crate::result::{Machine, RunResult, Setup};
use crate::stats::{Count, Measure, Stats};

/// The columns of times: name, share.
pub const SHARES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// The times of a measure at [`SHARES`], in milliseconds.
#[must_use]
pub fn quantiles(times: &Histogram<u64>) -> [f64; 5] {
    SHARES.map(|(_, share)| {
        let micros = if share < 1.0 { times.value_at_quantile(share) } else { times.max() };
        real(micros) / 1_000.0
    })
}

/// All measures of which there are times, each with those of the window, or else of the whole run
/// (then the last is true).
#[must_use]
pub fn measured<'a>(facts: &'a Facts<'_>) -> Vec<(Measure, &'a Histogram<u64>, bool)> {
    let find = |stats: &'a Stats, measure| stats.times(measure).filter(|times| !times.is_empty());
    let mut all = Vec::new();
    for measure in Measure::ALL {
        let held = find(facts.window(), measure).map(|times| (measure, times, false));
        all.extend(held.or_else(|| Some((measure, find(&facts.all, measure)?, true))));
    }
    all.sort_by_key(|(.., otherwise)| *otherwise);
    all
}

/// All measured times.
pub fn times(out: &mut String, facts: &Facts<'_>) {
    let rows = measured(facts);
    if rows.is_empty() {
        return;
    }
    let mut columns = vec![("Milliseconds", ""), ("Count", "n")];
    columns.extend(SHARES.map(|(name, _)| (name, "n")));
    let mut body = table("fold six", &columns);
    let mut split = false;
    for (measure, times, otherwise) in rows {
        if otherwise && !split {
            split = true;
            body.push_str("<tr class=\"split\"><th colspan=\"7\">Before or after that</th></tr>\n");
        }
        let _ = write!(
            body,
            "<tr><td>{}</td><td class=\"n\">{}</td>",
            Esc(measure.title()),
            whole(times.len())
        );
        for ms in quantiles(times) {
            let _ = write!(body, "<td class=\"n\">{}</td>", decimal(ms));
        }
        body.push_str("</tr>\n");
    }
    body.push_str(TABLE_END);
    section(out, "Times", within(facts), &body);
}

fn within(facts: &Facts<'_>) -> &'static str {
    if facts.was_held() { "While the load was held." } else { "Of the whole run." }
}

/// Whether a count has a meaning for a single player's second.
const fn each(count: Count) -> bool {
    matches!(
        count,
        Count::Inputs
            | Count::InputsAcked
            | Count::Commands
            | Count::FramesIn
            | Count::BytesIn
            | Count::FramesOut
            | Count::BytesOut
    )
}

/// A number of things, or of bytes.
fn amount(count: Count, number: f64) -> String {
    match count {
        Count::BytesIn | Count::BytesOut => bytes(number),
        _ => rate(number),
    }
}

/// All counts, those that are not 0.
pub fn counts(out: &mut String, facts: &Facts<'_>) {
    let counted: Vec<(Count, u64)> = facts
        .all
        .counts()
        .iter()
        .map(|(count, number)| (*count, *number))
        .filter(|(_, number)| *number > 0)
        .collect();
    if counted.is_empty() {
        return;
    }
    let columns =
        [("Counted", ""), ("Whole run", "n"), ("Per second", "n"), ("Per second and player", "n")];
    let mut body = table("fold three", &columns);
    let players = real(facts.connected_max().unwrap_or(facts.result.setup.players));
    for (count, number) in counted {
        let total = match count {
            Count::BytesIn | Count::BytesOut => bytes(real(number)),
            _ => whole(number),
        };
        let per_second = facts.rate(count);
        let per_player = per_second.filter(|_| each(count) && players > 0.0);
        let say = |number: Option<f64>| number.map_or_else(String::new, |one| amount(count, one));
        let _ = writeln!(
            body,
            "<tr><td>{}</td><td class=\"n\">{total}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td></tr>",
            title(count),
            say(per_second),
            say(per_player.map(|all| all / players))
        );
    }
    body.push_str(TABLE_END);
    let about = if facts.was_held() { "Rates are those while the load was held." } else { "" };
    section(out, "Counts", about, &body);
}

/// A close code's name and what it says.
#[must_use]
pub fn close(code: u16) -> (&'static str, &'static str) {
    match (CloseCode::from_code(code), code) {
        (Some(known), _) => (known.name(), known.reason()),
        (None, 0) => ("none", "the connection ended without a code"),
        (None, 1001) => ("going_away", "the server went away"),
        (None, 1006) => ("abnormal", "the connection was cut"),
        (None, _) => ("unknown", "not one of the protocol’s"),
    }
}

/// Sockets that the servers closed and commands that they refused, by code.
pub fn codes(out: &mut String, facts: &Facts<'_>) {
    let (closes, errors) = (facts.all.closes(), facts.all.errors());
    let mut body = String::new();
    if !closes.is_empty() {
        let columns = [("Closed with", ""), ("Name", ""), ("Meaning", ""), ("Sockets", "n")];
        body.push_str(&table("stack", &columns));
        for (code, count) in closes {
            let (name, reason) = close(*code);
            let code = if *code == 0 { "–".to_owned() } else { code.to_string() };
            let _ = writeln!(
                body,
                "<tr><td>{code}</td><td><code>{name}</code></td><td class=\"words wide\">{}</td>\
                 <td class=\"n\" data-name=\"sockets\">{}</td></tr>",
                Esc(reason),
                whole(*count)
            );
        }
        body.push_str(TABLE_END);
    }
    if !errors.is_empty() {
        body.push_str(&table("", &[("Refused with", ""), ("Messages", "n")]));
        for (code, count) in errors {
            let count = whole(*count);
            let _ = writeln!(
                body,
                "<tr><td><code>{}</code></td><td class=\"n\">{count}</td></tr>",
                Esc(code)
            );
        }
        body.push_str(TABLE_END);
    }
    if !body.is_empty() {
        let body = format!("<div class=\"pair\">\n{body}</div>\n");
        section(out, "Closes and refusals", "Of the whole run.", &body);
    }
}

/// On what it ran, and the scenario as it was read.
pub fn environment(out: &mut String, result: &RunResult) {
    let RunResult { setup, machine, .. } = result;
    let mut body = String::from("<dl class=\"wide\">\n");
    for (name, what) in surroundings(setup, machine) {
        if !what.is_empty() {
            let _ = writeln!(body, "<div><dt>{name}</dt><dd>{}</dd></div>", Esc(&what));
        }
    }
    body.push_str("</dl>\n");
    if !setup.toml.is_empty() {
        let _ = writeln!(
            body,
            "<details><summary>The scenario, as it was read</summary>\n\
             <pre tabindex=\"0\">{}</pre></details>",
            Esc(setup.toml.trim_end())
        );
    }
    section(out, "Environment", "", &body);
}

fn surroundings(setup: &Setup, machine: &Machine) -> Vec<(&'static str, String)> {
    let some = |number: u64, text: String| if number > 0 { text } else { String::new() };
    let seconds = |ms: u64| span(real(ms) / 1_000.0);
    vec![
        ("CPU", machine.cpu.clone()),
        ("Cores", some(machine.cores, machine.cores.to_string())),
        ("Memory", some(machine.memory_bytes, bytes(real(machine.memory_bytes)))),
        ("Kernel", machine.kernel.clone()),
        ("Holdfast", machine.holdfast.clone()),
        ("loadtest", machine.loadtest.clone()),
        ("Store", setup.store.clone()),
        ("Servers", setup.urls.join("\n")),
        ("Ramp, hold", format!("{}, {}", seconds(setup.ramp_ms), seconds(setup.hold_ms))),
        ("Generators", some(setup.processes, setup.processes.to_string())),
        ("Seed", setup.seed.to_string()),
        ("Limits raised", setup.raised.join("\n")),
    ]
}
