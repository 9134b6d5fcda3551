/**
 * Owns the shapes of the wire that every game shares (docs: protocol, version
 * 1): greetings, replies, events, errors. What a game's state and events hold
 * is its own matter; those of the reference game are in wire.js. Types only,
 * plus the few constants that are part of the agreement. Unknown fields are
 * ignored everywhere; none of these types is exhaustive.
 */

/** At most so many commands may be unanswered in a session. */
export const UNANSWERED_MAX = 64;

/** At most so many steps travel in one input frame. */
export const STEPS_PER_FRAME_MAX = 32;

/**
 * @typedef {[dx: number, dy: number, buttons: number]} Step one 50 ms of held directions
 *
 * @typedef {object} Activation the node took the actor over to answer; absent where it was there
 * @property {number} records replayed on top of the snapshot
 * @property {number} took_ms from the claim until it was ready
 */

/**
 * The answer to hello or resume.
 *
 * @template State
 * @typedef {object} Greeting
 * @property {'welcome' | 'resumed' | 'resync'} ev
 * @property {string} player
 * @property {string} session
 * @property {string} resume token of the next resume
 * @property {string} node
 * @property {number} epoch
 * @property {number} seq
 * @property {State} state
 * @property {number} step_ms
 * @property {number} now Unix milliseconds of the server
 * @property {string[]} [gateways] WebSocket URLs, this one first
 * @property {number} [replayed] frames that follow a `resumed`
 * @property {string} [token] of a name that was claimed
 * @property {Activation} [activation]
 */

/**
 * @typedef {{ code: string, message: string, retry?: boolean, retry_after_ms?: number }} WireError
 *
 * @typedef {{ ev: string, [field: string]: any }} WireEvent
 *
 * @typedef {{ seq: number, evs: WireEvent[] }} Numbered the events of one record
 *
 * @typedef {{ id: number | null, ok?: any, err?: WireError, seq?: number, dup?: boolean }} Reply
 */
