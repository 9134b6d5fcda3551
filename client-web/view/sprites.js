/**
 * Owns pictures that are drawn once and then only copied: shields, rings,
 * labels, bubbles. Bounded: when there are too many, those made first are
 * dropped. A new palette, zoom or pixel ratio starts afresh.
 */

import { blazonOf, drawShield } from './blazon.js';
import { COIN_RADIUS } from './coins.js';

/** Sprites of each kind that are kept; 200 players need 200 of two kinds. */
const KEPT_MAX = 480;
/** Units a player is wide, half. */
export const RADIUS = 22;
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const NAME_LETTERS_MAX = 18;
const BUBBLE_LETTERS_MAX = 26;
const BUBBLE_LINES_MAX = 3;

/**
 * @typedef {import('./palette.js').Palette} Palette
 * @typedef {import('./blazon.js').Pen} Pen
 * @typedef {'own' | 'aim' | 'defend' | 'lost' | 'down' | 'beak'} Around
 * @typedef {{ image: ImageBitmap, width: number, height: number }} Sprite CSS pixels
 */

export class Sprites {
  /** @type {Map<string, Sprite>} */ #kept = new Map();
  /** @type {Palette} */ #palette;
  #pixels = 1;
  #scale = 1;
  /** @type {import('./coins.js').Pictures | null} */ #coins = null;
  /** @type {CanvasRenderingContext2D} */ #ruler;

  /** @param {Palette} palette */
  constructor(palette) {
    this.#palette = palette;
    const ruler = document.createElement('canvas').getContext('2d');
    if (!ruler) throw new Error('this browser has no 2d canvas');
    this.#ruler = ruler;
  }

