/**
 * Trades, gifts, coins and parties in browsers on one real server: two pages
 * trade, one is closed in the middle and finds the outcome, a phone does it by
 * tapping, an offer runs out, and names of others are text.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertAccessible, assertThumbs } from './axe.js';
import { launch } from './browser.js';
import { Player } from './player.js';
import { Server } from './server.js';

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
const HOSTILE = '<img src=x onerror="boo()"> <b>';
const HOSTILE_WORDS = /<img src=x onerror="boo\(\)"> <b>/u;
/** An offer ends after a minute; whoever waits for that sees it within this. */
const EXPIRED_WITHIN_MS = 75_000;

/** @type {Server} */ let server;
/** @type {import('playwright-core').Browser} */ let browser;
/** @type {Player} */ let alice;
/** @type {Player} */ let bob;
/** @type {Player[]} */ const patient = [];

before(async () => {
  server = await Server.begin();
  browser = await launch();
  alice = await enter('alice');
  bob = await enter('bob');
});

after(async () => {
  await browser?.close();
  await server?.end();
});

/** @param {string} name @param {import('playwright-core').BrowserContextOptions} [options] */
async function enter(name, options) {
  const player = await Player.open(browser, server, name, options);
  await player.login();
  return player;
}

/** What a player has: gold, and items by id. @param {Player} player */
async function goods(player) {
  const { gold, inventory } = await player.state();
  return { gold, ...Object.fromEntries(inventory.map((/** @type {any} */ one) => [one.item_id, one.quantity])) };
}

/** @param {Player} player @param {string} id */
const aimAt = async (player, id) => {
  await player.see(`${id} in the list`, (who) => /** @type {any} */ (window).holdfast.players().some((/** @type {any} */ one) => one.player === who), id);
  const name = await player.page.evaluate((who) => /** @type {any} */ (window).holdfast.players().find((/** @type {any} */ one) => one.player === who).name, id);
  const row = player.page.locator('#players .player', { hasText: name });
  if (await player.page.locator('#trade').isVisible()) await player.page.locator('#trade-close').click();
  if ((await row.getAttribute('aria-pressed')) !== 'true') await row.click();
  await player.page.locator('#target').waitFor();
};

/**
 * Makes an offer by hand.
 * @param {Player} player
 * @param {string} to
 * @param {[label: string, quantity: number][]} terms such as `Gold, how much you give`
 */
async function offer(player, to, terms) {
  await aimAt(player, to);
  await player.page.locator('#target-trade').click();
  for (const [label, quantity] of terms) await player.page.getByLabel(label, { exact: true }).fill(String(quantity));
  await player.page.locator('#form-send').click();
  await player.see('the offer', () => document.querySelector('#deal-title')?.textContent?.includes('decides'));
}

/** @param {Player} player @param {RegExp} title */
const outcome = (player, title) =>
  player.see(`${title}`, (source) => new RegExp(source, 'u').test(document.querySelector('#deal-title')?.textContent ?? ''), title.source);

/** @param {Player} player @param {RegExp} line */
const logged = (player, line) =>
  player.see(`${line} in the log`, (source) => new RegExp(source, 'u').test(document.querySelector('#log')?.textContent ?? ''), line.source);

/** Waits until a place of the page shows words. @param {Player} player @param {string} place @param {RegExp} words */
const shows = (player, place, words) =>
  player.see(`${words} at ${place}`, ([at, source, flags]) => new RegExp(source, flags).test(/** @type {HTMLElement | null} */ (document.querySelector(at))?.innerText ?? ''),
    /** @type {[string, string, string]} */ ([place, words.source, words.flags]));

test('some offers are left to themselves', async () => {
  for (const name of ['carol', 'dan']) patient.push(await enter(name));
  const [carol] = patient;
  assert.ok(carol);
  await offer(carol, 'dan', [['Gold, how much you give', 30], ['Iron Sword, how much you get', 1]]);
  assert.deepEqual(await goods(carol), { gold: 70, 'potion-001': 5, 'sword-001': 1 });
  await shows(carol, '#trade-deal', /reserved/u);
});

