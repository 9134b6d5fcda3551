//! Mistakes: where, why, and what to write instead.

use super::registry;
use crate::search::mistake::Mistake;
use crate::search::parse::{IN_LEN_MAX, NESTING_MAX, QUERY_LEN_MAX};
use crate::search::{Counts, parse};

fn mistake(text: &str) -> Mistake {
    parse(&registry(), text).expect_err(text)
}

/// What is written; the column; a part of the sentence; the suggestion, `-` if there is none.
const TABLE: &[(&str, usize, &str, &str)] = &[
    // Attributes.
    ("PlayerLevle >= 10", 1, "there is no attribute PlayerLevle", "PlayerLevel"),
    ("Score = 1 AND Golt = 2", 15, "no attribute Golt", "Gold"),
    ("Mana > 3", 1, "no attribute Mana", "-"),
    ("ORDER BY Scroe", 10, "no attribute Scroe", "Score"),
    ("\"Score\" = 1", 1, "a name has no quotes", "Score"),
    ("10 < Score", 1, "begins with an attribute's name, not with a value", "-"),
    ("= 10", 1, "the attribute before = is missing", "-"),
    // Operators.
    ("Score == 10", 7, "== is no operator", "="),
    ("Score <> 10", 7, "<> is no operator", "!="),
    ("Score => 10", 7, "=> is no operator", ">="),
    ("Score =< 10", 7, "=< is no operator", "<="),
    ("Score =~ 10", 8, "~ is no value", "-"),
    ("Score ~ 10", 7, "~ is no operator: there are =", "-"),
    ("Score 10", 7, "an operator is missing after Score", "="),
    ("Score", 6, "Score needs an operator and a value", "IS NOT NULL"),
    ("Banned AND Score = 1", 8, "Banned needs an operator", "= true"),
    ("Guild LIKE \"a\"", 7, "LIKE is no operator", "STARTS_WITH"),
    ("Guild STARTS WITH \"a\"", 7, "STARTS is no operator", "STARTS_WITH"),
    ("Guild STRATS_WITH \"a\"", 7, "STRATS_WITH is no operator", "STARTS_WITH"),
    ("Score BETWEN 1 AND 2", 7, "BETWEN is no operator", "BETWEEN"),
    ("Score STARTS_WITH 1", 7, "STARTS_WITH is for text", "="),
    ("Banned > true", 8, "it takes = and !=", "="),
    ("Banned BETWEEN false AND true", 8, "it takes = and !=", "-"),
    ("Score NOT = 1", 7, "write != for NOT =", "!="),
    ("Score NOT NULL", 7, "IS is missing", "IS"),
    ("Score NOT 1", 7, "NOT stands before a condition", "-"),
    // Values.
    ("PlayerLevel = \"ten\"", 15, "PlayerLevel is a whole number", "10"),
    ("PlayerLevel = \"12\"", 15, "without quotes", "12"),
    ("PlayerLevel = 1.5", 15, "PlayerLevel is a whole number", "1"),
    ("PlayerLevel = 1_000", 15, "PlayerLevel is a whole number", "1000"),
    ("PlayerLevel = ten", 15, "PlayerLevel is a whole number", "10"),
    ("Gold > 99999999999999999999", 8, "at most 9223372036854775807", "-"),
    ("PlayerStatus = in_room", 16, "text is in quotes", "\"in_room\""),
    ("DisplayName = Sir Bob AND Score = 1", 15, "text is in quotes", "\"Sir Bob\""),
    ("CurrentRoom = dungeon-7", 15, "text is in quotes", "\"dungeon-7\""),
    ("PlayerId = 7", 12, "text is in quotes", "\"7\""),
    ("PlayerId = Node", 12, "attributes are compared with values", "\"Node\""),
    ("Score > Gold", 9, "attributes are compared with values", "-"),
    ("PlayerStatus = \"in_room", 16, "this quote is not closed", "\"in_room\""),
    ("Guild = 'Owls", 9, "this quote is not closed", "'Owls'"),
    ("Guild = “Owls”", 9, "these quotes are not", "\"Owls\""),
    ("Guild = \"a\\d\"", 11, "a backslash in quotes is written twice", "\\\\"),
    ("Score >=", 9, "a value is missing after >=", "10"),
    ("Score = AND Gold = 1", 9, "a value is missing after =", "10"),
    ("Score = = 1", 9, "= is too much", ""),
    ("Score = NULL", 7, "a missing value is asked for by IS", "IS NULL"),
    ("Score != NULL", 7, "a missing value is asked for by IS", "IS NOT NULL"),
    ("Score > NULL", 9, "NULL is no value", "-"),
    ("Banned = \"true\"", 10, "Banned is true or false", "true"),
    ("Banned = 0", 10, "Banned is true or false", "false"),
    // Durations and times.
    ("IdleTime > 10", 12, "IdleTime is a duration such as 90s", "10s"),
    ("IdleTime > 10 minutes", 12, "without a space", "10m"),
    ("IdleTime > 10min", 12, "IdleTime is a duration", "10m"),
    ("IdleTime > \"10m\"", 12, "a duration has no quotes", "10m"),
    ("IdleTime > 10y", 12, "IdleTime is a duration", "-"),
    ("IdleTime > -5m", 12, "IdleTime is a duration", "-"),
    ("StartTime > 2026-11-22T10:00:00Z", 13, "in quotes", "\"2026-11-22T10:00:00Z\""),
    ("StartTime > \"2026-11-22\"", 13, "RFC 3339", "\"2026-11-22T00:00:00Z\""),
    ("StartTime > \"2026-11-22 10:00\"", 13, "RFC 3339", "\"2026-11-22T10:00:00Z\""),
    ("StartTime > \"yesterday\"", 13, "RFC 3339", "\"2026-01-31T12:00:00Z\""),
    ("StartTime > 1795341600000", 13, "StartTime is a time", "\"2026-11-22T10:00:00Z\""),
    ("StartTime > 1795341600", 13, "StartTime is a time", "\"2026-11-22T10:00:00Z\""),
    ("StartTime > -9223372036854775808", 13, "StartTime is a time", "\"2026-01-31T12:00:00Z\""),
    ("StartTime > 10m", 13, "how long ago it was is SessionDuration", "-"),
    // BETWEEN, IN, IS.
    ("Score BETWEEN 1, 2", 16, "with AND between them", "AND"),
    ("Score BETWEEN 1 2", 17, "with AND between them", "AND"),
    ("Score BETWEEN 9 AND 1", 15, "the smaller value comes first", "1 AND 9"),
    ("Score BETWEEN 1 AND", 20, "a value is missing after AND", "10"),
    ("Score IN 1", 10, "the values of IN are in parentheses", "(1)"),
    ("Score IN", 9, "the values of IN are in parentheses", "(10)"),
    ("Score IN ()", 11, "IN takes at least one value", "10"),
    ("Score IN (1 2)", 13, "a comma is missing", ","),
    ("Score IN (1, )", 12, "a value is missing after the comma", ""),
    ("Score IN (1, 2", 15, "the ( at column 10 is not closed", ")"),
    ("Score = (1, 2)", 7, "IN takes a list", "IN"),
    ("Score != (1, 2)", 7, "IN takes a list", "NOT IN"),
    ("Score IS 3", 7, "values take =", "="),
    ("Score IS NOT 3", 7, "values take !=", "!="),
    ("Score IS EMPTY", 10, "not for EMPTY", "NULL"),
    ("Score IS", 9, "NULL is missing after IS", "NULL"),
    // What joins conditions.
    ("Score = 1 Gold = 2", 11, "AND or OR is missing before Gold", "AND"),
    ("Score = 1 (Gold = 2)", 11, "AND or OR is missing before (", "AND"),
    ("Score = 1, Gold = 2", 10, "write AND for ,", "AND"),
    ("Score = 1 && Gold = 2", 11, "write AND for &&", "AND"),
    ("Score = 1 || Gold = 2", 11, "write OR for ||", "OR"),
    ("Score = 1 ADN Gold = 2", 11, "write AND for ADN", "AND"),
    ("!(Score = 1)", 1, "write NOT for !", "NOT"),
    ("Score = 1 AND", 14, "a condition is missing at the end", "-"),
    ("Score = 1 AND OR Gold = 2", 15, "a condition is missing before OR", "-"),
    ("AND Score = 1", 1, "a condition is missing before AND", "-"),
    ("()", 2, "a condition is missing before )", "-"),
    ("(Score = 1", 11, "the ( at column 1 is not closed", ")"),
    ("(Score = 1 ORDER BY Gold", 12, "the ( at column 1 is not closed", ")"),
    ("Score = 1)", 10, "this ) closes nothing", ""),
    ("WHERE Score = 1", 1, "begins with its first condition", ""),
    ("Score = 1;", 10, "; is too much", ""),
    ("Score = 1 LIMIT 10", 11, "LIMIT is no part of a query", ""),
    ("Score = 1,000", 10, "a comma stands only in IN", ""),
    ("Score = 1 \"x\" and more", 11, "\"x\" is too much", ""),
    // Order.
    ("ORDER Score", 7, "BY is missing", "BY"),
    ("Score = 1 ORDER BY", 19, "an attribute to sort by is missing", "PlayerId"),
    ("ORDER BY Score DESCENDING", 16, "DESCENDING is no direction", "DESC"),
    ("ORDER BY Score Gold", 16, "a comma is missing before Gold", ","),
    ("ORDER BY Score, score", 17, "Score is in ORDER BY already", "-"),
    ("ORDER BY Score AND Gold = 1", 16, "conditions come before ORDER BY", "-"),
    ("ORDER BY Score 3", 16, "3 is too much", ""),
    ("ORDER BY PlayerId, Score, Gold, Node, Guild", 39, "at most 4 attributes", "-"),
    // Columns are characters.
    ("DisplayName = \"Ærø\" AND Scor = 1", 25, "no attribute Scor", "Score"),
];

