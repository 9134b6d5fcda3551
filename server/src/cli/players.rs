//! `holdfast players`: lists and counts sessions, and holds their index against the journals.

use std::io::{self, Write};

use super::CliError;
use super::admin::{Admin, escaped};
use super::follow::{Follow, percent};
use crate::admin::players::{Stage, Status};
use crate::clock::Clock;
use crate::config::{AuditPlayers, CountPlayers, ListPlayers};
use crate::gateway::finder::{CountPage, PlayersPage, SessionRow};

/// Sessions asked for at a time.
const PAGE: usize = 500;
/// Time between two looks at the progress.
const POLL_MS: u64 = 500;
/// Columns of the list for people.
const COLUMNS: [(&str, Show); 9] = [
    ("PLAYER", |row| row.player_id.to_string()),
    ("NAME", |row| row.display_name.clone().unwrap_or_default()),
    ("STATUS", |row| row.status.clone().unwrap_or_default()),
    ("ROOM", |row| row.room.clone().unwrap_or_default()),
    ("LEVEL", |row| number(row.level)),
    ("SCORE", |row| number(row.score)),
    ("GOLD", |row| number(row.gold)),
    ("IDLE", |row| row.idle_ms.map(span).unwrap_or_default()),
    ("NODE", |row| row.node.clone().unwrap_or_default()),
];

/// What a column shows of a session.
type Show = fn(&SessionRow) -> String;

fn number(value: Option<i64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A length of time in its largest unit, for people.
fn span(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m")];
    let fits = units.into_iter().find(|(unit, _)| ms >= 2 * unit);
    fits.map_or_else(|| format!("{}s", ms / 1_000), |(unit, name)| format!("{}{name}", ms / unit))
}

/// Asks page after page, and writes each as it comes.
pub(super) async fn list(asked: &ListPlayers, out: &mut impl Write) -> Result<(), CliError> {
    let node = Admin::new(&asked.node);
    let mut left = asked.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(1));
    let (mut after, mut first, mut shown) = (String::new(), true, 0);
    loop {
        let (query, limit) = (escaped(&asked.query), left.min(PAGE));
        let page = format!("/players?query={query}&limit={limit}{after}");
        let PlayersPage { players, next } = node.get(&page).await?.json()?;
        (left, shown) = (left - players.len().min(left), shown + players.len());
        if asked.json {
            for row in &players {
                writeln!(out, "{}", serde_json::to_string(row).map_err(io::Error::from)?)?;
            }
        } else {
            table(&players, first, out)?;
        }
        first = false;
        match next {
            Some(next) if left > 0 => after = format!("&after={}", escaped(&next)),
            _ => break,
        }
    }
    if !asked.json && shown == 0 {
        writeln!(out, "no session is like that")?;
    }
    Ok(())
}

