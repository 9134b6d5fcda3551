/**
 * Owns where the others are drawn: a little in the past, between two frames,
 * so that the gaps and jitter of frames are not seen.
 *
 * Time: a frame's tick is store time / step; the quickest of the last frames
 * tells the offset to the local clock. The cursor of drawing runs at local
 * speed, leans towards its aim by at most 10 %, jumps when it is far off (a
 * stall), and never runs backwards.
 * Between its last sample and a new one an entity may have stood still: frames
 * carry only what changed. Then a standing sample is put just before the new.
 */

import { STEP_MS } from './step.js';

/** The past that is drawn, when frames come without jitter. */
export const DELAY_MIN_MS = 100;
export const DELAY_MAX_MS = 300;
/** Further off than this the cursor jumps. */
export const SNAP_MS = 250;
const LEAN = 0.1;
const OFFSETS_KEPT = 32;
const SAMPLES_KEPT = 24;
/** The slowest beat of state is 10 Hz: a move began at most so much earlier. */
const BEAT_TICKS = 100 / STEP_MS;

/**
 * @typedef {import('../net/wire.js').Point} Point
 * @typedef {{ tick: number, x: number, y: number }} Sample
 */

export class Interpolation {
  /** @type {Map<number, Sample[]>} */ #samples = new Map();
  /** @type {number[]} */ #offsets = [];
  #frameTick = -Infinity;
  /** @type {{ tick: number, at: number } | null} */ #cursor = null;

  /** All entities are gone: another room, or none. */
  clear() {
    this.#samples.clear();
    this.#frameTick = -Infinity;
  }

  /** @param {number} entity */
  remove(entity) {
    this.#samples.delete(entity);
  }

  /**
   * A frame arrived.
   * @param {number} tick
   * @param {number} now local milliseconds
   */
  frame(tick, now) {
    this.#offsets.push(now - tick * STEP_MS);
    if (this.#offsets.length > OFFSETS_KEPT) this.#offsets.shift();
    this.#frameTick = Math.max(this.#frameTick, tick);
  }

  /**
   * A frame says where an entity is; call before `frame` of the same tick.
   * @param {number} entity
   * @param {number} tick
   * @param {Point} at
   */
  put(entity, tick, at) {
    const samples = this.#samples.get(entity) ?? [];
    const last = samples.at(-1);
    if (last && tick <= last.tick) return;
    if (last) {
      const stood = Math.max(last.tick, Math.min(tick - 1, Math.max(this.#frameTick, tick - BEAT_TICKS)));
      if (stood > last.tick) samples.push({ ...last, tick: stood });
    }
    samples.push({ tick, x: at.x, y: at.y });
    samples.splice(0, samples.length - SAMPLES_KEPT);
    this.#samples.set(entity, samples);
  }

  /** How far in the past the drawing is now aimed. */
  get delayMs() {
    const least = Math.min(...this.#offsets);
    const late = this.#offsets.map((offset) => offset - least).sort((a, b) => a - b);
    const jitter = late[Math.floor(late.length * 0.9)] ?? 0;
    return Math.min(Math.max(DELAY_MIN_MS, DELAY_MIN_MS / 2 + jitter), DELAY_MAX_MS);
  }

  /**
   * Moves the cursor to now; once for each drawn picture.
   * @param {number} now
   */
  advance(now) {
    if (this.#offsets.length === 0) return;
    const aim = (now - Math.min(...this.#offsets) - this.delayMs) / STEP_MS;
    if (!this.#cursor) {
      this.#cursor = { tick: aim, at: now };
      return;
    }
    const passed = (now - this.#cursor.at) / STEP_MS;
    const steady = this.#cursor.tick + passed;
    const off = aim - steady;
    const lean = Math.min(Math.max(off, -passed * LEAN), passed * LEAN);
    const far = Math.abs(off) * STEP_MS > SNAP_MS;
    this.#cursor = { tick: Math.max(this.#cursor.tick, far ? aim : steady + lean), at: now };
  }

  /**
   * Where an entity is drawn at the cursor; never beyond its newest sample.
   * @param {number} entity
   * @returns {Point | null}
   */
  at(entity) {
    const samples = this.#samples.get(entity);
    const newest = samples?.at(-1);
    if (!samples || !newest) return null;
    const tick = this.#cursor?.tick ?? newest.tick;
    const next = samples.findIndex((sample) => sample.tick >= tick);
    if (next < 0) return newest;
    const after = samples[next] ?? newest;
    const before = samples[next - 1] ?? after;
    if (after.tick === before.tick) return after;
    const part = (tick - before.tick) / (after.tick - before.tick);
    return { x: before.x + (after.x - before.x) * part, y: before.y + (after.y - before.y) * part };
  }
}
