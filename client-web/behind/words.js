/**
 * Owns the words for what a journal holds and for durations. Pure.
 */

import { goodsWords } from '../sim/goods.js';

/**
 * @typedef {{ what: string, name?: string, place?: { session: number, id: number }, actor?: string,
 *   code?: string, data?: any }} Happened
 */

/**
 * Facts of the rules that say something to a visitor; others are bookkeeping.
 * @type {Readonly<Record<string, (data: any) => string>>}
 */
const EVENTS = Object.freeze({
  new: () => 'player created',
  name: ({ name }) => `named ${name}`,
  prot: () => 'name protected by a token',
  open: () => 'session opened',
  back: () => 'socket back',
  lost: () => 'socket lost, place kept',
  gone: () => 'offline',
  idle: () => 'idle',
  jask: ({ room }) => `asks ${room} for a place`,
  jno: () => 'no place there',
  join: ({ room }) => `joined ${room}`,
  left: () => 'left the room',
  swing: ({ target, by }) => `${by ?? 'blow'} at ${target}`,
  move: ({ damage, xp }) => (damage > 0 ? `${damage} damage, +${xp} xp` : `+${xp} xp`),
  hit: ({ health }) => `struck, health ${health}`,
  heal: ({ health }) => `health ${health}`,
  def: (data) => (data?.until ? 'defends' : 'defence over'),
  cool: (data) => (data?.until ? 'special cools down' : 'special ready'),
  item: ({ item, quantity }) => `${item} ×${quantity}`,
  deal: ({ d }) => dealWords(d),
  fellow: (data) => fellowWords(data),
  deals: () => 'trades looked after',
  cask: ({ coin }) => `asks for coin ${coin}`,
  cno: ({ coin }) => `coin ${coin} was gone`,
  coin: ({ coin, gold }) => `coin ${coin}, +${gold} gold`,
  rob: ({ gold, by }) => `${gold} gold lost to ${by}`,
  loot: ({ gold, from }) => `+${gold} gold of ${from}`,
  gold: (data) => `gold ${data?.gold ?? ''}`.trim(),
  note: () => 'a notice waits',
  told: () => 'notices told',
  score: ({ score }) => `score ${score} to the leaderboard`,
  metr: () => 'metrics recorded',
});

/** @type {Readonly<Record<string, (fact: Happened) => string>>} */
const FACTS = Object.freeze({
  opened: () => 'session begins',
  ended: () => 'session ends',
  attached: () => 'socket attached',
  detached: () => 'socket detached',
  answered: ({ place }) => (place ? `command ${place.id} answered` : ''),
  refused: ({ place, code }) => (place ? `command ${place.id} refused: ${code}` : ''),
  deferred: ({ place }) => (place ? `command ${place.id} waits` : ''),
  told: ({ actor }) => `tells ${actorWords(actor)}`,
  heard: ({ actor }) => `hears ${actorWords(actor)}`,
  dead_letter: ({ actor }) => `gave up telling ${actorWords(actor)}`,
  activity_begun: ({ name }) => `begins ${name}`,
});
const WORDS_MAX = 4;

/** Ids that nobody gave by hand are long: their end tells them apart. @param {string} [actor] */
const actorWords = (actor = '') => actor.replace(/^(trade|party):.*(.{6})$/u, '$1 …$2');

/** Goods as a journal holds them. @param {any} stock */
const stockWords = (stock) =>
  goodsWords({
    gold: Number(stock?.g ?? 0),
    items: Object.entries(stock?.i ?? {}).map(([item_id, quantity]) => ({ item_id, quantity: Number(quantity) })),
  });

/** @param {any} fellow a name, or an object whose only key is one */
function fellowWords(fellow) {
  const [what = '', data] = typeof fellow === 'string' ? [fellow] : (Object.entries(fellow ?? {})[0] ?? []);
  const words = {
    ask: 'asks its party', ans: 'the party has answered', info: 'the party is told', out: 'in no party',
    inv: 'invited to a party', uninv: 'an invitation is gone', come: `a place in ${data?.room} with the party`,
  };
  return /** @type {Record<string, string>} */ (words)[what] ?? 'a party';
}

/** @param {any} deal a name, or an object whose only key is one */
function dealWords(deal) {
  const [what = '', data] = typeof deal === 'string' ? [deal] : (Object.entries(deal ?? {})[0] ?? []);
  switch (what) {
    case 'made':
      return `reserves ${stockWords(data?.t?.g)}`;
    case 'heard':
      return 'an offer is open';
    case 'yes':
      return 'accepts, and reserves';
    case 'stop':
      return 'calls a trade off';
    case 'open':
      return 'the offer is open';
    case 'end':
      return 'no trade, goods are back';
    case 'paid':
      return `trade settled: gave ${stockWords(data?.g)}, got ${stockWords(data?.w)}`;
    default:
      return 'trade closed';
  }
}

/**
 * The steps of input that a record holds, if it holds nothing else.
 * @param {Happened[]} facts
 * @returns {{ from: number, to: number } | null}
 */
export function inputOf(facts) {
  let [from, to] = [Infinity, -Infinity];
  for (const { what, name, data } of facts) {
    if (what !== 'event' || (name !== 'in' && name !== 'act')) return null;
    if (name !== 'in') continue;
    const [first, last] = [Number(data?.f ?? data?.n ?? 0), Number(data?.n ?? data?.f ?? 0)];
    from = Math.min(from, first);
    to = Math.max(to, last);
  }
  return to >= from ? { from, to } : null;
}

/**
 * What a record says, in a few words.
 * @param {Happened[]} facts
 */
export function recordWords(facts) {
  const words = facts
    .map((fact) => {
      if (fact.what === 'event') return EVENTS[fact.name ?? '']?.(fact.data ?? {}) ?? '';
      return FACTS[fact.what]?.(fact) ?? '';
    })
    .filter((word) => word !== '');
  if (words.length === 0) return plain(facts);
  const more = words.length - WORDS_MAX;
  return words.slice(0, WORDS_MAX).join(', ') + (more > 0 ? `, ${more} more` : '');
}

/** Nothing but bookkeeping: named by its kinds. @param {Happened[]} facts */
function plain(facts) {
  const kinds = [
    ...new Set(
      facts.map(({ what, name }) => (what === 'event' ? (name ?? what) : what).replaceAll('_', ' ')),
    ),
  ];
  return kinds.slice(0, WORDS_MAX).join(', ') || 'nothing';
}

/** @param {number} bytes */
export function bytesWords(bytes) {
  return bytes < 10_000 ? `${bytes} B` : `${(bytes / 1_000).toFixed(1)} kB`;
}

/**
 * A duration as the timeline says it.
 * @param {number} ms
 */
export function msWords(ms) {
  if (ms < 10 && ms !== Math.round(ms)) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${grouped(Math.round(ms))} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/**
 * How long ago.
 * @param {number} ms
 */
export function agoWords(ms) {
  if (ms < 1_500) return 'just now';
  if (ms < 90_000) return `${Math.round(ms / 1_000)} s ago`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min ago` : `${Math.round(ms / 3_600_000)} h ago`;
}

/** @param {number} value */
export function grouped(value) {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/gu, ',');
}
