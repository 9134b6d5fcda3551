/**
 * Owns the story of one player as the servers tell it by HTTP: the journal's
 * records, the claims by nodes, the snapshots; what there is and then what
 * comes. Any gateway can tell it, so a stream that breaks, goes quiet, or
 * belongs to a gateway that the page has left goes on at another.
 *
 * After a break it asks again from the last record on, that one included: a
 * claim that came after it stands beside it. What was told already is not told
 * twice.
 */

import { backoffMs } from './connection.js';
import { EventStream } from './event-stream.js';

/** Without a byte for so long a stream is dead: a comment comes every 15 s. */
export const QUIET_MAX_MS = 40_000;
/** The answer may begin so late. */
export const OPEN_MAX_MS = 5_000;
/** Whether the page has moved to another gateway is looked at so often. */
const LOOK_EVERY_MS = 1_000;
/** A stream that lived so long starts the backoff afresh. */
const SETTLED_MS = 5_000;

/**
 * @typedef {{ entry: 'record', seq: number, epoch: number, bytes: number, time_ms?: number,
 *   facts: any[], problem?: string }} RecordEntry what one append stored
 * @typedef {{ entry: 'claim', after: number, epoch: number }} ClaimEntry a node took the player over
 * @typedef {{ entry: 'snapshot', seq: number, bytes: number }} SnapshotEntry the state was kept
 * @typedef {RecordEntry | ClaimEntry | SnapshotEntry} Entry
 *
 * @typedef {(url: string, options: any) => Promise<Response>} Fetch as browsers and Node have it
 *
 * @typedef {object} HistoryEnv
 * @property {Fetch} fetch
 * @property {import('./connection.js').Clock} clock
 * @property {() => string} base URL of the gateway to ask
 * @property {() => Record<string, string>} headers
 * @property {() => number} [random]
 *
 * @typedef {object} HistoryHandlers
 * @property {(entry: Entry) => void} entry
 * @property {(live: boolean, why: string) => void} state
 *
 * @typedef {{ node: string, session: string, address: string, version: string, lease_age_ms: number | null,
 *   alive: boolean, draining: boolean, activations: number, sockets: number }} NodeRow
 * @typedef {{ nodes: NodeRow[], demo?: { control: string } }} NodesPage
 */

export class History {
  /** @type {HistoryEnv} */ #env;
  /** @type {HistoryHandlers} */ #handlers;
  #player = '';
  /** @type {number | undefined} */ #from;
  /** @type {Told} */ #told = new Told();
  /** @type {AbortController | null} the stream there is */ #stream = null;
  #base = '';
  #heardAt = 0;
  #liveSince = 0;
  #attempt = 0;
  /** @type {any} */ #timer = null;
  /** Rises with each stream: what an older one says is not heard. */ #id = 0;

  /**
   * @param {HistoryEnv} env
   * @param {HistoryHandlers} handlers
   */
  constructor(env, handlers) {
    this.#env = env;
    this.#handlers = handlers;
  }

  /**
   * Tells a player's story until `stop`, or until another is followed.
   * @param {string} player
   * @param {number} [from] the first record; else the oldest that is kept
   */
  follow(player, from) {
    this.stop();
    this.#player = player;
    this.#from = from;
    this.#told = new Told();
    this.#attempt = 0;
    this.#open();
  }

