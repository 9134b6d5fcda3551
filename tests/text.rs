//! Playing by hand: a transcript without a subprotocol, line for line.

use loadtest::bot::Bot;
use loadtest::socket::{Handshake, Incoming, Socket};

use crate::scenario::{attack, join};
use crate::support::{Options, PATIENCE, Server};

/// A person at a terminal.
struct Terminal {
    socket: Socket,
    lines: std::collections::VecDeque<String>,
}

impl Terminal {
    async fn open(server: &Server) -> Self {
        let socket = Socket::open(&server.ws(), Handshake::default(), PATIENCE).await.unwrap();
        Self { socket, lines: std::collections::VecDeque::new() }
    }

    async fn say(&mut self, line: &str) {
        self.socket.send_text(format!("{line}\n")).await.unwrap();
    }

    /// The next line, without the leaderboard's, which come when they like.
    async fn line(&mut self) -> String {
        loop {
            while let Some(line) = self.lines.pop_front() {
                if !line.starts_with("* top:") {
                    return line;
                }
            }
            match self.socket.next(PATIENCE).await.unwrap() {
                Incoming::Text(text) => {
                    // Tools such as websocat show a message as one line, whatever is in it.
                    assert!(!text.trim_end().contains('\n'), "two lines in one message: {text}");
                    self.lines.push_back(text.trim_end().to_owned());
                }
                other => panic!("{other:?} instead of a line"),
            }
        }
    }

    /// The next line that begins so, its numbers of the journal as N; others are passed over.
    async fn hear(&mut self, begin: &str) -> String {
        loop {
            let line = normal(&self.line().await);
            if line.starts_with(begin) {
                return line;
            }
            assert!(!line.starts_with('!'), "{line} instead of {begin}");
        }
    }

    async fn login(server: &Server, player: &str) -> Self {
        let mut terminal = Self::open(server).await;
        terminal.say(&format!("login {player}")).await;
        terminal.hear(&format!("* welcome {player}")).await;
        terminal
    }

    /// Says a line and reads the answer, its numbers of the journal as N.
    async fn ask(&mut self, line: &str) -> String {
        self.say(line).await;
        normal(&self.line().await)
    }
}

