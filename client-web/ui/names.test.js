/** Made-up names fit what the server takes for a name. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { displayName, playerId } from '../net/wire.js';
import { madeUpName } from './names.js';

test('a made-up name is two words and a player id', () => {
  for (let n = 0; n < 1; n += 1 / 64) {
    const name = madeUpName(() => n);
    assert.match(name, /^[A-Z][a-z]+ [A-Z][a-z]+$/u);
    assert.equal(displayName(name), name);
    assert.match(playerId(name), /^[a-z]+-[a-z]+$/u);
  }
});

test('chance decides', () => {
  assert.notEqual(
    madeUpName(() => 0.1),
    madeUpName(() => 0.9),
  );
});
