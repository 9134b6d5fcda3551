/**
 * Owns the canvas: draws one picture of a scene, and says who stands at a point
 * of it. It knows nothing of sessions or input; colours come from the style
 * sheet, so light and dark are decided in one place.
 */

import { FLAGS } from '../net/wire.js';
import { WORLD_UNITS } from '../sim/step.js';

/** Units a player is wide, half. */
const RADIUS = 22;
const GRID_UNITS = 128;
/** So many units are seen across the shorter side at least. */
const SEEN_UNITS = 620;
const FLOAT_MS = 1_100;
const MAP_PX = 92;
/** On a phone the map would hide too much of the arena. */
const MAP_PART_MAX = 0.17;

/**
 * @typedef {object} Drawn someone as drawn
 * @property {string} player
 * @property {string} name
 * @property {number} x
 * @property {number} y
 * @property {number} health
 * @property {number} flags
 * @property {boolean} own
 * @property {boolean} selected
 *
 * @typedef {{ me: { x: number, y: number } | null, everyone: Drawn[] }} Scene
 * @typedef {Record<'floor' | 'grid' | 'edge' | 'text' | 'plate' | 'accent' | 'bad' | 'good' | 'void', string>} Colours
 * @typedef {{ scale: number, x: number, y: number, width: number, height: number }} Camera
 */

