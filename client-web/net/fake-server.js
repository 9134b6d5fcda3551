/**
 * A game server in memory, for tests of net/ and sim/. Manual:
 *
 *   const clock = new FakeClock();
 *   const server = new FakeServer(clock);
 *   new Session(server.env(), …);          // sockets of this page end here
 *   await clock.advance(100);              // time passes; messages arrive
 *
 * - Time stands still unless `advance` moves it. Each direction takes
 *   `server.delayMs` (10), in order.
 * - `server.down = true` refuses new sockets (1006); `server.silent = true`
 *   swallows everything, as a dead line does.
 * - `server.cut(code)` closes the newest socket; `server.sockets` are all.
 * - `server.push(message)` sends to the newest socket, `server.pushNumbered(ev)`
 *   makes a numbered frame that a resume replays.
 * - `server.heard` are all messages, in order, of all sockets. They speak the
 *   encoding of the subprotocol they asked for.
 * - `server.gone` holds URLs where nobody listens, `server.forbidden` those that
 *   no page may open (the constructor throws), `server.others` the gateways
 *   that a greeting names beside the socket's own, `server.activation` what it
 *   says of a take-over.
 * - `server.hold` is a set of verbs that are executed but not answered: the
 *   reply is kept and given to a repeat. `server.refuse[verb]` is a list of
 *   errors given to the next ones of a verb.
 * - `server.effects` counts how often each command id took effect.
 * - `server.dealings` are trades and parties: see fake-dealings.js.
 *
 * It keeps the rules of the wire that a client can trip over (ids rise, a
 * repeat gets the first reply with dup, resume replays or resyncs, one live
 * session) and walks players with sim/step.js. It is no model of the game.
 */

import { json, msgpack } from './codec.js';
import { FakeDealings } from './fake-dealings.js';
import { unpack } from './msgpack.js';
import { move } from '../sim/step.js';

/** Virtual time: timers run when `advance` reaches them, in order. */
export class FakeClock {
  #now = 1_000;
  #last = 0;
  /** @type {{ id: number, at: number, run: () => void }[]} */ #timers = [];

  now = () => this.#now;

  /** @param {() => void} run @param {number} ms */
  setTimeout = (run, ms) => {
    this.#last += 1;
    this.#timers.push({ id: this.#last, at: this.#now + Math.max(0, ms), run });
    return this.#last;
  };

  /** @param {number} id */
  clearTimeout = (id) => {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  };

  /** The machine sleeps: time has passed and no timer ran. @param {number} ms */
  sleep(ms) {
    this.#now += ms;
  }

  /** Lets time pass; promises settle between timers. @param {number} ms */
  async advance(ms) {
    const until = this.#now + ms;
    for (;;) {
      await settle();
      const due = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
    this.#now = until;
    await settle();
  }
}

/** Promise callbacks that wait now have run afterwards. */
const settle = () => new Promise((done) => setImmediate(done));

/** One end of a connection, shaped like a browser's WebSocket. */
class FakeSocket {
  readyState = 0;
  /** @type {((event: any) => void) | null} */ onopen = null;
  /** @type {((event: any) => void) | null} */ onmessage = null;
  /** @type {((event: any) => void) | null} */ onclose = null;
  /** @type {((event: any) => void) | null} */ onerror = null;
  /** @type {number | null} */ closedBy = null;
  binaryType = 'blob';

  /** @param {FakeServer} server @param {string} url @param {string} protocol */
  constructor(server, url, protocol) {
    this.server = server;
    this.url = url;
    this.protocol = protocol;
    this.codec = protocol === msgpack.subprotocol ? msgpack : json;
    server.accept(this);
  }

  /** @param {string | Uint8Array<ArrayBuffer>} data */
  send(data) {
    if (this.readyState !== 1) throw new Error('the socket is not open');
    this.server.later(() => this.server.hear(this, data));
  }

  /** An error that nobody hears is thrown, as in Node. */
  fail() {
    if (!this.onerror) throw new Error('an error that nobody hears');
    this.onerror({});
  }

  close(code = 1005) {
    if (this.readyState === 0) this.fail();
    this.closedBy = code;
    this.readyState = 3;
  }
}

export class FakeServer {
  delayMs = 10;
  down = false;
  silent = false;
  /** @type {Set<string>} */ gone = new Set();
  /** @type {Set<string>} */ forbidden = new Set();
  /** @type {string[]} */ others = [];
  /** @type {object | undefined} */ activation;
  /** @type {FakeSocket[]} */ sockets = [];
  /** @type {any[]} */ heard = [];
  /** @type {Set<string>} */ hold = new Set();
  /** @type {Record<string, any[]>} */ refuse = {};
  /** @type {Map<number, number>} */ effects = new Map();
  /** Newest input seq, as `in` says it. */
  input = 0;
  /** @type {any} */ state = newState();
  /** Numbered frames a resume can replay. @type {any[]} */ frames = [];
  seq = 1;
  session = 0;
  #watermark = 0;
  /** @type {Map<number, any>} */ #replies = new Map();

  /** @param {FakeClock} clock */
  constructor(clock) {
    this.clock = clock;
    this.dealings = new FakeDealings(this);
  }

  /** What a Session or Connection of a page on this server needs. */
  env(random = () => 0.5) {
    const server = this;
    const WebSocket = class extends FakeSocket {
      /** @param {string} url @param {string} protocol */
      constructor(url, protocol) {
        if (server.forbidden.has(url)) throw new Error(`${url} may not be opened`);
        super(server, url, protocol);
      }
    };
    return { WebSocket, clock: this.clock, random };
  }

  /** @param {() => void} run */
  later(run) {
    this.clock.setTimeout(run, this.delayMs);
  }

