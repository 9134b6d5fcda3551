//! Facts of a record as entries of a history. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::show;
use crate::actor::contract::Reject;
use crate::actor::record::{Fact, KeyHash, Place, Record, TellId};

/// What kind of fact it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A fact of the rules, `name` with `data`.
    Event,
    /// A session began; its id is this record's seq.
    Opened,
    /// The session ended.
    Ended,
    /// The session got a socket.
    Attached,
    /// The session lost its socket.
    Detached,
    /// A command took effect; `data` is its answer.
    Answered,
    /// A command was refused, by `code` and `message`.
    Refused,
    /// A command was accepted; its answer comes later under `token`.
    Deferred,
    /// The answer under `token` came.
    Completed,
    /// A tell went out to `actor`.
    Told,
    /// `actor` has the tells up to `tell`.
    Acked,
    /// A tell of `actor` came in and was judged.
    Heard,
    /// `actor` will not send again what was heard.
    Forgot,
    /// A tell to `actor` was laid aside after too many hands.
    DeadLetter,
    /// A timer was set to `at_ms`.
    TimerSet,
    /// A timer was cancelled, or has fired.
    TimerGone,
    /// An activity is to be run.
    ActivityBegun,
    /// An attempt of an activity failed; the next begins at `at_ms`.
    ActivityTried,
    /// How far an activity is.
    Heartbeat,
    /// An activity ended.
    ActivityEnded,
    /// A numbered message for the player's socket.
    Pushed,
}

/// A command: the session's number and the client's in it. Session 0: of callers without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Spot {
    /// The record that opened the session.
    pub session: u64,
    /// The client's id.
    pub id: u64,
}

/// One fact. Which fields it has depends on `what`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Happened {
    /// What kind of fact.
    pub what: What,
    /// The event's, timer's or activity's name, as journals have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Spot>,
    /// The hash of the command's second key, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Under which the answer comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// For a repeat under a new id: the record that answered the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// The actor on the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The tell, as epoch, seq and place of the record that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tell: Option<String>,
    /// The tell creates its receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creates: Option<bool>,
    /// The activity, by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<u64>,
    /// Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// Why a command was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it carries: JSON, or `0x…` for what is neither MessagePack nor JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Happened {
    const fn new(what: What) -> Self {
        Self {
            what,
            name: None,
            place: None,
            key: None,
            token: None,
            first: None,
            actor: None,
            tell: None,
            creates: None,
            activity: None,
            at_ms: None,
            code: None,
            message: None,
            data: None,
        }
    }

    fn of(place: Place, what: What) -> Self {
        let place = Some(Spot { session: place.session, id: place.id });
        Self { place, ..Self::new(what) }
    }

    fn keyed(self, key: Option<KeyHash>) -> Self {
        let hex = |KeyHash(bytes)| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { key: key.map(hex), ..self }
    }

    fn refused(self, reject: &Reject) -> Self {
        let (code, message) = (reject.code.to_string(), reject.message.to_string());
        Self { code: Some(code), message: Some(message), ..self }
    }

    fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    fn carrying(self, bytes: &[u8]) -> Self {
        Self { data: Some(show::payload(bytes)).filter(|data| !data.is_null()), ..self }
    }

    fn with(self, actor: &impl ToString) -> Self {
        Self { actor: Some(actor.to_string()), ..self }
    }

    fn tell(self, id: TellId) -> Self {
        Self { tell: Some(format!("{}-{}-{}", id.epoch, id.seq, id.index)), ..self }
    }
}

/// The facts of a record, in their order.
#[must_use]
pub fn facts(epoch: u64, seq: u64, record: &Record) -> Vec<Happened> {
    let mut index = 0;
    let mut tell = move || {
        let id = TellId { epoch, seq, index };
        index += 1;
        id
    };
    record.facts.iter().map(|fact| happened(fact, &mut tell)).collect()
}

/// The rules' own fact.
pub(super) fn event(bytes: &[u8]) -> Happened {
    let (name, data) = show::event(bytes);
    Happened { name, data: Some(data).filter(|data| !data.is_null()), ..Happened::new(What::Event) }
}

