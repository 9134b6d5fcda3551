//! One connection: from being let in to its end, whichever comes first of what its sides do and
//! what becomes of it on the roster.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::try_join;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

use super::pipe::{Ends, NARROW_LEN, Pipe, Reset};
use super::roster::Fate;
use super::rules::Lane;
use super::shared::Shared;

/// A place on the roster; dropping it gives it up.
pub(super) struct Seat {
    nth: u64,
    fate: watch::Receiver<Fate>,
    shared: Arc<Shared>,
}

impl Seat {
    /// The next one.
    pub(super) fn take(shared: &Arc<Shared>) -> Self {
        let (nth, fate) = shared.roster().enter();
        Self { nth, fate, shared: Arc::clone(shared) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.roster().leave(self.nth);
    }
}

/// Forwards between `client` and the target until the connection's end.
pub(super) async fn run(mut client: TcpStream, mut seat: Seat) {
    let target = tokio::select! {
        biased;
        () = struck_off(&mut seat.fate) => None,
        target = reach(&seat.shared) => target.ok(),
    };
    let Some(mut target) = target else { return reset(client) };
    let (shared, nth) = (Arc::clone(&seat.shared), seat.nth);
    let ended = tokio::select! {
        biased;
        () = spoilt(&mut seat.fate) => {
            silence(&mut seat).await;
            Err(Reset)
        }
        ended = forward(&mut client, &mut target, nth, &shared) => ended,
    };
    if ended.is_err() {
        reset(client);
        reset(target);
    }
}

/// Waits until the connection is cut.
async fn struck_off(fate: &mut watch::Receiver<Fate>) {
    while fate.changed().await.is_ok() {}
}

/// Waits until the connection is silent or cut.
async fn spoilt(fate: &mut watch::Receiver<Fate>) {
    // An error is no other news: who rings no more has struck it off.
    let _ = fate.wait_for(|fate| *fate != Fate::Whole).await;
}

/// Waits for the end of a silent connection; meanwhile both sockets stay as they are.
async fn silence(seat: &mut Seat) {
    loop {
        let reset_at = match *seat.fate.borrow_and_update() {
            Fate::Silent(reset_at) => reset_at,
            Fate::Whole => None,
        };
        tokio::select! {
            fate = seat.fate.changed() => if fate.is_err() { return },
            () = seat.shared.until(reset_at) => return,
        }
    }
}

async fn forward(
    client: &mut TcpStream,
    target: &mut TcpStream,
    nth: u64,
    shared: &Shared,
) -> Result<(), Reset> {
    // Small messages at once, as both sides of Holdfast have it.
    client.set_nodelay(true).map_err(|_| Reset)?;
    let (from_client, to_client) = client.split();
    let (from_target, to_target) = target.split();
    let is_broken = &AtomicBool::new(false);
    let up = Ends { source: from_client, sink: to_target, is_broken };
    let down = Ends { source: from_target, sink: to_client, is_broken };
    let up = Pipe::new(Lane::Up, nth, up, shared);
    let down = Pipe::new(Lane::Down, nth, down, shared);
    try_join(up.run(), down.run()).await?;
    if is_broken.load(Ordering::Relaxed) { Err(Reset) } else { Ok(()) }
}

/// Connects to the target. When that is given up, a target that has let it in sees a reset.
async fn reach(shared: &Shared) -> io::Result<TcpStream> {
    let target = shared.target();
    let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if shared.rules.borrow().cap(Lane::Down).is_some() {
        // Before connecting: the first window that is offered is small too.
        socket.set_recv_buffer_size(NARROW_LEN)?;
    }
    socket.set_zero_linger()?;
    let stream = socket.connect(target).await?;
    SockRef::from(&stream).set_linger(None)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Closes a socket so that its other side sees a reset, whatever is under way.
pub(super) fn reset(stream: TcpStream) {
    // Without it the other side sees an end instead, or a reset all the same.
    let _ = stream.set_zero_linger();
    drop(stream);
}
