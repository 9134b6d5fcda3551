//! The report as people read it, and what a node's start takes from it.

use std::fmt::Write as _;

use super::finding::{Finding, Level};
use super::judge::refuses;
use super::{Report, Verdict};

impl Report {
    /// The worst of all.
    #[must_use]
    pub fn worst(&self) -> Level {
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }

    /// Why a node must not start on this: one sentence each. Empty: it may. A server that is
    /// merely down, full or slow today is no reason.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.findings.iter().filter(|finding| refuses(finding)).map(sentence).collect()
    }

    /// What a node says at its start, worst first: one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let worth = |finding: &&Finding| finding.level >= Level::Warning && !refuses(finding);
        let mut worth: Vec<&Finding> = self.findings.iter().filter(worth).collect();
        worth.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        worth.into_iter().map(sentence).collect()
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.store);
        let mut place = None;
        for finding in &self.findings {
            if place != Some(&finding.at) {
                place = Some(&finding.at);
                let heading = if finding.at.is_empty() { "the whole" } else { &finding.at };
                let _ = writeln!(out, "\n{heading}");
            }
            entry(&mut out, finding);
        }
        out.push('\n');
        paragraph(&mut out, &self.durability);
        out
    }
}

/// A finding in one sentence.
fn sentence(finding: &Finding) -> String {
    let mut text = match finding.at.as_str() {
        "" => format!("{}: {}", finding.name, finding.what),
        at => format!("{at}: {}: {}", finding.name, finding.what),
    };
    for (between, part) in [("; ", &finding.means), (" (", &finding.change)] {
        if !part.is_empty() {
            text = format!("{text}{between}{part}");
        }
    }
    if !finding.change.is_empty() {
        text.push(')');
    }
    text
}

fn entry(out: &mut String, finding: &Finding) {
    let _ = writeln!(out, "  {:<8} {}: {}", finding.level.as_str(), finding.name, finding.what);
    if !finding.means.is_empty() {
        let _ = writeln!(out, "           {}", finding.means);
    }
    if !finding.change.is_empty() {
        let _ = writeln!(out, "           → {}", finding.change);
    }
    if let Some(fix) = &finding.fix {
        let _ = writeln!(out, "           → at once: CONFIG SET {} \"{}\"", fix.name, fix.value);
    }
}

fn paragraph(out: &mut String, verdict: &Verdict) {
    const WIDTH: usize = 96;
    let mut width = 0;
    for word in verdict.summary.split(' ') {
        let len = word.chars().count();
        if width > 0 && width + 1 + len > WIDTH {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += len;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut policy = Finding::error("maxmemory-policy", "allkeys-lru", "players vanish");
        policy = policy.set("maxmemory-policy", "noeviction").refuses();
        policy.at = "a:1".into();
        let mut full = Finding::error("maxmemory", "99 %", "busy");
        full.at = "a:1".into();
        let findings = vec![
            Finding::warning("cluster-require-full-coverage", "yes", "all stop"),
            policy,
            full,
            Finding { at: "a:1".into(), ..Finding::ok("role", "primary") },
        ];
        let summary = "word ".repeat(60).trim_end().to_owned();
        let durability = Verdict { asked: "stored".into(), summary, faults: Vec::new() };
        Report { store: "redis://a:1".into(), findings, durability }
    }

    #[test]
    fn a_start_is_refused_for_mistakes_and_warned_of_the_rest() {
        let report = report();
        assert_eq!(report.worst(), Level::Error);
        let wanted = "a:1: maxmemory-policy: allkeys-lru; players vanish \
                      (redis.conf: maxmemory-policy noeviction)";
        assert_eq!(report.refusals(), [wanted]);
        let warnings = report.warnings();
        let wanted = ["a:1: maxmemory: 99 %; busy", "cluster-require-full-coverage: yes; all stop"];
        assert_eq!(warnings, wanted);
    }

    #[test]
    fn the_text_has_a_heading_a_server_and_short_lines() {
        let text = report().text();
        assert_eq!(text.matches("\na:1\n").count(), 1, "{text}");
        assert!(text.contains("at once: CONFIG SET maxmemory-policy \"noeviction\""), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let json: serde_json::Value =
            serde_json::from_str(&serde_json::to_string(&report()).unwrap()).unwrap();
        assert_eq!(json["findings"][1]["level"], "error");
    }
}
