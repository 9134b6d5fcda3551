//! `holdfast history` and `holdfast replay`: what has happened to an actor, and whether today's
//! rules make the same of it.
//!
//! Both ask a running node over its admin listener, because the embedded store is its node's
//! alone. A replay folds by the rules of this very program, whatever version the node has: so a
//! new version is tried on the journals of an old one before it is started.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use holdfast_protocol::ids::ActorId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CliError;
use super::admin::Admin;
use crate::actor::archive::Page;
use crate::actor::history::check::check;
use crate::actor::history::entries::Entry;
use crate::actor::history::past::{Difference, State};
use crate::actor::history::recorded;
use crate::actor::kind::Kinds;
use crate::clock::Clock;
use crate::config::{History, NodeAt, Replay, Show};

mod text;

/// Time between two looks at a history that is followed.
const LOOK_MS: u64 = 500;
/// Looks in a row that may fail while a node restarts.
const MISSES_MAX: u32 = 60;
/// Records asked for at once.
const LIMIT: usize = 500;

async fn get<T: DeserializeOwned>(node: &NodeAt, path: &str) -> Result<T, CliError> {
    Admin::new(node).get(path).await?.json()
}

fn print_json(out: &mut impl Write, value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Shows an actor's history, a state of it, a difference, or saves it.
///
/// # Errors
/// [`CliError`], for the operator.
pub(super) async fn history(
    asked: &History,
    clock: &Clock,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let History { node, actor, show, json } = asked;
    match show {
        Show::Entries { from, to, follow } => {
            entries(asked, (*from, *to, *follow), clock, out).await
        }
        Show::State(at) => {
            let path = format!("/history/state?actor={actor}&at={at}");
            let state: State = get(node, &path).await?;
            if *json {
                return print_json(out, &state);
            }
            Ok(write!(out, "{}", text::state(&state))?)
        }
        Show::Diff(from, to) => {
            let path = format!("/history/diff?actor={actor}&from={from}&to={to}");
            let difference: Difference = get(node, &path).await?;
            if *json {
                return print_json(out, &difference);
            }
            Ok(write!(out, "{}", text::difference(&difference))?)
        }
        Show::Save(file) => save(node, actor, file, out).await,
    }
}

async fn save(
    node: &NodeAt,
    actor: &ActorId,
    file: &Path,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let body = Admin::new(node).get(&format!("/history/recorded?actor={actor}")).await?;
    let text = body.text();
    let journal = recorded::read(text)
        .map_err(|e| CliError::Refused(format!("what it sent is no recorded journal: {e}")))?;
    let write = fs::write(file, text);
    write.map_err(|cause| CliError::File { file: file.display().to_string(), cause })?;
    let (records, base) = (journal.steps.len(), journal.base_seq);
    Ok(writeln!(out, "{}: {actor}, {records} records after record {base}", file.display())?)
}

async fn entries(
    asked: &History,
    (from, to, follow): (Option<u64>, Option<u64>, bool),
    clock: &Clock,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let History { node, actor, json, .. } = asked;
    let until = to.map(|to| format!("&to={to}")).unwrap_or_default();
    let mut next = from;
    let (mut seen, mut misses, mut first) = (Vec::<Entry>::new(), 0, true);
    loop {
        let since = next.map(|from| format!("&from={from}")).unwrap_or_default();
        let path = format!("/history?actor={actor}&limit={LIMIT}{since}{until}");
        let page: Page = match get(node, &path).await {
            Ok(page) => page,
            Err(CliError::NoNode { .. }) if !first && follow && misses < MISSES_MAX => {
                misses += 1;
                clock.sleep_ms(LOOK_MS).await;
                continue;
            }
            Err(e) => return Err(e),
        };
        if first && !json {
            write!(out, "{}", text::head(&page))?;
        }
        (first, misses) = (false, 0);
        for entry in page.entries.iter().filter(|entry| !seen.contains(entry)) {
            if *json {
                print_json(out, entry)?;
            } else {
                write!(out, "{}", text::entry(entry))?;
            }
        }
        out.flush()?;
        match page.next {
            Some(on) => next = Some(on),
            None if !follow || to.is_some_and(|to| page.tip >= to) => return Ok(()),
            None => {
                // Claims stand after the newest record: it is looked at again.
                let last = |entry: &Entry| entry.seq() == page.tip;
                seen = page.entries.into_iter().filter(last).chain(seen).collect();
                seen.retain(|entry| entry.seq() == page.tip);
                next = Some(page.tip);
                clock.sleep_ms(LOOK_MS).await;
            }
        }
    }
}

/// Folds a journal by the rules of `kinds`. Returns whether every state was the recorded one.
///
/// # Errors
/// [`CliError`], for the operator.
pub(super) async fn replay(
    asked: &Replay,
    kinds: &Kinds,
    out: &mut impl Write,
) -> Result<bool, CliError> {
    let Replay { node, what, json } = asked;
    let file = Path::new(what);
    let recorded = if file.is_file() {
        let read = fs::read_to_string(file);
        read.map_err(|cause| CliError::File { file: what.clone(), cause })?
    } else {
        let actor: ActorId = what.parse().map_err(|_| CliError::What(what.clone()))?;
        Admin::new(node).get(&format!("/history/recorded?actor={actor}")).await?.text().to_owned()
    };
    let journal = recorded::read(&recorded)
        .map_err(|e| CliError::Journal { what: what.clone(), why: e.to_string() })?;
    let found = check(kinds, &journal)
        .map_err(|e| CliError::Journal { what: what.clone(), why: e.to_string() })?;
    if *json {
        print_json(out, &found)?;
    } else {
        write!(out, "{}", text::replayed(&found))?;
    }
    Ok(found.difference.is_none())
}
