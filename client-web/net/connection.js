/**
 * Owns the socket and nothing of what is said on it: opening, which gateway is
 * tried when, full-jitter backoff, the verdict on a close, immediate retries,
 * giving up.
 *
 * Every socket has a connection id; an event of a socket whose id is no longer
 * the newest is dropped, so a stale socket can't act. Free of the DOM: clock,
 * random and the WebSocket constructor are injected.
 *
 * A lost socket is followed by a round through the gateways: the same one first
 * (a short cut of the network must move nobody), or last where it said that it
 * ends; the first at once but for a small jitter, each further one without a
 * wait. After the round every attempt waits with full jitter.
 */

import { closeCode } from './close_codes.js';
import { CodecError } from './codec.js';
import { Gateways } from './gateways.js';

/** Longest wait of the first retry; each further one doubles it. */
export const BACKOFF_BASE_MS = 250;
/** Longest wait of any retry. */
export const BACKOFF_CAP_MS = 10_000;
/** The first retry after a live socket was lost waits so long at most. */
export const AT_ONCE_MS = 100;
/** A connection that lived so long starts the backoff afresh. */
export const SETTLED_MS = 5_000;
/** Opening may take so long at first; each round doubles it. */
export const OPEN_MAX_MS = 2_500;
/** Hello or resume on an open socket may take so long, and so may opening in the end. */
export const HANDSHAKE_MAX_MS = 15_000;
/** An attempt that is older hangs on a network that was there before a wake. */
const FRESH_MS = 500;
/** The close of a gateway that ends. */
const RESTART = 1012;
/** A close that was not said by anybody. */
const ABNORMAL = 1006;

