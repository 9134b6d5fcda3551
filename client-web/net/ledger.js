/**
 * Owns what a session must not forget between two sockets, or over a reload of
 * the page: who plays, the resume token, the newest event seq, and the numbers
 * of commands and input steps.
 *
 * Numbers may never be used twice, and writing storage for each is dear, so
 * they are reserved in blocks: storage holds the end of the block, and a
 * reloaded page goes on from there. Gaps are allowed by the wire.
 */

/** Numbers reserved by one write. */
export const BLOCK = 256;

/**
 * @typedef {object} Saved
 * @property {string} player
 * @property {string} name
 * @property {string} resume token; empty when there is nothing to resume
 * @property {number} seq newest event seq seen
 * @property {number} ids command ids up to here may be used
 * @property {number} inputs input seqs up to here may be used
 *
 * @typedef {{ load: () => Saved | null, save: (saved: Saved) => void, clear: () => void }} Store
 */

export class Ledger {
  /** @type {Store} */ #store;
  /** @type {Saved | null} */ #saved;
  #id;
  #input;

  /** @param {Store} store */
  constructor(store) {
    this.#store = store;
    this.#saved = store.load();
    this.#id = this.#saved?.ids ?? 0;
    this.#input = this.#saved?.inputs ?? 0;
  }

  get identity() {
    return this.#saved && { player: this.#saved.player, name: this.#saved.name };
  }

  get resume() {
    return this.#saved?.resume ?? '';
  }

  get seq() {
    return this.#saved?.seq ?? 0;
  }

  /** The newest input seq that may have been sent. */
  get input() {
    return this.#input;
  }

  /**
   * Someone logs in: nothing of the session before counts any more.
   * @param {string} player
   * @param {string} name
   */
  begin(player, name) {
    this.#id = 0;
    this.#input = 0;
    this.#write({ player, name, resume: '', seq: 0, ids: 0, inputs: 0 });
  }

  /** The session is over, the player stays: the next handshake is a hello. */
  forgetSession() {
    if (this.#saved) this.begin(this.#saved.player, this.#saved.name);
  }

  /** Logged out. */
  clear() {
    this.#saved = null;
    this.#store.clear();
  }

  /** The id that the server says: the player's from here on. @param {string} player */
  keepPlayer(player) {
    if (this.#saved) this.#write({ ...this.#saved, player });
  }

  /** @param {string} token */
  keepResume(token) {
    if (this.#saved) this.#write({ ...this.#saved, resume: token });
  }

  /** @param {number} seq */
  keepSeq(seq) {
    if (this.#saved) this.#write({ ...this.#saved, seq });
  }

  nextId() {
    this.#id += 1;
    if (this.#saved && this.#id > this.#saved.ids) this.#write({ ...this.#saved, ids: this.#id + BLOCK });
    return this.#id;
  }

  /**
   * Input up to this seq is about to be sent.
   * @param {number} seq
   */
  useInput(seq) {
    this.#input = Math.max(this.#input, seq);
    if (this.#saved && this.#input > this.#saved.inputs) {
      this.#write({ ...this.#saved, inputs: this.#input + BLOCK });
    }
  }

  /** @param {Saved} saved */
  #write(saved) {
    this.#saved = saved;
    this.#store.save(saved);
  }
}
