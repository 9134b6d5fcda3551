//! What could not be compared, and for whom: many players with one reason become one sentence.
//! Pure.

use std::collections::BTreeMap;

/// Names that a sentence gives.
const NAMED: usize = 3;

/// Why something could not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The journal could not be read.
    Journal,
    /// The state could not be read.
    State,
    /// It is not known how many steps were dropped.
    Metrics,
    /// It is not known whether all commands took effect.
    Open,
    /// The player has played before.
    Foreign,
    /// What was acknowledged is no longer kept.
    Trimmed,
    /// What the player began with is not known.
    Goods,
    /// It is not known what its trades have brought.
    Trades,
    /// One side is not of this process.
    Others,
    /// The room's journal could not be read.
    Room,
    /// The room's beginning is no longer kept.
    RoomTrimmed,
}

#[derive(Debug, Default)]
struct Noted {
    players: u64,
    things: u64,
    names: Vec<String>,
    why: Option<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Unchecked {
    noted: BTreeMap<Reason, Noted>,
}

impl Unchecked {
    /// Something of a player or room could not be compared: so many things, because of that.
    pub(super) fn note(&mut self, reason: Reason, whose: &str, things: u64, why: Option<String>) {
        let noted = self.noted.entry(reason).or_default();
        noted.players += 1;
        noted.things += things;
        if noted.names.len() < NAMED {
            noted.names.push(whose.to_owned());
        }
        noted.why = noted.why.take().or(why);
    }

    /// Adds what could not be compared for others.
    pub(super) fn extend(&mut self, other: Self) {
        for (reason, more) in other.noted {
            let noted = self.noted.entry(reason).or_default();
            noted.players += more.players;
            noted.things += more.things;
            noted.names.extend(more.names);
            noted.names.truncate(NAMED);
            noted.why = noted.why.take().or(more.why);
        }
    }

    /// A sentence for each reason.
    pub(super) fn sentences(&self) -> Vec<String> {
        self.noted.iter().map(|(reason, noted)| sentence(*reason, noted)).collect()
    }
}

/// Such as `1 player` and `2 players`.
fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn sentence(reason: Reason, noted: &Noted) -> String {
    let Noted { players, things, names, why } = noted;
    let more = if *players > names.len() as u64 { ", …" } else { "" };
    let names = format!("{}{more}", names.join(", "));
    let why = why.as_deref().unwrap_or("unknown");
    let (rooms, players) = (count(*players, "room"), count(*players, "player"));
    match reason {
        Reason::Journal => {
            format!("the journals of {players} could not be read ({names}): {why}")
        }
        Reason::State => {
            format!("the states of {players} could not be read ({names}): {why}")
        }
        Reason::Metrics => format!(
            "the places of {players} were not compared ({names}): how many steps were dropped \
             could not be read: {why}"
        ),
        Reason::Open => format!(
            "the states of {players} were not compared ({names}): {} without an outcome",
            count(*things, "request")
        ),
        Reason::Foreign => format!(
            "the states of {players} were not compared ({names}): they have played {} that are \
             not of this run",
            count(*things, "session")
        ),
        Reason::Trimmed => format!(
            "{} of {players} were not looked up ({names}): the servers no longer keep records \
             that old",
            count(*things, "acknowledgement")
        ),
        Reason::Goods => format!(
            "{players} left out of the sum of gold and items ({names}): what they began with or \
             have used is not known"
        ),
        Reason::Trades => format!(
            "what trades have brought to {players} was not compared ({names}): not all that they \
             were told is known"
        ),
        Reason::Others => format!(
            "{} of {names} were not compared: one side is another generator's",
            count(*things, "word")
        ),
        Reason::Room => {
            format!("the journals of {rooms} could not be read ({names}): {why}")
        }
        Reason::RoomTrimmed => format!(
            "the beginnings of {rooms} were not looked at ({names}): the servers no longer keep \
             records that old"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_with_one_reason_are_one_sentence() {
        let mut unchecked = Unchecked::default();
        unchecked.note(Reason::Trimmed, "lt1-0", 7, None);
        for nth in 1..9 {
            let mut other = Unchecked::default();
            other.note(Reason::Trimmed, &format!("lt1-{nth}"), 10, None);
            unchecked.extend(other);
        }
        unchecked.note(Reason::Journal, "lt1-3", 0, Some("it does not answer".to_owned()));
        unchecked.note(Reason::Journal, "lt1-4", 0, Some("nor this".to_owned()));
        let expected = [
            "the journals of 2 players could not be read (lt1-3, lt1-4): it does not answer",
            "87 acknowledgements of 9 players were not looked up (lt1-0, lt1-1, lt1-2, …): the \
             servers no longer keep records that old",
        ];
        assert_eq!(unchecked.sentences(), expected);
    }
}
