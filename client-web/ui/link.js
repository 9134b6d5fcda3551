/**
 * Owns how the connection is shown: the chip, the banner, and what is read out.
 * The chip counts down several times a second; only what is new is read out.
 */

import { byId, mark, say } from './dom.js';
import { bannerWords, chipWords, newsOf } from './words.js';

/** News is shown for so long before "live" takes its place. */
const NEWS_MS = 5_000;
/** A loss shorter than this gets no banner: the chip has said it all. */
const BANNER_AFTER_MS = 700;

/** @typedef {import('./words.js').Status} Status */

export class Link {
  /** @type {() => number} */ #now;
  /** @type {Status | null} */ #status = null;
  #news = '';
  #newsUntil = -Infinity;
  #node = '';
  #lostAt = -Infinity;

  /**
   * @param {() => number} now the session's clock
   * @param {() => void} wake tries to connect at once
   */
  constructor(now, wake) {
    this.#now = now;
    byId('offline-try', HTMLButtonElement).addEventListener('click', wake);
    for (const event of ['online', 'offline']) window.addEventListener(event, () => this.tick());
  }

  /** @param {Status} status */
  show(status) {
    const was = this.#status?.phase;
    // A banner that said how quiet it was stays.
    if (was === 'live' && status.phase !== 'live') this.#lostAt = this.#status?.quiet_since ?? this.#now();
    this.#status = status;
    this.tick();
    if (was !== status.phase && status.phase === 'waiting')
      this.#announce('Connection lost, reconnecting.');
    if (status.phase === 'idle' || status.phase === 'stopped') this.#node = '';
  }

  /** @param {import('../net/wire.js').Welcome} welcome */
  welcomed(welcome) {
    this.#news = newsOf(welcome, this.#node);
    this.#newsUntil = this.#now() + NEWS_MS;
    this.#node = welcome.node;
    if (this.#news) this.#announce(this.#news);
    this.tick();
  }

  /** What changes with time alone; call a few times a second. */
  tick() {
    const status = this.#status;
    if (!status) return;
    const now = this.#now();
    const chip = chipWords(status, now < this.#newsUntil ? this.#news : '', navigator.onLine, now);
    const element = byId('status', HTMLElement);
    mark(element, 'data-phase', chip.phase);
    mark(element, 'title', this.#node ? `Served by ${this.#node}` : '');
    say(byId('status-text', HTMLElement), chip.text);
    this.#banner(status, now);
  }

  /**
   * @param {Status} status
   * @param {number} now
   */
  #banner(status, now) {
    // At the first attempt nothing was lost yet.
    const first = status.phase === 'connecting' && status.attempt === 0;
    const words = first && navigator.onLine ? null : bannerWords(status, navigator.onLine, now);
    const soon = navigator.onLine && now - this.#lostAt < BANNER_AFTER_MS;
    const banner = byId('offline', HTMLElement);
    banner.hidden = !words || soon;
    if (banner.hidden || !words) return;
    say(byId('offline-title', HTMLElement), words.title);
    say(byId('offline-why', HTMLElement), words.why);
    say(byId('offline-next', HTMLElement), words.next);
    // While an attempt is under way it changes nothing, and does not come and go.
    byId('offline-try', HTMLElement).hidden = status.phase === 'live';
  }

  /** @param {string} text */
  #announce(text) {
    say(byId('said', HTMLElement), text);
  }
}
