//! What is done wrong, row by row: each misuse gets the exact error or close code of the
//! protocol, changes no journal and touches nobody else, and leaves no memory behind.
//!
//! A new misuse is one row: of what a player says in [`rows`], of a socket's first message or an
//! HTTP request in [`door`]. [`noise`] makes up messages by the thousand, [`floods`] are misuses by
//! number and by time.

mod door;
mod floods;
mod house;
mod noise;
mod rows;

use loadtest::socket::{Incoming, JSON, TEXT};
use tokio_tungstenite::tungstenite::Message;

use crate::support::PATIENCE;
use crate::support::raw::{Raw, Refused};
use house::{House, join};
use rows::{Answer, LAST_ID, Row, Speaker, Trace};

/// A misuser under one set of rules.
struct Misuser<'a> {
    house: &'a House,
    raw: Raw,
    player: &'static str,
    text: bool,
    next_id: u64,
}

impl<'a> Misuser<'a> {
    async fn enter(house: &'a House, speaker: Speaker, text: bool) -> Self {
        let player = if speaker == Speaker::InRoom { "alice" } else { "lone" };
        let rules = if text { TEXT } else { JSON };
        let mut raw = Raw::enter_as(&house.server, Some(rules), player).await;
        if speaker == Speaker::InRoom {
            join(&mut raw, LAST_ID, "den").await;
        }
        let mut misuser = Self { house, raw, player, text, next_id: LAST_ID + 1 };
        misuser.probe("before all").await;
        house.settled().await;
        misuser
    }

    /// Asks something harmless: what came before is answered, and the socket is open. Gives back
    /// what was refused until then.
    async fn probe(&mut self, what: &str) -> Vec<String> {
        self.next_id += 1;
        let id = self.next_id;
        self.raw.say(&format!(r#"{{"id":{id},"do":"get_status","args":{{}}}}"#)).await;
        let mut said = Vec::new();
        loop {
            match self.raw.0.next(PATIENCE).await.unwrap() {
                Incoming::Text(text) => {
                    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                    if value["id"] == id && value.get("ok").is_some() {
                        return said;
                    }
                    if Refused::read(&text).is_some() || value.get("id").is_some() {
                        said.push(text);
                    }
                }
                other => panic!("{what}: {other:?}; the socket must stay"),
            }
        }
    }

    /// Says a row and checks all that it must and must not do.
    async fn misuse(&mut self, row: &Row, answer: Answer) {
        let what = format!("{} ({})", row.what, if self.text { "text" } else { "JSON" });
        let (ends, state) = (self.house.ends().await, self.house.state(self.player).await);
        let witnesses = self.house.witnesses().await;
        // A human line takes up to two numbers of its own.
        self.next_id += 3;
        let id = self.next_id;
        self.raw.say(&row.say.replace("$id", &id.to_string())).await;
        // What another actor judges is answered after the probe that follows.
        let early =
            if matches!(answer, Answer::Error(_)) { Some(self.raw.refused().await) } else { None };
        let rest = self.probe(&what).await;
        match answer {
            Answer::Error(code) => check(row, &what, row.id(id), code, &early.unwrap(), &rest),
            Answer::Silence => assert!(rest.is_empty(), "{what}: {rest:?}"),
            Answer::Again => {
                let [said] = &rest[..] else { panic!("{what}: {rest:?}") };
                let again: serde_json::Value = serde_json::from_str(said).unwrap();
                let room = &again["ok"]["room"]["room_id"];
                assert!(again["dup"] == true && room == "den", "{what}: {again}");
            }
        }
        if row.trace == Trace::None {
            assert_eq!(self.house.ends().await, ends, "{what}: a journal grew");
        }
        assert_eq!(self.house.state(self.player).await, state, "{what}: the state changed");
        assert_eq!(self.house.witnesses().await, witnesses, "{what}: somebody else was touched");
    }

    async fn binary(&mut self) {
        let ends = self.house.ends().await;
        for bytes in [Vec::new(), vec![1, 2, 3], vec![0xff; 4_096], br#"{"do":"ping"}"#.to_vec()] {
            self.raw.0.send(Message::binary(bytes)).await.unwrap();
            let refused = self.raw.refused().await;
            assert_eq!((refused.id, &*refused.code), (None, "bad_message"), "{}", refused.whole);
        }
        assert!(self.probe("binary").await.is_empty());
        assert_eq!(self.house.ends().await, ends, "binary: a journal grew");
    }
}

fn check(row: &Row, what: &str, id: Option<u64>, code: &str, said: &Refused, rest: &[String]) {
    assert_eq!(said.code, code, "{what}: {}", said.whole);
    assert!(!said.message.is_empty() && said.message.len() < 600, "{what}: {said:?}");
    assert!(!said.message.contains(char::is_control), "{what}: {said:?}");
    // A human line's answer has no id; JSON's has the one that could be read.
    if said.whole.starts_with('{') {
        assert_eq!(said.id, id, "{what}: {}", said.whole);
        let whole: serde_json::Value = serde_json::from_str(&said.whole).unwrap();
        assert_eq!(whole["err"]["retry"], false, "{what}: {whole}");
    } else {
        assert!(!row.say.starts_with('{'), "{what}: JSON is answered in JSON, not {said:?}");
    }
    assert!(rest.is_empty(), "{what}: one message, one answer, not {rest:?}");
}

#[test]
fn the_table_is_long_enough_and_has_no_row_twice() {
    let rows = rows::all();
    let names: std::collections::BTreeSet<_> = rows.iter().map(|row| row.what).collect();
    assert_eq!(names.len(), rows.len(), "a row's name tells it from the others");
    assert!(rows.len() >= 60, "{} rows", rows.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_misuse_in_a_session_gets_its_code_and_changes_nothing() {
    let house = House::open(&[]).await;
    let mut rows = rows::all();
    // Those that leave something to be written down later come last.
    rows.sort_by_key(|row| row.trace == Trace::Asked);
    let mut held_kib = Vec::new();
    for text in [false, true] {
        for speaker in [Speaker::InRoom, Speaker::Alone] {
            let mut misuser = Misuser::enter(&house, speaker, text).await;
            misuser.binary().await;
            for row in rows.iter().filter(|row| row.speaker == speaker) {
                let answer = if text { row.text } else { row.json };
                if let Some(answer) = answer {
                    misuser.misuse(row, answer).await;
                }
            }
        }
        held_kib.push(house.server.rss_kib());
    }
    house.check_log();
    house.holds_no_more_than(held_kib[0], "each misuse").await;
}
