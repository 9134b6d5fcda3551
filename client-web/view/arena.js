/**
 * Owns the canvas: draws one picture of a scene, and says who stands at a point
 * of it. It knows nothing of sessions or input. A picture copies sprites and
 * makes nothing new, so that hundreds of players cost little.
 */

import { FLAGS } from '../net/wire.js';
import { WORLD_UNITS } from '../sim/step.js';
import { CoinView } from './coins.js';
import { Effects } from './effects.js';
import { Floor } from './floor.js';
import { readPalette, wishes } from './palette.js';
import { RADIUS, Sprites } from './sprites.js';

/** So many units are seen across the shorter side at least. */
const SEEN_UNITS = 820;
/** On a phone players would be too small to hit with a finger. */
const SCALE_MIN = 0.72;
/** Beyond the edge of the canvas so much is still drawn (CSS pixels). */
const MARGIN_PX = 90;
/** Somebody who did not move for so long has no direction. */
const FACING_MS = 400;
const TURN_UNITS = 0.5;
/** About so many names are shown at once. */
const NAMES_MAX = 32;

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
 * @typedef {import('../net/wire.js').Point} Point
 * @typedef {{ me: Point | null, everyone: Drawn[] }} Scene
 * @typedef {{ scale: number, x: number, y: number, width: number, height: number }} Camera
 * @typedef {{ x: number, y: number, angle: number, at: number, seen: number }} Facing
 * @typedef {{ coins: readonly import('../sim/coins.js').Coin[], ghost: Point | null, goal: Point | null }} Marks
 * what lies there; where the server says I am; where I walk to
 */

