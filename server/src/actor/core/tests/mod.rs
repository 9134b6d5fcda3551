//! Tests of one core, by what it does at its bounds. Scripted rules, a journal that always
//! answers, and a clock that is moved by hand.

mod attributes;
mod command;
mod end;
mod hold;
mod key;
mod session;
mod task;
mod tell;

use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use super::{AppendOut, Ask, CallerId, Core, Erasure, Input, Limits, Output, ReassertOut, Start};
use crate::actor::contract::{
    ActivityCall, ActivityOptions, Actor, Attributes, Builtin, Ctx, Decision, Message, Origin,
    Push, Reject, Reply, Tell, TimerChange,
};
use crate::actor::envelope::{
    Answered, Attach, Attached, Call, CallError, Closing, Command, Delivery, Outcome,
};
use crate::actor::kind::Kind;
use crate::actor::record::{Fact, Formats, Record, TellId};
use crate::actor::replay::{Durable, Stored, replay};
use crate::store::tip::{Reasserted, Tip};

/// What the rules are to make of a message that carries it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Script {
    pub event: Option<String>,
    pub tells: Vec<(String, Bytes)>,
    pub push: Option<String>,
    pub timer: Option<(String, u64)>,
    pub activity: Option<u32>,
    pub later: bool,
    pub complete: Option<(u64, bool)>,
    pub reject: bool,
    pub panic: bool,
    pub ends: bool,
}

impl Script {
    pub fn event(text: &str) -> Self {
        Self { event: Some(text.into()), ..Self::default() }
    }

    pub fn later() -> Self {
        Self { later: true, ..Self::default() }
    }

    pub fn complete(token: u64, ok: bool) -> Self {
        Self { complete: Some((token, ok)), ..Self::default() }
    }

    pub fn push(text: &str) -> Self {
        Self { push: Some(text.into()), ..Self::default() }
    }

