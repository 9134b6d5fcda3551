/** Sums of goods. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { GOLD, counted, goodsOf, goodsWords, isNothing, itemName, lacking, quantityIn, sum } from './goods.js';

const swords = (/** @type {number} */ quantity) => ({ items: [{ item_id: 'sword-001', quantity }] });

test('goods and rows say the same', () => {
  assert.deepEqual(counted({ gold: 5, ...swords(2) }), [[GOLD, 5], ['sword-001', 2]]);
  assert.deepEqual(goodsOf([[GOLD, 5], ['sword-001', 2], ['potion-001', 0]]), { gold: 5, ...swords(2) });
  assert.deepEqual(goodsOf([]), {}, 'nothing is left out, as the wire wants it');
  assert.ok(isNothing({}) && isNothing({ items: [] }) && !isNothing({ gold: 1 }) && !isNothing(swords(1)));
  assert.equal(quantityIn(swords(3), 'sword-001'), 3);
  assert.equal(quantityIn(swords(3), GOLD), 0);
});

test('sums add up good by good', () => {
  assert.deepEqual(sum([{ gold: 5 }, swords(1), { gold: 7, ...swords(2) }]), { gold: 12, ...swords(3) });
});

test('what is lacking is what is not held', () => {
  const purse = { gold: 10, inventory: [{ item_id: 'sword-001', name: 'Iron Sword', quantity: 1 }] };
  assert.deepEqual(lacking(purse, { gold: 25, ...swords(1) }), { gold: 15 });
  assert.deepEqual(lacking(purse, swords(3)), swords(2));
  assert.ok(isNothing(lacking(purse, { gold: 10 })));
});

test('items have names, and what is not known its id', () => {
  assert.equal(itemName('potion-001'), 'Health Potion');
  assert.equal(itemName('<b>'), '<b>');
});

test('goods are named and counted', () => {
  const many = { gold: 5, items: [{ item_id: 'potion-001', quantity: 3 }, { item_id: '<i>', quantity: 1 }] };
  assert.equal(goodsWords(many), '5 gold, Health Potion ×3 and <i>');
  assert.equal(goodsWords({}), 'nothing');
});