#[test]
fn mistakes_are_told_with_place_and_advice() {
    for (text, column, sentence, suggestion) in TABLE {
        let mistake = mistake(text);
        let shown = mistake.render(text);
        assert!(mistake.sentence.contains(sentence), "{text}\n{shown}");
        assert_eq!(mistake.column, *column, "{text}\n{shown}");
        assert_eq!(mistake.suggestion.as_deref().unwrap_or("-"), *suggestion, "{text}\n{shown}");
        assert!(!mistake.sentence.ends_with('.'), "{shown}");
        assert!(mistake.column + mistake.length <= text.chars().count() + 1, "{shown}");
    }
}

/// Whoever follows the advice comes to a query, or to a mistake further on, and not in circles.
#[test]
fn advice_leads_to_a_query() {
    let mut good = 0;
    for (text, ..) in TABLE {
        let mut text = (*text).to_owned();
        for _ in 0..4 {
            let Err(mistake) = parse(&registry(), &text) else { break };
            let Some(better) = mistake.corrected(&text) else { break };
            text = better;
        }
        match parse(&registry(), &text) {
            Ok(_) => good += 1,
            Err(mistake) => assert_eq!(mistake.suggestion, None, "{}", mistake.render(&text)),
        }
    }
    assert!(good >= 75, "advice led to {good} queries");
}

