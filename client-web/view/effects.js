/**
 * Owns what is seen for a moment: numbers that rise, the stroke of a blow, words
 * over somebody's head. Bounded, and pure but for the time that is handed in.
 */

const NUMBER_MS = 1_100;
const STROKE_MS = 260;
export const WORDS_MS = 6_000;
const NUMBERS_MAX = 60;
/** Numbers of one moment rise beside each other. */
const LANES = 3;
const WORDS_MAX = 40;

/** @typedef {{ player: string, by: number, gold: boolean, at: number, age: number, lane: number }} Rising */

export class Effects {
  /** @type {Rising[]} */ #numbers = [];
  #lane = 0;
  /** @type {Map<string, number>} */ #struck = new Map();
  /** @type {Map<string, { text: string, at: number }>} */ #words = new Map();

  /**
   * @param {string} player
   * @param {number} by
   * @param {number} now
   */
  hit(player, by, now) {
    this.#rise(player, by, false, now);
    if (by >= 0) return;
    this.#struck.set(player, now);
    if (this.#struck.size > NUMBERS_MAX) dropFirst(this.#struck);
  }

  /**
   * Gold that somebody got.
   * @param {string} player
   * @param {number} by
   * @param {number} now
   */
  gain(player, by, now) {
    this.#rise(player, by, true, now);
  }

  /**
   * @param {string} player
   * @param {number} by
   * @param {boolean} gold
   * @param {number} now
   */
  #rise(player, by, gold, now) {
    this.#lane = (this.#lane + 1) % LANES;
    this.#numbers.push({ player, by, gold, at: now, age: 0, lane: this.#lane });
    if (this.#numbers.length > NUMBERS_MAX) this.#numbers.shift();
  }

  /**
   * @param {string} player
   * @param {string} text
   * @param {number} now
   */
  say(player, text, now) {
    this.#words.delete(player);
    this.#words.set(player, { text, at: now });
    if (this.#words.size > WORDS_MAX) dropFirst(this.#words);
  }

  /**
   * The numbers that still rise; `age` from 0 to 1.
   * @param {number} now
   */
  numbers(now) {
    while (this.#numbers[0] && now - this.#numbers[0].at >= NUMBER_MS) this.#numbers.shift();
    for (const number of this.#numbers) number.age = (now - number.at) / NUMBER_MS;
    return this.#numbers;
  }

  /**
   * How far the stroke of the last blow is, 0 to 1; null when it is over.
   * @param {string} player
   * @param {number} now
   */
  struckAgo(player, now) {
    const at = this.#struck.get(player);
    if (at === undefined) return null;
    if (now - at < STROKE_MS) return (now - at) / STROKE_MS;
    this.#struck.delete(player);
    return null;
  }

  /**
   * What somebody said a moment ago.
   * @param {string} player
   * @param {number} now
   */
  saidBy(player, now) {
    const said = this.#words.get(player);
    if (!said) return null;
    if (now - said.at < WORDS_MS) return said.text;
    this.#words.delete(player);
    return null;
  }
}

/** @param {Map<string, unknown>} map */
function dropFirst(map) {
  const first = map.keys().next();
  if (!first.done) map.delete(first.value);
}
