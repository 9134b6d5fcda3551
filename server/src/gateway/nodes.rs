//! Which nodes there are, and which of them holds a player: what HTTP shows of the whole.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use futures::future::BoxFuture;
use holdfast_protocol::ids::PlayerId;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::Edge;
use super::http::{Failure, ReadRefused, may_read};

/// One node, as its lease tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeRow {
    /// As the operator named it.
    pub node: String,
    /// This run of it; as text, because it may be beyond what JSON numbers hold.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String)]
    pub session: u64,
    /// Where clients reach it.
    pub address: String,
    /// The program's version.
    pub version: String,
    /// Milliseconds since the last renewal of its lease; `None`: it needs none.
    pub lease_age_ms: Option<u64>,
    /// Its lease has not run out.
    pub alive: bool,
    /// It hands everything over and takes nothing new.
    pub draining: bool,
    /// Actors in its memory.
    pub activations: u64,
    /// Sockets open on it.
    pub sockets: u64,
}

fn as_text<S: Serializer>(session: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(session)
}

/// Which nodes there are and what they hold. The error is a sentence for people.
pub trait Directory: Send + Sync + fmt::Debug + 'static {
    /// Every node that has a lease, run out or not.
    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeRow>, String>>;
    /// The name of the node that holds a player; `None`: none does now, or one that is gone.
    fn holder(&self, player: &PlayerId) -> BoxFuture<'_, Result<Option<String>, String>>;
}

fn unknown(error: String) -> Failure {
    tracing::warn!(%error, "the nodes can't be read");
    let message = format!("the nodes can't be read now: {error}; try again");
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after_s(1)
}

/// Every node that has a lease.
#[derive(Serialize, ToSchema)]
pub(super) struct NodesPage {
    nodes: Vec<NodeRow>,
    /// Only of nodes that `holdfast demo` started.
    #[serde(skip_serializing_if = "Option::is_none")]
    demo: Option<DemoPart>,
}

/// What a demo adds.
#[derive(Serialize, ToSchema)]
struct DemoPart {
    /// Where its buttons are, below this URL.
    control: String,
}

/// The nodes
#[utoipa::path(
    get,
    path = "/v1/nodes",
    tag = "world",
    responses((status = 200, description = "All of them.", body = NodesPage), ReadRefused),
    security((), ("token" = []))
)]
pub(super) async fn read_nodes(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
) -> Result<Json<NodesPage>, Failure> {
    may_read(&edge, &headers)?;
    let nodes = match &edge.directory {
        Some(directory) => directory.nodes().await.map_err(unknown)?,
        None => vec![own(&edge)],
    };
    let demo = edge.demo_control.clone().map(|control| DemoPart { control });
    Ok(Json(NodesPage { nodes, demo }))
}

/// The one node, where there is no membership.
fn own(edge: &Edge) -> NodeRow {
    NodeRow {
        node: edge.node.clone(),
        session: edge.session,
        address: edge.advertise.clone().unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        lease_age_ms: None,
        alive: true,
        draining: edge.draining.load(Ordering::Acquire),
        activations: edge.runtime.stats().activations.get(),
        sockets: edge.door.len() as u64,
    }
}

/// The node that holds a player which was just read.
pub(super) async fn holder(edge: &Edge, player: &PlayerId) -> Result<Option<String>, Failure> {
    match &edge.directory {
        Some(directory) => directory.holder(player).await.map_err(unknown),
        None => Ok(Some(edge.node.clone())),
    }
}
