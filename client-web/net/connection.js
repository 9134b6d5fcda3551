/**
 * Owns the socket and nothing of what is said on it: opening, full-jitter
 * backoff, the verdict on a close, immediate retries, giving up.
 *
 * Every socket has a connection id; an event of a socket whose id is no longer
 * the newest is dropped, so a stale socket can't act. Free of the DOM: clock,
 * random and the WebSocket constructor are injected.
 */

import { closeCode } from './close_codes.js';

/** Longest wait of the first retry; each further one doubles it. */
export const BACKOFF_BASE_MS = 250;
/** Longest wait of any retry. */
export const BACKOFF_CAP_MS = 10_000;
/** A connection that lived so long starts the backoff afresh. */
export const SETTLED_MS = 5_000;
/** Opening plus hello or resume may take so long. */
export const HANDSHAKE_MAX_MS = 15_000;

/**
 * @typedef {object} Clock
 * @property {() => number} now monotonic milliseconds
 * @property {(run: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 *
 * @typedef {object} SocketLike what is used of a WebSocket
 * @property {(data: string) => void} send
 * @property {(code?: number, reason?: string) => void} close
 * @property {number} readyState
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 *
 * @typedef {object} Env
 * @property {new (url: string, protocol: string) => SocketLike} WebSocket
 * @property {Clock} clock
 * @property {() => number} random in [0, 1)
 *
 * @typedef {'idle' | 'connecting' | 'live' | 'waiting' | 'stopped'} Phase
 * @typedef {{ phase: Phase, attempt: number, code: number | null, reason: string }} ConnectionStatus
 *
 * @typedef {object} ConnectionHandlers
 * @property {() => void} opened the handshake may begin
 * @property {(text: string) => void} message
 * @property {(code: number) => import('./close_codes.js').Verdict} closed judges a close
 * @property {(status: ConnectionStatus) => void} status
 */

const OPEN = 1;

/**
 * Full jitter: anywhere between nothing and the doubled base.
 * @param {number} attempt from 1
 * @param {() => number} random
 */
export function backoffMs(attempt, random) {
  const most = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt - 1, 16));
  return Math.floor(random() * most);
}

export class Connection {
  /** @type {Env} */ #env;
  /** @type {ConnectionHandlers} */ #handlers;
  /** @type {string} */ #protocol;
  #home = '';
  /** @type {string[]} */ #urls = [];
  #urlAt = 0;
  /** @type {SocketLike | null} */ #socket = null;
  #id = 0;
  #attempt = 0;
  /** @type {number | null} */ #liveSince = null;
  /** @type {number | null} */ #retryAfterMs = null;
  /** @type {any} */ #timer = null;
  /** @type {ConnectionStatus} */ #status = { phase: 'idle', attempt: 0, code: null, reason: '' };

  /**
   * @param {Env} env
   * @param {string} protocol
   * @param {ConnectionHandlers} handlers
   */
  constructor(env, protocol, handlers) {
    this.#env = env;
    this.#protocol = protocol;
    this.#handlers = handlers;
  }

  get status() {
    return this.#status;
  }

  /** The id of the newest socket; it rises with each attempt. */
  get id() {
    return this.#id;
  }

  get url() {
    return this.#urls[this.#urlAt] ?? '';
  }

  /**
   * Opens a first socket; anything open before is given up.
   * @param {string} url
   */
  start(url) {
    this.#home = url;
    this.#urls = [url];
    this.#urlAt = 0;
    this.#attempt = 0;
    this.#open();
  }

  /**
   * Other gateways to try when the current one does not answer.
   * @param {string[]} urls
   */
  alternatives(urls) {
    const others = urls.filter((url) => /^wss?:\/\//u.test(url));
    this.#urls = [...new Set([this.url, this.#home, ...others])];
    this.#urlAt = 0;
  }

  /** The handshake succeeded: live until the socket closes. */
  settled() {
    if (this.#status.phase !== 'connecting') return;
    this.#clearTimer();
    this.#liveSince = this.#env.clock.now();
    this.#enter({ phase: 'live', attempt: this.#attempt, code: null, reason: '' });
  }

  /**
   * True when the message was handed to an open socket.
   * @param {unknown} message
   */
  send(message) {
    const socket = this.#socket;
    if (!socket || socket.readyState !== OPEN) return false;
    socket.send(JSON.stringify(message));
    return true;
  }

  /** Something changed for the better (online, tab visible): try now. */
  wake() {
    if (this.#status.phase === 'waiting') this.#open();
  }

  /**
   * The server said when to come back; used for the next retry only.
   * @param {number} ms
   */
  retryAfter(ms) {
    this.#retryAfterMs = ms;
  }

  /** Gives the socket up as dead and goes on as if it had closed. */
  drop() {
    if (this.#socket) this.#lost(1006);
  }

  /** Gives the socket up and opens another at once. */
  reopen() {
    this.#giveUp();
    this.#open();
  }

  /**
   * Ends for good, until `start` is called again.
   * @param {number | null} code
   * @param {string} reason
   */
  stop(code, reason) {
    this.#giveUp();
    this.#enter({ phase: 'stopped', attempt: 0, code, reason });
  }

  #open() {
    this.#giveUp();
    const id = ++this.#id;
    this.#enter({ ...this.#status, phase: 'connecting', attempt: this.#attempt });
    const socket = new this.#env.WebSocket(this.url, this.#protocol);
    this.#socket = socket;
    /** @param {() => void} act */
    const ifCurrent = (act) => {
      if (id === this.#id && socket === this.#socket) act();
    };
    socket.onopen = () => ifCurrent(() => this.#handlers.opened());
    socket.onmessage = (event) => ifCurrent(() => {
      if (typeof event.data === 'string') this.#handlers.message(event.data);
    });
    socket.onclose = (event) => ifCurrent(() => this.#lost(event.code));
    this.#timer = this.#env.clock.setTimeout(() => ifCurrent(() => this.#lost(1006)), HANDSHAKE_MAX_MS);
  }

  /** @param {number} code */
  #lost(code) {
    const verdict = this.#handlers.closed(code);
    if (verdict === 'stop') return this.stop(code, closeCode(code).text);
    const clock = this.#env.clock;
    if (this.#liveSince !== null && clock.now() - this.#liveSince >= SETTLED_MS) this.#attempt = 0;
    this.#giveUp();
    this.#attempt += 1;
    this.#timer = clock.setTimeout(() => this.#open(), this.#nextUrlAndWait());
    this.#enter({ phase: 'waiting', attempt: this.#attempt, code, reason: closeCode(code).text });
  }

  /** Another gateway is tried without the wait that this one asked for. */
  #nextUrlAndWait() {
    const asked = this.#retryAfterMs;
    this.#retryAfterMs = null;
    const elsewhere = this.#urls.length > 1 && (asked !== null || this.#attempt > 1);
    if (elsewhere) this.#urlAt = (this.#urlAt + 1) % this.#urls.length;
    return backoffMs(this.#attempt, this.#env.random) + (elsewhere ? 0 : asked ?? 0);
  }

  /** Forgets the socket: whatever it still says is stale. */
  #giveUp() {
    this.#clearTimer();
    this.#liveSince = null;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  #clearTimer() {
    if (this.#timer !== null) this.#env.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** @param {ConnectionStatus} status */
  #enter(status) {
    this.#status = status;
    this.#handlers.status(status);
  }
}
