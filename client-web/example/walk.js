/**
 * A player in sixty lines: logs in, joins a room, walks a square, and prints
 * what happens. From a checkout or with the package installed:
 *
 *   node example/walk.js ws://127.0.0.1:8080/ws alice
 *
 * Node has a WebSocket from version 22 on; before that, npm install ws.
 */

import { Session, memoryStores, systemEnv } from 'holdfast-client';
import { Game } from 'holdfast-client/reference-game';

const [url = 'ws://127.0.0.1:8080/ws', name = 'alice'] = process.argv.slice(2);
const WALKED_MS = 500;
const PICTURE_MS = 16;

/** A WebSocket as the machine has it, else the one of ws. */
async function webSocket() {
  if ('WebSocket' in globalThis) return globalThis.WebSocket;
  const ws = /** @type {string} */ ('ws');
  return (await import(ws)).WebSocket;
}

const env = systemEnv({ WebSocket: await webSocket() });

/** @type {Session<import('holdfast-client/reference-game').PlayerState>} */
const session = new Session(env, memoryStores(), url, {
  status: ({ phase, reason }) => {
    if (phase === 'stopped' && reason) console.log(`ended: ${reason}`);
  },
  welcome: (welcome) => {
    console.log(`${welcome.ev}: ${welcome.player} on ${welcome.node}`);
    game.welcome(welcome);
    if (welcome.ev === 'welcome') play().catch((error) => console.log(`failed: ${error.message}`));
  },
  event: (event) => game.event(event),
  refused: ({ message }) => console.log(`refused: ${message}`),
});
const game = new Game(session, env.clock.now, {
  changed: () => undefined,
  hit: (player, by) => console.log(`${player}: ${by}`),
});

/** Joins, walks round, waits until all of it is stored, leaves. */
async function play() {
  console.log(`in ${await game.arrive()}`);
  for (const [dx, dy] of [[1, 0], [0, 1], [-1, 0], [0, -1]]) {
    await walk([dx ?? 0, dy ?? 0, 0]);
    const at = game.positions()[name];
    console.log(`at ${at?.x}, ${at?.y}`);
  }
  while (game.net().pending_steps > 0) await pause(PICTURE_MS);
  console.log(`corrections: ${game.corrections}`);
  await session.logout();
}

/** @param {import('holdfast-client').Step} held */
async function walk(held) {
  for (let passed = 0; passed < WALKED_MS; passed += PICTURE_MS) {
    game.step(held);
    await pause(PICTURE_MS);
  }
  game.step(null);
}

/** @param {number} ms */
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

session.login(name, name);
