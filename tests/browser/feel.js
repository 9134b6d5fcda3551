/**
 * Measures inside a page how it feels: how many pictures pass between a key and
 * one's own first move, when another player is first seen to move, and how
 * evenly pictures come. Everything is read from what is drawn.
 */

/** A move that can be seen, in units. */
const MOVED = 1;

/** @typedef {{ at: number, pictures: number, ms: number }} Start a key, by the wall clock, and what it took */

/**
 * Watches a page's own avatar after each key that is pressed.
 * @param {import('playwright-core').Page} page
 */
export async function watchSelf(page) {
  await page.evaluate((moved) => {
    const { holdfast } = /** @type {any} */ (window);
    /** @type {{ starts: Start[], gaps: number[] }} */
    const feel = { starts: [], gaps: [] };
    /** @type {{ at: number, from: any, pictures: number } | null} */
    let pressed = null;
    let last = performance.now();
    addEventListener('keydown', (event) => {
      if (!event.repeat) pressed = { at: event.timeStamp, from: holdfast.drawn().self, pictures: 0 };
    }, true);
    const look = () => {
      const now = performance.now();
      feel.gaps.push(now - last);
      last = now;
      if (pressed) {
        pressed.pictures += 1;
        const { self } = holdfast.drawn();
        if (Math.hypot(self.x - pressed.from.x, self.y - pressed.from.y) >= moved) {
          feel.starts.push({ at: performance.timeOrigin + pressed.at, pictures: pressed.pictures, ms: now - pressed.at });
          pressed = null;
        }
      }
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
    Object.assign(window, { feel });
  }, MOVED);
}

/**
 * Watches another player from this page: when it begins to move.
 * @param {import('playwright-core').Page} page
 * @param {string} player
 */
export async function watchOther(page, player) {
  await page.evaluate(([id, moved, rest_ms]) => {
    const { holdfast } = /** @type {any} */ (window);
    /** @type {{ seen: number[], gaps: number[] }} */
    const feel = { seen: [], gaps: [] };
    let last = performance.now();
    /** @type {any} */ let rest = null;
    let movedAt = -Infinity;
    const look = () => {
      const now = performance.now();
      feel.gaps.push(now - last);
      last = now;
      const at = holdfast.drawn().others[/** @type {string} */ (id)];
      if (at) {
        rest ??= at;
        if (Math.hypot(at.x - rest.x, at.y - rest.y) >= Number(moved)) {
          if (now - movedAt > Number(rest_ms)) feel.seen.push(performance.timeOrigin + now);
          movedAt = now;
          rest = at;
        }
      }
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
    Object.assign(window, { feel });
  }, /** @type {const} */ ([player, MOVED, 250]));
}

/**
 * Why a machine is too slow to draw for its numbers to say anything; null when it is not: most
 * pictures come at 50 a second or more, and 19 of 20 within three of 60 Hz.
 * @param {number[]} gaps between pictures, in milliseconds
 */
export function tooSlow(gaps) {
  const [middle, most] = [quantile(gaps, 0.5), quantile(gaps, 0.95)];
  if (middle <= 20 && most <= 50) return null;
  return `void: a picture comes every ${middle.toFixed(1)} ms (95%: ${most.toFixed(1)}), too slowly to tell`;
}

/** @param {import('playwright-core').Page} page @returns {Promise<any>} */
export const felt = (page) => page.evaluate(() => /** @type {any} */ (window).feel);

/**
 * @param {number[]} values
 * @param {number} share
 */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
