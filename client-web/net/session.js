/**
 * Owns a player's session across sockets: hello and resume, command ids, the
 * commands that are still unanswered, the newest event seq, the round trip.
 *
 * - A command keeps its id until it is answered; after a resume it is sent
 *   again under that id, and the server answers a repeat with the first reply.
 * - A new session (hello) never repeats commands of the one before: their
 *   outcome is unknown and their callers are told so.
 * - Numbered frames at or below the newest seen are dropped.
 *
 * Free of the DOM; everything outside comes in by `env` and `stores`.
 */

import { SESSION_EXPIRED, UNAUTHORIZED, closeCode } from './close_codes.js';
import { Connection } from './connection.js';
import { Ledger } from './ledger.js';
import { SUBPROTOCOL, UNANSWERED_MAX } from './wire.js';

/** A ping goes out so often. */
export const PING_EVERY_MS = 2_000;
/** Without a word for so long after a ping the socket is taken for dead. */
export const SILENCE_MAX_MS = 8_000;
/** Wait before a refused handshake or command is repeated, unless told. */
const RETRY_MS = 500;

/**
 * @typedef {import('./wire.js').Welcome} Welcome
 * @typedef {import('./wire.js').WireEvent} WireEvent
 * @typedef {import('./wire.js').WireError} WireError
 * @typedef {import('./connection.js').ConnectionStatus} ConnectionStatus
 *
 * @typedef {object} Stores
 * @property {import('./ledger.js').Store} session lives as long as the tab
 * @property {{ get: (player: string) => string | null, set: (player: string, token: string) => void }} claims
 *
 * @typedef {ConnectionStatus & { rtt_ms: number | null, node: string, error: WireError | null }} SessionStatus
 *
 * @typedef {object} SessionHandlers
 * @property {(status: SessionStatus) => void} status
 * @property {(welcome: Welcome) => void} welcome hello or resume succeeded
 * @property {(event: WireEvent, replayed: boolean) => void} event
 * @property {(error: WireError) => void} refused an error that answers no open command
 *
 * @typedef {object} Unanswered
 * @property {string} verb
 * @property {object} args
 * @property {number} retries
 * @property {(ok: any) => void} resolve
 * @property {(error: CommandError) => void} reject
 */

/** Why a command had no effect, or why its effect is not known. */
export class CommandError extends Error {
  /** @param {WireError} error */
  constructor(error) {
    super(error.message || error.code);
    this.code = error.code;
    this.retry = error.retry ?? false;
    this.retry_after_ms = error.retry_after_ms ?? RETRY_MS;
  }
}

export class Session {
  /** @type {import('./connection.js').Env} */ #env;
  /** @type {SessionHandlers} */ #handlers;
  /** @type {Stores} */ #stores;
  /** @type {string} */ #url;
  /** @type {Connection} */ #connection;
  /** @type {Ledger} */ #ledger;
  /** @type {Map<number, Unanswered>} */ #unanswered = new Map();
  /** @type {'hello' | 'claim' | 'resume' | null} the handshake under way */ #handshake = null;
  #claimRefused = false;
  #replayLeft = 0;
  #node = '';
  /** @type {number | null} */ #rtt = null;
  /** @type {WireError | null} */ #error = null;
  /** Server time minus local time, from the quickest round trip of this socket. */
  #offset = 0;
  #offsetRtt = Infinity;
  /** @type {{ t: number, at: number } | null} */ #ping = null;
  #heardAt = 0;
  /** @type {any} */ #pingTimer = null;

