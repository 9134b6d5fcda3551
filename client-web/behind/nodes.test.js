/** The table of gateways from leases and from a demo's processes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatewayRows } from './nodes.js';

const row = (/** @type {any} */ changes) => ({
  node: 'gw-1', session: '7', address: '', version: '', lease_age_ms: 40, alive: true, draining: false,
  activations: 3, sockets: 2, ...changes,
});
const states = (/** @type {any[]} */ nodes, /** @type {any[]} */ shown = []) =>
  gatewayRows(nodes, shown).map(({ node, state }) => `${node} ${state}`);

test('without a demo the leases tell', () => {
  const nodes = [row({}), row({ node: 'gw-2', draining: true }), row({ node: 'gw-3', alive: false })];
  assert.deepEqual(states(nodes), ['gw-1 alive', 'gw-2 draining', 'gw-3 gone']);
});

test('a demo knows at once that its process is gone', () => {
  assert.deepEqual(states([row({})], [{ node: 'gw-1', state: 'gone' }]), ['gw-1 gone']);
  assert.deepEqual(states([row({})], [{ node: 'gw-1', state: 'running' }]), ['gw-1 alive']);
  assert.deepEqual(states([], [{ node: 'gw-2', state: 'starting' }]), ['gw-2 starting']);
});

test('a former run of a gateway keeps its own row', () => {
  const nodes = [row({ alive: false }), row({ session: '8' })];
  assert.deepEqual(states(nodes, [{ node: 'gw-1', state: 'draining' }]), ['gw-1 gone', 'gw-1 draining']);
  assert.equal(new Set(gatewayRows(nodes, []).map(({ key }) => key)).size, 2);
});
