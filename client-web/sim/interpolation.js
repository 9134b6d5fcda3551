/**
 * Owns where the others are drawn: a little in the past, between two known
 * places, so that the gaps and jitter of frames are not seen.
 *
 * When an entity was where: a frame's tick says it to 50 ms, and frames hold
 * one step of a walker, or none, or two, as it falls. A game that can say how
 * long a way takes (`takes`) has its walkers on a time of their own: each place
 * comes that long after the last, as far as the frame's tick allows, so that a
 * steady walk is drawn steadily. What can't be a walk was a stand and then a
 * start, or a leap.
 *
 * Nothing is drawn beyond an entity's newest place. When news comes too late
 * for somebody who walks, the picture freezes (an underrun, counted) and then
 * slides to where it should be.
 */

import { STEP_MS } from './step.js';
import { Timeline } from './timeline.js';

/** A place may be so much older than the frame that tells it. */
export const SLACK_MS = 175;
/** The slowest beat of state is 10 Hz: a move began at most so much earlier. */
const BEAT_MS = 100;
/** Whoever would have needed so much longer for a way did not walk it. */
const LEAP_MS = 500;
/** A slip of the picture is made good over so long; a larger one is a leap. */
const SLIDE_MS = 120;
const SLIDE_UNITS_MAX = 256;
const PLACES_KEPT = 24;
const BEYOND_KEPT = 120;
/**
 * Beats and ticks make a walker's places late by so much, now more, now less.
 * One that is later than that so many times in a row has paused for a moment.
 */
const LAG_MS = 60;
const LAGS_KEPT = 10;
/** Then its time is set right by so much of each way. */
const SETTLE_PART = 0.1;
/** So long a way in one frame was held up, and maybe not walked without a pause. */
const HELD_UP_MS = 200;

/**
 * @typedef {{ x: number, y: number }} Point
 * @typedef {{ time: number, x: number, y: number }} Place
 * @typedef {{ underrun: boolean }} Picture
 *
 * @typedef {object} Track what is known of an entity
 * @property {Place[]} places oldest first
 * @property {{ x: number, y: number, at: number }} slip of the picture, and since when
 * @property {number[]} lags by how much its last places came later than their ways took
 * @property {Picture[]} beyond pictures drawn after the newest place
 */

/**
 * @template {Point} [Row=Point]
 */
export class Interpolation {
  /** @type {Map<number, Track>} */ #tracks = new Map();
  #timeline = new Timeline();
  #takes;
  #stepMs;
  #frameTime = -Infinity;
  /** Of those who walk on in the frame that is being read, the oldest newest place. @type {number | null} */
  #known = null;
  #now = 0;
  /** @type {Picture} */ #picture = { underrun: false };
  #drawn = 0;
  #underruns = 0;

  /**
   * @param {{ takes?: (from: Point, to: Row) => number, stepMs?: number }} [game] `takes` says how many
   * milliseconds the way from one place to another takes
   */
  constructor({ takes, stepMs = STEP_MS } = {}) {
    this.#takes = takes;
    this.#stepMs = stepMs;
  }

  /** All entities are gone: another room, or none. */
  clear() {
    this.#tracks.clear();
    this.#frameTime = -Infinity;
  }

  /** @param {number} entity */
  remove(entity) {
    this.#tracks.delete(entity);
  }

  /** Server time that is drawn; it never runs backwards. Null before anything came. */
  get time() {
    return this.#timeline.time;
  }

  /** How far in the past, counted from the quickest frame, the drawing is aimed. */
  get delayMs() {
    return this.#timeline.delayMs;
  }

  /** The same of the drawing itself, which leans towards its aim. */
  get behindMs() {
    return this.#timeline.behindMs;
  }

  get jitterMs() {
    return this.#timeline.jitterMs;
  }

  /** Pictures so far. */
  get drawn() {
    return this.#drawn;
  }

  /** Pictures that showed somebody who walks beyond the newest place. */
  get underruns() {
    return this.#underruns;
  }

  /**
   * A frame says where an entity is; call before `frame` of the same tick.
   * @param {number} entity
   * @param {number} tick
   * @param {Row} row
   */
  put(entity, tick, row) {
    const frameTime = tick * this.#stepMs;
    const track = this.#tracks.get(entity);
    const last = track?.places.at(-1);
    if (!track || !last) return this.#appear(entity, frameTime, row);
    if (row.x === last.x && row.y === last.y) return;
    const before = this.at(entity);
    this.#walk(track, last, frameTime, row);
    track.places.splice(0, track.places.length - PLACES_KEPT);
    this.#slide(track, before);
  }

