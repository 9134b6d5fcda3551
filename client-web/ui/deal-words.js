/**
 * Owns the words about trades and parties: for the log, for the trade window.
 * They say what is so, and where goods are. Pure.
 */

import { goodsWords, isNothing } from '../sim/goods.js';

/**
 * @typedef {import('../sim/dealings.js').Deal} Deal
 * @typedef {import('../net/wire.js').PartyEvent} PartyEvent
 */

/** A sentence of the server, ready to stand alone. @param {string} text */
export function sentence(text) {
  const plain = text.trim();
  if (plain === '') return '';
  return `${plain.charAt(0).toUpperCase()}${plain.slice(1)}${/[.!?…]$/u.test(plain) ? '' : '.'}`;
}

/** Whether somebody gives and wants nothing. @param {Pick<Deal, 'want'>} deal */
export const isGift = ({ want }) => isNothing(want);

/** @param {Pick<Deal, 'gives' | 'gets'>} deal from this player's side */
function exchange({ gives, gets }) {
  if (isNothing(gives)) return `${goodsWords(gets)} for nothing`;
  return isNothing(gets) ? goodsWords(gives) : `${goodsWords(gives)} for ${goodsWords(gets)}`;
}

/** @param {Deal} deal */
const at = ({ seq }) => (seq === null ? 'committed' : `committed at #${seq}`);

/**
 * How a trade stands, for the log.
 * @param {Deal} deal
 * @param {string} name of the other side
 */
export function dealLine(deal, name) {
  const theirs = { gives: deal.gets, gets: deal.gives };
  switch (deal.phase) {
    case 'offered':
      return deal.mine ? `You offer ${name} ${exchange(deal)}.` : `${name} offers you ${exchange(theirs)}.`;
    case 'countered':
      return deal.mine
        ? `Your answer to ${name}: ${exchange(deal)}.`
        : `${name} answers with other terms: ${exchange(theirs)}.`;
    case 'committed':
      if (isNothing(deal.gets)) return `You gave ${name} ${goodsWords(deal.gives)}, ${at(deal)}.`;
      if (isNothing(deal.gives)) return `${name} gave you ${goodsWords(deal.gets)}, ${at(deal)}.`;
      return `Traded with ${name}: ${exchange(deal)}, ${at(deal)}.`;
    case 'cancelled':
      return joined(`The trade with ${name} was called off.`, sentence(deal.why ?? ''), backWords(deal));
    case 'expired':
      return joined(deal.mine ? `Your offer to ${name} ran out.` : `The offer of ${name} ran out.`, backWords(deal));
    default:
      return `A trade with ${name} has ended.`;
  }
}

/** @param {...string} sentences */
const joined = (...sentences) => sentences.filter(Boolean).join(' ');

/** What is in one's hands again. @param {Deal} deal */
function backWords(deal) {
  return deal.mine && !isNothing(deal.gives) ? `You have ${goodsWords(deal.gives)} back.` : '';
}

/**
 * How a trade stands, for its window: a title and what that means.
 * @param {Deal} deal
 * @param {string} name of the other side
 * @returns {{ title: string, means: string }}
 */
export function dealWords(deal, name) {
  switch (deal.phase) {
    case 'offered':
    case 'countered':
      return deal.mine ? waitingWords(deal, name) : askedWords(deal, name);
    case 'committed':
      return {
        title: deal.seq === null ? 'Committed' : `Committed at #${deal.seq}`,
        means: `Both sides have what they were promised; it stands in your journal${deal.seq === null ? '' : ` at position ${deal.seq}`}.`,
      };
    case 'cancelled':
      return { title: 'Called off', means: joined(sentence(deal.why ?? ''), unchanged(deal)) };
    case 'expired':
      return { title: 'Ran out of time', means: unchanged(deal) };
    default:
      return {
        title: 'Over',
        means: 'It has ended. What you carry now is what came of it.',
      };
  }
}

/** @param {Deal} deal @param {string} name */
function waitingWords(deal, name) {
  const title = `${name} decides`;
  const nothing = isNothing(deal.gives);
  return { title, means: nothing ? 'Nothing of yours is reserved.' : `Reserved until then: ${goodsWords(deal.gives)}.` };
}

/** @param {Deal} deal @param {string} name */
function askedWords(deal, name) {
  const title = deal.phase === 'countered' ? `${name} wants other terms` : `${name} asks you`;
  if (isNothing(deal.gives)) return { title, means: 'It costs you nothing.' };
  return { title, means: `You part with ${goodsWords(deal.gives)} only if you accept.` };
}

/** @param {Deal} deal */
function unchanged(deal) {
  return backWords(deal) || 'Everybody has their own goods.';
}

/** A row of the list. @param {Deal} deal @returns {string} */
export function rowWords(deal) {
  if (isGift(deal)) return `Gift: ${goodsWords(deal.give)}`;
  return `${goodsWords(deal.gives)} → ${goodsWords(deal.gets)}`;
}

/** What is left of an open offer. @param {number} left_ms */
export const leftWords = (left_ms) => (left_ms > 0 ? `${Math.ceil(left_ms / 1000)} s left` : 'ending …');

/**
 * @param {PartyEvent} event
 * @param {string} me
 * @param {(player: string) => string} nameOf
 */
export function partyLine({ what, party, by = '' }, me, nameOf) {
  const mine = by === me;
  const who = mine ? 'You' : by ? nameOf(by) : 'Somebody';
  const name = party?.name ?? '';
  switch (what) {
    case 'created':
      return `The party ${name} begins.`;
    case 'invited':
      if (mine) return 'Your invitation is out.';
      return party?.members.includes(me) ? `${who} invites somebody.` : `${who} invites you to the party ${name}.`;
    case 'withdrawn':
      return 'An invitation is no longer good.';
    case 'joined':
      return mine ? `You are in the party ${name} now.` : `${who} is in the party now.`;
    case 'left':
      return mine ? 'You have left the party.' : `${who} has left the party.`;
    case 'kicked':
      return mine ? 'You were sent away from the party.' : `${who} was sent away from the party.`;
    case 'led':
      return mine ? 'You lead the party now.' : `${who} leads the party now.`;
    case 'ended':
      return 'The party has ended.';
    case 'entered':
      return 'The party enters a room together.';
    default:
      return '';
  }
}
