/**
 * Owns behind the scenes: follows the player's history and the nodes while it
 * is open, feeds journal and timeline, and shows them. What it shows comes from
 * the server and the session's trace; what it does not know it leaves out.
 */

import { Journal } from '../behind/journal.js';
import { Timeline } from '../behind/timeline.js';
import { agoWords, bytesWords, grouped } from '../behind/words.js';
import { createDemo } from './demo.js';
import { byId, follow, make, mark, say } from './dom.js';
import { showTimeline } from './timeline.js';

/** The nodes are asked so often, and so often while something happens. */
const NODES_MS = 1_000;
const NODES_BUSY_MS = 300;
/** Rows of the journal that are shown. */
const ROWS_SHOWN = 14;
/** The history is read from so many records before the newest known one. */
const LOOK_BACK = 160;
const DRAW_MS = 120;

/**
 * @typedef {{ node: string, session: string, address: string, lease_age_ms: number | null, alive: boolean, draining: boolean, activations: number, sockets: number }} NodeRow
 * @typedef {{ nodes: NodeRow[], demo?: { control: string } }} NodesPage
 * @typedef {{ follow: (player: string, from?: number) => void, stop: () => void }} Follower
 *
 * @typedef {object} ScenesEnv
 * @property {() => import('../net/wire.js').PlayerState | null} known
 * @property {() => number} serverNow
 * @property {() => Promise<NodesPage>} nodes
 * @property {(handlers: { entry: (entry: any) => void, state: (live: boolean, why: string) => void }) => Follower} history
 * @property {typeof fetch} fetch
 */

export class Scenes {
  /** @type {ScenesEnv} */ #env;
  #journal = new Journal();
  #timeline;
  #demo;
  /** @type {Follower} */ #history;
  #open = false;
  #player = '';
  #node = '';
  /** @type {NodeRow[]} */ #nodes = [];
  #nodesWhy = '';
  #following = { live: false, why: '' };
  #drawnAt = -Infinity;
  #drawn = { timeline: -1 };
  #timer = 0;

