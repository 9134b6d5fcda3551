/**
 * Owns what other games import: connection, session, encodings, history,
 * prediction, interpolation. None of it knows a game's state or events; the
 * reference game's own parts are in reference-game.js.
 */

export { renewToken, tokenEndsMs, isTokenDue } from './net/claim.js';
export { CLOSE_CODES, closeCode } from './net/close_codes.js';
export { CodecError, json, msgpack } from './net/codec.js';
export { CommandError } from './net/commands.js';
export { Connection, backoffMs } from './net/connection.js';
export { Gateways } from './net/gateways.js';
export { History, nodes } from './net/history.js';
export { Ledger } from './net/ledger.js';
export { STEPS_PER_FRAME_MAX, UNANSWERED_MAX } from './net/protocol.js';
export { Pulse } from './net/pulse.js';
export { ServerClock } from './net/server-clock.js';
export { Session } from './net/session.js';
export { memoryStores, systemEnv } from './net/system.js';
export { Interpolation } from './sim/interpolation.js';
export { Prediction } from './sim/prediction.js';
export { STEP_MS, move, walkMs } from './sim/step.js';
export { Timeline } from './sim/timeline.js';

/**
 * @typedef {import('./net/close_codes.js').CloseCode} CloseCode
 * @typedef {import('./net/close_codes.js').Verdict} Verdict
 * @typedef {import('./net/codec.js').Codec} Codec
 * @typedef {import('./net/connection.js').Clock} Clock
 * @typedef {import('./net/connection.js').Env} Env
 * @typedef {import('./net/connection.js').ConnectionHandlers} ConnectionHandlers
 * @typedef {import('./net/connection.js').ConnectionStatus} ConnectionStatus
 * @typedef {import('./net/connection.js').Phase} Phase
 * @typedef {import('./net/connection.js').SocketLike} SocketLike
 * @typedef {import('./net/history.js').Entry} HistoryEntry
 * @typedef {import('./net/history.js').HistoryEnv} HistoryEnv
 * @typedef {import('./net/history.js').HistoryHandlers} HistoryHandlers
 * @typedef {import('./net/history.js').NodesPage} NodesPage
 * @typedef {import('./net/ledger.js').Saved} Saved
 * @typedef {import('./net/ledger.js').Store} Store
 * @typedef {import('./net/protocol.js').Activation} Activation
 * @typedef {import('./net/protocol.js').Step} Step
 * @typedef {import('./net/protocol.js').WireError} WireError
 * @typedef {import('./net/protocol.js').WireEvent} WireEvent
 * @typedef {import('./net/session.js').SessionStatus} SessionStatus
 * @typedef {import('./net/session.js').Stores} Stores
 * @typedef {import('./net/session.js').Trace} Trace
 * @typedef {import('./sim/interpolation.js').Point} Point
 */

/**
 * @template State
 * @typedef {import('./net/protocol.js').Greeting<State>} Greeting
 */

/**
 * @template State
 * @template {import('./net/protocol.js').WireEvent} [Event=import('./net/protocol.js').WireEvent]
 * @typedef {import('./net/session.js').SessionHandlers<State, Event>} SessionHandlers
 */
