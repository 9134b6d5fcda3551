/** Coins: they appear, are picked up, and a whole list replaces what was known. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { Coins } from './coins.js';

test('coins lie until they are picked up, and that is told once', () => {
  const coins = new Coins();
  coins.apply({ ev: 'coins', at: [[1, 10, 20], [2, 30, 40]] });
  assert.deepEqual(coins.lying, [{ coin: 1, x: 10, y: 20 }, { coin: 2, x: 30, y: 40 }]);
  assert.deepEqual(coins.apply({ ev: 'coins', taken: [1, 9] }), [{ coin: 1, x: 10, y: 20 }]);
  assert.deepEqual(coins.apply({ ev: 'coins', taken: [1] }), []);
  assert.deepEqual(coins.lying.map(({ coin }) => coin), [2]);
});

test('a whole list is all of them, and nobody has picked up the rest', () => {
  const coins = new Coins();
  const { lying } = coins;
  coins.apply({ ev: 'coins', at: [[1, 10, 20], [2, 30, 40]] });
  assert.deepEqual(coins.apply({ ev: 'coins', at: [[2, 31, 40], [3, 1, 1]], full: true }), []);
  assert.deepEqual(coins.lying, [{ coin: 2, x: 31, y: 40 }, { coin: 3, x: 1, y: 1 }]);
  coins.apply({ ev: 'coins', at: [[3, 2, 2]] });
  assert.deepEqual(coins.lying.map(({ coin }) => coin), [2, 3], 'a coin lies there once');
  assert.equal(coins.lying, lying, 'the list stays the same one');
  coins.clear();
  assert.equal(lying.length, 0);
});
