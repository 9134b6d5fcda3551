/**
 * Owns the coins that lie in the room, as the room says it. The list is kept
 * and changed in place: it is read for every picture.
 */

/**
 * @typedef {import('../net/wire.js').CoinsEvent} CoinsEvent
 * @typedef {{ coin: number, x: number, y: number }} Coin
 */

export class Coins {
  /** @type {Coin[]} */ #lying = [];

  /** @returns {readonly Coin[]} */
  get lying() {
    return this.#lying;
  }

  clear() {
    this.#lying.length = 0;
  }

  /**
   * @param {CoinsEvent} event
   * @returns {Coin[]} those that were picked up, as far as they were seen
   */
  apply({ at = [], taken = [], full = false }) {
    const gone = new Set(taken);
    const picked = this.#lying.filter(({ coin }) => gone.has(coin));
    const here = new Set(at.map(([coin]) => coin));
    const kept = full ? [] : this.#lying.filter(({ coin }) => !gone.has(coin) && !here.has(coin));
    const news = at.filter(([coin]) => !gone.has(coin)).map(([coin, x, y]) => ({ coin, x, y }));
    this.#lying.splice(0, Infinity, ...kept, ...news);
    return picked;
  }
}