  /** Says nothing more. */
  stop() {
    this.#id += 1;
    this.#stream?.abort();
    this.#stream = null;
    if (this.#timer !== null) this.#env.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** The network is back: if this waits, it tries now. */
  wake() {
    if (!this.#stream && this.#timer !== null) this.#open();
  }

  #open() {
    this.stop();
    const id = this.#id;
    const stream = new AbortController();
    this.#stream = stream;
    this.#base = this.#env.base();
    this.#heardAt = this.#env.clock.now();
    this.#liveSince = 0;
    this.#watch(id);
    this.#read(id, stream).then(
      () => this.#lost(id, 'the stream ended'),
      (error) => this.#lost(id, /** @type {Error} */ (error).message),
    );
  }

  /**
   * @param {number} id
   * @param {AbortController} stream
   */
  async #read(id, stream) {
    const { fetch } = this.#env;
    const { signal } = stream;
    const answer = await fetch(this.#url(), { headers: this.#headers(), signal, cache: 'no-store' });
    if (id !== this.#id) return;
    if (!answer.ok || !answer.body) throw await this.#refused(answer);
    this.#liveSince = this.#env.clock.now();
    this.#handlers.state(true, '');
    const reader = answer.body.getReader();
    const events = new EventStream();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || id !== this.#id) return;
      this.#heardAt = this.#env.clock.now();
      for (const { data } of events.take(value)) this.#entry(JSON.parse(data));
    }
  }

  #url() {
    const query = new URLSearchParams({ follow: 'true' });
    if (this.#from !== undefined && this.#told.seq === 0) query.set('from', String(this.#from));
    return `${this.#base}/v1/players/${encodeURIComponent(this.#player)}/history?${query}`;
  }

  /** @returns {Record<string, string>} */
  #headers() {
    const headers = { Accept: 'text/event-stream', ...this.#env.headers() };
    // The event after this one is asked for.
    return this.#told.seq > 0 ? { ...headers, 'Last-Event-ID': String(this.#told.seq - 1) } : headers;
  }

  /** @param {Response} answer */
  async #refused(answer) {
    const page = /** @type {any} */ (await answer.json().catch(() => null));
    // There is no such record, maybe because the store is another: from the oldest there is.
    if (answer.status === 400) {
      this.#told = new Told();
      this.#from = undefined;
    }
    return new Error(page?.error?.message ?? `the server answered ${answer.status}`);
  }

  /** @param {Entry} entry */
  #entry(entry) {
    if (this.#told.isNew(entry)) this.#handlers.entry(entry);
  }

  /**
   * @param {number} id
   * @param {string} why
   */
  #lost(id, why) {
    if (id !== this.#id) return;
    const { clock, random = Math.random } = this.#env;
    if (this.#liveSince > 0 && clock.now() - this.#liveSince >= SETTLED_MS) this.#attempt = 0;
    this.#attempt += 1;
    this.stop();
    this.#timer = clock.setTimeout(() => this.#open(), backoffMs(this.#attempt, random));
    this.#handlers.state(false, why);
  }

  /** @param {number} id */
  #watch(id) {
    this.#timer = this.#env.clock.setTimeout(() => {
      if (id !== this.#id) return;
      const quiet = this.#env.clock.now() - this.#heardAt;
      const moved = this.#env.base() !== this.#base && quiet >= LOOK_EVERY_MS;
      if (moved) return this.#lost(id, 'the page moved to another server');
      if (this.#liveSince === 0 && quiet >= OPEN_MAX_MS) return this.#lost(id, 'no answer');
      if (quiet >= QUIET_MAX_MS) return this.#lost(id, 'the stream went quiet');
      this.#watch(id);
    }, LOOK_EVERY_MS);
  }
}

/** What was told already: records and snapshots by their seq, claims by their epoch. */
class Told {
  seq = 0;
  #snapshot = 0;
  #epoch = 0;

  /** @param {Entry} entry */
  isNew(entry) {
    if (entry.entry === 'claim') {
      if (entry.epoch <= this.#epoch) return false;
      this.#epoch = entry.epoch;
    } else if (entry.entry === 'snapshot') {
      if (entry.seq <= this.#snapshot) return false;
      this.#snapshot = entry.seq;
    } else {
      if (entry.seq <= this.seq) return false;
      this.seq = entry.seq;
    }
    return true;
  }
}

/**
 * The nodes as one of them knows them.
 * @param {Fetch} fetch
 * @param {string} base
 * @param {Record<string, string>} headers
 * @returns {Promise<NodesPage>}
 */
export async function nodes(fetch, base, headers) {
  const answer = await fetch(`${base}/v1/nodes`, { headers, cache: 'no-store' });
  const page = /** @type {any} */ (await answer.json().catch(() => null));
  if (!answer.ok) throw new Error(page?.error?.message ?? `the server answered ${answer.status}`);
  return page;
}