export class Arena {
  /** @type {HTMLCanvasElement} */ #canvas;
  /** @type {CanvasRenderingContext2D} */ #pen;
  #palette = readPalette();
  #calm = wishes.calm;
  #floor = new Floor();
  #sprites = new Sprites(this.#palette);
  #effects = new Effects();
  #coins = new CoinView();
  /** @type {Camera} */ #camera = { scale: 1, x: WORLD_UNITS / 2, y: WORLD_UNITS / 2, width: 1, height: 1 };
  /** @type {Scene} */ #scene = { me: null, everyone: [] };
  /** @type {Map<string, Facing>} */ #facing = new Map();
  #sweptAt = 0;
  /** Units within which names are shown. */ #namesReach = WORLD_UNITS;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    const pen = canvas.getContext('2d', { alpha: false });
    if (!pen) throw new Error('this browser has no 2d canvas');
    this.#canvas = canvas;
    this.#pen = pen;
    wishes.watch(() => {
      this.#palette = readPalette();
      this.#calm = wishes.calm;
    });
  }

  get palette() {
    return this.#palette;
  }

  /**
   * Someone's health moved: a number rises, and a blow leaves its stroke.
   * @param {string} player
   * @param {number} by
   * @param {number} now
   */
  hit(player, by, now) {
    this.#effects.hit(player, by, now);
  }

  /**
   * Someone's gold is more: that rises too.
   * @param {string} player
   * @param {number} by
   * @param {number} now
   */
  gain(player, by, now) {
    this.#effects.gain(player, by, now);
  }

  /**
   * Somebody has picked up a coin.
   * @param {import('../sim/coins.js').Coin} coin
   * @param {number} now
   */
  taken(coin, now) {
    this.#coins.taken(coin, now);
  }

  /**
   * Someone said something: it stands over them for a while.
   * @param {string} player
   * @param {string} text
   * @param {number} now
   */
  say(player, text, now) {
    this.#effects.say(player, text, now);
  }

  /**
   * The place in the world under a point of the canvas.
   * @param {number} left CSS pixels
   * @param {number} top CSS pixels
   * @returns {Point}
   */
  worldAt(left, top) {
    const { scale, x, y, width, height } = this.#camera;
    const inWorld = (/** @type {number} */ value) =>
      Math.min(Math.max(Math.round(value), 0), WORLD_UNITS - 1);
    return { x: inWorld((left - width / 2) / scale + x), y: inWorld((top - height / 2) / scale + y) };
  }

  /**
   * Who stands at a point of the canvas, oneself excepted.
   * @param {number} left CSS pixels
   * @param {number} top CSS pixels
   */
  playerAt(left, top) {
    const at = this.worldAt(left, top);
    let best = Math.max(RADIUS * 1.4, 24 / this.#camera.scale);
    let found = null;
    for (const one of this.#scene.everyone) {
      const far = Math.hypot(one.x - at.x, one.y - at.y);
      if (one.own || far > best) continue;
      best = far;
      found = one.player;
    }
    return found;
  }

  /**
   * @param {Scene} scene
   * @param {Marks} marks
   * @param {number} now
   */
  draw(scene, marks, now) {
    this.#scene = scene;
    if (!this.#fit()) return;
    if (scene.me) {
      this.#camera.x = scene.me.x;
      this.#camera.y = scene.me.y;
    }
    this.#floor.draw(this.#pen, this.#camera, this.#palette);
    this.#coins.draw(this.#pen, this.#camera, marks.coins, this.#sprites.coins, now, this.#calm);
    if (marks.goal) this.#drawGoal(marks.goal, now);
    for (const one of scene.everyone) if (this.#isSeen(one)) this.#drawPlayer(one, now);
    this.#drawLabels(scene);
    if (marks.ghost && scene.me) this.#drawGhost(marks.ghost, scene.me);
    this.#drawEffects(now);
    this.#sweep(now);
  }

  /**
   * The empty courtyard behind the gate, slowly passing by.
   * @param {number} now
   */
  drift(now) {
    if (!this.#fit()) return;
    const angle = this.#calm ? 0.6 : now / 24_000;
    this.#camera.x = WORLD_UNITS / 2 + Math.cos(angle) * 340;
    this.#camera.y = WORLD_UNITS / 2 + Math.sin(angle) * 260;
    this.#floor.draw(this.#pen, this.#camera, this.#palette);
  }

  /** Follows the element's size and the screen's pixels. */
  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0 || height === 0) return false;
    const pixels = Math.min(window.devicePixelRatio || 1, 2);
    const [wide, high] = [Math.round(width * pixels), Math.round(height * pixels)];
    if (this.#canvas.width !== wide) this.#canvas.width = wide;
    if (this.#canvas.height !== high) this.#canvas.height = high;
    const scale =
      Math.round(Math.min(1.1, Math.max(SCALE_MIN, Math.min(width, height) / SEEN_UNITS)) * 50) / 50;
    this.#camera.width = width;
    this.#camera.height = height;
    this.#camera.scale = scale;
    this.#sprites.suit(this.#palette, pixels, scale);
    this.#pen.setTransform(pixels, 0, 0, pixels, 0, 0);
    return true;
  }

  /** @param {Point} at */
  #left(at) {
    return (at.x - this.#camera.x) * this.#camera.scale + this.#camera.width / 2;
  }

  /** @param {Point} at */
  #top(at) {
    return (at.y - this.#camera.y) * this.#camera.scale + this.#camera.height / 2;
  }

  /** @param {Point} at */
  #isSeen(at) {
    const [left, top] = [this.#left(at), this.#top(at)];
    const { width, height } = this.#camera;
    return left > -MARGIN_PX && top > -MARGIN_PX && left < width + MARGIN_PX && top < height + MARGIN_PX;
  }

  /**
   * @param {import('./sprites.js').Sprite} sprite
   * @param {number} left
   * @param {number} top
   */
  #stamp(sprite, left, top) {
    this.#pen.drawImage(
      sprite.image,
      left - sprite.width / 2,
      top - sprite.height / 2,
      sprite.width,
      sprite.height,
    );
  }

  /**
   * @param {Drawn} one
   * @param {number} now
   */
  #drawPlayer(one, now) {
    const pen = this.#pen;
    const [left, top] = [this.#left(one), this.#top(one)];
    const down = (one.flags & FLAGS.defeated) !== 0 || one.health <= 0;
    const lost = (one.flags & FLAGS.lost) !== 0;
    const facing = this.#face(one, now);
    if (down || lost) pen.globalAlpha = down ? 0.45 : 0.65;
    this.#stamp(this.#sprites.shield(one.player), left, top);
    pen.globalAlpha = 1;
    if (down) this.#stamp(this.#sprites.around('down'), left, top);
    if (one.own) this.#stamp(this.#sprites.around('own'), left, top);
    if ((one.flags & FLAGS.defending) !== 0) this.#stamp(this.#sprites.around('defend'), left, top);
    if (lost) this.#stamp(this.#sprites.around('lost'), left, top);
    if (one.selected) this.#turned('aim', left, top, this.#calm ? 0 : (now / 900) % (Math.PI * 2));
    if (now - facing.at < FACING_MS && !down) this.#turned('beak', left, top, facing.angle);
    if ((one.flags & FLAGS.sprinting) !== 0 && now - facing.at < FACING_MS)
      this.#dust(left, top, facing.angle);
    const struck = this.#effects.struckAgo(one.player, now);
    if (struck !== null) this.#stroke(left, top, struck);
  }

  /**
   * @param {'aim' | 'beak'} kind
   * @param {number} left
   * @param {number} top
   * @param {number} angle
   */
  #turned(kind, left, top, angle) {
    const pen = this.#pen;
    pen.save();
    pen.translate(left, top);
    pen.rotate(angle);
    this.#stamp(this.#sprites.around(kind), 0, 0);
    pen.restore();
  }

  /**
   * Which way somebody walks, told by where they were drawn.
   * @param {Drawn} one
   * @param {number} now
   */
  #face(one, now) {
    let facing = this.#facing.get(one.player);
    if (!facing) {
      facing = { x: one.x, y: one.y, angle: 0, at: -Infinity, seen: now };
      this.#facing.set(one.player, facing);
    }
    facing.seen = now;
    const [dx, dy] = [one.x - facing.x, one.y - facing.y];
    if (Math.abs(dx) + Math.abs(dy) > TURN_UNITS) {
      facing.angle = Math.atan2(dy, dx);
      facing.at = now;
      facing.x = one.x;
      facing.y = one.y;
    }
    return facing;
  }

  /**
   * Three strokes behind somebody who sprints.
   * @param {number} left
   * @param {number} top
   * @param {number} angle
   */
  #dust(left, top, angle) {
    const pen = this.#pen;
    const { scale } = this.#camera;
    pen.strokeStyle = this.#palette.dust;
    pen.lineWidth = 3 * scale;
    pen.lineCap = 'round';
    pen.beginPath();
    for (let side = -1; side <= 1; side += 1) {
      const away = angle + Math.PI + side * 0.45;
      const [from, to] = [(RADIUS + 8) * scale, (RADIUS + (side === 0 ? 26 : 19)) * scale];
      pen.moveTo(left + Math.cos(away) * from, top + Math.sin(away) * from);
      pen.lineTo(left + Math.cos(away) * to, top + Math.sin(away) * to);
    }
    pen.stroke();
  }

  /**
   * The stroke of a blow, across who was struck.
   * @param {number} left
   * @param {number} top
   * @param {number} part of its life, 0 to 1
   */
  #stroke(left, top, part) {
    const pen = this.#pen;
    const reach = RADIUS * 1.45 * this.#camera.scale;
    const drawn = this.#calm ? 1 : Math.min(1, part * 2.2);
    pen.globalAlpha = 1 - part;
    pen.strokeStyle = this.#palette.hurt;
    pen.lineWidth = 6 * this.#camera.scale;
    pen.lineCap = 'round';
    pen.beginPath();
    pen.arc(
      left - reach * 0.4,
      top + reach * 0.4,
      reach * 1.15,
      -Math.PI * 0.62,
      -Math.PI * 0.62 + Math.PI * 0.72 * drawn,
    );
    pen.stroke();
    pen.globalAlpha = 1;
  }

  /**
   * In a crowd only those nearby have their name over them, the others a bar.
   * How far that is follows from how many names the picture before had.
   * @param {Scene} scene
   */
  #drawLabels({ me, everyone }) {
    let names = 0;
    for (const one of everyone) {
      if (!this.#isSeen(one)) continue;
      const far = me ? Math.max(Math.abs(one.x - me.x), Math.abs(one.y - me.y)) : 0;
      if (far <= this.#namesReach || one.selected) {
        this.#drawLabel(one);
        names += 1;
      } else this.#drawBar(one);
    }
    if (names > NAMES_MAX) this.#namesReach = Math.max(120, this.#namesReach * 0.97);
    else if (names < NAMES_MAX * 0.8) this.#namesReach = Math.min(WORLD_UNITS, this.#namesReach * 1.02);
  }

  /** @param {Drawn} one */
  #drawBar(one) {
    const pen = this.#pen;
    const left = Math.round(this.#left(one)) - 16;
    const top = Math.round(this.#top(one) - (RADIUS + 12) * this.#camera.scale);
    pen.fillStyle = this.#palette['bar-back'];
    pen.fillRect(left, top, 32, 4);
    this.#fillBar(left, top, 32, one.health);
  }

  /**
   * @param {number} left
   * @param {number} top
   * @param {number} width when healthy
   * @param {number} health
   */
  #fillBar(left, top, width, health) {
    const part = Math.min(Math.max(health / 100, 0), 1);
    const { good, warn, bad } = this.#palette;
    this.#pen.fillStyle = part > 0.5 ? good : part > 0.25 ? warn : bad;
    this.#pen.fillRect(left, top, width * part, 4);
  }

  /** Name and health, at a readable size whatever the scale. @param {Drawn} one */
  #drawLabel(one) {
    const pen = this.#pen;
    const { width: screen, scale } = this.#camera;
    const sprite = this.#sprites.label(one.name, one.own);
    const away = (RADIUS + 10) * scale + sprite.height / 2;
    const middle = this.#top(one) - away < sprite.height ? this.#top(one) + away : this.#top(one) - away;
    const most = screen - sprite.width - 2;
    // Whole pixels keep the letters sharp.
    const left = Math.round(Math.min(Math.max(this.#left(one) - sprite.width / 2, 2), most));
    const top = Math.round(middle - sprite.height / 2);
    pen.drawImage(sprite.image, left, top, sprite.width, sprite.height);
    this.#fillBar(left + 6, top + 20, sprite.width - 12, one.health);
  }

  /**
   * Where the server last said that I am, tied to where I am drawn.
   * @param {Point} ghost
   * @param {Point} me
   */
  #drawGhost(ghost, me) {
    const pen = this.#pen;
    pen.strokeStyle = this.#palette.ghost;
    pen.lineWidth = 2.5;
    pen.beginPath();
    pen.moveTo(this.#left(ghost), this.#top(ghost));
    pen.lineTo(this.#left(me), this.#top(me));
    pen.stroke();
    pen.setLineDash([5, 4]);
    pen.beginPath();
    pen.arc(this.#left(ghost), this.#top(ghost), (RADIUS + 1) * this.#camera.scale, 0, Math.PI * 2);
    pen.stroke();
    pen.setLineDash([]);
  }

  /**
   * Where a click sent me.
   * @param {Point} goal
   * @param {number} now
   */
  #drawGoal(goal, now) {
    const pen = this.#pen;
    const beat = this.#calm ? 0.5 : (now % 900) / 900;
    pen.strokeStyle = this.#palette.ring;
    pen.lineWidth = 3;
    pen.beginPath();
    pen.arc(this.#left(goal), this.#top(goal), (8 + beat * 8) * this.#camera.scale, 0, Math.PI * 2);
    pen.stroke();
  }

  /** @param {number} now */
  #drawEffects(now) {
    const pen = this.#pen;
    const { scale } = this.#camera;
    for (const one of this.#scene.everyone) {
      const said = this.#effects.saidBy(one.player, now);
      if (said === null || !this.#isSeen(one)) continue;
      const bubble = this.#sprites.bubble(said);
      this.#stamp(bubble, this.#left(one), this.#top(one) - (RADIUS + 12) * scale - 32 - bubble.height / 2);
    }
    for (const { player, by, gold, age, lane } of this.#effects.numbers(now)) {
      const one = this.#scene.everyone.find((someone) => someone.player === player);
      if (!one || !this.#isSeen(one)) continue;
      pen.globalAlpha = age < 0.7 ? 1 : (1 - age) / 0.3;
      const rise = 14 * scale + (this.#calm ? 12 : age * 38);
      this.#stamp(this.#sprites.number(by, gold), this.#left(one) + 26 * scale + lane * 22, this.#top(one) - rise);
    }
    pen.globalAlpha = 1;
  }

  /** Forgets who has not been here for a while. @param {number} now */
  #sweep(now) {
    if (now - this.#sweptAt < 10_000) return;
    this.#sweptAt = now;
    for (const [player, { seen }] of this.#facing) if (now - seen > 10_000) this.#facing.delete(player);
  }
}
