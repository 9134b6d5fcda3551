//! A TCP proxy that spoils what it forwards, in ways that can be repeated and changed while it
//! runs: for load tests, browser tests, and whoever wants to see a game hold fast.
//!
//! In reading order: [`fault`] (the language that faults are written in), `rules` (what holds at
//! a time), `dice` (what chance decides, from a seed), `transit` (bytes under way) and `meter`
//! (reading slowly), all of them pure; then `pipe` (one direction), `connection`, `roster` (who
//! is open), `shared`, and here the door and the [`Handle`].
//!
//! Bytes are never lost, doubled or reordered on a connection that lives: a fault delays them or
//! ends the connection. Decisions follow from the seed and the order in which connections came;
//! where the network splits what was sent is its own affair.
//!
//! What a relay can't do: a silent connection still has its acknowledgements and keep-alives
//! answered by this machine's kernel, so that only the sides' own messages can find it out. A new
//! connection that is refused is let in and reset at once; the port stays taken.

mod connection;
mod dice;
pub mod fault;
mod meter;
mod pipe;
mod roster;
mod rules;
mod shared;
#[cfg(test)]
mod tests;
mod transit;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::echo;
use connection::Seat;
pub use fault::{Error, Fault};
use roster::Roster;
pub use rules::{Faults, Way};
use shared::Shared;

/// How long nobody is let in after the OS could let nobody in: it lacks files or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a proxy starts with.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Where its connections lead, until [`Handle::lead_to`].
    pub target: SocketAddr,
    /// What spoils them from the beginning.
    pub faults: Faults,
    /// What jitters and choices follow from.
    pub seed: u64,
}

/// A proxy that runs. Dropping it closes the door and all connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    handle: Handle,
    door: JoinHandle<()>,
}

impl Proxy {
    /// Listens, and forwards from now on.
    ///
    /// # Errors
    /// What the OS said when it could not listen, or that there is no tokio runtime here.
    pub fn start(config: Config) -> io::Result<Self> {
        runtime::Handle::try_current().map_err(io::Error::other)?;
        let listener = echo::bind(config.listen)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(config.target, config.seed, config.faults));
        let door = tokio::spawn(admit(listener, Arc::clone(&shared)));
        Ok(Self { address, handle: Handle { shared }, door })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What spoils its traffic and counts it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.door.abort();
    }
}

/// Lets connections in, for ever; whoever drops it ends them.
async fn admit(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) if shared.rules.borrow().refuses(shared.now()) => {
                    connection::reset(client);
                    shared.count_refused();
                }
                Ok((client, _)) => {
                    connections.spawn(connection::run(client, Seat::take(&shared)));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// What a proxy has seen since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are open, silent ones too.
    pub open: usize,
    /// Connections that were let in.
    pub total: u64,
    /// Connections that were not.
    pub refused: u64,
    /// Bytes written to the target.
    pub up_bytes: u64,
    /// Bytes written to clients.
    pub down_bytes: u64,
}

/// Spoils a proxy's traffic while it runs. Of one that has ended it does nothing.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Does what a fault says; gives the number of open connections that it did it to.
    pub fn apply(&self, fault: &Fault) -> usize {
        match *fault {
            Fault::Cut { percent } => return self.cut(percent / 100.0),
            Fault::HalfOpen { span } => return self.half_open(span),
            Fault::Refuse { span } => {
                self.refuse(span);
                return 0;
            }
            Fault::Delay { delay, jitter } => self.delay(delay, jitter),
            Fault::Stall { way, span } => self.stall(way, span),
            Fault::Slow { bytes_per_s } => self.slow(bytes_per_s),
            Fault::Clear => self.clear(),
        }
        self.counts().open
    }

    /// Leads new connections elsewhere; those that are open stay where they are.
    pub fn lead_to(&self, target: SocketAddr) {
        self.shared.lead_to(target);
    }

    /// Puts other standing faults in the place of those that were.
    pub fn set(&self, faults: Faults) {
        self.shared.rules.send_modify(|rules| rules.faults = faults);
    }

    /// Lets everything arrive later, each way, give or take the jitter. What is under way keeps
    /// its time, and nothing overtakes it.
    pub fn delay(&self, delay: Duration, jitter: Duration) {
        self.shared.rules.send_modify(|rules| {
            rules.faults.delay = delay;
            rules.faults.jitter = jitter;
        });
    }

    /// Lets nothing move for a span, on open and on new connections. A stall within a longer one
    /// changes nothing.
    pub fn stall(&self, way: Way, span: Duration) {
        let until = self.shared.after(span);
        self.shared.rules.send_modify(|rules| rules.stall(way, until));
    }

    /// Resets a share, from 0 to 1 and rounded up, of the open connections; gives their number.
    pub fn cut(&self, share: f64) -> usize {
        self.shared.roster().cut(share)
    }

    /// Silences the open connections for good, and resets them after the span if there is one:
    /// neither side is told, and what was under way is lost. Gives their number.
    pub fn half_open(&self, span: Option<Duration>) -> usize {
        let reset_at = span.map(|span| self.shared.after(span));
        self.shared.roster().silence(reset_at)
    }

    /// Reads at most so many of the target's bytes in a second, on each connection, through a
    /// small receive buffer: the target sees a client that reads slowly. 0 reads nothing; `None`
    /// reads as fast as can be.
    pub fn slow(&self, bytes_per_s: Option<u32>) {
        self.shared.rules.send_modify(|rules| rules.faults.slow_bytes_per_s = bytes_per_s);
    }

    /// Resets new connections for a span.
    pub fn refuse(&self, span: Duration) {
        let until = self.shared.after(span);
        self.shared.rules.send_modify(|rules| rules.refuse(until));
    }

    /// Ends every fault; but connections that are silent stay so, as what was under way is lost.
    pub fn clear(&self) {
        self.shared.rules.send_modify(|rules| *rules = rules::Rules::default());
    }

    /// What the proxy has seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }
}
