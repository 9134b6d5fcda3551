//! Records and snapshots: what a journal holds, and how it is written. Pure.
//!
//! A record is what one append stores: the facts that one mailbox drain produced, in order.
//! Both forms open with a format version and a checksum, so that a reader of any later version
//! knows what it has before it looks inside. Version 1: `[1][crc32 of the rest, LE][MessagePack]`,
//! with named fields, so that a field may be left out and later ones added.
//!
//! Nodes of several versions share a world: each says which [`Formats`] it reads, and all write the
//! newest one that every live node reads (see `fleet`).
//!
//! The names of facts are short because they are written millions of times; a name, once used,
//! keeps its meaning for ever.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;
use serde::{Deserialize, Serialize};

use super::contract::{ActivityOptions, Reject, Token};

/// The newest format that this code writes.
pub const FORMAT: u8 = 1;

/// Formats of records and snapshots, all from the oldest to the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats {
    /// The first of them.
    pub oldest: u8,
    /// The last of them.
    pub newest: u8,
}

impl Formats {
    /// What this version reads.
    pub const READS: Self = Self { oldest: 1, newest: FORMAT };
    /// What this version can write.
    pub const WRITES: Self = Self { oldest: 1, newest: FORMAT };

    /// Whether a format is one of these.
    #[must_use]
    pub fn has(self, format: u8) -> bool {
        (self.oldest..=self.newest).contains(&format)
    }

    /// Whether all of those are among these.
    #[must_use]
    pub fn covers(self, those: Self) -> bool {
        self.has(those.oldest) && self.has(those.newest)
    }

    /// The newest of these that is one of all of those.
    #[must_use]
    pub fn shared(self, those: &[Self]) -> Option<u8> {
        let suits = |format: &u8| those.iter().all(|reads| reads.has(*format));
        (self.oldest..=self.newest).rev().find(suits)
    }
}

impl fmt::Display for Formats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.oldest, self.newest) {
            (oldest, newest) if oldest == newest => write!(f, "{oldest}"),
            (oldest, newest) => write!(f, "{oldest} to {newest}"),
        }
    }
}

/// A tell's identity: the record that created it, and its place there. Unchanged by resends;
/// rises with every tell of its sender.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct TellId {
    /// The sender's term.
    pub epoch: u64,
    /// The sender's record.
    pub seq: u64,
    /// Place in the record.
    pub index: u32,
}

/// Names an activity of one actor; counts from 1.
pub type ActivityId = u64;

/// A session's command, as the ledger knows it. Session 0 is that of callers without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The session.
    #[serde(rename = "s")]
    pub session: u64,
    /// The client's id in it.
    #[serde(rename = "i")]
    pub id: u64,
}

