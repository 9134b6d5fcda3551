/** Owns how axe-core looks at a page as it is now: nothing that it calls serious may be there. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** Buttons are at least so large, in CSS pixels. */
export const THUMB_PX = 44;
const SERIOUS = new Set(['serious', 'critical']);

/** @param {import('./player.js').Player} player @param {string} state */
export async function assertAccessible(player, state) {
  const { page } = player;
  // What fades in has its colours when it is there.
  await player.see('everything at rest', () => document.getAnimations().every((one) => {
    const { endTime } = one.effect?.getComputedTiming() ?? {};
    return one.playState !== 'running' || endTime === Infinity;
  }));
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  // By the inspector: the page's own policy forbids scripts that are not its own.
  const inspector = await page.context().newCDPSession(page);
  await inspector.send('Runtime.evaluate', { expression: axe });
  const { violations, passes } = await page.evaluate(() => /** @type {any} */ (window).axe.run());
  await inspector.detach();
  const serious = violations.filter((/** @type {any} */ found) => SERIOUS.has(found.impact));
  const said = serious.map((/** @type {any} */ found) => `${found.id}: ${found.help}: ${found.nodes.map((/** @type {any} */ one) => one.html).join(' ')}`);
  assert.deepEqual(said, [], state);
  assert.ok(passes.length > 10, `${state}: axe looked at it (${passes.length})`);
}

/** Everything that can be pressed is large enough for a thumb. @param {import('./player.js').Player} player */
export async function assertThumbs({ page }) {
  for (const button of await page.locator('button:visible').all()) {
    const box = await button.boundingBox();
    const name = await button.evaluate((one) => one.id || one.getAttribute('aria-label') || one.textContent);
    assert.ok(box && box.width >= THUMB_PX && box.height >= THUMB_PX, `${name}: ${JSON.stringify(box)}`);
  }
}
