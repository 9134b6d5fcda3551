//! The fixed-step movement that server and clients share: integers only, so that both ends agree
//! to the unit and a lone player's prediction is never corrected.
//!
//! `y` points down. A step is [`STEP_MS`] of walking or sprinting in one of eight directions; the
//! speed counts per direction (a diagonal step moves both ways in full). Positions stay inside
//! the world; nothing collides. `tests/fixtures/movement.json` holds the golden vectors that the
//! JavaScript twin checks too.

use serde::{Deserialize, Serialize};

/// Width and height of the world, in units.
pub const WORLD_SIZE: i32 = 4096;
/// Length of a step, in milliseconds.
pub const STEP_MS: u64 = 50;
/// Units a step moves per direction.
pub const WALK_SPEED: i32 = 12;
/// Units a sprinting step moves per direction.
pub const SPRINT_SPEED: i32 = 18;
/// The button bit that sprints; all others are refused at the edge.
pub const BUTTON_SPRINT: u8 = 1;
/// Most steps of one input frame.
pub const INPUT_STEPS_MAX: usize = 32;
/// Farthest a spawn lies from the centre, in units per direction.
pub const SPAWN_RADIUS: i32 = 256;

/// A place in the world, in units; both coordinates within `0..WORLD_SIZE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Units from the left.
    pub x: i32,
    /// Units from the top.
    pub y: i32,
}

/// One step of input; `[dx, dy, buttons]` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "(i8, i8, u8)", into = "(i8, i8, u8)")]
pub struct Step {
    /// −1 left, 0, 1 right.
    pub dx: i8,
    /// −1 up, 0, 1 down.
    pub dy: i8,
    /// Bit 0: [`BUTTON_SPRINT`].
    pub buttons: u8,
}

impl From<(i8, i8, u8)> for Step {
    fn from((dx, dy, buttons): (i8, i8, u8)) -> Self {
        Self { dx, dy, buttons }
    }
}

impl From<Step> for (i8, i8, u8) {
    fn from(step: Step) -> Self {
        (step.dx, step.dy, step.buttons)
    }
}

impl Step {
    /// True when the step is one that the edge lets in.
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!((self.dx, self.dy), (-1..=1, -1..=1)) && self.buttons & !BUTTON_SPRINT == 0
    }

    /// True when the sprint button is down and the step goes anywhere.
    #[must_use]
    pub const fn is_sprint(self) -> bool {
        self.buttons & BUTTON_SPRINT != 0 && (self.dx != 0 || self.dy != 0)
    }
}

/// Where a step leads from `at`. Total: larger `dx` and `dy` count as their sign, unknown buttons
/// as none.
#[must_use]
pub fn step(at: Position, step: Step) -> Position {
    let sprints = step.buttons & BUTTON_SPRINT != 0;
    let speed = if sprints { SPRINT_SPEED } else { WALK_SPEED };
    Position { x: along(at.x, step.dx, speed), y: along(at.y, step.dy, speed) }
}

fn along(from: i32, direction: i8, speed: i32) -> i32 {
    from.saturating_add(i32::from(direction.signum()) * speed).clamp(0, WORLD_SIZE - 1)
}

/// Where a player stands first: the centre (2048, 2048) plus an offset by the hash of the id.
///
/// The hash is FNV-1a, 32 bits, over the id's UTF-8 bytes: start with 0x811c9dc5; for each byte
/// xor it in, then multiply by 0x01000193 modulo 2^32 (`Math.imul(h, 0x01000193) >>> 0`). The
/// offset is `(h & 0xffff) % 513 - 256` for x and `(h >>> 16) % 513 - 256` for y.
#[must_use]
pub fn spawn(player_id: &str) -> Position {
    let hash = fnv1a(player_id.as_bytes());
    let [a, b, c, d] = hash.to_be_bytes();
    Position { x: spawn_along([c, d]), y: spawn_along([a, b]) }
}

fn spawn_along(half: [u8; 2]) -> i32 {
    WORLD_SIZE / 2 + i32::from(u16::from_be_bytes(half)) % (2 * SPAWN_RADIUS + 1) - SPAWN_RADIUS
}

fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Fixture {
        version: u32,
        walks: Vec<Walk>,
        spawns: Vec<Spawn>,
    }

    #[derive(Deserialize)]
    struct Walk {
        what: String,
        start: Position,
        steps: Vec<Step>,
        end: Position,
    }

    #[derive(Deserialize)]
    struct Spawn {
        player: String,
        at: Position,
    }

    fn fixture() -> Fixture {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/movement.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn walks_end_where_the_golden_vectors_say() {
        let fixture = fixture();
        assert_eq!(fixture.version, 1);
        assert!(fixture.walks.len() >= 8);
        for walk in fixture.walks {
            let end = walk.steps.iter().fold(walk.start, |at, one| step(at, *one));
            assert_eq!(end, walk.end, "{}", walk.what);
        }
    }

    #[test]
    fn spawns_are_where_the_golden_vectors_say() {
        let fixture = fixture();
        assert!(fixture.spawns.len() >= 4);
        for case in fixture.spawns {
            assert_eq!(spawn(&case.player), case.at, "{}", case.player);
        }
    }

    #[test]
    fn spawns_lie_near_the_centre() {
        for number in 0..10_000 {
            let at = spawn(&format!("bot-{number}"));
            assert!((at.x - 2048).abs() <= SPAWN_RADIUS && (at.y - 2048).abs() <= SPAWN_RADIUS);
        }
    }

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0x811c_9dc5);
        assert_eq!(fnv1a(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn a_step_is_an_array_on_the_wire() {
        let one = Step { dx: -1, dy: 1, buttons: 1 };
        assert_eq!(serde_json::to_string(&one).unwrap(), "[-1,1,1]");
        assert_eq!(serde_json::from_str::<Step>("[-1,1,1]").unwrap(), one);
        assert!(serde_json::from_str::<Step>("[-1,1]").is_err());
        assert!(serde_json::from_str::<Step>("[-1,1,1,0]").is_err());
    }

    #[test]
    fn steps_outside_the_rules_are_known() {
        assert!(Step { dx: 1, dy: -1, buttons: 1 }.is_allowed());
        assert!(!Step { dx: 2, dy: 0, buttons: 0 }.is_allowed());
        assert!(!Step { dx: 0, dy: -2, buttons: 0 }.is_allowed());
        assert!(!Step { dx: 0, dy: 0, buttons: 2 }.is_allowed());
        assert!(!Step { dx: 0, dy: 0, buttons: 1 }.is_sprint());
    }
}
