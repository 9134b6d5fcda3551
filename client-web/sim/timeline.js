/**
 * Owns the time at which the others are drawn: a cursor on the server's time
 * that follows the local clock some way behind. Pure.
 *
 * How far behind: at every arrival the newest thing known was so old that a
 * cursor further behind would have had two samples to draw between. That age is
 * noted, once for each burst of arrivals, because a stall that ends with ten
 * frames at once was one stall. The aim lies at the 95th percentile of the
 * ages noted last, plus a margin that grows with their spread: jitter and the
 * beat of frames (20 Hz, 10 Hz) are covered, a single stall is not waited for
 * ever after. Only differences of arrival and server time are used, so the
 * clocks need not agree, and a path that gets longer moves the aim with it.
 *
 * The cursor leans towards its aim: down to half the speed when it must wait,
 * at most a tenth faster to catch up. It never runs backwards. Where it is
 * far behind (the page was hidden) it jumps: nothing old is ever played.
 */

/** The delay that is assumed until walkers tell better, after the quickest frame. */
export const DELAY_GUESS_MS = 200;
/** More delay than this after the quickest arrival is not worth any smoothness. */
export const DELAY_MAX_MS = 400;
/** Further behind than this the cursor jumps. */
export const SNAP_MS = 250;
/** Arrivals closer than this are one burst. */
export const BURST_MS = 10;
/** Ages count for so long; the newest few for longer, because often nobody walks. */
const AGE_KEPT_MS = 5_000;
const FEW_KEPT = 40;
const FEW_KEPT_MS = 15_000;
/** So many are enough to aim by. */
const ENOUGH = 8;
/** The quickest frame is looked for among those of so long, which follows drift. */
const QUICKEST_MS = 4_000;
/** The part of arrivals that is waited for, and what is added of their spread. */
const QUANTILE = 0.95;
const SPREAD_PART = 0.35;
const MARGIN_MS = 8;
/** Of the newest ages so many are looked at apart, and all but a few waited for: a path that gets longer. */
const NEWEST = 12;
const NEWEST_LEFT_OUT = 2;
/** Leaning: waiting is urgent, catching up is not; within these speeds. */
const WAIT_OVER_MS = 80;
const CATCH_UP_OVER_MS = 300;
const SLOWEST = 0.5;
const FASTEST = 1.1;

/** @typedef {{ at: number, age: number }} Age a local time, and by how much it was after a server time */

export class Timeline {
  /** Local time minus server time of the frame before, at each arrival. @type {Age[]} */ #frames = [];
  /** The same of the newest place of those who walk on; often nobody does. @type {Age[]} */ #walkers = [];
  /** Local time minus server time of frames. @type {Age[]} */ #offsets = [];
  #arrivedAt = -Infinity;
  /** @type {number | null} */ #aim = null;
  #spread = 0;
  /** @type {{ time: number, at: number } | null} */ #cursor = null;

  /** Server time that is drawn now; null before anything came. */
  get time() {
    return this.#cursor?.time ?? null;
  }

  /** How far behind the quickest arrival the drawing is aimed. */
  get delayMs() {
    return this.#aim === null ? DELAY_GUESS_MS : this.#aim - this.#quickest();
  }

  /** How far behind the quickest arrival the drawing is now. */
  get behindMs() {
    return this.#cursor ? this.#cursor.at - this.#cursor.time - this.#quickest() : DELAY_GUESS_MS;
  }

  /** The spread of arrivals: from the usual one to the 95th percentile. */
  get jitterMs() {
    return this.#spread;
  }

  /**
   * A frame arrived.
   * @param {number} time server time of it
   * @param {number} before server time of the one before
   * @param {number | null} known server time of the newest place of those who walk on in it
   * @param {number} now local milliseconds
   */
  arrived(time, before, known, now) {
    this.#offsets.push({ at: now, age: now - time });
    this.#offsets = this.#offsets.filter(({ at }) => now - at <= QUICKEST_MS);
    const burst = now - this.#arrivedAt < BURST_MS;
    this.#arrivedAt = now;
    if (burst) return;
    this.#frames = note(this.#frames, now, now - before);
    if (known !== null) this.#walkers = note(this.#walkers, now, now - known);
    this.#takeAim();
  }

  /**
   * Moves the cursor to now; once for each drawn picture.
   * @param {number} now
   */
  advance(now) {
    if (this.#aim === null) return;
    const aim = now - this.#aim;
    if (!this.#cursor) {
      this.#cursor = { time: aim, at: now };
      return;
    }
    const passed = Math.max(0, now - this.#cursor.at);
    const off = aim - (this.#cursor.time + passed);
    const speed = Math.min(Math.max(1 + off / (off < 0 ? WAIT_OVER_MS : CATCH_UP_OVER_MS), SLOWEST), FASTEST);
    this.#cursor = { time: off > SNAP_MS ? aim : this.#cursor.time + passed * speed, at: now };
  }

  #takeAim() {
    const [frames, walkers] = [aimOf(this.#frames), aimOf(this.#walkers)];
    this.#spread = Math.max(frames.spread, walkers.spread);
    const quickest = this.#quickest();
    const guess = this.#walkers.length < ENOUGH ? quickest + DELAY_GUESS_MS : -Infinity;
    this.#aim = Math.min(Math.max(frames.aim, walkers.aim, guess), quickest + DELAY_MAX_MS);
  }

  #quickest() {
    return this.#offsets.reduce((least, { age }) => Math.min(least, age), Infinity);
  }
}

/**
 * @param {Age[]} ages
 * @param {number} at
 * @param {number} age
 */
function note(ages, at, age) {
  const few = ages.length - FEW_KEPT;
  const kept = ages.filter((old, place) => at - old.at <= (place >= few ? FEW_KEPT_MS : AGE_KEPT_MS));
  return [...kept, { at, age }];
}

/** @param {Age[]} ages */
function aimOf(ages) {
  const sorted = sortedAges(ages);
  const late = quantile(sorted, QUANTILE);
  const spread = sorted.length > 0 ? late - quantile(sorted, 0.5) : 0;
  const newest = sortedAges(ages.slice(-NEWEST)).at(-1 - NEWEST_LEFT_OUT) ?? -Infinity;
  return { aim: Math.max(late + spread * SPREAD_PART, newest) + MARGIN_MS, spread };
}

/** @param {Age[]} ages */
const sortedAges = (ages) => ages.map(({ age }) => age).sort((a, b) => a - b);

/**
 * @param {number[]} sorted
 * @param {number} part
 */
function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? -Infinity;
}
