/** The room: rosters and frames, whole and delta, in any order. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { Room } from './room.js';

/** @returns {Room} */
function arena() {
  const room = new Room();
  room.begin('alice');
  room.applyRoster({ ev: 'roster', players: [[1, 'alice', 'Alice'], [2, 'bob', 'Bob']], full: true });
  room.applyFrame({ ev: 'room', tick: 1, e: [[1, 5, 5, 100, 0], [2, 9, 9, 100, 0]], full: true });
  return room;
}

test('knows oneself and the others', () => {
  const room = arena();
  assert.equal(room.own?.entity, 1);
  assert.deepEqual(room.others().map(({ player }) => player), ['bob']);
});

test('a delta changes only what it carries', () => {
  const room = arena();
  const { own, hits } = room.applyFrame({ ev: 'room', tick: 2, in: 4, e: [[2, 9, 9, 75, 0]] });
  assert.equal(own, null);
  assert.deepEqual(hits, [{ entity: 2, by: -25 }]);
  assert.equal(room.own?.x, 5);
});

test('who left is gone, by delta or by absence from a whole frame', () => {
  const room = arena();
  room.applyFrame({ ev: 'room', tick: 2, gone: [2] });
  assert.deepEqual(room.others(), []);
  const other = arena();
  assert.deepEqual(other.applyFrame({ ev: 'room', tick: 2, e: [[1, 5, 5, 100, 0]], full: true }).gone, [2]);
});

test('a number that means somebody else tells nothing of the one before', () => {
  const room = arena();
  const den = { ev: /** @type {const} */ ('roster'), players: [[1, 'eve', 'Eve'], [2, 'alice', 'Alice']] };
  assert.deepEqual(room.applyRoster(/** @type {any} */ ({ ...den, full: true })), [1, 2]);
  const rows = /** @type {import('../net/wire.js').EntityRow[]} */ ([[2, 5, 5, 100, 0], [1, 9, 9, 30, 0]]);
  const { own, hits } = room.applyFrame({ ev: 'room', tick: 2, e: rows, full: true });
  assert.deepEqual([own?.entity, hits], [2, []]);
  assert.deepEqual(room.applyRoster({ ev: 'roster', players: [[1, 'eve', 'Evelyn'], [3, 'bob', 'Bob']] }), []);
  assert.deepEqual(room.applyRoster({ ev: 'roster', players: [[1, 'dan', 'Dan']] }), [1]);
});

test('a whole frame that comes before the roster says which one is oneself', () => {
  const room = new Room();
  room.begin('alice');
  const { own } = room.applyFrame({ ev: 'room', tick: 1, e: [[7, 1, 2, 100, 0]], full: true });
  assert.equal(own?.entity, 7);
  room.applyRoster({ ev: 'roster', players: [[7, 'alice', 'Alice']], full: true });
  assert.equal(room.own?.entity, 7);
});

test('a newcomer, a wound and a changed flag are news; a walk is none', () => {
  const room = arena();
  const newsOf = (/** @type {import('../net/wire.js').EntityRow[]} */ ...e) => room.applyFrame({ ev: 'room', tick: 2, e }).news;
  assert.equal(newsOf([2, 50, 9, 100, 0]), false);
  assert.equal(newsOf([3, 9, 9, 100, 0]), true);
  assert.equal(newsOf([2, 50, 9, 75, 0]), true);
  assert.equal(newsOf([2, 50, 9, 75, 1]), true);
});
