/**
 * Whom the page reaches: a phone and its thumbs, a keyboard alone, whoever has
 * no network, and those for whom axe-core looks, in light and dark.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertAccessible, assertThumbs } from './axe.js';
import { launch } from './browser.js';
import { BACK_WITHIN_MS, Player } from './player.js';
import { Server } from './server.js';

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

/** @type {Server} */ let server;
/** @type {import('playwright-core').Browser} */ let browser;

before(async () => {
  server = await Server.begin();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.end();
});

/** All states of a page that a person comes to. @param {Player} player */
async function assertAllAccessible(player) {
  await assertAccessible(player, 'gate');
  await player.login();
  await assertAccessible(player, 'game');
  for (const [key, what] of /** @type {const} */ ([['b', 'scenes'], ['?', 'help'], ['r', 'rooms'], ['n', 'netgraph']])) {
    const shown = () => player.page.locator(`#${what}`).isVisible();
    await player.page.locator('#arena').focus();
    if (!(await shown())) await player.page.keyboard.press(key);
    await player.see(what, (id) => document.querySelector(`#${id}`)?.checkVisibility(), what);
    await assertAccessible(player, what);
    await player.page.keyboard.press('Escape');
  }
  assert.deepEqual(player.complaints, []);
}

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`axe-core finds nothing serious, ${colorScheme}`, async () => {
    const player = await Player.open(browser, server, `axe-${colorScheme}`, { colorScheme });
    await assertAllAccessible(player);
    await player.picture(`8-${colorScheme}`);
    await player.page.context().close();
  });
}

test('a phone plays by thumbs', async () => {
  const player = await Player.open(browser, server, 'thumb', PHONE);
  await assertAccessible(player, 'gate on a phone');
  await player.login();
  await assertAccessible(player, 'game on a phone');
  const { page } = player;
  const across = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(across <= PHONE.viewport.width, `nothing is wider than the screen: ${across}`);
  await assertThumbs(player);
  const from = await player.where('thumb');
  const touch = await page.context().newCDPSession(page);
  const put = (/** @type {string} */ type, /** @type {number} */ x) => touch.send('Input.dispatchTouchEvent', {
    type: /** @type {any} */ (type), touchPoints: type === 'touchEnd' ? [] : [{ x, y: 600 }],
  });
  await put('touchStart', 100);
  for (const x of [110, 125, 145]) await put('touchMove', x);
  await player.see('the walk', ([id, x]) => {
    const at = /** @type {any} */ (window).holdfast.positions()[id ?? ''];
    return at.x >= Number(x) + 60;
  }, ['thumb', String(from.x)]);
  await player.see('the stick', () => document.querySelector('#stick')?.getAttribute('data-held') === 'true');
  await player.picture('9-stick');
  await put('touchEnd', 0);
  await page.locator('#attack').tap();
  await player.see('a practice blow', () => /** @type {any} */ (window).holdfast.state().xp === 10);
  await page.locator('#tab-talk').tap();
  await page.locator('#chat').fill('by thumb');
  await page.locator('#chat').press('Enter');
  await player.see('the words', () => document.querySelector('#log')?.textContent?.includes('by thumb'));
  await player.picture('9-chat');
  assert.deepEqual(player.complaints, []);
  await page.context().close();
});

