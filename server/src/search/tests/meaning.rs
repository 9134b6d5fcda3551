//! Queries, how they are written in full, and whom they find.

use super::{found, query};
use crate::search::query::Filter;

/// What is asked, how it is written by the printer, whom it finds.
const TABLE: [(&str, &str, &str); 47] = [
    ("", "", "alice bob carol"),
    ("  \t ", "", "alice bob carol"),
    ("PlayerStatus = \"in_room\"", "PlayerStatus = \"in_room\"", "alice"),
    ("playerstatus='in_room'", "PlayerStatus = \"in_room\"", "alice"),
    ("PlayerStatus = 'IN_ROOM'", "PlayerStatus = \"IN_ROOM\"", ""),
    (
        "PlayerStatus = \"in_room\" AND CurrentRoom = \"dungeon-7\"",
        "PlayerStatus = \"in_room\" AND CurrentRoom = \"dungeon-7\"",
        "alice",
    ),
    ("PlayerLevel >= 12", "PlayerLevel >= 12", "alice"),
    ("PlayerLevel > 12", "PlayerLevel > 12", ""),
    ("PlayerLevel < 12", "PlayerLevel < 12", "bob"),
    ("PlayerLevel <= 3", "PlayerLevel <= 3", "bob"),
    ("Score = -5", "Score = -5", "bob"),
    ("Score=-5 or Score=+900", "Score = -5 OR Score = 900", "alice bob carol"),
    // A missing value answers no to every comparison, and NOT turns that around.
    ("PlayerLevel != 3", "PlayerLevel != 3", "alice"),
    ("NOT PlayerLevel = 3", "NOT PlayerLevel = 3", "alice carol"),
    ("NOT PlayerLevel != 3", "NOT PlayerLevel != 3", "bob carol"),
    ("NOT NOT PlayerLevel = 3", "NOT NOT PlayerLevel = 3", "bob"),
    ("PlayerLevel IS NULL", "PlayerLevel IS NULL", "carol"),
    ("PlayerLevel is not null", "PlayerLevel IS NOT NULL", "alice bob"),
    ("NOT PlayerLevel IS NULL", "NOT PlayerLevel IS NULL", "alice bob"),
    ("IdleTime IS NULL", "IdleTime IS NULL", "carol"),
    // Time since.
    ("IdleTime > 10m", "IdleTime > 10m", "bob"),
    ("IdleTime >= 11m", "IdleTime >= 11m", "bob"),
    ("IdleTime > 660s", "IdleTime > 11m", ""),
    ("IdleTime < 1h30m", "IdleTime < 90m", "alice bob"),
    ("IdleTime = 0s", "IdleTime = 0s", "alice"),
    ("SessionDuration BETWEEN 60m AND 2h", "SessionDuration BETWEEN 1h AND 2h", "alice bob"),
    ("SessionDuration NOT BETWEEN 61m AND 2h", "SessionDuration NOT BETWEEN 61m AND 2h", "bob"),
    ("StartTime < \"2026-11-22T12:00:00+01:00\"", "StartTime < \"2026-11-22T11:00:00Z\"", "alice"),
    ("StartTime >= '2026-11-22T11:00:00Z'", "StartTime >= \"2026-11-22T11:00:00Z\"", "bob"),
    // Lists and beginnings.
    ("PlayerLevel IN (3, 4,5)", "PlayerLevel IN (3, 4, 5)", "bob"),
    ("PlayerLevel NOT IN (3)", "PlayerLevel NOT IN (3)", "alice"),
    ("CurrentRoom STARTS_WITH 'dungeon-'", "CurrentRoom STARTS_WITH \"dungeon-\"", "alice"),
    ("PlayerStatus NOT STARTS_WITH 'in_'", "PlayerStatus NOT STARTS_WITH \"in_\"", "carol"),
    ("CurrentRoom STARTS_WITH ''", "CurrentRoom STARTS_WITH \"\"", "alice"),
    ("PlayerId BETWEEN 'b' AND 'c'", "PlayerId BETWEEN \"b\" AND \"c\"", "bob"),
    ("PlayerId >= 'bob'", "PlayerId >= \"bob\"", "bob carol"),
    // Escapes.
    (r#"DisplayName = "Alice \"the\" Bold""#, r#"DisplayName = "Alice \"the\" Bold""#, "alice"),
    (r#"DisplayName = 'Alice "the" Bold'"#, r#"DisplayName = "Alice \"the\" Bold""#, "alice"),
    (r"Guild = 'a\\b\n\'c'", r#"Guild = "a\\b\n'c""#, ""),
    // What a game declared.
    ("guild = 'Owls' AND NOT Banned = true", "Guild = \"Owls\" AND NOT Banned = true", "alice"),
    ("Banned != FALSE", "Banned != false", "bob"),
    // AND binds stronger than OR, NOT stronger than AND.
    (
        "PlayerLevel = 3 OR PlayerLevel = 12 AND Score = 0",
        "PlayerLevel = 3 OR (PlayerLevel = 12 AND Score = 0)",
        "bob",
    ),
    (
        "(PlayerLevel = 3 OR PlayerLevel = 12) AND Score = 900",
        "(PlayerLevel = 3 OR PlayerLevel = 12) AND Score = 900",
        "alice",
    ),
    ("NOT (PlayerLevel = 3 AND Score = -5)", "NOT (PlayerLevel = 3 AND Score = -5)", "alice carol"),
    (
        "(Score = 1 OR (Score = 2 OR (Score = 900)))",
        "Score = 1 OR Score = 2 OR Score = 900",
        "alice carol",
    ),
    // Order: missing values last, in both directions; then by PlayerId.
    ("ORDER BY PlayerLevel", "ORDER BY PlayerLevel", "bob alice carol"),
    (
        "Score > -9 order by Score desc, idletime ASC",
        "Score > -9 ORDER BY Score DESC, IdleTime",
        "alice carol bob",
    ),
];

#[test]
fn queries_mean_what_they_say() {
    for (text, shown, players) in TABLE {
        assert_eq!(query(text).to_string(), shown, "{text}");
        assert_eq!(found(text), players, "{text}");
    }
}

#[test]
fn what_is_written_reads_back() {
    for (text, shown, _) in TABLE {
        assert_eq!(query(shown), query(text), "{text}");
    }
}

#[test]
fn missing_values_are_last_in_both_directions() {
    assert_eq!(found("ORDER BY PlayerLevel DESC"), "alice bob carol");
    assert_eq!(found("ORDER BY PlayerId DESC"), "carol bob alice");
    assert_eq!(found("ORDER BY CurrentRoom DESC, PlayerId DESC"), "alice carol bob");
}

#[test]
fn a_query_and_its_opposite_find_every_session_once() {
    for (text, _, _) in TABLE {
        let (whole, asked) = (query(""), query(text));
        let Some(filter) = asked.filter else { continue };
        let opposite = Filter::Not(Box::new(filter.clone()));
        for row in super::world() {
            assert!(whole.matches(&row, super::NOW_MS));
            let both = [&filter, &opposite].map(|one| one.matches(&row, super::NOW_MS));
            assert!(both[0] != both[1], "{text}: {}", row.player());
        }
    }
}

#[test]
fn a_moment_that_is_yet_to_come_is_no_time_ago() {
    let future = [super::row("dave", &[("LastCommandTime", super::ago(-5))])];
    let finds = |text: &str| query(text).matches(&future[0], super::NOW_MS);
    assert!(finds("IdleTime = 0s") && finds("IdleTime < 1ms"));
    assert!(!finds("IdleTime > 0s"));
}
