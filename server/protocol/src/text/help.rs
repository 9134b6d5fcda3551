//! Help for each word of the text mode. Every word that [`super::parse`] knows has a row here.

use super::TextError;

/// One word of the text mode.
struct Help {
    word: &'static str,
    usage: &'static str,
    what: &'static str,
}

const fn row(word: &'static str, usage: &'static str, what: &'static str) -> Help {
    Help { word, usage, what }
}

/// Every word, in the order of the overview.
const HELP: [Help; 28] = [
    row(
        "login",
        "login NAME [TOKEN]",
        "Starts playing as NAME: 1 to 32 of a-z, 0-9, _ and -. A claimed name needs its TOKEN.",
    ),
    row(
        "join",
        "join ROOM",
        "Enters a room and leaves the former one: join arena. Any name makes a room.",
    ),
    row("leave", "leave", "Leaves the room; you stay connected."),
    row(
        "attack",
        "attack [PLAYER]",
        "Strikes PLAYER, who must be in your room, for 25 damage; without one it is practice. \
         Each move gives 10 xp, and damage and xp make your score.",
    ),
    row(
        "special",
        "special [PLAYER]",
        "Strikes PLAYER for 40 damage, or practises; then it cools down for 5 seconds.",
    ),
    row("defend", "defend", "Halves the blows at you for 3 seconds."),
    row(
        "heal",
        "heal",
        "Gives you back 15 health, up to your maximum. Who is at 0 is defeated, and stands up \
         after 5 seconds.",
    ),
    row(
        "move",
        "move DIRECTION [STEPS]",
        "Walks n, ne, e, se, s, sw, w or nw in the room, 1 to 32 steps: move n 3.",
    ),
    row("look", "look", "Shows where you are, who is here, where they stand and their health."),
    row("inv", "inv", "Shows what you carry."),
    row(
        "use",
        "use ITEM",
        "Uses an item by its id or a word of its name: use potion gives back 50 health.",
    ),
    row("gold", "gold", "Shows how much gold you have."),
    row(
        "trade",
        "trade [PLAYER GOODS [for GOODS]]",
        "Offers your GOODS to PLAYER for theirs: trade bob sword 1 for gold 20. Items go by id or a \
         word of their name, several are joined by and, nothing is nothing: trade bob nothing for \
         potion 2 and gold 5. What you offer is reserved until the offer ends. Alone it shows the \
         open offers.",
    ),
    row(
        "gift",
        "gift PLAYER GOODS",
        "Gives PLAYER your GOODS for nothing: gift bob potion 1 and gold 3.",
    ),
    row("accept", "accept OFFER", "Accepts an offer, called by its number: accept 1."),
    row(
        "counter",
        "counter OFFER GOODS [for GOODS]",
        "Answers an offer with your own terms, your GOODS first: counter 1 potion 2 for gold 5.",
    ),
    row("cancel", "cancel OFFER", "Takes your offer back, or declines another's: cancel 1."),
    row("say", "say TEXT", "Speaks to everybody in the room, up to 200 characters."),
    row(
        "party",
        "party [create NAME [end|pass on] | invite PLAYER | kick PLAYER | accept [PARTY] | leave | \
         say TEXT | join ROOM]",
        "Alone it shows your party and your invitations. A party's leader invites, sends away, and \
         leads all of it into a room or nobody; when the leader leaves, the party ends or is passed \
         on, which it is unless you say end. PARTY is a name, an id or a leader.",
    ),
    row("who", "who", "Shows who is connected, and in which room."),
    row("rooms", "rooms", "Shows the rooms and how full they are."),
    row("top", "top", "Shows the leaderboard: the players with the highest score."),
    row("state", "state", "Shows all about you."),
    row(
        "watch",
        "watch on|off [HZ]",
        "Shows who moves in the room as it happens, at most HZ (1 to 20) times a second, 2 unless \
         you say.",
    ),
    row(
        "json",
        "json on|off",
        "Answers in JSON instead of lines; a line that begins with { does so too.",
    ),
    row("ping", "ping", "Asks for a sign of life and the server's time."),
    row("help", "help [WORD]", "Explains a word, or lists all."),
    row("quit", "quit", "Logs out, which leaves the room, and closes the connection."),
];

/// The words alone, for suggestions.
pub(super) const WORDS: [&str; 28] = [
    "login", "join", "leave", "attack", "special", "defend", "heal", "move", "look", "inv", "use",
    "gold", "trade", "gift", "accept", "counter", "cancel", "say", "party", "who", "rooms", "top",
    "state", "watch", "json", "ping", "help", "quit",
];

fn find(word: &str) -> Option<&'static Help> {
    HELP.iter().find(|help| help.word == word)
}

/// `usage: attack [PLAYER]`.
pub(super) fn usage(word: &str) -> String {
    let usage = find(word).map_or(word, |help| help.usage);
    format!("usage: {usage}")
}

/// What `help` answers: the overview, or one word explained. One line, because tools such as
/// websocat show one message as one line.
///
/// # Errors
/// [`TextError`] with `unknown_verb` when there is no such word.
pub fn help(topic: Option<&str>) -> Result<String, TextError> {
    let Some(word) = topic else { return Ok(overview()) };
    let help = find(word).ok_or_else(|| unknown(word))?;
    Ok(format!("* {}: {}", help.usage, help.what))
}

/// A word that is none of ours: the nearest one, or how to see them all.
pub(super) fn unknown(word: &str) -> TextError {
    let mut error = TextError::unknown_verb(word, &WORDS);
    if !error.message.ends_with("?)") {
        error.message.push_str(" (\"help\" lists the words)");
    }
    error
}

fn overview() -> String {
    let usages: Vec<&str> = HELP.iter().map(|help| help.usage).collect();
    format!(
        "* To begin: login NAME, join arena, look, attack PLAYER. All words: {}. \"help WORD\" says \
         more. Answers: ok (with seq: it is saved), ! (refused), * (happened by itself).",
        usages.join(" · ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_help_that_begins_with_it() {
        for (help_row, word) in HELP.iter().zip(WORDS) {
            assert_eq!(help_row.word, word);
            assert!(help_row.usage.starts_with(word));
            assert!(help_row.what.ends_with('.'), "{word}");
            let text = help(Some(word)).unwrap();
            assert!(text.starts_with(&format!("* {word}")) && !text.contains('\n'), "{text}");
            assert!(overview().contains(help_row.usage) && !overview().contains('\n'));
        }
    }

    #[test]
    fn help_on_an_unknown_word_suggests_one() {
        let error = help(Some("atack")).unwrap_err();
        assert_eq!(error.to_string(), "unknown_verb: atack (did you mean attack?)");
        let error = help(Some("xyzzy")).unwrap_err();
        assert_eq!(error.to_string(), r#"unknown_verb: xyzzy ("help" lists the words)"#);
    }
}
