//! One direction of one connection: reads, keeps what was read for as long as the rules say, and
//! writes. What is allowed at a time is [`Step`]; everything else here is waiting for it.
//!
//! When a lane stands still it neither reads nor writes: what the sender goes on to send stays in
//! the kernels. A lane ends where its sender did, after everything that was sent before.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::dice::Dice;
use super::meter::Meter;
use super::rules::{Lane, Rules};
use super::shared::Shared;
use super::transit::{Due, End, Transit};

/// What is read at once, in bytes.
const PIECE_LEN_MAX: usize = 16 * 1024;
/// The kernel's receive buffer of a socket that is read slowly, in bytes; it may take twice that.
pub(super) const NARROW_LEN: u32 = 16 * 1024;
/// That of one that was, before; a buffer once narrowed no longer sizes itself.
const WIDE_LEN: u32 = 256 * 1024;

/// The connection is to be reset on both sides.
#[derive(Debug)]
pub(super) struct Reset;

/// Where a lane leads from and to.
pub(super) struct Ends<'a> {
    /// What is read.
    pub(super) source: ReadHalf<'a>,
    /// What is written.
    pub(super) sink: WriteHalf<'a>,
    /// Set by either lane when what it writes to is gone. The other one still forwards what that
    /// side has said, and then it resets.
    pub(super) is_broken: &'a AtomicBool,
}

/// See the module.
pub(super) struct Pipe<'a> {
    lane: Lane,
    ends: Ends<'a>,
    shared: &'a Shared,
    rules: watch::Receiver<Rules>,
    dice: Dice,
    transit: Transit,
    meter: Meter,
    cap: Option<u32>,
}

/// What a lane may do at a time.
#[derive(Debug, Default, PartialEq, Eq)]
struct Step {
    /// At most so many bytes may be read; 0 lets the source wait.
    read_len: usize,
    /// Something is due that can be written.
    writes: bool,
    /// The sender's end is due.
    end: Option<End>,
    /// When to look again, if nothing happens before.
    wake_at: Option<Duration>,
}

impl<'a> Pipe<'a> {
    /// The lane of the connection `nth`.
    pub(super) fn new(lane: Lane, nth: u64, ends: Ends<'a>, shared: &'a Shared) -> Self {
        Self {
            lane,
            ends,
            shared,
            rules: shared.rules.subscribe(),
            dice: Dice::of_lane(shared.seed, nth, lane),
            transit: Transit::default(),
            meter: Meter::default(),
            cap: None,
        }
    }

