/**
 * Owns the commands of a session that are still unanswered: each keeps its id
 * until its reply, and remembers whether it was sent again after a loss. Why a
 * command had no effect is a CommandError.
 */

/** Wait before a refused handshake or command is repeated, unless told. */
export const RETRY_MS = 500;

/**
 * @typedef {object} Open a command without its reply
 * @property {string} verb
 * @property {object} args
 * @property {number} retries
 * @property {boolean} sent it was handed to a socket
 * @property {boolean} repeated it was sent again after a loss
 * @property {(ok: any) => void} resolve
 * @property {(error: CommandError) => void} reject
 */

/** Why a command had no effect, or why its effect is not known. */
export class CommandError extends Error {
  /** @param {import('./protocol.js').WireError} error */
  constructor(error) {
    super(error.message || error.code);
    this.name = 'CommandError';
    this.code = error.code;
    this.retry = error.retry ?? false;
    this.retry_after_ms = error.retry_after_ms ?? RETRY_MS;
  }
}

export class Commands {
  /** @type {Map<number, Open>} */ #open = new Map();
  #abandoned = 0;

  get size() {
    return this.#open.size;
  }

  /** How often all were given up: what was open before is of another session. */
  get abandoned() {
    return this.#abandoned;
  }

  get ids() {
    return [...this.#open.keys()];
  }

  /**
   * @param {number} id
   * @param {Open} open
   */
  add(id, open) {
    this.#open.set(id, open);
  }

  /**
   * The command that a reply answers; it is closed by that.
   * @param {number | null | undefined} id
   * @returns {Open | undefined}
   */
  close(id) {
    if (id === null || id === undefined) return undefined;
    const open = this.#open.get(id);
    this.#open.delete(id);
    return open;
  }

  /** @param {number | null | undefined} id */
  has(id) {
    return id !== null && id !== undefined && this.#open.has(id);
  }

  /**
   * All that wait, as messages to send in the order of their ids, and the ids
   * of those that were sent before.
   */
  repeat() {
    /** @type {number[]} */
    const repeated = [];
    const messages = [...this.#open].map(([id, open]) => {
      if (open.sent) repeated.push(id);
      open.repeated = open.sent;
      open.sent = true;
      return { id, do: open.verb, args: open.args };
    });
    return { messages, repeated };
  }

  /**
   * Tells the callers that no answer will come.
   * @param {string} why
   */
  abandon(why) {
    this.#abandoned += 1;
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { reject } of open) reject(new CommandError({ code: 'outcome_unknown', message: why }));
  }
}
