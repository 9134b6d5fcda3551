/**
 * Owns the few ways the panels touch the document, so that text from players
 * only ever becomes text, and a missing element is a loud bug.
 */

/**
 * The element of an id; the page is wrong without it.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/**
 * A new element with a class and text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [className]
 * @param {string} [text]
 */
export function make(tag, className = '', text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/**
 * Sets text only when it changes, so that nothing is announced twice.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A hue that belongs to a player id, the same on every page.
 * @param {string} player
 */
export function hueOf(player) {
  let hash = 2166136261;
  for (const letter of player) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  return (hash >>> 0) % 360;
}

/**
 * Makes the children of a list follow keyed rows: kept elements stay the same
 * ones, so that focus survives an update.
 * @template T
 * @param {Element} list
 * @param {readonly T[]} rows
 * @param {(row: T) => string} keyOf
 * @param {(row: T) => HTMLElement} create
 * @param {(element: HTMLElement, row: T, place: number) => void} update
 */
export function follow(list, rows, keyOf, create, update) {
  const before = new Map([...list.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, child]));
  rows.forEach((row, place) => {
    const key = keyOf(row);
    const kept = /** @type {HTMLElement | undefined} */ (before.get(key));
    before.delete(key);
    const element = kept ?? create(row);
    element.dataset.key = key;
    update(element, row, place);
    if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
  });
  for (const gone of before.values()) gone.remove();
}
