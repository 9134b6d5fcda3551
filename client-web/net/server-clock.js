/**
 * Owns the estimate of the server's clock: of the round trips of the last
 * while, the quickest knows best, because the least of it can have been spent
 * on one way only. Old ones are forgotten, so that a clock that drifts, or
 * another gateway's, is followed.
 */

/** A round trip counts for so long. */
export const SAMPLE_AGE_MAX_MS = 30_000;
/** So many are kept. */
const SAMPLES_MAX = 32;

/** @typedef {{ at: number, rtt: number, offset: number }} RoundTrip */

export class ServerClock {
  /** @type {RoundTrip[]} */ #trips = [];
  #offset;

  /** @param {number} guess server time minus local time, until it is known */
  constructor(guess) {
    this.#offset = guess;
  }

  /**
   * The server's time at a local time.
   * @param {number} now
   */
  at(now) {
    return now + this.#offset;
  }

  /**
   * A greeting names the server's time; nothing is known of the way it took.
   * @param {number} serverNow
   * @param {number} now
   */
  greeted(serverNow, now) {
    this.#trips = [];
    this.#offset = serverNow - now;
  }

  /**
   * A round trip that ended now.
   * @param {number} serverNow read between its two ways
   * @param {number} rtt
   * @param {number} now
   */
  measured(serverNow, rtt, now) {
    this.#trips.push({ at: now, rtt, offset: serverNow + rtt / 2 - now });
    const recent = this.#trips.filter(({ at }) => now - at <= SAMPLE_AGE_MAX_MS);
    this.#trips = recent.slice(-SAMPLES_MAX);
    const best = this.#trips.reduce((least, trip) => (trip.rtt <= least.rtt ? trip : least));
    this.#offset = best.offset;
  }
}