test('two pages trade an item for gold', async () => {
  const before = [await goods(alice), await goods(bob)];
  assert.deepEqual(before[0], { gold: 100, 'sword-001': 1, 'potion-001': 5 });
  await offer(alice, 'bob', [['Iron Sword, how much you give', 1], ['Gold, how much you get', 20]]);
  assert.deepEqual(await goods(alice), { gold: 100, 'potion-001': 5 }, 'what is given is reserved');
  await alice.picture('20-offered');
  await logged(bob, /alice offers you Iron Sword for 20 gold/u);
  await shows(bob, '#trade-open .badge', /^1$/u);
  assert.equal(await bob.page.evaluate(() => document.activeElement?.id), 'arena', 'an offer takes no focus');
  await bob.picture('21-announced');
  await bob.page.locator('#incoming-look').click();
  await shows(bob, '#deal-left', /^[1-6]?\d s left$/u);
  await bob.picture('22-asked');
  await bob.page.locator('#deal-accept').click();
  for (const player of [alice, bob]) await outcome(player, /^Committed at #\d+$/u);
  assert.deepEqual(await goods(alice), { gold: 120, 'potion-001': 5 });
  assert.deepEqual(await goods(bob), { gold: 80, 'sword-001': 2, 'potion-001': 5 });
  for (const player of [alice, bob]) {
    const said = await player.page.locator('#deal-title').innerText();
    const { ended, open, reserved } = await player.page.evaluate(() => /** @type {any} */ (window).holdfast.dealings());
    assert.equal(said, `Committed at #${ended[0].seq}`);
    assert.deepEqual([open, reserved], [[], {}]);
    await player.picture('23-committed');
  }
  await bob.page.locator('#trade-close').click();
  await alice.page.keyboard.press('Escape');
  assert.ok(!(await alice.page.locator('#trade').isVisible()), 'Escape shuts the window');
  assert.equal(await alice.page.evaluate(() => document.activeElement?.id), 'target-trade', 'the focus is where it came from');
});

test('a counter-offer has new terms, and these are accepted', async () => {
  await offer(bob, 'alice', [['Health Potion, how much you give', 2], ['Gold, how much you get', 50]]);
  await alice.page.locator('#incoming-look').click();
  await alice.page.locator('#deal-counter').click();
  assert.equal(await alice.page.getByLabel('Gold, how much you give').inputValue(), '50', 'it begins from the terms');
  await alice.page.getByLabel('Gold, how much you give').fill('10');
  await alice.page.locator('#form-send').click();
  await outcome(bob, /alice wants other terms/u);
  assert.equal((await goods(bob))['potion-001'], 5, 'the first terms are nobody\'s any more');
  assert.equal((await goods(alice)).gold, 110);
  await bob.picture('24-countered');
  await bob.see('that new terms are read first', () => document.querySelector('#deal-accept')?.getAttribute('aria-disabled') === 'false');
  await bob.page.locator('#deal-accept').click();
  for (const player of [alice, bob]) await outcome(player, /^Committed at #\d+$/u);
  assert.deepEqual(await goods(alice), { gold: 110, 'potion-001': 7 });
  assert.deepEqual(await goods(bob), { gold: 90, 'sword-001': 2, 'potion-001': 3 });
});

test('an offer is declined, and nothing has changed', async () => {
  const before = await goods(alice);
  await offer(alice, 'bob', [['Health Potion, how much you give', 1], ['Gold, how much you get', 5]]);
  await bob.page.locator('#incoming-look').click();
  await bob.page.locator('#deal-cancel').click();
  for (const player of [alice, bob]) await outcome(player, /Called off/u);
  await shows(alice, '#deal-means', /bob called the trade off.*You have Health Potion back/iu);
  assert.deepEqual(await goods(alice), before);
});

test('what can not be paid is refused with a sentence', async () => {
  await offer(bob, 'alice', [['Gold, how much you get', 100_000]]);
  await alice.page.locator('#incoming-look').click();
  await alice.page.locator('#deal-accept').click();
  await alice.see('why not', () => document.querySelector('#deal-error')?.checkVisibility());
  await shows(alice, '#deal-error', /^You lack .*gold/u);
  await bob.page.locator('#deal-cancel').click();
  await outcome(alice, /Called off/u);
  await alice.see('the outcome alone', () => !document.querySelector('#deal-error')?.checkVisibility());
});

test('an open offer survives a reload, and its answer comes after that', async () => {
  await offer(alice, 'bob', [['Gold, how much you give', 7], ['Health Potion, how much you get', 1]]);
  await alice.page.reload();
  await alice.see('the offer again', () => /** @type {any} */ (window).holdfast.dealings().open.length === 1);
  await bob.page.locator('#incoming-look').click();
  await bob.page.locator('#deal-accept').click();
  await logged(alice, /Traded with bob: 7 gold for Health Potion, committed at #\d+/u);
});

test('a page that was closed in the middle finds the outcome, and its goods', async () => {
  const before = await goods(alice);
  await offer(alice, 'bob', [['Gold, how much you give', 11], ['Health Potion, how much you get', 1]]);
  const context = alice.page.context();
  await alice.page.close();
  await bob.page.locator('#incoming-look').click();
  await bob.page.locator('#deal-accept').click();
  await outcome(bob, /^Committed at #\d+$/u);
  alice = new Player('alice', await context.newPage(), server);
  await alice.page.goto(server.url);
  await alice.login();
  await logged(alice, /gave 11 gold to bob and got .*Health Potion/u);
  assert.deepEqual(await goods(alice), { gold: before.gold - 11, 'potion-001': before['potion-001'] + 1 });
  await alice.picture('25-returned');
});

test('a page that was left finds the outcome in its own session, told once', async () => {
  const before = await goods(alice);
  await offer(alice, 'bob', [['Gold, how much you give', 3], ['Health Potion, how much you get', 1]]);
  await alice.page.goto('about:blank');
  await bob.page.locator('#incoming-look').click();
  await bob.page.locator('#deal-accept').click();
  await outcome(bob, /^Committed at #\d+$/u);
  await alice.page.goto(server.url);
  await logged(alice, /Traded with bob: 3 gold for Health Potion, committed at #\d+\. \(while you were away\)/u);
  assert.doesNotMatch(await alice.page.locator('#log').innerText(), /You gave 3 gold/u, 'it is told once');
  assert.equal((await goods(alice)).gold, before.gold - 3);
  await alice.page.locator('#trade-open').click();
  await shows(alice, '#ended-deals', /3 gold → Health Potion\s+Committed at #\d+/u);
  await alice.picture('26-list');
  await alice.page.locator('#trade-close').click();
});

test('a phone trades by tapping', async () => {
  const thumb = await enter('thumb', PHONE);
  const { page } = thumb;
  await thumb.see('bob', () => /** @type {any} */ (window).holdfast.players().some((/** @type {any} */ one) => one.player === 'bob'));
  await page.locator('#tab-people').tap();
  await page.locator('#players .player', { hasText: 'bob' }).tap();
  await thumb.picture('30-people');
  await assertThumbs(thumb);
  await page.locator('#players li', { hasText: 'bob' }).getByRole('button', { name: 'Trade' }).tap();
  assert.ok(!(await page.locator('#people').isVisible()), 'one sheet at a time');
  await page.getByRole('button', { name: 'More Health Potion you give' }).tap();
  await page.getByRole('button', { name: 'More Gold you get' }).tap();
  await thumb.picture('31-terms');
  await assertThumbs(thumb);
  await assertAccessible(thumb, 'terms on a phone');
  await page.locator('#form-send').tap();
  await outcome(thumb, /bob decides/u);
  await bob.page.locator('#incoming-look').click();
  await bob.page.locator('#deal-accept').click();
  await outcome(thumb, /^Committed at #\d+$/u);
  await thumb.picture('32-committed');
  await assertThumbs(thumb);
  const across = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(across <= PHONE.viewport.width, `nothing is wider than the screen: ${across}`);
  await page.locator('#trade-close').tap();
  await offer(bob, 'thumb', [['Gold, how much you give', 1], ['Health Potion, how much you get', 1]]);
  await thumb.see('the badge', () => document.querySelector('#tab-trade .badge')?.textContent === '1');
  await thumb.picture('33-announced');
  await page.locator('#tab-trade').tap();
  await page.locator('#deal-accept').tap();
  await outcome(thumb, /^Committed at #\d+$/u);
  assert.deepEqual(await goods(thumb), { gold: 106, 'potion-001': 3, 'sword-001': 1 });
  assert.deepEqual(thumb.complaints, []);
  await page.context().close();
});

test('a keyboard gives a gift, and the focus comes back', async () => {
  const { page } = alice;
  const { keyboard } = page;
  const focused = () => page.evaluate(() => document.activeElement?.id ?? '');
  const before = await goods(bob);
  const aim = () => page.evaluate(() => document.querySelector('#target-name')?.textContent);
  await page.keyboard.press('Escape');
  await page.locator('#arena').focus();
  for (let nth = 0; nth < 6 && (await aim()) !== 'bob'; nth += 1) {
    await keyboard.press('q');
    await alice.see('who is aimed at', () => document.querySelector('#target')?.checkVisibility());
  }
  await keyboard.press('t');
  assert.equal(await focused(), 'trade-title');
  for (let nth = 0; nth < 8 && (await focused()) !== 'with-gift'; nth += 1) await keyboard.press('Tab');
  await keyboard.press('Enter');
  for (let nth = 0; nth < 12; nth += 1) {
    const label = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    if (label === 'Gold, how much you give') break;
    await keyboard.press('Tab');
  }
  await keyboard.type('4');
  await keyboard.press('Enter');
  await outcome(alice, /^Committed at #\d+$/u);
  await logged(bob, /alice gave you 4 gold, committed at #\d+/u);
  assert.equal((await goods(bob)).gold, before.gold + 4);
  await keyboard.press('Escape');
  assert.equal(await focused(), 'arena', 'the focus is where it was');
});

test('names of others are text', async () => {
  const mallory = await enter(HOSTILE);
  const id = (await mallory.state()).player_id;
  await offer(mallory, 'bob', [['Gold, how much you give', 1], ['Health Potion, how much you get', 1]]);
  await logged(bob, /offers you 1 gold for Health Potion/u);
  await bob.page.locator('#incoming-look').click();
  const title = await bob.page.locator('#trade-title').innerText();
  assert.ok(title.includes(HOSTILE) && title.includes(id), title);
  await shows(bob, '#log', /<img src=x/u);
  await bob.page.locator('#trade-back').click();
  await shows(bob, '#deals', HOSTILE_WORDS);
  await aimAt(bob, id);
  await bob.picture('34-hostile');
  assert.equal(await bob.page.locator('#hud img:not(.brand img), #hud b b').count(), 0, 'names never become elements');
  await mallory.page.locator('#deal-cancel').click();
  await outcome(mallory, /Called off/u);
  assert.deepEqual(mallory.complaints, []);
  await mallory.page.context().close();
});

test('a party is begun, joined, spoken to, entered with, and left', async () => {
  const pia = await enter('pia');
  const tom = await enter('tom', PHONE);
  const members = (/** @type {Player} */ player, /** @type {string[]} */ ids) =>
    player.see(`members ${ids}`, (all) => /** @type {any} */ (window).holdfast.dealings().party?.members.join() === all, ids.join());
  await pia.page.locator('#party-begin').click();
  await pia.page.locator('#party-called').fill(HOSTILE);
  await assertAccessible(pia, 'a new party');
  await pia.picture('50-begin');
  await pia.page.locator('#party-called').press('Enter');
  await members(pia, ['pia']);
  await shows(pia, '#party-name', HOSTILE_WORDS);
  await aimAt(pia, 'tom');
  await pia.page.locator('#target-invite').click();
  await tom.see('the invitation', () => document.querySelector('#incoming')?.checkVisibility());
  await shows(tom, '#incoming-text', HOSTILE_WORDS);
  await tom.picture('51-invited');
  await tom.page.locator('#tab-people').tap();
  await assertThumbs(tom);
  await tom.page.locator('#invitations button').tap();
  for (const player of [pia, tom]) await members(player, ['pia', 'tom']);
  await assertAccessible(tom, 'the party on a phone');
  assert.equal(await tom.page.locator('#members .crown:visible').count(), 1, 'one leads');
  await tom.picture('52-party');
  await tom.page.locator('#tab-talk').tap();
  await tom.page.locator('#chat-to').tap();
  await tom.page.locator('#chat').fill('for us alone');
  await tom.page.locator('#chat').press('Enter');
  await pia.see('the words', () => [...document.querySelectorAll('#log .line.party')].some((line) => line.textContent?.includes('for us alone')));
  assert.ok(!(await bob.page.locator('#log').innerText()).includes('for us alone'), 'nobody else hears it');
  await pia.picture('53-party');
  await pia.page.locator('#party-together').click();
  await pia.page.locator('#room').fill('hall');
  await pia.page.locator('#room').press('Enter');
  for (const player of [pia, tom]) {
    await player.see('the hall', () => /** @type {any} */ (window).holdfast.state().current_room?.room_id === 'hall');
  }
  await pia.page.locator('#members').getByRole('button', { name: 'Send tom away' }).click();
  await tom.see('no party', () => /** @type {any} */ (window).holdfast.dealings().party === null);
  assert.ok(!(await tom.page.locator('#chat-to').isVisible()), 'nobody to speak to');
  await pia.page.locator('#party-leave').click();
  await pia.see('no party', () => document.querySelector('#party-begin')?.checkVisibility());
  assert.equal(await pia.page.locator('#hud img:not(.brand img)').count(), 0, 'names never become elements');
  for (const player of [pia, tom]) {
    assert.deepEqual(player.complaints, []);
    await player.page.context().close();
  }
});

/**
 * Walks by keys until something is so, looking where to again and again.
 * @param {Player} player
 * @param {() => Promise<{ x: number, y: number } | null>} where null: it is so
 */
async function walk({ page, name }, where) {
  /** @type {Set<string>} */
  const held = new Set();
  const until = Date.now() + EXPIRED_WITHIN_MS;
  await page.locator('#arena').focus();
  for (let to = await where(); to; to = await where()) {
    assert.ok(Date.now() < until, `${name} got there`);
    const at = await page.evaluate((id) => /** @type {any} */ (window).holdfast.positions()[id], name);
    for (const [key, is] of /** @type {const} */ ([
      ['d', to.x - at.x > 20], ['a', at.x - to.x > 20], ['s', to.y - at.y > 20], ['w', at.y - to.y > 20],
    ])) {
      if (is === held.has(key)) continue;
      await (is ? page.keyboard.down(key) : page.keyboard.up(key));
      if (is) held.add(key);
      else held.delete(key);
    }
    await page.waitForTimeout(40);
  }
  for (const key of held) await page.keyboard.up(key);
}

test('coins lie in an arena, and whoever walks there has them', async () => {
  const ann = await enter('ann');
  const ben = await enter('ben');
  for (const player of [ann, ben]) await player.enter('arena-9');
  const coins = (/** @type {Player} */ player) => player.page.evaluate(() => /** @type {any} */ (window).holdfast.coins());
  await ann.see('coins', () => /** @type {any} */ (window).holdfast.coins().length >= 2);
  await ann.picture('40-coins');
  /** @type {number[]} */ let aims = [];
  await walk(ann, async () => {
    const at = await ann.page.evaluate(() => /** @type {any} */ (window).holdfast.positions().ann);
    const far = (/** @type {any} */ { x, y }) => Math.hypot(x - at.x, y - at.y);
    const lying = await coins(ann);
    const [next] = lying.sort((/** @type {any} */ a, /** @type {any} */ b) => far(a) - far(b));
    const { gold } = await ann.state();
    if (gold > 100) return null;
    if (next) aims = [next.coin, ...aims];
    return next ?? at;
  });
  await ann.picture('41-picked-up');
  const { gold } = await ann.state();
  assert.ok(gold > 100 && gold % 5 === 0, `coins of 5: ${gold}`);
  await ann.see('the number', (now) => document.querySelector('#gold')?.textContent === now, String(gold));
  const taken = aims[0];
  for (const player of [ann, ben]) {
    await player.see('that it is gone', (coin) => /** @type {any} */ (window).holdfast.coins().every((/** @type {any} */ one) => one.coin !== coin), taken);
  }
  assert.equal((await ben.state()).gold, 100, 'a coin is one player\'s');
  const there = await coins(ben);
  await ann.enter('den');
  assert.deepEqual(await coins(ann), [], 'none lie in another room');
  await ann.enter('arena-9');
  await ann.see('those that still lie', (kept) => {
    const here = /** @type {any} */ (window).holdfast.coins().map((/** @type {any} */ one) => one.coin);
    return kept.every((/** @type {number} */ coin) => here.includes(coin));
  }, there.map((/** @type {any} */ one) => one.coin));
  for (const player of [ann, ben]) {
    assert.deepEqual(player.complaints, []);
    await player.page.context().close();
  }
});

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`axe-core finds nothing serious in trades, ${colorScheme}`, async () => {
    const eve = await enter(`eve-${colorScheme}`, { colorScheme });
    await aimAt(eve, 'bob');
    await assertAccessible(eve, 'who is aimed at');
    await eve.page.locator('#target-trade').click();
    await assertAccessible(eve, 'terms');
    await eve.picture(`35-terms-${colorScheme}`);
    await eve.page.locator('#form-stop').click();
    await offer(eve, 'bob', [['Gold, how much you give', 1]]);
    await assertAccessible(eve, 'an offer');
    await eve.page.locator('#trade-back').click();
    await assertAccessible(eve, 'the list');
    await offer(bob, `eve-${colorScheme}`, [['Gold, how much you give', 1]]);
    await eve.see('its announcement', () => document.querySelector('#deals')?.children.length === 2);
    await eve.page.locator('#trade-close').click();
    await eve.see('the announcement', () => document.querySelector('#incoming')?.checkVisibility());
    await assertAccessible(eve, 'an announcement');
    await eve.picture(`36-announced-${colorScheme}`);
    await eve.page.locator('#incoming-look').click();
    await eve.page.locator('#deal-accept').click();
    await outcome(eve, /^Committed at #\d+$/u);
    await assertAccessible(eve, 'the outcome');
    await eve.picture(`37-outcome-${colorScheme}`);
    assert.deepEqual(eve.complaints, []);
    await eve.page.context().close();
  });
}

test('an offer runs out, and what was reserved is back', async () => {
  const [carol, dan] = patient;
  assert.ok(carol && dan);
  await carol.see('the end', () => /** @type {any} */ (window).holdfast.dealings().ended[0]?.phase === 'expired', undefined, EXPIRED_WITHIN_MS);
  await outcome(carol, /Ran out of time/u);
  await logged(dan, /The offer of carol ran out/u);
  assert.deepEqual(await goods(carol), { gold: 100, 'potion-001': 5, 'sword-001': 1 });
  await carol.picture('38-expired');
});

test('the browsers had nothing to complain of', () => {
  for (const { name, complaints } of [alice, bob, ...patient]) assert.deepEqual(complaints, [], name);
});