  /**
   * @param {Palette} palette
   * @param {number} pixels of the screen to one of CSS
   * @param {number} scale CSS pixels to a unit
   */
  suit(palette, pixels, scale) {
    if (palette === this.#palette && pixels === this.#pixels && scale === this.#scale) return;
    this.#palette = palette;
    this.#pixels = pixels;
    this.#scale = scale;
    this.#kept.clear();
    this.#coins = null;
  }

  /** A player's shield with its shadow. @param {string} player */
  shield(player) {
    return this.#once(`shield ${player}`, () =>
      this.#round(RADIUS + 6, (pen) => {
        pen.fillStyle = '#0000002e';
        pen.beginPath();
        pen.ellipse(2, 5, RADIUS + 1, RADIUS - 1, 0, 0, Math.PI * 2);
        pen.fill();
        drawShield(pen, blazonOf(player), RADIUS);
      }),
    );
  }

  /** What surrounds a shield. @param {Around} kind */
  around(kind) {
    return this.#once(`around ${kind}`, () =>
      this.#round(RADIUS + 24, (pen) => AROUND[kind](pen, this.#palette)),
    );
  }

  /**
   * A name on its plate; the health bar is drawn into the room beneath.
   * @param {string} name
   * @param {boolean} own
   */
  label(name, own) {
    return this.#once(`label ${own} ${name}`, () => {
      const text = cut(name, NAME_LETTERS_MAX);
      const font = `${own ? 700 : 600} 12px ${FONT}`;
      this.#ruler.font = font;
      const width = Math.ceil(Math.max(this.#ruler.measureText(text).width, 42) + 14);
      return this.#plain(width, 28, (pen) => {
        pen.fillStyle = this.#palette.plate;
        pen.beginPath();
        pen.roundRect(0, 0, width, 28, 7);
        pen.fill();
        pen.font = font;
        pen.textAlign = 'center';
        pen.textBaseline = 'middle';
        pen.fillStyle = this.#palette.label;
        pen.fillText(text, width / 2, 10);
        pen.fillStyle = this.#palette['bar-back'];
        pen.fillRect(6, 20, width - 12, 4);
      });
    });
  }

  /** A coin, its shadow, and what gleams when it is picked up. */
  get coins() {
    this.#coins ??= {
      coin: this.#round(COIN_RADIUS + 2, (pen) => drawCoin(pen, this.#palette)),
      shadow: this.#round(COIN_RADIUS + 4, (pen) => {
        pen.fillStyle = '#00000038';
        pen.beginPath();
        pen.ellipse(1, COIN_RADIUS - 1, COIN_RADIUS - 2, 4, 0, 0, Math.PI * 2);
        pen.fill();
      }),
      glint: this.#round(COIN_RADIUS * 2.4, (pen) => drawGlint(pen, this.#palette)),
    };
    return this.#coins;
  }

  /**
   * A number that rises.
   * @param {number} by
   * @param {boolean} [gold]
   */
  number(by, gold = false) {
    return this.#once(`number ${gold} ${by}`, () => {
      const text = by > 0 ? `+${by}` : `−${-by}`;
      return this.#plain(64, 28, (pen) => {
        pen.font = `800 19px ${FONT}`;
        pen.textAlign = 'center';
        pen.textBaseline = 'middle';
        pen.lineJoin = 'round';
        pen.lineWidth = 4;
        pen.strokeStyle = this.#palette.plate;
        pen.fillStyle = gold ? this.#palette.gold : by < 0 ? this.#palette.hurt : this.#palette.mend;
        pen.strokeText(text, 32, 14);
        pen.fillText(text, 32, 14);
      });
    });
  }

  /** What somebody said. @param {string} text */
  bubble(text) {
    return this.#once(`bubble ${text}`, () => {
      const lines = wrap(text);
      const font = `500 12px ${FONT}`;
      this.#ruler.font = font;
      const width = Math.ceil(Math.max(...lines.map((line) => this.#ruler.measureText(line).width)) + 20);
      const height = lines.length * 16 + 12;
      return this.#plain(width, height + 7, (pen) => {
        pen.fillStyle = this.#palette.plate;
        pen.strokeStyle = this.#palette.wall;
        pen.beginPath();
        pen.roundRect(0.5, 0.5, width - 1, height - 1, 9);
        pen.fill();
        pen.stroke();
        pen.beginPath();
        pen.moveTo(width / 2 - 6, height - 1);
        pen.lineTo(width / 2, height + 6);
        pen.lineTo(width / 2 + 6, height - 1);
        pen.fill();
        pen.font = font;
        pen.textAlign = 'center';
        pen.textBaseline = 'middle';
        pen.fillStyle = this.#palette.label;
        lines.forEach((line, at) => pen.fillText(line, width / 2, 14 + at * 16));
      });
    });
  }

  /**
   * Around the origin, in units of the world.
   * @param {number} reach
   * @param {(pen: Pen) => void} draw
   */
  #round(reach, draw) {
    const side = reach * 2 * this.#scale;
    return this.#plain(side, side, (pen) => {
      pen.translate(side / 2, side / 2);
      pen.scale(this.#scale, this.#scale);
      draw(pen);
    });
  }

  /**
   * @param {number} width
   * @param {number} height
   * @param {(pen: Pen) => void} draw
   * @returns {Sprite}
   */
  #plain(width, height, draw) {
    const canvas = new OffscreenCanvas(Math.ceil(width * this.#pixels), Math.ceil(height * this.#pixels));
    const pen = canvas.getContext('2d');
    if (pen) {
      pen.scale(this.#pixels, this.#pixels);
      draw(pen);
    }
    const image = canvas.transferToImageBitmap();
    return { image, width: image.width / this.#pixels, height: image.height / this.#pixels };
  }

  /**
   * @param {string} key
   * @param {() => Sprite} draw
   */
  #once(key, draw) {
    const kept = this.#kept.get(key);
    if (kept) return kept;
    if (this.#kept.size >= KEPT_MAX) this.#dropOldest();
    const made = draw();
    this.#kept.set(key, made);
    return made;
  }

  /** Half of them, those made first; what is still seen is made again. */
  #dropOldest() {
    let left = KEPT_MAX / 2;
    for (const key of this.#kept.keys()) {
      if (left-- <= 0) return;
      this.#kept.delete(key);
    }
  }
}

/** @type {Readonly<Record<Around, (pen: Pen, palette: Palette) => void>>} */
const AROUND = Object.freeze({
  own: (pen, { ring }) => circle(pen, RADIUS + 4, 4, ring),
  aim: (pen, { aim }) => {
    const arc = ((RADIUS + 12) * Math.PI) / 4;
    circle(pen, RADIUS + 12, 4, aim, [arc, arc]);
  },
  defend: (pen, { shield }) => {
    circle(pen, RADIUS + 9, 5, shield);
    circle(pen, RADIUS + 15, 1.5, shield);
  },
  lost: (pen, { label }) => circle(pen, RADIUS + 6, 3, label, [4, 7]),
  down: (pen, { label }) => {
    pen.strokeStyle = label;
    pen.lineWidth = 5;
    pen.lineCap = 'round';
    pen.beginPath();
    for (const side of [-1, 1]) {
      pen.moveTo(-13, -13 * side);
      pen.lineTo(13, 13 * side);
    }
    pen.stroke();
  },
  beak: (pen, { label }) => {
    pen.fillStyle = label;
    pen.beginPath();
    pen.moveTo(RADIUS + 13, 0);
    pen.lineTo(RADIUS + 4, -6);
    pen.lineTo(RADIUS + 4, 6);
    pen.fill();
  },
});

/**
 * A piece of gold around the origin: rim, face, a star, light from above.
 * @param {Pen} pen
 * @param {Palette} palette
 */
function drawCoin(pen, palette) {
  const disc = (/** @type {number} */ radius, /** @type {string} */ colour) => {
    pen.fillStyle = colour;
    pen.beginPath();
    pen.arc(0, 0, radius, 0, Math.PI * 2);
    pen.fill();
  };
  disc(COIN_RADIUS, '#7a5200');
  disc(COIN_RADIUS - 1.6, palette.coin);
  circle(pen, COIN_RADIUS - 3.4, 1.1, '#a87812');
  pen.fillStyle = '#a87812';
  pen.beginPath();
  for (let point = 0; point < 10; point += 1) {
    const [angle, far] = [(point * Math.PI) / 5 - Math.PI / 2, point % 2 === 0 ? 5.4 : 2.3];
    pen.lineTo(Math.cos(angle) * far, Math.sin(angle) * far);
  }
  pen.fill();
  pen.strokeStyle = palette['coin-shine'];
  pen.lineWidth = 1.8;
  pen.lineCap = 'round';
  pen.beginPath();
  pen.arc(0, 0, COIN_RADIUS - 3.2, Math.PI * 1.05, Math.PI * 1.55);
  pen.stroke();
}

/** Rays around the origin. @param {Pen} pen @param {Palette} palette */
function drawGlint(pen, palette) {
  pen.strokeStyle = palette['coin-edge'];
  pen.lineWidth = 2.4;
  pen.lineCap = 'round';
  pen.beginPath();
  for (let ray = 0; ray < 8; ray += 1) {
    const angle = (ray * Math.PI) / 4 + 0.2;
    const [from, to] = [COIN_RADIUS * 1.35, COIN_RADIUS * (ray % 2 === 0 ? 2.2 : 1.8)];
    pen.moveTo(Math.cos(angle) * from, Math.sin(angle) * from);
    pen.lineTo(Math.cos(angle) * to, Math.sin(angle) * to);
  }
  pen.stroke();
}

/**
 * @param {Pen} pen
 * @param {number} radius
 * @param {number} wide
 * @param {string} colour
 * @param {number[]} [dashes]
 */
function circle(pen, radius, wide, colour, dashes = []) {
  pen.strokeStyle = colour;
  pen.lineWidth = wide;
  pen.setLineDash(dashes);
  pen.beginPath();
  pen.arc(0, 0, radius, 0, Math.PI * 2);
  pen.stroke();
  pen.setLineDash([]);
}

/**
 * @param {string} text
 * @param {number} most
 */
function cut(text, most) {
  const letters = Array.from(text);
  return letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : text;
}

/** Words in a few lines. @param {string} text */
function wrap(text) {
  /** @type {string[]} */
  const lines = [''];
  for (const word of text.split(/\s+/u)) {
    const last = lines.at(-1) ?? '';
    if (last && last.length + word.length + 1 > BUBBLE_LETTERS_MAX) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  const shown = lines.slice(0, BUBBLE_LINES_MAX).map((line) => cut(line, BUBBLE_LETTERS_MAX));
  if (lines.length > BUBBLE_LINES_MAX)
    shown[BUBBLE_LINES_MAX - 1] = cut(`${shown.at(-1)} …`, BUBBLE_LETTERS_MAX);
  return shown;
}
