//! A door that opens for whoever knocks three times: an actor of your own, whole.
//!
//! `cargo run --example door` knocks; `docs/make-it-your-game.md` explains. Its text between the
//! marks is the document's, word for word, and a test says so.

use std::sync::Arc;

use bytes::Bytes;
use holdfast::actor::contract::{
    Actor, Ctx, Decision, Message, Origin, Reject, Reply, TimerChange,
};
use holdfast::actor::kind::{Facts, Fault, Kind};
use holdfast_protocol::ids::{ActorId, IdError};
use serde::{Deserialize, Serialize};

// The document begins.
#[derive(Serialize, Deserialize)]
struct Door {
    knocks: u32,
    open: bool,
}

#[derive(Serialize, Deserialize)]
enum DoorEvent {
    Knocked,
    Opened,
    Closed,
}

impl Actor for Door {
    type Event = DoorEvent;
    type Settings = ();

    fn new(_id: &ActorId) -> Self {
        Self { knocks: 0, open: false }
    }

    fn decide(
        &self,
        ctx: &Ctx<'_, ()>,
        message: &Message<'_>,
    ) -> Result<Decision<DoorEvent>, Reject> {
        match message {
            Message::Command { .. } if self.open => {
                Err(Reject::new("not_useful", "the door is open"))
            }
            Message::Command { .. } => {
                let opens = self.knocks + 1 >= 3;
                let mut decision = Decision {
                    events: vec![DoorEvent::Knocked],
                    reply: Reply::Now(Bytes::from(format!(r#"{{"open":{opens}}}"#))),
                    ..Decision::default()
                };
                if opens {
                    let at_ms = ctx.now_ms + 60_000;
                    decision.events.push(DoorEvent::Opened);
                    decision.timers.push(TimerChange::Set { name: "close".into(), at_ms });
                }
                Ok(decision)
            }
            Message::Timer { name: "close" } => {
                Ok(Decision { events: vec![DoorEvent::Closed], ..Decision::default() })
            }
            _ => Ok(Decision::default()),
        }
    }

    fn apply(&mut self, event: &DoorEvent) {
        match event {
            DoorEvent::Knocked => self.knocks += 1,
            DoorEvent::Opened => self.open = true,
            DoorEvent::Closed => (self.knocks, self.open) = (0, false),
        }
    }

    fn query(&self, _ctx: &Ctx<'_, ()>, _payload: &[u8]) -> Result<Bytes, Reject> {
        Ok(Bytes::from(format!(r#"{{"open":{}}}"#, self.open)))
    }
}
// The document ends.

fn facts(id: &ActorId, seq: u64) -> Facts<'_> {
    Facts { id, now_ms: 1_000 * seq, seq, token: seq << 10, random: 0, connected: true }
}

const KNOCK: Message<'static> = Message::Command { origin: Origin::Session, payload: b"" };

#[expect(clippy::print_stdout, reason = "an example speaks to whoever runs it")]
fn main() -> Result<(), IdError> {
    let id = ActorId::new("door", "cellar")?;
    // What the node does with it: the same kind, fed from mailbox and journal.
    let mut door = Kind::of::<Door>(Arc::new(())).fresh(&id);
    for seq in 1..=4 {
        let said = match door.decide(facts(&id, seq), &KNOCK) {
            Ok(Decision { reply: Reply::Now(answer), events, .. }) => {
                format!("{} ({} events)", String::from_utf8_lossy(&answer), events.len())
            }
            Ok(_) => "no answer".to_owned(),
            Err(Fault::Rejected(reject)) => format!("{}: {}", reject.code, reject.message),
            Err(fault) => format!("{fault:?}"),
        };
        println!("knock {seq}: {said}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides on a fresh door, and folds the events through their journal form onto another.
    #[test]
    fn the_third_knock_opens_until_the_timer() {
        let id = ActorId::new("door", "cellar").unwrap();
        let kind = Kind::of::<Door>(Arc::new(()));
        let (mut live, mut replayed) = (kind.fresh(&id), kind.fresh(&id));
        let mut timers = Vec::new();
        for seq in 1..=3 {
            let decision = live.decide(facts(&id, seq), &KNOCK).unwrap();
            for event in &decision.events {
                replayed.replay(event).unwrap();
            }
            assert_eq!(replayed.save(), live.save());
            timers.extend(decision.timers);
        }
        assert_eq!(timers, [TimerChange::Set { name: "close".into(), at_ms: 63_000 }]);
        assert_eq!(&live.query(facts(&id, 4), b"").unwrap()[..], br#"{"open":true}"#);
        assert!(matches!(live.decide(facts(&id, 4), &KNOCK), Err(Fault::Rejected(_))));
        live.decide(facts(&id, 63), &Message::Timer { name: "close" }).unwrap();
        assert_eq!(live.save(), kind.fresh(&id).save());
    }

    #[test]
    fn the_document_shows_this_code() {
        let (source, document) =
            (include_str!("door.rs"), include_str!("../../docs/make-it-your-game.md"));
        let begin = source.split("// The document begins.\n").nth(1).unwrap();
        let code = begin.split("// The document ends.").next().unwrap().trim();
        assert!(document.contains(code), "docs/make-it-your-game.md shows another door:\n{code}");
    }
}
