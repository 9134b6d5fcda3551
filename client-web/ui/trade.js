/**
 * Owns the trade window: the list of what is open and what came of the last
 * ones, one trade, or terms in the making. It lies beside the game and never
 * takes the keys of it; shut, it keeps what was being made.
 */

import { isOver } from '../sim/dealings.js';
import { goodsWords, isNothing } from '../sim/goods.js';
import { showCrest } from '../view/blazon.js';
import { dealWords, leftWords, rowWords } from './deal-words.js';
import { byId, follow, icon, make, mark, say } from './dom.js';
import { TradeDeal, partLeft } from './trade-deal.js';
import { TradeForm } from './trade-form.js';

const VIEWS = /** @type {const} */ (['list', 'form', 'deal']);

/**
 * @typedef {import('../sim/game.js').Game} Game
 * @typedef {import('../sim/dealings.js').Deal} Deal
 * @typedef {import('./trade-form.js').Plan} Plan
 * @typedef {typeof VIEWS[number]} View
 *
 * @typedef {object} TradeHands
 * @property {() => number} now local milliseconds
 * @property {() => void} opened the window is open
 * @property {() => void} closed it is not any more
 */

export class TradeWindow {
  #window = byId('trade', HTMLElement);
  /** @type {Game} */ #game;
  /** @type {TradeHands} */ #hands;
  /** @type {View} */ #view = 'list';
  /** @type {string | null} the trade that is shown */ #trade = null;
  /** @type {Element | null} where the focus goes back to */ #from = null;
  #form;
  #deal;

