//! How a socket that can't keep up gets fewer room frames. Pure: times are arguments.
//!
//! A frame is made when its socket can take one, so nothing piles up. A frame whose write took
//! longer than the time between two doubles the socket's own pace, up to one a second; each one
//! that left in time halves it. What has to arrive, arrives in between.

/// A pace below which none is kept, in milliseconds.
const LEAST_MS: u64 = 50;
/// The slowest pace, in milliseconds.
pub const MOST_MS: u64 = 1_000;

/// The own pace of one socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strain {
    pace_ms: u64,
}

impl Strain {
    /// A frame's write took `took_ms`, where frames are `frame_ms` apart. Returns the least time
    /// until the next one, in milliseconds; 0: as soon as there is one.
    pub fn wrote(&mut self, took_ms: u64, frame_ms: u64) -> u64 {
        self.pace_ms = if took_ms > frame_ms.max(self.pace_ms) {
            (self.pace_ms * 2).clamp(frame_ms.max(LEAST_MS) * 2, MOST_MS)
        } else if self.pace_ms > LEAST_MS * 2 {
            self.pace_ms / 2
        } else {
            0
        };
        self.pace_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_socket_ends_at_one_frame_a_second_and_comes_back() {
        let mut strain = Strain::default();
        let slow: Vec<_> = (0..5).map(|_| strain.wrote(5_000, 50)).collect();
        assert_eq!(slow, [100, 200, 400, 800, 1_000]);
        let quick: Vec<_> = (0..5).map(|_| strain.wrote(1, 50)).collect();
        assert_eq!(quick, [500, 250, 125, 62, 0]);
    }

    #[test]
    fn who_keeps_up_is_never_held_back() {
        let mut strain = Strain::default();
        assert!((0..=50).all(|took_ms| strain.wrote(took_ms, 50) == 0));
        assert_eq!(strain.wrote(51, 50), 100);
        assert_eq!(strain.wrote(90, 50), 0, "it takes one in the time that it was given");
    }
}
