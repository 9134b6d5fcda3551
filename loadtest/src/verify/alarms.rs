//! What the servers' alarms come to, over kills and restarts. Pure.

use std::collections::BTreeMap;

use super::tally::{ALARMS, Tally};
use crate::load::orders::Verified;
use crate::result::Violation;

/// The metric that counts them.
const METRIC: &str = "holdfast_alarms_total";

/// What servers log of a store that has lost something, for which they make up.
const MENDED: [&str; 2] = ["written back", "written over"];
/// Errors that a violation shows.
const SHOWN: usize = 8;

/// Alarms of all servers of a run.
#[derive(Debug, Clone, Default)]
pub struct Alarms {
    /// By server: what it said last, and what those before it had come to.
    seen: BTreeMap<String, (u64, u64)>,
}

/// The alarms that a server counts, by its page of metrics; `None`: it does not say.
#[must_use]
pub fn count(metrics: &str) -> Option<u64> {
    let of = |line: &str| -> Option<f64> {
        let (name, number) = line.rsplit_once(' ')?;
        let name = name.split('{').next()?;
        (name == METRIC).then(|| number.parse().ok())?
    };
    let mut numbers = metrics.lines().filter_map(of).peekable();
    numbers.peek()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter of few")]
    let sum = numbers.sum::<f64>() as u64;
    Some(sum)
}

impl Alarms {
    /// A server has counted so many. One that counts fewer than before was started anew.
    pub fn note(&mut self, server: &str, count: u64) {
        let (last, before) = self.seen.entry(server.to_owned()).or_default();
        if count < *last {
            *before += *last;
        }
        *last = count;
    }

    /// The servers that were looked at, each with its alarms.
    pub fn servers(&self) -> impl Iterator<Item = (&str, u64)> {
        self.seen.iter().map(|(name, (last, before))| (name.as_str(), last + before))
    }

    /// What they come to. `words`: errors that a server has logged, by its name. `meant`: something
    /// was done to the store that raises alarms too; then only other errors prove anything.
    #[must_use]
    pub fn judge(&self, words: &BTreeMap<String, Vec<String>>, meant: bool) -> Verified {
        let mut verified = Verified::of(&[ALARMS]);
        let mut tally = Tally::default();
        for (server, count) in self.servers() {
            tally.looked(ALARMS, 1);
            if count == 0 {
                continue;
            }
            let is_stray =
                |line: &&String| !meant || !MENDED.iter().any(|what| line.contains(what));
            let strays = words.get(server).into_iter().flatten().filter(is_stray);
            let history: Vec<_> = strays.take(SHOWN).cloned().collect();
            let what = format!("{server} raised {count} alarms");
            if meant && history.is_empty() {
                let why = "what was done to the store raises some, and it logged no others";
                verified.unchecked.push(format!("{what}: {why}"));
                continue;
            }
            tally.broken(ALARMS, what.clone(), &[]);
            let (check, player) = (ALARMS.to_owned(), server.to_owned());
            verified.violations.push(Violation { check, player, what, history });
        }
        tally.count_in(&mut verified);
        verified
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_on_the_page() {
        let page = "# HELP holdfast_alarms_total Things\n# TYPE holdfast_alarms_total counter\n\
                    holdfast_appends_total 7\nholdfast_alarms_total 3\n";
        assert_eq!((count(page), count("holdfast_appends_total 7")), (Some(3), None));
        let two = "holdfast_alarms_total{kind=\"a\"} 1\nholdfast_alarms_total{kind=\"b\"} 2";
        assert_eq!(count(two), Some(3));
    }

    #[test]
    fn alarms_of_a_server_that_was_killed_are_not_forgotten() {
        let mut alarms = Alarms::default();
        for (server, count) in [("gw-1", 0), ("gw-1", 2), ("gw-2", 0), ("gw-1", 0), ("gw-1", 1)] {
            alarms.note(server, count);
        }
        let servers: Vec<_> = alarms.servers().collect();
        assert_eq!(servers, [("gw-1", 3), ("gw-2", 0)]);
        let words = BTreeMap::from([("gw-1".to_owned(), vec!["trade t1 is short".to_owned()])]);
        let found = alarms.judge(&words, false);
        let check = &found.checks[ALARMS];
        assert_eq!((check.looked_at, check.violations), (2, 1));
        let [violation] = &found.violations[..] else { panic!("{:?}", found.violations) };
        assert_eq!((&*violation.player, &*violation.what), ("gw-1", "gw-1 raised 3 alarms"));
        assert_eq!(violation.history, ["trade t1 is short"]);
        let stray = alarms.judge(&words, true);
        assert_eq!((stray.checks[ALARMS].violations, stray.unchecked.len()), (1, 0));
        let mended = vec!["the store has nothing of this actor, which is written back".to_owned()];
        let words = BTreeMap::from([("gw-1".to_owned(), mended)]);
        let meant = alarms.judge(&words, true);
        assert_eq!((meant.checks[ALARMS].violations, meant.unchecked.len()), (0, 1));
        assert_eq!(alarms.judge(&words, false).checks[ALARMS].violations, 1);
        let silent = Alarms { seen: BTreeMap::from([("gw-1".to_owned(), (0, 0))]) };
        assert_eq!(silent.judge(&words, false).checks[ALARMS].violations, 0);
    }
}
