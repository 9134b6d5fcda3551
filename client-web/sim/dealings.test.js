/** Trades and parties on a session: what is open, what came of it, and what an answer means. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock, FakeServer } from '../net/fake-server.js';
import { Session } from '../net/session.js';
import { memoryStores } from '../net/system.js';
import { Game } from './game.js';

const SWORD = { items: [{ item_id: 'sword-001', quantity: 1 }] };

async function playing(stores = memoryStores(), clock = new FakeClock(), server = new FakeServer(clock)) {
  const session = new Session(server.env(), stores, 'ws://home/ws', {
    status: () => undefined,
    welcome: (welcome) => game.welcome(welcome),
    event: (event, _, seq) => game.event(event, seq),
    refused: () => undefined,
  });
  const game = new Game(session, clock.now, { changed: () => undefined, hit: () => undefined });
  if (!session.restore()) session.login('alice', 'Alice');
  await clock.advance(100);
  return { clock, server, session, game, stores, deals: game.dealings };
}

/** What comes of a promise once time has passed. @param {FakeClock} clock @param {Promise<any>} promise */
async function soon(clock, promise) {
  const caught = promise.then((ok) => ({ ok }), (err) => ({ err }));
  await clock.advance(100);
  return /** @type {Promise<any>} */ (caught);
}

test('an offer reserves what it gives until it ends', async () => {
  const { clock, server, game, deals } = await playing();
  const { ok } = await soon(clock, deals.offer('bob', { gold: 30 }, SWORD));
  const deal = deals.find(ok);
  assert.deepEqual([deal?.mine, deal?.other, deal?.phase], [true, 'bob', 'offered']);
  assert.deepEqual([deals.reserved, game.state?.gold, deals.incoming], [{ gold: 30 }, 70, []]);
  server.dealings.end(ok, 'expired');
  await clock.advance(100);
  assert.deepEqual([deals.find(ok)?.phase, deals.open, deals.reserved, game.state?.gold], ['expired', [], {}, 100]);
});

test('an acceptance commits at a position of the journal', async () => {
  const { clock, server, game, deals } = await playing();
  const id = server.dealings.offer('bob', SWORD, { gold: 20 });
  await clock.advance(100);
  const [seen] = deals.incoming;
  assert.ok(seen);
  assert.deepEqual([seen.gives, seen.gets], [{ gold: 20 }, SWORD]);
  await soon(clock, deals.accept(seen));
  assert.deepEqual(server.said('trade_accept').map(({ args }) => args), [{ trade_id: id, revision: 1 }]);
  assert.deepEqual([deals.ended[0]?.phase, deals.ended[0]?.seq], ['committed', server.seq]);
  assert.equal(game.state?.gold, 80);
});

test('terms that changed are not accepted by mistake', async () => {
  const { clock, server, deals } = await playing();
  const id = server.dealings.offer('bob', SWORD, { gold: 20 });
  await clock.advance(100);
  const [seen] = deals.incoming;
  assert.ok(seen);
  server.dealings.counter(id, SWORD, { gold: 90 });
  const { err } = await soon(clock, deals.accept(seen));
  assert.equal(err.code, 'no_such_trade');
  assert.deepEqual([deals.find(id)?.revision, deals.find(id)?.gives], [2, { gold: 90 }]);
});

test('a counter-offer changes places, and older terms do not come back', async () => {
  const { clock, server, game, deals } = await playing();
  const id = server.dealings.offer('bob', SWORD, { gold: 50 });
  await clock.advance(100);
  const [seen] = deals.incoming;
  assert.ok(seen);
  await soon(clock, deals.counter(seen, { gold: 10 }, SWORD));
  assert.deepEqual([deals.find(id)?.mine, deals.incoming, deals.reserved], [true, [], { gold: 10 }]);
  game.event({ ev: 'trade', ...seen, phase: 'offered' }, 2);
  assert.equal(deals.find(id)?.revision, 2);
});

test('open offers survive a reload, and outcomes of meanwhile are told with their position', async () => {
  const { clock, server, deals, stores, session } = await playing();
  const kept = server.dealings.offer('bob', SWORD, { gold: 5 });
  const { ok: lost } = await soon(clock, deals.offer('eve', { gold: 30 }, {}));
  session.wake();
  server.cut(1006);
  server.dealings.end(lost, 'committed');
  const page = await playing(stores, clock, server);
  assert.deepEqual(page.deals.open.map(({ trade_id }) => trade_id), [kept]);
  assert.deepEqual([page.deals.ended[0]?.phase, page.deals.ended[0]?.seq], ['committed', server.seq]);
});

