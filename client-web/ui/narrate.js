/**
 * Owns the words of the log: an event or a reply in, a line out, or nothing
 * when the line would repeat another (the notice tells the struck player, the
 * reply tells the striker). Pure.
 */

import { sentence } from './deal-words.js';

/**
 * @param {import('../net/wire.js').WireEvent} event
 * @param {string} me player id
 * @param {boolean} replayed it happened while the page was away
 * @returns {[import('./log.js').LineKind, string, string?] | null}
 */
export function narrate(event, me, replayed) {
  const late = replayed ? ' (while you were away)' : '';
  switch (event.ev) {
    case 'notice':
      if (isOfDealings(event.text)) return ['deal', sentence(event.text) + late];
      return ['notice', event.text + late, opensWith(event.text, event.from) ? undefined : event.from];
    case 'say':
      return event.from === me ? null : [event.party ? 'party' : 'say', event.text, event.from];
    case 'drain':
      return ['link', 'This server is about to restart; you will be moved.'];
    default:
      return null;
  }
}

/**
 * True when a notice tells of a trade or a party; it names the other side itself.
 * @param {string} text
 */
export const isOfDealings = (text) =>
  /^(?:\S+ (?:offers you|answers your offer:|gave you|invites you to the party) |you gave .+ and got |the trade with )/u.test(text);

/**
 * True when a notice names its sender itself; by id, the sentence may use the display name.
 * @param {string} text
 * @param {string} [from]
 */
function opensWith(text, from) {
  return !from || / attacked you for /u.test(text) || text.toLowerCase().startsWith(from);
}

/**
 * @param {string} move
 * @param {string | null} target
 * @param {{ damage?: number, xp?: number, health?: number }} ok
 */
export function narrateMove(move, target, ok) {
  const xp = ok.xp ? `, +${ok.xp} xp` : '';
  if (move === 'heal') return `Heal: health ${ok.health}${xp}`;
  if (move === 'defend') return `Defend: blows are halved for 3 s${xp}`;
  const name = move === 'special' ? 'Special' : 'Attack';
  return target
    ? `${name} on ${target}: ${ok.damage} damage${xp}`
    : `${name}, practice: ${ok.damage} damage${xp}`;
}
