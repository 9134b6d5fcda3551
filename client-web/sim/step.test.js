/** Holds the movement to the golden vectors that the server's rules are held to. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { move } from './step.js';

const FIXTURE = new URL('../../tests/fixtures/movement.json', import.meta.url);

test('walks every golden vector to its end', () => {
  const fixture = JSON.parse(readFileSync(FIXTURE, 'utf8'));
  assert.equal(fixture.version, 1);
  assert.ok(fixture.walks.length > 0, 'the fixture has walks');
  for (const { what, start, steps, end } of fixture.walks) {
    assert.deepEqual(steps.reduce(move, start), end, what);
  }
});
