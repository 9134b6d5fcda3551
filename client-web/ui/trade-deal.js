/**
 * Owns one trade as it is shown: both sides beside each other, what of it is
 * reserved, the time that is left by the server's clock, the answers, and what
 * came of it. An answer means the terms that are shown; when they change under
 * the hand, accepting waits for a moment.
 */

import { isNothing } from '../sim/goods.js';
import { isOver } from '../sim/dealings.js';
import { showCrest } from '../view/blazon.js';
import { dealWords, leftWords, sentence } from './deal-words.js';
import { byId, icon, mark, say } from './dom.js';
import { showGoods } from './goods.js';

/** An offer is open for so long; the bar is whole then. */
export const OFFER_MS = 60_000;
/** Terms that are new can't be accepted for so long. */
const FRESH_MS = 1_000;

/**
 * @typedef {import('../sim/dealings.js').Deal} Deal
 * @typedef {'accept' | 'cancel' | 'counter' | 'again'} Answer
 */

/** How much of its time an open offer has left. @param {number} left_ms */
export const partLeft = (left_ms) => Math.min(1, Math.max(0, left_ms / OFFER_MS));

export class TradeDeal {
  /** @type {Deal | null} what is shown */ #deal = null;
  #name = '';
  /** @type {Answer | null} that is on its way */ #sent = null;
  #changed = false;
  #holdUntil = -Infinity;

  /** @param {(answer: Answer, deal: Deal) => Promise<void> | void} answer rejects with why not */
  constructor(answer) {
    for (const kind of /** @type {const} */ (['accept', 'counter', 'cancel', 'again'])) {
      byId(`deal-${kind}`, HTMLButtonElement).addEventListener('click', () => this.#press(kind, answer));
    }
  }

  get shown() {
    return this.#deal;
  }

  /** Another trade is looked at. */
  begin() {
    this.#deal = null;
    this.#sent = null;
    this.#changed = false;
    this.#holdUntil = -Infinity;
    this.#complain('');
  }

  /**
   * @param {Deal} deal
   * @param {string} name of the other side
   * @param {string} me
   * @param {number} now local milliseconds
   */
  show(deal, name, me, now) {
    const before = this.#deal;
    if (before && before.revision !== deal.revision) {
      this.#changed = !deal.mine;
      this.#holdUntil = now + FRESH_MS;
      this.#sent = null;
    }
    if (isOver(deal)) {
      this.#sent = null;
      this.#complain('');
    }
    this.#deal = deal;
    this.#name = name;
    showGoods('deal-gives', deal.gives);
    showGoods('deal-gets', deal.gets);
    const view = byId('trade-deal', HTMLElement);
    mark(view, 'data-phase', isOver(deal) ? deal.phase : 'open');
    view.classList.toggle('fresh-terms', this.#changed);
    for (const [kind, player] of /** @type {const} */ ([['own', me], ['theirs', deal.other]])) {
      const crest = view.querySelector(`.crest.${kind}`);
      if (crest instanceof HTMLCanvasElement) showCrest(crest, player);
    }
    this.#sides(deal);
    this.#outcome(deal);
    this.#answers(deal, now);
  }

  /** @param {number} serverNow @param {number} now local milliseconds */
  tick(serverNow, now) {
    const deal = this.#deal;
    if (!deal) return;
    const left = deal.expires_ms - serverNow;
    if (!isOver(deal)) {
      byId('deal-left-bar', HTMLElement).style.transform = `scaleX(${partLeft(left).toFixed(3)})`;
      say(byId('deal-left', HTMLElement), leftWords(left));
      mark(byId('deal-time', HTMLElement), 'data-short', String(left < 10_000));
    }
    this.#answers(deal, now);
  }

  /** @param {Deal} deal */
  #sides(deal) {
    const done = deal.phase === 'committed';
    say(byId('deal-gives-title', HTMLElement), done ? 'You gave' : 'You give');
    say(byId('deal-gets-title', HTMLElement), done ? 'You got' : 'You get');
    const reserved = [
      ['deal-gives-reserved', deal.mine && !isNothing(deal.gives)],
      ['deal-gets-reserved', !deal.mine && !isNothing(deal.gets)],
    ];
    for (const [id, is] of reserved) {
      const note = byId(String(id), HTMLElement);
      note.hidden = !is || isOver(deal);
      if (!note.firstChild) note.append(icon('lock'), 'reserved');
    }
    byId('deal-time', HTMLElement).hidden = isOver(deal);
  }

  /** @param {Deal} deal */
  #outcome(deal) {
    const words = dealWords(deal, this.#name);
    const waiting = this.#sent === 'accept' && !isOver(deal);
    say(byId('deal-title', HTMLElement), waiting ? 'Accepted' : words.title);
    say(byId('deal-means', HTMLElement), waiting ? 'Both sides are being settled …' : words.means);
    const seal = byId('deal-seal', HTMLElement);
    const kind = { committed: 'check', cancelled: 'close', expired: 'close', over: 'close' }[String(deal.phase)] ?? (deal.mine ? 'lock' : 'trade');
    if (seal.dataset.kind === kind) return;
    seal.dataset.kind = kind;
    seal.replaceChildren(icon(kind));
  }

  /** @param {Deal} deal @param {number} now */
  #answers(deal, now) {
    const open = !isOver(deal);
    const shown = {
      accept: open && !deal.mine,
      counter: open && !deal.mine,
      cancel: open,
      again: !open,
    };
    const words = { accept: 'Accept', counter: 'Counter', cancel: deal.mine ? 'Withdraw' : 'Decline', again: 'Trade again' };
    for (const kind of /** @type {const} */ (['accept', 'counter', 'cancel', 'again'])) {
      const button = byId(`deal-${kind}`, HTMLButtonElement);
      button.hidden = !shown[kind];
      const held = kind === 'accept' && now < this.#holdUntil;
      mark(button, 'aria-disabled', String(this.#sent !== null || held));
      say(button, this.#sent === kind ? 'Sending …' : words[kind]);
    }
  }

  /** @param {Answer} kind @param {(answer: Answer, deal: Deal) => Promise<void> | void} answer */
  async #press(kind, answer) {
    const deal = this.#deal;
    const button = byId(`deal-${kind}`, HTMLButtonElement);
    if (!deal || button.getAttribute('aria-disabled') === 'true') return;
    this.#complain('');
    this.#changed = false;
    if (kind === 'again' || kind === 'counter') {
      answer(kind, deal);
      return;
    }
    this.#sent = kind;
    this.#outcome(deal);
    this.#answers(deal, -Infinity);
    try {
      await answer(kind, deal);
    } catch (error) {
      if (this.#deal?.trade_id === deal.trade_id) this.#complain(sentence(/** @type {Error} */ (error).message));
    }
    if (this.#deal?.trade_id !== deal.trade_id) return;
    this.#sent = null;
    this.#outcome(this.#deal);
  }

  /** @param {string} text */
  #complain(text) {
    const error = byId('deal-error', HTMLElement);
    say(error, text);
    error.hidden = text === '';
  }
}
