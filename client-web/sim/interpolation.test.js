/** Interpolation: smooth, in the past, never beyond what is known. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { Interpolation } from './interpolation.js';
import { walkMs } from './step.js';
import { DELAY_GUESS_MS } from './timeline.js';

const WALK = { takes: (/** @type {any} */ from, /** @type {any} */ to) => walkMs(from, to, false) };

/**
 * Frames of one entity, and pictures; all times are local, the server's clock
 * says the same, and frames take no time.
 * @param {ConstructorParameters<typeof Interpolation>[0]} game
 */
function begin(game = WALK) {
  const view = new Interpolation(game);
  let now = 0;
  return {
    view,
    /** @param {number} tick @param {number | null} x @param {number} [at] */
    frame(tick, x, at = tick * 50) {
      now = at;
      if (x !== null) view.put(1, tick, { x, y: 0 });
      view.frame(tick, now);
    },
    /** @param {number} at */
    draw(at) {
      view.advance(at);
      return /** @type {{ x: number }} */ (view.at(1)).x;
    },
  };
}

test('nothing is known of a stranger, and a newcomer stands where it is', () => {
  const { view, frame, draw } = begin();
  assert.equal(view.at(1), null);
  assert.equal(view.time, null);
  frame(10, 77);
  assert.equal(draw(501), 77);
});

test('one who stood still does not slide into the next move', () => {
  const { frame, draw } = begin();
  for (let tick = 10; tick < 40; tick += 1) frame(tick, tick === 10 ? 0 : null);
  frame(40, 12);
  assert.equal(draw(1_950 + DELAY_GUESS_MS), 0);
  assert.ok(Math.abs(draw(1_975 + DELAY_GUESS_MS) - 6) < 1);
});

test('a walker whose frame held no step, and the next one two, walks on evenly', () => {
  const { view, frame, draw } = begin();
  let x = 0;
  let seen = -Infinity;
  for (let tick = 10; tick < 110; tick += 1) {
    // Every third step is seen with the one after it.
    const late = tick % 3 === 2;
    if (!late) x += tick % 3 === 0 ? 24 : 12;
    frame(tick, late ? null : x);
    for (const at of [tick * 50 + 10, tick * 50 + 35]) {
      const drawn = draw(at);
      const pace = (drawn - seen) / (12 / 50 * 25);
      if (tick > 60) assert.ok(Math.abs(pace - 1) < 0.1, `pace ${pace} at ${at}`);
      seen = drawn;
    }
  }
  assert.ok(view.delayMs < 200, `delay ${view.delayMs}`);
});

test('is never drawn beyond the newest place: an underrun of those who walk on', () => {
  const { view, frame, draw } = begin();
  for (let tick = 10; tick < 60; tick += 1) frame(tick, tick * 12);
  view.put(2, 59, { x: 5, y: 5 });
  draw(2_960);
  const before = view.underruns;
  for (let at = 2_980; at < 3_400; at += 20) {
    assert.ok(draw(at) <= 59 * 12);
    view.at(1);
    view.at(2);
  }
  assert.equal(view.underruns, before, 'it may have stopped');
  frame(68, 68 * 12, 3_400);
  assert.ok(view.underruns - before > 5, 'it walked on');
  assert.ok(view.underruns <= view.drawn);
});

test('who stopped is no underrun', () => {
  const { view, frame, draw } = begin();
  for (let tick = 10; tick < 60; tick += 1) frame(tick, tick * 12);
  for (let at = 2_960; at < 4_000; at += 20) draw(at);
  frame(80, 60 * 12, 4_000);
  assert.equal(view.underruns, 0);
});

test('news that came late slides, a leap leaps', () => {
  const { frame, draw } = begin();
  for (let tick = 10; tick < 60; tick += 1) {
    frame(tick, tick * 12);
    draw(tick * 50 + 5);
  }
  const frozen = draw(3_500);
  frame(70, 70 * 12, 3_500);
  const after = draw(3_501);
  assert.ok(after >= frozen && after - frozen < 10, `from ${frozen} to ${after}`);
  assert.ok(draw(3_700) > 69 * 12);
  frame(75, 3_000, 3_750);
  assert.ok(draw(3_751) < 72 * 12);
  assert.equal(draw(3_760 + DELAY_GUESS_MS), 3_000);
});

test('two frames of one tick both count: the last word is where it stands', () => {
  const { frame, draw } = begin();
  for (let tick = 10; tick < 30; tick += 1) frame(tick, tick * 12);
  frame(29, 30 * 12, 1_470);
  assert.equal(draw(2_500), 30 * 12);
});

test('a game that can not say how long a way takes is drawn between frames', () => {
  const { frame, draw } = begin({});
  for (let tick = 10; tick <= 60; tick += 1) {
    frame(tick, tick * 3);
    draw(tick * 50 + 1);
  }
  const at = draw(3_010);
  assert.ok(at > 55 * 3 && at < 60 * 3, `${at}`);
});

test('who is gone is forgotten', () => {
  const { view, frame } = begin();
  frame(10, 5);
  view.remove(1);
  assert.equal(view.at(1), null);
  frame(11, 5);
  view.clear();
  assert.equal(view.at(1), null);
});
