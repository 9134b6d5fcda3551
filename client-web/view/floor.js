/**
 * Owns the ground: flagstones, the inlays of the courtyard, the wall around
 * the world. The stones are a pattern that is painted once for each palette.
 */

import { WORLD_UNITS } from '../sim/step.js';

/** A stone is so wide; a pattern is four by four of them. */
const STONE_UNITS = 64;
const STONES = 4;
/** The same shades in the same order everywhere. */
const SHADES = [0, 1, 0, 2, 2, 0, 1, 0, 0, 2, 0, 1, 1, 0, 2, 0];
const MIDDLE = WORLD_UNITS / 2;
const RINGS = [256, 640, 1280];
const SPOKES = 8;
/** Stars are inlaid so far apart. */
const STAR_UNITS = 512;

/**
 * @typedef {import('./palette.js').Palette} Palette
 * @typedef {import('./arena.js').Camera} Camera
 */

export class Floor {
  /** @type {CanvasPattern | null} */ #stones = null;
  /** @type {Palette | null} */ #palette = null;

  /**
   * Fills the canvas; the pen stands in CSS pixels and is left so.
   * @param {CanvasRenderingContext2D} pen
   * @param {Camera} camera
   * @param {Palette} palette
   */
  draw(pen, camera, palette) {
    if (palette !== this.#palette) this.#lay(pen, palette);
    const { scale, x, y, width, height } = camera;
    pen.fillStyle = palette.void;
    pen.fillRect(0, 0, width, height);
    pen.save();
    pen.translate(width / 2, height / 2);
    pen.scale(scale, scale);
    pen.translate(-x, -y);
    const seen = {
      left: x - width / 2 / scale,
      top: y - height / 2 / scale,
      right: x + width / 2 / scale,
      bottom: y + height / 2 / scale,
    };
    const [left, top] = [Math.max(0, seen.left), Math.max(0, seen.top)];
    pen.fillStyle = this.#stones ?? palette.floor;
    pen.fillRect(
      left,
      top,
      Math.min(WORLD_UNITS, seen.right) - left,
      Math.min(WORLD_UNITS, seen.bottom) - top,
    );
    this.#inlay(pen, palette, seen);
    pen.restore();
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Palette} palette
   */
  #lay(pen, palette) {
    this.#palette = palette;
    const tile = document.createElement('canvas');
    tile.width = tile.height = STONE_UNITS * STONES;
    const brush = tile.getContext('2d');
    if (!brush) return;
    brush.fillStyle = palette.joint;
    brush.fillRect(0, 0, tile.width, tile.height);
    const shades = [palette['stone-a'], palette['stone-b'], palette['stone-c']];
    SHADES.forEach((shade, at) => {
      const row = Math.floor(at / STONES);
      // Every other row is shifted by half a stone, as masons do.
      const left = (at % STONES) * STONE_UNITS + (row % 2) * (STONE_UNITS / 2);
      brush.fillStyle = shades[shade] ?? palette.floor;
      for (const from of [left, left - tile.width]) {
        brush.fillRect(from + 1, row * STONE_UNITS + 1, STONE_UNITS - 2, STONE_UNITS - 2);
      }
    });
    this.#stones = pen.createPattern(tile, 'repeat');
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Palette} palette
   * @param {{ left: number, top: number, right: number, bottom: number }} seen
   */
  #inlay(pen, palette, seen) {
    pen.strokeStyle = palette['inlay-fine'];
    pen.lineWidth = 3;
    pen.beginPath();
    for (let x = from(seen.left); x < Math.min(seen.right + STAR_UNITS, WORLD_UNITS); x += STAR_UNITS) {
      for (let y = from(seen.top); y < Math.min(seen.bottom + STAR_UNITS, WORLD_UNITS); y += STAR_UNITS)
        star(pen, x, y, 34, 11);
    }
    pen.stroke();
    pen.strokeStyle = palette.inlay;
    pen.lineWidth = 5;
    pen.beginPath();
    for (const radius of RINGS) {
      pen.moveTo(MIDDLE + radius, MIDDLE);
      pen.arc(MIDDLE, MIDDLE, radius, 0, Math.PI * 2);
    }
    for (let spoke = 0; spoke < SPOKES; spoke += 1) {
      const angle = ((spoke + 0.5) * Math.PI * 2) / SPOKES;
      pen.moveTo(MIDDLE + Math.cos(angle) * 268, MIDDLE + Math.sin(angle) * 268);
      pen.lineTo(MIDDLE + Math.cos(angle) * 628, MIDDLE + Math.sin(angle) * 628);
    }
    star(pen, MIDDLE, MIDDLE, 232, 82);
    pen.stroke();
    pen.fillStyle = palette['inlay-fine'];
    pen.beginPath();
    facets(pen, MIDDLE, MIDDLE, 232, 82);
    pen.fill();
    pen.strokeStyle = palette.wall;
    pen.lineWidth = 22;
    pen.strokeRect(-11, -11, WORLD_UNITS + 22, WORLD_UNITS + 22);
    pen.lineWidth = 14;
    pen.lineCap = 'butt';
    pen.setLineDash([36, 28]);
    pen.strokeRect(-28, -28, WORLD_UNITS + 56, WORLD_UNITS + 56);
    pen.setLineDash([]);
  }
}

/** The first star at or before an edge. @param {number} edge */
const from = (edge) =>
  Math.max(STAR_UNITS / 2, Math.floor(edge / STAR_UNITS) * STAR_UNITS - STAR_UNITS / 2);

/**
 * How far a corner of the star is from its middle.
 * @param {number} point of sixteen
 * @param {number} outer
 * @param {number} inner
 */
const reach = (point, outer, inner) => (point % 2 === 1 ? inner : point % 4 === 0 ? outer : outer * 0.62);

/**
 * A star of eight points, as on a compass.
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} y
 * @param {number} outer
 * @param {number} inner
 */
function star(pen, x, y, outer, inner) {
  for (let point = 0; point <= 16; point += 1) {
    const angle = (point * Math.PI) / 8;
    const far = reach(point % 16, outer, inner);
    if (point === 0) pen.moveTo(x + far, y);
    else pen.lineTo(x + Math.cos(angle) * far, y + Math.sin(angle) * far);
  }
}

/**
 * The shaded half of each of its points.
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} y
 * @param {number} outer
 * @param {number} inner
 */
function facets(pen, x, y, outer, inner) {
  for (let point = 0; point < 16; point += 2) {
    pen.moveTo(x, y);
    for (const corner of [point, point + 1]) {
      const angle = (corner * Math.PI) / 8;
      const far = reach(corner % 16, outer, inner);
      pen.lineTo(x + Math.cos(angle) * far, y + Math.sin(angle) * far);
    }
    pen.closePath();
  }
}