#[test]
fn a_mistake_is_drawn_for_terminals_and_told_in_a_line() {
    let text = "PlayerStatus = in_room AND\tScore > 1";
    let mistake = mistake(text);
    assert_eq!(
        mistake.render(text),
        "column 16: text is in quotes\n  \
         PlayerStatus = in_room AND Score > 1\n                 \
         ^^^^^^^\n  \
         write \"in_room\""
    );
    assert_eq!(mistake.to_string(), "column 16: text is in quotes; write \"in_room\"");
}

#[test]
fn a_long_query_is_drawn_around_the_mistake() {
    let text = format!("Score IN ({}x) AND Gold = 1{}", "1, ".repeat(60), " ".repeat(90));
    let drawn = mistake(&text).render(&text);
    let lines: Vec<_> = drawn.lines().collect();
    assert!(lines[1].chars().count() < 140, "{drawn}");
    assert!(lines[1].starts_with("  …") && lines[1].ends_with('…'), "{drawn}");
    let caret = lines[2].chars().position(|c| c == '^').unwrap();
    assert_eq!(lines[1].chars().nth(caret), Some('x'), "{drawn}");
}

#[test]
fn what_is_repeated_is_short_and_safe() {
    let mistake = mistake(&format!("Score = 1 {}", "\u{1}".repeat(3)));
    assert_eq!(mistake.sentence, "? is too much");
    let long = super::mistakes::mistake(&format!("{} = 1", "x".repeat(500)));
    assert!(long.sentence.chars().count() < 80);
}

#[test]
fn everything_has_a_bound() {
    let registry = registry();
    let nested = |depth: usize| format!("{}Score = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&registry, &nested(NESTING_MAX)).is_ok());
    assert_eq!(mistake(&nested(NESTING_MAX + 1)).column, NESTING_MAX + 1);
    let negated = |depth: usize| format!("{}Score = 1", "NOT ".repeat(depth));
    assert!(parse(&registry, &negated(NESTING_MAX)).is_ok());
    assert!(mistake(&negated(NESTING_MAX + 1)).sentence.contains("at most 32 deep"));
    // Depth is what is open, not what has been.
    let wide = vec![nested(20); 9].join(" OR ");
    assert!(parse(&registry, &wide).is_ok());

    let list = |len: usize| format!("Score IN ({})", vec!["1"; len].join(","));
    assert!(parse(&registry, &list(IN_LEN_MAX)).is_ok());
    assert_eq!(mistake(&list(IN_LEN_MAX + 1)).sentence, "IN takes at most 100 values");

    let long = |len: usize| format!("Guild = \"{}\"", "ü".repeat((len - 10) / 2));
    assert!(parse(&registry, &long(QUERY_LEN_MAX)).is_ok());
    let over = mistake(&long(QUERY_LEN_MAX + 2));
    assert_eq!(over.sentence, "a query has at most 4096 bytes, this one has 4098");
    assert!(mistake(&"(".repeat(1 << 20)).sentence.contains("4096"));
}

#[test]
fn groups_are_asked_for_by_name() {
    let wrong = |name: &str| Counts::by(&registry(), name).unwrap_err().to_string();
    assert_eq!(
        wrong("CurentRoom"),
        "column 1: there is no attribute CurentRoom; write CurrentRoom"
    );
    assert_eq!(wrong("idletime"), "column 1: IdleTime is a duration: it makes no groups");
}
