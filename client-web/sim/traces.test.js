/**
 * The netcode over bad lines, in virtual time, as a player would feel it: how
 * soon one's own key shows, how smoothly and how late another's walk does. With
 * prediction or interpolation off the same numbers must be bad, or they would
 * measure nothing.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import { TRACES, percentile, stalled, stopAndGo, watch } from './traces.js';

const BEATS = [20, 10];
const SEEDS = [1, 2, 3, 4];
/** A walk, in units a picture. */
const PICTURE_UNITS = 4;

/**
 * What is allowed: units in one picture, how far a picture's move is off the
 * pace (95th percentile), part of pictures in underrun.
 * @type {Record<keyof typeof TRACES, { jump: number, pace: number, underruns: number }>}
 */
const ALLOWED = {
  steady: { jump: 2.2, pace: 0.1, underruns: 0.002 },
  jitter20: { jump: 2.2, pace: 0.1, underruns: 0.003 },
  jitter50: { jump: 2.2, pace: 0.15, underruns: 0.015 },
  stall: { jump: 3.5, pace: 0.5, underruns: 0.03 },
  ramp: { jump: 2.2, pace: 0.35, underruns: 0.04 },
};

for (const [name, trace] of Object.entries(TRACES)) {
  const allowed = ALLOWED[/** @type {keyof typeof TRACES} */ (name)];
  for (const hz of BEATS) {
    test(`${name} at ${hz} Hz: a lone walker is never corrected, and seen to walk smoothly`, () => {
      for (const seed of SEEDS) {
        const seen = watch(trace, { hz, seed });
        assert.equal(seen.corrections, 0);
        assert.equal(seen.backwards, 0, 'drawn time ran backwards');
        assert.ok(seen.jump <= allowed.jump * PICTURE_UNITS, `jump ${seen.jump}`);
        assert.ok(seen.pace <= allowed.pace, `pace ${seen.pace}`);
        assert.ok(seen.underruns <= allowed.underruns, `underruns ${seen.underruns}`);
      }
    });

    test(`${name} at ${hz} Hz: keys show in the next picture, and elsewhere soon`, () => {
      for (const seed of SEEDS) {
        const seen = watch(trace, { hz, seed, script: stopAndGo });
        assert.equal(seen.corrections, 0);
        assert.equal(seen.backwards, 0);
        assert.ok(seen.own <= 2, `${seen.own} pictures until one's own move`);
        assert.ok(seen.seen.length >= 8, `${seen.seen.length} keys were seen`);
      }
    });
  }
}

test('at 100 ms there and back, ± 20, at 20 Hz another page sees a key within 350 ms', () => {
  for (const seed of SEEDS) {
    const { seen } = watch(TRACES.jitter20, { seed, script: stopAndGo, seconds: 30 });
    assert.ok(percentile(seen, 0.95) <= 350, `${percentile(seen, 0.95)}`);
  }
});

test('without prediction one waits for the server', () => {
  for (const trace of Object.values(TRACES)) {
    const seen = watch(trace, { predict: false, script: stopAndGo });
    assert.ok(seen.own >= 7, `${seen.own} pictures`);
  }
});

test('without interpolation another\'s walk is a row of jumps', () => {
  for (const trace of Object.values(TRACES)) {
    const seen = watch(trace, { interpolate: false });
    assert.ok(seen.jump >= 5 * PICTURE_UNITS, `jump ${seen.jump}`);
    assert.ok(seen.pace >= 1.5, `pace ${seen.pace}`);
  }
});

for (const hz of BEATS) {
  for (const ms of [250, 1_000]) {
    test(`a stall of ${ms} ms at ${hz} Hz is over 500 ms after it, and not played`, () => {
      for (const seed of SEEDS) {
        const trace = stalled(6_000, ms, TRACES.steady);
        const { behind, backwards, corrections } = watch(trace, { hz, seed });
        assert.deepEqual([backwards, corrections], [0, 0]);
        const at = (/** @type {number} */ from, /** @type {number} */ to) =>
          behind.filter((one) => one.at >= from && one.at < to).map((one) => one.ms);
        const usual = percentile(at(4_000, 6_000), 0.95);
        const after = Math.max(...at(6_000 + ms + 500, 8_500 + ms));
        assert.ok(after <= usual + 60, `usually ${usual} ms behind, after the stall ${after}`);
      }
    });
  }
}

test('a longer path is taken as such: the delay grows with it and no more', () => {
  const { delay_ms } = watch(TRACES.ramp, { seconds: 20 });
  const { delay_ms: steady } = watch(TRACES.steady, { seconds: 20 });
  assert.ok(delay_ms <= steady + 40, `steady ${steady}, in the end of the ramp ${delay_ms}`);
});
