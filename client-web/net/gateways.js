/**
 * Owns which gateway is tried when: the one the page came from, those a greeting
 * named, and the order of a round through them. Pure.
 *
 * A gateway may have two names (the page's address, and what it calls itself).
 * The second is tried last of all, so that leaving a gateway leads elsewhere.
 */

/** So many are remembered; more would only make rounds longer. */
const KNOWN_MAX = 16;

export class Gateways {
  #home = '';
  /** What the gateway in use calls itself. */
  #alias = '';
  /** @type {string[]} newest first */ #known = [];
  /** @type {string[]} the order of this round */ #plan = [];
  #turn = 0;
  #leaving = false;

  /** The one in use, or next to be tried. */
  get url() {
    return this.#plan[this.#turn % this.#plan.length] ?? '';
  }

  /** How many a round has. */
  get count() {
    return this.#plan.length;
  }

  /** Attempts since the last live socket, or since the start. */
  get turn() {
    return this.#turn;
  }

  /** Rounds that are through. */
  get rounds() {
    return Math.floor(this.#turn / Math.max(1, this.#plan.length));
  }

  get hasOthers() {
    return this.#others().length > 0;
  }

  /** @param {string} url of the page's own gateway */
  start(url) {
    this.#home = url;
    this.#alias = '';
    this.#begin([url, ...this.#known]);
  }

  /**
   * What a greeting says, its own gateway first.
   * @param {string[]} urls
   */
  learn(urls) {
    const sound = urls.filter((url) => /^wss?:\/\//u.test(url));
    this.#alias = sound[0] ?? '';
    this.#known = distinct([...sound, ...this.#known]).slice(0, KNOWN_MAX);
  }

  /** The gateway in use ends: it is the last one to try. */
  leave() {
    this.#leaving = true;
  }

  /** The live socket is lost: a new round begins. */
  lost() {
    const own = [this.url];
    const others = this.#others();
    this.#begin([...(this.#leaving ? [...others, ...own] : [...own, ...others]), this.#alias]);
  }

  /** The attempt failed. */
  next() {
    this.#turn += 1;
    this.#leaving = false;
  }

  #others() {
    return distinct([...this.#known, this.#home]).filter((url) => url !== this.url && url !== this.#alias);
  }

  /** @param {string[]} urls */
  #begin(urls) {
    this.#plan = distinct(urls);
    this.#turn = 0;
    this.#leaving = false;
  }
}

/** @param {string[]} urls */
const distinct = (urls) => [...new Set(urls)].filter((url) => url !== '');
