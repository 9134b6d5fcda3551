/**
 * Owns what passes between players as this player knows it: trades that are
 * open, how the last ones ended, the party and invitations to others; and the
 * verbs for all of it. Free of the DOM.
 *
 * - A greeting brings what is open; events go on from there. Terms that are
 *   older than those known are passed over, so that a replay does no harm.
 * - An acceptance and a counter-offer name the terms that they mean.
 */

import { sum } from './goods.js';

/** A trade that has not answered yet is asked again so often. */
const RETRIES = 3;
/** So many ended trades are remembered. */
const ENDED_MAX = 12;

/**
 * @typedef {import('../net/wire.js').Goods} Goods
 * @typedef {import('../net/wire.js').Party} Party
 * @typedef {import('../net/wire.js').OnLeaderLeft} OnLeaderLeft
 * @typedef {import('../net/wire.js').PlayerState} PlayerState
 * @typedef {import('../net/wire.js').WireEvent} WireEvent
 *
 * @typedef {import('../net/wire.js').Trade['phase'] | 'over'} Phase `over`: it ended, and how is not known here
 * @typedef {Omit<import('../net/wire.js').Trade, 'phase'> & { phase: Phase }} Terms
 * @typedef {Terms & { seq: number | null, mine: boolean, other: string, gives: Goods, gets: Goods }} Deal a trade as
 * this player sees it: whether the terms are one's own, with whom it is, what this player gives and gets; `seq` is
 * the journal position of the newest that was told of it
 *
 * @typedef {object} DealingsSession what is needed of the session
 * @property {(verb: string, args?: object, retries?: number) => Promise<any>} command
 */

export class Dealings {
  /** @type {DealingsSession} */ #session;
  #me = '';
  /** @type {Map<string, Deal>} */ #open = new Map();
  /** Newest first. @type {Deal[]} */ #ended = [];
  /** @type {Party | null} */ #party = null;
  /** @type {Party[]} */ #invitations = [];

  /** @param {DealingsSession} session */
  constructor(session) {
    this.#session = session;
  }

  /** Open trades, oldest first. */
  get open() {
    return [...this.#open.values()];
  }

  /** The last ones that ended, newest first. */
  get ended() {
    return [...this.#ended];
  }

  /** Those that this player may accept. */
  get incoming() {
    return this.open.filter(({ mine }) => !mine);
  }

  /** What left the player's hands for open offers. */
  get reserved() {
    return sum(this.open.filter(({ mine }) => mine).map(({ gives }) => gives));
  }

  get party() {
    return this.#party;
  }

  get invitations() {
    return [...this.#invitations];
  }

  /** Whether this player leads a party. */
  get leads() {
    return this.#party !== null && this.#party.leader === this.#me;
  }

  /** @param {string} trade_id @returns {Deal | null} open or ended */
  find(trade_id) {
    return this.#open.get(trade_id) ?? this.#ended.find((one) => one.trade_id === trade_id) ?? null;
  }

  /** @param {import('../net/wire.js').Welcome} welcome */
  welcome({ ev, player, state }) {
    if (player !== this.#me) {
      this.#open.clear();
      this.#ended = [];
    }
    this.#me = player;
    // After a resume what happened meanwhile is told, after the others only what is left.
    this.#know(state, ev !== 'resumed');
  }

  /** What is so now, whole. @param {PlayerState} state @param {boolean} [all] what it does not name is over */
  #know(state, all = true) {
    this.#list(state.trades ?? [], all);
    this.#party = state.party ?? null;
    this.#invitations = [...(state.invitations ?? [])];
  }

  /**
   * Open trades, all of them; what is not among them is over, or was never seen by anybody.
   * @param {import('../net/wire.js').Trade[]} trades
   * @param {boolean} all
   */
  #list(trades, all) {
    const named = new Set(trades.map(({ trade_id }) => trade_id));
    for (const deal of all ? this.open : []) {
      if (named.has(deal.trade_id)) continue;
      if (deal.mine && deal.revision === 1 && deal.seq === null) this.#open.delete(deal.trade_id);
      else this.#end({ ...deal, phase: 'over' });
    }
    for (const trade of trades) this.#trade(trade, null);
  }

  /**
   * @param {WireEvent} event
   * @param {number | null} [seq] its journal position
   * @returns {boolean} whether it was news of dealings
   */
  event(event, seq = null) {
    if (event.ev === 'trade') this.#trade(/** @type {any} */ (event), seq);
    else if (event.ev === 'party') this.#changed(/** @type {any} */ (event));
    else if (event.ev === 'player') return this.#set(event.set);
    else return false;
    return true;
  }

  /** @param {Partial<PlayerState>} set */
  #set(set) {
    if (!('trades' in set || 'party' in set || 'invitations' in set)) return false;
    if (set.trades) this.#list(set.trades, true);
    if ('party' in set) this.#party = set.party ?? null;
    if ('invitations' in set) this.#invitations = [...(set.invitations ?? [])];
    return true;
  }

