//! The socket's handshake: who may connect, and how both sides will speak.

use std::sync::Arc;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, State, WebSocketUpgrade};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_protocol::codes::ErrorCode;

use super::failure::{Failure, SocketRefused, text};
use crate::gateway::accept::Peer;
use crate::gateway::counters::add;
use crate::gateway::limit::Limit;
use crate::gateway::session::Rules;
use crate::gateway::{Edge, socket};

const JSON_PROTOCOL: &str = "holdfast.v1.json";
const PACKED_PROTOCOL: &str = "holdfast.v1.msgpack";
const TEXT_PROTOCOL: &str = "holdfast.v1.text";
/// What may be asked for, and the rules of each.
const PROTOCOLS: [(&str, Rules); 3] =
    [(JSON_PROTOCOL, Rules::Json), (PACKED_PROTOCOL, Rules::Packed), (TEXT_PROTOCOL, Rules::Text)];
const WRITE_BUFFER_LEN: usize = 4 * 1024;
/// Most bytes that wait in a socket's task; above the largest single message.
const WRITE_BUFFER_LEN_MAX: usize = 1024 * 1024;

/// True when the request has no origin, or one that is allowed.
pub(super) fn is_own(edge: &Edge, headers: &HeaderMap) -> bool {
    !headers.contains_key(ORIGIN)
        || text(headers, &ORIGIN).is_some_and(|origin| edge.allows(origin, text(headers, &HOST)))
}

/// A WebSocket
///
/// See the protocol's own reference; subprotocols `holdfast.v1.json`, `holdfast.v1.msgpack` and
/// `holdfast.v1.text`.
#[utoipa::path(
    get,
    path = "/ws",
    tag = "socket",
    responses((status = 101, description = "The socket is open."), SocketRefused)
)]
pub(super) async fn upgrade(
    State(edge): State<Arc<Edge>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    asked: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match admit(&edge, peer, &headers, asked) {
        Ok(response) => response,
        Err(failure) => {
            add(&edge.counters.turned_away);
            failure.into_response()
        }
    }
}

fn admit(
    edge: &Arc<Edge>,
    peer: std::net::SocketAddr,
    headers: &HeaderMap,
    asked: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let asked = asked.map_err(|rejection| {
        let message = format!("this is a WebSocket: {}", rejection.body_text());
        Failure::new(StatusCode::UPGRADE_REQUIRED, "bad_message", message)
    })?;
    if !is_own(edge, headers) {
        let message = "pages of this origin may not connect; see --allow-origin";
        return Err(Failure::new(StatusCode::FORBIDDEN, "forbidden_origin", message));
    }
    if edge.is_draining() {
        return Err(Failure::of(ErrorCode::Busy, "this node stops").retry_after_s(1));
    }
    if !edge.door.knock(peer.ip()) {
        edge.counters.count_limit(Limit::Handshakes);
        let message = "too many connections a second from this address";
        return Err(Failure::of(ErrorCode::RateLimited, message).retry_after_s(1));
    }
    let (rules, protocol) = choose(&asked)?;
    let host = text(headers, &HOST).unwrap_or(&edge.node);
    let url: Box<str> = edge.advertise.clone().unwrap_or_else(|| format!("ws://{host}/ws")).into();
    let place = edge.door.enter(peer.ip());
    if let Err(limit) = &place {
        edge.counters.count_limit(*limit);
    }
    let mut asked = asked
        .read_buffer_size(edge.limits.read_buffer_len)
        .write_buffer_size(WRITE_BUFFER_LEN)
        .max_write_buffer_size(WRITE_BUFFER_LEN_MAX)
        .max_message_size(edge.limits.message_len_max)
        .max_frame_size(edge.limits.message_len_max);
    if let Some(protocol) = protocol {
        asked.set_selected_protocol(HeaderValue::from_static(protocol));
    }
    let edge = edge.clone();
    Ok(asked.on_upgrade(async move |websocket| {
        // A task of its own: the one that upgraded would keep its larger future for good.
        let sockets = edge.sockets.clone();
        sockets.spawn(socket::serve(edge, websocket, rules, place.ok(), url));
    }))
}

/// The first subprotocol asked for that is supported; none asked for is text.
fn choose(asked: &WebSocketUpgrade) -> Result<(Rules, Option<&'static str>), Failure> {
    let mut none_asked = true;
    for name in asked.requested_protocols() {
        none_asked = false;
        let known = PROTOCOLS.iter().find(|(known, _)| known.as_bytes() == name.as_bytes());
        if let Some((known, rules)) = known {
            return Ok((*rules, Some(known)));
        }
    }
    if none_asked {
        return Ok((Rules::Text, None));
    }
    let message = format!("supported subprotocols: {}", PROTOCOLS.map(|(name, _)| name).join(", "));
    Err(Failure::new(StatusCode::BAD_REQUEST, "unsupported_protocol", message))
}
