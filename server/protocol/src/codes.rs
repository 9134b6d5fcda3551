//! Error codes of replies and close codes of sockets, each with what a client should do about it.
//!
//! One table: the browser client and the docs are generated from or checked against it.
//! Invariant: `retry` is true only where the command was certainly not executed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a message was refused. Goes to the client as `err.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, or not the shape of a message.
    BadMessage,
    /// `do` names nothing that exists.
    UnknownVerb,
    /// An argument is missing, or of the wrong type, range or alphabet.
    BadArgs,
    /// The first message was neither hello nor resume.
    NotHello,
    /// The token is missing, wrong or expired.
    Unauthorized,
    /// Too many messages; `retry_after_ms` says how long to wait.
    RateLimited,
    /// A queue is full; nothing was executed.
    Busy,
    /// The outcome is not known yet; the real reply follows under the same id.
    Pending,
    /// Too many commands of this session are unanswered.
    TooManyInFlight,
    /// The command is older than the kept replies; it never runs again.
    OutcomeUnknown,
    /// The room has no free place.
    RoomFull,
    /// The player is in no room.
    NotInRoom,
    /// The target is not in the player's room.
    SameRoomRequired,
    /// No player has that id.
    NoSuchPlayer,
    /// The target must be somebody else.
    NotYourself,
    /// The move is cooling down.
    Cooldown,
    /// The player, or the target, is defeated.
    Defeated,
    /// The inventory has no such item.
    NoSuchItem,
    /// The item would change nothing now.
    NotUseful,
    /// No open trade has that id.
    NoSuchTrade,
    /// Not enough gold or items.
    NotEnough,
    /// Too many trades of a player are open.
    TooManyOffers,
    /// No party, or no invitation, of that id; or the player is in none.
    NoSuchParty,
    /// Only the leader may do that.
    NotLeader,
    /// The party has no free place.
    PartyFull,
    /// A message or a value is above its limit.
    TooLarge,
}

impl ErrorCode {
    /// Every code, in the order of the protocol's list.
    pub const ALL: [Self; 26] = [
        Self::BadMessage,
        Self::UnknownVerb,
        Self::BadArgs,
        Self::NotHello,
        Self::Unauthorized,
        Self::RateLimited,
        Self::Busy,
        Self::Pending,
        Self::TooManyInFlight,
        Self::OutcomeUnknown,
        Self::RoomFull,
        Self::NotInRoom,
        Self::SameRoomRequired,
        Self::NoSuchPlayer,
        Self::NotYourself,
        Self::Cooldown,
        Self::Defeated,
        Self::NoSuchItem,
        Self::NotUseful,
        Self::NoSuchTrade,
        Self::NotEnough,
        Self::TooManyOffers,
        Self::NoSuchParty,
        Self::NotLeader,
        Self::PartyFull,
        Self::TooLarge,
    ];

    /// The code as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadMessage => "bad_message",
            Self::UnknownVerb => "unknown_verb",
            Self::BadArgs => "bad_args",
            Self::NotHello => "not_hello",
            Self::Unauthorized => "unauthorized",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::Pending => "pending",
            Self::TooManyInFlight => "too_many_in_flight",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::RoomFull => "room_full",
            Self::NotInRoom => "not_in_room",
            Self::SameRoomRequired => "same_room_required",
            Self::NoSuchPlayer => "no_such_player",
            Self::NotYourself => "not_yourself",
            Self::Cooldown => "cooldown",
            Self::Defeated => "defeated",
            Self::NoSuchItem => "no_such_item",
            Self::NotUseful => "not_useful",
            Self::NoSuchTrade => "no_such_trade",
            Self::NotEnough => "not_enough",
            Self::TooManyOffers => "too_many_offers",
            Self::NoSuchParty => "no_such_party",
            Self::NotLeader => "not_leader",
            Self::PartyFull => "party_full",
            Self::TooLarge => "too_large",
        }
    }

    /// True when nothing was executed and the same command may be sent under a new id.
    #[must_use]
    pub const fn retry(self) -> bool {
        matches!(self, Self::RateLimited | Self::Busy | Self::TooManyInFlight)
    }

    /// The HTTP status that fits the code.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Pending => 202,
            Self::BadMessage | Self::UnknownVerb | Self::BadArgs | Self::NotHello => 400,
            Self::Unauthorized => 401,
            Self::NoSuchPlayer | Self::NoSuchItem | Self::NoSuchTrade | Self::NoSuchParty => 404,
            Self::RoomFull
            | Self::NotInRoom
            | Self::SameRoomRequired
            | Self::NotYourself
            | Self::Cooldown
            | Self::Defeated
            | Self::NotUseful
            | Self::NotEnough
            | Self::TooManyOffers
            | Self::NotLeader
            | Self::PartyFull => 409,
            Self::TooLarge => 413,
            Self::RateLimited | Self::TooManyInFlight => 429,
            Self::Busy => 503,
            Self::OutcomeUnknown => 504,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a client does after a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Connect again, with backoff, and resume (or say hello where the reason says so).
    Reconnect,
    /// Do not connect again by itself.
    Final,
}

