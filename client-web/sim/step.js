/**
 * Owns how a player moves: the fixed-step integer function of the reference
 * game, the same here and on the server. Both run the golden vectors of
 * tests/fixtures/movement.json, so a lone player's prediction is never wrong.
 */

/** One step lasts so long. */
export const STEP_MS = 50;
/** Units a step in each held direction. */
export const WALK_UNITS = 12;
/** The same while sprinting. */
export const SPRINT_UNITS = 18;
/** The world is a square so wide and high, y down. */
export const WORLD_UNITS = 4096;
/** Button bit of sprinting. */
export const SPRINT = 1;

/** @param {number} value */
const inWorld = (value) => Math.min(Math.max(value, 0), WORLD_UNITS - 1);

/**
 * Where one step leads.
 * @param {import('../net/wire.js').Point} from
 * @param {import('../net/wire.js').Step} step
 * @returns {import('../net/wire.js').Point}
 */
export function move(from, [dx, dy, buttons]) {
  const units = (buttons & SPRINT) !== 0 ? SPRINT_UNITS : WALK_UNITS;
  return { x: inWorld(from.x + dx * units), y: inWorld(from.y + dy * units) };
}

/**
 * How many milliseconds of steps lie between two places, at least.
 * @param {import('../net/wire.js').Point} from
 * @param {import('../net/wire.js').Point} to
 * @param {boolean} sprints
 */
export function walkMs(from, to, sprints) {
  const far = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y));
  return Math.ceil(far / (sprints ? SPRINT_UNITS : WALK_UNITS)) * STEP_MS;
}
