/**
 * Trades and parties of the server in memory (fake-server.js), as the one
 * player of it meets them. Manual:
 *
 *   const id = server.dealings.offer('bob', give, want);   // somebody offers
 *   server.dealings.counter(id, give, want);               // other terms by the other side
 *   server.dealings.end(id, 'committed');                  // or cancelled, expired
 *   server.dealings.invite(party); server.dealings.change(party, what, by);
 *
 * The player's own verbs take effect at once: what is given leaves gold and
 * inventory with an offer and comes back unless it is committed; an acceptance
 * of other terms than the newest is refused. Nobody checks the other side.
 */

/** An offer is open for so long. */
export const OFFER_MS = 60_000;

/**
 * @typedef {import('./wire.js').Goods} Goods
 * @typedef {import('./wire.js').Trade} Trade
 * @typedef {import('./wire.js').Party} Party
 * @typedef {{ state: any, clock: { now: () => number }, pushNumbered: (...evs: object[]) => void }} World
 */

export class FakeDealings {
  /** @type {World} */ #world;
  /** @type {Map<string, Trade>} */ #open = new Map();
  #last = 0;

  /** @param {World} world */
  constructor(world) {
    this.#world = world;
  }

  /** Somebody offers the player a trade. @param {string} from @param {Goods} give @param {Goods} want */
  offer(from, give, want) {
    return this.#begin(from, this.#world.state.player_id, give, want);
  }

  /** The other side answers with other terms. @param {string} trade_id @param {Goods} give @param {Goods} want */
  counter(trade_id, give, want) {
    const trade = this.#find(trade_id);
    const me = this.#world.state.player_id;
    this.#reserve(trade, 1);
    const other = trade.from === me ? trade.to : trade.from;
    this.#tell({ ...trade, phase: 'countered', revision: trade.revision + 1, from: other, to: me, give, want });
  }

  /** @param {string} trade_id @param {'committed' | 'cancelled' | 'expired'} phase @param {string} [why] */
  end(trade_id, phase, why) {
    const trade = this.#find(trade_id);
    const me = this.#world.state.player_id;
    if (phase !== 'committed') this.#reserve(trade, 1);
    else if (trade.from === me) this.#move(trade.want, 1);
    else {
      this.#move(trade.want, -1);
      this.#move(trade.give, 1);
    }
    this.#tell({ ...trade, phase, ...(why && { why }) });
  }

  /** @param {Party} party @param {string} [by] */
  invite(party, by = party.leader) {
    this.#world.state.invitations = [...(this.#world.state.invitations ?? []), party];
    this.#world.pushNumbered({ ev: 'party', party, by, what: 'invited' });
  }

  /** @param {Party | null} party @param {import('./wire.js').PartyChange} what @param {string} [by] */
  change(party, what, by) {
    const { state } = this.#world;
    state.party = party ?? undefined;
    state.invitations = (state.invitations ?? []).filter((/** @type {Party} */ one) => one.party_id !== party?.party_id);
    this.#world.pushNumbered({ ev: 'party', party, what, ...(by && { by }) });
  }

  /**
   * What comes of a verb: `ok`, an error, or null when it is not of dealings.
   * @param {{ do: string, args: any }} message
   * @returns {{ ok: object } | { err: object } | null}
   */
  take({ do: verb, args }) {
    if (verb === 'trade_offer' || verb === 'gift') return this.#offered(args);
    if (verb.startsWith('trade_')) return this.#answered(verb, args);
    return verb.startsWith('party_') ? this.#partied(verb, args) : null;
  }

  /** @param {{ to: string, give: Goods, want?: Goods }} args */
  #offered({ to, give, want = {} }) {
    const { player_id, gold } = this.#world.state;
    if ((give.gold ?? 0) > gold) return refusal('not_enough', `you have ${gold} gold`);
    return { ok: { trade_id: this.#begin(player_id, to, give, want) } };
  }

  /** @param {string} verb @param {any} args */
  #answered(verb, { trade_id, revision, give, want }) {
    const trade = this.#open.get(trade_id);
    if (!trade) return refusal('no_such_trade', 'that trade is over');
    if (verb === 'trade_cancel') this.end(trade_id, 'cancelled');
    else if (revision !== trade.revision) return refusal('no_such_trade', 'the terms have changed');
    else if (verb === 'trade_accept') this.end(trade_id, 'committed');
    else this.#recounter(trade, give, want);
    return { ok: { trade_id } };
  }

  /** @param {Trade} trade @param {Goods} give @param {Goods} want */
  #recounter(trade, give, want) {
    const next = { ...trade, revision: trade.revision + 1, from: trade.to, to: trade.from, give, want };
    this.#reserve(next, -1);
    this.#tell({ ...next, phase: 'countered' });
  }

  /** @param {string} verb @param {any} args */
  #partied(verb, args) {
    const { state } = this.#world;
    const me = state.player_id;
    if (verb === 'party_create') {
      const { name, on_leader_left } = args;
      this.change({ party_id: 'p1', name, leader: me, members: [me], on_leader_left }, 'created', me);
    } else if (verb === 'party_accept') {
      const found = state.invitations?.find((/** @type {Party} */ one) => one.party_id === args.party_id);
      if (!found) return refusal('no_such_party', 'that invitation is no longer good');
      this.change({ ...found, members: [...found.members, me] }, 'joined', me);
    } else if (!state.party) return refusal('no_such_party', 'you are in no party');
    else if (verb === 'party_leave') this.change(null, 'left', me);
    return { ok: { party: state.party ?? null } };
  }

  /** @param {string} from @param {string} to @param {Goods} give @param {Goods} want */
  #begin(from, to, give, want) {
    this.#last += 1;
    const trade_id = `t${this.#last}`;
    // As the clock of a pong and a greeting.
    const expires_ms = 1e12 + this.#world.clock.now() + OFFER_MS;
    const trade = { trade_id, revision: 1, from, to, give, want, expires_ms };
    this.#reserve(trade, -1);
    this.#tell({ ...trade, phase: 'offered' });
    return trade_id;
  }

  /** @param {string} trade_id */
  #find(trade_id) {
    const trade = this.#open.get(trade_id);
    if (!trade) throw new Error(`no open trade ${trade_id}`);
    return trade;
  }

  /** @param {Pick<Trade, 'from' | 'give'>} trade @param {1 | -1} way */
  #reserve({ from, give }, way) {
    if (from === this.#world.state.player_id) this.#move(give, way);
  }

  /** @param {Goods} goods @param {1 | -1} way */
  #move({ gold = 0, items = [] }, way) {
    const { state } = this.#world;
    state.gold += gold * way;
    for (const { item_id, quantity } of items) {
      const known = state.inventory.find((/** @type {any} */ one) => one.item_id === item_id);
      if (known) known.quantity += quantity * way;
      else state.inventory.push({ item_id, name: item_id, quantity: quantity * way });
    }
    state.inventory = state.inventory.filter((/** @type {any} */ one) => one.quantity > 0);
  }

  /** @param {Trade} trade */
  #tell(trade) {
    const { state } = this.#world;
    if (trade.phase === 'offered' || trade.phase === 'countered') this.#open.set(trade.trade_id, trade);
    else this.#open.delete(trade.trade_id);
    state.trades = [...this.#open.values()];
    const { gold, inventory, trades } = state;
    const set = structuredClone({ gold, inventory, trades });
    this.#world.pushNumbered({ ev: 'player', set }, { ev: 'trade', ...trade });
  }
}

/** @param {string} code @param {string} message */
const refusal = (code, message) => ({ err: { code, message, retry: false } });
