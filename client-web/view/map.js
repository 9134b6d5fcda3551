/**
 * Owns the small picture of the whole world: a dot for everyone and every coin,
 * oneself as a ring. Drawn a few times a second, for that is all it shows.
 */

import { WORLD_UNITS } from '../sim/step.js';
import { blazonOf } from './blazon.js';

/** Time between two drawings. */
const EVERY_MS = 150;

export class WorldMap {
  /** @type {HTMLCanvasElement} */ #canvas;
  /** @type {Map<string, string>} */ #colours = new Map();
  #drawnAt = -Infinity;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
  }

  /**
   * @param {import('./arena.js').Scene} scene
   * @param {readonly import('../net/wire.js').Point[]} coins
   * @param {import('./palette.js').Palette} palette
   * @param {number} now
   */
  draw(scene, coins, palette, now) {
    if (now - this.#drawnAt < EVERY_MS) return;
    this.#drawnAt = now;
    const { clientWidth: side } = this.#canvas;
    const pen = this.#canvas.getContext('2d');
    if (!pen || side === 0) return;
    const pixels = Math.round(side * Math.min(window.devicePixelRatio || 1, 2));
    if (this.#canvas.width !== pixels) this.#canvas.width = this.#canvas.height = pixels;
    const unit = pixels / WORLD_UNITS;
    const dot = pixels / side;
    pen.fillStyle = palette.floor;
    pen.fillRect(0, 0, pixels, pixels);
    pen.strokeStyle = palette.inlay;
    pen.lineWidth = dot;
    for (const radius of [640, 1280]) {
      pen.beginPath();
      pen.arc(pixels / 2, pixels / 2, radius * unit, 0, Math.PI * 2);
      pen.stroke();
    }
    pen.fillStyle = palette['coin-edge'];
    for (const { x, y } of coins) pen.fillRect(x * unit - dot * 1.5, y * unit - dot * 1.5, 3 * dot, 3 * dot);
    for (const one of scene.everyone) {
      pen.fillStyle = this.#colour(one.player);
      pen.beginPath();
      pen.arc(one.x * unit, one.y * unit, (one.own ? 4 : 2.6) * dot, 0, Math.PI * 2);
      pen.fill();
      if (!one.own) continue;
      pen.strokeStyle = palette.ring;
      pen.lineWidth = 2 * dot;
      pen.stroke();
    }
  }

  /** @param {string} player */
  #colour(player) {
    const known = this.#colours.get(player);
    if (known) return known;
    if (this.#colours.size > 1_000) this.#colours.clear();
    const { field } = blazonOf(player);
    this.#colours.set(player, field);
    return field;
  }
}