/// `tell` makes the id of the next tell that goes out.
fn happened(fact: &Fact, tell: &mut impl FnMut() -> TellId) -> Happened {
    match fact {
        Fact::Event(bytes) => event(bytes),
        Fact::Opened => Happened::new(What::Opened),
        Fact::Ended => Happened::new(What::Ended),
        Fact::Attached => Happened::new(What::Attached),
        Fact::Detached => Happened::new(What::Detached),
        Fact::Answered { place, key, body, first } => {
            let answered = Happened::of(*place, What::Answered).keyed(*key).carrying(body);
            Happened { first: *first, ..answered }
        }
        Fact::Refused { place, reject } => Happened::of(*place, What::Refused).refused(reject),
        Fact::Deferred { token, place, key } => {
            Happened { token: Some(*token), ..Happened::of(*place, What::Deferred).keyed(*key) }
        }
        Fact::Completed { token, result } => {
            let completed = Happened { token: Some(*token), ..Happened::new(What::Completed) };
            match result {
                Ok(body) => completed.carrying(body),
                Err(reject) => completed.refused(reject),
            }
        }
        Fact::Told { to, payload, creates, .. } => {
            let told = Happened::new(What::Told).with(to).carrying(payload).tell(tell());
            Happened { creates: creates.then_some(true), ..told }
        }
        Fact::Acked { to, through } => Happened::new(What::Acked).with(to).tell(*through),
        Fact::Heard { from, id } => Happened::new(What::Heard).with(from).tell(*id),
        Fact::Forgot { from } => Happened::new(What::Forgot).with(from),
        Fact::DeadLetter { to, payload } => {
            Happened::new(What::DeadLetter).with(to).carrying(payload)
        }
        Fact::TimerSet { name, at_ms } => {
            Happened { at_ms: Some(*at_ms), ..Happened::new(What::TimerSet).named(name) }
        }
        Fact::TimerGone { name } => Happened::new(What::TimerGone).named(name),
        Fact::ActivityBegun { name, input, .. } => {
            Happened::new(What::ActivityBegun).named(name).carrying(input)
        }
        Fact::ActivityTried { activity, retry_at_ms } => {
            let tried =
                Happened { at_ms: Some(*retry_at_ms), ..Happened::new(What::ActivityTried) };
            Happened { activity: Some(*activity), ..tried }
        }
        Fact::Heartbeat { activity, payload } => {
            let beat = Happened::new(What::Heartbeat).carrying(payload);
            Happened { activity: Some(*activity), ..beat }
        }
        Fact::ActivityEnded { activity } => {
            Happened { activity: Some(*activity), ..Happened::new(What::ActivityEnded) }
        }
        Fact::Pushed(message) => Happened::new(What::Pushed).carrying(message),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn shown(list: Vec<Fact>) -> Value {
        let record = Record { now_ms: 9, facts: list };
        serde_json::to_value(facts(7, 3, &record)).unwrap()
    }

    #[test]
    fn commands_have_place_key_and_answer() {
        let place = Place { session: 1, id: 4 };
        let body = Bytes::from_static(b"{\"damage\":25}");
        let facts = vec![
            Fact::Answered {
                place,
                key: Some(KeyHash([7; 16])),
                body: body.clone(),
                first: Some(2),
            },
            Fact::Refused { place, reject: Reject::new("room_full", "it is full") },
            Fact::Deferred { token: 9, place, key: None },
            Fact::Completed { token: 9, result: Ok(body) },
            Fact::Completed { token: 9, result: Err(Reject::new("busy", "later")) },
        ];
        let at = json!({"session": 1, "id": 4});
        let expected = json!([
            {"what": "answered", "place": at, "key": "07".repeat(16), "first": 2,
             "data": {"damage": 25}},
            {"what": "refused", "place": at, "code": "room_full", "message": "it is full"},
            {"what": "deferred", "place": at, "token": 9},
            {"what": "completed", "token": 9, "data": {"damage": 25}},
            {"what": "completed", "token": 9, "code": "busy", "message": "later"},
        ]);
        assert_eq!(shown(facts), expected);
    }

    #[test]
    fn tells_are_numbered_by_their_record() {
        let to: holdfast_protocol::ids::ActorId = "room:den".parse().unwrap();
        let payload = Bytes::from(rmp_serde::to_vec_named(&json!({"join": {"n": 1}})).unwrap());
        let told =
            |creates| Fact::Told { to: to.clone(), payload: payload.clone(), creates, hops: 0 };
        let through = TellId { epoch: 5, seq: 2, index: 0 };
        let facts = vec![
            told(true),
            told(false),
            Fact::Acked { to: to.clone(), through },
            Fact::Heard { from: to.clone(), id: through },
            Fact::Forgot { from: to.clone() },
        ];
        let join = json!({"join": {"n": 1}});
        let expected = json!([
            {"what": "told", "actor": "room:den", "tell": "7-3-0", "creates": true, "data": join},
            {"what": "told", "actor": "room:den", "tell": "7-3-1", "data": join},
            {"what": "acked", "actor": "room:den", "tell": "5-2-0"},
            {"what": "heard", "actor": "room:den", "tell": "5-2-0"},
            {"what": "forgot", "actor": "room:den"},
        ]);
        assert_eq!(shown(facts), expected);
    }

    #[test]
    fn events_timers_and_activities_have_names() {
        let event = |value: Value| Fact::Event(rmp_serde::to_vec_named(&value).unwrap().into());
        let begun = Fact::ActivityBegun {
            name: "update".into(),
            input: Bytes::new(),
            options: Default::default(),
        };
        let facts = vec![
            event(json!({"hit": {"health": 75}})),
            event(json!("back")),
            Fact::Event(Bytes::from_static(&[0xc1, 1])),
            Fact::TimerSet { name: "idle".into(), at_ms: 12 },
            Fact::TimerGone { name: Cow::Borrowed("idle") },
            begun,
            Fact::ActivityTried { activity: 1, retry_at_ms: 13 },
            Fact::Heartbeat { activity: 1, payload: Bytes::from_static(b"{}") },
            Fact::ActivityEnded { activity: 1 },
            Fact::Pushed(Bytes::from_static(b"{\"ev\":\"x\"}")),
            Fact::Opened,
        ];
        let expected = json!([
            {"what": "event", "name": "hit", "data": {"health": 75}},
            {"what": "event", "name": "back"},
            {"what": "event", "data": "0xc101"},
            {"what": "timer_set", "name": "idle", "at_ms": 12},
            {"what": "timer_gone", "name": "idle"},
            {"what": "activity_begun", "name": "update"},
            {"what": "activity_tried", "activity": 1, "at_ms": 13},
            {"what": "heartbeat", "activity": 1, "data": {}},
            {"what": "activity_ended", "activity": 1},
            {"what": "pushed", "data": {"ev": "x"}},
            {"what": "opened"},
        ]);
        assert_eq!(shown(facts), expected);
    }
}
