//! Histories as text, for an operator at night: a line a record, its facts below it, times in UTC.
//! Pure.

use std::fmt::Write as _;

use serde_json::Value;

use crate::actor::archive::Page;
use crate::actor::history::check::{Place, Replayed};
use crate::actor::history::diff::Change;
use crate::actor::history::entries::Entry;
use crate::actor::history::facts::{Happened, What};
use crate::actor::history::past::{Difference, State};
use crate::search::value::date_of;

/// Characters of a value; what is longer is cut, and whole with `--json`.
const VALUE_CHARS_MAX: usize = 240;

/// Unix milliseconds as `2026-11-30 00:32:03.097`.
pub fn utc(ms: u64) -> String {
    let (days, in_day) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, date) = date_of(i64::try_from(days).unwrap_or_default());
    let (seconds, millis) = (in_day / 1_000, in_day % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02}.{millis:03}")
}

fn value(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text,
    }
}

/// What comes before the entries.
pub fn head(page: &Page) -> String {
    let Page { actor, base, tip, .. } = page;
    let known = match base {
        0 => "from the beginning".to_owned(),
        base => format!("after record {base} and later"),
    };
    format!("{actor}: the newest record is {tip}; states are known {known}; times are UTC\n")
}

/// One entry, in one line and one for each fact.
pub fn entry(entry: &Entry) -> String {
    match entry {
        Entry::Claim(claim) => format!(
            "{:>8}  {}  claimed after record {} by epoch {}\n",
            "",
            utc(claim.epoch),
            claim.after,
            claim.epoch
        ),
        Entry::Snapshot(kept) => format!(
            "{:>8}  {:23}  snapshot after record {}, {} bytes\n",
            "", "", kept.seq, kept.bytes
        ),
        Entry::Record(record) => {
            let time = record.time_ms.map(utc).unwrap_or_default();
            let (seq, epoch, bytes) = (record.seq, record.epoch, record.bytes);
            let mut out = format!("{seq:>8}  {time:23}  epoch {epoch}, {bytes} bytes\n");
            if let Some(problem) = &record.problem {
                let _ = writeln!(out, "{:>12}{problem}", "");
            }
            for happened in &record.facts {
                let _ = writeln!(out, "{:>12}{}", "", fact(happened));
            }
            out
        }
    }
}

/// A fact: what it is, in a column of its own, and what belongs to it.
fn fact(fact: &Happened) -> String {
    let word = match fact.what {
        What::Event => "event",
        What::Opened => "session opened",
        What::Ended => "session ended",
        What::Attached => "socket attached",
        What::Detached => "socket detached",
        What::Answered => "answered",
        What::Refused => "refused",
        What::Deferred => "deferred",
        What::Completed => "completed",
        What::Told => "told",
        What::Acked => "acknowledged by",
        What::Heard => "heard",
        What::Forgot => "forgot",
        What::DeadLetter => "dead letter to",
        What::TimerSet => "timer set",
        What::TimerGone => "timer gone",
        What::ActivityBegun => "activity begun",
        What::ActivityTried => "activity failed",
        What::Heartbeat => "heartbeat",
        What::ActivityEnded => "activity ended",
        What::Pushed => "pushed",
    };
    let mut parts: Vec<String> = Vec::new();
    parts.extend(fact.actor.clone());
    parts.extend(fact.name.clone());
    parts.extend(fact.activity.map(|activity| format!("number {activity}")));
    parts.extend(fact.place.map(|at| match at.session {
        0 => format!("command {} without a session", at.id),
        session => format!("command {} of session {session}", at.id),
    }));
    parts.extend(fact.token.map(|token| format!("token {token}")));
    parts.extend(fact.key.as_ref().map(|key| format!("key {key}")));
    parts.extend(fact.first.map(|first| format!("as in record {first}")));
    parts.extend(fact.code.as_ref().zip(fact.message.as_ref()).map(|(c, m)| format!("{c}: {m}")));
    parts.extend(fact.data.as_ref().map(value));
    let next = if fact.what == What::ActivityTried { "next at " } else { "at " };
    parts.extend(fact.at_ms.map(|at| format!("{next}{}", utc(at))));
    parts.extend(fact.tell.as_ref().map(|tell| format!("[{tell}]")));
    parts.extend(fact.creates.map(|_| "creates it".to_owned()));
    format!("{word:<16} {}", parts.join(" ")).trim_end().to_owned()
}

/// Changes, with the paths in a column; the words say what the two values are.
fn changes(changes: &[Change], (one, two): (&str, &str)) -> String {
    let wide = changes.iter().map(|change| change.path.chars().count()).max().unwrap_or(0).min(48);
    let mut out = String::new();
    let text = |side: &Option<Value>| side.as_ref().map_or("nothing".to_owned(), value);
    for change in changes {
        let (path, before, after) = (&change.path, text(&change.before), text(&change.after));
        let _ = writeln!(out, "  {path:<wide$}  {one}{before}, {two}{after}");
    }
    out
}

/// A state of the past.
pub fn state(state: &State) -> String {
    let State { actor, seq, time_ms, .. } = state;
    let when = match seq {
        0 => "before the first record".to_owned(),
        seq => format!("after record {seq}, {} UTC", utc(*time_ms)),
    };
    format!("{actor} {when}\n{:#}\n", state.state)
}

/// What differs between two states of the past.
pub fn difference(difference: &Difference) -> String {
    let Difference { actor, from, to, changes: list } = difference;
    let count = list.len();
    let head = format!("{actor}: from record {from} to record {to}, {count} changes\n");
    head + &changes(list, ("was ", "is "))
}

