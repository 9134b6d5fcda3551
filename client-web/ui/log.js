/**
 * Owns the log: a polite live region of what happened, newest at the bottom,
 * bounded. It follows its end unless someone scrolled up to read. Blows of a
 * fight are joined in one line.
 */

import { Blows } from './blows.js';
import { byId, make, say } from './dom.js';

const LINES_MAX = 200;

/**
 * @typedef {'notice' | 'combat' | 'reply' | 'error' | 'say' | 'party' | 'deal' | 'link'} LineKind
 */

export class Log {
  #list = byId('log', HTMLElement);
  #blows = new Blows();
  #lastError = { text: '', at: -Infinity };

  /**
   * @param {LineKind} kind
   * @param {string} text
   * @param {string} [from]
   */
  write(kind, text, from) {
    if (kind === 'error' && this.#repeats(text)) return;
    const line = make('p', `line ${kind}`);
    if (from) line.append(make('b', 'from', from), ' ');
    line.append(make('span', '', text));
    this.#append(line);
  }

  /** @param {import('./blows.js').Blow} blow */
  blow(blow) {
    const told = this.#blows.add(blow, performance.now());
    const known = told.fresh ? null : this.#list.querySelector(`[data-blows="${told.line}"] span`);
    if (known) return say(known, told.text);
    const line = make('p', `line ${blow.way === 'taken' ? 'notice' : 'combat'}`);
    line.dataset.blows = String(told.line);
    line.append(make('span', '', told.text));
    return this.#append(line);
  }

  /** The same refusal again and again is said once. @param {string} text */
  #repeats(text) {
    const now = performance.now();
    const repeats = text === this.#lastError.text && now - this.#lastError.at < 3_000;
    this.#lastError = { text, at: now };
    return repeats;
  }

  /** @param {HTMLElement} line */
  #append(line) {
    const list = this.#list;
    const following = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(line);
    while (list.children.length > LINES_MAX) list.firstElementChild?.remove();
    if (following) list.scrollTop = list.scrollHeight;
  }
}