    /// Forwards until the sender has ended and all that it sent is written, or until what is
    /// written to is gone.
    ///
    /// # Errors
    /// [`Reset`], when the sender's connection was reset.
    pub(super) async fn run(mut self) -> Result<(), Reset> {
        loop {
            let rules = *self.rules.borrow_and_update();
            self.obey(rules.cap(self.lane));
            let step = step(self.lane, &rules, &self.transit, &self.meter, self.shared.now());
            if let Some(end) = step.end {
                return self.end(end).await;
            }
            tokio::select! {
                _ = self.rules.changed() => {}
                () = self.shared.until(step.wake_at) => {}
                _ = self.ends.source.readable(), if step.read_len > 0 => {
                    self.read(step.read_len, &rules);
                }
                _ = self.ends.sink.writable(), if step.writes => {
                    if self.write().is_err() {
                        self.ends.is_broken.store(true, Ordering::Relaxed);
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Takes up a cap that is new.
    fn obey(&mut self, cap: Option<u32>) {
        if cap == self.cap {
            return;
        }
        let len = if cap.is_some() { NARROW_LEN } else { WIDE_LEN };
        let source: &TcpStream = self.ends.source.as_ref();
        // A buffer that stays as it is makes the fault milder, and no connection fail.
        let _ = SockRef::from(source).set_recv_buffer_size(len as usize);
        self.meter.clear();
        self.cap = cap;
    }

    fn read(&mut self, len: usize, rules: &Rules) {
        let mut piece = [0; PIECE_LEN_MAX];
        let Some(part) = piece.get_mut(..len.min(PIECE_LEN_MAX)) else { return };
        let read = match self.ends.source.try_read(part) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            read => read,
        };
        let (now, delay) = (self.shared.now(), self.dice.delay(&rules.faults));
        match read {
            Err(_) => self.transit.close(End::Reset, now, delay),
            Ok(0) => self.transit.close(End::Fin, now, delay),
            Ok(len) => {
                let bytes = part.get(..len).unwrap_or_default();
                self.transit.push(bytes.to_vec(), now, delay);
                if let Some(cap) = self.cap {
                    self.meter.take(len, cap, now);
                }
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let Due::Bytes(bytes) = self.transit.due(self.shared.now()) else { return Ok(()) };
        match self.ends.sink.try_write(bytes) {
            Ok(len) => {
                self.transit.sent(len);
                self.shared.count_bytes(self.lane, len);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn end(mut self, end: End) -> Result<(), Reset> {
        if end == End::Reset || self.ends.is_broken.load(Ordering::Relaxed) {
            return Err(Reset);
        }
        // It fails only when the other side is gone already, which the other lane reads.
        let _ = self.ends.sink.shutdown().await;
        Ok(())
    }
}

/// What a lane may do now. Pure.
fn step(lane: Lane, rules: &Rules, transit: &Transit, meter: &Meter, now: Duration) -> Step {
    if let Some(until) = rules.still_until(lane, now) {
        return Step { wake_at: Some(until), ..Step::default() };
    }
    let mut step = match transit.due(now) {
        Due::Bytes(_) => Step { writes: true, ..Step::default() },
        Due::End(end) => Step { end: Some(end), ..Step::default() },
        Due::Later(release) => Step { wake_at: Some(release), ..Step::default() },
        Due::Nothing => Step::default(),
    };
    let portion = rules.cap(lane).map_or(PIECE_LEN_MAX, Meter::portion);
    let len = portion.min(PIECE_LEN_MAX).min(transit.room());
    if len > 0 && meter.next() > now {
        step.wake_at = Some(step.wake_at.map_or(meter.next(), |at| at.min(meter.next())));
    } else {
        step.read_len = len;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::super::rules::{Faults, Way};
    use super::super::transit::TRANSIT_LEN_MAX;
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn slow(bytes_per_s: u32) -> Rules {
        Rules::new(Faults { slow_bytes_per_s: Some(bytes_per_s), ..Faults::default() })
    }

    fn down(rules: &Rules, transit: &Transit, meter: &Meter, now_ms: u64) -> Step {
        step(Lane::Down, rules, transit, meter, at(now_ms))
    }

    #[test]
    fn a_still_lane_does_nothing_until_its_time() {
        let mut rules = Rules::default();
        rules.stall(Way::Down, at(100));
        let mut transit = Transit::default();
        transit.push(vec![1], at(0), at(0));
        let still = down(&rules, &transit, &Meter::default(), 99);
        assert_eq!(still, Step { wake_at: Some(at(100)), ..Step::default() });
        assert!(down(&rules, &transit, &Meter::default(), 100).writes);
        assert!(step(Lane::Up, &rules, &transit, &Meter::default(), at(99)).writes);
    }

    #[test]
    fn a_lane_reads_on_while_its_bytes_are_under_way() {
        let mut transit = Transit::default();
        transit.push(vec![1], at(0), at(50));
        let step = down(&Rules::default(), &transit, &Meter::default(), 10);
        assert_eq!((step.wake_at, step.writes), (Some(at(50)), false));
        assert_eq!(step.read_len, PIECE_LEN_MAX);
    }

    #[test]
    fn a_full_lane_reads_nothing() {
        let mut transit = Transit::default();
        transit.push(vec![1; TRANSIT_LEN_MAX], at(0), at(0));
        let step = down(&Rules::default(), &transit, &Meter::default(), 10);
        assert_eq!((step.read_len, step.writes), (0, true));
    }

    #[test]
    fn a_capped_lane_reads_portions_when_they_are_due() {
        let (transit, mut meter) = (Transit::default(), Meter::default());
        assert_eq!(down(&slow(1_000), &transit, &meter, 0).read_len, 50);
        meter.take(50, 1_000, at(0));
        let early = down(&slow(1_000), &transit, &meter, 49);
        assert_eq!((early.read_len, early.wake_at), (0, Some(at(50))));
        assert_eq!(down(&slow(1_000), &transit, &meter, 50).read_len, 50);
        assert_eq!(down(&slow(0), &transit, &Meter::default(), 50), Step::default());
    }

    #[test]
    fn of_two_times_to_wake_the_earlier_counts() {
        let (mut transit, mut meter) = (Transit::default(), Meter::default());
        meter.take(50, 1_000, at(0));
        transit.push(vec![1], at(0), at(20));
        assert_eq!(down(&slow(1_000), &transit, &meter, 0).wake_at, Some(at(20)));
        transit.sent(1);
        transit.push(vec![1], at(0), at(90));
        assert_eq!(down(&slow(1_000), &transit, &meter, 0).wake_at, Some(at(50)));
    }
}
