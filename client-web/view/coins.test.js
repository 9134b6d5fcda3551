/** Coins drop in, lie, and fly for a moment; nothing is kept of those that are gone. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CoinView } from './coins.js';

const camera = { scale: 1, x: 100, y: 100, width: 200, height: 200 };
const sprite = (/** @type {string} */ name) => /** @type {any} */ ({ image: name, width: 24, height: 24 });
const pictures = { coin: sprite('coin'), shadow: sprite('shadow'), glint: sprite('glint') };

/** @param {CoinView} view @param {{ coin: number, x: number, y: number }[]} coins @param {number} now */
function drawn(view, coins, now) {
  /** @type {any[]} */
  const images = [];
  const pen = /** @type {any} */ ({ globalAlpha: 1, drawImage: (/** @type {any[]} */ ...given) => images.push(given) });
  view.draw(pen, camera, coins, pictures, now, false);
  assert.equal(pen.globalAlpha, 1, 'the pen is left as it was');
  return images;
}

test('a coin drops in and comes to rest where it lies', () => {
  const view = new CoinView();
  const coins = [{ coin: 1, x: 100, y: 100 }];
  const topOf = (/** @type {number} */ now) => drawn(view, coins, now).find(([image]) => image === 'coin')[2];
  assert.ok(topOf(1_000) < 50, 'high above at first');
  assert.equal(topOf(2_000), 100 - 12);
});

test('what is out of sight is not drawn', () => {
  assert.deepEqual(drawn(new CoinView(), [{ coin: 1, x: 900, y: 100 }], 0), []);
});

test('a coin that was picked up flies for a moment', () => {
  const view = new CoinView();
  view.taken({ coin: 1, x: 100, y: 100 }, 1_000);
  assert.deepEqual(drawn(view, [], 1_100).map(([image]) => image), ['glint', 'coin']);
  assert.deepEqual([view.flying(1_100), view.flying(1_600)], [1, 0]);
  assert.deepEqual(drawn(view, [], 1_600), []);
});

test('a crowd of pick-ups is bounded', () => {
  const view = new CoinView();
  for (let coin = 0; coin < 500; coin += 1) view.taken({ coin, x: 100, y: 100 }, 1_000);
  assert.equal(view.flying(1_001), 24);
});