/// Replaces what differs from run to run: the numbers after `epoch` and `seq`.
pub fn normal(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let after = words.last().map(|word| word.trim_start_matches('(').to_owned());
        let numbered = matches!(after.as_deref(), Some("seq" | "epoch"));
        let digits = word.trim_end_matches([',', ')', ':']);
        if numbered && digits.parse::<u64>().is_ok() {
            words.push(word.replacen(digits, "N", 1));
        } else {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

/// The lines of the README's transcript: what is typed, and what begins with `*`, `ok` or `!`.
pub fn readme_transcript() -> Vec<&'static str> {
    let blocks = include_str!("../README.md").split("```\n");
    let transcript = blocks.skip(1).find(|block| block.starts_with("* holdfast gw-1."));
    transcript.expect("the README has a transcript").lines().collect()
}

#[test]
fn only_journal_numbers_are_normalised() {
    assert_eq!(normal("ok seq 12: 25 damage"), "ok seq N: 25 damage");
    assert_eq!(
        normal("(node a, epoch 17, seq 1) health 100"),
        "(node a, epoch N, seq N) health 100"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_transcript_is_true() {
    let server = Server::start().await;
    let mut bob = Bot::enter(&server.ws(), "bob", None).await.unwrap();
    assert!(bob.command(join("dungeon-7")).await.unwrap().result.is_ok());

    let mut alice = Terminal::open(&server).await;
    let mut said = 0;
    for line in readme_transcript() {
        if !line.starts_with(['*', '!']) && !line.starts_with("ok") {
            alice.say(line).await;
            said += 1;
            continue;
        }
        if line.starts_with("* bob attacked") {
            assert!(bob.command(attack("alice")).await.unwrap().result.is_ok());
        }
        assert_eq!(normal(&alice.line().await), normal(line), "the README is not true");
    }
    assert_eq!(said, 5, "login, join, a typo, a blow and a potion");

    assert_eq!(alice.ask("use potion").await.split(':').next(), Some("! not_useful"));
    let carried = alice.ask("inv").await;
    for item in ["Iron Sword x1", "Health Potion x4"] {
        assert!(carried.starts_with("ok") && carried.contains(item), "{carried}");
    }
    assert!(alice.ask("gold").await.contains("100 gold"));
    let seen = alice.ask("look").await;
    for part in ["in Room dungeon-7 (2 of 20)", "bob at ", "health 75"] {
        assert!(seen.contains(part), "{part} is not in {seen}");
    }
    let state = alice.ask("state").await;
    for part in ["alice (alice), in_room", "Room dungeon-7", "health 100/100", "xp 10, score 35"] {
        assert!(state.contains(part), "{part} is not in {state}");
    }
    assert!(alice.ask("who").await.contains("bob (dungeon-7)"));
    assert_eq!(alice.ask("rooms").await, "ok: dungeon-7 2/20");
    assert_eq!(alice.ask("leave").await, "ok seq N: in no room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_name_comes_with_the_line_to_type_next_time() {
    let server = Server::start_with(Options::default().with(&["--guests", "claim"])).await;
    let mut alice = Terminal::open(&server).await;
    alice.line().await;
    assert!(alice.ask("login alice").await.starts_with("* welcome alice "));
    let yours = alice.line().await;
    let again = yours.strip_prefix("* the name is yours; next time: ").expect(&yours).to_owned();

    let mut thief = Terminal::open(&server).await;
    thief.line().await;
    assert!(thief.ask("login alice").await.starts_with("! unauthorized: "));
    let mut owner = Terminal::open(&server).await;
    owner.line().await;
    assert!(owner.ask(&again).await.starts_with("* welcome alice "));
}

#[tokio::test(flavor = "multi_thread")]
async fn help_movement_json_and_quit_work_by_hand() {
    let server = Server::start().await;
    let mut alice = Terminal::open(&server).await;
    alice.line().await;
    let all = alice.ask("help").await;
    assert!(all.contains("login NAME") && all.contains("quit"), "{all}");
    assert_eq!(alice.ask("xyzzy").await, r#"! unknown_verb: xyzzy ("help" lists the words)"#);
    let early = alice.ask("help attack").await;
    assert!(early.starts_with("* attack [PLAYER]"), "help comes before login too: {early}");
    let welcome = "* welcome alice (node gw-1, epoch N, seq N) health 100 gold 100";
    assert_eq!(alice.ask("login alice").await, welcome);
    assert_eq!(alice.ask("join den").await, "ok seq N: in Room den, alone");
    let before = alice.ask("look").await;
    let moved = alice.ask("move n 3").await;
    assert!(moved.starts_with("ok"), "{moved}");
    let after = alice.ask("look").await;
    let y = |line: &str| {
        let place = line.split("at ").nth(1).expect(line);
        let y = place.split([',', ';']).nth(1).expect(line);
        y.trim().parse::<i64>().expect(line)
    };
    assert_eq!(y(&before) - y(&after), 36, "three steps north: {before} → {after}");

    // A line that begins with { is JSON, and so is the answer; then a word, and so is that.
    alice.say(r#"{"id":7,"do":"get_status","args":{}}"#).await;
    let json: serde_json::Value = loop {
        let line = alice.line().await;
        let json: serde_json::Value = serde_json::from_str(&line).expect(&line);
        if json["id"] == 7 {
            break json;
        }
    };
    assert_eq!(json["ok"]["status"], "in_room");
    let mut answer = alice.ask("gold").await;
    while answer.starts_with('{') {
        answer = normal(&alice.line().await);
    }
    assert!(answer.contains("100 gold"), "{answer}");
    assert_eq!(alice.ask("quit").await, "ok seq N: goodbye");
    let closed = alice.socket.next(PATIENCE).await.unwrap();
    assert_eq!(closed, Incoming::Closed(Some(1000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_waits_for_the_commands_before_it() {
    let server = Server::start().await;
    let mut alice = Terminal::open(&server).await;
    alice.line().await;
    assert!(alice.ask("login alice").await.starts_with("* welcome alice "));
    // A script piped in: all of it at once.
    alice.say("join den\nlook\nrooms\nwho\nleave\nlook").await;
    let mut said = Vec::new();
    for _ in 0..6 {
        said.push(normal(&alice.line().await));
    }
    assert_eq!(said[0], "ok seq N: in Room den, alone");
    assert!(said[1].starts_with("ok") && said[1].contains("in Room den (1 of 20)"), "{said:?}");
    assert_eq!(said[2], "ok: den 1/20");
    assert!(said[3].contains("alice (den)"), "{said:?}");
    assert_eq!(said[4], "ok seq N: in no room");
    assert!(said[5].starts_with("ok") && !said[5].contains("den"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_answered_in_its_own_form_and_order() {
    let server = Server::start().await;
    let mut alice = Terminal::open(&server).await;
    alice.line().await;
    assert!(alice.ask("login alice").await.starts_with("* welcome alice "));
    alice.say("{\"id\":7,\"do\":\"get_status\",\"args\":{}}\nrooms").await;
    let first: serde_json::Value = serde_json::from_str(&alice.line().await).unwrap();
    assert_eq!((&first["id"], &first["ok"]["status"]), (&7.into(), &"online".into()));
    assert_eq!(alice.line().await, "ok: no rooms");
    alice.say("join den\nxyzzy\n{\"id\":9,\"do\":\"get_status\",\"args\":{}}").await;
    assert_eq!(normal(&alice.line().await), "ok seq N: in Room den, alone");
    assert!(alice.line().await.starts_with("! unknown_verb: xyzzy"), "no mistake overtakes");
    let status = loop {
        let message: serde_json::Value = serde_json::from_str(&alice.line().await).unwrap();
        if message["id"] == 9 {
            break message;
        }
    };
    assert_eq!(status["ok"]["status"], "in_room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_in_no_room_is_refused_and_no_more_is_said() {
    let server = Server::start().await;
    let mut alice = Terminal::open(&server).await;
    alice.line().await;
    assert!(alice.ask("login alice").await.starts_with("* welcome alice "));
    assert!(alice.ask("move n 3").await.starts_with("! not_in_room: "));
    assert!(alice.ask("look").await.contains("in no room, at "));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hears_an_answer_and_looks_around_sees_what_it_speaks_of() {
    let server = Server::start_with(Options::default().with(&["--commands-per-s", "10000"])).await;
    let mut alice = Terminal::open(&server).await;
    alice.line().await;
    assert!(alice.ask("login alice").await.starts_with("* welcome alice"));
    for round in 0..100 {
        // The second line is read the moment that the first is answered.
        alice.say("join den\nwho\nrooms\nleave\nwho\nrooms").await;
        let mut said = Vec::new();
        for _ in 0..6 {
            said.push(normal(&alice.line().await));
        }
        let wanted = [
            "ok seq N: in Room den, alone",
            "ok: alice (den)",
            "ok: den 1/20",
            "ok seq N: in no room",
            "ok: alice",
            "ok: nobody is in a room",
        ];
        assert_eq!(said[..5], wanted[..5], "round {round}");
        assert!(!said[5].contains("den"), "round {round}: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn goods_change_hands_by_hand() {
    let server = Server::start().await;
    let mut alice = Terminal::login(&server, "alice").await;
    let mut bob = Terminal::login(&server, "bob").await;
    alice.say("trade bob sword 1 for gold 20").await;
    alice.hear("ok seq N: offer 1 to bob").await;
    alice.hear("* offer 1 to bob: Iron Sword x1 for 20 gold (").await;
    assert!(alice.ask("trade").await.contains("offer 1 to bob: Iron Sword x1 for 20 gold ("));
    let carried = alice.ask("inv").await;
    assert_eq!(carried, "ok seq N: Health Potion x5; reserved: Iron Sword x1");
    let offer = bob.hear("* offer 1 from alice: Iron Sword x1 for 20 gold (").await;
    assert!(offer.ends_with(" s; \"accept 1\", \"counter 1 …\" or \"cancel 1\")"), "{offer}");

    bob.say("counter 1 5 gold for sword").await;
    bob.hear("ok seq N: offer 1 countered").await;
    alice.hear("* counter-offer 1 from bob: 5 gold for Iron Sword x1 (").await;
    alice.say("accept 1").await;
    alice.hear("ok seq N: offer 1 accepted").await;
    let done = bob.hear("* offer 1 is done").await;
    assert_eq!(done, "* offer 1 is done: you got Iron Sword x1 from alice and gave 5 gold");
    alice.hear("* offer 1 is done: you got 5 gold from bob and gave Iron Sword x1").await;
    assert_eq!(alice.ask("accept 1").await, "! no_such_trade: offer 1 has ended");

    alice.say("gift bob potion and gold 3").await;
    alice.hear("ok seq N: gave Health Potion x1 and 3 gold to bob").await;
    bob.hear("* gift: you got Health Potion x1 and 3 gold from alice").await;
    assert_eq!(bob.ask("gold").await, "ok seq N: 98 gold");

    bob.say("trade alice nothing for potion 2").await;
    bob.hear("ok seq N: offer 2 to alice").await;
    alice.hear("* offer 2 from bob: nothing for Health Potion x2 (").await;
    alice.say("cancel 2").await;
    alice.hear("ok seq N: offer 2 cancelled").await;
    bob.hear("* offer 2 to alice was cancelled (").await;
    assert_eq!(bob.ask("trade").await, "ok seq N: no open offers");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_returns_is_told_what_is_open() {
    let server = Server::start().await;
    let bob = Terminal::login(&server, "bob").await;
    let mut alice = Terminal::login(&server, "alice").await;
    alice.say("trade bob potion 2 for gold 7").await;
    alice.hear("ok seq N: offer 1 to bob").await;
    drop(bob);
    let mut bob = Terminal::login(&server, "bob").await;
    bob.hear("* offer 1 from alice: Health Potion x2 for 7 gold (").await;
    bob.say("accept 1").await;
    bob.hear("ok seq N: offer 1 accepted").await;
    alice.hear("* offer 1 is done: you got 7 gold from bob and gave Health Potion x2").await;
}