test('after a new greeting what is no longer open is over, as far as is known', async () => {
  const { clock, server, deals, game, session } = await playing();
  const id = server.dealings.offer('bob', SWORD, { gold: 5 });
  await clock.advance(100);
  server.state.trades = [];
  session.again();
  await clock.advance(100);
  assert.deepEqual([deals.find(id)?.phase, deals.open], ['over', []]);
  game.event({ ev: 'trade', ...structuredClone(deals.find(id)), phase: 'committed' }, 9);
  assert.deepEqual(deals.ended.map(({ phase, seq }) => [phase, seq]), [['committed', 9]]);
  session.login('bob', 'Bob');
  await clock.advance(100);
  assert.deepEqual(deals.ended, [], 'another player knows nothing of it');
});

test('an offer that nobody has seen leaves nothing behind', async () => {
  const { clock, server, game, deals } = await playing();
  const trade = { trade_id: 'x1', phase: 'offered', revision: 1, from: 'alice', to: 'nobody', give: {}, want: {}, expires_ms: 0 };
  server.pushNumbered({ ev: 'player', set: { trades: [trade] } });
  await clock.advance(50);
  assert.equal(deals.open.length, 1);
  server.pushNumbered({ ev: 'player', set: { trades: [] } });
  await clock.advance(50);
  assert.deepEqual([deals.open, deals.ended], [[], []]);
  game.event({ ev: 'trade', ...trade }, 5);
  server.pushNumbered({ ev: 'player', set: { trades: [] } });
  await clock.advance(50);
  assert.deepEqual(deals.ended.map(({ phase }) => phase), ['over'], 'one that was told of is over');
  game.event({ ev: 'player', set: { trades: [trade] } });
  assert.deepEqual([deals.open.length, deals.ended], [1, []], 'and open again where a replay was behind');
});

test('only so many ended trades are remembered', async () => {
  const { clock, server, deals } = await playing();
  for (let nth = 0; nth < 20; nth += 1) server.dealings.end(server.dealings.offer('bob', { gold: 1 }, {}), 'cancelled');
  await clock.advance(100);
  assert.deepEqual([deals.ended.length, deals.ended[0]?.trade_id], [12, 't20']);
});

test('a party is joined by invitation, led by one, and ended for all', async () => {
  const { clock, server, deals } = await playing();
  const party = { party_id: 'p7', name: 'Wolves', leader: 'bob', members: ['bob'], on_leader_left: /** @type {const} */ ('end') };
  server.dealings.invite(party);
  await clock.advance(100);
  assert.deepEqual([deals.party, deals.invitations], [null, [party]]);
  await soon(clock, deals.joinParty('p7'));
  assert.deepEqual([deals.party?.members, deals.invitations, deals.leads], [['bob', 'alice'], [], false]);
  server.dealings.change({ ...party, leader: 'alice', members: ['alice'] }, 'led', 'alice');
  await clock.advance(100);
  assert.equal(deals.leads, true);
  server.dealings.change(null, 'ended');
  await clock.advance(100);
  assert.deepEqual([deals.party, deals.leads], [null, false]);
});

test('an invitation that is taken back is gone', async () => {
  const { clock, server, deals } = await playing();
  server.dealings.invite({ party_id: 'p7', name: 'Wolves', leader: 'bob', members: ['bob'], on_leader_left: 'end' });
  await clock.advance(100);
  server.state.invitations = [];
  server.pushNumbered({ ev: 'party', party: null, by: 'bob', what: 'withdrawn' });
  await clock.advance(100);
  assert.deepEqual(deals.invitations, []);
});

test('coins lie in a room, and not in the next', async () => {
  const { clock, server, game } = await playing();
  await Promise.all([game.arrive(), clock.advance(100)]);
  server.push({ ev: 'coins', at: [[1, 5, 5]], full: true });
  await clock.advance(50);
  assert.equal(game.coins.length, 1);
  await Promise.all([game.join('den'), clock.advance(100)]);
  assert.equal(game.coins.length, 0);
});
