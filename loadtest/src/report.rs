//! What a run's result looks like to people: one page that stands on its own, or some lines for a
//! terminal. Pure.
//!
//! The page loads nothing from anywhere: its style, its charts (SVG) and the few lines of script
//! for reading them out by hovering are within it, and without the script all but that works.
//! What was not measured is not shown, and a run that was cut off is shown as far as it went.
//! Every text of a result is escaped: players choose their names.
//!
//! In reading order: [`facts`] (what the numbers say together), [`number`] (how they are written),
//! `head`, `judged` and `table` (the page's sections), `axis`, `chart` and `series` (its charts),
//! `terminal`.

mod axis;
mod chart;
pub mod facts;
mod head;
mod judged;
pub mod number;
#[cfg(test)]
pub(crate) mod sample;
mod series;
mod table;
mod terminal;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use facts::Facts;
use number::{Esc, real, span};

use crate::result::{Mark, RunResult};
pub(crate) use head::rate;
pub(crate) use terminal::aligned;
pub use terminal::text;

const STYLE: &str = include_str!("report/page.css");
const SCRIPT: &str = include_str!("report/page.js");

/// The page of a result, as HTML that needs nothing else.
#[must_use]
pub fn html(result: &RunResult) -> String {
    let facts = Facts::of(result);
    let title = format!("{}: {}", result.setup.scenario, result.verdict.name());
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{} · Holdfast load test</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n",
        Esc(&title)
    );
    head::headline(&mut out, &facts);
    head::banners(&mut out, &facts);
    head::tiles(&mut out, &facts);
    judged::thresholds(&mut out, result);
    judged::checks(&mut out, result);
    over_time(&mut out, &facts);
    percentiles(&mut out, &facts);
    table::times(&mut out, &facts);
    table::counts(&mut out, &facts);
    table::codes(&mut out, &facts);
    table::environment(&mut out, result);
    head::foot(&mut out, result);
    let _ = writeln!(out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>");
    out
}

/// A section with its heading.
fn section(out: &mut String, name: &str, about: &str, body: &str) {
    let _ = writeln!(out, "<section>\n<h2>{}</h2>", Esc(name));
    if !about.is_empty() {
        let _ = writeln!(out, "<p class=\"about\">{}</p>", Esc(about));
    }
    let _ = writeln!(out, "{body}</section>");
}

/// The beginning of a table: a class, and the columns' names with theirs (`n`: numbers).
fn table(class: &str, columns: &[(&str, &str)]) -> String {
    let mut out = format!("<div class=\"scroll\"><table class=\"{class}\">\n<thead><tr>");
    for (name, class) in columns {
        let _ = write!(out, "<th class=\"{class}\">{name}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    out
}

/// Its end.
const TABLE_END: &str = "</tbody>\n</table></div>\n";

fn over_time(out: &mut String, facts: &Facts<'_>) {
    let charts = series::over_time(facts);
    if charts.is_empty() {
        return;
    }
    let mut body = String::new();
    happenings(&mut body, &facts.result.chaos);
    body.push_str("<div class=\"charts\">\n");
    for chart in charts {
        body.push_str(&chart.draw());
    }
    body.push_str("</div>\n");
    let about = match series::step_s(facts) {
        1 => String::new(),
        step => format!(
            "A point stands for {}: of latencies the worst second in it, of all else the mean.",
            span(real(step))
        ),
    };
    section(out, "Second by second", &about, &body);
}

/// What was done to the servers, in full: the charts only have room for its beginning.
fn happenings(out: &mut String, chaos: &[Mark]) {
    if chaos.is_empty() {
        return;
    }
    out.push_str("<ol class=\"chaos\">");
    for Mark { at_ms, what } in chaos {
        let at = span(real(*at_ms) / 1_000.0);
        let _ = write!(out, "<li><b>{at}</b> {}</li>", Esc(what));
    }
    out.push_str("</ol>\n");
}

fn percentiles(out: &mut String, facts: &Facts<'_>) {
    let Some(chart) = series::percentiles(facts) else { return };
    let of = if facts.was_held() { "while the load was held" } else { "of the whole run" };
    let about = format!(
        "Times {of}. Each step to the right holds ten times fewer of them: at 99.9 %, one in a \
         thousand took longer."
    );
    let body = format!("<div class=\"charts one\">\n{}</div>\n", chart.draw());
    section(out, "How the times are spread", &about, &body);
}
