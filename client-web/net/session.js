/**
 * Owns a player's session across sockets: hello and resume, command ids, the
 * commands that are still unanswered, the newest event seq, and the story of
 * the connection as it happens (`trace`).
 *
 * - A command keeps its id until it is answered; after a resume it is sent
 *   again under that id, and the server answers a repeat with the first reply.
 * - A new session (hello) never repeats commands of the one before: their
 *   outcome is unknown and their callers are told so.
 * - Numbered frames at or below the newest seen are dropped.
 *
 * Free of the DOM; everything outside comes in by `env` and `stores`. What a
 * state and an event hold is the game's matter.
 */

import { SESSION_EXPIRED, UNAUTHORIZED, closeCode } from './close_codes.js';
import { msgpack } from './codec.js';
import { CommandError, Commands, RETRY_MS } from './commands.js';
import { Connection } from './connection.js';
import { Ledger } from './ledger.js';
import { Pulse } from './pulse.js';
import { UNANSWERED_MAX } from './protocol.js';

export { CommandError };

/**
 * @typedef {import('./protocol.js').WireEvent} WireEvent
 * @typedef {import('./protocol.js').WireError} WireError
 * @typedef {import('./protocol.js').Reply} Reply
 * @typedef {import('./protocol.js').Activation} Activation
 * @typedef {import('./connection.js').ConnectionStatus} ConnectionStatus
 *
 * @typedef {object} Stores
 * @property {import('./ledger.js').Store} session lives as long as the tab
 * @property {{ get: (player: string) => string | null, set: (player: string, token: string) => void }} claims
 *
 * @typedef {object} PulseStatus
 * @property {number | null} rtt_ms round trip; null until it is known
 * @property {boolean} slow the round trip or silence says so
 * @property {number | null} quiet_since since when (clock.now()) nothing was heard that was asked for
 * @property {string} node that welcomed last
 * @property {string} url of the socket, or the next that is tried
 * @property {WireError | null} error why a login was refused
 *
 * @typedef {ConnectionStatus & PulseStatus} SessionStatus
 *
 * @typedef {{ what: 'lost', url: string, code: number, reason: string, node: string }
 *   | { what: 'welcome' | 'resumed' | 'resync', node: string, epoch: number, seq: number, replayed: number,
 *       activation?: Activation, url: string }
 *   | { what: 'repeated', ids: number[] }
 *   | { what: 'answered', id: number, verb: string, dup: boolean, code?: string }
 *   | { what: 'input', seq: number, after_ms: number, took_ms: number }
 *   | { what: 'drain', retry_after_ms: number }} SessionTrace
 *
 * @typedef {import('./connection.js').ConnectionTrace | SessionTrace} Happening
 * @typedef {{ at: number, unix_ms: number } & Happening} Trace what happened to the connection, and when
 */

/**
 * @template State
 * @template {WireEvent} [Event=WireEvent]
 * @typedef {object} SessionHandlers
 * @property {(status: SessionStatus) => void} status
 * @property {(welcome: import('./protocol.js').Greeting<State>) => void} welcome hello or resume succeeded
 * @property {(event: Event, replayed: boolean, seq: number | null) => void} event `seq` is the journal position
 * of a numbered one
 * @property {(error: WireError) => void} refused an error that answers no open command
 * @property {(entry: Trace) => void} [trace] everything that happens to the connection
 */

/**
 * @template [State=any] what a greeting's state holds
 * @template {WireEvent} [Event=WireEvent] what the game's events are
 */
export class Session {
  /** @type {import('./connection.js').Env} */ #env;
  /** @type {SessionHandlers<State, Event>} */ #handlers;
  /** @type {Stores} */ #stores;
  /** @type {string} */ #url;
  /** @type {import('./codec.js').Codec} */ #codec;
  /** @type {Connection} */ #connection;
  /** @type {Ledger} */ #ledger;
  /** @type {Pulse} */ #pulse;
  #commands = new Commands();
  /** @type {'hello' | 'claim' | 'resume' | null} the handshake under way */ #handshake = null;
  #claimRefused = false;
  #replayLeft = 0;
  #node = '';
  /** @type {WireError | null} */ #error = null;
  /** @type {number | null} when the live socket was lost, until input is acknowledged */ #lostAt = null;
  /** @type {{ seq: number, at: number } | null} the first input sent since */ #firstInput = null;