  /** @param {Game} game @param {TradeHands} hands */
  constructor(game, hands) {
    this.#game = game;
    this.#hands = hands;
    this.#form = new TradeForm((plan, give, want) => this.#send(plan, give, want), () => this.#back());
    this.#deal = new TradeDeal((answer, deal) => this.#answer(answer, deal));
    byId('trade-close', HTMLButtonElement).addEventListener('click', () => this.close());
    byId('trade-back', HTMLButtonElement).addEventListener('click', () => this.#turn('list'));
    for (const kind of /** @type {const} */ (['trade', 'gift'])) {
      byId(`with-${kind}`, HTMLButtonElement).addEventListener('click', () => {
        if (this.#game.selected !== null) this.make(kind, this.#game.selected);
      });
    }
  }

  get isOpen() {
    return !this.#window.hidden;
  }

  /** Whether a trade can be seen in it now. @param {string} trade_id */
  shows(trade_id) {
    return this.isOpen && (this.#view === 'list' || (this.#view === 'deal' && this.#trade === trade_id));
  }

  /** Opens it where it was left, at the one offer that waits, or at the list. */
  open() {
    const [only, ...more] = this.#game.dealings.incoming;
    if (this.#view === 'form') this.#reveal();
    else if (only && more.length === 0) this.look(only.trade_id);
    else this.#turn('list');
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  /** @param {string} trade_id */
  look(trade_id) {
    if (this.#trade !== trade_id) this.#deal.begin();
    this.#trade = trade_id;
    this.#turn('deal');
  }

  /** New terms. @param {Plan['kind']} kind @param {string} to @param {Deal | null} [deal] that is answered */
  make(kind, to, deal = null) {
    const { state } = this.#game;
    if (!state) return;
    this.#form.begin({ kind, to, deal }, state, state.player_id);
    this.#turn('form');
  }

  /** @param {boolean} [focus] goes back to where it came from */
  close(focus = true) {
    if (!this.isOpen) return;
    const inside = this.#window.contains(document.activeElement);
    this.#window.hidden = true;
    this.#expanded(false);
    this.#hands.closed();
    const from = this.#from;
    this.#from = null;
    if (!focus || !inside) return;
    if (from instanceof HTMLElement && from.isConnected && from.checkVisibility()) from.focus();
    else byId('arena', HTMLCanvasElement).focus();
  }

  /** Another player's page now. */
  leave() {
    this.close(false);
    this.#view = 'list';
    this.#trade = null;
  }

  /** What changes with the state. */
  show() {
    if (!this.isOpen) return;
    const { state, dealings } = this.#game;
    if (!state) return;
    if (this.#view === 'list') this.#showList();
    if (this.#view === 'form') {
      this.#form.suit(state);
      this.#formStands();
    }
    const deal = this.#trade === null ? null : dealings.find(this.#trade);
    if (this.#view === 'deal' && !deal) return this.#turn('list');
    if (this.#view === 'deal' && deal) {
      this.#deal.show(deal, this.#game.nameOf(deal.other), state.player_id, this.#hands.now());
    }
    return this.#showHead();
  }

  /** What changes with time alone. @param {number} serverNow */
  tick(serverNow) {
    if (!this.isOpen) return;
    if (this.#view === 'deal') this.#deal.tick(serverNow, this.#hands.now());
    if (this.#view !== 'list') return;
    for (const row of byId('deals', HTMLUListElement).children) {
      const left = Number(/** @type {HTMLElement} */ (row).dataset.expires) - serverNow;
      const bar = /** @type {HTMLElement | null} */ (row.querySelector('.bar-left'));
      if (bar) bar.style.transform = `scaleX(${partLeft(left).toFixed(3)})`;
      say(row.querySelector('.left'), leftWords(left));
    }
  }

  /** What is answered may be over, or other terms by now. */
  #formStands() {
    const answered = this.#form.plan?.deal;
    if (!answered) return;
    const now = this.#game.dealings.find(answered.trade_id);
    if (now && now.revision === answered.revision && !isOver(now)) return;
    this.look(answered.trade_id);
  }

  /** @param {View} view */
  #turn(view) {
    this.#view = view;
    for (const one of VIEWS) byId(`trade-${one}`, HTMLElement).hidden = one !== view;
    this.#reveal();
  }

  #reveal() {
    if (!this.isOpen) {
      this.#from = document.activeElement;
      this.#window.hidden = false;
      this.#expanded(true);
      this.#hands.opened();
    }
    this.show();
    // The title, and no button: what was pressed last must not be pressed again by chance.
    byId('trade-title', HTMLElement).focus({ preventScroll: true });
  }

  /** @param {boolean} open */
  #expanded(open) {
    for (const id of ['trade-open', 'tab-trade']) mark(byId(id, HTMLElement), 'aria-expanded', String(open));
  }

  #back() {
    const answered = this.#form.plan?.deal;
    if (answered) this.look(answered.trade_id);
    else this.#turn('list');
  }

  #showHead() {
    byId('trade-back', HTMLElement).hidden = this.#view === 'list';
    say(byId('trade-title', HTMLElement), this.#title());
  }

  #title() {
    if (this.#view === 'list') return 'Trades';
    const plan = this.#view === 'form' ? this.#form.plan : null;
    const deal = this.#deal.shown;
    const other = plan ? plan.to : (deal?.other ?? '');
    const gift = plan ? plan.kind === 'gift' : deal !== null && isNothing(deal.want);
    const to = !gift ? 'Trade with' : plan || deal?.mine ? 'Gift to' : 'Gift from';
    return `${to} ${calledFully(this.#game.nameOf(other), other)}`;
  }

  #showList() {
    const { dealings, selected } = this.#game;
    byId('trade-with', HTMLElement).hidden = selected === null;
    byId('trade-how', HTMLElement).hidden = selected !== null;
    if (selected !== null) {
      const name = this.#game.nameOf(selected);
      say(byId('with-trade', HTMLElement).querySelector('span'), `Trade with ${name}`);
      say(byId('with-gift', HTMLElement).querySelector('span'), `Gift to ${name}`);
    }
    const reserved = byId('trade-reserved', HTMLElement);
    reserved.hidden = isNothing(dealings.reserved);
    if (!reserved.firstChild) reserved.append(icon('lock'), make('span'));
    say(reserved.lastElementChild, `Reserved for your open offers: ${goodsWords(dealings.reserved)}`);
    this.#showRows('deals', dealings.open);
    this.#showRows('ended-deals', dealings.ended);
    byId('deals-none', HTMLElement).hidden = dealings.open.length > 0;
    byId('ended-deals-title', HTMLElement).hidden = dealings.ended.length === 0;
  }

  /** @param {string} list @param {Deal[]} deals */
  #showRows(list, deals) {
    follow(
      byId(list, HTMLUListElement),
      deals,
      ({ trade_id }) => trade_id,
      ({ trade_id, other }) => {
        const item = make('li');
        const button = make('button', 'deal-row');
        button.type = 'button';
        const crest = make('canvas', 'crest');
        crest.setAttribute('aria-hidden', 'true');
        crest.width = crest.height = 64;
        showCrest(crest, other);
        const about = make('span', 'about');
        about.append(make('b', 'who'), make('span', 'terms'));
        const track = make('span', 'bar-track');
        track.setAttribute('aria-hidden', 'true');
        track.append(make('span', 'bar-left'));
        button.append(crest, about, make('span', 'stands'), make('span', 'left muted'), track);
        button.addEventListener('click', () => this.look(trade_id));
        item.append(button);
        return item;
      },
      (item, deal) => {
        const name = this.#game.nameOf(deal.other);
        const over = isOver(deal);
        item.dataset.expires = String(deal.expires_ms);
        mark(item, 'data-phase', over ? deal.phase : deal.mine ? 'mine' : 'theirs');
        say(item.querySelector('.who'), name);
        say(item.querySelector('.terms'), rowWords(deal));
        say(item.querySelector('.stands'), over ? dealWords(deal, name).title : deal.mine ? 'your offer' : 'for you');
        for (const timed of item.querySelectorAll('.left, .bar-track')) {
          /** @type {HTMLElement} */ (timed).hidden = over;
        }
      },
    );
  }

  /** @param {Plan} plan @param {import('../net/wire.js').Goods} give @param {import('../net/wire.js').Goods} want */
  async #send(plan, give, want) {
    const { dealings } = this.#game;
    const { kind, to, deal } = plan;
    const sent = kind === 'gift' ? dealings.gift(to, give)
      : kind === 'counter' && deal ? dealings.counter(deal, give, want)
        : dealings.offer(to, give, want);
    const trade_id = await sent;
    const stays = this.#view === 'form' && this.#form.plan === plan;
    if (!stays) return;
    if (this.isOpen) this.look(trade_id);
    else {
      this.#view = 'deal';
      this.#trade = trade_id;
    }
  }

  /** @param {import('./trade-deal.js').Answer} answer @param {Deal} deal */
  async #answer(answer, deal) {
    const { dealings } = this.#game;
    if (answer === 'counter') return this.make('counter', deal.other, deal);
    if (answer === 'again') return this.make(isNothing(deal.want) && deal.mine ? 'gift' : 'trade', deal.other);
    try {
      await (answer === 'accept' ? dealings.accept(deal) : dealings.cancel(deal.trade_id));
    } catch (error) {
      // What was shown may not be what is: ask, and show that.
      await dealings.refresh().catch(() => undefined);
      this.show();
      throw error;
    }
    return this.show();
  }
}

/**
 * A name can be anybody's, an id only one's.
 * @param {string} name
 * @param {string} player
 */
export const calledFully = (name, player) => (name.toLowerCase() === player ? name : `${name} (${player})`);
