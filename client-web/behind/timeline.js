/**
 * Owns the timeline: what happened to the connection and the actor from a loss,
 * or an order to cause one, until the player's input counts again. Built from
 * the session's trace, the journal's claims and the demo's answers; nothing in
 * it is guessed. Free of the DOM; times are Unix milliseconds of the server's
 * clock (an epoch is the time of its claim on that clock).
 *
 * Lines stand in the order of cause and effect. Where two clocks would put an
 * effect before its cause by a millisecond, it is shown at its cause's time.
 */

import { compare, goodsOf } from './proof.js';
import { msWords } from './words.js';

/** Incidents that are kept. */
export const INCIDENTS_MAX = 4;
/** Back for so long without input to acknowledge: it is over. */
export const QUIET_MS = 2_500;
/** An order that caused no loss within this caused none. */
export const HARMLESS_MS = 6_000;
/** A command that was sent again is waited for so long. */
const ANSWER_MS = 10_000;
const LINES_MAX = 40;

/**
 * @typedef {'bad' | 'good' | 'plain' | 'minor'} Tone
 * @typedef {{ what: string, at_ms: number, text: string, tone: Tone, count: number, epoch?: number }} Line
 * @typedef {'kill' | 'drain' | 'cut'} OrderKind
 * @typedef {{ kind: OrderKind, node: string, ms?: number }} Order
 *
 * @typedef {object} Incident
 * @property {number} id
 * @property {OrderKind | 'lost'} cause
 * @property {string} title
 * @property {number} began_ms
 * @property {Line[]} lines
 * @property {boolean} open
 * @property {string} total
 * @property {boolean} lost
 * @property {number | null} back_ms
 * @property {number | null} cut_until_ms
 * @property {import('./proof.js').Goods | null} before as known when the socket was lost
 * @property {import('./proof.js').Goods | null} after as the server said at the resume
 * @property {number} replayed
 * @property {boolean} resync
 * @property {Set<number>} waiting commands sent again, without an answer yet
 * @property {number[]} ran commands that turned out to have run
 *
 * @typedef {{ at?: number, unix_ms: number, what: string, [field: string]: any }} TraceEntry
 *
 * @typedef {object} Sources
 * @property {() => import('../net/wire.js').PlayerState | null} known the state as the page knows it
 * @property {(url: string) => string} nameOf a gateway's name by its socket's URL
 */