    pub fn pack(&self) -> Bytes {
        rmp_serde::to_vec(self).unwrap().into()
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Toy {
    said: Vec<String>,
}

impl Toy {
    fn play(ctx: &Ctx<'_, ()>, payload: &[u8]) -> Result<Decision<String>, Reject> {
        let script: Script = rmp_serde::from_slice(payload).unwrap();
        assert!(!script.panic, "by its own wish");
        if script.reject {
            return Err(Reject::new("bad_args", "by its own wish"));
        }
        let mut decision = Decision::default();
        let tells = script.tells.into_iter();
        decision.tells.extend(tells.map(|(to, payload)| Tell {
            to: id(&to),
            payload,
            creates: false,
        }));
        decision.pushes.extend(script.push.map(|text| Push::Numbered(text.into())));
        let timer = script.timer.into_iter();
        let timer = timer.map(|(name, at_ms)| TimerChange::Set { name: name.into(), at_ms });
        decision.timers.extend(timer);
        decision.activities.extend(script.activity.map(|attempts_max| ActivityCall {
            name: "work".into(),
            input: Bytes::new(),
            options: ActivityOptions { attempts_max, ..ActivityOptions::default() },
        }));
        let no = || Reject::new("no", "said the other");
        let done = |(token, ok): (u64, bool)| {
            (token, ok.then(|| Bytes::from_static(b"\"done\"")).ok_or_else(no))
        };
        decision.completions.extend(script.complete.map(done));
        decision.ends_session = script.ends;
        let words = script.event.clone().unwrap_or_default();
        decision.reply = match script.later {
            true => Reply::Later(ctx.token),
            false => Reply::Now(format!("\"{words}\"").into()),
        };
        decision.events.extend(script.event);
        Ok(decision)
    }
}

impl Actor for Toy {
    type Event = String;
    type Settings = ();

    fn new(_: &ActorId) -> Self {
        Self::default()
    }

    fn decide(&self, ctx: &Ctx<'_, ()>, message: &Message<'_>) -> Result<Decision<String>, Reject> {
        let event = match *message {
            Message::Command { payload, .. } | Message::Tell { payload, .. } => {
                return Self::play(ctx, payload);
            }
            Message::Opened { payload: b"no" } => return Err(Reject::new("no", "not you")),
            Message::Opened { .. } => "opened".to_string(),
            Message::Resumed => "resumed".into(),
            Message::Lost => "lost".into(),
            Message::Timer { name: "end" } => {
                return Ok(Decision { ends_session: true, ..Decision::default() });
            }
            Message::Timer { name } => format!("timer {name}"),
            Message::Undelivered { to, .. } => format!("undelivered {to}"),
            Message::ActivityEnded { outcome, .. } => match outcome {
                Ok(_) => "worked".into(),
                Err(why) => format!("failed: {why}"),
            },
        };
        Ok(Decision { events: vec![event], ..Decision::default() })
    }

    fn apply(&mut self, event: &String) {
        assert!(event != "poison", "by its own wish");
        self.said.push(event.clone());
    }

    fn query(&self, _: &Ctx<'_, ()>, _: &[u8]) -> Result<Bytes, Reject> {
        Ok(self.said.join(",").into())
    }

    fn is_over(&self) -> bool {
        self.said.last().is_some_and(|word| word == "over")
    }

    fn attributes(&self) -> Option<Attributes> {
        let found = self.said.iter().any(|word| word == "found");
        let builtin = vec![(Builtin::TotalActions, (self.said.len() as u64).into())];
        found.then(|| Attributes { builtin, declared: Vec::new() })
    }
}

pub fn id(key: &str) -> ActorId {
    ActorId::new("toy", key).unwrap()
}

/// A core, its clock and its journal.
pub struct Rig {
    pub core: Core,
    pub now_ms: u64,
    pub session: u64,
    /// Appends are answered at once.
    pub auto: bool,
    pub records: Vec<Record>,
    /// The newest append, question and reassertion.
    pub append: Option<AppendOut>,
    pub ask: Ask,
    pub reassert: Option<ReassertOut>,
    stored: Vec<Stored>,
    limits: Limits,
}

impl Rig {
    pub fn with(limits: Limits) -> Self {
        let start = Self::start(&limits, 1, Vec::new());
        Self {
            core: Core::new(start),
            now_ms: 1_000_000,
            session: 0,
            auto: true,
            records: Vec::new(),
            append: None,
            ask: 0,
            reassert: None,
            stored: Vec::new(),
            limits,
        }
    }

    pub fn new() -> Self {
        Self::with(Limits::default())
    }

    /// One with a session on connection 1.
    pub fn attached() -> Self {
        Self::attached_with(Limits::default())
    }

    pub fn attached_with(limits: Limits) -> Self {
        let mut rig = Self::with(limits);
        let out = rig.put(hello(1));
        rig.session = attached(&out).session;
        rig
    }

    fn start(limits: &Limits, epoch: u64, stored: Vec<Stored>) -> Start {
        let kind = Kind::of::<Toy>(Arc::new(()));
        let (seq, since_snapshot) = (stored.len() as u64, (stored.len() as u64, 0));
        let durable = match stored.is_empty() {
            true => Durable::fresh(&kind, &id("me")),
            false => replay((&kind, Formats::READS), &id("me"), None, stored).unwrap(),
        };
        let limits = limits.clone().into();
        let (history, terms) = (1, Vec::new());
        let (id, seed) = (id("me"), 7 + ((epoch - 1) << 40));
        Start { id, epoch, seq, history, terms, durable, since_snapshot, limits, seed }
    }

    /// Loses everything in memory and begins again from the journal.
    pub fn crash(&mut self) -> Vec<Output> {
        let epoch = self.core.epoch() + 1;
        self.core = Core::new(Self::start(&self.limits, epoch, self.stored.clone()));
        self.put(Input::Tick)
    }

    /// Hands an input over; what comes out, but for appends, which are kept.
    pub fn put(&mut self, input: Input) -> Vec<Output> {
        self.core.handle(self.now_ms, input);
        self.drain()
    }

    pub fn drain(&mut self) -> Vec<Output> {
        let mut out = Vec::new();
        while let Some(output) = self.core.poll() {
            match output {
                Output::Append(append) => {
                    let (epoch, seq, bytes) = (append.epoch, append.seq, append.record.clone());
                    self.append = Some(append);
                    if self.stored.last().is_none_or(|newest| newest.seq < seq) {
                        self.records.push(Record::decode(&bytes).unwrap());
                        self.stored.push(Stored { epoch, seq, bytes });
                    }
                    if self.auto {
                        let answer = Input::Appended(self.append_id());
                        self.core.handle(self.now_ms, answer);
                    }
                }
                Output::ReadTip(ask) | Output::Erase { ask, .. } => {
                    self.ask = ask;
                    out.push(output);
                }
                Output::Reassert(ref reassert) => {
                    self.ask = reassert.ask;
                    self.reassert = Some((**reassert).clone());
                    out.push(output);
                }
                output => out.push(output),
            }
        }
        out
    }

    fn append_id(&self) -> u64 {
        self.append.as_ref().unwrap().append_id
    }

    /// The append in flight is answered.
    pub fn appended(&mut self) -> Vec<Output> {
        self.put(Input::Appended(self.append_id()))
    }

    /// It is not.
    pub fn doubt(&mut self) -> Vec<Output> {
        self.put(Input::AppendDoubt(self.append_id()))
    }

    /// The tip that was asked for is read.
    pub fn tip(&mut self, tip: Option<Tip>) -> Vec<Output> {
        self.put(Input::Tip(self.ask, tip))
    }

    /// The reassertion that was asked for is answered.
    pub fn reasserted(&mut self, result: Result<Reasserted, ()>) -> Vec<Output> {
        self.put(Input::Reasserted(self.ask, result))
    }

    /// The erasure that was asked for is answered.
    pub fn erased(&mut self, erasure: Erasure) -> Vec<Output> {
        self.put(Input::Erased(self.ask, erasure))
    }

    pub fn wait(&mut self, ms: u64) -> Vec<Output> {
        self.now_ms += ms;
        self.put(Input::Tick)
    }

    pub fn command(&self, connection: u64, id: u64, script: &Script) -> Input {
        let payload = script.pack();
        Input::Command(Command {
            session: self.session,
            connection,
            id: Some(id),
            key: None,
            payload,
        })
    }

    pub fn keyed(&self, id: u64, key: &str, script: &Script) -> Input {
        let (session, payload, key) = (self.session, script.pack(), Some(key.into()));
        Input::Command(Command { session, connection: 1, id: Some(id), key, payload })
    }

    /// A command of connection 1, and its outcome.
    pub fn ask(&mut self, id: u64, script: &Script) -> Outcome {
        let command = self.command(1, id, script);
        let out = self.put(command);
        reply(&out, id).unwrap_or_else(|| panic!("no reply to {id} in {out:?}"))
    }

    pub fn resume(&self, connection: u64, seq: u64) -> Input {
        Input::Attach(connection, Attach::Resume { session: self.session, seq })
    }

    pub fn said(&mut self) -> String {
        let out = self.put(Input::Query(0, Bytes::new()));
        String::from_utf8(answer(&out).unwrap().unwrap().body.to_vec()).unwrap()
    }

    pub fn facts(&self) -> &[Fact] {
        &self.records.last().unwrap().facts
    }
}

pub fn tip(epoch: u64, seq: u64, append_id: u64) -> Tip {
    Tip { epoch, seq, append_id, continues: None, history: 1 }
}

pub fn hello(connection: u64) -> Input {
    let payload = Bytes::new();
    Input::Attach(connection, Attach::Hello { payload, creates: true })
}

pub fn call(caller: CallerId, key: &str, script: &Script) -> Input {
    let (origin, key, payload) = (Origin::Service, Some(key.into()), script.pack());
    Input::Call(caller, Call { origin, key, payload, creates: false, signal: false })
}

pub fn signal(caller: CallerId, key: &str, script: &Script) -> Input {
    match call(caller, key, script) {
        Input::Call(caller, call) => Input::Call(caller, Call { signal: true, ..call }),
        other => other,
    }
}

pub fn tell(seq: u64, prev: Option<u64>, script: &Script) -> super::Tell {
    let at = |seq| TellId { epoch: 1, seq, index: 0 };
    let (prev, payload) = (prev.map(at), script.pack());
    super::Tell { id: at(seq), prev, payload, creates: false, hops: 0, attempt: 1 }
}

pub fn reply(out: &[Output], id: u64) -> Option<Outcome> {
    out.iter().find_map(|output| match output {
        Output::Deliver(_, Delivery::Reply { id: Some(i), outcome }) if *i == id => {
            Some((**outcome).clone())
        }
        _ => None,
    })
}

pub fn code(outcome: &Outcome) -> &str {
    &outcome.result.as_ref().unwrap_err().code
}

pub fn answer(out: &[Output]) -> Option<Result<Answered, CallError>> {
    out.iter().find_map(|output| match output {
        Output::Answer(_, answer) => Some(answer.clone()),
        _ => None,
    })
}

pub fn attached(out: &[Output]) -> &Attached {
    let found = out.iter().find_map(|output| match output {
        Output::Deliver(_, Delivery::Attached(attached)) => Some(&**attached),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("not attached: {out:?}"))
}

pub fn closed(out: &[Output]) -> Option<(u64, Closing)> {
    out.iter().find_map(|output| match output {
        Output::Deliver(connection, Delivery::Close(closing)) => Some((*connection, *closing)),
        _ => None,
    })
}
