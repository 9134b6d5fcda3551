/**
 * Owns where one's own player is believed to be: every step is taken at once,
 * numbered and kept until the server's `in` has passed it; each server position
 * is the base on which the kept steps are taken anew.
 *
 * A position may be some steps newer than the `in` beside it: the server reads
 * one after the other. Where the open steps but the first few lead from it to
 * where one is believed to be, it holds those few.
 */

import { STEPS_PER_FRAME_MAX } from '../net/protocol.js';
import { move } from './step.js';

/**
 * With so many steps unanswered (1 s) no more are taken: the line is down. It is
 * also what the server's clock lets in at once, so none of them is lost.
 */
export const PENDING_MAX = 20;

/**
 * @typedef {import('../net/wire.js').Point} Point
 * @typedef {import('../net/wire.js').Step} Step
 */

export class Prediction {
  #step;
  /** @type {Point | null} */ #base = null;
  /** @type {Point | null} */ #at = null;
  /** @type {{ seq: number, step: Step }[]} */ #pending = [];
  #next = 1;
  #corrections = 0;

  /** @param {(from: Point, step: Step) => Point} [step] where a step leads, as on the server */
  constructor(step = move) {
    this.#step = step;
  }

  /** The believed position; null before the first one is known. */
  get at() {
    return this.#at;
  }

  /** Where the server last said it is. */
  get base() {
    return this.#base;
  }

  get pending() {
    return this.#pending.length;
  }

  /** How often the server disagreed; stays 0 for a lone player. */
  get corrections() {
    return this.#corrections;
  }

  get full() {
    return this.#pending.length >= PENDING_MAX;
  }

  /**
   * Starts afresh, at a position and after the newest used seq.
   * @param {Point} at
   * @param {number} lastSeq
   */
  reset(at, lastSeq) {
    this.#base = { x: at.x, y: at.y };
    this.#at = this.#base;
    this.#pending = [];
    this.#next = lastSeq + 1;
  }

  /**
   * Takes a step now.
   * @param {Step} step
   * @returns {number} its seq
   */
  take(step) {
    const seq = this.#next;
    this.#next += 1;
    this.#pending.push({ seq, step });
    if (this.#at) this.#at = this.#step(this.#at, step);
    return seq;
  }

  /**
   * The server's word: a position, and how far it has read the steps.
   * @param {Point | null} at null when it is unchanged: passed steps moved nothing
   * @param {number | undefined} input
   * @returns {Point} by how much the belief was off
   */
  reconcile(at, input) {
    if (input !== undefined) {
      this.#pending = this.#pending.filter(({ seq }) => seq > input);
      this.#next = Math.max(this.#next, input + 1);
    }
    if (at) this.#base = { x: at.x, y: at.y };
    if (!this.#base) return { x: 0, y: 0 };
    const before = this.#at ?? this.#base;
    if (at) this.#pending = this.#pending.slice(this.#held(this.#base, before));
    this.#at = this.#replay(this.#base, 0);
    const off = { x: before.x - this.#at.x, y: before.y - this.#at.y };
    if (off.x !== 0 || off.y !== 0) this.#corrections += 1;
    return off;
  }

  /**
   * How many of the open steps a position holds already.
   * @param {Point} base
   * @param {Point} believed
   */
  #held(base, believed) {
    for (let first = 0; first <= this.#pending.length; first += 1) {
      const { x, y } = this.#replay(base, first);
      if (x === believed.x && y === believed.y) return first;
    }
    return 0;
  }

  /**
   * Where the open steps lead, from the given one on.
   * @param {Point} base
   * @param {number} first
   */
  #replay(base, first) {
    let at = base;
    for (let n = first; n < this.#pending.length; n += 1) {
      at = this.#step(at, /** @type {{ step: Step }} */ (this.#pending[n]).step);
    }
    return at;
  }

  /**
   * The steps no `in` has passed, in frames that may be sent again.
   * @returns {{ seq: number, steps: Step[] }[]}
   */
  unacknowledged() {
    /** @type {{ seq: number, steps: Step[] }[]} */
    const frames = [];
    for (const { seq, step } of this.#pending) {
      const last = frames.at(-1);
      const joins = last && last.steps.length < STEPS_PER_FRAME_MAX && last.seq + last.steps.length === seq;
      if (joins) last.steps.push(step);
      else frames.push({ seq, steps: [step] });
    }
    return frames;
  }
}
