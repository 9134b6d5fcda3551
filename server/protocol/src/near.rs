//! "Did you mean …?": the nearest known word to a mistyped one.

/// Longest part of a client's word that is repeated back to it, in characters.
const ECHO_LEN_MAX: usize = 32;

/// `word (did you mean x?)`, or only the word when nothing is near. Safe to show.
pub(crate) fn suggest(word: &str, known: &[&'static str]) -> String {
    let shown: String =
        word.chars().take(ECHO_LEN_MAX).map(|c| if c.is_control() { '?' } else { c }).collect();
    match nearest(word, known) {
        Some(near) => format!("{shown} (did you mean {near}?)"),
        None => shown,
    }
}

/// The known word at the smallest distance, when it is at most a third of the letters away.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.chars().count() > ECHO_LEN_MAX {
        return None;
    }
    let word = word.to_lowercase();
    let (distance, near) = known.iter().map(|near| (distance(&word, near), *near)).min()?;
    let allowed = (word.chars().count().max(near.len()) / 3).clamp(1, 3);
    (distance <= allowed && distance < word.chars().count()).then_some(near)
}

/// Edit distance; a swap of two neighbours counts as one edit.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    let mut last_left = None;
    for (row, l) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, r) in right.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let swap = column > 0
                && last_left == Some(*r)
                && right.get(column.wrapping_sub(1)) == Some(&l);
            let mut best = at(&above, column) + usize::from(l != *r);
            best = best.min(at(&above, column + 1) + 1).min(at(&current, column) + 1);
            if swap {
                best = best.min(at(&before, column.wrapping_sub(1)) + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
        last_left = Some(l);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["attack", "say", "get_state", "join"];

    #[test]
    fn a_near_miss_is_suggested() {
        assert_eq!(suggest("atack", &KNOWN), "atack (did you mean attack?)");
        assert_eq!(suggest("ATTACK", &KNOWN), "ATTACK (did you mean attack?)");
        assert_eq!(suggest("getstate", &KNOWN), "getstate (did you mean get_state?)");
        assert_eq!(suggest("jion", &KNOWN), "jion (did you mean join?)");
    }

    #[test]
    fn far_words_are_only_repeated_and_made_safe() {
        assert_eq!(suggest("dance", &KNOWN), "dance");
        assert_eq!(suggest("", &KNOWN), "");
        assert_eq!(suggest("a\u{7}'", &KNOWN), "a?'");
        assert_eq!(suggest(&"x".repeat(9000), &KNOWN).len(), 32);
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