  /**
   * @param {import('./connection.js').Env} env
   * @param {Stores} stores
   * @param {string} url of the page's own gateway
   * @param {SessionHandlers<State, Event>} handlers
   * @param {import('./codec.js').Codec} [codec]
   */
  constructor(env, stores, url, handlers, codec = msgpack) {
    this.#env = env;
    this.#stores = stores;
    this.#url = url;
    this.#codec = codec;
    this.#handlers = handlers;
    this.#ledger = new Ledger(stores.session);
    this.#connection = new Connection(env, codec, {
      opened: () => this.#shakeHands(),
      message: (message) => this.#message(message),
      closed: (code) => this.#closed(code),
      status: () => this.#tell(),
      trace: (entry) => this.#happened(entry),
    });
    this.#pulse = new Pulse(env.clock, {
      ping: (t) => this.#connection.send({ do: 'ping', args: { t } }),
      dead: () => this.#connection.drop('the line went quiet'),
      changed: () => this.#tell(),
    });
  }

  /** @returns {SessionStatus} */
  get status() {
    const { rtt_ms, slow, quietSince } = this.#pulse;
    const status = this.#connection.status;
    const live = status.phase === 'live';
    const quiet_since = live ? quietSince : null;
    const known = { rtt_ms, slow: slow && live, quiet_since, url: this.#connection.url };
    return { ...status, ...known, node: this.#node, error: this.#error };
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

  /** Frames and bytes so far, each way. */
  get traffic() {
    return this.#connection.traffic;
  }

  /** Readable from outside for tests and the curious; changes nothing. */
  get numbers() {
    const { id, url } = this.#connection;
    return { connection: id, seq: this.#ledger.seq, unanswered: this.#commands.ids, url };
  }

  /** The server's clock now, Unix milliseconds. */
  serverNow() {
    return this.#pulse.serverNow();
  }

  /** Where HTTP is asked: the gateway of the live socket, else the next that is tried. */
  http() {
    return new URL((this.#connection.url || this.#url).replace(/^ws/u, 'http')).origin;
  }

  /** The header that HTTP needs where a name is claimed. @returns {Record<string, string>} */
  authorization() {
    const identity = this.#ledger.identity;
    const token = identity && this.#stores.claims.get(identity.player);
    return token ? { Authorization: `Bearer ${token}` } : {};
  }

  /**
   * Begins a session of a player; any other of this page is given up.
   * @param {string} player
   * @param {string} name
   */
  login(player, name) {
    this.#commands.abandon('a new session began');
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
    this.#commands.abandon('logged out');
    this.#pulse.stop();
    this.#connection.stop(1000, closeCode(1000).text);
  }

  /** The network is back or the tab is visible: look at once. */
  wake() {
    this.#connection.wake();
    if (this.live) this.#pulse.wake();
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
      if (this.#commands.size >= UNANSWERED_MAX) {
        const message = 'too many open commands';
        return reject(new CommandError({ code: 'too_many_in_flight', message, retry: true }));
      }
      try {
        this.#codec.encode({ args });
      } catch (error) {
        const { message } = /** @type {Error} */ (error);
        return reject(new CommandError({ code: 'bad_args', message }));
      }
      const id = this.#ledger.nextId();
      const sent = this.live && this.#connection.send({ id, do: verb, args });
      this.#commands.add(id, { verb, args, retries, sent, repeated: false, resolve, reject });
    });
  }

  /**
   * Sends input steps; they need no id and get no answer but `in`.
   * @param {number} seq of the first step
   * @param {import('./protocol.js').Step[]} steps
   */
  input(seq, steps) {
    this.#ledger.useInput(seq + steps.length - 1);
    if (!this.live) return;
    if (this.#lostAt !== null && !this.#firstInput) this.#firstInput = { seq, at: this.#env.clock.now() };
    this.#connection.send({ do: 'input', args: { seq, steps } });
  }

  /**
   * The game saw an `in`: input up to here is stored.
   * @param {number} seq
   */
  acknowledged(seq) {
    const first = this.#firstInput;
    if (this.#lostAt === null || !first || seq < first.seq) return;
    const now = this.#env.clock.now();
    this.#happened({ what: 'input', seq, after_ms: now - this.#lostAt, took_ms: now - first.at });
    this.#lostAt = null;
    this.#firstInput = null;
  }

  #start() {
    this.#error = null;
    this.#claimRefused = false;
    this.#lostAt = null;
    this.#firstInput = null;
    this.#pulse.stop();
    this.#connection.start(this.#url);
  }

  #shakeHands() {
    this.#replayLeft = 0;
    const identity = this.#ledger.identity;
    if (!identity) return this.#connection.stop(null, 'nobody is logged in');
    if (this.#ledger.resume) {
      this.#handshake = 'resume';
      const args = { token: this.#ledger.resume, seq: this.#ledger.seq };
      return this.#connection.send({ do: 'resume', args });
    }
    const token = this.#claimRefused ? null : this.#stores.claims.get(identity.player);
    this.#handshake = token ? 'claim' : 'hello';
    return this.#connection.send({ do: 'hello', args: token ? { token } : identity });
  }

  /** @param {any} message */
  #message(message) {
    this.#pulse.heard();
    if (Array.isArray(message.evs)) return this.#numbered(message);
    if (typeof message.pong === 'number') return this.#pulse.pong(message);
    if (['welcome', 'resumed', 'resync'].includes(message.ev)) return this.#welcomed(message);
    if (typeof message.ev === 'string') return this.#transient(message);
    if (this.#handshake && message.err) return this.#handshakeRefused(message.err);
    this.#reply(message);
  }

  /** @param {import('./protocol.js').Greeting<State>} welcome */
  #welcomed(welcome) {
    this.#handshake = null;
    this.#error = null;
    this.#node = welcome.node;
    if (welcome.ev === 'welcome') this.#newlyWelcomed(welcome);
    // The record that welcomed may carry events of its own, such as notices that waited.
    if (welcome.ev !== 'resumed') this.#ledger.keepSeq(welcome.seq - 1);
    this.#ledger.keepResume(welcome.resume);
    this.#replayLeft = welcome.replayed ?? 0;
    this.#pulse.start(welcome.now);
    this.#connection.alternatives(welcome.gateways ?? []);
    const { ev, node, epoch, seq, replayed = 0, activation } = welcome;
    const url = this.#connection.url;
    this.#happened({ what: ev, node, epoch, seq, replayed, ...(activation && { activation }), url });
    this.#connection.settled();
    this.#repeat();
    this.#handlers.welcome(welcome);
  }

  /**
   * What is open now was ordered since the session began, and goes out in it.
   * @param {import('./protocol.js').Greeting<State>} welcome
   */
  #newlyWelcomed(welcome) {
    this.#ledger.keepPlayer(welcome.player);
    if (welcome.token) this.#stores.claims.set(welcome.player, welcome.token);
  }

  #repeat() {
    const { messages, repeated } = this.#commands.repeat();
    for (const message of messages) this.#connection.send(message);
    if (repeated.length > 0) this.#happened({ what: 'repeated', ids: repeated });
  }

  /** @param {WireError} error */
  #handshakeRefused(error) {
    const was = this.#handshake;
    if (error.retry && this.#connection.hasOthers) return this.#connection.drop(error.message || error.code);
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
    this.#commands.abandon(error.message);
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

  /** @param {import('./protocol.js').Numbered} frame */
  #numbered(frame) {
    const replayed = this.#replayLeft > 0;
    if (replayed) this.#replayLeft -= 1;
    if (frame.seq <= this.#ledger.seq) return;
    this.#ledger.keepSeq(frame.seq);
    for (const event of frame.evs) this.#handlers.event(/** @type {Event} */ (event), replayed, frame.seq);
  }

  /** @param {WireEvent} event */
  #transient(event) {
    this.#handlers.event(/** @type {Event} */ (event), false, null);
    if (event.ev !== 'drain') return;
    const retry_after_ms = event.retry_after_ms ?? 0;
    this.#happened({ what: 'drain', retry_after_ms });
    this.#connection.drained(retry_after_ms);
  }

  /** @param {Reply} reply */
  #reply({ id, ok, err, dup = false }) {
    if (id === null || id === undefined || !this.#commands.has(id)) {
      if (err) this.#handlers.refused(err);
      return;
    }
    if (err?.code === 'pending') return this.#handlers.refused(err);
    const open = this.#commands.close(id);
    if (!open) return;
    if (open.repeated) {
      this.#happened({ what: 'answered', id, verb: open.verb, dup, ...(err && { code: err.code }) });
    }
    if (!err) return open.resolve(ok ?? {});
    const error = new CommandError(err);
    if (!error.retry || open.retries <= 0) return open.reject(error);
    const { abandoned } = this.#commands;
    this.#env.clock.setTimeout(() => {
      if (abandoned !== this.#commands.abandoned) return open.reject(error);
      return this.command(open.verb, open.args, open.retries - 1).then(open.resolve, open.reject);
    }, error.retry_after_ms);
  }

  /**
   * Judges a close: a token that was refused is not the end, a hello follows.
   * @param {number} code
   */
  #closed(code) {
    const was = this.#handshake;
    this.#handshake = null;
    this.#pulse.stop();
    if (code === UNAUTHORIZED && was === 'claim') {
      this.#claimRefused = true;
      return 'reconnect';
    }
    if (code === SESSION_EXPIRED || (code === UNAUTHORIZED && was === 'resume')) {
      this.#newSession();
      return 'reconnect';
    }
    const { verdict, text } = closeCode(code);
    if (verdict === 'stop') this.#commands.abandon(text);
    return verdict;
  }

  #newSession() {
    this.#commands.abandon('the session ended');
    this.#ledger.forgetSession();
  }

  /** @param {Happening} entry */
  #happened(entry) {
    const at = this.#env.clock.now();
    if (entry.what === 'lost') {
      this.#lostAt ??= at;
      this.#firstInput = null;
    }
    const told = entry.what === 'lost' ? { ...entry, node: this.#node } : entry;
    this.#handlers.trace?.({ at, unix_ms: Math.round(this.serverNow()), ...told });
  }

  #tell() {
    this.#handlers.status(this.status);
  }
}
