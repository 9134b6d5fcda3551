//! What is wrong with a query: where, why, and what to write instead.

use std::fmt;
use std::ops::Range;

/// Characters of a query shown on each side of a mistake.
const AROUND_MAX: usize = 60;
/// Characters of a query's words that a sentence repeats.
const ECHO_LEN_MAX: usize = 40;

/// A mistake in a query, for whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it begins, in characters, from 1. One past the end where something is missing there.
    pub column: usize,
    /// How many characters are meant; 0 where something is missing.
    pub length: usize,
    /// What is wrong: one sentence, without a full stop.
    pub sentence: String,
    /// What to write in place of those characters. Empty: take them away.
    pub suggestion: Option<String>,
}

/// A mistake as the parser finds it: in bytes.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) sentence: String,
    pub(super) suggestion: Option<String>,
}

impl Fault {
    pub(super) fn new(span: Range<usize>, sentence: impl Into<String>) -> Self {
        Self { span, sentence: sentence.into(), suggestion: None }
    }

    pub(super) fn or(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    pub(super) fn or_perhaps(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }

    pub(super) fn into_mistake(self, query: &str) -> Mistake {
        let count =
            |range: Range<usize>| query.char_indices().filter(|(at, _)| range.contains(at)).count();
        Mistake {
            column: count(0..self.span.start) + 1,
            length: count(self.span),
            sentence: self.sentence,
            suggestion: self.suggestion,
        }
    }
}

/// A piece of a query that is safe in a sentence.
pub(super) fn echo(raw: &str) -> String {
    let safe = |c: char| if c.is_control() { '?' } else { c };
    let mut shown: String = raw.chars().take(ECHO_LEN_MAX).map(safe).collect();
    if raw.chars().nth(ECHO_LEN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

impl Mistake {
    /// The query with the suggestion in it; perhaps with another mistake further on. `None` where
    /// nothing is suggested.
    #[must_use]
    pub fn corrected(&self, query: &str) -> Option<String> {
        let new = self.suggestion.as_ref()?;
        let start = self.column.saturating_sub(1);
        let before: String = query.chars().take(start).collect();
        let after: String = query.chars().skip(start + self.length).collect();
        let missing = self.length == 0;
        let gap = |beside: Option<char>| {
            if missing && beside.is_some_and(|c| !c.is_whitespace()) { " " } else { "" }
        };
        let (left, right) = (gap(before.chars().next_back()), gap(after.chars().next()));
        Some(format!("{before}{left}{new}{right}{after}"))
    }

    /// For terminals: the sentence, the query with the place underlined, the suggestion. Ends
    /// without a line break.
    #[must_use]
    pub fn render(&self, query: &str) -> String {
        let at = self.column.saturating_sub(1);
        let first = at.saturating_sub(AROUND_MAX);
        let last = at + self.length.min(AROUND_MAX) + AROUND_MAX;
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let shown: String = query.chars().take(last).skip(first).map(plain).collect();
        let (left, right) = (
            if first > 0 { "…" } else { "" },
            if query.chars().nth(last).is_some() { "…" } else { "" },
        );
        let indent = " ".repeat(at - first + left.chars().count());
        let caret = "^".repeat(self.length.clamp(1, AROUND_MAX));
        let head = format!("column {}: {}", self.column, self.sentence);
        let lines = format!("{head}\n  {left}{shown}{right}\n  {indent}{caret}");
        match self.advice() {
            Some(advice) => format!("{lines}\n  {advice}"),
            None => lines,
        }
    }

    fn advice(&self) -> Option<String> {
        let new = self.suggestion.as_ref()?;
        Some(if new.is_empty() { "leave it out".into() } else { format!("write {}", echo(new)) })
    }
}

/// One line, for JSON and logs.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.sentence)?;
        self.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl std::error::Error for Mistake {}
