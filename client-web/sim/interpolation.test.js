/** Interpolation: smooth, in the past, never backwards, whatever the line does. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { DELAY_MAX_MS, DELAY_MIN_MS, Interpolation } from './interpolation.js';

const UNITS_PER_MS = 12 / 50;

/**
 * A walker at constant speed, one frame each 50 ms, each late by a trace.
 * @param {(frame: number) => number} lateMs
 * @returns {{ drawn: number[], delays: number[] }} x at each picture (16 ms)
 */
function watch(lateMs) {
  const view = new Interpolation();
  let free = 0;
  const frames = Array.from({ length: 120 }, (_, n) => {
    free = Math.max(free, n * 50 + lateMs(n));
    return { tick: 1000 + n, x: n * 12, at: free };
  });
  const drawn = [];
  const delays = [];
  for (let now = 0; now < 5_900; now += 16) {
    while (frames[0] && frames[0].at <= now) {
      const { tick, x, at } = /** @type {{ tick: number, x: number, at: number }} */ (frames.shift());
      view.put(1, tick, { x, y: 0 });
      view.frame(tick, at);
    }
    view.advance(now);
    const point = view.at(1);
    if (point && now > 1_000) {
      drawn.push(point.x);
      delays.push(now - point.x / UNITS_PER_MS);
    }
  }
  return { drawn, delays };
}

/** @param {number[]} drawn */
const paces = (drawn) => drawn.slice(1).map((x, n) => (x - (drawn[n] ?? 0)) / (16 * UNITS_PER_MS));

test('a steady line draws a steady pace, one delay in the past', () => {
  const { drawn, delays } = watch(() => 40);
  for (const pace of paces(drawn)) assert.ok(Math.abs(pace - 1) < 0.15, `pace ${pace}`);
  for (const delay of delays) assert.ok(Math.abs(delay - 40 - DELAY_MIN_MS) < 20, `delay ${delay}`);
});

test('jitter of 20 ms is not seen', () => {
  let seed = 7;
  const { drawn } = watch(() => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return 40 + (seed / 2 ** 31) * 40 - 20;
  });
  const off = paces(drawn).filter((pace) => Math.abs(pace - 1) > 0.15);
  assert.ok(off.length / drawn.length < 0.05, `${off.length} of ${drawn.length} pictures off pace`);
});

test('a stall freezes, never runs backwards, and is over soon', () => {
  const { drawn, delays } = watch((n) => (n === 60 ? 300 : 40));
  for (const pace of paces(drawn)) assert.ok(pace >= 0, `ran backwards: ${pace}`);
  assert.ok((delays.at(-1) ?? Infinity) < 40 + DELAY_MAX_MS, 'the delay came back');
});

test('one who stood still does not slide into the next move', () => {
  const view = new Interpolation();
  view.put(1, 10, { x: 0, y: 0 });
  view.frame(10, 500);
  view.put(1, 40, { x: 12, y: 0 });
  view.frame(40, 2_000);
  view.advance(1_950);
  assert.equal(view.at(1)?.x, 0);
  view.advance(2_050);
  assert.equal(view.at(1)?.x, 6);
});

test('nothing is known of a stranger', () => {
  assert.equal(new Interpolation().at(5), null);
});
