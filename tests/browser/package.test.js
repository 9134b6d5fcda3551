/**
 * The client as a package: what npm packs holds what it should and nothing else,
 * a strict TypeScript game with a state of its own compiles against it, and its
 * example plays on the real server. Needs npm, HOLDFAST_BIN and this folder's
 * packages, but no network.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Server } from './server.js';

const run = promisify(execFile);
const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const PACKAGES = fileURLToPath(new URL('node_modules', import.meta.url));

/** A game's client as another team would write it; each expected error must be one. */
const CONSUMER = `
import {
  type Greeting, type HistoryEntry, type Trace, type WireEvent,
  CommandError, History, Interpolation, Prediction, Session, closeCode, json, memoryStores, msgpack,
  nodes, systemEnv,
} from 'holdfast-client';
import { type Deal, type GameEvent, type PlayerState, Game, goodsOf, playerId } from 'holdfast-client/reference-game';

interface Farm { fields: number[] }
type FarmEvent = { ev: 'grown'; field: number } | { ev: 'sold'; gold: number };

const env = systemEnv();
const told: Trace[] = [];
const session = new Session<Farm, FarmEvent>(env, memoryStores(), 'ws://localhost/ws', {
  status: ({ phase, slow, retry_at, rtt_ms }) => {
    const shown: [string, boolean, number | null, number | null] = [phase, slow, retry_at, rtt_ms];
    console.log(shown);
  },
  welcome: (welcome: Greeting<Farm>) => {
    console.log(welcome.state.fields.length, welcome.activation?.records);
  },
  event: (event, replayed: boolean, seq: number | null) => {
    if (event.ev === 'grown') console.log(event.field, replayed, seq);
    // @ts-expect-error a farm has no such event
    if (event.ev === 'attack') console.log(event);
  },
  refused: ({ code }) => console.log(code.length),
  trace: (entry) => {
    told.push(entry);
    if (entry.what === 'repeated') console.log(entry.ids[0]?.toFixed());
    // @ts-expect-error only some entries have ids
    console.log(entry.ids);
  },
}, json);
// @ts-expect-error a player has a name
session.login('alice');
session.command('plant', { field: 3 }).catch((why: unknown) => why instanceof CommandError && why.code);

type Place = { x: number; y: number; z: number };
const others = new Interpolation<Place>({ takes: (from, to) => Math.hypot(to.x - from.x, to.z) });
others.put(1, 7, { x: 1, y: 2, z: 3 });
// @ts-expect-error a place has a height
others.put(1, 8, { x: 1, y: 2 });
const drawn: { x: number; y: number } | null = others.at(1);
const own = new Prediction((from, [dx]) => ({ x: from.x + dx, y: from.y }));
own.take([1, 0, 0]);

const asked = { base: () => session.http(), headers: () => session.authorization() };
const history = new History({ fetch, clock: env.clock, ...asked }, {
  entry: (entry: HistoryEntry) => {
    if (entry.entry === 'claim') console.log(entry.after, entry.epoch);
  },
  state: (live, why) => console.log(live, why),
});
history.follow('alice', 3);
nodes(fetch, session.http(), {}).then((page) => console.log(page.nodes[0]?.lease_age_ms, page.demo?.control));

const bytes: string | Uint8Array = msgpack.encode({ do: 'who' });
const event: WireEvent = { ev: 'x', anything: 1 };
console.log(drawn, bytes.length, event, closeCode(4504).verdict, playerId('A b'));
const playing = new Session<PlayerState, GameEvent>(env, memoryStores(), 'ws://localhost/ws', {
  status: () => {},
  welcome: (welcome) => game.welcome(welcome),
  event: (one, replayed, seq) => {
    game.event(one, seq);
    if (one.ev === 'trade' && one.phase === 'committed') console.log(one.give.gold, one.revision, replayed);
    if (one.ev === 'party') console.log(one.party?.members.length, one.what);
    if (one.ev === 'coins') console.log(one.at?.[0]?.[1]);
    // @ts-expect-error only a trade has terms
    console.log(one.revision);
  },
  refused: () => {},
});
const hit = (player: string, by: number) => console.log(player, by);
const game = new Game(playing, env.clock.now, { changed: () => {}, hit });
game.step([1, 0, 0]);
game.dealings.offer('bob', { gold: 5 }, goodsOf([['sword-001', 1]])).then((id: string) => {
  const deal: Deal | null = game.dealings.find(id);
  console.log(deal?.seq, game.coins.length);
});
// @ts-expect-error a party has a rule for when its leader leaves
game.dealings.createParty('Wolves', 'never');
`;

