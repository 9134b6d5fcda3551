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

const SVG = 'http://www.w3.org/2000/svg';

/**
 * A picture of the page's own sprites.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * Sets text only when it changes, so that nothing is announced twice.
 * @param {Element | null | undefined} element
 * @param {string} text
 */
export function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/**
 * Sets an attribute only when it changes.
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
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
  const before = new Map(
    [...list.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, child]),
  );
  rows.forEach((row, place) => {
    const key = keyOf(row);
    const kept = /** @type {HTMLElement | undefined} */ (before.get(key));
    before.delete(key);
    const element = kept ?? create(row);
    if (!kept) element.dataset.key = key;
    update(element, row, place);
    if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
  });
  for (const gone of before.values()) gone.remove();
}
