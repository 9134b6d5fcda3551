//! The words of a query. Every text has some: what is no word of the language becomes a token
//! that says so, and the parser complains when it comes to it, so that the first mistake in
//! reading order is the one that is told.

use std::ops::Range;

use winnow::ascii::multispace0;
use winnow::combinator::{alt, delimited, peek, preceded, repeat, terminated};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, one_of, take_till, take_while};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Begins with a letter: a name, a word of the language, or text without quotes.
    Word,
    /// Begins with a digit, perhaps after a sign: a number, a duration, or something like them.
    Number,
    /// In quotes; without them, and without escapes.
    Text(String),
    /// A quote that nothing closes, to the end of the query.
    Unclosed,
    /// In quotes that look right and are not: `“x”`.
    Curly(String),
    /// Of `=<>!&|`, as many as stand together.
    Symbol,
    Open,
    Close,
    Comma,
    /// Any other character.
    Other,
    /// After the last token.
    End,
}

#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// In bytes of the query.
    pub(super) span: Range<usize>,
    pub(super) raw: &'a str,
}

impl Token<'_> {
    /// Whether it is this word of the language, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.raw.eq_ignore_ascii_case(word)
    }
}

type Input<'a> = LocatingSlice<&'a str>;

/// All tokens of a query, without [`Kind::End`].
pub(super) fn tokens(query: &str) -> Vec<Token<'_>> {
    let token = kind.with_taken().with_span();
    let token = token.map(|((kind, raw), span)| Token { kind, span, raw });
    let mut all = preceded(multispace0, repeat(0.., terminated(token, multispace0)));
    // Any character is a token, so there is nothing that this can't read.
    all.parse(Input::new(query)).unwrap_or_default()
}

fn kind(input: &mut Input<'_>) -> Result<Kind, ()> {
    alt((
        word.value(Kind::Word),
        number.value(Kind::Number),
        alt((text('"'), text('\''))).map(Kind::Text),
        (one_of(['"', '\'']), take_till(0.., |_| false)).value(Kind::Unclosed),
        curly,
        take_while(1.., ['=', '<', '>', '!', '&', '|']).value(Kind::Symbol),
        any.map(mark),
    ))
    .parse_next(input)
}

fn mark(c: char) -> Kind {
    match c {
        '(' => Kind::Open,
        ')' => Kind::Close,
        ',' => Kind::Comma,
        _ => Kind::Other,
    }
}

/// Longer than names may be, so that `dungeon-7` without quotes is one thing.
fn word(input: &mut Input<'_>) -> Result<(), ()> {
    let first = take_while(1, |c: char| c.is_alphabetic() || c == '_');
    let rest = take_while(0.., |c: char| c.is_alphanumeric() || "_-.:@/".contains(c));
    (first, rest).void().parse_next(input)
}

fn number(input: &mut Input<'_>) -> Result<(), ()> {
    let sign = take_while(0..=1, ['+', '-']);
    let rest = take_while(0.., |c: char| c.is_alphanumeric() || "_-.:+".contains(c));
    (sign, peek(one_of('0'..='9')), rest).void().parse_next(input)
}

/// What is in quotes. A backslash takes the next character as it is, but for `\n`, `\r`, `\t`.
fn text<'a>(quote: char) -> impl Parser<Input<'a>, String, ()> {
    let escape = preceded('\\', any).map(|c| match c {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        c => c,
    });
    let plain = any.verify(move |c| *c != quote && *c != '\\');
    delimited(quote, repeat(0.., alt((plain, escape))), quote)
}

fn curly(input: &mut Input<'_>) -> Result<Kind, ()> {
    const CURLY: [char; 7] = ['“', '”', '„', '‘', '’', '«', '»'];
    let inside = take_till(0.., CURLY).map(|text: &str| Kind::Curly(text.to_owned()));
    delimited(one_of(CURLY), inside, one_of(CURLY)).parse_next(input)
}