export class Timeline {
  /** @type {Sources} */ #sources;
  /** @type {Incident[]} newest first */ #incidents = [];
  #ids = 0;
  #epoch = 0;
  #attempt = 0;
  #version = 0;
  /** @type {Line | null} the order that is not answered yet */ #ordered = null;
  /** What each kind of trace does. @type {Readonly<Record<string, (entry: TraceEntry) => void>>} */
  #acts = Object.freeze({
    trying: ({ attempt }) => {
      this.#attempt = attempt;
    },
    lost: (entry) => this.#lost(entry),
    unreachable: (entry) => this.#unreachable(entry),
    waiting: (entry) => this.#waiting(entry),
    welcome: (entry) => this.#welcomed(entry),
    resumed: (entry) => this.#welcomed(entry),
    resync: (entry) => this.#welcomed(entry),
    repeated: (entry) => this.#repeated(entry),
    answered: (entry) => this.#answered(entry),
    input: (entry) => this.#input(entry),
    drain: (entry) => this.#drain(entry),
  });

  /** @param {Sources} sources */
  constructor(sources) {
    this.#sources = sources;
  }

  get incidents() {
    return this.#incidents;
  }

  /** Rises with every change. */
  get version() {
    return this.#version;
  }

  /** Something is under way. */
  get busy() {
    return this.#open !== null;
  }

  get #open() {
    const newest = this.#incidents[0];
    return newest?.open ? newest : null;
  }

  clear() {
    this.#incidents = [];
    this.#epoch = 0;
    this.#ordered = null;
    this.#version += 1;
  }

  /**
   * A button of the demo was pressed; `done` or `failed` follows.
   * @param {Order} order
   * @param {number} unix_ms
   */
  order(order, unix_ms) {
    const incident = this.#open ?? this.#begin(order.kind, titleOf(order), unix_ms);
    if (order.kind === 'cut') incident.cut_until_ms = unix_ms + (order.ms ?? 0);
    this.#ordered = this.#line(incident, {
      what: order.kind,
      at_ms: unix_ms,
      text: orderWords(order),
      tone: 'bad',
    });
  }

  /** The order was carried out then. @param {number} unix_ms */
  done(unix_ms) {
    const [line, incident] = [this.#ordered, this.#incidents[0]];
    this.#ordered = null;
    if (!line || !incident) return;
    const place = incident.lines.indexOf(line);
    const next = incident.lines[place + 1]?.at_ms ?? Infinity;
    if (incident.cut_until_ms !== null) incident.cut_until_ms += unix_ms - line.at_ms;
    line.at_ms = Math.min(unix_ms, next);
    if (place === 0) incident.began_ms = line.at_ms;
    this.#version += 1;
  }

  /** The order was refused. */
  failed() {
    const [line, incident] = [this.#ordered, this.#incidents[0]];
    this.#ordered = null;
    if (!line || !incident) return;
    incident.lines = incident.lines.filter((other) => other !== line);
    if (incident.lines.length === 0) this.#incidents.shift();
    this.#version += 1;
  }

  /** @param {TraceEntry} entry what the session says of itself */
  trace(entry) {
    this.#acts[entry.what]?.(entry);
  }

  /**
   * The server's word after a resume.
   * @param {import('../net/wire.js').PlayerState} state
   */
  back(state) {
    const incident = this.#open;
    if (!incident?.lost) return;
    incident.after = goodsOf(state);
    this.#version += 1;
  }

  /**
   * The journal says that a node took the actor.
   * @param {{ after: number, epoch: number }} claim
   */
  claim({ after, epoch }) {
    const incident = this.#incidents[0];
    const said = incident?.lines.find((line) => line.epoch === epoch);
    if (said) {
      if (said.count === 0) said.text += `, after record ${after}`;
      said.count = 1;
      this.#version += 1;
    } else if (this.#open?.lost) {
      if (epoch > this.#epoch) this.#took(this.#open, epoch, '', after);
    } else this.#epoch = Math.max(this.#epoch, epoch);
  }

  /**
   * Time passes: what is over is closed.
   * @param {number} unix_ms
   */
  tick(unix_ms) {
    const incident = this.#open;
    if (!incident) return;
    if (incident.back_ms !== null) {
      const patience = incident.waiting.size > 0 ? ANSWER_MS : QUIET_MS;
      if (unix_ms - incident.back_ms > patience)
        this.#close(incident, incident.back_ms, 'being back in the game');
    } else if (!incident.lost) this.#harmless(incident, unix_ms);
  }

  /**
   * What was before beside what is after; null until both are known.
   * @param {Incident} incident
   */
  proof({ before, after, replayed, resync, ran }) {
    return before && after ? compare(before, after, { replayed, resync, commands: ran }) : null;
  }

  /**
   * @param {Incident['cause']} cause
   * @param {string} title
   * @param {number} began_ms
   * @returns {Incident}
   */
  #begin(cause, title, began_ms) {
    this.#ids += 1;
    /** @type {Incident} */
    const incident = {
      id: this.#ids,
      cause,
      title,
      began_ms,
      lines: [],
      open: true,
      total: '',
      lost: false,
      back_ms: null,
      cut_until_ms: null,
      before: null,
      after: null,
      replayed: 0,
      resync: false,
      waiting: new Set(),
      ran: [],
    };
    this.#incidents.unshift(incident);
    this.#incidents.splice(INCIDENTS_MAX);
    return incident;
  }

  /**
   * @param {Incident} incident
   * @param {{ what: string, at_ms: number, text: string, tone: Tone, epoch?: number }} said
   * @returns {Line}
   */
  #line(incident, said) {
    const last = incident.lines.at(-1);
    const line = { ...said, count: 0, at_ms: Math.max(said.at_ms, last?.at_ms ?? -Infinity) };
    if (incident.lines.length < LINES_MAX) incident.lines.push(line);
    this.#version += 1;
    return line;
  }

  /** @param {TraceEntry} entry */
  #lost({ unix_ms, code, reason, node, url }) {
    const incident = this.#open ?? this.#begin('lost', 'Connection lost', unix_ms);
    if (!incident.lost) {
      const state = this.#sources.known();
      incident.before = state ? goodsOf(state) : null;
    }
    incident.lost = true;
    incident.back_ms = null;
    const who = node || this.#sources.nameOf(url ?? '');
    const why = [reason === 'connection lost' ? '' : reason, code ? `code ${code}` : '']
      .filter(Boolean)
      .join(', ');
    const text = `Socket to ${who} lost${why ? ` (${why})` : ''}`;
    this.#line(incident, { what: 'lost', at_ms: unix_ms, text, tone: 'bad' });
  }

  /** @param {TraceEntry} entry */
  #unreachable({ unix_ms, url }) {
    const incident = this.#open;
    if (!incident) return;
    const who = this.#sources.nameOf(url);
    const tries = incident.lines.findLast(({ what }) => what !== 'waiting');
    if (tries?.what === 'unreachable' && tries.text.startsWith(`${who} does`)) {
      tries.count += 1;
      tries.text = `${who} does not answer, ${tries.count + 1} times`;
      incident.lines.splice(incident.lines.indexOf(tries) + 1);
      this.#version += 1;
      return;
    }
    this.#line(incident, {
      what: 'unreachable',
      at_ms: unix_ms,
      text: `${who} does not answer`,
      tone: 'bad',
    });
  }

  /** @param {TraceEntry} entry */
  #waiting({ unix_ms, attempt, ms }) {
    const incident = this.#open;
    if (!incident) return;
    this.#line(incident, {
      what: 'waiting',
      at_ms: unix_ms,
      text: `Waits ${msWords(ms)}, then attempt ${attempt}`,
      tone: 'minor',
    });
  }

  /** @param {TraceEntry} entry */
  #welcomed({ what, unix_ms, node, epoch, replayed, activation }) {
    const [incident, epochBefore] = [this.#open, this.#epoch];
    this.#epoch = Math.max(this.#epoch, epoch ?? 0);
    if (!incident?.lost) return;
    if (epoch && epoch !== epochBefore) this.#took(incident, epoch, node, null, unix_ms);
    if (activation)
      this.#line(incident, {
        what: 'activation',
        at_ms: unix_ms,
        text: activationWords(activation),
        tone: 'good',
      });
    const attempt = this.#attempt > 0 ? ` (attempt ${this.#attempt})` : '';
    this.#line(incident, {
      what: 'back',
      at_ms: unix_ms,
      text: `${HOW[what] ?? 'Reconnected to'} ${node}${attempt}`,
      tone: 'good',
    });
    if (epoch && epoch === epochBefore && !incident.lines.some((line) => line.epoch === epoch)) {
      this.#line(incident, {
        what: 'kept',
        at_ms: unix_ms,
        text: `Epoch ${epoch} goes on: the actor never moved`,
        tone: 'plain',
      });
    }
    if (what === 'resync')
      this.#line(incident, { what, at_ms: unix_ms, text: 'Newest state taken whole', tone: 'plain' });
    if (replayed > 0)
      this.#line(incident, {
        what: 'replayed',
        at_ms: unix_ms,
        text: `${replayed} missed event${replayed === 1 ? '' : 's'} replayed`,
        tone: 'good',
      });
    incident.replayed += replayed ?? 0;
    incident.resync ||= what === 'resync';
    incident.back_ms = unix_ms;
  }

  /**
   * A node took the actor: the epoch is when.
   * @param {Incident} incident
   * @param {number} epoch
   * @param {string} node empty where only the journal has said so
   * @param {number | null} after the record it stands after; null where the journal has not said so yet
   * @param {number} [latest] it was no later than this
   */
  #took(incident, epoch, node, after, latest = Infinity) {
    const said = incident.lines.find((line) => line.epoch === epoch);
    const by = node ? ` by ${node}` : '';
    const where = after === null ? '' : `, after record ${after}`;
    if (said) {
      said.text = said.text.replace(/ taken\b/u, ` taken${by}`);
      return;
    }
    const line = this.#line(incident, {
      what: 'claim',
      at_ms: Math.min(epoch, latest),
      text: `Epoch ${epoch} taken${by}${where}`,
      tone: 'good',
      epoch,
    });
    line.count = after === null ? 0 : 1;
  }

  /** @param {TraceEntry} entry */
  #repeated({ unix_ms, ids }) {
    const incident = this.#open;
    if (!incident || ids.length === 0) return;
    for (const id of ids) incident.waiting.add(id);
    const which = `Command${ids.length === 1 ? '' : 's'} ${ids.join(', ')}`;
    this.#line(incident, {
      what: 'repeated',
      at_ms: unix_ms,
      text: `${which} sent again under the same number`,
      tone: 'plain',
    });
  }

  /** @param {TraceEntry} entry */
  #answered({ unix_ms, id, dup, code }) {
    const incident = this.#open;
    if (!incident) return;
    incident.waiting.delete(id);
    if (dup && !code) incident.ran.push(id);
    /** @type {Tone} */
    const tone = code ? 'plain' : 'good';
    const text = `Command ${id} ${answerWords(dup, code)}`;
    this.#line(incident, { what: 'answered', at_ms: unix_ms, text, tone });
  }

  /** @param {TraceEntry} entry */
  #input({ unix_ms, seq }) {
    const incident = this.#open;
    if (!incident || incident.back_ms === null) return;
    const line = this.#line(incident, {
      what: 'input',
      at_ms: unix_ms,
      text: `Input ${seq} acknowledged`,
      tone: 'good',
    });
    this.#close(incident, line.at_ms, 'your input counting again');
  }

  /** @param {TraceEntry} entry */
  #drain({ unix_ms, retry_after_ms }) {
    const incident = this.#open ?? this.#begin('drain', 'Gateway drained', unix_ms);
    const wait = retry_after_ms > 0 ? `, and asks for ${msWords(retry_after_ms)}` : '';
    this.#line(incident, {
      what: 'drain',
      at_ms: unix_ms,
      text: `The gateway says that it drains${wait}`,
      tone: 'plain',
    });
  }

  /**
   * @param {Incident} incident
   * @param {number} unix_ms
   */
  #harmless(incident, unix_ms) {
    const cut = incident.cut_until_ms;
    const over = Math.max(incident.began_ms + HARMLESS_MS, (cut ?? 0) + QUIET_MS);
    if (unix_ms < over) return;
    const text =
      cut === null ? 'The socket was not lost' : 'The network is back; the socket outlived the cut';
    this.#line(incident, { what: 'kept', at_ms: cut ?? unix_ms, text, tone: 'good' });
    incident.open = false;
    incident.total = 'No resume was needed';
    this.#version += 1;
  }

  /**
   * @param {Incident} incident
   * @param {number} at_ms
   * @param {string} until
   */
  #close(incident, at_ms, until) {
    incident.open = false;
    const took = msWords(Math.max(0, at_ms - incident.began_ms));
    incident.total = `${took} from ${SINCE[incident.cause]} to ${until}`;
    this.#version += 1;
  }
}

