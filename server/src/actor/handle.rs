//! How the rest of the node speaks to actors. Cheap to clone.
//!
//! Every call goes to the worker that owns the actor; the actor is activated if it is not in
//! memory. A call waits only for room in the worker's bounded queue.

use bytes::Bytes;
use holdfast_protocol::ids::ActorId;

use super::envelope::{Answered, Attach, Call, CallError, Command, Connection, ConnectionId};

/// The runtime's handle.
#[derive(Debug, Clone)]
pub struct Runtime {}

impl Runtime {
    /// Attaches a socket to a player by hello or resume. The first delivery on the connection is
    /// [`super::envelope::Delivery::Attached`] or [`super::envelope::Delivery::Refused`].
    pub async fn attach(&self, actor: &ActorId, connection: Connection, attach: Attach) {
        let _ = (actor, connection, attach);
    }

    /// Says that a socket is gone. Not a logout.
    pub async fn detach(&self, actor: &ActorId, connection: ConnectionId) {
        let _ = (actor, connection);
    }

    /// A command of a session; the answer is delivered to the connection.
    pub async fn command(&self, actor: &ActorId, command: Command) {
        let _ = (actor, command);
    }

    /// A session's read, in order with its commands; the answer is delivered to the connection.
    pub async fn read(&self, actor: &ActorId, connection: ConnectionId, id: u64, payload: Bytes) {
        let _ = (actor, connection, id, payload);
    }

    /// A command from outside any session.
    ///
    /// # Errors
    /// [`CallError`], each with its meaning for the caller.
    pub async fn call(&self, actor: &ActorId, call: Call) -> Result<Answered, CallError> {
        let _ = (actor, call);
        Err(CallError::Busy)
    }

    /// A read from outside any session. `linearizable`: the journal's tip is read after the call.
    ///
    /// # Errors
    /// [`CallError`], each with its meaning for the caller.
    pub async fn query(
        &self,
        actor: &ActorId,
        payload: Bytes,
        linearizable: bool,
    ) -> Result<Answered, CallError> {
        let _ = (actor, payload, linearizable);
        Err(CallError::Busy)
    }
}