/// The hash of a caller-chosen key: the first 16 bytes of its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyHash(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// One fact: how an actor's durable self changed. Folding facts in order is the only way that
/// it changes, live or in replay (I3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The rules' own fact.
    #[serde(rename = "e")]
    Event(Bytes),
    /// A new session begins; its id is this record's seq.
    #[serde(rename = "so")]
    Opened,
    /// The current session has ended.
    #[serde(rename = "se")]
    Ended,
    /// The session has a socket.
    #[serde(rename = "sa")]
    Attached,
    /// The session has no socket.
    #[serde(rename = "sd")]
    Detached,
    /// A command took effect and was answered.
    #[serde(rename = "ok")]
    Answered {
        /// Which.
        #[serde(rename = "p")]
        place: Place,
        /// Its second key.
        #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
        key: Option<KeyHash>,
        /// JSON text of `ok`.
        #[serde(rename = "b")]
        body: Bytes,
        /// For a repeat under a new id: the record that answered the first.
        #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
        first: Option<u64>,
    },
    /// A command was refused. Written with the next record, for the memory of it alone.
    #[serde(rename = "no")]
    Refused {
        /// Which.
        #[serde(rename = "p")]
        place: Place,
        /// Why.
        #[serde(rename = "r")]
        reject: Reject,
    },
    /// A command was accepted; its answer comes in a later record.
    #[serde(rename = "pd")]
    Deferred {
        /// Under which the answer comes.
        #[serde(rename = "t")]
        token: Token,
        /// Which.
        #[serde(rename = "p")]
        place: Place,
        /// Its second key.
        #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
        key: Option<KeyHash>,
    },
    /// The answer of a deferred command.
    #[serde(rename = "pc")]
    Completed {
        /// As it was deferred.
        #[serde(rename = "t")]
        token: Token,
        /// JSON text of `ok`, or the refusal.
        #[serde(rename = "r")]
        result: Result<Bytes, Reject>,
    },
    /// A tell goes out.
    #[serde(rename = "to")]
    Told {
        /// The receiver.
        #[serde(rename = "a")]
        to: ActorId,
        /// For its rules.
        #[serde(rename = "b")]
        payload: Bytes,
        /// Creates the receiver.
        #[serde(rename = "c")]
        creates: bool,
        /// Hands that its cause has passed through.
        #[serde(rename = "h")]
        hops: u8,
    },
    /// The receiver has this tell in its journal, and all before it.
    #[serde(rename = "ta")]
    Acked {
        /// The receiver.
        #[serde(rename = "a")]
        to: ActorId,
        /// The newest that it has.
        #[serde(rename = "i")]
        through: TellId,
    },
    /// A tell came in and was judged.
    #[serde(rename = "th")]
    Heard {
        /// The sender.
        #[serde(rename = "a")]
        from: ActorId,
        /// Which.
        #[serde(rename = "i")]
        id: TellId,
    },
    /// The sender will not send again what was heard; its watermark is dropped.
    #[serde(rename = "tf")]
    Forgot {
        /// The sender.
        #[serde(rename = "a")]
        from: ActorId,
    },
    /// A tell that went through too many hands was laid aside.
    #[serde(rename = "td")]
    DeadLetter {
        /// The receiver.
        #[serde(rename = "a")]
        to: ActorId,
        /// What it said.
        #[serde(rename = "b")]
        payload: Bytes,
    },
    /// A timer was set.
    #[serde(rename = "ws")]
    TimerSet {
        /// Its name.
        #[serde(rename = "n")]
        name: Cow<'static, str>,
        /// Unix milliseconds.
        #[serde(rename = "m")]
        at_ms: u64,
    },
    /// A timer was cancelled, or has fired.
    #[serde(rename = "wg")]
    TimerGone {
        /// Its name.
        #[serde(rename = "n")]
        name: Cow<'static, str>,
    },
    /// An activity is to be run; its id is the next one.
    #[serde(rename = "ab")]
    ActivityBegun {
        /// As it is registered.
        #[serde(rename = "n")]
        name: Cow<'static, str>,
        /// For the activity.
        #[serde(rename = "b")]
        input: Bytes,
        /// How long and how often.
        #[serde(rename = "o")]
        options: ActivityOptions,
    },
    /// An attempt failed; the next begins at `retry_at_ms`.
    #[serde(rename = "at")]
    ActivityTried {
        /// Which.
        #[serde(rename = "i")]
        activity: ActivityId,
        /// Unix milliseconds.
        #[serde(rename = "m")]
        retry_at_ms: u64,
    },
    /// How far an activity is.
    #[serde(rename = "ah")]
    Heartbeat {
        /// Which.
        #[serde(rename = "i")]
        activity: ActivityId,
        /// For the next attempt.
        #[serde(rename = "b")]
        payload: Bytes,
    },
    /// An activity ended, well or after its last attempt; what came of it is in the events.
    #[serde(rename = "ae")]
    ActivityEnded {
        /// Which.
        #[serde(rename = "i")]
        activity: ActivityId,
    },
    /// A numbered message for the player's socket, JSON text.
    #[serde(rename = "u")]
    Pushed(Bytes),
}

/// One append's worth of facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Unix milliseconds; never less than the record's before.
    #[serde(rename = "n")]
    pub now_ms: u64,
    /// In the order in which they happened.
    #[serde(rename = "f")]
    pub facts: Vec<Fact>,
}

/// Why bytes are not a record or a snapshot. The activation is quarantined, except for
/// [`DecodeError::Format`]: the node refuses the claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by another version, in a format that is none of these.
    #[error("it is written in format {0}, and this version reads {1}")]
    Format(u8, Formats),
    /// The checksum does not match, or there is too little.
    #[error("the checksum does not match")]
    Checksum,
    /// The inside does not have the shape.
    #[error("undecodable: {0}")]
    Shape(String),
}

/// Wraps a value in the versioned, checksummed form. All formats so far write it alike.
pub(super) fn seal(format: u8, value: &impl Serialize) -> Bytes {
    // Room for a common record.
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(&[format, 0, 0, 0, 0]);
    // Writing MessagePack of our own types to memory can't fail; a failure would leave a body
    // that no reader accepts, and the checksum covers what there is.
    let written = rmp_serde::encode::write_named(&mut out, value);
    debug_assert!(written.is_ok(), "a record is always encodable: {written:?}");
    let crc = crc32fast::hash(out.get(5..).unwrap_or_default());
    if let Some(slot) = out.get_mut(1..5) {
        slot.copy_from_slice(&crc.to_le_bytes());
    }
    Bytes::from(out)
}

