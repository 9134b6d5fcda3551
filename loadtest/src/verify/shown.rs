//! The least of a history that shows what is wrong, a record a short line. Pure.
//!
//! A line begins with the commands of its record, whatever came before them in it: what was
//! promised about them is what is mostly in question.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Lines of one violation.
const LINES_MAX: usize = 8;
/// Characters of a line, and of what one fact carries.
const LINE_LEN: usize = 160;
const DATA_LEN: usize = 48;
/// Facts about commands.
const COMMANDS: [&str; 4] = ["answered", "deferred", "completed", "refused"];

#[derive(Deserialize)]
struct Page {
    tip: u64,
    entries: Vec<Map<String, Value>>,
}

/// The records before and after one, which are read with it.
pub(super) fn around(seq: u64) -> (u64, u64) {
    (seq.saturating_sub(1).max(1), seq.saturating_add(1))
}

/// The lines of a page; `seq` is told to be missing where it is.
pub(super) fn lines(page: &[u8], seq: u64) -> Vec<String> {
    let page: Page = match serde_json::from_slice(page) {
        Ok(page) => page,
        Err(why) => return vec![format!("record {seq} can't be shown: {why}")],
    };
    let mut lines: Vec<_> = page.entries.iter().filter_map(line).collect();
    let number = |entry: &Map<String, Value>, name: &str| entry.get(name).and_then(Value::as_u64);
    let is_there = |entry: &Map<String, Value>| number(entry, "seq") == Some(seq);
    if !page.entries.iter().any(is_there) {
        lines.push(format!("seq {seq}: there is no such record; the newest is {}", page.tip));
    }
    lines
}

/// Lines that were gathered around several records: none twice, and not too many.
pub(super) fn trim(mut lines: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines.truncate(LINES_MAX);
    lines
}

/// A text of at most so many characters.
fn cut(text: String, len: usize) -> String {
    match text.char_indices().nth(len) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn line(entry: &Map<String, Value>) -> Option<String> {
    let number = |name: &str| entry.get(name).and_then(Value::as_u64).unwrap_or(0);
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    match text("entry")? {
        "claim" => {
            let (after, epoch) = (number("after"), number("epoch"));
            Some(format!("after {after}: claimed by epoch {epoch}"))
        }
        "record" => {
            let facts = entry.get("facts").and_then(Value::as_array).into_iter().flatten();
            let (mut facts, rest): (Vec<_>, Vec<_>) =
                facts.filter_map(Value::as_object).partition(|fact| is_command(fact));
            facts.extend(rest);
            let facts: Vec<_> = facts.into_iter().map(fact).collect();
            let what = match (text("problem"), facts.is_empty()) {
                (Some(problem), _) => problem.to_owned(),
                (None, true) => "nothing".to_owned(),
                (None, false) => facts.join("; "),
            };
            let (seq, epoch) = (number("seq"), number("epoch"));
            Some(cut(format!("seq {seq} epoch {epoch}: {what}"), LINE_LEN))
        }
        _ => None,
    }
}

fn is_command(fact: &Map<String, Value>) -> bool {
    let what = fact.get("what").and_then(Value::as_str);
    what.is_some_and(|what| COMMANDS.contains(&what))
}

/// Such as `answered 1/12 {"damage":25}`.
fn fact(fact: &Map<String, Value>) -> String {
    let word = |name: &str, before: &str| match fact.get(name)? {
        Value::String(text) => Some(format!("{before}{text}")),
        Value::Number(number) => Some(format!("{before}{number}")),
        _ => None,
    };
    let place = fact.get("place").map(|place| {
        let number = |name: &str| place.get(name).and_then(Value::as_u64).unwrap_or(0);
        format!("{}/{}", number("session"), number("id"))
    });
    let words = [
        word("what", ""),
        word("name", ""),
        word("actor", ""),
        place,
        word("token", "token "),
        word("first", "as in "),
        word("code", ""),
        fact.get("data").map(|data| cut(data.to_string(), DATA_LEN)),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"{"tip": 43, "next": null, "entries": [
        {"entry": "record", "seq": 40, "epoch": 7, "facts": [
            {"what": "event", "name": "move", "data": {"damage": 25, "xp": 10}},
            {"what": "answered", "place": {"session": 1, "id": 12}, "first": 38,
             "data": {"damage": 25, "health": 100, "xp": 10}}]},
        {"entry": "claim", "after": 40, "epoch": 9},
        {"entry": "snapshot", "seq": 40, "bytes": 4},
        {"entry": "record", "seq": 41, "epoch": 9, "facts": []},
        {"entry": "record", "seq": 42, "epoch": 9, "facts": [], "problem": "can't be read"},
        {"entry": "record", "seq": 43, "epoch": 9, "facts": [
            {"what": "completed", "token": 3, "code": "room_full", "message": "it is full"},
            {"what": "pushed", "data": {"ev": "notice",
             "text": "a long story that goes on and on, and is told with all its words"}}]}]}"#;

    #[test]
    fn a_record_is_a_line() {
        let expected = [
            "seq 40 epoch 7: answered 1/12 as in 38 {\"damage\":25,\"health\":100,\"xp\":10}; \
             event move {\"damage\":25,\"xp\":10}",
            "after 40: claimed by epoch 9",
            "seq 41 epoch 9: nothing",
            "seq 42 epoch 9: can't be read",
            "seq 43 epoch 9: completed token 3 room_full; \
             pushed {\"ev\":\"notice\",\"text\":\"a long story that goes on…",
        ];
        assert_eq!(lines(PAGE.as_bytes(), 41), expected);
    }

    #[test]
    fn a_record_that_is_not_there_is_told() {
        let lines = lines(PAGE.as_bytes(), 44);
        assert_eq!(lines.last().unwrap(), "seq 44: there is no such record; the newest is 43");
        assert_eq!(around(44), (43, 45));
        assert_eq!(around(1), (1, 2));
    }

    #[test]
    fn no_line_comes_twice_and_there_are_few() {
        let lines = (0..40).map(|nth| (nth / 2).to_string()).collect();
        assert_eq!(trim(lines), ["0", "1", "2", "3", "4", "5", "6", "7"]);
        assert_eq!(cut("äöü".to_owned(), 2), "äö…");
        assert_eq!(cut("äöü".to_owned(), 3), "äöü");
    }
}
