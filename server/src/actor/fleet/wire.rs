//! Posts as they are written: plain types of the wire's own, with short names.
//!
//! Fields and variants are only ever added; a reader skips fields that it does not know.

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use super::post;
use crate::actor::contract::{self, Reject};
use crate::actor::{core, envelope, record};
use crate::store::NodeSession;

/// The part of a batch that every version writes.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    pub v: u8,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Batch {
    pub v: u8,
    pub from: NodeSession,
    #[serde(default)]
    pub n: u64,
    pub posts: Vec<Bytes>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Post {
    #[serde(rename = "t")]
    Tell { to: ActorId, from: ActorId, tell: Tell },
    #[serde(rename = "v")]
    Verdict { to: ActorId, from: ActorId, id: TellId, verdict: Verdict },
    #[serde(rename = "s")]
    Settled { to: ActorId, from: ActorId, id: TellId },
    #[serde(rename = "sa")]
    SettleAsked { to: ActorId, from: ActorId, id: TellId },
    #[serde(rename = "c")]
    Call { to: ActorId, id: u64, call: Call },
    #[serde(rename = "q")]
    Query { to: ActorId, id: u64, payload: Bytes, linearizable: bool },
    #[serde(rename = "a")]
    Answer { from: ActorId, id: u64, result: Result<Answered, CallError> },
    #[serde(rename = "ho")]
    HandOver { actor: ActorId },
    #[serde(rename = "hd")]
    HandedOver { actor: ActorId },
    #[serde(rename = "nh")]
    NotHere { actor: ActorId },
    #[serde(rename = "w")]
    Working { actor: ActorId },
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct TellId {
    epoch: u64,
    seq: u64,
    index: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tell {
    id: TellId,
    prev: Option<TellId>,
    payload: Bytes,
    creates: bool,
    hops: u8,
    attempt: u32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Verdict {
    Received,
    NoSuchActor(u32),
    Gap,
    Busy,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Origin {
    Session,
    Owner,
    Service,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    origin: Origin,
    key: Option<Box<str>>,
    payload: Bytes,
    creates: bool,
    #[serde(default)]
    signal: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answered {
    body: Bytes,
    epoch: u64,
    seq: u64,
    dup: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum CallError {
    Rejected { code: String, message: String },
    NoSuchActor,
    Busy,
    Pending,
    OutcomeUnknown,
    Quarantined,
}

impl From<&post::Post> for Post {
    fn from(post: &post::Post) -> Self {
        match post {
            post::Post::Tell { to, from, tell } => {
                Self::Tell { to: to.clone(), from: from.clone(), tell: tell.into() }
            }
            post::Post::Verdict { to, from, id, verdict } => Self::Verdict {
                to: to.clone(),
                from: from.clone(),
                id: (*id).into(),
                verdict: (*verdict).into(),
            },
            post::Post::Settled { to, from, id } => {
                Self::Settled { to: to.clone(), from: from.clone(), id: (*id).into() }
            }
            post::Post::SettleAsked { to, from, id } => {
                Self::SettleAsked { to: to.clone(), from: from.clone(), id: (*id).into() }
            }
            post::Post::Call { to, id, call } => {
                Self::Call { to: to.clone(), id: *id, call: call.into() }
            }
            post::Post::Query { to, id, payload, linearizable } => Self::Query {
                to: to.clone(),
                id: *id,
                payload: payload.clone(),
                linearizable: *linearizable,
            },
            post::Post::Answer { from, id, result } => {
                let result = result.as_ref().map(Into::into).map_err(Into::into);
                Self::Answer { from: from.clone(), id: *id, result }
            }
            post::Post::HandOver { actor } => Self::HandOver { actor: actor.clone() },
            post::Post::HandedOver { actor } => Self::HandedOver { actor: actor.clone() },
            post::Post::NotHere { actor } => Self::NotHere { actor: actor.clone() },
            post::Post::Working { actor } => Self::Working { actor: actor.clone() },
        }
    }
}

impl From<Post> for post::Post {
    fn from(post: Post) -> Self {
        match post {
            Post::Tell { to, from, tell } => Self::Tell { to, from, tell: tell.into() },
            Post::Verdict { to, from, id, verdict } => {
                Self::Verdict { to, from, id: id.into(), verdict: verdict.into() }
            }
            Post::Settled { to, from, id } => Self::Settled { to, from, id: id.into() },
            Post::SettleAsked { to, from, id } => Self::SettleAsked { to, from, id: id.into() },
            Post::Call { to, id, call } => Self::Call { to, id, call: call.into() },
            Post::Query { to, id, payload, linearizable } => {
                Self::Query { to, id, payload, linearizable }
            }
            Post::Answer { from, id, result } => {
                Self::Answer { from, id, result: result.map(Into::into).map_err(Into::into) }
            }
            Post::HandOver { actor } => Self::HandOver { actor },
            Post::HandedOver { actor } => Self::HandedOver { actor },
            Post::NotHere { actor } => Self::NotHere { actor },
            Post::Working { actor } => Self::Working { actor },
        }
    }
}

impl From<record::TellId> for TellId {
    fn from(id: record::TellId) -> Self {
        Self { epoch: id.epoch, seq: id.seq, index: id.index }
    }
}

impl From<TellId> for record::TellId {
    fn from(id: TellId) -> Self {
        Self { epoch: id.epoch, seq: id.seq, index: id.index }
    }
}

impl From<&core::Tell> for Tell {
    fn from(tell: &core::Tell) -> Self {
        Self {
            id: tell.id.into(),
            prev: tell.prev.map(Into::into),
            payload: tell.payload.clone(),
            creates: tell.creates,
            hops: tell.hops,
            attempt: tell.attempt,
        }
    }
}

impl From<Tell> for core::Tell {
    fn from(tell: Tell) -> Self {
        Self {
            id: tell.id.into(),
            prev: tell.prev.map(Into::into),
            payload: tell.payload,
            creates: tell.creates,
            hops: tell.hops,
            attempt: tell.attempt,
        }
    }
}

impl From<core::Verdict> for Verdict {
    fn from(verdict: core::Verdict) -> Self {
        match verdict {
            core::Verdict::Received => Self::Received,
            core::Verdict::NoSuchActor(attempt) => Self::NoSuchActor(attempt),
            core::Verdict::Gap => Self::Gap,
            core::Verdict::Busy => Self::Busy,
        }
    }
}

impl From<Verdict> for core::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Received => Self::Received,
            Verdict::NoSuchActor(attempt) => Self::NoSuchActor(attempt),
            Verdict::Gap => Self::Gap,
            Verdict::Busy => Self::Busy,
        }
    }
}

impl From<&envelope::Call> for Call {
    fn from(call: &envelope::Call) -> Self {
        let origin = match call.origin {
            contract::Origin::Session => Origin::Session,
            contract::Origin::Owner => Origin::Owner,
            contract::Origin::Service => Origin::Service,
        };
        let (key, payload) = (call.key.clone(), call.payload.clone());
        Self { origin, key, payload, creates: call.creates, signal: call.signal }
    }
}

impl From<Call> for envelope::Call {
    fn from(call: Call) -> Self {
        let origin = match call.origin {
            Origin::Session => contract::Origin::Session,
            Origin::Owner => contract::Origin::Owner,
            Origin::Service => contract::Origin::Service,
        };
        let Call { key, payload, creates, signal, .. } = call;
        Self { origin, key, payload, creates, signal }
    }
}

impl From<&envelope::Answered> for Answered {
    fn from(answer: &envelope::Answered) -> Self {
        let body = answer.body.clone();
        Self { body, epoch: answer.epoch, seq: answer.seq, dup: answer.dup }
    }
}

impl From<Answered> for envelope::Answered {
    fn from(answer: Answered) -> Self {
        Self { body: answer.body, epoch: answer.epoch, seq: answer.seq, dup: answer.dup }
    }
}

impl From<&envelope::CallError> for CallError {
    fn from(error: &envelope::CallError) -> Self {
        match error {
            envelope::CallError::Rejected(reject) => Self::Rejected {
                code: reject.code.clone().into_owned(),
                message: reject.message.clone().into_owned(),
            },
            envelope::CallError::NoSuchActor => Self::NoSuchActor,
            envelope::CallError::Busy => Self::Busy,
            envelope::CallError::Pending => Self::Pending,
            envelope::CallError::OutcomeUnknown => Self::OutcomeUnknown,
            envelope::CallError::Quarantined => Self::Quarantined,
        }
    }
}

impl From<CallError> for envelope::CallError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Rejected { code, message } => {
                Self::Rejected(Reject { code: code.into(), message: message.into() })
            }
            CallError::NoSuchActor => Self::NoSuchActor,
            CallError::Busy => Self::Busy,
            CallError::Pending => Self::Pending,
            CallError::OutcomeUnknown => Self::OutcomeUnknown,
            CallError::Quarantined => Self::Quarantined,
        }
    }
}