  /** @param {ScenesEnv} env */
  constructor(env) {
    this.#env = env;
    this.#timeline = new Timeline({ known: env.known, nameOf: (url) => this.#nameOf(url) });
    this.#history = env.history({
      entry: (entry) => this.#entry(entry),
      state: (live, why) => { this.#following = { live, why }; },
    });
    this.#demo = createDemo(env.fetch, this.#timeline, { node: () => this.#node, serverNow: env.serverNow });
  }

  /** For tests and the curious. */
  get incidents() {
    return this.#timeline.incidents;
  }

  /** @param {boolean} open */
  turn(open) {
    this.#open = open;
    if (open) this.#start();
    else this.#stop();
  }

  /** @param {import('../behind/timeline.js').TraceEntry} entry */
  trace(entry) {
    this.#timeline.trace(entry);
  }

  /** @param {import('../net/wire.js').Welcome} welcome */
  welcomed(welcome) {
    const other = welcome.player !== this.#player;
    this.#player = welcome.player;
    this.#node = welcome.node;
    this.#timeline.back(welcome.state);
    if (!other) return;
    this.#stop();
    this.#journal.clear();
    if (this.#open) this.#start(welcome.seq);
  }

  /** Logged out: nobody's actor is looked at. */
  leave() {
    this.#stop();
    this.#player = '';
    this.#journal.clear();
    this.#timeline.clear();
  }

  /**
   * Call with each picture.
   * @param {number} now local milliseconds
   */
  tick(now) {
    if (now - this.#drawnAt < DRAW_MS) return;
    this.#drawnAt = now;
    this.#timeline.tick(this.#env.serverNow());
    if (this.#open) this.#draw();
  }

  /** @param {number} [seq] */
  #start(seq = this.#journal.seq) {
    if (!this.#player) return;
    this.#history.follow(this.#player, Math.max(0, seq - LOOK_BACK));
    this.#ask();
  }

  #stop() {
    this.#history.stop();
    window.clearTimeout(this.#timer);
  }

  async #ask() {
    window.clearTimeout(this.#timer);
    const player = this.#player;
    try {
      const page = await this.#env.nodes();
      this.#nodes = page.nodes;
      this.#nodesWhy = '';
      this.#demo.found(page.demo?.control ?? null);
    } catch {
      this.#nodesWhy = 'No gateway answers just now; this is what was known last.';
    }
    if (!this.#open || player !== this.#player) return;
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#ask(), this.#timeline.busy ? NODES_BUSY_MS : NODES_MS);
  }

  /** @param {import('../behind/journal.js').Entry} entry */
  #entry(entry) {
    this.#journal.add(entry);
    if (entry.entry === 'claim') this.#timeline.claim(entry);
  }

  /** A gateway's name by its socket's URL, as the nodes say it. @param {string} url */
  #nameOf(url) {
    const host = hostOf(url);
    const known = this.#demo.gateways().find((one) => hostOf(one.url) === host)
      ?? this.#nodes.find((one) => hostOf(one.address) === host);
    return known?.node ?? (host || 'the gateway');
  }

  #draw() {
    showActor(this.#journal, this.#player, this.#nodes.find(({ node }) => node === this.#node) ?? null, this.#node, this.#env.serverNow());
    showNodes(this.#nodes, this.#demo.gateways(), this.#node, this.#nodesWhy);
    showJournal(this.#journal);
    const { live, why } = this.#following;
    say(byId('journal-live', HTMLElement), live ? 'as it happens' : why || 'not connected');
    if (this.#drawn.timeline === this.#timeline.version) return;
    this.#drawn.timeline = this.#timeline.version;
    showTimeline(this.#timeline);
  }
}

/** @param {string} url */
function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return '';
  }
}

/**
 * @param {Journal} journal
 * @param {string} player
 * @param {NodeRow | null} owner
 * @param {string} node
 * @param {number} serverNow
 */
function showActor(journal, player, owner, node, serverNow) {
  const kept = journal.snapshot;
  const since = kept ? journal.seq - kept.seq : null;
  fact('actor-id', player ? `player:${player}` : '–');
  fact('actor-node', node || '–', owner ? `node session ${owner.session}` : '');
  const since_ms = journal.epoch > 0 ? agoWords(Math.max(0, serverNow - journal.epoch)) : '';
  fact('actor-epoch', journal.epoch > 0 ? String(journal.epoch) : '–', since_ms && `taken ${since_ms}`);
  fact('actor-seq', journal.seq > 0 ? `record ${grouped(journal.seq)}` : '–');
  const age = kept?.time_ms ? agoWords(Math.max(0, serverNow - kept.time_ms)) : '';
  fact('actor-snapshot', since === null ? 'none seen yet' : `${since} record${since === 1 ? '' : 's'} ago`, age);
  fact('actor-lease', owner ? leaseWords(owner) : '–', owner && owner.lease_age_ms !== null ? 'since its last renewal' : '');
}

/**
 * @param {string} id
 * @param {string} text
 * @param {string} [note]
 */
function fact(id, text, note = '') {
  const element = byId(id, HTMLElement);
  if (!element.firstElementChild) element.replaceChildren(make('span'), make('small'));
  say(element.firstElementChild, text);
  say(element.lastElementChild, note);
}

/** @param {NodeRow} row */
function leaseWords({ lease_age_ms, alive }) {
  if (lease_age_ms === null) return 'needs none';
  return alive ? `${grouped(lease_age_ms)} ms` : 'run out';
}

/**
 * @param {NodeRow[]} nodes
 * @param {import('../behind/control.js').ShowGateway[]} gateways of the demo
 * @param {string} mine
 * @param {string} why
 */
function showNodes(nodes, gateways, mine, why) {
  /** @type {(NodeRow & { state: string })[]} */
  const rows = nodes.map((row) => ({ ...row, state: row.draining ? 'draining' : row.alive ? 'alive' : 'gone' }));
  for (const { node, state } of gateways) {
    if (state === 'running' || rows.some((row) => row.node === node && row.state === 'alive' && state === 'starting')) continue;
    const known = rows.findLast((row) => row.node === node);
    if (known) known.state = state;
    else rows.push({ node, session: '', address: '', lease_age_ms: null, alive: false, draining: false, activations: 0, sockets: 0, state });
  }
  follow(byId('nodes', HTMLElement), rows, ({ node, session }) => `${node} ${session}`, () => {
    const row = make('tr');
    const name = make('th');
    name.scope = 'row';
    row.append(name, make('td', 'state'), make('td'), make('td'), make('td'));
    return row;
  }, (element, row) => {
    const [name, state, lease, actors, sockets] = element.children;
    mark(element, 'data-state', row.state);
    element.classList.toggle('mine', row.node === mine && row.state !== 'gone');
    say(name, row.node);
    say(state, row.state);
    say(lease, row.lease_age_ms === null ? '–' : `${grouped(row.lease_age_ms)} ms`);
    say(actors, String(row.activations));
    say(sockets, String(row.sockets));
  });
  const element = byId('nodes-why', HTMLElement);
  element.hidden = why === '';
  say(element, why);
}

/** @param {Journal} journal */
function showJournal(journal) {
  follow(byId('journal', HTMLOListElement), journal.rows.slice(0, ROWS_SHOWN), ({ key }) => key, ({ kind }) => {
    const item = make('li', 'entry fresh');
    item.dataset.kind = kind;
    item.append(make('span', 'seq'), make('span', 'facts-said'), make('span', 'size'));
    return item;
  }, (item, row) => {
    const [seq, facts, size] = item.children;
    say(seq, row.kind === 'claim' ? 'claim' : String(row.seq));
    say(facts, row.words);
    say(size, row.kind === 'claim' ? clock(row.time_ms) : `${bytesWords(row.bytes)} · ${clock(row.time_ms)}`);
  });
}

const hours = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });

/** @param {number | null} time_ms */
function clock(time_ms) {
  return time_ms === null ? '' : hours.format(time_ms);
}