  /**
   * @param {import('./connection.js').Env} env
   * @param {Stores} stores
   * @param {string} url of the page's own gateway
   * @param {SessionHandlers} handlers
   */
  constructor(env, stores, url, handlers) {
    this.#env = env;
    this.#stores = stores;
    this.#url = url;
    this.#handlers = handlers;
    this.#ledger = new Ledger(stores.session);
    this.#connection = new Connection(env, SUBPROTOCOL, {
      opened: () => this.#shakeHands(),
      message: (text) => this.#message(text),
      closed: (code) => this.#closed(code),
      status: () => this.#tell(),
    });
  }

  /** @returns {SessionStatus} */
  get status() {
    return { ...this.#connection.status, rtt_ms: this.#rtt, node: this.#node, error: this.#error };
  }

  get live() {
    return this.#connection.status.phase === 'live';
  }

  get identity() {
    return this.#ledger.identity;
  }

  /** Where the numbering of input steps goes on. */
  get inputSeq() {
    return this.#ledger.input;
  }

  /** Readable from outside for tests and the curious; changes nothing. */
  get numbers() {
    return {
      connection: this.#connection.id,
      seq: this.#ledger.seq,
      unanswered: [...this.#unanswered.keys()],
      url: this.#connection.url,
    };
  }

  /** The server's clock now, Unix milliseconds. */
  serverNow() {
    return this.#env.clock.now() + this.#offset;
  }

  /**
   * Begins a session of a player; any other of this page is given up.
   * @param {string} player
   * @param {string} name
   */
  login(player, name) {
    this.#abandon('a new session began');
    this.#ledger.begin(player, name);
    this.#start();
  }

  /** Goes on with the session of the page before a reload, if there is one. */
  restore() {
    if (!this.#ledger.identity || !this.#ledger.resume) return false;
    this.#start();
    return true;
  }

  /** Logs in again after the session was stopped. */
  again() {
    const identity = this.#ledger.identity;
    if (identity) this.login(identity.player, identity.name);
  }

  /** Ends the session on purpose. */
  async logout() {
    if (this.live) {
      const gone = this.command('logout').catch(() => undefined);
      const clock = this.#env.clock;
      await Promise.race([gone, new Promise((done) => clock.setTimeout(() => done(null), RETRY_MS * 2))]);
    }
    this.#ledger.clear();
    this.#abandon('logged out');
    this.#connection.stop(1000, closeCode(1000).text);
  }

  /** The network is back or the tab is visible: look at once. */
  wake() {
    this.#connection.wake();
    if (this.live) this.#beat();
  }

  /**
   * Sends a command; resolves with `ok`, rejects with CommandError. `retries`
   * counts the refusals with `retry: true` that are repeated under a new id.
   * @param {string} verb
   * @param {object} [args]
   * @param {number} [retries]
   * @returns {Promise<any>}
   */
  command(verb, args = {}, retries = 0) {
    return new Promise((resolve, reject) => {
      const phase = this.#connection.status.phase;
      if (phase === 'idle' || phase === 'stopped') {
        return reject(new CommandError({ code: 'offline', message: 'not connected' }));
      }
      if (this.#unanswered.size >= UNANSWERED_MAX) {
        return reject(new CommandError({ code: 'too_many_in_flight', message: 'too many open commands', retry: true }));
      }
      const id = this.#ledger.nextId();
      this.#unanswered.set(id, { verb, args, retries, resolve, reject });
      if (this.live) this.#connection.send({ id, do: verb, args });
    });
  }

  /**
   * Sends input steps; they need no id and get no answer but `in`.
   * @param {number} seq of the first step
   * @param {import('./wire.js').Step[]} steps
   */
  input(seq, steps) {
    this.#ledger.useInput(seq + steps.length - 1);
    if (this.live) this.#connection.send({ do: 'input', args: { seq, steps } });
  }

  #start() {
    this.#error = null;
    this.#claimRefused = false;
    this.#connection.start(this.#url);
  }

  #shakeHands() {
    this.#heardAt = this.#env.clock.now();
    this.#ping = null;
    this.#replayLeft = 0;
    const identity = this.#ledger.identity;
    if (!identity) return this.#connection.stop(null, 'nobody is logged in');
    if (this.#ledger.resume) {
      this.#handshake = 'resume';
      return this.#connection.send({ do: 'resume', args: { token: this.#ledger.resume, seq: this.#ledger.seq } });
    }
    const token = this.#claimRefused ? null : this.#stores.claims.get(identity.player);
    this.#handshake = token ? 'claim' : 'hello';
    return this.#connection.send({ do: 'hello', args: token ? { token } : identity });
  }

  /** @param {string} text */
  #message(text) {
    this.#heardAt = this.#env.clock.now();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (Array.isArray(message.evs)) return this.#numbered(message);
    const pong = message.pong === undefined ? message.ok : message;
    if (pong && typeof pong.pong === 'number') return this.#pong(pong);
    if (['welcome', 'resumed', 'resync'].includes(message.ev)) return this.#welcomed(message);
    if (typeof message.ev === 'string') return this.#transient(message);
    if (this.#handshake && message.err) return this.#handshakeRefused(message.err);
    this.#reply(message);
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    this.#handshake = null;
    this.#error = null;
    this.#node = welcome.node;
    if (welcome.ev === 'welcome') {
      this.#abandon('a new session began');
      this.#ledger.begin(welcome.player, welcome.state.display_name);
      if (welcome.token) this.#stores.claims.set(welcome.player, welcome.token);
    }
    // The record that welcomed may carry events of its own, such as notices that waited.
    if (welcome.ev !== 'resumed') this.#ledger.keepSeq(welcome.seq - 1);
    this.#ledger.keepResume(welcome.resume);
    this.#replayLeft = welcome.replayed ?? 0;
    this.#offset = welcome.now - this.#env.clock.now();
    this.#offsetRtt = Infinity;
    this.#connection.alternatives(welcome.gateways ?? []);
    this.#connection.settled();
    this.#resend();
    this.#handlers.welcome(welcome);
    this.#beat();
  }

  #resend() {
    for (const [id, { verb, args }] of this.#unanswered) this.#connection.send({ id, do: verb, args });
  }

  /** @param {WireError} error */
  #handshakeRefused(error) {
    const was = this.#handshake;
    if (error.retry) return this.#shakeHandsLater(error.retry_after_ms ?? RETRY_MS);
    if (was === 'resume') {
      this.#newSession();
      return this.#connection.reopen();
    }
    if (was === 'claim' && error.code === 'unauthorized') {
      this.#claimRefused = true;
      return this.#connection.reopen();
    }
    this.#error = error;
    this.#abandon(error.message);
    this.#connection.stop(null, error.message || error.code);
  }

  /** @param {number} ms */
  #shakeHandsLater(ms) {
    const id = this.#connection.id;
    this.#env.clock.setTimeout(() => {
      const status = this.#connection.status;
      if (id === this.#connection.id && status.phase === 'connecting') this.#shakeHands();
    }, ms);
  }

  /** @param {{ seq: number, evs: WireEvent[] }} frame */
  #numbered(frame) {
    const replayed = this.#replayLeft > 0;
    if (replayed) this.#replayLeft -= 1;
    if (frame.seq <= this.#ledger.seq) return;
    this.#ledger.keepSeq(frame.seq);
    for (const event of frame.evs) this.#handlers.event(event, replayed);
  }

  /** @param {WireEvent} event */
  #transient(event) {
    if (event.ev === 'drain') this.#connection.retryAfter(event.retry_after_ms ?? 0);
    this.#handlers.event(event, false);
  }

  /** @param {{ id: number | null, ok?: any, err?: WireError, dup?: boolean }} reply */
  #reply(reply) {
    const open = reply.id === null || reply.id === undefined ? undefined : this.#unanswered.get(reply.id);
    if (!open || reply.id === null) {
      if (reply.err) this.#handlers.refused(reply.err);
      return;
    }
    if (reply.err?.code === 'pending') return this.#handlers.refused(reply.err);
    this.#unanswered.delete(reply.id);
    if (!reply.err) return open.resolve(reply.ok ?? {});
    const error = new CommandError(reply.err);
    if (!error.retry || open.retries <= 0) return open.reject(error);
    this.#env.clock.setTimeout(() => {
      this.command(open.verb, open.args, open.retries - 1).then(open.resolve, open.reject);
    }, error.retry_after_ms);
  }

  /**
   * Judges a close: a token that was refused is not the end, a hello follows.
   * @param {number} code
   */
  #closed(code) {
    const was = this.#handshake;
    this.#handshake = null;
    this.#stopBeat();
    if (code === UNAUTHORIZED && was === 'claim') {
      this.#claimRefused = true;
      return 'reconnect';
    }
    if (code === SESSION_EXPIRED || (code === UNAUTHORIZED && was === 'resume')) {
      this.#newSession();
      return 'reconnect';
    }
    const { verdict, text } = closeCode(code);
    if (verdict === 'stop') this.#abandon(text);
    return verdict;
  }

  #newSession() {
    this.#abandon('the session ended');
    this.#ledger.forgetSession();
  }

  /**
   * Tells the callers of open commands that no answer will come.
   * @param {string} why
   */
  #abandon(why) {
    const open = [...this.#unanswered.values()];
    this.#unanswered.clear();
    for (const { reject } of open) reject(new CommandError({ code: 'outcome_unknown', message: why }));
  }

  /** One ping now, the next in a while; silence since the last is a dead socket. */
  #beat() {
    this.#stopBeat();
    if (!this.live) return;
    const now = this.#env.clock.now();
    if (this.#ping && this.#heardAt < this.#ping.at && now - this.#ping.at >= SILENCE_MAX_MS) {
      return this.#connection.drop();
    }
    if (!this.#ping || this.#heardAt >= this.#ping.at) this.#ping = { t: Math.round(now), at: now };
    this.#connection.send({ do: 'ping', args: { t: Math.round(now) } });
    this.#pingTimer = this.#env.clock.setTimeout(() => this.#beat(), PING_EVERY_MS);
  }

  #stopBeat() {
    if (this.#pingTimer !== null) this.#env.clock.clearTimeout(this.#pingTimer);
    this.#pingTimer = null;
  }

  /** @param {{ pong: number, now: number }} pong */
  #pong(pong) {
    const now = this.#env.clock.now();
    const rtt = Math.max(0, now - pong.pong);
    this.#rtt = Math.round(rtt);
    if (rtt <= this.#offsetRtt && typeof pong.now === 'number') {
      this.#offsetRtt = rtt;
      this.#offset = pong.now + rtt / 2 - now;
    }
    this.#tell();
  }

  #tell() {
    this.#handlers.status(this.status);
  }
}
