/** Words for records and durations. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agoWords, bytesWords, inputOf, msWords, recordWords } from './words.js';

test('a blow is told in a few words', () => {
  const facts = [
    { what: 'event', name: 'act', data: { at: 1 } },
    { what: 'event', name: 'swing', data: { token: 4, target: 'bob', by: 'attack', at: 1 } },
    { what: 'told', actor: 'player:bob', data: {} },
    { what: 'deferred', place: { session: 1, id: 7 } },
  ];
  assert.equal(recordWords(facts), 'attack at bob, tells player:bob, command 7 waits');
});

test('what passes between players is told by goods', () => {
  const deal = (/** @type {any} */ d) => ({ what: 'event', name: 'deal', data: { i: 't', d } });
  const settled = { paid: { t: {}, g: { g: 20 }, w: { i: { 'sword-001': 1 } }, a: 1 } };
  const heard = { what: 'heard', actor: 'trade:1a2301630de-ad29cbe87de266c3' };
  assert.equal(recordWords([heard, deal(settled)]), 'hears trade …e266c3, trade settled: gave 20 gold, got Iron Sword');
  assert.equal(recordWords([deal('end'), deal({ made: { t: { g: { g: 5 } } } })]), 'no trade, goods are back, reserves 5 gold');
  assert.equal(recordWords([{ what: 'event', name: 'coin', data: { room: 'arena', coin: 7, gold: 5 } }]), 'coin 7, +5 gold');
});

test('too many facts are counted, bookkeeping is named', () => {
  const many = Array.from({ length: 6 }, (_, n) => ({ what: 'event', name: 'hit', data: { health: n } }));
  assert.match(recordWords(many), /health 3, 2 more$/u);
  assert.equal(
    recordWords([
      { what: 'timer_set', name: 'idle' },
      { what: 'event', name: 'act' },
    ]),
    'timer set, act',
  );
});

test('only pure input is input', () => {
  const input = (/** @type {number} */ f, /** @type {number} */ n) => ({
    what: 'event',
    name: 'in',
    data: { f, n },
  });
  assert.deepEqual(inputOf([input(4, 6), input(7, 8)]), { from: 4, to: 8 });
  assert.equal(inputOf([input(4, 6), { what: 'pushed' }]), null);
  assert.equal(inputOf([]), null);
});

test('durations and sizes are readable', () => {
  assert.deepEqual([2.1, 12, 1_234, 61_000].map(msWords), ['2.1 ms', '12 ms', '1,234 ms', '61.0 s']);
  assert.deepEqual([200, 12_000, 240_000, 8_000_000].map(agoWords), [
    'just now',
    '12 s ago',
    '4 min ago',
    '2 h ago',
  ]);
  assert.deepEqual([70, 12_345].map(bytesWords), ['70 B', '12.3 kB']);
});
