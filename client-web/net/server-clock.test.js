/** The server's clock: the quickest recent round trip knows best. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { SAMPLE_AGE_MAX_MS, ServerClock } from './server-clock.js';

/**
 * A round trip that ends now; its two ways may take differently long.
 * @param {ServerClock} clock
 * @param {number} now
 * @param {number} out
 * @param {number} back
 * @param {number} ahead by how much the server's clock really is
 */
function trip(clock, now, out, back, ahead) {
  clock.measured(now - back + ahead, out + back, now);
}

test('a guess, then the greeting, then round trips', () => {
  const clock = new ServerClock(500);
  assert.equal(clock.at(1), 501);
  clock.greeted(9_000, 1_000);
  assert.equal(clock.at(1_010), 9_010);
  trip(clock, 2_000, 20, 20, 8_100);
  assert.equal(clock.at(2_000), 10_100);
});

test('jitter of one way does not move it', () => {
  const clock = new ServerClock(0);
  trip(clock, 1_000, 20, 20, 5_000);
  for (let now = 2_000; now < 10_000; now += 1_000) trip(clock, now, 20, 150, 5_000);
  assert.equal(clock.at(0), 5_000);
});

test('drift is followed, because old round trips are forgotten', () => {
  const clock = new ServerClock(0);
  trip(clock, 0, 5, 5, 5_000);
  for (let now = 5_000; now <= SAMPLE_AGE_MAX_MS + 5_000; now += 5_000) trip(clock, now, 20, 20, 5_040);
  assert.equal(clock.at(0), 5_040);
});

test('another gateway begins anew', () => {
  const clock = new ServerClock(0);
  trip(clock, 1_000, 1, 1, 5_000);
  clock.greeted(7_000, 2_000);
  trip(clock, 2_100, 40, 40, 5_010);
  assert.equal(clock.at(0), 5_010);
});
