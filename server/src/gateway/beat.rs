//! The node's heartbeat for input: one sweep over the connections that have some.
//!
//! A connection that takes input lists itself once; the sweep turns what waits into one command
//! (two where steps are missing in between). There is no timer a connection. A button that is
//! pressed or let go does not wait for the beat. Whoever sends holds
//! the connection's turn meanwhile, so that its commands never overtake its input; taking a frame
//! in never waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use holdfast_protocol::client::Verb;
use holdfast_protocol::edge::Request;
use holdfast_protocol::ids::ActorId;
use holdfast_protocol::movement::Step;
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Full, Run, Taken};
use super::counters::{Counters, add};
use super::tempo::Tempo;
use crate::actor::envelope::{Command, ConnectionId, SessionId};
use crate::actor::handle::Runtime;
use crate::clock::Clock;
use crate::msgpack;

/// One connection's input. Made with its first frame.
#[derive(Debug)]
pub(super) struct Inbox {
    actor: ActorId,
    session: SessionId,
    connection: ConnectionId,
    listed: AtomicBool,
    /// Whose is sending.
    turn: tokio::sync::Mutex<()>,
    batch: Mutex<Batch>,
}

impl Inbox {
    pub(super) fn new(actor: ActorId, session: SessionId, connection: ConnectionId) -> Arc<Self> {
        let (listed, turn, batch) = (AtomicBool::new(false), <_>::default(), Mutex::default());
        Arc::new(Self { actor, session, connection, listed, turn, batch })
    }

    pub(super) fn session(&self) -> SessionId {
        self.session
    }
}

/// The beat's handle. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Beat {
    runtime: Runtime,
    counters: Arc<Counters>,
    /// As many as there are connections at most: each lists itself once.
    due: Arc<Mutex<Vec<Arc<Inbox>>>>,
}

impl Beat {
    pub(super) fn new(runtime: Runtime, counters: Arc<Counters>) -> Self {
        Self { runtime, counters, due: Arc::default() }
    }

    /// Takes a frame until the next beat.
    ///
    /// # Errors
    /// [`Full`]: nothing of the frame was taken.
    pub(super) fn push(
        &self,
        inbox: &Arc<Inbox>,
        first: u64,
        steps: &[Step],
    ) -> Result<Taken, Full> {
        let mut batch = inbox.batch.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = batch.push(first, steps)?;
        drop(batch);
        if !inbox.listed.swap(true, Ordering::AcqRel) {
            self.due.lock().unwrap_or_else(PoisonError::into_inner).push(inbox.clone());
        }
        Ok(taken)
    }

    /// Sends what waits, now.
    pub(super) async fn flush(&self, inbox: &Inbox) {
        let _turn = inbox.turn.lock().await;
        let runs = inbox.batch.lock().unwrap_or_else(PoisonError::into_inner).take();
        for Run { first, steps } in runs {
            add(&self.counters.input_commands);
            let request = Request::Verb(Verb::Input { seq: first, steps });
            let (session, connection) = (inbox.session, inbox.connection);
            let payload = encode(&request);
            let command = Command { session, connection, id: None, key: None, payload };
            self.runtime.command(&inbox.actor, command).await;
        }
    }

    /// Sweeps at the tempo's beat until it is told to stop, and once more then.
    pub(super) async fn run(self, clock: Clock, tempo: Tempo, shutdown: CancellationToken) {
        loop {
            let last = tokio::select! {
                () = shutdown.cancelled() => true,
                () = clock.sleep_ms(tempo.beat_ms()) => false,
            };
            let due = std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner));
            for inbox in due {
                inbox.listed.store(false, Ordering::Release);
                self.flush(&inbox).await;
            }
            if last {
                return;
            }
        }
    }
}

/// A request as the rules read it: MessagePack with names.
pub(super) fn encode(request: &Request) -> Bytes {
    // Requests are plain data: encoding to memory can't fail.
    msgpack::named(request).unwrap_or_default()
}
