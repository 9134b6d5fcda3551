//! What holds for a proxy's traffic at a time: standing faults and what ends by itself. Pure;
//! times count from the proxy's start.

use std::time::Duration;

/// Faults that last until they are changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// How much later everything arrives, each way.
    pub delay: Duration,
    /// How far from the delay, either way, drawn anew for each piece that is read.
    pub jitter: Duration,
    /// At most so many bytes of the target's are read in a second, on each connection. 0 reads
    /// nothing.
    pub slow_bytes_per_s: Option<u32>,
}

/// Which direction something is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Towards the target.
    Up,
    /// Towards the client.
    Down,
    /// Each.
    Both,
}

impl Way {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Both => "both",
        }
    }

    /// What the word says.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Up, Self::Down, Self::Both].into_iter().find(|way| way.name() == name)
    }
}

/// One direction of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// From the client to the target.
    Up,
    /// From the target to the client.
    Down,
}

/// All that holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// What stands.
    pub(super) faults: Faults,
    up_until: Duration,
    down_until: Duration,
    refuse_until: Duration,
}

impl Rules {
    /// Those of a proxy that starts.
    pub(super) fn new(faults: Faults) -> Self {
        Self { faults, ..Self::default() }
    }

    /// Lets nothing move before `until`; of several such times the latest counts.
    pub(super) fn stall(&mut self, way: Way, until: Duration) {
        if way != Way::Down {
            self.up_until = self.up_until.max(until);
        }
        if way != Way::Up {
            self.down_until = self.down_until.max(until);
        }
    }

    /// Lets nobody in before `until`; of several such times the latest counts.
    pub(super) fn refuse(&mut self, until: Duration) {
        self.refuse_until = self.refuse_until.max(until);
    }

    /// When a lane that stands still goes on; `None` when it moves.
    pub(super) fn still_until(&self, lane: Lane, now: Duration) -> Option<Duration> {
        let until = match lane {
            Lane::Up => self.up_until,
            Lane::Down => self.down_until,
        };
        (now < until).then_some(until)
    }

    /// True when new connections are reset.
    pub(super) fn refuses(&self, now: Duration) -> bool {
        now < self.refuse_until
    }

    /// The cap on what is read for a lane, in bytes a second.
    pub(super) fn cap(&self, lane: Lane) -> Option<u32> {
        match lane {
            Lane::Up => None,
            Lane::Down => self.faults.slow_bytes_per_s,
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
    fn a_stall_is_of_its_lanes_and_ends() {
        let still = |way, lane, now| {
            let mut rules = Rules::default();
            rules.stall(way, at(100));
            rules.still_until(lane, at(now))
        };
        assert_eq!(still(Way::Up, Lane::Up, 99), Some(at(100)));
        assert_eq!(still(Way::Up, Lane::Down, 99), None);
        assert_eq!(still(Way::Down, Lane::Up, 99), None);
        assert_eq!(still(Way::Down, Lane::Down, 99), Some(at(100)));
        assert_eq!(still(Way::Both, Lane::Up, 0), Some(at(100)));
        assert_eq!(still(Way::Both, Lane::Down, 100), None);
    }

    #[test]
    fn a_shorter_stall_does_not_end_a_longer_one() {
        let mut rules = Rules::default();
        rules.stall(Way::Both, at(100));
        rules.stall(Way::Both, at(50));
        assert_eq!(rules.still_until(Lane::Up, at(60)), Some(at(100)));
        rules.refuse(at(100));
        rules.refuse(at(50));
        assert!(rules.refuses(at(60)) && !rules.refuses(at(100)));
    }

    #[test]
    fn only_the_target_is_read_slowly() {
        let rules = Rules::new(Faults { slow_bytes_per_s: Some(7), ..Faults::default() });
        assert_eq!((rules.cap(Lane::Up), rules.cap(Lane::Down)), (None, Some(7)));
    }
}
