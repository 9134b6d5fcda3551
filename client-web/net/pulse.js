/**
 * Owns the sense of whether a live socket is alive: pings, the round trip, the
 * verdict of silence. A socket can be dead without a close (a cable pulled, a
 * gateway frozen, a network changed), so whoever waits for a close waits for
 * minutes; here silence after a ping is noticed in a second and judged in four.
 *
 * A timer that ran late says that the page slept, not that the line is dead:
 * then the question is asked anew before it is judged.
 */

import { ServerClock } from './server-clock.js';

/** A ping goes out so often. */
export const PING_EVERY_MS = 1_000;
/** Without a word for so long after a ping the line is called slow. */
export const QUIET_MS = 750;
/** Without a word for so long after a ping the socket is taken for dead. */
export const SILENCE_MAX_MS = 4_000;
/** The same after a wake: the network has probably changed. */
export const WAKE_SILENCE_MAX_MS = 1_500;
/** A round trip of so long is slow, until it is below the second number again. */
export const SLOW_RTT_MS = 250;
export const SWIFT_RTT_MS = 200;
/** Silence is looked at so often. */
const LOOK_EVERY_MS = 250;
/** A look that comes so late was slept over. */
const ASLEEP_MS = 1_000;
/** Of a new round trip so much goes into the one that is shown. */
const RTT_WEIGHT = 0.5;

/**
 * @typedef {object} PulseHandlers
 * @property {(t: number) => void} ping send it
 * @property {() => void} dead silence has been long enough
 * @property {() => void} changed rtt or slow is another
 */

export class Pulse {
  /** @type {import('./connection.js').Clock} */ #clock;
  /** @type {PulseHandlers} */ #handlers;
  /** @type {any} */ #timer = null;
  /** @type {{ t: number, at: number } | null} */ #asked = null;
  #heardAt = 0;
  #lookAt = 0;
  #patience = SILENCE_MAX_MS;
  /** @type {number | null} */ #rtt = null;
  #slow = false;
  /** @type {number | null} */ #quietSince = null;
  #serverClock;

  /**
   * @param {import('./connection.js').Clock} clock
   * @param {PulseHandlers} handlers
   */
  constructor(clock, handlers) {
    this.#clock = clock;
    this.#handlers = handlers;
    const now = clock.now();
    this.#serverClock = new ServerClock((clock.unix?.() ?? now) - now);
  }

  get rtt_ms() {
    return this.#rtt === null ? null : Math.round(this.#rtt);
  }

  get slow() {
    return this.#slow;
  }

  /** Since when a ping waits for any word, once that is too long; on the clock of the session. */
  get quietSince() {
    return this.#quietSince;
  }

  /** The server's clock now, Unix milliseconds. */
  serverNow() {
    return this.#serverClock.at(this.#clock.now());
  }

  /**
   * A socket went live.
   * @param {number} serverNow as its greeting says
   */
  start(serverNow) {
    this.stop();
    const now = this.#clock.now();
    this.#serverClock.greeted(serverNow, now);
    this.#heardAt = now;
    this.#lookAt = now;
    this.#rtt = null;
    this.#slow = false;
    this.#quietSince = null;
    this.#look();
  }

  stop() {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    this.#asked = null;
    this.#patience = SILENCE_MAX_MS;
  }

  /** Any message is a sign of life. */
  heard() {
    this.#heardAt = this.#clock.now();
    this.#patience = SILENCE_MAX_MS;
  }

  /** The network or the page came back: ask at once, and wait less. */
  wake() {
    if (this.#timer === null) return;
    this.#clock.clearTimeout(this.#timer);
    this.#asked = null;
    this.#lookAt = this.#clock.now();
    this.#look();
    this.#patience = WAKE_SILENCE_MAX_MS;
  }

  /** @param {{ pong: number, now: number }} pong */
  pong({ pong, now: serverNow }) {
    const now = this.#clock.now();
    const rtt = Math.max(0, now - (this.#asked?.t === pong ? this.#asked.at : pong));
    this.#rtt = this.#rtt === null ? rtt : this.#rtt + (rtt - this.#rtt) * RTT_WEIGHT;
    if (typeof serverNow === 'number') this.#serverClock.measured(serverNow, rtt, now);
    this.#judge(0);
    this.#handlers.changed();
  }

  #look() {
    const now = this.#clock.now();
    if (now - this.#lookAt > ASLEEP_MS) this.#asked = null;
    const quiet = this.#asked && this.#heardAt < this.#asked.at ? now - this.#asked.at : 0;
    if (quiet >= this.#patience) return this.#handlers.dead();
    if (this.#judge(quiet)) this.#handlers.changed();
    if (!this.#asked || (quiet === 0 && now - this.#asked.at >= PING_EVERY_MS)) {
      this.#asked = { t: Math.round(now), at: now };
      this.#handlers.ping(this.#asked.t);
    }
    this.#lookAt = now + LOOK_EVERY_MS;
    this.#timer = this.#clock.setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }

  /**
   * True when slow is another than before.
   * @param {number} quiet
   */
  #judge(quiet) {
    const was = this.#slow;
    const limit = was ? SWIFT_RTT_MS : SLOW_RTT_MS;
    this.#quietSince = quiet >= QUIET_MS ? this.#asked?.at ?? null : null;
    this.#slow = this.#quietSince !== null || (this.#rtt ?? 0) >= limit;
    return this.#slow !== was;
  }
}