  /** @param {Terms} trade @param {number | null} seq */
  #trade(trade, seq) {
    const known = this.find(trade.trade_id);
    const isOpen = trade.phase === 'offered' || trade.phase === 'countered';
    const ended = known !== null && isOver(known) && known.phase !== 'over';
    if (isOpen && (ended || (known && known.revision > trade.revision))) return;
    const newest = seq ?? (known?.revision === trade.revision ? known.seq : null);
    const deal = this.asSeen(trade, newest);
    if (!isOpen) return this.#end(deal);
    this.#ended = this.#ended.filter(({ trade_id }) => trade_id !== deal.trade_id);
    return void this.#open.set(deal.trade_id, deal);
  }

  /** A trade as this player sees it. @param {Terms} trade @param {number | null} seq @returns {Deal} */
  asSeen({ trade_id, phase, revision, from, to, give, want, expires_ms, why }, seq) {
    const terms = { trade_id, phase, revision, from, to, give, want, expires_ms, ...(why && { why }) };
    const mine = from === this.#me;
    const [gives, gets] = mine ? [give, want] : [want, give];
    return { ...terms, seq, mine, other: mine ? to : from, gives, gets };
  }

  /** @param {Deal} deal */
  #end(deal) {
    this.#open.delete(deal.trade_id);
    const others = this.#ended.filter(({ trade_id }) => trade_id !== deal.trade_id);
    this.#ended = [deal, ...others].slice(0, ENDED_MAX);
  }

  /** @param {import('../net/wire.js').PartyEvent} event */
  #changed({ party, what }) {
    if (what === 'withdrawn') {
      // It does not say which.
      this.refresh().catch(() => undefined);
      return;
    }
    if (party) this.#invitations = this.#invitations.filter(({ party_id }) => party_id !== party.party_id);
    if (what === 'invited' && party && !party.members.includes(this.#me)) this.#invitations.push(party);
    else this.#party = party;
  }

  /** Asks how it stands. */
  async refresh() {
    this.#know(await this.#session.command('get_state'));
  }

  /**
   * Offers a trade; what is given is reserved until it ends.
   * @param {string} to
   * @param {Goods} give
   * @param {Goods} want
   * @returns {Promise<string>} its id
   */
  async offer(to, give, want) {
    return (await this.#session.command('trade_offer', { to, give, want })).trade_id;
  }

  /**
   * Gives goods for nothing.
   * @param {string} to
   * @param {Goods} give
   * @returns {Promise<string>} the trade's id
   */
  async gift(to, give) {
    return (await this.#session.command('gift', { to, give })).trade_id;
  }

  /**
   * Answers an offer with other terms; those that were seen are meant.
   * @param {Pick<Deal, 'trade_id' | 'revision'>} seen
   * @param {Goods} give
   * @param {Goods} want
   * @returns {Promise<string>} its id
   */
  async counter({ trade_id, revision }, give, want) {
    return (await this.#session.command('trade_counter', { trade_id, give, want, revision }, RETRIES)).trade_id;
  }

  /**
   * Accepts the terms that were seen, and no others.
   * @param {Pick<Deal, 'trade_id' | 'revision'>} seen
   */
  accept({ trade_id, revision }) {
    return this.#session.command('trade_accept', { trade_id, revision }, RETRIES);
  }

  /** Takes an offer back, or declines it. @param {string} trade_id */
  cancel(trade_id) {
    return this.#session.command('trade_cancel', { trade_id }, RETRIES);
  }

  /** @param {string} name @param {OnLeaderLeft} on_leader_left */
  createParty(name, on_leader_left) {
    return this.#partied('party_create', { name, on_leader_left });
  }

  /** @param {string} player */
  invite(player) {
    return this.#session.command('party_invite', { player });
  }

  /** Sends a member away, or takes an invitation back. @param {string} player */
  kick(player) {
    return this.#session.command('party_kick', { player });
  }

  /** @param {string} party_id */
  joinParty(party_id) {
    return this.#partied('party_accept', { party_id });
  }

  leaveParty() {
    return this.#session.command('party_leave');
  }

  /** @param {string} text */
  sayToParty(text) {
    return this.#session.command('party_say', { text });
  }

  /** All of them enter a room, or nobody. @param {string} room_id */
  enterTogether(room_id) {
    return this.#session.command('party_join_room', { room_id });
  }

  /** @param {string} verb @param {object} args */
  async #partied(verb, args) {
    const { party } = await this.#session.command(verb, args);
    if (party) this.#changed({ ev: 'party', party, what: 'joined' });
    return party;
  }
}

/** @param {Deal} deal */
export const isOver = ({ phase }) => phase !== 'offered' && phase !== 'countered';
