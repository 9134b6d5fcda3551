//! What goes wrong, as HTTP says it: `{"error": {"code", "message"}}` with the fitting status.
//!
//! 429 and 503 `busy` mean that nothing was executed. 504 means that it is not known: a repeat
//! under the same `Idempotency-Key` is safe and finds out.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_protocol::codes::ErrorCode;
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::actor::envelope::CallError;
use crate::gateway::auth::AuthError;

/// What every refusal holds.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::gateway) struct ErrorPage {
    /// Why.
    pub error: ErrorDetail,
}

/// Why a request was refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::gateway) struct ErrorDetail {
    /// One of the protocol's codes, such as `room_full`.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// Of a query: where the mistake begins, in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// Of a query: what to write there instead; empty: leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// An error as HTTP says it.
#[derive(Debug)]
pub(in crate::gateway) struct Failure {
    status: StatusCode,
    code: String,
    message: String,
    column: Option<usize>,
    suggestion: Option<String>,
    retry_after_s: Option<u64>,
}

impl Failure {
    pub(in crate::gateway) fn new(
        status: StatusCode,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            column: None,
            suggestion: None,
            retry_after_s: None,
        }
    }

    pub(in crate::gateway) fn of(code: ErrorCode, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.http_status());
        Self::new(status.unwrap_or(StatusCode::CONFLICT), code.as_str(), message)
    }

    pub(in crate::gateway) fn retry_after_s(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// Says where in a query the mistake is.
    pub(super) fn at(self, column: usize, suggestion: Option<String>) -> Self {
        Self { column: Some(column), suggestion, ..self }
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
    }

    pub(super) fn not_allowed() -> Self {
        let message = "not with this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self { code, message, column, suggestion, .. } = self;
        let error = ErrorDetail { code, message, column, suggestion };
        let mut response = (self.status, Json(ErrorPage { error })).into_response();
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self::of(ErrorCode::Unauthorized, error.to_string())
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        match error {
            CallError::Rejected(reject) => {
                let known = ErrorCode::ALL.into_iter().find(|code| code.as_str() == reject.code);
                known.map_or_else(
                    || Self::new(StatusCode::CONFLICT, reject.code.clone(), &*reject.message),
                    |code| Self::of(code, &*reject.message),
                )
            }
            CallError::NoSuchActor => Self::of(ErrorCode::NoSuchPlayer, "no player has that id"),
            CallError::Busy => Self::of(ErrorCode::Busy, message).retry_after_s(1),
            CallError::Pending => Self::of(ErrorCode::Pending, message).retry_after_s(1),
            CallError::OutcomeUnknown => Self::of(ErrorCode::OutcomeUnknown, message),
            CallError::Quarantined => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "quarantined", message)
            }
        }
    }
}

type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

/// The documented refusals of a route: status and meaning.
fn refusals(list: &[(u16, &str)]) -> Responses {
    let one = |(status, meaning): &(u16, &str)| {
        let page = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorPage"))).build();
        let response = ResponseBuilder::new().description(*meaning);
        (status.to_string(), response.content("application/json", page).build().into())
    };
    list.iter().map(one).collect()
}

const BAD_ARGS: (u16, &str) = (400, "`bad_args` or `bad_message`: mend the request.");
const UNAUTHORIZED: (u16, &str) = (401, "`unauthorized`: the token is missing, wrong or expired.");
const NO_SUCH_PLAYER: (u16, &str) = (404, "`no_such_player`; of a command also `no_such_item`.");
const SLOW: (u16, &str) = (408, "`bad_message`: the body did not come in time.");
const TOO_LARGE: (u16, &str) = (413, "`too_large`: the body, or a value in it.");
const MEDIA: (u16, &str) = (415, "`bad_message`: the body must be `application/json`.");
const RATE: (u16, &str) = (429, "`rate_limited`: not executed; see `Retry-After`.");
const BUSY: (u16, &str) =
    (503, "`busy`: not executed, try again; `quarantined`: an operator has to look.");

/// Refusals of a read that has parameters or none.
pub(in crate::gateway) struct ReadRefused;

impl IntoResponses for ReadRefused {
    fn responses() -> Responses {
        refusals(&[BAD_ARGS, UNAUTHORIZED, RATE, BUSY])
    }
}

/// Refusals of a read of one player.
pub(in crate::gateway) struct PlayerRefused;

impl IntoResponses for PlayerRefused {
    fn responses() -> Responses {
        refusals(&[BAD_ARGS, UNAUTHORIZED, NO_SUCH_PLAYER, RATE, BUSY])
    }
}

/// Refusals of a handshake.
pub(super) struct SocketRefused;

impl IntoResponses for SocketRefused {
    fn responses() -> Responses {
        refusals(&[
            (400, "`unsupported_protocol`: none of the subprotocols is known."),
            (403, "`forbidden_origin`: pages of this origin may not connect."),
            (426, "`bad_message`: this is a WebSocket."),
            RATE,
            BUSY,
        ])
    }
}

/// Refusals of a session call.
pub(super) struct SessionRefused;

impl IntoResponses for SessionRefused {
    fn responses() -> Responses {
        let unknown = (504, "`outcome_unknown`: ask again, it changes nothing twice.");
        refusals(&[BAD_ARGS, UNAUTHORIZED, SLOW, TOO_LARGE, MEDIA, RATE, BUSY, unknown])
    }
}

/// Refusals of a command.
pub(super) struct CommandRefused;

impl IntoResponses for CommandRefused {
    fn responses() -> Responses {
        let refused = (409, "The rules refuse it, such as `room_full`; nothing is used up.");
        let unknown = (
            504,
            "`outcome_unknown`: it may have been executed. Repeat it under the same \
             `Idempotency-Key`; without one, look at the player first.",
        );
        let (bad, player) = (BAD_ARGS, NO_SUCH_PLAYER);
        let (slow, large) = (SLOW, TOO_LARGE);
        refusals(&[bad, UNAUTHORIZED, player, slow, refused, large, MEDIA, RATE, BUSY, unknown])
    }
}

/// A header's value as text.
pub(super) fn text<'a>(headers: &'a axum::http::HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::contract::Reject;

    #[test]
    fn each_end_of_a_call_has_its_status() {
        let reject = |code| CallError::Rejected(Reject::new(code, "a sentence"));
        let cases = [
            (reject("room_full"), 409, "room_full"),
            (reject("a_games_own"), 409, "a_games_own"),
            (CallError::NoSuchActor, 404, "no_such_player"),
            (CallError::Busy, 503, "busy"),
            (CallError::Pending, 202, "pending"),
            (CallError::OutcomeUnknown, 504, "outcome_unknown"),
            (CallError::Quarantined, 503, "quarantined"),
        ];
        for (error, status, code) in cases {
            let failure = Failure::from(error);
            assert_eq!((failure.status.as_u16(), &*failure.code), (status, code));
        }
    }
}