fn plural(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// What a replay found.
pub fn replayed(found: &Replayed) -> String {
    let Replayed { actor, recorded_by, base, same, records, snapshot, added, difference } = found;
    let mut out = String::new();
    let Some(difference) = difference else {
        let kept =
            snapshot.map(|at| format!(", and the snapshot kept after record {at} is the same"));
        let (records, kept) = (plural(*records), kept.unwrap_or_default());
        let _ = writeln!(
            out,
            "{actor}: {records} replayed from record {base} on, each gives the recorded state{kept}"
        );
        for path in added {
            let _ = writeln!(out, "  {path} is new since {recorded_by}");
        }
        return out;
    };
    let place = match difference.at {
        Place::Base(0) => "before the first record".to_owned(),
        Place::Base(base) => format!("in the base, the state after record {base}"),
        Place::Record { seq, epoch, time_ms } => {
            format!("after record {seq} ({} UTC, epoch {epoch})", utc(time_ms))
        }
        Place::Snapshot(at) => format!(
            "in the snapshot that was kept after record {at}: one of the records from {base} on \
             was folded otherwise when it was written"
        ),
    };
    let _ = writeln!(out, "{actor}: the first difference is {place}");
    let _ = writeln!(out, "  {} of {} before it gave the recorded state", same, plural(*records));
    for event in &difference.events {
        let _ = writeln!(out, "  {}", fact(event));
    }
    if let Some(problem) = &difference.problem {
        let _ = writeln!(out, "  {problem}");
    }
    out + &changes(&difference.changes, ("recorded ", "replayed "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00.000");
        assert_eq!(utc(951_782_400_000), "2000-02-29 00:00:00.000");
        assert_eq!(utc(1_795_345_219_097), "2026-11-22 11:00:19.097");
        assert_eq!(utc(4_107_542_399_999), "2100-02-28 23:59:59.999");
    }

    fn entry_of(value: Value) -> String {
        entry(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn entries_read_well() {
        let record = json!({"entry": "record", "seq": 12, "epoch": 7, "bytes": 99, "time_ms": 5,
            "facts": [
                {"what": "event", "name": "hit", "data": {"health": 75}},
                {"what": "answered", "place": {"session": 3, "id": 4}, "key": "07", "data": {"a": 1}},
                {"what": "refused", "place": {"session": 0, "id": 4}, "code": "busy", "message": "later"},
                {"what": "told", "actor": "room:den", "tell": "7-12-0", "creates": true, "data": "leave"},
                {"what": "timer_set", "name": "idle", "at_ms": 0},
                {"what": "activity_tried", "activity": 2, "at_ms": 0},
                {"what": "opened"}]});
        let expected = "      12  1970-01-01 00:00:00.005  epoch 7, 99 bytes
            event            hit {\"health\":75}
            answered         command 4 of session 3 key 07 {\"a\":1}
            refused          command 4 without a session busy: later
            told             room:den \"leave\" [7-12-0] creates it
            timer set        idle at 1970-01-01 00:00:00.000
            activity failed  number 2 next at 1970-01-01 00:00:00.000
            session opened\n";
        assert_eq!(entry_of(record), expected);
        let claim = entry_of(json!({"entry": "claim", "after": 12, "epoch": 8}));
        assert_eq!(
            claim,
            "          1970-01-01 00:00:00.008  claimed after record 12 by epoch 8\n"
        );
        let kept = entry_of(json!({"entry": "snapshot", "seq": 12, "bytes": 8}));
        assert_eq!(kept.trim_start(), "snapshot after record 12, 8 bytes\n");
        let bad = json!({"entry": "record", "seq": 1, "epoch": 7, "bytes": 9, "facts": [],
            "problem": "the record can't be read"});
        assert!(entry_of(bad).ends_with("            the record can't be read\n"));
    }

    #[test]
    fn long_values_are_cut() {
        let long = value(&json!("é".repeat(1_000)));
        assert!(long.ends_with('…') && long.chars().count() == VALUE_CHARS_MAX + 1);
    }

    #[test]
    fn differences_are_told_path_by_path() {
        let text = difference(&Difference {
            actor: "player:alice".parse().unwrap(),
            from: 3,
            to: 4,
            changes: vec![
                Change { path: "/health".into(), before: Some(json!(9)), after: Some(json!(7)) },
                Change { path: "/items/a".into(), before: None, after: Some(Value::Null) },
            ],
        });
        let expected = "player:alice: from record 3 to record 4, 2 changes
  /health   was 9, is 7
  /items/a  was nothing, is null\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_replay_names_the_first_difference() {
        let mut found: Replayed = serde_json::from_value(json!({"actor": "player:alice",
            "recorded_by": "0.1.0", "base": 0, "same": 12, "records": 12, "snapshot": 5,
            "added": ["/state/x"], "difference": null}))
        .unwrap();
        let expected = "player:alice: 12 records replayed from record 0 on, each gives the recorded \
                        state, and the snapshot kept after record 5 is the same\n  \
                        /state/x is new since 0.1.0\n";
        assert_eq!(replayed(&found), expected);
        let difference = json!({"at": {"record": {"seq": 3, "epoch": 7, "time_ms": 0}},
            "events": [{"what": "event", "name": "hit", "data": {"health": 75}}],
            "changes": [{"path": "/state/health", "before": 75, "after": 50}], "problem": null});
        found.difference = serde_json::from_value(difference).unwrap();
        found.same = 2;
        let expected = "player:alice: the first difference is after record 3 (1970-01-01 \
                        00:00:00.000 UTC, epoch 7)\n  2 of 12 records before it gave the recorded \
                        state\n  event            hit {\"health\":75}\n  /state/health  recorded 75, \
                        replayed 50\n";
        assert_eq!(replayed(&found), expected);
    }
}