/// Why a socket was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1000: the player logged out.
    Bye,
    /// 1007: a text frame was not UTF-8.
    InvalidUtf8,
    /// 1009: a message was above the limit.
    MessageTooBig,
    /// 1012: the process exits.
    Restart,
    /// 4000: an internal fault, or a command in doubt.
    Internal,
    /// 4001: this player is handed over, or the node is frozen.
    HandedOver,
    /// 4002: the client did not read fast enough.
    SlowConsumer,
    /// 4003: nothing came for too long.
    HeartbeatTimeout,
    /// 4005: the session's token ran out.
    SessionExpired,
    /// 4006: the actor moved without the player connecting again.
    Moved,
    /// 4500: the token was refused.
    Unauthorized,
    /// 4501: the first message was wrong or came too late.
    ProtocolError,
    /// 4503: too many refused messages.
    TooManyErrors,
    /// 4504: the player connected again, anywhere.
    Replaced,
    /// 4505: the player is banned.
    Banned,
    /// 4506: too many connections.
    TooManyConnections,
}

impl CloseCode {
    /// Every close code, by number.
    pub const ALL: [Self; 16] = [
        Self::Bye,
        Self::InvalidUtf8,
        Self::MessageTooBig,
        Self::Restart,
        Self::Internal,
        Self::HandedOver,
        Self::SlowConsumer,
        Self::HeartbeatTimeout,
        Self::SessionExpired,
        Self::Moved,
        Self::Unauthorized,
        Self::ProtocolError,
        Self::TooManyErrors,
        Self::Replaced,
        Self::Banned,
        Self::TooManyConnections,
    ];

    /// The number in the close frame.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Bye => 1000,
            Self::InvalidUtf8 => 1007,
            Self::MessageTooBig => 1009,
            Self::Restart => 1012,
            Self::Internal => 4000,
            Self::HandedOver => 4001,
            Self::SlowConsumer => 4002,
            Self::HeartbeatTimeout => 4003,
            Self::SessionExpired => 4005,
            Self::Moved => 4006,
            Self::Unauthorized => 4500,
            Self::ProtocolError => 4501,
            Self::TooManyErrors => 4503,
            Self::Replaced => 4504,
            Self::Banned => 4505,
            Self::TooManyConnections => 4506,
        }
    }

    /// The close code with that number, if it is one of the protocol's.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// A short name for logs, metrics and the browser.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bye => "bye",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::MessageTooBig => "message_too_big",
            Self::Restart => "restart",
            Self::Internal => "internal",
            Self::HandedOver => "handed_over",
            Self::SlowConsumer => "slow_consumer",
            Self::HeartbeatTimeout => "heartbeat_timeout",
            Self::SessionExpired => "session_expired",
            Self::Moved => "moved",
            Self::Unauthorized => "unauthorized",
            Self::ProtocolError => "protocol_error",
            Self::TooManyErrors => "too_many_errors",
            Self::Replaced => "replaced",
            Self::Banned => "banned",
            Self::TooManyConnections => "too_many_connections",
        }
    }

    /// Whether the client connects again: 40xx and 1012 do, all others do not.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self.code() {
            1012 | 4000..=4099 => Verdict::Reconnect,
            _ => Verdict::Final,
        }
    }

    /// One sentence for people; short enough for a close frame (123 bytes).
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Bye => "logged out; goodbye",
            Self::InvalidUtf8 => "a text message was not valid UTF-8",
            Self::MessageTooBig => "a message was above the size limit",
            Self::Restart => "the server process exits; connect again and resume",
            Self::Internal => "something went wrong or is in doubt; connect again and resume",
            Self::HandedOver => "the player moves to another gateway; connect again and resume",
            Self::SlowConsumer => "messages were not read fast enough; connect again and resume",
            Self::HeartbeatTimeout => "nothing was heard for too long; connect again and resume",
            Self::SessionExpired => "the session expired; connect again and say hello",
            Self::Moved => "the player's actor moved; connect again and resume",
            Self::Unauthorized => "the token was not accepted",
            Self::ProtocolError => "the first message must be hello or resume, and come in time",
            Self::TooManyErrors => "too many messages were refused in a short time",
            Self::Replaced => "the player connected from somewhere else",
            Self::Banned => "the player is banned",
            Self::TooManyConnections => "there are too many connections",
        }
    }
}

