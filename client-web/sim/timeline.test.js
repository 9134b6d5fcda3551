/** The drawn time: an adaptive delay, learned from arrivals, never backwards. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { randomOf } from './traces.js';
import { DELAY_GUESS_MS, DELAY_MAX_MS, SNAP_MS, Timeline } from './timeline.js';

/**
 * Frames at a beat, each late by something; pictures every 16 ms.
 * @param {Timeline} line
 * @param {{ from: number, to: number, beat?: number, late?: (at: number) => number }} span
 */
function run(line, { from, to, beat = 50, late = () => 40 }) {
  /** @type {{ at: number, time: number }[]} */
  const drawn = [];
  let sent = from;
  let free = 0;
  for (let now = from; now < to; now += 16) {
    for (; Math.max(free, sent + late(sent)) <= now; sent += beat) {
      free = Math.max(free, sent + late(sent));
      line.arrived(sent, sent - beat, sent - beat, free);
    }
    line.advance(now);
    if (line.time !== null) drawn.push({ at: now, time: line.time });
  }
  return drawn;
}

test('a steady beat is waited for and little more, at 20 and at 10 Hz', () => {
  for (const beat of [50, 100]) {
    const line = new Timeline();
    run(line, { from: 0, to: 6_000, beat });
    assert.ok(line.delayMs >= beat && line.delayMs <= beat + 20, `${beat}: ${line.delayMs}`);
    assert.ok(Math.abs(line.behindMs - line.delayMs) < 10, `${line.behindMs}`);
  }
});

test('before anybody walked a delay is guessed', () => {
  const line = new Timeline();
  assert.equal(line.delayMs, DELAY_GUESS_MS);
  line.advance(5);
  assert.equal(line.time, null);
  line.arrived(1_000, 950, null, 40);
  assert.equal(Math.round(line.delayMs), DELAY_GUESS_MS);
});

test('jitter makes the delay longer, fast, and its end shorter, slowly', () => {
  const line = new Timeline();
  const random = randomOf(3);
  const jitter = () => 40 + random() * 80;
  run(line, { from: 0, to: 4_000 });
  const steady = line.delayMs;
  run(line, { from: 4_000, to: 5_000, late: jitter });
  assert.ok(line.behindMs > steady + 50, `after a second ${line.behindMs}`);
  run(line, { from: 5_000, to: 9_000, late: jitter });
  const jittery = line.behindMs;
  run(line, { from: 9_000, to: 10_000 });
  assert.ok(line.behindMs > jittery - 40, 'not at once');
  run(line, { from: 10_000, to: 20_000 });
  assert.ok(Math.abs(line.behindMs - steady) < 15, `in the end ${line.behindMs}`);
});

test('a path that gets longer is followed, one that gets shorter too', () => {
  const line = new Timeline();
  run(line, { from: 0, to: 4_000 });
  run(line, { from: 4_000, to: 12_000, late: () => 240 });
  assert.ok(line.delayMs < 80, `${line.delayMs}`);
  const drawn = run(line, { from: 12_000, to: 24_000, late: () => 40 });
  const last = /** @type {{ at: number, time: number }} */ (drawn.at(-1));
  assert.ok(last.at - last.time < 40 + 80, `${last.at - last.time} ms ago`);
});

test('a stall counts once, however many frames it held up', () => {
  const line = new Timeline();
  run(line, { from: 0, to: 5_000 });
  const before = line.delayMs;
  run(line, { from: 5_000, to: 7_000, late: (at) => (at < 5_800 ? 5_800 - at + 40 : 40) });
  assert.ok(line.delayMs - before < 15, `from ${before} to ${line.delayMs}`);
});

test('what is far too old is not caught up with but left out', () => {
  const line = new Timeline();
  run(line, { from: 0, to: 6_000, late: () => 540 });
  const drawn = run(line, { from: 6_000, to: 14_000, late: () => 40 });
  const steps = drawn.slice(1).map(({ time }, place) => time - (drawn[place]?.time ?? time));
  assert.ok(Math.max(...steps) > SNAP_MS, `${Math.max(...steps)}`);
});

test('time never runs backwards, at most a tenth too fast, and jumps over what is old', () => {
  const line = new Timeline();
  const random = randomOf(11);
  const wild = () => (random() < 0.05 ? 600 : 20 + random() * 200);
  const drawn = run(line, { from: 0, to: 20_000, late: wild });
  for (const [place, { at, time }] of drawn.entries()) {
    const before = drawn[place - 1];
    if (!before) continue;
    const speed = (time - before.time) / (at - before.at);
    assert.ok(speed >= 0, `backwards at ${at}`);
    assert.ok(speed < 1.11 || speed > 10, `speed ${speed} at ${at}`);
  }
  assert.ok(line.delayMs <= DELAY_MAX_MS);
  line.advance(30_000);
  assert.ok(Number(line.time) > 29_000, 'the page was hidden');
});