/** @type {Readonly<Record<string, string>>} */
const HOW = Object.freeze({
  welcome: 'New session at',
  resumed: 'Reconnected to',
  resync: 'Reconnected to',
});
/** @type {Readonly<Record<Incident['cause'], string>>} */
const SINCE = Object.freeze({ kill: 'the kill', drain: 'the drain', cut: 'the cut', lost: 'the loss' });

/** @param {Order} order */
function titleOf({ kind, node, ms }) {
  if (kind === 'cut') return `Network cut for ${msWords(ms ?? 0)}`;
  return kind === 'kill' ? `${node} killed` : `${node} drained`;
}

/** @param {Order} order */
function orderWords({ kind, node, ms }) {
  if (kind === 'cut') return `Network cut for ${msWords(ms ?? 0)}: nothing passes`;
  return kind === 'kill' ? `${node} killed (SIGKILL)` : `${node} told to drain (SIGTERM)`;
}

/**
 * @param {boolean} dup
 * @param {string} [code] of the refusal
 */
function answerWords(dup, code) {
  if (code === 'outcome_unknown') return 'is too old: nobody knows any more whether it ran';
  if (code) return `was refused (${code}): it had no effect`;
  return dup ? 'had run already: answered again, run once' : 'had not arrived: run now, once';
}

/** @param {{ records: number, took_ms: number }} activation */
function activationWords({ records, took_ms }) {
  return `Taken over in ${msWords(took_ms)}, ${records} record${records === 1 ? '' : 's'} replayed`;
}
