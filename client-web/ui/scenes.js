/**
 * Owns behind the scenes: follows the player's history and the nodes while it
 * is open, feeds journal and timeline, and shows them. What it shows comes from
 * the server and the session's trace; what it does not know it leaves out.
 */

import { Journal } from '../behind/journal.js';
import { gatewayRows } from '../behind/nodes.js';
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
const NODES_STALE = 'No gateway answers just now; this is what was known last.';

/**
 * @typedef {import('../net/history.js').NodeRow} NodeRow
 * @typedef {import('../net/history.js').NodesPage} NodesPage
 * @typedef {import('../net/history.js').HistoryHandlers} HistoryHandlers
 * @typedef {Pick<import('../net/history.js').History, 'follow' | 'stop'>} Follower
 *
 * @typedef {object} ScenesEnv
 * @property {() => import('../net/wire.js').PlayerState | null} known
 * @property {() => number} serverNow
 * @property {() => Promise<NodesPage>} nodes
 * @property {(handlers: HistoryHandlers) => Follower} history
 * @property {typeof fetch} fetch
 */

export class Scenes {
  /** @type {ScenesEnv} */ #env;
  #journal = new Journal();
  #timeline;
  #demo;
  /** @type {Follower} */ #history;
  #open = false;
  #connected = false;
  #player = '';
  #node = '';
  /** The newest record that a welcome spoke of. */ #seq = 0;
  /** Names of gateways by the host of their sockets, as the session met them. */
  #names = new Map();
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
      state: (live, why) => {
        this.#following = { live, why };
      },
    });
    this.#demo = createDemo(env.fetch, this.#timeline, {
      node: () => this.#node,
      serverNow: env.serverNow,
    });
  }

  /** For tests and the curious. */
  get incidents() {
    return this.#timeline.incidents;
  }

  /** @param {boolean} open */
  turn(open) {
    this.#open = open;
    this.#run();
  }

  /**
   * Without a connection there is no gateway to ask.
   * @param {boolean} connected
   */
  connect(connected) {
    if (connected === this.#connected) return;
    this.#connected = connected;
    this.#run();
  }

  /** @param {import('../behind/timeline.js').TraceEntry} entry */
  trace(entry) {
    if (entry.url && entry.node) this.#names.set(hostOf(entry.url), entry.node);
    this.#timeline.trace(entry);
  }

  /** @param {import('../net/wire.js').Welcome} welcome */
  welcomed(welcome) {
    // A journal that is shorter than what was seen of it is that of another store.
    const anew = welcome.ev === 'welcome' && welcome.seq < this.#journal.seq;
    const other = welcome.player !== this.#player || anew;
    this.#player = welcome.player;
    this.#node = welcome.node;
    this.#seq = welcome.seq;
    this.#timeline.back(welcome.state);
    if (!other) return;
    this.#journal.clear();
    this.#run();
  }

  /** Logged out: nobody's actor is looked at. */
  leave() {
    this.#player = '';
    this.#run();
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

  /** Follows and asks, or no longer does, as it stands now. */
  #run() {
    window.clearTimeout(this.#timer);
    this.#history.stop();
    this.#following = { live: false, why: '' };
    if (!this.#open || !this.#player) return;
    if (this.#connected) {
      // Again from the newest known record on: a claim after it stands beside it.
      const from = this.#journal.seq || Math.max(0, this.#seq - LOOK_BACK);
      this.#history.follow(this.#player, from);
    }
    this.#ask();
  }

  async #ask() {
    window.clearTimeout(this.#timer);
    if (this.#connected) await this.#askNodes();
    else {
      this.#nodesWhy = NODES_STALE;
      await this.#demo.refresh();
    }
    if (!this.#open || !this.#player) return;
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#ask(), this.#timeline.busy ? NODES_BUSY_MS : NODES_MS);
  }

  async #askNodes() {
    try {
      const page = await this.#env.nodes();
      this.#nodes = page.nodes;
      this.#nodesWhy = '';
      await this.#demo.found(page.demo?.control ?? null);
    } catch {
      this.#nodesWhy = NODES_STALE;
    }
  }

  /** @param {import('../behind/journal.js').Entry} entry */
  #entry(entry) {
    this.#journal.add(entry);
    if (entry.entry === 'claim') this.#timeline.claim(entry);
  }

  /** A gateway's name by its socket's URL, as the nodes say it. @param {string} url */
  #nameOf(url) {
    const host = hostOf(url);
    const known =
      this.#demo.gateways().find((one) => hostOf(one.url) === host) ??
      this.#nodes.find((one) => hostOf(one.address) === host);
    return known?.node ?? this.#names.get(host) ?? (host || 'the gateway');
  }

  #draw() {
    showActor(
      this.#journal,
      this.#player,
      this.#nodes.findLast(({ node, alive }) => node === this.#node && alive) ?? null,
      this.#node,
      this.#env.serverNow(),
    );
    showNodes(gatewayRows(this.#nodes, this.#demo.gateways()), this.#node, this.#nodesWhy);
    showJournal(this.#journal);
    const { live, why } = this.#following;
    const following = byId('journal-live', HTMLElement);
    say(following, live ? 'as it happens' : 'reconnecting');
    mark(following, 'title', why);
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
  fact('actor-node', node || '–', owner ? `session …${owner.session.slice(-6)}` : '');
  byId('actor-node', HTMLElement).title = owner ? `node session ${owner.session}` : '';
  const since_ms = journal.epoch > 0 ? agoWords(Math.max(0, serverNow - journal.epoch)) : '';
  fact('actor-epoch', journal.epoch > 0 ? String(journal.epoch) : '–', since_ms && `taken ${since_ms}`);
  fact('actor-seq', journal.seq > 0 ? `record ${grouped(journal.seq)}` : '–');
  const age = kept?.time_ms ? agoWords(Math.max(0, serverNow - kept.time_ms)) : '';
  fact(
    'actor-snapshot',
    since === null ? 'none seen yet' : `${since} record${since === 1 ? '' : 's'} ago`,
    age,
  );
  fact(
    'actor-lease',
    owner ? leaseWords(owner) : '–',
    owner && owner.lease_age_ms !== null ? 'since its last renewal' : '',
  );
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
 * @param {import('../behind/nodes.js').GatewayRow[]} rows
 * @param {string} mine
 * @param {string} why
 */
function showNodes(rows, mine, why) {
  follow(byId('nodes', HTMLElement), rows, ({ key }) => key, createNode, (element, row) => {
    const [name, state, lease, actors, sockets] = element.children;
    mark(element, 'data-state', row.state);
    element.classList.toggle('mine', row.node === mine && row.state !== 'gone');
    say(name, row.node);
    say(state, row.state);
    say(lease, row.lease_ms === null ? '–' : `${grouped(row.lease_ms)} ms`);
    say(actors, String(row.actors));
    say(sockets, String(row.sockets));
  });
  const element = byId('nodes-why', HTMLElement);
  element.hidden = why === '';
  say(element, why);
}

function createNode() {
  const row = make('tr');
  const name = make('th');
  name.scope = 'row';
  row.append(name, make('td', 'state'), make('td'), make('td'), make('td'));
  return row;
}

/** @param {Journal} journal */
function showJournal(journal) {
  follow(
    byId('journal', HTMLOListElement),
    journal.rows.slice(0, ROWS_SHOWN),
    ({ key }) => key,
    ({ kind }) => {
      const item = make('li', 'entry fresh');
      item.dataset.kind = kind;
      item.append(make('span', 'seq'), make('span', 'facts-said'), make('span', 'size'));
      return item;
    },
    (item, row) => {
      const [seq, facts, size] = item.children;
      say(seq, row.kind === 'claim' ? 'claim' : String(row.seq));
      say(facts, row.words);
      say(
        size,
        row.kind === 'claim' ? clock(row.time_ms) : `${bytesWords(row.bytes)} · ${clock(row.time_ms)}`,
      );
    },
  );
}

const hours = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
});

/** @param {number | null} time_ms */
function clock(time_ms) {
  return time_ms === null ? '' : hours.format(time_ms);
}
