//! The examples of `docs/queries.md`, through the real parser.

use super::registry;
use crate::search::attribute::BUILTIN;
use crate::search::parse;

const PAGE: &str = include_str!("../../../../docs/queries.md");

/// The texts of the blocks that are marked so.
fn blocks(mark: &str) -> Vec<&'static str> {
    let opening = format!("```{mark}\n");
    let blocks = PAGE.split(opening.as_str()).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_query_of_the_page_is_one() {
    let queries: Vec<_> = blocks("query").into_iter().flat_map(str::lines).collect();
    assert!(queries.len() >= 15, "{queries:?}");
    for text in queries {
        if let Err(mistake) = parse(&registry(), text) {
            panic!("{}", mistake.render(text));
        }
    }
}

#[test]
fn every_mistake_of_the_page_is_told_so() {
    let mistakes: Vec<_> =
        blocks("mistake").into_iter().flat_map(|block| block.trim().split("\n\n")).collect();
    assert!(mistakes.len() >= 4);
    for shown in mistakes {
        let (text, told) = shown.split_once('\n').unwrap();
        let text = text.strip_prefix("> ").unwrap();
        assert_eq!(parse(&registry(), text).unwrap_err().render(text), told);
    }
}

#[test]
fn every_built_in_attribute_is_on_the_page() {
    for one in BUILTIN {
        let attribute = one.attribute();
        let kind = format!("{:?}", attribute.kind()).to_lowercase();
        let line = format!("| `{}` | {kind} |", attribute.name());
        assert!(PAGE.contains(&line), "{line}");
    }
}
