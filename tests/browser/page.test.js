/**
 * Two players in two browsers on one real server: they log in, walk, fight,
 * talk; then the server is killed without warning and started again, and the
 * pages find back by themselves with nothing lost. Needs HOLDFAST_BIN and a
 * Chromium (CHROMIUM, else /usr/bin/chromium); fails when either is missing.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch } from './browser.js';
import { Player } from './player.js';
import { Server } from './server.js';

const SPOKEN = '<img src="x"> is text';

/** @type {Server} */ let server;
/** @type {import('playwright-core').Browser} */ let browser;
/** @type {Player} */ let alice;
/** @type {Player} */ let bob;

before(async () => {
  server = await Server.begin();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.end();
});

test('two players log in by name and Enter, and meet', async () => {
  alice = await Player.open(browser, server, 'alice');
  bob = await Player.open(browser, server, 'bob');
  await alice.picture('1-gate');
  await alice.login();
  await bob.login();
  await alice.see('bob in the list', () => document.querySelector('#players')?.textContent?.includes('bob'));
  await bob.see('alice in the list', () => document.querySelector('#players')?.textContent?.includes('alice'));
});

test('bob sees alice walk', async () => {
  const corrections = () => alice.page.evaluate(() => /** @type {any} */ (window).holdfast.corrections());
  const before = await corrections();
  await alice.walkRight(bob, 'd');
  await alice.walkRight(bob, 'ArrowRight');
  assert.equal(await corrections(), before, 'the prediction was right');
});

test('a blow takes 25 from bob, and both pages say so', async () => {
  await alice.page.locator('#attack').click();
  await bob.see('health 75', () => /** @type {any} */ (window).holdfast.state().health === 75);
  await bob.see('75 on the bar', () => document.querySelector('#health')?.textContent?.includes('75'));
  await bob.see('the notice', () => document.querySelector('#log')?.textContent?.includes('attacked you for 25 damage'));
  await alice.see('the blow in the log', () => document.querySelector('#log')?.textContent?.includes('25 damage'));
  await alice.picture('2-fight');
  await bob.picture('2-fight');
});

test('what is said is text', async () => {
  await alice.page.locator('#chat').fill(SPOKEN);
  await alice.page.locator('#chat').press('Enter');
  await bob.see('the words', (words) => document.querySelector('#log')?.textContent?.includes(words), SPOKEN);
  assert.equal(await bob.page.locator('#log img').count(), 0, 'words never become elements');
});

test('both find back after the server was killed, and nothing is lost', async () => {
  const sockets = [await alice.connectionId(), await bob.connectionId()];
  const kept = await alice.state();
  for (const player of [alice, bob]) player.outage = true;
  await server.kill();
  for (const player of [alice, bob]) {
    await player.see('the loss', () => /reconnecting/u.test(document.querySelector('#status')?.textContent ?? ''));
  }
  await alice.picture('3-outage');
  await server.start();
  await alice.isBack(sockets[0] ?? 0);
  await bob.isBack(sockets[1] ?? 0);
  for (const player of [alice, bob]) player.outage = false;
  const [now, struck] = [await alice.state(), await bob.state()];
  assert.equal(struck.health, 75, 'the blow is not forgotten');
  for (const field of ['health', 'gold', 'xp', 'score', 'inventory']) assert.deepEqual(now[field], kept[field], field);
});

test('alice walks on where she was, and bob sees it', async () => {
  await alice.see('the arena', () => /** @type {any} */ (window).holdfast.state()?.current_room?.room_id === 'arena');
  await bob.see('the arena', () => /** @type {any} */ (window).holdfast.state()?.current_room?.room_id === 'arena');
  await alice.walkRight(bob, 'd');
  await alice.picture('4-back');
  await bob.picture('4-back');
});

test('a reload goes on with the session, without the gate', async () => {
  const { xp } = await alice.state();
  await alice.page.reload();
  await alice.see('alice live again', () => {
    const { connection, state } = /** @type {any} */ (window).holdfast;
    return connection().phase === 'live' && state()?.player_id === 'alice';
  });
  assert.equal(await alice.page.locator('#login').isVisible(), false, 'the gate stays shut');
  assert.equal((await alice.state()).xp, xp);
});

test('the browsers had nothing to complain of', () => {
  assert.deepEqual({ alice: alice.complaints, bob: bob.complaints }, { alice: [], bob: [] });
});
