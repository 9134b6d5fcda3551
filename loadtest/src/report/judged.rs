//! The page's sections of what was asked for and what was promised. Pure.

use std::fmt::Write as _;

use super::number::{Esc, NONE, decimal, fixed, plural, whole};
use super::{TABLE_END, section, table};
use crate::result::{Check, Judged, RunResult, Violation};

/// A number of a threshold with its unit.
#[must_use]
pub fn with_unit(number: Option<f64>, unit: &str) -> String {
    let Some(number) = number else { return NONE.to_owned() };
    let text = match number {
        number if number.fract() == 0.0 && number.abs() < 1e15 => fixed(number, 0),
        number => {
            let text = if number.abs() < 0.1 { fixed(number, 5) } else { decimal(number) };
            let short = text.trim_end_matches('0').trim_end_matches('.');
            if text.contains('.') { short.to_owned() } else { text }
        }
    };
    match unit {
        "" => text,
        unit => format!("{text} {unit}"),
    }
}

const fn mark(good: bool, yes: &'static str, no: &'static str) -> (&'static str, &'static str) {
    if good { ("good", yes) } else { ("bad", no) }
}

/// What the scenario asked for.
pub fn thresholds(out: &mut String, result: &RunResult) {
    if result.thresholds.is_empty() {
        return;
    }
    let columns = [("Threshold", ""), ("Measured", "n"), ("Allowed", "n"), ("Outcome", "")];
    let mut body = table("stack", &columns);
    for Judged { text, measured, allowed, unit, met } in &result.thresholds {
        let (look, word) = mark(*met, "✓ met", "✗ missed");
        let _ = writeln!(
            body,
            "<tr><td class=\"wide\"><code>{}</code></td>\
             <td class=\"n\" data-name=\"measured\">{}</td>\
             <td class=\"n\" data-name=\"allowed\">{}</td>\
             <td><span class=\"mark {look}\">{word}</span></td></tr>",
            Esc(text),
            Esc(&with_unit(*measured, unit)),
            Esc(&with_unit(*allowed, unit)),
        );
    }
    body.push_str(TABLE_END);
    let missed = result.thresholds.iter().filter(|one| !one.met).count() as u64;
    let about = match missed {
        0 => "All are met.".to_owned(),
        missed => format!("{} missed of {}.", whole(missed), result.thresholds.len()),
    };
    section(out, "Thresholds", &about, &body);
}

/// What was promised, whether it was kept, and what could not be checked.
pub fn checks(out: &mut String, result: &RunResult) {
    let RunResult { checks, violations, unchecked, .. } = result;
    if checks.is_empty() && violations.is_empty() && unchecked.is_empty() {
        return;
    }
    let mut body = String::new();
    if !checks.is_empty() {
        promises(&mut body, checks);
    }
    broken(&mut body, result);
    if !unchecked.is_empty() {
        body.push_str("<div class=\"unchecked\"><h3>Not checked</h3>\n<ul>\n");
        for what in unchecked {
            let _ = writeln!(body, "<li>{}</li>", Esc(what));
        }
        body.push_str("</ul></div>\n");
    }
    let about = "Every bot keeps a ledger of what it was told; afterwards it is held against what \
                 the servers still know.";
    section(out, "Promises", about, &body);
}

fn promises(out: &mut String, checks: &[Check]) {
    let columns =
        [("Check", ""), ("Promise", ""), ("Looked at", "n"), ("Violations", "n"), ("Outcome", "")];
    out.push_str(&table("stack", &columns));
    for Check { name, what, looked_at, violations } in checks {
        let (look, word) = match (*violations, *looked_at) {
            (0, 0) => ("idle", "– nothing to look at"),
            (0, _) => ("good", "✓ kept"),
            _ => ("bad", "✗ broken"),
        };
        let _ = writeln!(
            out,
            "<tr><td><code>{}</code></td><td class=\"words wide\">{}</td>\
             <td class=\"n\" data-name=\"looked at\">{}</td>\
             <td class=\"n\" data-name=\"violations\">{}</td>\
             <td><span class=\"mark {look}\">{word}</span></td></tr>",
            Esc(name),
            Esc(what),
            whole(*looked_at),
            whole(*violations),
        );
    }
    out.push_str(TABLE_END);
}

fn broken(out: &mut String, result: &RunResult) {
    let shown = result.violations.len() as u64;
    if shown == 0 {
        return;
    }
    let counted: u64 = result.checks.iter().map(|check| check.violations).sum();
    out.push_str("<h3>What was broken</h3>\n");
    if counted > shown {
        let _ = writeln!(
            out,
            "<p class=\"about\">The first {shown} of {}.</p>",
            plural(counted, "violation")
        );
    }
    for Violation { check, player, what, history } in &result.violations {
        let _ = writeln!(
            out,
            "<article class=\"violation\"><h4><code>{}</code> {}</h4><p>{}</p>",
            Esc(check),
            Esc(player),
            Esc(what)
        );
        if !history.is_empty() {
            let _ = writeln!(out, "<pre tabindex=\"0\">{}</pre>", Esc(&history.join("\n")));
        }
        out.push_str("</article>\n");
    }
}
