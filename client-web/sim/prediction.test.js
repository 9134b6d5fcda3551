/** Prediction: taken at once, numbered, and never wrong for a lone player. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { PENDING_MAX, Prediction } from './prediction.js';
import { move } from './step.js';

/** @type {import('../net/wire.js').Step} */
const RIGHT = [1, 0, 0];

test('moves at once and numbers its steps from one', () => {
  const prediction = new Prediction();
  prediction.reset({ x: 100, y: 100 }, 0);
  assert.equal(prediction.take(RIGHT), 1);
  assert.equal(prediction.take(RIGHT), 2);
  assert.deepEqual(prediction.at, { x: 124, y: 100 });
});

test('a lone player is never corrected, whatever the delay', () => {
  const prediction = new Prediction();
  let server = { x: 4000, y: 30 };
  prediction.reset(server, 0);
  /** @type {{ seq: number, step: import('../net/wire.js').Step }[]} */
  const wire = [];
  for (let n = 0; n < 200; n += 1) {
    /** @type {import('../net/wire.js').Step} */
    const step = [Math.sign(Math.sin(n / 5)), Math.sign(Math.cos(n / 3)), n % 3 === 0 ? 1 : 0];
    wire.push({ seq: prediction.take(step), step });
    if (n % 7 !== 0) continue;
    const seen = wire.splice(0, wire.length - (n % 4));
    server = seen.reduce((at, one) => move(at, one.step), server);
    const last = seen.at(-1)?.seq;
    assert.deepEqual(prediction.reconcile(server, last), { x: 0, y: 0 });
  }
  assert.equal(prediction.corrections, 0);
});

test('takes the server at its word and plays the open steps on top', () => {
  const prediction = new Prediction();
  prediction.reset({ x: 100, y: 100 }, 0);
  for (let n = 0; n < 3; n += 1) prediction.take(RIGHT);
  assert.deepEqual(prediction.reconcile({ x: 100, y: 50 }, 2), { x: 24, y: 50 });
  assert.deepEqual(prediction.at, { x: 112, y: 50 });
  assert.equal(prediction.corrections, 1);
});

test('steps that were dropped moved nothing: in passes without a position', () => {
  const prediction = new Prediction();
  prediction.reset({ x: 100, y: 100 }, 0);
  prediction.take(RIGHT);
  prediction.reconcile(null, 1);
  assert.deepEqual(prediction.at, { x: 100, y: 100 });
  assert.equal(prediction.pending, 0);
});

test('a position that is newer than its in is no correction', () => {
  const prediction = new Prediction();
  prediction.reset({ x: 100, y: 100 }, 0);
  for (let n = 0; n < 4; n += 1) prediction.take(RIGHT);
  assert.deepEqual(prediction.reconcile({ x: 124, y: 100 }, 1), { x: 0, y: 0 });
  assert.deepEqual(prediction.reconcile(null, 2), { x: 0, y: 0 });
  assert.deepEqual(prediction.at, { x: 148, y: 100 });
  assert.equal(prediction.pending, 2);
  assert.equal(prediction.corrections, 0);
});

test('numbers go on after the server has seen higher ones', () => {
  const prediction = new Prediction();
  prediction.reset({ x: 0, y: 0 }, 0);
  prediction.reconcile(null, 500);
  assert.equal(prediction.take(RIGHT), 501);
});

test('gives its open steps back in frames of at most 32, and is bounded', () => {
  const prediction = new Prediction();
  prediction.reset({ x: 0, y: 0 }, 10);
  for (let n = 0; n < PENDING_MAX; n += 1) prediction.take(RIGHT);
  const sent = () => prediction.unacknowledged().map(({ seq, steps }) => [seq, steps.length]);
  assert.equal(prediction.full, true);
  assert.deepEqual(sent(), [[11, PENDING_MAX]]);
  for (let n = PENDING_MAX; n < 40; n += 1) prediction.take(RIGHT);
  assert.deepEqual(sent(), [[11, 32], [43, 8]]);
});
