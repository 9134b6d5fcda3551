/**
 * The page's close codes are the wire's: the same numbers, names and verdicts
 * as the table that the server's crate writes and checks
 * (tests/fixtures/close_codes.json).
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { CLOSE_CODES, closeCode, SESSION_EXPIRED, UNAUTHORIZED } from './close_codes.js';

/** @type {{ code: number, name: string, verdict: 'reconnect' | 'final' }[]} */
const table = JSON.parse(readFileSync(new URL('../../tests/fixtures/close_codes.json', import.meta.url), 'utf8'));

test('every code of the wire has its name and verdict here, and no other has', () => {
  const wire = table.map(({ code, name, verdict }) => [code, name, verdict === 'final' ? 'stop' : verdict]);
  const page = Object.entries(CLOSE_CODES).map(([code, { name, verdict }]) => [Number(code), name, verdict]);
  assert.deepEqual(page, wire);
});

test('the codes that the page knows by name are the right ones', () => {
  assert.equal(closeCode(SESSION_EXPIRED).name, 'session_expired');
  assert.equal(closeCode(UNAUTHORIZED).name, 'unauthorized');
});

test('a code of a later version is judged by its range', () => {
  assert.equal(closeCode(4507).verdict, 'stop');
  assert.equal(closeCode(4007).verdict, 'reconnect');
  assert.equal(closeCode(1006).verdict, 'reconnect');
});
