/** What the panel knows of a journal from its history's entries. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal, ROWS_MAX } from './journal.js';

const step = (/** @type {number} */ seq, /** @type {number} */ f, /** @type {number} */ n) =>
  /** @type {any} */ ({
    entry: 'record',
    seq,
    epoch: 9,
    bytes: 70,
    time_ms: 1_000 + seq,
    facts: [{ what: 'event', name: 'in', data: { f, n } }],
  });

test('runs of input are one row', () => {
  const journal = new Journal();
  journal.add({ entry: 'claim', after: 0, epoch: 9 });
  for (const [seq, f, n] of [
    [1, 1, 2],
    [2, 3, 4],
    [3, 5, 6],
  ])
    journal.add(step(seq ?? 0, f ?? 0, n ?? 0));
  journal.add({
    entry: 'record',
    seq: 4,
    epoch: 9,
    bytes: 30,
    time_ms: 1_004,
    facts: [{ what: 'attached' }],
  });
  journal.add(step(5, 7, 8));
  assert.deepEqual(
    journal.rows.map(({ seq, bytes, words }) => [seq, bytes, words]),
    [
      [5, 70, 'input: steps 7–8'],
      [4, 30, 'socket attached'],
      [3, 210, 'input: steps 1–6 in 3 records'],
      [0, 0, 'epoch 9 taken'],
    ],
  );
  assert.deepEqual([journal.seq, journal.epoch], [5, 9]);
});

test('what was told already changes nothing', () => {
  const journal = new Journal();
  for (let again = 0; again < 2; again += 1) {
    journal.add({ entry: 'claim', after: 0, epoch: 9 });
    journal.add(step(1, 1, 1));
    journal.add({ entry: 'snapshot', seq: 1, bytes: 400 });
  }
  assert.equal(journal.rows.length, 3);
});

test('a snapshot has the time of its last record', () => {
  const journal = new Journal();
  journal.add(step(1, 1, 1));
  journal.add(step(2, 2, 2));
  journal.add({ entry: 'snapshot', seq: 1, bytes: 400 });
  assert.deepEqual(journal.snapshot, { seq: 1, bytes: 400, time_ms: 1_001 });
  journal.add({ entry: 'snapshot', seq: 99, bytes: 400 });
  assert.equal(journal.snapshot?.time_ms, null, 'unknown is not guessed');
});

test('rows are bounded', () => {
  const journal = new Journal();
  for (let epoch = 1; epoch < 100; epoch += 1) journal.add({ entry: 'claim', after: 0, epoch });
  assert.equal(journal.rows.length, ROWS_MAX);
});

test('a record that cannot be read says why', () => {
  const journal = new Journal();
  journal.add({
    entry: 'record',
    seq: 1,
    epoch: 9,
    bytes: 8,
    facts: [],
    problem: 'the checksum does not match',
  });
  assert.equal(journal.rows[0]?.words, 'the checksum does not match');
  assert.equal(journal.rows[0]?.time_ms, null);
});
