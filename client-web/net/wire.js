/**
 * Owns the shapes of the wire as the reference game fills them: its state,
 * rooms, rosters. Types only, plus flags and the rules of names. What all
 * games share is in protocol.js.
 */

export { STEPS_PER_FRAME_MAX, UNANSWERED_MAX } from './protocol.js';

/**
 * @typedef {import('./protocol.js').Step} Step
 * @typedef {import('./protocol.js').WireError} WireError
 * @typedef {import('./protocol.js').WireEvent} WireEvent
 * @typedef {import('./protocol.js').Greeting<PlayerState>} Welcome answer to hello or resume
 *
 * @typedef {{ x: number, y: number }} Point
 * @typedef {{ item_id: string, name: string, quantity: number }} Item
 * @typedef {{ room_id: string, room_name: string, player_count: number, max_players: number }} Room
 * @typedef {[player: string, name: string, score: number, rank: number]} Rank
 *
 * @typedef {object} PlayerState
 * @property {string} player_id
 * @property {string} display_name
 * @property {string} status
 * @property {Room | null} current_room
 * @property {Item[]} inventory
 * @property {number} gold
 * @property {number} health
 * @property {number} max_health
 * @property {number} xp
 * @property {number} level
 * @property {number} score
 * @property {number} x
 * @property {number} y
 * @property {{ kind: string, until_ms: number }[]} buffs
 * @property {{ move_type: string, until_ms: number }[]} cooldowns
 * @property {{ text: string, from?: string, at_ms: number }[]} pending_notifications
 *
 * @typedef {[entity: number, x: number, y: number, health: number, flags: number]} EntityRow
 *
 * @typedef {object} RoomFrame
 * @property {'room'} ev
 * @property {number} tick
 * @property {number} [in] newest durable input seq
 * @property {EntityRow[]} [e]
 * @property {number[]} [gone]
 * @property {boolean} [full]
 *
 * @typedef {object} Roster
 * @property {'roster'} ev
 * @property {[entity: number, player: string, name: string][]} players
 * @property {boolean} [full]
 */

/** Bits of an entity's flags. */
export const FLAGS = Object.freeze({ defending: 1, defeated: 2, sprinting: 4, lost: 8 });

/** An id has so many characters at most. */
const ID_MAX = 32;

/**
 * Derives a player id from what was typed; empty when nothing was. An id has few
 * letters: where others are lost, a mark of the whole name keeps two such names apart.
 * @param {string} typed
 */
export function playerId(typed) {
  const plain = typed.normalize('NFC').trim().toLowerCase();
  const id = plain.replace(/[^a-z0-9_-]/gu, '-');
  if (!/[^\x00-\x7F]/u.test(plain)) return id.slice(0, ID_MAX);
  const mark = `-${markOf(plain)}`;
  return id.slice(0, ID_MAX - mark.length) + mark;
}

/**
 * A number that belongs to a text (FNV-1a), in letters and digits.
 * @param {string} text
 */
function markOf(text) {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 16777619);
  return (hash >>> 0).toString(36);
}

/**
 * What was typed as a display name: no control characters, 32 at most.
 * @param {string} typed
 */
export function displayName(typed) {
  const plain = typed.replace(/\p{Cc}/gu, '').trim();
  return Array.from(plain).slice(0, 32).join('');
}
