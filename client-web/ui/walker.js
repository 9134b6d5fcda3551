/**
 * Owns walking to a place that was clicked: which direction to hold so that
 * eight directions make a nearly straight way. Pure.
 */

import { SPRINT_UNITS, WALK_UNITS } from '../sim/step.js';

/** Steeper than this (tan 22.5°) both directions are held. */
const DIAGONAL = 0.414;
/** Without coming nearer for so long one gives up. */
const STUCK_MS = 900;

/**
 * @typedef {import('../net/wire.js').Point} Point
 * @typedef {import('../net/wire.js').Step} Step
 */

export class Walker {
  /** @type {Point | null} */ #goal = null;
  #sprint = false;
  #nearest = Infinity;
  #nearerAt = 0;

  get goal() {
    return this.#goal;
  }

  /**
   * @param {Point} goal
   * @param {boolean} sprint
   * @param {number} now
   */
  go(goal, sprint, now) {
    this.#goal = { ...goal };
    this.#sprint = sprint;
    this.#nearest = Infinity;
    this.#nearerAt = now;
  }

  stop() {
    this.#goal = null;
  }

  /**
   * What to hold now.
   * @param {Point | null} me
   * @param {number} now
   * @returns {Step | null}
   */
  held(me, now) {
    if (!this.#goal || !me) return null;
    const [dx, dy] = [this.#goal.x - me.x, this.#goal.y - me.y];
    const far = Math.hypot(dx, dy);
    if (far < this.#nearest - 1) {
      this.#nearest = far;
      this.#nearerAt = now;
    }
    const reach = this.#sprint ? SPRINT_UNITS : WALK_UNITS;
    const here = Math.max(Math.abs(dx), Math.abs(dy)) <= reach;
    if (here || now - this.#nearerAt > STUCK_MS) {
      this.stop();
      return null;
    }
    const most = Math.max(Math.abs(dx), Math.abs(dy));
    const along = (/** @type {number} */ d) =>
      Math.abs(d) > Math.max(most * DIAGONAL, reach / 2) ? Math.sign(d) : 0;
    return [along(dx), along(dy), this.#sprint ? 1 : 0];
  }
}
