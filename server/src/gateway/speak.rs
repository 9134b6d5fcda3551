//! What a client is told, as JSON text. Pure.

use std::borrow::Cow;

use bytes::Bytes;
use holdfast_protocol::codes::ErrorCode;
use holdfast_protocol::frame;
use holdfast_protocol::server::ErrorBody;
use serde_json::json;

use crate::actor::contract::Reject;
use crate::actor::envelope::{Outcome, Refusal};

/// What is known to be UTF-8, as text; a byte that is not is replaced.
pub(super) fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The wire's code of a refusal by the rules; `None` for one that the protocol has no name for.
pub(super) fn code_of(reject: &Reject) -> Option<ErrorCode> {
    ErrorCode::ALL.into_iter().find(|code| code.as_str() == reject.code)
}

fn reject_text(id: Option<u64>, reject: &Reject) -> String {
    match code_of(reject) {
        Some(code) => frame::reply_err(id, &ErrorBody::new(code, reject.message.clone())),
        // A game's own code; it is never one that says retry.
        None => {
            let (code, message) = (&reject.code, &reject.message);
            let error = json!({ "code": code, "message": message, "retry": false });
            json!({ "id": id, "err": error }).to_string()
        }
    }
}

/// A reply. `None` for an `ok` that nobody waits for.
pub(super) fn reply(id: Option<u64>, outcome: &Outcome) -> Option<String> {
    match (&outcome.result, id) {
        (Ok(body), Some(id)) => Some(frame::reply_ok(id, &utf8(body), outcome.seq, outcome.dup)),
        (Ok(_), None) => None,
        (Err(reject), id) => {
            let mut text = reject_text(id, reject);
            if outcome.dup && text.pop() == Some('}') {
                text.push_str(",\"dup\":true}");
            }
            Some(text)
        }
    }
}

/// All numbered events of one record; `evs` are comma-separated.
pub(super) fn events(seq: u64, evs: &Bytes) -> String {
    frame::events(seq, [&*utf8(evs)])
}

/// Why a hello or resume was refused, and whether the socket closes as unauthorized or expired.
pub(super) fn refusal(refusal: &Refusal) -> ErrorBody {
    match refusal {
        Refusal::Rejected(reject) => {
            let code = code_of(reject).unwrap_or(ErrorCode::Unauthorized);
            ErrorBody::new(code, reject.message.clone())
        }
        Refusal::SessionEnded | Refusal::NoSuchActor => {
            let message = "this session has ended; say hello again";
            ErrorBody::new(ErrorCode::Unauthorized, message)
        }
        Refusal::Busy => {
            ErrorBody::new(ErrorCode::Busy, "too much is waiting; try again").after_ms(500)
        }
        Refusal::Quarantined => {
            let message = "this player's journal can't be read; an operator has to look";
            ErrorBody::new(ErrorCode::Busy, message).after_ms(5_000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(result: Result<Bytes, Reject>, dup: bool) -> Outcome {
        Outcome { result, seq: Some(9), dup }
    }

    #[test]
    fn a_repeat_says_so_whatever_the_outcome() {
        let ok = outcome(Ok(Bytes::from_static(b"{\"a\":1}")), true);
        assert_eq!(reply(Some(7), &ok).unwrap(), r#"{"id":7,"ok":{"a":1},"seq":9,"dup":true}"#);
        let refused = outcome(Err(Reject::new("room_full", "no place")), true);
        let text = reply(Some(7), &refused).unwrap();
        let said: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (said["err"]["code"].as_str(), said["dup"].as_bool()),
            (Some("room_full"), Some(true))
        );
    }

    #[test]
    fn an_ok_without_an_id_is_not_sent() {
        assert_eq!(reply(None, &outcome(Ok(Bytes::from_static(b"{}")), false)), None);
        let refused = outcome(Err(Reject::new("defeated", "wait")), false);
        let text = reply(None, &refused).unwrap();
        assert!(text.starts_with("{\"id\":null,\"err\":{\"code\":\"defeated\""), "{text}");
    }

    #[test]
    fn events_of_one_record_share_a_frame() {
        let evs = Bytes::from_static(b"{\"ev\":\"a\"},{\"ev\":\"b\"}");
        assert_eq!(events(4, &evs), r#"{"seq":4,"evs":[{"ev":"a"},{"ev":"b"}]}"#);
    }
}