export class Arena {
  /** @type {HTMLCanvasElement} */ #canvas;
  /** @type {CanvasRenderingContext2D} */ #pen;
  /** @type {(player: string) => number} */ #hueOf;
  /** @type {Colours} */ #colours;
  #light = false;
  #calm = false;
  /** @type {Camera} */ #camera = { scale: 1, x: WORLD_UNITS / 2, y: WORLD_UNITS / 2, width: 1, height: 1 };
  /** @type {Scene} */ #scene = { me: null, everyone: [] };
  /** @type {{ player: string, by: number, at: number }[]} */ #floats = [];

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(player: string) => number} hueOf
   */
  constructor(canvas, hueOf) {
    const pen = canvas.getContext('2d', { alpha: false });
    if (!pen) throw new Error('this browser has no 2d canvas');
    this.#canvas = canvas;
    this.#pen = pen;
    this.#hueOf = hueOf;
    this.#colours = this.#readStyle();
    for (const query of ['(prefers-color-scheme: light)', '(prefers-reduced-motion: reduce)']) {
      matchMedia(query).addEventListener('change', () => { this.#colours = this.#readStyle(); });
    }
  }

  /**
   * A number rises from a player: damage or healing.
   * @param {string} player
   * @param {number} by
   * @param {number} now
   */
  float(player, by, now) {
    this.#floats.push({ player, by, at: now });
    if (this.#floats.length > 40) this.#floats.shift();
  }

  /**
   * Who stands at a point of the canvas, oneself excepted.
   * @param {number} left CSS pixels
   * @param {number} top CSS pixels
   */
  playerAt(left, top) {
    const { scale, x, y, width, height } = this.#camera;
    const at = { x: (left - width / 2) / scale + x, y: (top - height / 2) / scale + y };
    const reach = Math.max(RADIUS * 1.5, 24 / scale);
    const near = this.#scene.everyone
      .filter(({ own }) => !own)
      .map((one) => ({ player: one.player, far: Math.hypot(one.x - at.x, one.y - at.y) }))
      .filter(({ far }) => far <= reach)
      .sort((a, b) => a.far - b.far);
    return near[0]?.player ?? null;
  }

  /**
   * @param {Scene} scene
   * @param {number} now
   */
  draw(scene, now) {
    this.#scene = scene;
    if (!this.#fit()) return;
    if (scene.me) Object.assign(this.#camera, { x: scene.me.x, y: scene.me.y });
    this.#drawFloor();
    const seen = scene.everyone.filter((one) => this.#isSeen(one));
    for (const one of seen) this.#drawPlayer(one, now);
    for (const one of seen) this.#drawLabel(one);
    this.#drawFloats(scene, now);
    this.#drawMap(scene);
  }

  /** Follows the element's size and the screen's pixels. */
  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0 || height === 0) return false;
    const pixels = Math.min(window.devicePixelRatio || 1, 2);
    const [wide, high] = [Math.round(width * pixels), Math.round(height * pixels)];
    if (this.#canvas.width !== wide) this.#canvas.width = wide;
    if (this.#canvas.height !== high) this.#canvas.height = high;
    const scale = Math.min(1, Math.min(width, height) / SEEN_UNITS);
    Object.assign(this.#camera, { width, height, scale });
    this.#pen.setTransform(pixels, 0, 0, pixels, 0, 0);
    return true;
  }

  #toWorld() {
    const { scale, x, y, width, height } = this.#camera;
    this.#pen.translate(width / 2, height / 2);
    this.#pen.scale(scale, scale);
    this.#pen.translate(-x, -y);
  }

  /** @param {{ x: number, y: number }} at */
  #toScreen(at) {
    const { scale, x, y, width, height } = this.#camera;
    return { left: (at.x - x) * scale + width / 2, top: (at.y - y) * scale + height / 2 };
  }

  /** @param {{ x: number, y: number }} at */
  #isSeen(at) {
    const { left, top } = this.#toScreen(at);
    return left > -80 && top > -80 && left < this.#camera.width + 80 && top < this.#camera.height + 80;
  }

  #drawFloor() {
    const pen = this.#pen;
    const { scale, x, y, width, height } = this.#camera;
    pen.fillStyle = this.#colours.void;
    pen.fillRect(0, 0, width, height);
    pen.save();
    this.#toWorld();
    pen.fillStyle = this.#colours.floor;
    pen.fillRect(0, 0, WORLD_UNITS, WORLD_UNITS);
    const [halfWide, halfHigh] = [width / 2 / scale, height / 2 / scale];
    pen.beginPath();
    for (let at = gridFrom(x - halfWide); at <= gridTo(x + halfWide); at += GRID_UNITS) {
      pen.moveTo(at, Math.max(0, y - halfHigh));
      pen.lineTo(at, Math.min(WORLD_UNITS, y + halfHigh));
    }
    for (let at = gridFrom(y - halfHigh); at <= gridTo(y + halfHigh); at += GRID_UNITS) {
      pen.moveTo(Math.max(0, x - halfWide), at);
      pen.lineTo(Math.min(WORLD_UNITS, x + halfWide), at);
    }
    pen.strokeStyle = this.#colours.grid;
    pen.lineWidth = 1 / scale;
    pen.stroke();
    this.#drawRings();
    pen.restore();
  }

  /** The middle of the arena, and the edge of the world. */
  #drawRings() {
    const pen = this.#pen;
    const middle = WORLD_UNITS / 2;
    pen.strokeStyle = this.#colours.grid;
    pen.lineWidth = 6;
    for (const radius of [256, 640, 1280]) {
      pen.beginPath();
      pen.arc(middle, middle, radius, 0, Math.PI * 2);
      pen.stroke();
    }
    pen.strokeStyle = this.#colours.edge;
    pen.lineWidth = 10;
    pen.strokeRect(0, 0, WORLD_UNITS, WORLD_UNITS);
  }

  /**
   * @param {Drawn} one
   * @param {number} now
   */
  #drawPlayer(one, now) {
    const pen = this.#pen;
    const has = (/** @type {number} */ flag) => (one.flags & flag) !== 0;
    const down = has(FLAGS.defeated) || one.health <= 0;
    pen.save();
    this.#toWorld();
    pen.translate(one.x, one.y);
    pen.globalAlpha = down ? 0.4 : has(FLAGS.lost) ? 0.6 : 1;
    if (has(FLAGS.sprinting)) ring(pen, RADIUS + 9, 2, this.#colours.edge, [3, 7]);
    disc(pen, RADIUS, `hsl(${this.#hueOf(one.player)} 62% ${this.#light ? 46 : 58}%)`);
    disc(pen, RADIUS * 0.46, one.own ? this.#colours.plate : `hsl(${this.#hueOf(one.player)} 50% ${this.#light ? 30 : 32}%)`);
    if (one.own) ring(pen, RADIUS + 3, 4, this.#colours.accent);
    if (has(FLAGS.defending)) ring(pen, RADIUS + 12, 5, this.#colours.text, [22, 10]);
    if (has(FLAGS.lost)) ring(pen, RADIUS + 6, 3, this.#colours.text, [5, 6]);
    if (one.selected) this.#drawAim(now);
    if (down) cross(pen, RADIUS * 0.7, this.#colours.text);
    pen.restore();
  }

  /** @param {number} now */
  #drawAim(now) {
    const pen = this.#pen;
    pen.rotate(this.#calm ? 0 : (now / 900) % (Math.PI * 2));
    const arc = (RADIUS + 17) * Math.PI / 4;
    ring(pen, RADIUS + 17, 4, this.#colours.bad, [arc, arc]);
  }

  /** Name and health, at a readable size whatever the scale. @param {Drawn} one */
  #drawLabel(one) {
    const pen = this.#pen;
    const { left: middle, top } = this.#toScreen(one);
    pen.font = `${one.own ? 700 : 600} 13px system-ui, sans-serif`;
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    const name = one.name.length > 18 ? `${one.name.slice(0, 17)}…` : one.name;
    const wide = Math.max(pen.measureText(name).width, 44) + 14;
    // At an edge it stays readable: moved in, or below the player.
    const away = (RADIUS + 14) * this.#camera.scale;
    const above = top - away < 30 ? top + away + 28 : top - away;
    const left = Math.min(Math.max(middle, wide / 2 + 2), this.#camera.width - wide / 2 - 2);
    pen.fillStyle = this.#colours.plate;
    pen.beginPath();
    pen.roundRect(left - wide / 2, above - 27, wide, 28, 7);
    pen.fill();
    pen.fillStyle = this.#colours.text;
    pen.fillText(name, left, above - 17);
    const part = Math.min(Math.max(one.health / 100, 0), 1);
    pen.fillStyle = this.#colours.edge;
    pen.fillRect(left - wide / 2 + 6, above - 8, wide - 12, 4);
    pen.fillStyle = part > 0.35 ? this.#colours.good : this.#colours.bad;
    pen.fillRect(left - wide / 2 + 6, above - 8, (wide - 12) * part, 4);
  }

  /**
   * @param {Scene} scene
   * @param {number} now
   */
  #drawFloats(scene, now) {
    const pen = this.#pen;
    this.#floats = this.#floats.filter(({ at }) => now - at < FLOAT_MS);
    pen.font = '800 18px system-ui, sans-serif';
    pen.textAlign = 'center';
    pen.lineWidth = 4;
    pen.strokeStyle = this.#colours.plate;
    for (const { player, by, at } of this.#floats) {
      const one = scene.everyone.find((someone) => someone.player === player);
      if (!one) continue;
      const age = (now - at) / FLOAT_MS;
      const { left, top } = this.#toScreen(one);
      const high = top - 52 * this.#camera.scale - 24 - (this.#calm ? 0 : age * 34);
      pen.globalAlpha = age < 0.7 ? 1 : (1 - age) / 0.3;
      pen.fillStyle = by < 0 ? this.#colours.bad : this.#colours.good;
      pen.strokeText(by > 0 ? `+${by}` : String(by), left, high);
      pen.fillText(by > 0 ? `+${by}` : String(by), left, high);
    }
    pen.globalAlpha = 1;
  }

  /** The whole world in a corner. @param {Scene} scene */
  #drawMap(scene) {
    const pen = this.#pen;
    const { width, height } = this.#camera;
    const size = Math.min(MAP_PX, width * MAP_PART_MAX);
    const [left, top] = [width - size - 12, height - size - 12];
    const unit = size / WORLD_UNITS;
    pen.fillStyle = this.#colours.plate;
    pen.strokeStyle = this.#colours.edge;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.roundRect(left, top, size, size, 6);
    pen.fill();
    pen.stroke();
    for (const one of scene.everyone) {
      pen.fillStyle = one.own ? this.#colours.accent : `hsl(${this.#hueOf(one.player)} 62% 52%)`;
      pen.beginPath();
      pen.arc(left + one.x * unit, top + one.y * unit, one.own ? 3.5 : 2.5, 0, Math.PI * 2);
      pen.fill();
    }
  }

  /** @returns {Colours} */
  #readStyle() {
    this.#light = matchMedia('(prefers-color-scheme: light)').matches;
    this.#calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const style = getComputedStyle(this.#canvas);
    const of = (/** @type {string} */ name) => style.getPropertyValue(`--arena-${name}`).trim();
    return {
      floor: of('floor'), grid: of('grid'), edge: of('edge'), text: of('text'), plate: of('plate'),
      accent: of('accent'), bad: of('bad'), good: of('good'), void: of('void'),
    };
  }
}

/** @param {number} at */
const gridFrom = (at) => Math.max(0, Math.floor(at / GRID_UNITS) * GRID_UNITS);
/** @param {number} at */
const gridTo = (at) => Math.min(WORLD_UNITS, at);

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} radius
 * @param {string} colour
 */
function disc(pen, radius, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(0, 0, radius, 0, Math.PI * 2);
  pen.fill();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} radius
 * @param {number} wide
 * @param {string} colour
 * @param {number[]} [dashes]
 */
function ring(pen, radius, wide, colour, dashes = []) {
  pen.strokeStyle = colour;
  pen.lineWidth = wide;
  pen.setLineDash(dashes);
  pen.beginPath();
  pen.arc(0, 0, radius, 0, Math.PI * 2);
  pen.stroke();
  pen.setLineDash([]);
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} size
 * @param {string} colour
 */
function cross(pen, size, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 5;
  pen.beginPath();
  pen.moveTo(-size, -size);
  pen.lineTo(size, size);
  pen.moveTo(size, -size);
  pen.lineTo(-size, size);
  pen.stroke();
}
