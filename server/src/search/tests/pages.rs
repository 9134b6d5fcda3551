//! Pages, cursors and counts.

use proptest::prelude::*;

use super::{NOW_MS, ago, query, registry, row, score, world};
use crate::search::count::GROUPS_MAX;
use crate::search::page::{CursorError, PAGE_LEN_MAX};
use crate::search::{Counts, Cursor, Declaration, Page, Query, Registry, Row, Type, Value, parse};

/// All pages of a query, one after the other, each through the text of its cursor.
fn walk(query: &Query, rows: &[Row], limit: usize) -> Vec<Vec<Row>> {
    let mut pages = Vec::new();
    let mut cursor = None;
    loop {
        // Later pages are asked for later.
        let now_ms = NOW_MS + 7_000 * pages.len() as u64;
        let mut page = Page::new(query, cursor, limit, now_ms);
        assert_eq!(page.now_ms(), NOW_MS);
        rows.iter().for_each(|row| page.offer(row.clone()));
        let (found, next) = page.finish();
        pages.push(found);
        assert!(pages.len() <= rows.len() + 1, "the pages have no end");
        let Some(next) = next else { return pages };
        cursor = Some(Cursor::parse(&next.to_text(), query).unwrap());
        assert_eq!(cursor.as_ref(), Some(&next));
    }
}

fn many(scores: &[Option<i64>]) -> Vec<Row> {
    let one = |(at, score): (usize, &Option<i64>)| match score {
        Some(score) => row(&format!("p{at}"), &[("Score", (*score).into())]),
        None => row(&format!("p{at}"), &[]),
    };
    scores.iter().enumerate().map(one).collect()
}

proptest! {
    #[test]
    fn pages_joined_are_the_listing(
        scores in prop::collection::vec(prop::option::of(-2_i64..3), 0..40),
        limit in 1_usize..9,
        text in prop::sample::select(vec![
            "", "ORDER BY Score", "ORDER BY Score DESC", "ORDER BY Score, PlayerId DESC",
        ]),
    ) {
        let (query, rows) = (query(text), many(&scores));
        let pages = walk(&query, &rows, limit);
        prop_assert!(pages.iter().rev().skip(1).all(|page| page.len() == limit));
        prop_assert!(pages.iter().all(|page| page.len() <= limit));
        let mut sorted = rows;
        sorted.sort_by(|one, two| query.compare(one, two, NOW_MS));
        prop_assert_eq!(pages.concat(), sorted);
    }

    #[test]
    fn no_text_breaks_a_cursor(text in "([0-9a-f]{2}){0,40}|\\PC{0,40}") {
        prop_assert!(Cursor::parse(&text, &query("")).is_err());
    }
}

#[test]
fn times_since_order_alike_on_every_page() {
    let rows: Vec<_> =
        (0..9).map(|n| row(&format!("p{n}"), &[("LastCommandTime", ago(n))])).collect();
    let pages = walk(&query("ORDER BY IdleTime DESC"), &rows, 2);
    let players: Vec<_> = pages.concat().iter().map(|row| row.player().to_string()).collect();
    assert_eq!(players.join(" "), "p8 p7 p6 p5 p4 p3 p2 p1 p0");
}

#[test]
fn a_cursor_is_of_one_query() {
    let asked = query("ORDER BY Score");
    let mut page = Page::new(&asked, None, 1, NOW_MS);
    world().into_iter().for_each(|row| page.offer(row));
    let text = page.finish().1.unwrap().to_text();
    assert!(Cursor::parse(&text, &query("order by score ASC")).is_ok());
    for other in ["", "ORDER BY Gold", "ORDER BY Score DESC", "Score > 1 ORDER BY Score"] {
        assert_eq!(Cursor::parse(&text, &query(other)), Err(CursorError::OtherQuery), "{other}");
    }
    for cut in 0..text.len() {
        assert!(Cursor::parse(&text[..cut], &asked).is_err(), "{cut}");
    }
    let padded = text + &"00".repeat(1 << 13);
    assert_eq!(Cursor::parse(&padded, &asked), Err(CursorError::Damaged));
}

#[test]
fn a_cursor_is_of_the_types_that_its_query_has_now() {
    let asked = query("ORDER BY Guild DESC");
    let mut page = Page::new(&asked, None, 1, NOW_MS);
    world().into_iter().for_each(|row| page.offer(row));
    let text = page.finish().1.unwrap().to_text();
    assert!(Cursor::parse(&text, &asked).is_ok());
    let mut later = Registry::default();
    later.declare(Declaration::stored("Guild", Type::Integer)).unwrap();
    let asked = parse(&later, "ORDER BY Guild DESC").unwrap();
    assert_eq!(Cursor::parse(&text, &asked), Err(CursorError::OtherQuery));
}

#[test]
fn a_page_is_bounded_and_takes_a_row_once() {
    let asked = query("");
    let mut page = Page::new(&asked, None, usize::MAX, NOW_MS);
    let rows = many(&vec![Some(1); PAGE_LEN_MAX + 5]);
    for row in rows.iter().rev() {
        page.offer(row.clone());
        page.offer(row.clone());
    }
    assert!(page.is_full());
    assert_eq!(page.finish().0.len(), PAGE_LEN_MAX);
    let mut page = Page::new(&asked, None, 0, NOW_MS);
    page.offer(rows[0].clone());
    page.offer(super::row("p0", &[("Score", 2_i64.into())]));
    assert!(!page.is_full());
    let (rows, next) = page.finish();
    assert_eq!((rows.len(), score(&rows[0]), next), (1, Some(2), None));
}

#[test]
fn an_order_by_value_is_never_full() {
    let asked = query("ORDER BY Score");
    let mut page = Page::new(&asked, None, 1, NOW_MS);
    many(&[Some(1), Some(2), Some(0)]).into_iter().for_each(|row| page.offer(row));
    assert!(!page.is_full());
    assert_eq!(score(&page.finish().0[0]), Some(0));
}

#[test]
fn sessions_are_counted_by_group() {
    let registry = registry();
    let mut counts = Counts::by(&registry, "score").unwrap();
    world().iter().for_each(|row| counts.offer(row));
    counts.offer(&row("dave", &[]));
    let mut elsewhere = Counts::by(&registry, "Score").unwrap();
    elsewhere.offer(&row("erin", &[("Score", (-5_i64).into())]));
    elsewhere.offer(&row("fred", &[("Score", (-5_i64).into())]));
    counts.merge(elsewhere);
    assert_eq!(counts.attribute().name(), "Score");
    let groups = counts.groups();
    let (low, high) = (Value::from(-5_i64), Value::from(900_i64));
    assert_eq!(groups, [(Some(&low), 3), (Some(&high), 2), (None, 1)]);
    assert_eq!((counts.total(), counts.other()), (6, 0));
}

#[test]
fn groups_have_a_bound_and_nobody_is_lost() {
    let registry = registry();
    let mut counts = Counts::by(&registry, "Gold").unwrap();
    for gold in (0..GROUPS_MAX as i64 + 7).chain([0]) {
        counts.offer(&row("alice", &[("Gold", gold.into())]));
    }
    let mut both = counts.clone();
    both.merge(counts.clone());
    assert_eq!((counts.groups().len(), counts.other()), (GROUPS_MAX, 7));
    assert_eq!((counts.total(), both.total()), (1_008, 2_016));
    assert_eq!((counts.groups()[0].1, both.other()), (2, 14));
}
