//! Comparisons of results that are alike, slower, of other setups, or empty.

use super::*;
use crate::report::sample::{bare, cut, met, slower, violated};

fn change(comparison: &Comparison, name: &str) -> Change {
    let row = comparison.rows.iter().find(|row| row.name == name);
    row.unwrap_or_else(|| panic!("{name} is not in {comparison:?}")).change
}

#[test]
fn a_result_is_the_same_as_itself() {
    let comparison = compare(&met(), &met(), TOLERANCE);
    assert!(!comparison.is_worse());
    assert_eq!(comparison.warnings, [""; 0]);
    let judged = comparison.rows.iter().filter(|row| !row.name.starts_with("echo"));
    assert!(judged.clone().count() > 12);
    assert!(judged.clone().all(|row| row.change == Change::Same), "{comparison:?}");
    assert_eq!(change(&comparison, "echo p99"), Change::Unjudged);
}

#[test]
fn what_is_slower_is_worse_and_the_other_way_round_better() {
    let (before, after) = (met(), slower());
    let worse = compare(&before, &after, TOLERANCE);
    assert!(worse.is_worse());
    for name in ["input_ack p50", "input_ack p99", "command p99", "server CPU per input"] {
        assert_eq!(change(&worse, name), Change::Worse, "{name}");
    }
    for name in ["inputs acknowledged", "server memory", "violations"] {
        assert_eq!(change(&worse, name), Change::Same, "{name}");
    }
    let better = compare(&after, &before, TOLERANCE);
    assert_eq!(change(&better, "input_ack p99"), Change::Better);
    assert!(!better.is_worse());
    assert!(!compare(&before, &after, 9.0).is_worse(), "within a wide tolerance");
}

#[test]
fn a_rate_that_falls_is_worse_and_one_that_ends_too() {
    let row = |a, b| judge(String::new(), Unit::PerSecond, Aim::Up, or_zero([a, b]), 0.1);
    assert_eq!(row(Some(100.0), Some(80.0)).change, Change::Worse);
    assert_eq!(row(Some(100.0), Some(120.0)).change, Change::Better);
    assert_eq!(row(Some(100.0), Some(90.0)).change, Change::Same);
    assert_eq!(row(Some(100.0), None).change, Change::Worse);
    assert_eq!(row(None, Some(100.0)).change, Change::Better);
    assert_eq!(row(None, Some(100.0)).ratio, None);
}

#[test]
fn one_violation_more_is_worse() {
    let comparison = compare(&met(), &violated(), TOLERANCE);
    assert_eq!(change(&comparison, "violations"), Change::Worse);
    assert!(comparison.is_worse());
}

#[test]
fn unequal_setups_and_machines_are_warned_of() {
    let mut other = met();
    other.setup.players = 500;
    other.setup.store = "embedded".to_owned();
    other.setup.scenario = "smoke".to_owned();
    other.machine.cores = 2;
    other.machine.cpu = String::new();
    let warnings = compare(&met(), &other, TOLERANCE).warnings;
    assert_eq!(
        warnings,
        [
            "scenarios differ: kill-one-gateway in A, smoke in B",
            "players differ: 2,000 in A, 500 in B",
            "stores differ: redis in A, embedded in B",
            "numbers of cores differ: 8 in A, 2 in B",
            "processors differ: AMD EPYC 7763 64-Core Processor in A, – in B",
        ]
    );
}

#[test]
fn an_unfinished_or_empty_result_is_compared_as_far_as_it_goes() {
    let warnings = compare(&met(), &cut(), TOLERANCE).warnings;
    assert!(warnings[0].starts_with("B was cut off"), "{warnings:?}");
    let empty = compare(&bare(), &bare(), TOLERANCE);
    assert!(empty.rows.is_empty() && !empty.is_worse());
    let gone = compare(&met(), &bare(), TOLERANCE);
    assert_eq!(change(&gone, "inputs acknowledged"), Change::Worse);
    assert!(gone.warnings.iter().any(|one| one == "input_ack p99: measured in A only"));
    for comparison in [&empty, &gone] {
        let text = comparison.text();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}

#[test]
fn the_table_is_aligned() {
    let text = compare(&met(), &slower(), TOLERANCE).text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("A: kill-one-gateway, 2,000 players on redis, holdfast 0.1.0, "));
    let table: Vec<&&str> = lines.iter().skip_while(|line| !line.is_empty()).skip(1).collect();
    let judged = table.iter().filter(|line| line.ends_with(['e', 'E', 'r']));
    let lens: Vec<usize> = judged.map(|line| line.chars().count()).collect();
    assert!(lens.len() > 10 && lens.iter().all(|len| *len == lens[0]), "{text}");
    assert!(lines.last().unwrap().ends_with("the same within 10 %"), "{text}");
}