/** @type {string} */ let folder;
/** @type {string} */ let installed;

/**
 * @param {string} cwd
 * @param {string} command
 * @param {...string} args
 */
async function inFolder(cwd, command, ...args) {
  const PATH = `${join(PACKAGES, '.bin')}${delimiter}${process.env.PATH}`;
  try {
    return (await run(command, args, { cwd, env: { ...process.env, PATH } })).stdout;
  } catch (error) {
    const { stdout, stderr } = /** @type {any} */ (error);
    throw new Error(`${command} ${args.join(' ')}: ${error}\n${stdout}\n${stderr}`);
  }
}

/** Packs a copy, so that nothing is left in the repository, and installs that. */
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-package-'));
  const source = join(folder, 'client-web');
  await cp(join(REPOSITORY, 'client-web'), source, { recursive: true });
  for (const licence of ['LICENSE-MIT', 'LICENSE-APACHE']) {
    await cp(join(REPOSITORY, licence), join(folder, licence));
  }
  await mkdir(join(folder, 'tests/browser'), { recursive: true });
  await symlink(PACKAGES, join(folder, 'tests/browser/node_modules'));
  await inFolder(source, 'npm', 'pack', '--silent', '--pack-destination', folder);
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  assert.ok(tarball, 'npm pack made a tarball');
  const game = join(folder, 'game');
  await mkdir(game);
  await writeFile(join(game, 'package.json'), '{"name": "game", "private": true, "type": "module"}');
  const quietly = ['--silent', '--offline', '--no-audit', '--no-fund'];
  await inFolder(game, 'npm', 'install', ...quietly, join(folder, tarball));
  installed = join(game, 'node_modules/holdfast-client');
});

after(() => rm(folder, { recursive: true, force: true }));

test('the package holds the client, its types and licences, and nothing for tests or the page', async () => {
  const { exports } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  const files = /** @type {string[]} */ (await readdir(installed, { recursive: true }));
  for (const { types, default: module } of Object.values(exports)) {
    for (const path of [types, module]) assert.ok(files.includes(path.replace('./', '')), `${path} is there`);
  }
  const others = ['README.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'example/walk.js', 'types/net/session.d.ts'];
  for (const path of others) {
    assert.ok(files.includes(path), `${path} is there`);
  }
  const unwanted = /\.test\.|fake|traces|tsconfig|^(ui|view|behind)|main\.js|\.html/u;
  assert.deepEqual(files.filter((path) => unwanted.test(path)), []);
});

test('a strict TypeScript game of its own state and events compiles against it', async () => {
  const game = join(folder, 'game');
  await writeFile(join(game, 'game.ts'), CONSUMER);
  const strict = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true };
  const rest = { target: 'es2022', lib: ['es2022', 'dom'], types: [], skipLibCheck: false, noEmit: true };
  for (const [module, moduleResolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
    const compilerOptions = { ...strict, ...rest, module, moduleResolution };
    const config = JSON.stringify({ compilerOptions, files: ['game.ts'] });
    await writeFile(join(game, 'tsconfig.json'), config);
    await inFolder(game, 'tsc', '-p', '.');
  }
});

test('the example plays on the real server', async () => {
  const server = await Server.begin();
  try {
    await symlink(join(PACKAGES, 'ws'), join(folder, 'game/node_modules/ws'));
    const said = await inFolder(installed, 'node', 'example/walk.js', server.socketUrl, 'walker');
    const lines = said.trim().split('\n');
    assert.match(lines[0] ?? '', /^welcome: walker on /u);
    assert.equal(lines[1], 'in arena');
    const walked = lines.filter((line) => line.startsWith('at '));
    const places = walked.map((line) => line.slice(3).split(', ').map(Number));
    assert.equal(places.length, 4);
    assert.ok((places[1]?.[1] ?? 0) > (places[0]?.[1] ?? 0), 'it walked down');
    assert.deepEqual(lines.slice(-2), ['corrections: 0', 'ended: logged out']);
  } finally {
    await server.end();
  }
});
