/** What is seen for a moment goes by itself, and is bounded. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blazonOf } from './blazon.js';
import { Effects, WORDS_MS } from './effects.js';

test('numbers rise and go', () => {
  const effects = new Effects();
  effects.hit('bob', -25, 1_000);
  effects.hit('bob', 15, 1_500);
  assert.deepEqual(
    effects.numbers(1_550).map(({ by, age }) => [by, age]),
    [
      [-25, 0.5],
      [15, 50 / 1_100],
    ],
  );
  assert.deepEqual(
    effects.numbers(2_100).map(({ by }) => by),
    [15],
  );
});

test('gold rises like a number, and strikes nobody', () => {
  const effects = new Effects();
  effects.gain('bob', 5, 1_000);
  assert.deepEqual(effects.numbers(1_000).map(({ by, gold }) => [by, gold]), [[5, true]]);
  assert.equal(effects.struckAgo('bob', 1_000), null);
});

test('only a blow leaves a stroke', () => {
  const effects = new Effects();
  effects.hit('bob', -25, 0);
  effects.hit('eve', 15, 0);
  assert.equal(effects.struckAgo('bob', 130), 0.5);
  assert.equal(effects.struckAgo('bob', 300), null);
  assert.equal(effects.struckAgo('eve', 10), null);
});

test('the newest words stand, for a while', () => {
  const effects = new Effects();
  effects.say('bob', 'one', 0);
  effects.say('bob', 'two', 100);
  assert.equal(effects.saidBy('bob', 100 + WORDS_MS - 1), 'two');
  assert.equal(effects.saidBy('bob', 100 + WORDS_MS), null);
});

test('a crowd does not pile up', () => {
  const effects = new Effects();
  for (let n = 0; n < 1_000; n += 1) {
    effects.hit(`p${n}`, -1, 0);
    effects.say(`p${n}`, 'hi', 0);
  }
  assert.ok(effects.numbers(1).length <= 60);
  assert.equal(effects.saidBy('p0', 1), null);
  assert.equal(effects.saidBy('p999', 1), 'hi');
});

test('a player looks the same everywhere, and players differ', () => {
  assert.deepEqual(blazonOf('keen-otter'), blazonOf('keen-otter'));
  const looks = new Set(Array.from({ length: 100 }, (_, n) => JSON.stringify(blazonOf(`player-${n}`))));
  assert.ok(looks.size > 45, `${looks.size} looks for 100 players`);
});
