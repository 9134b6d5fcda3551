/** Many blows, few lines. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Blows, blowTaken } from './blows.js';

const taken = (/** @type {string} */ who, damage = 25) =>
  /** @type {import('./blows.js').Blow} */ ({
    way: 'taken',
    who,
    damage,
    text: `${who} attacked you for ${damage} damage`,
  });

test('blows that follow each other are one line', () => {
  const blows = new Blows();
  assert.deepEqual(blows.add(taken('Bob'), 0), {
    line: 1,
    text: 'Bob attacked you for 25 damage',
    fresh: true,
  });
  assert.deepEqual(blows.add(taken('Bob'), 1_000), {
    line: 1,
    text: 'Bob attacked you: 2 blows, 50 damage',
    fresh: false,
  });
  assert.equal(blows.add(taken('Eve', 40), 2_000).text, 'Bob and 1 other attacked you: 3 blows, 90 damage');
});

test('a pause or a long fight begins a new line', () => {
  const blows = new Blows();
  blows.add(taken('Bob'), 0);
  assert.equal(blows.add(taken('Bob'), 4_001).fresh, true);
  const lines = new Set();
  for (let at = 10_000; at < 40_000; at += 1_000) lines.add(blows.add(taken('Bob'), at).line);
  assert.equal(lines.size, 3);
});

test('what is dealt and what is taken are two lines', () => {
  const blows = new Blows();
  blows.add(taken('Bob'), 0);
  assert.equal(blows.add({ way: 'dealt', who: 'Bob', damage: 25, text: 'Attack on Bob' }, 1).fresh, true);
  assert.equal(
    blows.add({ way: 'dealt', who: 'Bob', damage: 40, text: '' }, 2).text,
    'You struck Bob: 2 blows, 65 damage',
  );
});

test('a notice of a blow is told from others', () => {
  assert.deepEqual(blowTaken('Bob B attacked you for 12 damage (attack executed against alice)'), {
    way: 'taken',
    who: 'Bob B',
    damage: 12,
    text: 'Bob B attacked you for 12 damage (attack executed against alice)',
  });
  assert.equal(blowTaken('Welcome back'), null);
});
