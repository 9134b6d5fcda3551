/**
 * Owns what the browser remembers: the session for as long as the tab lives
 * (so that a reload resumes), the tokens of claimed names for good, the last
 * name, and whether behind the scenes is wanted. A browser that refuses storage
 * plays on without it.
 */

const NAME_KEY = 'holdfast.name';
const SESSION_KEY = 'holdfast.session';
const CLAIM_KEY = 'holdfast.claim.';
const SCENES_KEY = 'holdfast.scenes';

/**
 * @template T
 * @param {() => T} use
 * @returns {T | null}
 */
function tolerant(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

/** @returns {import('../net/ledger.js').Store} */
export function sessionStore() {
  return {
    load: () => tolerant(() => JSON.parse(sessionStorage.getItem(SESSION_KEY) ?? 'null')),
    save: (saved) => {
      tolerant(() => sessionStorage.setItem(SESSION_KEY, JSON.stringify(saved)));
    },
    clear: () => {
      tolerant(() => sessionStorage.removeItem(SESSION_KEY));
    },
  };
}

/** @returns {{ get: (player: string) => string | null, set: (player: string, token: string) => void }} */
export function claimStore() {
  return {
    get: (player) => tolerant(() => localStorage.getItem(CLAIM_KEY + player)),
    set: (player, token) => {
      tolerant(() => localStorage.setItem(CLAIM_KEY + player, token));
    },
  };
}

/** The name typed last, for the next visit. */
export const rememberedName = Object.freeze({
  get: () => tolerant(() => localStorage.getItem(NAME_KEY)) ?? '',
  set: (/** @type {string} */ name) => {
    tolerant(() => localStorage.setItem(NAME_KEY, name));
  },
});

/** Whether behind the scenes was opened or shut by hand; null: neither. */
export const scenesWish = Object.freeze({
  /** @returns {boolean | null} */
  get() {
    const wish = tolerant(() => localStorage.getItem(SCENES_KEY));
    return wish === null ? null : wish === 'open';
  },
  set: (/** @type {boolean} */ open) => {
    tolerant(() => localStorage.setItem(SCENES_KEY, open ? 'open' : 'shut'));
  },
});
