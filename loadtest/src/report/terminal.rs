//! The summary for a terminal: aligned, and no longer than a screen. Pure.

use super::facts::Facts;
use super::head::{rate, sentence, sign};
use super::judged::with_unit;
use super::number::{date, decimal, fixed, plural, span, whole};
use super::table::{SHARES, measured, quantiles};
use crate::result::{Role, RunResult};
use crate::stats::Count;

/// Lines of each part, at most.
const REASONS_MAX: usize = 4;
const THRESHOLDS_MAX: usize = 7;
const CHECKS_MAX: usize = 11;
const VIOLATIONS_MAX: usize = 3;
/// Letters of a line, about.
const LINE_LEN: usize = 100;

/// The summary, of at most about 50 lines; ends with a line's end.
#[must_use]
pub fn text(result: &RunResult) -> String {
    let facts = Facts::of(result);
    let mut lines = head(&facts);
    block(&mut lines, "thresholds", thresholds(result));
    block(&mut lines, "promises", checks(result));
    lines.extend(violations(result));
    block(&mut lines, "", times(&facts));
    lines.extend(rates(&facts));
    let mut text = lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

fn head(facts: &Facts<'_>) -> Vec<String> {
    let result = facts.result;
    let RunResult { setup, verdict, .. } = result;
    let mut lines = vec![
        format!("{} {}  {}", sign(*verdict), verdict.name().to_uppercase(), clean(&setup.scenario)),
        format!(
            "  {}, {}, store {}, {} UTC",
            plural(setup.players, "player"),
            span(facts.span_s()),
            clean(&setup.store),
            date(result.began_ms)
        ),
        format!("  {}", sentence(result)),
    ];
    if !result.complete {
        lines.push(format!("  cut off after {}", span(facts.span_s())));
    }
    let reasons = result.reasons.iter().map(|reason| format!("  - {}", clean(reason)));
    lines.extend(few(reasons.collect(), REASONS_MAX));
    lines
}

/// What goes on one line of a terminal: no control characters, and not endless.
fn clean(text: &str) -> String {
    let mut clean: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if clean.chars().count() > LINE_LEN {
        clean = clean.chars().take(LINE_LEN - 1).chain(['…']).collect();
    }
    clean
}

/// The first lines, and how many more there are.
fn few(mut lines: Vec<String>, max: usize) -> Vec<String> {
    let more = lines.len().saturating_sub(max);
    if more > 0 {
        lines.truncate(max);
        lines.push(format!("  … and {more} more"));
    }
    lines
}

fn block(out: &mut Vec<String>, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    out.push(String::new());
    if !title.is_empty() {
        out.push(title.to_owned());
    }
    out.extend(lines);
}

/// Those missed first.
fn thresholds(result: &RunResult) -> Vec<String> {
    let mut all: Vec<_> = result.thresholds.iter().collect();
    all.sort_by_key(|one| one.met);
    let rows = all.into_iter().map(|one| {
        let sign = if one.met { "✓" } else { "✗" };
        let [measured, allowed] =
            [one.measured, one.allowed].map(|number| with_unit(number, &one.unit));
        [format!("  {sign} {}", clean(&one.text)), measured, format!("of {allowed}")]
    });
    few(aligned(&rows.collect::<Vec<_>>()), THRESHOLDS_MAX)
}

/// Those broken first.
fn checks(result: &RunResult) -> Vec<String> {
    let mut all: Vec<_> = result.checks.iter().collect();
    all.sort_by_key(|check| check.violations == 0);
    let rows = all.into_iter().map(|check| {
        let sign = match (check.violations, check.looked_at) {
            (0, 0) => "–",
            (0, _) => "✓",
            _ => "✗",
        };
        let name = format!("  {sign} {}", clean(&check.name));
        let looked_at = format!("{} looked at", whole(check.looked_at));
        [name, looked_at, plural(check.violations, "violation")]
    });
    let mut lines = few(aligned(&rows.collect::<Vec<_>>()), CHECKS_MAX);
    if !result.unchecked.is_empty() {
        let count = result.unchecked.len() as u64;
        lines.push(format!("  – {} could not be checked", plural(count, "thing")));
    }
    lines
}

fn violations(result: &RunResult) -> Vec<String> {
    let violations = result.violations.iter();
    let lines =
        violations.map(|one| clean(&format!("  ! {}: {}: {}", one.check, one.player, one.what)));
    few(lines.collect(), VIOLATIONS_MAX)
}

fn times(facts: &Facts<'_>) -> Vec<String> {
    let rows = measured(facts);
    if rows.is_empty() {
        return Vec::new();
    }
    let mut head = vec!["milliseconds".to_owned(), "count".to_owned()];
    head.extend(SHARES.map(|(name, _)| name.to_owned()));
    let (mut cells, mut starred) = (vec![head], false);
    for (measure, times, otherwise) in rows {
        let star = if otherwise { " *" } else { "" };
        starred |= otherwise;
        let mut row = vec![format!("  {}{star}", measure.name()), whole(times.len())];
        row.extend(quantiles(times).map(decimal));
        cells.push(row);
    }
    let mut lines = aligned(&cells);
    if starred {
        lines.push("  * before or after the load was held".to_owned());
    }
    lines
}

fn rates(facts: &Facts<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    let counts = [
        (Count::InputsAcked, "inputs"),
        (Count::CommandsDone, "commands"),
        (Count::TradesCommitted, "trades"),
    ];
    for (count, what) in counts {
        parts.extend(facts.rate(count).map(|number| format!("{} {what}/s", rate(number))));
    }
    for (role, whose) in [(Role::Server, "server"), (Role::Redis, "Redis"), (Role::Harness, "own")]
    {
        parts.extend(facts.cores(role).map(|cores| format!("{whose} CPU {}", fixed(cores, 2))));
    }
    if parts.is_empty() {
        return Vec::new();
    }
    vec![String::new(), format!("  {}", parts.join(", "))]
}

/// Rows with columns of one width: the first to the left, all others to the right.
#[must_use]
pub fn aligned<R: AsRef<[String]>>(rows: &[R]) -> Vec<String> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (nth, cell) in row.as_ref().iter().enumerate() {
            let len = cell.chars().count();
            match widths.get_mut(nth) {
                Some(width) => *width = len.max(*width),
                None => widths.push(len),
            }
        }
    }
    let line = |row: &R| {
        let mut line = String::new();
        for (nth, (cell, width)) in row.as_ref().iter().zip(&widths).enumerate() {
            let missing = " ".repeat(width - cell.chars().count());
            match nth {
                0 => line.extend([cell.as_str(), missing.as_str()]),
                _ => line.extend(["  ", missing.as_str(), cell.as_str()]),
            }
        }
        line
    };
    rows.iter().map(line).collect()
}