  get newest() {
    return this.sockets.at(-1);
  }

  /** Messages of one verb. @param {string} verb */
  said(verb) {
    return this.heard.filter((message) => message.do === verb);
  }

  /** @param {FakeSocket} socket */
  accept(socket) {
    this.sockets.push(socket);
    if (this.silent) return;
    this.later(() => {
      if (this.down || this.gone.has(socket.url)) return this.cut(1006, socket);
      if (socket.readyState !== 0) return undefined;
      socket.readyState = 1;
      return socket.onopen?.({});
    });
  }

  /** @param {number} code @param {FakeSocket} [socket] */
  cut(code, socket = this.newest) {
    if (!socket || socket.readyState === 3) return;
    if (code === 1006) socket.fail();
    socket.readyState = 3;
    socket.onclose?.({ code });
  }

  /** @param {object} message @param {FakeSocket} [socket] */
  push(message, socket = this.newest) {
    if (this.silent) return;
    this.later(() => {
      if (socket?.readyState !== 1) return;
      const data = socket.codec.encode(message);
      socket.onmessage?.({ data: typeof data === 'string' ? data : data.buffer });
    });
  }

  /** @param {...object} evs */
  pushNumbered(...evs) {
    this.seq += 1;
    const frame = { seq: this.seq, evs };
    this.frames.push(frame);
    this.push(frame);
  }

  /** @param {FakeSocket} socket @param {string | Uint8Array<ArrayBuffer>} data */
  hear(socket, data) {
    if (this.silent || this.down || socket.readyState === 3) return;
    const message = heardAs(socket.codec, data);
    this.heard.push(message);
    const error = this.refuse[message.do]?.shift();
    if (error) return this.push({ id: message.id ?? null, err: error }, socket);
    if (message.do === 'hello') return this.#hello(socket, message.args);
    if (message.do === 'resume') return this.#resume(socket, message.args);
    const now = 1e12 + this.clock.now();
    if (message.do === 'ping') return this.push({ pong: message.args.t, now }, socket);
    if (message.do === 'input') return this.#walk(message.args);
    return this.#command(socket, message);
  }

  /** @param {FakeSocket} socket @param {any} args */
  #hello(socket, args) {
    this.session += 1;
    this.#watermark = 0;
    this.#replies.clear();
    this.input = 0;
    this.state.player_id = args.player ?? String(args.token).replace(/^claim-/u, '');
    this.state.display_name = args.name ?? this.state.player_id;
    this.push(this.#welcome('welcome', socket), socket);
  }

  /** @param {FakeSocket} socket @param {{ token: string, seq: number }} args */
  #resume(socket, args) {
    if (args.token !== `resume-${this.session}`) {
      this.push({ id: null, err: { code: 'unauthorized', message: 'unknown token', retry: false } }, socket);
      return this.later(() => this.cut(4500, socket));
    }
    const missed = this.frames.filter(({ seq }) => seq > args.seq);
    this.push({ ...this.#welcome('resumed', socket), replayed: missed.length }, socket);
    for (const frame of missed) this.push(frame, socket);
    return undefined;
  }

  /** @param {string} ev @param {FakeSocket} socket */
  #welcome(ev, socket) {
    return {
      ev, player: this.state.player_id, session: String(this.session), resume: `resume-${this.session}`,
      node: 'gw-fake', epoch: 1, seq: this.seq, state: structuredClone(this.state), limits: {},
      step_ms: 50,
      now: 1e12 + this.clock.now(), gateways: [socket.url, ...this.others], activation: this.activation,
    };
  }

  /** @param {{ seq: number, steps: import('./wire.js').Step[] }} args */
  #walk({ seq, steps }) {
    steps.forEach((step, place) => {
      if (seq + place <= this.input) return;
      this.input = seq + place;
      Object.assign(this.state, move(this.state, step));
    });
  }

  /** @param {FakeSocket} socket @param {any} message */
  #command(socket, message) {
    const { id } = message;
    const first = this.#replies.get(id);
    if (first) return this.push({ ...first, dup: true }, socket);
    if (id <= this.#watermark) {
      return this.push({ id, err: { code: 'outcome_unknown', message: 'too old', retry: false } }, socket);
    }
    this.#watermark = id;
    this.effects.set(id, (this.effects.get(id) ?? 0) + 1);
    const came = this.dealings.take(message) ?? { ok: this.#effect(message) };
    const reply = { id, ...came, seq: this.seq };
    this.#replies.set(id, reply);
    if (this.hold.has(message.do)) return undefined;
    return this.push(reply, socket);
  }

  /** @param {any} message */
  #effect(message) {
    if (message.do === 'join_room') {
      const { room_id } = message.args;
      this.state.current_room = { room_id, room_name: `Room ${room_id}`, player_count: 1, max_players: 20 };
      return { room: this.state.current_room };
    }
    if (message.do === 'get_state') return structuredClone(this.state);
    if (message.do === 'execute_move') return { damage: 25, xp: 10, health: this.state.health };
    return {};
  }
}

/**
 * A client's message; the array of an input says what its map says.
 * @param {import('./codec.js').Codec} codec
 * @param {string | Uint8Array<ArrayBuffer>} data
 */
function heardAs(codec, data) {
  if (typeof data === 'string') return codec.decode(data);
  const value = unpack(data);
  return Array.isArray(value) ? { do: 'input', args: { seq: value[0], steps: value[1] } } : value;
}

function newState() {
  return {
    player_id: '', display_name: '', status: 'online', current_room: null, inventory: [], gold: 100,
    health: 100, max_health: 100, xp: 0, level: 1, score: 0, x: 2048, y: 2048, buffs: [], cooldowns: [],
    session_actions_count: 0, total_actions_count: 0, pending_notifications: [],
  };
}
