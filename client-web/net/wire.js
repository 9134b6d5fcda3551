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
 * @property {Trade[]} [trades] open ones that the player is part of, oldest first; absent: none
 * @property {Party} [party] that the player is in
 * @property {Party[]} [invitations] parties that the player may join, oldest first; absent: none
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

/**
 * @typedef {{ item_id: string, quantity: number }} GoodsItem
 * @typedef {{ gold?: number, items?: GoodsItem[] }} Goods what one side of a trade gives; empty: nothing
 *
 * @typedef {object} Trade as its two players see it
 * @property {string} trade_id
 * @property {'offered' | 'countered' | 'committed' | 'cancelled' | 'expired'} phase
 * @property {number} revision of its terms: 1 for an offer, one more for each counter-offer
 * @property {string} from who made the terms; whose goods are reserved
 * @property {string} to who may accept them
 * @property {Goods} give what `from` gives
 * @property {Goods} want what `from` gets; empty in a gift
 * @property {number} expires_ms Unix milliseconds
 * @property {string} [why] it ended without a trade
 *
 * @typedef {'end' | 'pass_on'} OnLeaderLeft what becomes of a party whose leader leaves
 *
 * @typedef {object} Party
 * @property {string} party_id
 * @property {string} name
 * @property {string} leader who invites, sends away and leads into rooms
 * @property {string[]} members the leader among them, longest first
 * @property {OnLeaderLeft} on_leader_left
 *
 * @typedef {'created' | 'invited' | 'withdrawn' | 'joined' | 'left' | 'kicked' | 'led' | 'ended' | 'entered'} PartyChange
 *
 * @typedef {[coin: number, x: number, y: number]} CoinRow
 *
 * @typedef {{ ev: 'trade' } & Trade} TradeEvent numbered
 * @typedef {{ ev: 'party', party: Party | null, by?: string, what: PartyChange }} PartyEvent numbered
 * @typedef {{ ev: 'coins', at?: CoinRow[], taken?: number[], full?: boolean }} CoinsEvent
 * @typedef {{ ev: 'player', set: Partial<PlayerState> }} PlayerEvent numbered
 * @typedef {{ ev: 'notice', text: string, from?: string }} NoticeEvent numbered
 * @typedef {{ ev: 'combat', move_type: string, by: string, target?: string, damage: number, xp: number }} CombatEvent
 * numbered
 * @typedef {{ ev: 'say', from: string, text: string, party?: string }} SayEvent to the room, or to a party
 * @typedef {{ ev: 'leaderboard', top: Rank[] }} LeaderboardEvent
 * @typedef {{ ev: 'drain', retry_after_ms: number }} DrainEvent
 *
 * @typedef {PlayerEvent | NoticeEvent | CombatEvent | TradeEvent | PartyEvent | SayEvent | CoinsEvent | Roster
 *   | RoomFrame | LeaderboardEvent | DrainEvent} GameEvent what the reference game tells
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
