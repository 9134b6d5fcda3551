/** Walking to a place that was clicked, by the game's own steps. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { move, STEP_MS } from '../sim/step.js';
import { towards } from './stick.js';
import { Walker } from './walker.js';

/** Walks until nothing is held; how many steps it took. */
function walk(/** @type {Walker} */ walker, /** @type {{ x: number, y: number }} */ from) {
  let at = from;
  let steps = 0;
  for (let held = walker.held(at, 0); held && steps < 1_000; held = walker.held(at, steps * STEP_MS)) {
    at = move(at, held);
    steps += 1;
  }
  return { at, steps };
}

test('every place is reached, straight enough', () => {
  for (const [x, y] of [
    [3_000, 2_000],
    [2_000, 100],
    [1_500, 1_470],
    [2_700, 2_350],
    [4_095, 4_095],
    [0, 0],
  ]) {
    for (const sprint of [false, true]) {
      const goal = { x: x ?? 0, y: y ?? 0 };
      const walker = new Walker();
      walker.go(goal, sprint, 0);
      const { at, steps } = walk(walker, { x: 2_000, y: 2_000 });
      const units = sprint ? 18 : 12;
      assert.ok(
        Math.max(Math.abs(at.x - goal.x), Math.abs(at.y - goal.y)) <= units,
        `${x},${y} ends at ${at.x},${at.y}`,
      );
      const straight = Math.max(Math.abs(goal.x - 2_000), Math.abs(goal.y - 2_000)) / units;
      assert.ok(steps <= straight * 1.5 + 2, `${steps} steps for ${straight}`);
      assert.equal(walker.goal, null);
    }
  }
});

test('somebody who is held back gives up', () => {
  const walker = new Walker();
  walker.go({ x: 500, y: 0 }, false, 0);
  assert.notEqual(walker.held({ x: 0, y: 0 }, 10), null);
  assert.notEqual(walker.held({ x: 0, y: 0 }, 900), null);
  assert.equal(walker.held({ x: 0, y: 0 }, 920), null);
});

test('a stick means the nearest of eight directions', () => {
  assert.equal(towards(5, 5), null);
  assert.deepEqual(towards(40, 2), [1, 0, 0]);
  assert.deepEqual(
    towards(-30, 30)?.map((part) => part + 0),
    [-1, 1, 0],
  );
  assert.deepEqual(
    towards(0, -90)?.map((part) => part + 0),
    [0, -1, 1],
  );
});