  /**
   * A frame arrived.
   * @param {number} tick
   * @param {number} now local milliseconds
   */
  frame(tick, now) {
    const time = tick * this.#stepMs;
    const gap = Math.min(Math.max(time - this.#frameTime, this.#stepMs), BEAT_MS);
    this.#timeline.arrived(time, time - gap, this.#known, now);
    this.#frameTime = Math.max(this.#frameTime, time);
    this.#known = null;
  }

  /**
   * Moves the cursor to now; once for each drawn picture.
   * @param {number} now
   */
  advance(now) {
    this.#now = now;
    this.#drawn += 1;
    this.#picture = { underrun: false };
    this.#timeline.advance(now);
  }

  /**
   * Where an entity is drawn in this picture.
   * @param {number} entity
   * @returns {Point | null}
   */
  at(entity) {
    const track = this.#tracks.get(entity);
    if (!track) return null;
    const newest = /** @type {Place} */ (track.places.at(-1));
    const time = this.#timeline.time ?? newest.time;
    if (time > newest.time) this.#goBeyond(track);
    const { x, y } = placeAt(track.places, time);
    const left = 1 - (this.#now - track.slip.at) / SLIDE_MS;
    return left > 0 ? { x: x + track.slip.x * left, y: y + track.slip.y * left } : { x, y };
  }

  /** @param {number} entity @param {number} time @param {Point} at */
  #appear(entity, time, { x, y }) {
    const slip = { x: 0, y: 0, at: -Infinity };
    this.#tracks.set(entity, { places: [{ time, x, y }], slip, lags: [], beyond: [] });
  }

  /**
   * Adds the place that a frame tells, and the stand before it.
   * @param {Track} track
   * @param {Place} last
   * @param {number} frameTime
   * @param {Row} row
   */
  #walk(track, last, frameTime, row) {
    const { x, y } = row;
    const takes = this.#takes?.(last, row) ?? Math.min(frameTime - last.time, BEAT_MS);
    const lag = frameTime - last.time - takes;
    const goesOn = lag <= (this.#takes ? SLACK_MS : 0);
    const usual = takes > HELD_UP_MS ? frameTime - Math.max(0, ...track.lags) : -Infinity;
    const due = goesOn ? Math.max(last.time + takes + settle(track, lag, takes), usual) : frameTime;
    const time = Math.max(last.time + 1, Math.min(due, frameTime));
    if (!goesOn) track.lags = [];
    if (takes > frameTime - last.time + LEAP_MS) {
      track.places.push({ ...last, time: frameTime - 1 }, { time: frameTime, x, y });
    } else {
      if (!goesOn && time - takes > last.time) track.places.push({ ...last, time: time - takes });
      track.places.push({ time, x, y });
      if (goesOn) this.#wentOn(track, Math.max(last.time, time - BEAT_MS));
    }
    track.beyond = [];
  }

  /**
   * Somebody walked on: pictures beyond the newest place were underruns.
   * @param {Track} track
   * @param {number} known
   */
  #wentOn(track, known) {
    this.#known = Math.min(this.#known ?? known, known);
    for (const picture of track.beyond) {
      if (!picture.underrun) this.#underruns += 1;
      picture.underrun = true;
    }
  }

  /** @param {Track} track */
  #goBeyond(track) {
    if (track.beyond.at(-1) === this.#picture || track.beyond.length >= BEYOND_KEPT) return;
    track.beyond.push(this.#picture);
  }

  /**
   * News that came late moves the picture; it slides there, unless it leaps.
   * @param {Track} track
   * @param {Point | null} before
   */
  #slide(track, before) {
    const time = this.#timeline.time;
    if (!before || time === null) return;
    const after = placeAt(track.places, time);
    const [x, y] = [before.x - after.x, before.y - after.y];
    if (x === 0 && y === 0) return;
    const leaps = Math.hypot(x, y) > SLIDE_UNITS_MAX;
    track.slip = { x: leaps ? 0 : x, y: leaps ? 0 : y, at: this.#now };
  }
}

/**
 * By how much a walker's time is to be set later, when it lags behind its frames for good.
 * @param {Track} track
 * @param {number} lag
 * @param {number} takes
 */
function settle(track, lag, takes) {
  if (takes > HELD_UP_MS) return 0;
  track.lags.push(lag);
  if (track.lags.length <= LAGS_KEPT) return 0;
  track.lags.shift();
  return Math.max(0, Math.min(takes * SETTLE_PART, Math.min(...track.lags) - LAG_MS));
}

/**
 * Where the places lead at a time; never before the first or after the last.
 * @param {Place[]} places
 * @param {number} time
 * @returns {Point}
 */
function placeAt(places, time) {
  let next = places.length - 1;
  while (next > 0 && /** @type {Place} */ (places[next - 1]).time >= time) next -= 1;
  const after = /** @type {Place} */ (places[next]);
  const before = places[next - 1];
  if (!before || time >= after.time) return after;
  const part = (time - before.time) / (after.time - before.time);
  return { x: before.x + (after.x - before.x) * part, y: before.y + (after.y - before.y) * part };
}