/// Checks the form and reads the value inside.
pub(super) fn unseal<'a, T: Deserialize<'a>>(
    reads: Formats,
    bytes: &'a [u8],
) -> Result<T, DecodeError> {
    check_format(reads, bytes)?;
    let (_, rest) = bytes.split_first().ok_or(DecodeError::Checksum)?;
    let (crc, body) = rest.split_first_chunk::<4>().ok_or(DecodeError::Checksum)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return Err(DecodeError::Checksum);
    }
    rmp_serde::from_slice(body).map_err(|e| DecodeError::Shape(e.to_string()))
}

/// Looks at the format of a stored record or snapshot, and no further.
///
/// # Errors
/// [`DecodeError::Format`] when it is none of these.
pub fn check_format(reads: Formats, bytes: &[u8]) -> Result<(), DecodeError> {
    match bytes.first() {
        Some(format) if !reads.has(*format) => Err(DecodeError::Format(*format, reads)),
        _ => Ok(()),
    }
}

impl Record {
    /// The stored form, as this version writes it by itself.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        self.encode_as(FORMAT)
    }

    /// The stored form, in the format that all nodes have agreed on.
    #[must_use]
    pub fn encode_as(&self, format: u8) -> Bytes {
        seal(format, self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`DecodeError`] when it is damaged, in another format or misshapen.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_from(Formats::READS, bytes)
    }

    /// Reads the stored form, if it is in one of these formats.
    ///
    /// # Errors
    /// [`DecodeError`] when it is damaged, in another format or misshapen.
    pub fn decode_from(reads: Formats, bytes: &[u8]) -> Result<Self, DecodeError> {
        unseal(reads, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let place = Place { session: 1, id: 7 };
        Record {
            now_ms: 1_795_345_219_097,
            facts: vec![
                Fact::Opened,
                Fact::Event(Bytes::from_static(b"\x81\xa1x\x01")),
                Fact::Answered {
                    place,
                    key: Some(KeyHash([3; 16])),
                    body: Bytes::from_static(b"{}"),
                    first: None,
                },
                Fact::Answered {
                    place,
                    key: None,
                    body: Bytes::from_static(b"{\"a\":1}"),
                    first: Some(3),
                },
                Fact::Deferred { token: 9, place, key: None },
                Fact::Refused { place, reject: Reject::new("room_full", "the room is full") },
                Fact::Completed { token: 9, result: Err(Reject::new("busy", "later")) },
                Fact::Completed { token: 9, result: Ok(Bytes::from_static(b"{\"a\":1}")) },
                Fact::ActivityBegun {
                    name: "update_leaderboard".into(),
                    input: Bytes::new(),
                    options: ActivityOptions::default(),
                },
            ],
        }
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        assert_eq!(Record::decode(&record().encode()), Ok(record()));
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let bytes = record().encode();
        for at in 0..bytes.len() {
            let mut bad = bytes.to_vec();
            bad[at] ^= 0x40;
            assert!(Record::decode(&bad).is_err(), "byte {at}");
        }
        assert!(Record::decode(&bytes[..4]).is_err());
        assert!(Record::decode(&[]).is_err());
    }

    #[test]
    fn another_format_is_named() {
        let bytes = record().encode_as(FORMAT + 1);
        let reads = Formats::READS;
        assert_eq!(Record::decode(&bytes), Err(DecodeError::Format(FORMAT + 1, reads)));
        let later = Formats { oldest: FORMAT + 1, newest: FORMAT + 1 };
        assert_eq!(Record::decode_from(later, &bytes), Ok(record()));
        let old = record().encode();
        assert_eq!(Record::decode_from(later, &old), Err(DecodeError::Format(FORMAT, later)));
        assert!(Record::decode(&record().encode_as(0)).is_err(), "nothing was before the first");
    }

    #[test]
    fn the_newest_format_that_everyone_reads_is_written() {
        let formats = |oldest, newest| Formats { oldest, newest };
        let writes = formats(2, 4);
        assert_eq!(writes.shared(&[]), Some(4));
        assert_eq!(writes.shared(&[formats(1, 9), formats(2, 3)]), Some(3));
        assert_eq!(writes.shared(&[formats(1, 1)]), None, "too old");
        assert_eq!(writes.shared(&[formats(5, 6)]), None, "too new");
        assert_eq!(writes.shared(&[formats(1, 2), formats(3, 4)]), None, "too far apart");
        assert!(writes.covers(formats(2, 3)) && !writes.covers(formats(1, 3)));
        assert_eq!((formats(1, 1).to_string(), writes.to_string()), ("1".into(), "2 to 4".into()));
    }

    #[test]
    fn a_common_record_is_small() {
        let place = Place { session: 1, id: 7 };
        let body = Bytes::from_static(b"{}");
        let facts = vec![Fact::Answered { place, key: None, body, first: None }];
        let len = Record { now_ms: 1_795_345_219_097, facts }.encode().len();
        assert!(len <= 40, "{len} bytes");
    }
}
