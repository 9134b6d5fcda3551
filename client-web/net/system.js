/**
 * Owns what a session needs of the machine it runs on, in a browser or in Node:
 * clock, randomness, sockets; and stores for those who have none of their own.
 * The one file of net/ that reaches for globals.
 */

/**
 * The machine as it is.
 * @param {{ WebSocket?: import('./connection.js').Env['WebSocket'] }} [own] a WebSocket for machines
 * without one, such as Node before 22
 * @returns {import('./connection.js').Env}
 */
export function systemEnv({ WebSocket = globalThis.WebSocket } = {}) {
  if (!WebSocket) throw new Error('this machine has no WebSocket: give one to systemEnv');
  const clock = {
    now: () => performance.now(),
    setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => globalThis.setTimeout(run, ms),
    clearTimeout: (/** @type {any} */ timer) => globalThis.clearTimeout(timer),
    unix: () => Date.now(),
  };
  return { WebSocket, clock, random: Math.random };
}

/**
 * Stores that forget when the process or page ends.
 * @returns {import('./session.js').Stores}
 */
export function memoryStores() {
  /** @type {import('./ledger.js').Saved | null} */
  let saved = null;
  /** @type {Map<string, string>} */
  const claims = new Map();
  return {
    session: {
      load: () => saved,
      save: (next) => { saved = next; },
      clear: () => { saved = null; },
    },
    claims: {
      get: (player) => claims.get(player) ?? null,
      set: (player, token) => { claims.set(player, token); },
    },
  };
}
