/**
 * Owns what a player sees of trades and parties outside the fight, put
 * together: the window, the card of who is aimed at, the party in the list, the
 * badge and the offer that announces itself, the lines of the log.
 */

import { showCrest } from '../view/blazon.js';
import { dealLine, partyLine } from './deal-words.js';
import { byId, mark, say } from './dom.js';
import { isOfDealings } from './narrate.js';
import { createParty } from './party.js';
import { createTarget } from './target.js';
import { TradeWindow } from './trade.js';
import { partLeft } from './trade-deal.js';

/** So many offers are known to have been put aside. */
const ASIDE_MAX = 100;

/**
 * @typedef {import('../sim/game.js').Game} Game
 * @typedef {import('../net/wire.js').WireEvent} WireEvent
 * @typedef {{ key: string, player: string, text: string, press: string, look: () => void, expires_ms: number | null }} News
 *
 * @typedef {object} DealingsHands
 * @property {() => number} now local milliseconds
 * @property {import('./log.js').Log} log
 * @property {() => void} opened the trade window is open
 * @property {() => void} together the party chooses a room
 */

/** @param {Game} game @param {DealingsHands} hands */
export function createDealings(game, hands) {
  const { dealings } = game;
  /** @type {Set<string>} */
  const aside = new Set();
  /** With whom trades were told of that happened meanwhile. @type {Set<string>} */
  const replayedWith = new Set();
  /** Says what was refused. @param {Promise<any>} asked */
  const tried = (asked) =>
    asked.then(
      () => show(),
      (error) => hands.log.write('error', error.message),
    );
  const opened = () => {
    hands.opened();
    show();
  };
  const trade = new TradeWindow(game, { now: hands.now, opened, closed: () => show() });
  const showParty = createParty(game, {
    join: (party_id) => tried(dealings.joinParty(party_id)),
    kick: (player) => tried(dealings.kick(player)),
    leave: () => tried(dealings.leaveParty()),
    together: hands.together,
  });
  const target = {
    select: (/** @type {string} */ player) => game.select(player),
    deal: (/** @type {'trade' | 'gift'} */ kind, /** @type {string} */ player) => trade.make(kind, player),
    invite: (/** @type {string} */ player) => {
      tried(dealings.invite(player));
    },
  };
  const showTarget = createTarget(game, target);
  const incoming = createIncoming(aside, () => show());

  function show() {
    trade.show();
    showParty();
    showTarget(trade.isOpen);
    showBadges(dealings.incoming.length);
    incoming.show(newsOf());
  }

  /** The newest that waits for this player and was not put aside. @returns {News | null} */
  function newsOf() {
    const deal = dealings.incoming.findLast((one) => !aside.has(keyOf(one)) && !trade.shows(one.trade_id));
    if (deal) {
      const look = () => trade.look(deal.trade_id);
      const text = dealLine(deal, game.nameOf(deal.other));
      return { key: keyOf(deal), player: deal.other, text, press: 'Look', look, expires_ms: deal.expires_ms };
    }
    const party = dealings.invitations.findLast(({ party_id }) => !aside.has(party_id));
    if (!party) return null;
    const text = `${game.nameOf(party.leader)} invites you to the party ${party.name}.`;
    const look = () => {
      tried(dealings.joinParty(party.party_id));
    };
    return { key: party.party_id, player: party.leader, text, press: 'Join', look, expires_ms: null };
  }

  for (const id of ['trade-open', 'tab-trade']) {
    byId(id, HTMLButtonElement).addEventListener('click', () => trade.toggle());
  }

  return {
    target,
    show,
    toggle: () => trade.toggle(),
    /** @param {boolean} [focus] */
    close: (focus) => trade.close(focus),
    /** What comes now may be of while the page was away. */
    welcomed: () => replayedWith.clear(),
    leave() {
      trade.leave();
      aside.clear();
    },
    /** @param {number} serverNow */
    tick(serverNow) {
      trade.tick(serverNow);
      incoming.tick(serverNow);
    },
    /**
     * What the log says of an event that the game knows already.
     * @param {WireEvent} event
     * @param {boolean} replayed
     * @param {number | null} seq
     * @returns {boolean} whether a notice has waited that tells of the same
     */
    told(event, replayed, seq) {
      const late = replayed ? ' (while you were away)' : '';
      if (event.ev === 'trade') {
        const deal = dealings.asSeen(/** @type {any} */ (event), seq);
        hands.log.write('deal', dealLine(deal, game.nameOf(deal.other)) + late);
        if (replayed) replayedWith.add(deal.other);
      }
      if (event.ev === 'party') {
        const line = partyLine(/** @type {any} */ (event), game.state?.player_id ?? '', (player) => game.nameOf(player));
        if (line) hands.log.write('deal', line + late);
      }
      return event.ev === 'notice' && replayedWith.has(event.from ?? '') && isOfDealings(event.text);
    },
  };
}

/** Terms that are new announce themselves anew. @param {import('../sim/dealings.js').Deal} deal */
const keyOf = ({ trade_id, revision }) => `${trade_id} ${revision}`;

/** @param {number} count of offers that wait for this player */
function showBadges(count) {
  for (const id of ['trade-open', 'tab-trade']) {
    const button = byId(id, HTMLElement);
    const badge = /** @type {HTMLElement | null} */ (button.querySelector('.badge'));
    if (!badge) continue;
    badge.hidden = count === 0;
    say(badge, String(count));
    mark(button, 'aria-label', count === 0 ? 'Trades' : `Trades, ${count} for you`);
  }
}

/**
 * What announces itself over the arena, and goes by itself.
 * @param {Set<string>} aside
 * @param {() => void} changed
 */
function createIncoming(aside, changed) {
  /** @type {News | null} */
  let news = null;
  const put = () => {
    if (!news) return;
    if (aside.size > ASIDE_MAX) aside.clear();
    aside.add(news.key);
  };
  byId('incoming-look', HTMLButtonElement).addEventListener('click', () => {
    const look = news?.look;
    put();
    look?.();
    changed();
  });
  byId('incoming-shut', HTMLButtonElement).addEventListener('click', () => {
    put();
    changed();
    byId('arena', HTMLCanvasElement).focus();
  });
  return {
    /** @param {News | null} next */
    show(next) {
      news = next;
      byId('incoming', HTMLElement).hidden = next === null;
      if (!next) return;
      showCrest(byId('incoming-crest', HTMLCanvasElement), next.player);
      say(byId('incoming-text', HTMLElement), next.text);
      say(byId('incoming-look', HTMLElement), next.press);
      byId('incoming-left', HTMLElement).hidden = next.expires_ms === null;
    },
    /** @param {number} serverNow */
    tick(serverNow) {
      if (typeof news?.expires_ms !== 'number') return;
      const part = partLeft(news.expires_ms - serverNow);
      byId('incoming-left', HTMLElement).style.transform = `scaleX(${part.toFixed(3)})`;
    },
  };
}