/// One row of [`table_json`].
#[derive(Serialize)]
struct Row {
    code: u16,
    name: &'static str,
    verdict: Verdict,
    reason: &'static str,
}

/// The close codes as a JSON array of `{code, name, verdict, reason}`, for the browser and docs.
#[must_use]
pub fn table_json() -> String {
    let rows = CloseCode::ALL.map(|close| Row {
        code: close.code(),
        name: close.name(),
        verdict: close.verdict(),
        reason: close.reason(),
    });
    serde_json::to_string_pretty(&rows).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_code_is_its_string() {
        for code in ErrorCode::ALL {
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("{:?}", code.as_str()));
            assert_eq!(serde_json::from_str::<ErrorCode>(&json).unwrap(), code);
            assert!((200..600).contains(&code.http_status()));
        }
    }

    #[test]
    fn only_three_codes_say_retry() {
        let retried: Vec<_> = ErrorCode::ALL.into_iter().filter(|code| code.retry()).collect();
        assert_eq!(retried, [ErrorCode::RateLimited, ErrorCode::Busy, ErrorCode::TooManyInFlight]);
    }

    #[test]
    fn close_codes_are_distinct_and_judged_by_range() {
        assert!(CloseCode::ALL.is_sorted_by_key(|close| close.code()));
        for close in CloseCode::ALL {
            assert_eq!(CloseCode::from_code(close.code()), Some(close));
            assert!(close.reason().len() <= 123);
            let final_range = (4500..4600).contains(&close.code());
            assert!(!final_range || close.verdict() == Verdict::Final);
        }
        assert_eq!(CloseCode::Restart.verdict(), Verdict::Reconnect);
        assert_eq!(CloseCode::Bye.verdict(), Verdict::Final);
        assert_eq!(CloseCode::from_code(4004), None);
    }

    /// The page's table is checked against the same file, by client-web/net/close_codes.test.js.
    #[test]
    fn the_fixture_is_the_table() {
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/close_codes.json");
        if std::env::var("HOLDFAST_WRITE_FIXTURES").is_ok_and(|on| on == "1") {
            std::fs::write(fixture, table_json() + "\n").unwrap();
        }
        let written = std::fs::read_to_string(fixture).unwrap();
        let again = "HOLDFAST_WRITE_FIXTURES=1 writes it; then mend client-web/net/close_codes.js";
        assert_eq!(written.trim_end(), table_json(), "{again}");
    }

    #[test]
    fn the_table_is_json() {
        let rows: Vec<serde_json::Value> = serde_json::from_str(&table_json()).unwrap();
        assert_eq!(rows.len(), CloseCode::ALL.len());
        assert_eq!(rows[4]["code"], 4000);
        assert_eq!(rows[4]["verdict"], "reconnect");
    }
}