test('a keyboard is enough', async () => {
  const player = await Player.open(browser, server, 'keys');
  const { page } = player;
  const { keyboard } = page;
  const focused = () => page.evaluate(() => document.activeElement?.id ?? '');
  assert.equal(await focused(), 'name', 'the name has the focus');
  await keyboard.press('Control+A');
  await keyboard.type('keys');
  await keyboard.press('Enter');
  await player.see('the arena', () => /** @type {any} */ (window).holdfast.state()?.current_room?.room_id === 'arena');
  const from = await player.where('keys');
  await keyboard.down('ArrowRight');
  await player.see('the walk', (x) => /** @type {any} */ (window).holdfast.positions().keys.x >= Number(x) + 60, String(from.x));
  await keyboard.up('ArrowRight');
  await keyboard.press('1');
  await player.see('a blow', () => /** @type {any} */ (window).holdfast.state().xp === 10);
  await keyboard.press('4');
  await player.see('defending', () => /** @type {any} */ (window).holdfast.state().buffs.length === 1);
  await keyboard.press('Enter');
  assert.equal(await focused(), 'chat');
  await keyboard.type('by key');
  await keyboard.press('Enter');
  await player.see('the words', () => document.querySelector('#log')?.textContent?.includes('by key'));
  await keyboard.press('Escape');
  assert.equal(await focused(), 'arena');
  await keyboard.press('r');
  await player.see('the switcher', () => document.querySelector('#rooms')?.checkVisibility());
  for (let nth = 0; nth < 10 && (await focused()) !== 'room'; nth += 1) await keyboard.press('Tab');
  await keyboard.type('den');
  await keyboard.press('Enter');
  await player.see('another room', () => /** @type {any} */ (window).holdfast.state().current_room?.room_id === 'den');
  for (const [key, what] of /** @type {const} */ ([['b', '#scenes'], ['n', '#netgraph']])) {
    const open = () => page.locator(what).isVisible();
    const was = await open();
    await page.locator('#arena').focus();
    await keyboard.press(key);
    assert.equal(await open(), !was, `${key} turns ${what}`);
  }
  await keyboard.press('?');
  await player.see('the keys', () => document.querySelector('#help')?.checkVisibility());
  await keyboard.press('Escape');
  // Everything that can be pressed can be come to, and is seen to have the focus.
  const reached = new Set();
  for (let nth = 0; nth < 80; nth += 1) {
    await keyboard.press('Tab');
    const now = await page.evaluate(() => {
      const one = document.activeElement;
      return { id: one?.id ?? '', outlined: one ? getComputedStyle(one).outlineStyle !== 'none' : false };
    });
    if (now.id) {
      reached.add(now.id);
      assert.ok(now.outlined, `${now.id} shows its focus`);
    }
  }
  for (const id of ['room-open', 'trade-open', 'scenes-open', 'party-begin', 'help-open', 'logout', 'chat', 'attack', 'special', 'heal', 'defend']) {
    assert.ok(reached.has(id), `${id} is reached by Tab: ${[...reached].join(' ')}`);
  }
  assert.deepEqual(player.complaints, []);
  await page.context().close();
});

test('a claimed name is its token\'s alone, and the token is renewed', async () => {
  const guarded = await Server.begin('--guests', 'claim');
  try {
    const owner = await Player.open(browser, guarded, 'owner');
    await owner.login();
    const renewed = await owner.page.evaluate(async () => {
      const { isTokenDue, renewToken, tokenEndsMs } = await import(/** @type {any} */ ('/net/claim.js'));
      const [token = ''] = Object.values(localStorage).flatMap((kept) => /[\w-]+\.[\w-]+\.[\w-]+/u.exec(kept) ?? []);
      const fresh = await renewToken(fetch.bind(window), location.origin, 'owner', token);
      const left_ms = tokenEndsMs(token) - Date.now();
      return { fresh, left_ms, due: isTokenDue(token, Date.now()), later: isTokenDue(token, Date.now() + left_ms - 1_000) };
    });
    assert.match(renewed.fresh, /^[\w-]+\.[\w-]+\.[\w-]+$/u, 'a new token');
    assert.ok(renewed.left_ms > 23 * 3_600_000, `a day is left: ${renewed.left_ms}`);
    assert.deepEqual([renewed.due, renewed.later], [false, true]);
    const thief = await Player.open(browser, guarded, 'owner');
    thief.outage = true;
    await thief.page.locator('#name').fill('owner');
    await thief.page.locator('#name').press('Enter');
    await thief.see('the refusal', () => document.querySelector('#login-error')?.checkVisibility());
    await thief.page.context().close();
    await owner.page.reload();
    await owner.see('the owner back', () => /** @type {any} */ (window).holdfast.connection().phase === 'live');
    assert.deepEqual(owner.complaints, []);
    await owner.page.context().close();
  } finally {
    await guarded.end();
  }
});

test('whoever has no network is told, and comes back with all of it', async () => {
  const player = await Player.open(browser, server, 'island');
  await player.login();
  const connection = await player.connectionId();
  player.outage = true;
  await player.page.context().setOffline(true);
  await player.see('the banner', () => document.querySelector('#offline')?.checkVisibility());
  assert.match(await player.page.locator('#offline').innerText(), /offline|network|connection/iu);
  await player.picture('10-offline');
  await assertAccessible(player, 'offline');
  await server.kill();
  await player.page.context().setOffline(false);
  await server.start();
  await player.isBack(connection);
  await player.see('no banner', () => !document.querySelector('#offline')?.checkVisibility());
  player.outage = false;
  assert.deepEqual(player.complaints, []);
  await player.page.context().close();
});