/**
 * @typedef {object} Clock
 * @property {() => number} now monotonic milliseconds
 * @property {(run: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} [unix] the machine's wall clock: a first guess at the server's
 *
 * @typedef {object} SocketLike what is used of a WebSocket
 * @property {(data: string | Uint8Array<ArrayBuffer>) => void} send
 * @property {(code?: number, reason?: string) => void} close
 * @property {number} readyState
 * @property {any} binaryType
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 * @property {((event: any) => void) | null} onerror
 *
 * @typedef {object} Env
 * @property {new (url: string, protocol: string) => SocketLike} WebSocket
 * @property {Clock} clock
 * @property {() => number} random in [0, 1)
 *
 * @typedef {'idle' | 'connecting' | 'live' | 'waiting' | 'stopped'} Phase
 *
 * @typedef {object} ConnectionStatus
 * @property {Phase} phase
 * @property {number} attempt since the loss; 0 where nothing was lost
 * @property {number | null} code of the newest close
 * @property {string} reason of it, for people
 * @property {number | null} retry_at when the next attempt begins, by the clock
 *
 * @typedef {{ what: 'trying', url: string, attempt: number }
 *   | { what: 'opened', url: string }
 *   | { what: 'lost' | 'unreachable', url: string, code: number, reason: string }
 *   | { what: 'waiting', attempt: number, ms: number }} ConnectionTrace
 *
 * @typedef {object} ConnectionHandlers
 * @property {() => void} opened the handshake may begin
 * @property {(message: any) => void} message
 * @property {(code: number) => import('./close_codes.js').Verdict} closed judges a close
 * @property {(status: ConnectionStatus) => void} status
 * @property {(entry: ConnectionTrace) => void} [trace]
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
  /** @type {import('./codec.js').Codec} */ #codec;
  #gateways = new Gateways();
  /** @type {SocketLike | null} */ #socket = null;
  #id = 0;
  #attempt = 0;
  /** @type {number | null} */ #liveSince = null;
  #openedAt = 0;
  /** The server said when to come back; for the next retry only. */
  #askedMs = 0;
  /** @type {any} */ #timer = null;
  /** @type {ConnectionStatus} */
  #status = { phase: 'idle', attempt: 0, code: null, reason: '', retry_at: null };
  #traffic = { frames_in: 0, bytes_in: 0, frames_out: 0, bytes_out: 0 };

  /**
   * @param {Env} env
   * @param {import('./codec.js').Codec} codec
   * @param {ConnectionHandlers} handlers
   */
  constructor(env, codec, handlers) {
    this.#env = env;
    this.#codec = codec;
    this.#handlers = handlers;
  }

  get status() {
    return this.#status;
  }

  /** The id of the newest socket; it rises with each attempt. */
  get id() {
    return this.#id;
  }

  /** Of the socket there is, else of the next that is tried. */
  get url() {
    return this.#gateways.url;
  }

  /** Frames and bytes so far, without what the WebSocket adds. */
  get traffic() {
    return { ...this.#traffic };
  }

  /** There is another gateway than this one. */
  get hasOthers() {
    return this.#gateways.hasOthers;
  }

  /**
   * Opens a first socket; anything open before is given up.
   * @param {string} url
   */
  start(url) {
    this.#gateways.start(url);
    this.#attempt = 0;
    this.#askedMs = 0;
    this.#open();
  }

  /**
   * Other gateways to try when the current one does not answer.
   * @param {string[]} urls
   */
  alternatives(urls) {
    this.#gateways.learn(urls);
  }

  /** The handshake succeeded: live until the socket closes. */
  settled() {
    if (this.#status.phase !== 'connecting') return;
    this.#clearTimer();
    this.#liveSince = this.#env.clock.now();
    this.#enter({ phase: 'live', attempt: this.#attempt, code: null, reason: '', retry_at: null });
  }

  /**
   * True when the message was handed to an open socket.
   * @param {any} message
   */
  send(message) {
    const socket = this.#socket;
    if (!socket || socket.readyState !== OPEN) return false;
    const data = this.#codec.encode(message);
    this.#traffic.frames_out += 1;
    this.#traffic.bytes_out += data.length;
    socket.send(data);
    return true;
  }

  /** Something changed for the better (online, tab visible): try now. */
  wake() {
    const { phase } = this.#status;
    const socket = this.#socket;
    const hangs = phase === 'connecting' && socket !== null && socket.readyState !== OPEN
      && this.#env.clock.now() - this.#openedAt >= FRESH_MS;
    if (phase === 'waiting' || hangs) this.#open();
  }

  /**
   * The gateway ends. Another is tried at once; where there is none, this one
   * when it closes and the time it asked for has passed.
   * @param {number} retryAfterMs
   */
  drained(retryAfterMs) {
    this.#gateways.leave();
    if (!this.hasOthers) {
      this.#askedMs = retryAfterMs;
      return;
    }
    // Nothing failed, so nothing is waited out.
    this.#attempt = 0;
    this.#lost(RESTART, closeCode(RESTART).text);
  }

  /**
   * Gives the socket up as dead and goes on as if it had closed.
   * @param {string} reason
   */
  drop(reason) {
    if (this.#socket) this.#lost(ABNORMAL, reason);
  }

  /** Gives the socket up and opens another at once. */
  reopen() {
    this.#open();
  }

  /**
   * Ends for good, until `start` is called again.
   * @param {number | null} code
   * @param {string} reason
   */
  stop(code, reason) {
    this.#giveUp();
    this.#enter({ phase: 'stopped', attempt: 0, code, reason, retry_at: null });
  }

  #open() {
    this.#giveUp();
    const id = ++this.#id;
    this.#openedAt = this.#env.clock.now();
    this.#trace({ what: 'trying', url: this.url, attempt: this.#attempt });
    this.#enter({ ...this.#status, phase: 'connecting', attempt: this.#attempt, retry_at: null });
    const socket = this.#newSocket();
    this.#socket = socket;
    /** @param {() => void} act */
    const ifCurrent = (act) => {
      if (id === this.#id && socket === this.#socket) act();
    };
    const late = () => ifCurrent(() => this.#lost(ABNORMAL, 'no answer'));
    this.#timer = this.#env.clock.setTimeout(late, socket ? this.#openMaxMs() : 0);
    if (!socket) return;
    socket.onopen = () => ifCurrent(() => this.#opened(late));
    socket.onmessage = (event) => ifCurrent(() => this.#message(event.data));
    socket.onclose = (event) => ifCurrent(() => this.#lost(event.code, closeCode(event.code).text));
  }

  /** None where the URL is one that this page may not open. */
  #newSocket() {
    try {
      const socket = new this.#env.WebSocket(this.url, this.#codec.subprotocol);
      socket.binaryType = 'arraybuffer';
      // A close follows; but where nobody hears an error, Node's sockets throw it.
      socket.onerror = () => undefined;
      return socket;
    } catch {
      return null;
    }
  }

  #openMaxMs() {
    return Math.min(HANDSHAKE_MAX_MS, OPEN_MAX_MS * 2 ** Math.min(this.#gateways.rounds, 8));
  }

  /** @param {() => void} late */
  #opened(late) {
    this.#clearTimer();
    this.#timer = this.#env.clock.setTimeout(late, HANDSHAKE_MAX_MS);
    this.#trace({ what: 'opened', url: this.url });
    this.#handlers.opened();
  }

  /**
   * What can't be read is passed over: it may be of a later version.
   * @param {unknown} data
   */
  #message(data) {
    this.#traffic.frames_in += 1;
    this.#traffic.bytes_in += lengthOf(data);
    let message;
    try {
      message = this.#codec.decode(data);
    } catch (error) {
      if (error instanceof CodecError) return;
      throw error;
    }
    this.#handlers.message(message);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #lost(code, reason) {
    const wasLive = this.#liveSince !== null;
    this.#trace({ what: wasLive ? 'lost' : 'unreachable', url: this.url, code, reason });
    const verdict = this.#handlers.closed(code);
    if (verdict === 'stop') return this.stop(code, reason);
    const clock = this.#env.clock;
    if (this.#liveSince !== null && clock.now() - this.#liveSince >= SETTLED_MS) this.#attempt = 0;
    this.#giveUp();
    this.#attempt += 1;
    if (closeCode(code).leave) this.#gateways.leave();
    if (wasLive) this.#gateways.lost();
    else this.#gateways.next();
    const ms = this.#waitMs();
    if (ms > 0) this.#trace({ what: 'waiting', attempt: this.#attempt, ms });
    this.#timer = clock.setTimeout(() => this.#open(), ms);
    this.#enter({ phase: 'waiting', attempt: this.#attempt, code, reason, retry_at: clock.now() + ms });
  }

  #waitMs() {
    const { random } = this.#env;
    const { turn, count } = this.#gateways;
    const asked = this.#askedMs;
    this.#askedMs = 0;
    if (turn >= count) return asked + backoffMs(turn - count + 1, random);
    if (turn > 0) return 0;
    if (this.#attempt > 1) return asked + backoffMs(this.#attempt - 1, random);
    return asked + Math.floor(random() * AT_ONCE_MS);
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

  /** @param {ConnectionTrace} entry */
  #trace(entry) {
    this.#handlers.trace?.(entry);
  }
}

/** @param {any} data */
function lengthOf(data) {
  return data?.byteLength ?? data?.length ?? 0;
}