/// Rows below their headings, each column as wide as its widest value of the page.
fn table(rows: &[SessionRow], headed: bool, out: &mut impl Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let cells = rows.iter().map(|row| COLUMNS.map(|(_, show)| show(row)));
    let head = headed.then(|| COLUMNS.map(|(name, _)| name.to_owned()));
    let lines: Vec<[String; 9]> = head.into_iter().chain(cells).collect();
    let mut widths = COLUMNS.map(|(name, _)| name.len());
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in &lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// How many sessions there are, by a value.
pub(super) async fn count(asked: &CountPlayers, out: &mut impl Write) -> Result<(), CliError> {
    let by = asked.by.as_deref().map(|by| format!("&by={}", escaped(by))).unwrap_or_default();
    let page = format!("/players/count?query={}{by}", escaped(&asked.query));
    let body = Admin::new(&asked.node).get(&page).await?;
    if asked.json {
        writeln!(out, "{}", body.text())?;
        return Ok(());
    }
    let CountPage { by, total, groups, other } = body.json()?;
    for group in groups {
        let value = match group.value {
            serde_json::Value::Null => "(none)".to_owned(),
            serde_json::Value::String(text) => text,
            value => value.to_string(),
        };
        writeln!(out, "{:>9}  {value}", group.count)?;
    }
    if other > 0 {
        writeln!(out, "{other:>9}  (other values)")?;
    }
    writeln!(out, "{total:>9}  in all, by {by}")?;
    Ok(())
}

/// Has the index held against the journals, and shows how far that is. Returns whether it is
/// equal.
pub(super) async fn audit(
    asked: &AuditPlayers,
    clock: &Clock,
    out: &mut impl Write,
    notes: &mut impl Write,
) -> Result<bool, CliError> {
    let node = Admin::new(&asked.node);
    let begin = format!("/players/rebuild?verify={}&rate={}", !asked.mends, asked.rate);
    let mut status = node.post(&begin, None).await?.json::<Status>()?;
    let mut said = String::new();
    let follow = Follow { node: &node, path: "/players/rebuild", clock, poll_ms: POLL_MS };
    loop {
        let ended = matches!(status.status, Stage::Finished | Stage::Failed | Stage::Idle);
        let line = match asked.json {
            true => serde_json::to_string(&status).map_err(io::Error::from)?,
            false => line(&status),
        };
        if line != said {
            match asked.json || ended {
                true => writeln!(out, "{line}")?,
                false => writeln!(notes, "{line}")?,
            }
            said = line;
        }
        match status.status {
            Stage::Finished => return Ok(status.equal == Some(true)),
            Stage::Failed => return Err(CliError::Failed(status.error.unwrap_or_default())),
            Stage::Idle => {
                let why = "the node was started anew meanwhile; say it again";
                return Err(CliError::Failed(why.into()));
            }
            Stage::Comparing | Stage::Verifying => status = follow.next().await?,
        }
    }
}

/// One line of progress, or the lines of the end.
fn line(status: &Status) -> String {
    let Status { done, players, found, .. } = status;
    let percent = percent(*done, *players);
    let verb = match status.status {
        Stage::Comparing => "compared",
        Stage::Verifying => "verified",
        Stage::Finished => return ended(status),
        Stage::Failed => return format!("failed after {done} of {players} players"),
        Stage::Idle => return "nothing runs".to_owned(),
    };
    let wrong = found.wrong + found.missing + found.stray;
    let found = if wrong > 0 { format!(", {wrong} rows mended") } else { String::new() };
    format!("{percent:>3} %  {done} of {players} players {verb}{found}")
}

fn ended(status: &Status) -> String {
    let found = &status.found;
    let mut lines = vec![format!("rows checked: {}; players: {}", found.rows, status.players)];
    for (count, what) in [
        (found.wrong, "rows that did not say what their journal says"),
        (found.missing, "players without a row"),
        (found.stray, "rows without a player"),
        (found.entries_missing, "entries missing"),
        (found.entries_stray, "entries of no row"),
        (found.unreadable, "journals that can't be read; their rows were left alone"),
    ] {
        if count > 0 {
            lines.push(format!("  {what}: {count}"));
        }
    }
    lines.push(match (status.equal == Some(true), found.is_equal(), status.mends) {
        (true, true, _) => "the index is equal to the journals".to_owned(),
        (true, false, _) => "mended; the index is equal to the journals now".to_owned(),
        (false, _, true) => "some of it could not be mended: see the node's log".to_owned(),
        (false, _, false) => "the index differs: mend it by holdfast players rebuild".to_owned(),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::index::audit::Report;

    fn row(player: &str, level: Option<i64>, idle_ms: i64) -> SessionRow {
        let json = serde_json::json!({"player_id": player, "level": level, "idle_ms": idle_ms});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_table_is_as_wide_as_what_it_holds() {
        let mut out = Vec::new();
        let rows = [row("alice", Some(12), 61_000), row("a-rather-long-name", None, 7_300_000)];
        table(&rows, true, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("PLAYER              NAME"), "{text}");
        assert_eq!(lines[1].find("12"), lines[0].find("LEVEL"), "{text}");
        assert!(lines[1].ends_with("61s") && lines[2].ends_with("2h"), "{text}");
        let mut none = Vec::new();
        table(&[], true, &mut none).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn the_end_says_what_was_found() {
        let found = Report { rows: 9, wrong: 2, missing: 1, ..Report::default() };
        let mut status = Status {
            status: Stage::Finished,
            mends: true,
            players: 10,
            found,
            equal: Some(true),
            ..Status::default()
        };
        let text = line(&status);
        assert!(text.contains("journal says: 2\n") && text.contains("players without a row: 1\n"));
        assert!(text.ends_with("mended; the index is equal to the journals now"), "{text}");
        (status.equal, status.mends) = (Some(false), false);
        assert!(line(&status).ends_with("mend it by holdfast players rebuild"));
    }
}
