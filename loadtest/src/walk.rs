//! Where driven players go: a walk that is known in advance, so that after any number of steps
//! the place tells whether one was dropped. Pure.
//!
//! A hundred steps to the right, a hundred back: within the world from every spawn, never still,
//! and the same place only after two hundred steps.

use holdfast_protocol::movement::{Position, Step, spawn, step};

/// Steps there and back.
const ROUND: u64 = 200;

/// The step with number `seq`, counted from 1.
#[must_use]
pub const fn step_of(seq: u64) -> Step {
    let dx = if seq.saturating_sub(1) % ROUND < ROUND / 2 { 1 } else { -1 };
    Step { dx, dy: 0, buttons: 0 }
}

/// Where a player stands who was new and has taken so many steps.
#[must_use]
pub fn place_after(player: &str, steps: u64) -> Position {
    (1..=steps % ROUND).fold(spawn(player), |at, seq| step(at, step_of(seq)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_is_never_still_and_never_at_the_edge() {
        for player in ["p0", "p1", "p999"] {
            let mut at = spawn(player);
            for seq in 1..=3 * ROUND {
                let next = step(at, step_of(seq));
                assert_eq!((next.x - at.x).abs(), 12, "{player} at {seq}");
                at = next;
                assert_eq!(at, place_after(player, seq), "{player} at {seq}");
            }
        }
    }

    #[test]
    fn a_dropped_step_shows() {
        let whole = place_after("p0", 137);
        let lacking = (1..=137).filter(|seq| *seq != 50);
        let at = lacking.fold(spawn("p0"), |at, seq| step(at, step_of(seq)));
        assert_ne!(at, whole);
    }
}
