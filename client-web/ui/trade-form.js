/**
 * Owns the terms that are being made: an offer, a gift or a counter-offer. What
 * is given comes from what the player has, what is got from what there is.
 */

import { showCrest } from '../view/blazon.js';
import { GOLD, ITEMS, QUANTITY_MAX, counted, goodsOf, goodsWords, held, isNothing, quantityIn } from '../sim/goods.js';
import { byId, mark, say } from './dom.js';
import { createStepper } from './goods.js';

/**
 * @typedef {import('../sim/goods.js').Purse} Purse
 * @typedef {import('../sim/dealings.js').Deal} Deal
 * @typedef {import('../net/wire.js').Goods} Goods
 * @typedef {import('./goods.js').Stepper} Stepper
 *
 * @typedef {{ kind: 'trade' | 'gift' | 'counter', to: string, deal: Deal | null }} Plan
 */

export class TradeForm {
  #form = byId('trade-form', HTMLFormElement);
  /** @type {Plan | null} */ #plan = null;
  /** @type {Map<string, Stepper>} */ #gives = new Map();
  /** @type {Map<string, Stepper>} */ #wants = new Map();
  #sending = false;

  /**
   * @param {(plan: Plan, give: Goods, want: Goods) => Promise<void>} send rejects with why not
   * @param {() => void} stop
   */
  constructor(send, stop) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send(send);
    });
    byId('form-stop', HTMLButtonElement).addEventListener('click', stop);
  }

  get plan() {
    return this.#plan;
  }

  /** @param {Plan} plan @param {Purse} purse @param {string} me */
  begin(plan, purse, me) {
    this.#plan = plan;
    this.#sending = false;
    this.#complain('');
    const { gives, gets } = plan.deal ?? { gives: {}, gets: {} };
    const there = [GOLD, ...ITEMS.map(({ item_id }) => item_id)];
    const has = [GOLD, ...purse.inventory.map(({ item_id }) => item_id)];
    // Both sides in the same order.
    const own = [...there.filter((id) => has.includes(id)), ...has];
    this.#gives = this.#fill('form-gives', [...own, ...counted(gives).map(([id]) => id)], 'you give');
    this.#wants = this.#fill('form-wants', [...there, ...counted(gets).map(([id]) => id)], 'you get');
    for (const wanted of this.#wants.values()) wanted.limit(QUANTITY_MAX);
    this.suit(purse);
    for (const [id, one] of this.#gives) one.put(quantityIn(gives, id));
    for (const [id, one] of this.#wants) one.put(quantityIn(gets, id));
    byId('form-wants-side', HTMLElement).hidden = plan.kind === 'gift';
    this.#form.classList.toggle('alone', plan.kind === 'gift');
    for (const [kind, player] of /** @type {const} */ ([['own', me], ['theirs', plan.to]])) {
      const crest = this.#form.querySelector(`.crest.${kind}`);
      if (crest instanceof HTMLCanvasElement) showCrest(crest, player);
    }
    this.#says();
  }

  /** What can be given is what the player has now. @param {Purse} purse */
  suit(purse) {
    for (const [id, one] of this.#gives) {
      const most = held(purse, id);
      one.limit(Math.min(most, QUANTITY_MAX));
      say(one.element.querySelector('small'), `of ${most}`);
    }
  }

  /** @param {string} list @param {string[]} ids @param {string} way */
  #fill(list, ids, way) {
    const rows = new Map([...new Set(ids)].map((id) => [id, createStepper(id, way, () => this.#says())]));
    byId(list, HTMLUListElement).replaceChildren(...[...rows.values()].map(({ element }) => element));
    return rows;
  }

  get #terms() {
    const chosen = (/** @type {Map<string, Stepper>} */ rows) =>
      goodsOf([...rows].map(([id, one]) => /** @type {const} */ ([id, one.value()])));
    return { give: chosen(this.#gives), want: this.#plan?.kind === 'gift' ? {} : chosen(this.#wants) };
  }

  #says() {
    const { give, want } = this.#terms;
    const empty = isNothing(give) && isNothing(want);
    const send = byId('form-send', HTMLButtonElement);
    mark(send, 'aria-disabled', String(empty || this.#sending));
    const { kind } = this.#plan ?? { kind: 'trade' };
    say(send, this.#sending ? 'Sending …' : { trade: 'Offer', gift: 'Give', counter: 'Offer this instead' }[kind]);
    say(byId('form-says', HTMLElement), saysOf(kind, give, want));
  }

  /** @param {(plan: Plan, give: Goods, want: Goods) => Promise<void>} send */
  async #send(send) {
    const plan = this.#plan;
    const { give, want } = this.#terms;
    if (!plan || this.#sending || (isNothing(give) && isNothing(want))) return;
    this.#sending = true;
    this.#complain('');
    this.#says();
    try {
      await send(plan, give, want);
    } catch (error) {
      this.#complain(/** @type {Error} */ (error).message);
    } finally {
      if (this.#plan === plan) {
        this.#sending = false;
        this.#says();
      }
    }
  }

  /** @param {string} text */
  #complain(text) {
    const error = byId('form-error', HTMLElement);
    say(error, text);
    error.hidden = text === '';
  }
}

/** @param {Plan['kind'] | string} kind @param {Goods} give @param {Goods} want */
function saysOf(kind, give, want) {
  if (kind === 'gift') {
    return isNothing(give) ? 'Choose what to give.' : `You give ${goodsWords(give)}, for nothing in return.`;
  }
  if (isNothing(give) && isNothing(want)) return 'Choose what you give, and what you want for it.';
  if (isNothing(give)) return `You ask for ${goodsWords(want)}, for nothing.`;
  const what = `${goodsWords(give)} for ${isNothing(want) ? 'nothing in return' : goodsWords(want)}`;
  return `${what}. What you give is reserved for a minute at most.`;
}
