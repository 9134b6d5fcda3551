/**
 * Owns the close codes of the wire and what the page does about each: one
 * table, so that connection, session and status chip never disagree.
 * Codes outside the table are judged by range: 45xx stop, all else reconnect.
 */

/**
 * @typedef {'reconnect' | 'stop'} Verdict
 *
 * @typedef {object} CloseCode
 * @property {string} name
 * @property {Verdict} verdict
 * @property {string} text for people
 * @property {boolean} [leave] this gateway won't have one back soon: another is tried first
 */

/** @type {Readonly<Record<number, CloseCode>>} */
export const CLOSE_CODES = Object.freeze({
  1000: { name: 'bye', verdict: 'stop', text: 'logged out' },
  1007: { name: 'invalid_utf8', verdict: 'stop', text: 'the server could not read a message' },
  1009: { name: 'message_too_big', verdict: 'stop', text: 'a message was too large' },
  1012: { name: 'restart', verdict: 'reconnect', text: 'the server is restarting', leave: true },
  4000: { name: 'internal', verdict: 'reconnect', text: 'the server is not sure of a command' },
  4001: { name: 'handed_over', verdict: 'reconnect', text: 'moved to another server', leave: true },
  4002: { name: 'slow_consumer', verdict: 'reconnect', text: 'this connection fell behind' },
  4003: { name: 'heartbeat_timeout', verdict: 'reconnect', text: 'the connection went quiet' },
  4005: { name: 'session_expired', verdict: 'reconnect', text: 'the session expired' },
  4006: { name: 'moved', verdict: 'reconnect', text: 'moved to another server' },
  4500: { name: 'unauthorized', verdict: 'stop', text: 'not allowed in' },
  4501: { name: 'protocol_error', verdict: 'stop', text: 'the server did not understand this page' },
  4503: { name: 'too_many_errors', verdict: 'stop', text: 'too many refused messages' },
  4504: { name: 'replaced', verdict: 'stop', text: 'replaced elsewhere' },
  4505: { name: 'banned', verdict: 'stop', text: 'banned from this server' },
  4506: { name: 'too_many_connections', verdict: 'stop', text: 'too many connections' },
});

/** The session ended but the player may come straight back with a hello. */
export const SESSION_EXPIRED = 4005;
/** A token was refused; another handshake may still succeed. */
export const UNAUTHORIZED = 4500;

/**
 * Says what a code means; never fails, also for codes of a later version.
 * @param {number} code
 * @returns {CloseCode}
 */
export function closeCode(code) {
  const known = CLOSE_CODES[code];
  if (known) return known;
  const stop = code >= 4500 && code <= 4999;
  return {
    name: `code_${code}`,
    verdict: stop ? 'stop' : 'reconnect',
    text: stop ? `closed by the server (${code})` : 'connection lost',
  };
}
