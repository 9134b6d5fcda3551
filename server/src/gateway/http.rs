//! Routes on the players' port: the socket's handshake, the page, health, and the HTTP API.
//!
//! Every route comes with its part of the OpenAPI document, so neither lists what the other lacks:
//! a new one is a handler with `#[utoipa::path(..)]` and a line in [`routes_of_the_api`]. Errors
//! are `{"error":{"code","message"}}` with the fitting status. Reads are open while guests are,
//! else they need a Bearer token; pages of allowed origins may ask too.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accept::Peer;
use super::{Edge, assets, nodes};

mod caller;
mod commands;
mod document;
mod failure;
mod find;
mod follow;
mod history;
mod players;
mod sessions;
mod upgrade;
mod world;

pub(super) use caller::may_read;
pub(super) use failure::{Failure, ReadRefused};

const BODY_LEN_MAX: usize = 16 * 1024;

/// Everything below `/v1`.
fn routes_of_the_api() -> OpenApiRouter<Arc<Edge>> {
    OpenApiRouter::new()
        .routes(routes!(sessions::open_session))
        .routes(routes!(find::list_players))
        .routes(routes!(find::count_players))
        .routes(routes!(players::read_player))
        .routes(routes!(players::read_status))
        .routes(routes!(players::read_inventory))
        .routes(routes!(players::read_metrics))
        .routes(routes!(history::read_history))
        .routes(routes!(history::read_state))
        .routes(routes!(history::read_diff))
        .routes(routes!(commands::command))
        .routes(routes!(world::read_rooms))
        .routes(routes!(world::read_leaderboard))
        .routes(routes!(nodes::read_nodes))
        .routes(routes!(document::read_document))
}

/// Every route.
pub(super) fn router(edge: Arc<Edge>) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(document::base())
        .routes(routes!(upgrade::upgrade))
        .routes(routes!(world::live))
        .routes(routes!(world::ready))
        .merge(routes_of_the_api())
        .split_for_parts();
    router
        .fallback(page)
        .method_not_allowed_fallback(|| async { Failure::not_allowed() })
        .layer(Extension(document::Document::new(&document)))
        .layer(from_fn_with_state(edge.clone(), share))
        .layer(from_fn_with_state(edge.clone(), count))
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(edge)
}

async fn page(method: Method, request: Request) -> Response {
    let path = request.uri().path();
    if method != Method::GET && method != Method::HEAD {
        return Failure::not_found().into_response();
    }
    let found = assets::get(path, request.headers());
    found.unwrap_or_else(|| Failure::not_found().into_response())
}

/// Counts what is refused, by whichever route.
async fn count(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    edge.counters.count_answer(response.status().as_u16());
    response
}

/// Below `/v1`: lets pages of allowed origins ask, answers their preflights, and keeps everybody's pace.
async fn share(
    State(edge): State<Arc<Edge>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if !request.uri().path().starts_with("/v1/") {
        return next.run(request).await;
    }
    let headers = request.headers();
    let origin = headers.get(ORIGIN).cloned();
    let origin = origin.filter(|_| upgrade::is_own(&edge, headers));
    let preflight = request.method() == Method::OPTIONS;
    let mut response = match caller::pace(&edge, peer.ip(), headers) {
        _ if preflight => StatusCode::NO_CONTENT.into_response(),
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    let out = response.headers_mut();
    out.insert(VARY, HeaderValue::from_static("origin"));
    let Some(origin) = origin else { return response };
    out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    out.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    if preflight {
        out.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        let allowed =
            HeaderValue::from_static("authorization, content-type, idempotency-key, last-event-id");
        out.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}
