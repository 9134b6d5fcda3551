//! The bytes of one direction between being read and being written. Pure; times count from the
//! proxy's start.
//!
//! Order is kept: nothing leaves before what came in earlier. A delay does not throttle, because
//! everything waits at the same time; but at most [`TRANSIT_LEN_MAX`] wait, and when that is full
//! nothing more is read, so that the sender's kernel holds it back.

use std::collections::VecDeque;
use std::time::Duration;

/// What waits in one direction of one connection, in bytes. A delay of 100 ms lets ten times as
/// much through in a second.
pub(super) const TRANSIT_LEN_MAX: usize = 1024 * 1024;
/// What a piece counts for besides its bytes: small ones must not take all the memory.
const PIECE_LEN: usize = 64;

/// How a direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The sender says no more.
    Fin,
    /// The sender's connection is gone.
    Reset,
}

/// What can leave at a time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due<'a> {
    /// These bytes, or some of them.
    Bytes(&'a [u8]),
    /// The end, after all bytes.
    End(End),
    /// Nothing before that time.
    Later(Duration),
    /// Nothing is under way.
    Nothing,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Transit {
    pieces: VecDeque<Piece>,
    len: usize,
    last_release: Duration,
    end: Option<(Duration, End)>,
}

#[derive(Debug)]
struct Piece {
    release: Duration,
    bytes: Vec<u8>,
    sent: usize,
}

impl Transit {
    /// How many bytes may be read now.
    pub(super) fn room(&self) -> usize {
        if self.end.is_some() {
            return 0;
        }
        TRANSIT_LEN_MAX.saturating_sub(self.len)
    }

    /// Takes what was read at `now` and is `delay` under way.
    pub(super) fn push(&mut self, bytes: Vec<u8>, now: Duration, delay: Duration) {
        let release = self.release(now, delay);
        self.len += bytes.len() + PIECE_LEN;
        self.pieces.push_back(Piece { release, bytes, sent: 0 });
    }

    /// Takes the end, which is as long under way as bytes are.
    pub(super) fn close(&mut self, end: End, now: Duration, delay: Duration) {
        self.end = Some((self.release(now, delay), end));
    }

    /// A short delay after a long one overtakes nothing.
    fn release(&mut self, now: Duration, delay: Duration) -> Duration {
        self.last_release = self.last_release.max(now.saturating_add(delay));
        self.last_release
    }

    /// What can leave at `now`.
    pub(super) fn due(&self, now: Duration) -> Due<'_> {
        match (self.pieces.front(), self.end) {
            (Some(piece), _) if piece.release > now => Due::Later(piece.release),
            (Some(piece), _) => Due::Bytes(piece.bytes.get(piece.sent..).unwrap_or_default()),
            (None, Some((release, _))) if release > now => Due::Later(release),
            (None, Some((_, end))) => Due::End(end),
            (None, None) => Due::Nothing,
        }
    }

    /// Takes note that so many bytes of what was due have left.
    pub(super) fn sent(&mut self, len: usize) {
        let Some(piece) = self.pieces.front_mut() else { return };
        piece.sent += len;
        if piece.sent >= piece.bytes.len() {
            self.len -= piece.bytes.len() + PIECE_LEN;
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn bytes_leave_after_their_delay() {
        let mut transit = Transit::default();
        assert_eq!(transit.due(at(0)), Due::Nothing);
        transit.push(vec![1, 2], at(10), at(50));
        assert_eq!(transit.due(at(59)), Due::Later(at(60)));
        assert_eq!(transit.due(at(60)), Due::Bytes(&[1, 2]));
    }

    #[test]
    fn delays_run_side_by_side() {
        let mut transit = Transit::default();
        (0..10).for_each(|nth| transit.push(vec![nth], at(u64::from(nth)), at(50)));
        for nth in 0..10 {
            assert_eq!(transit.due(at(50 + u64::from(nth))), Due::Bytes(&[nth]));
            transit.sent(1);
        }
    }

    #[test]
    fn a_shorter_delay_overtakes_nothing() {
        let mut transit = Transit::default();
        transit.push(vec![1], at(0), at(50));
        transit.push(vec![2], at(10), at(20));
        transit.close(End::Fin, at(11), at(0));
        assert_eq!(transit.due(at(40)), Due::Later(at(50)));
        assert_eq!(transit.due(at(50)), Due::Bytes(&[1]));
        transit.sent(1);
        assert_eq!(transit.due(at(49)), Due::Later(at(50)), "the time of the one before");
        assert_eq!(transit.due(at(50)), Due::Bytes(&[2]));
        transit.sent(1);
        assert_eq!(transit.due(at(49)), Due::Later(at(50)), "the end too");
        assert_eq!(transit.due(at(50)), Due::End(End::Fin));
    }

    #[test]
    fn what_is_left_of_a_piece_comes_next() {
        let mut transit = Transit::default();
        transit.push(vec![1, 2, 3], at(0), at(0));
        transit.push(vec![4], at(0), at(0));
        transit.sent(2);
        assert_eq!(transit.due(at(0)), Due::Bytes(&[3]));
        transit.sent(1);
        assert_eq!(transit.due(at(0)), Due::Bytes(&[4]));
    }

    #[test]
    fn the_end_waits_for_the_bytes_and_its_own_delay() {
        let mut transit = Transit::default();
        transit.push(vec![1], at(0), at(0));
        transit.close(End::Reset, at(0), at(30));
        assert_eq!(transit.due(at(40)), Due::Bytes(&[1]));
        transit.sent(1);
        assert_eq!(transit.due(at(29)), Due::Later(at(30)));
        assert_eq!(transit.due(at(30)), Due::End(End::Reset));
    }

    #[test]
    fn room_is_bounded_and_comes_back() {
        let mut transit = Transit::default();
        transit.push(vec![0; TRANSIT_LEN_MAX - PIECE_LEN - 5], at(0), at(0));
        assert_eq!(transit.room(), 5);
        transit.push(vec![0; 5], at(0), at(0));
        assert_eq!(transit.room(), 0, "a piece costs more than its bytes");
        transit.sent(TRANSIT_LEN_MAX - PIECE_LEN - 5);
        transit.sent(5);
        assert_eq!(transit.room(), TRANSIT_LEN_MAX);
    }

    #[test]
    fn nothing_is_read_after_the_end() {
        let mut transit = Transit::default();
        transit.close(End::Fin, at(0), at(0));
        assert_eq!(transit.room(), 0);
    }
}
