//! The order of a listing, its pages, and where the next one begins.
//!
//! - The order is total: what ORDER BY leaves equal is ordered by `PlayerId`. Sessions without a
//!   value come last, in both directions.
//! - All pages of a listing use the now of the first, so that a time since orders alike on each.
//! - A cursor is the last row's place in the order, not a number of rows: sessions that come and
//!   go between two pages make none be skipped or shown twice. One whose own value changes may
//!   move past the cursor.

use std::cmp::Ordering;

use holdfast_protocol::ids::PlayerId;
use serde::{Deserialize, Serialize};

use super::query::{Query, Sort};
use super::row::Row;
use super::value::Value;

/// Most rows of a page.
pub const PAGE_LEN_MAX: usize = 1_000;
const CURSOR_FORMAT: u8 = 1;
const CURSOR_LEN_MAX: usize = 8_192;

/// A row's place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// One for each attribute of ORDER BY.
    keys: Vec<Option<Value>>,
    player: PlayerId,
}

impl Place {
    fn of(query: &Query, row: &Row, now_ms: u64) -> Self {
        let key = |sort: &Sort| Some(row.value(&sort.attribute, now_ms)?.to_value());
        Self { keys: query.order.iter().map(key).collect(), player: row.player().clone() }
    }

    fn cmp(&self, other: &Self, order: &[Sort]) -> Ordering {
        let keys = self.keys.iter().zip(&other.keys).zip(order);
        let mut unequal =
            keys.map(|((one, two), sort)| compare(one, two, sort.descending)).filter(|o| o.is_ne());
        unequal.next().unwrap_or_else(|| self.player.cmp(&other.player))
    }
}

fn compare(one: &Option<Value>, two: &Option<Value>, descending: bool) -> Ordering {
    match (one, two) {
        (Some(one), Some(two)) if descending => two.cmp(one),
        (Some(one), Some(two)) => one.cmp(two),
        (one, two) => one.is_none().cmp(&two.is_none()),
    }
}

impl Query {
    /// Which of two sessions comes first, `now_ms` (Unix) being now. Equal for one session only.
    #[must_use]
    pub fn compare(&self, one: &Row, two: &Row, now_ms: u64) -> Ordering {
        Place::of(self, one, now_ms).cmp(&Place::of(self, two, now_ms), &self.order)
    }
}

/// Why a text is no cursor of a query. Reacts: the caller, who begins with the first page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// No cursor, or cut short.
    #[error("this is no cursor: take the one that came with the page before")]
    Damaged,
    /// A cursor of another query.
    #[error("the cursor is another query's: begin with the first page")]
    OtherQuery,
}

/// Where the next page of a query begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Tells queries apart, so that a cursor of another one is noticed.
    query: u32,
    now_ms: u64,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Packed(u8, u32, u64, Vec<Option<Value>>, PlayerId);

fn fingerprint(query: &Query) -> u32 {
    crc32fast::hash(query.to_string().as_bytes())
}

impl Cursor {
    /// As text that fits in a URL.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (keys, player) = (self.place.keys.clone(), self.place.player.clone());
        let packed = Packed(CURSOR_FORMAT, self.query, self.now_ms, keys, player);
        let bytes = rmp_serde::to_vec(&packed).unwrap_or_default();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads a cursor of `query`.
    ///
    /// # Errors
    /// [`CursorError`] when the text is no cursor, or another query's.
    pub fn parse(text: &str, query: &Query) -> Result<Self, CursorError> {
        let bytes = from_hex(text).ok_or(CursorError::Damaged)?;
        let packed = rmp_serde::from_slice(&bytes).map_err(|_| CursorError::Damaged)?;
        let Packed(CURSOR_FORMAT, of, now_ms, keys, player) = packed else {
            return Err(CursorError::Damaged);
        };
        let fits = |(key, sort): (&Option<Value>, &Sort)| {
            key.as_ref().is_none_or(|key| key.is_of(sort.attribute.kind()))
        };
        let fits = keys.len() == query.order.len() && keys.iter().zip(&query.order).all(fits);
        if of != fingerprint(query) || !fits {
            return Err(CursorError::OtherQuery);
        }
        Ok(Self { query: of, now_ms, place: Place { keys, player } })
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() > CURSOR_LEN_MAX || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? * 16 + digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

/// Collects one page out of rows that come in any order. Holds as many rows as the page has, and
/// one more.
#[derive(Debug)]
pub struct Page<'a> {
    query: &'a Query,
    after: Option<Place>,
    now_ms: u64,
    limit: usize,
    /// In order.
    rows: Vec<(Place, Row)>,
}

impl<'a> Page<'a> {
    /// A page of at most `limit` rows (1 to [`PAGE_LEN_MAX`], else the nearest of these), the
    /// first one or the one after `cursor`. `now_ms` is Unix time; a cursor brings its own.
    #[must_use]
    pub fn new(query: &'a Query, cursor: Option<Cursor>, limit: usize, now_ms: u64) -> Self {
        let now_ms = cursor.as_ref().map_or(now_ms, |cursor| cursor.now_ms);
        let after = cursor.map(|cursor| cursor.place);
        Self { query, after, now_ms, limit: limit.clamp(1, PAGE_LEN_MAX), rows: Vec::new() }
    }

    /// The now of this listing, which the plan must use too.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Offers a session that the query matches. One that is offered again replaces itself, as
    /// long as its place in the order is the same.
    pub fn offer(&mut self, row: Row) {
        let order = &self.query.order;
        let place = Place::of(self.query, &row, self.now_ms);
        if self.after.as_ref().is_some_and(|after| place.cmp(after, order).is_le()) {
            return;
        }
        match self.rows.binary_search_by(|(one, _)| one.cmp(&place, order)) {
            Ok(at) => {
                if let Some(known) = self.rows.get_mut(at) {
                    *known = (place, row);
                }
            }
            Err(at) if at <= self.limit => {
                self.rows.insert(at, (place, row));
                self.rows.truncate(self.limit + 1);
            }
            Err(_) => {}
        }
    }

    /// Where a walk in the order of `PlayerId` may begin: only later rows belong here.
    #[must_use]
    pub fn begins_after(&self) -> Option<&PlayerId> {
        let after = self.after.as_ref().filter(|_| self.query.order.is_empty());
        after.map(|place| &place.player)
    }

    /// Whether a walk in the order of `PlayerId` may stop, because no later row belongs here.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.query.order.is_empty() && self.rows.len() > self.limit
    }

    /// The rows in order, and the cursor of the next page if there is one.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Row>, Option<Cursor>) {
        let more = self.rows.len() > self.limit;
        self.rows.truncate(self.limit);
        let cursor = self.rows.last().filter(|_| more).map(|(place, _)| Cursor {
            query: fingerprint(self.query),
            now_ms: self.now_ms,
            place: place.clone(),
        });
        (self.rows.into_iter().map(|(_, row)| row).collect(), cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_one_row_more_than_it_shows() {
        let query = Query::default();
        let mut page = Page::new(&query, None, 2, 0);
        for name in ["e", "d", "c", "b", "a"] {
            page.offer(Row::new(PlayerId::new(name).unwrap()));
        }
        assert_eq!(page.rows.len(), 3);
    }
}
