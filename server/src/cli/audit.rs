//! `holdfast audit`: has a running node hold all goods against each other, and says what is wrong.

use std::io::{self, Write};

use super::CliError;
use super::admin::Admin;
use super::follow::{Follow, percent};
use crate::admin::audit::walk::{Progress, Report};
use crate::admin::audit::{Stage, Status};
use crate::clock::Clock;
use crate::config::Audit;
use crate::game::audit::Balance;
use crate::game::inventory;

/// Time between two looks at the progress.
const POLL_MS: u64 = 200;
/// Time before progress is shown to people: what takes no second needs none.
const SILENT_MS: u64 = 1_000;

/// Begins an audit, or joins the one that runs, and waits for its end. Returns whether nothing was
/// found.
pub(super) async fn audit(
    asked: &Audit,
    clock: &Clock,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<bool, CliError> {
    let node = Admin::new(&asked.node);
    let Audit { horizon_ms, rate, deep, .. } = asked;
    let begin = format!("/audit?horizon_ms={horizon_ms}&rate={rate}&deep={deep}");
    let mut status = node.post(&begin, None).await?.json::<Status>()?;
    let (run, mut said, shown_ms) = (status.run, String::new(), clock.uptime_ms() + SILENT_MS);
    let follow = Follow { node: &node, path: "/audit", clock, poll_ms: POLL_MS };
    loop {
        let ended = status.status != Stage::Running;
        if asked.json {
            let line = serde_json::to_string(&status).map_err(io::Error::from)?;
            if line != said {
                writeln!(out, "{line}")?;
                said = line;
            }
        } else if !ended && clock.uptime_ms() >= shown_ms {
            let line = progress(&status.progress);
            if line != said {
                writeln!(notes, "{line}")?;
                said = line;
            }
        }
        if ended {
            return end(status, run, asked.json, out);
        }
        status = follow.next().await?;
    }
}

fn end(status: Status, run: u64, json: bool, out: &mut impl Write) -> Result<bool, CliError> {
    let anew = || CliError::Failed("the node was started anew meanwhile; say it again".into());
    if status.status == Stage::Failed {
        return Err(CliError::Failed(status.error.unwrap_or_default()));
    }
    let report = status.report.filter(|_| status.run == run).ok_or_else(anew)?;
    if !json {
        writeln!(out, "{}", text(&report, status.violations, &status.said))?;
    }
    Ok(report.is_clean())
}

fn progress(progress: &Progress) -> String {
    let Progress { done, actors } = progress;
    let percent = percent(*done, *actors);
    format!("{percent:>3} %  {done} of {actors} trades and players")
}

/// Goods for people, such as `20 gold, Iron Sword x1`.
fn words(goods: &Balance) -> String {
    let gold = (goods.gold != 0).then(|| format!("{} gold", goods.gold));
    let items = goods.items.iter();
    let items = items.map(|(item, n)| format!("{} x{n}", inventory::name_of(item)));
    let all: Vec<_> = gold.into_iter().chain(items).collect();
    if all.is_empty() { "nothing".into() } else { all.join(", ") }
}

fn text(report: &Report, violations: u64, said: &[String]) -> String {
    let Report { trades, players, whole, totals, found, unreadable, .. } = report;
    let mut lines = vec![format!("looked at {players} players and {trades} trades")];
    if *whole > 0 {
        lines.push(format!("journals folded from their first record: {whole}"));
    }
    for (what, goods) in [
        ("start equipment", &totals.start),
        ("held", &totals.held),
        ("reserved", &totals.escrow),
        ("under way", &totals.transfer),
        ("beyond the start", &totals.beyond),
    ] {
        lines.push(format!("  {what:<17}{}", words(goods)));
    }
    if !totals.exact {
        lines.push("  (it took long: what changed hands meanwhile may count twice or not)".into());
    }
    for finding in &report.findings {
        let trade = finding.trade.as_ref().map(|trade| format!("trade {trade}: "));
        lines.push(format!("{}{}", trade.unwrap_or_default(), finding.what));
    }
    if *unreadable > 0 {
        lines.push(format!("journals that can't be read, see the node's log: {unreadable}"));
    }
    if violations > 0 {
        lines.push(format!("the rules of this node have found {violations} since it started:"));
        lines.extend(said.iter().map(|what| format!("  {what}")));
    }
    lines.push(match (report.is_clean(), found) {
        (true, _) => "all goods are where they should be".to_owned(),
        (false, found) => format!("{found} findings"),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::game::audit::{Finding, Flaw};

    #[test]
    fn the_end_names_what_was_found() {
        let mut report = Report { players: 2, trades: 1, ..Report::default() };
        report.totals.held = Balance { gold: 200, items: [("sword-001".into(), 2)].into() };
        report.totals.beyond = Balance { gold: 0, items: [("potion-001".into(), -3)].into() };
        let clean = text(&report, 0, &[]);
        assert!(clean.contains("held             200 gold, Iron Sword x2"), "{clean}");
        assert!(clean.contains("beyond the start Health Potion x-3"), "{clean}");
        assert!(clean.ends_with("all goods are where they should be"), "{clean}");
        report.findings = vec![Finding {
            flaw: Flaw::Unsettled,
            trade: Some("1-a".into()),
            players: vec!["alice".into(), "bob".into()],
            what: "alice has not got 3 gold".into(),
        }];
        report.found = 1;
        let found = text(&report, 1, &["trade 1-a: bob".into()]);
        assert!(found.contains("trade 1-a: alice has not got 3 gold"), "{found}");
        assert!(found.contains("  trade 1-a: bob") && found.ends_with("1 findings"), "{found}");
        (report.found, report.unreadable) = (0, 1);
        assert!(!report.is_clean());
    }
}
