/**
 * Owns the colours of the canvas: read from the style sheet, so that light and
 * dark are decided in one place, and read again when the scheme changes.
 */

const NAMES = /** @type {const} */ ([
  'floor',
  'stone-a',
  'stone-b',
  'stone-c',
  'joint',
  'inlay',
  'inlay-fine',
  'void',
  'wall',
  'label',
  'plate',
  'bar-back',
  'ring',
  'aim',
  'shield',
  'ghost',
  'hurt',
  'mend',
  'dust',
  'gold',
  'coin',
  'coin-edge',
  'coin-shine',
  'good',
  'warn',
  'bad',
  'muted',
]);

/** @typedef {Record<typeof NAMES[number], string>} Palette */

/** @returns {Palette} */
export function readPalette() {
  const style = getComputedStyle(document.documentElement);
  return /** @type {Palette} */ (
    Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]))
  );
}

/** What the visitor's system asks for; `changed` when it asks for something else. */
export const wishes = Object.freeze({
  get calm() {
    return matchMedia('(prefers-reduced-motion: reduce)').matches;
  },
  /** @param {() => void} changed */
  watch(changed) {
    for (const query of ['(prefers-color-scheme: light)', '(prefers-reduced-motion: reduce)']) {
      matchMedia(query).addEventListener('change', changed);
    }
  },
});
