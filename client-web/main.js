/**
 * Owns the composition of the page: the one file that knows every part. Net and
 * sim get their clock, socket and storage here; ui and view get what to call.
 * `window.holdfast` is a window into it for tests and the curious, read only.
 */

import { renewToken, isTokenDue } from './net/claim.js';
import { closeCode } from './net/close_codes.js';
import { History, nodes } from './net/history.js';
import { Session } from './net/session.js';
import { systemEnv } from './net/system.js';
import { Game } from './sim/game.js';
import { blowTaken } from './ui/blows.js';
import { createControls } from './ui/controls.js';
import { createDealings } from './ui/dealings.js';
import { byId, say } from './ui/dom.js';
import { Hud } from './ui/hud.js';
import { Link } from './ui/link.js';
import { Log } from './ui/log.js';
import { createLogin } from './ui/login.js';
import { narrate, narrateMove } from './ui/narrate.js';
import { NetGraph } from './ui/netgraph.js';
import { createPanels } from './ui/panels.js';
import { isToParty } from './ui/party.js';
import { isCrowd, showPeople } from './ui/people.js';
import { createRooms } from './ui/rooms.js';
import { Scenes } from './ui/scenes.js';
import { claimStore, sessionStore } from './ui/stores.js';
import { Arena } from './view/arena.js';
import { WorldMap } from './view/map.js';

/** The beat of input is looked at so often, also when nothing is drawn. */
const INPUT_POLL_MS = 25;
/** What changes with time alone is shown so often. */
const TICK_MS = 100;
/** Whether a claimed name's token is to be renewToken is looked at so often. */
const KEEP_NAME_MS = 3_600_000;
/** Lists of people are shown so often at most. */
const LISTS_MS = 250;
/** In a crowd those who are nearest change all the time. */
const CROWD_LISTS_MS = 1_000;

const env = systemEnv();
const { clock } = env;
const stores = { session: sessionStore(), claims: claimStore() };
const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
const canvas = byId('arena', HTMLCanvasElement);

const log = new Log();
const login = createLogin((player, name) => {
  enterGame();
  session.login(player, name);
});
/** @type {Session} */
const session = new Session(env, stores, `${scheme}://${location.host}/ws`, {
  status: showStatus,
  welcome: welcomed,
  event: happened,
  refused: (error) => log.write('error', error.message || error.code),
  trace: (entry) => scenes.trace(entry),
});
const link = new Link(clock.now, () => session.wake());
const arena = new Arena(canvas);
const map = new WorldMap(byId('map', HTMLCanvasElement));
const netgraph = new NetGraph();
const hud = new Hud((item) => use(item));
const game = new Game(session, clock.now, {
  changed: () => {
    dirty.state = dirty.lists = true;
  },
  hit: (player, by) => arena.hit(player, by, clock.now()),
  taken: (coin) => arena.taken(coin, clock.now()),
});
const fetcher = (/** @type {Parameters<typeof fetch>} */ ...args) => fetch(...args);
const base = () => session.http();
const headers = () => session.authorization();
const scenes = new Scenes({
  known: () => game.state,
  serverNow: () => session.serverNow(),
  nodes: () => nodes(fetcher, base(), headers()),
  history: (handlers) => new History({ fetch: fetcher, clock, base, headers }, handlers),
  fetch: fetcher,
});
const panels = createPanels((open) => scenes.turn(open), (focus) => dealings.close(focus));
const rooms = createRooms({
  list: () => session.command('rooms').then((ok) => ok.rooms),
  join: (room) => arrive(() => game.join(room)),
  together: (room) => run('party_join_room', { room_id: room }, () => `The party is on its way to ${room}.`),
  here: () => game.state?.current_room?.room_id ?? '',
});
const dealings = createDealings(game, {
  now: clock.now,
  log,
  opened: () => panels.tradeOpened(),
  together: () => rooms.open(true),
});
const dirty = { state: false, lists: false };
const shown = { tick: -Infinity, lists: -Infinity };
let ghost = false;
/** @type {import('./view/arena.js').Scene} */
let scene = { me: null, everyone: [] };
const controls = createControls({
  move: makeMove,
  order: obey,
  say: (text) => {
    if (isToParty()) return run('party_say', { text }, () => text, 'party');
    return run('say', { text }, () => text, 'say').then((said) => said && shout(text));
  },
  tap,
  me: () => scene.me,
  now: clock.now,
  walked: () => document.body.classList.add('walked'),
});

function enterGame() {
  login.open();
  panels.begin();
}

/** @param {import('./net/wire.js').Welcome} welcome */
function welcomed(welcome) {
  link.welcomed(welcome);
  dealings.welcomed();
  game.welcome(welcome);
  scenes.welcomed(welcome);
  dirty.state = dirty.lists = true;
  if (welcome.ev === 'resync') log.write('link', 'Back, with the newest state.');
  if (welcome.ev === 'resumed') log.write('link', `Back, ${welcome.replayed ?? 0} missed events replayed.`);
  session.command('top').then(
    (ok) => game.rank(ok.top),
    () => undefined,
  );
  if (!welcome.state.current_room) arrive(() => game.arrive());
  keepName();
}

/** A claimed name stays one's own. Asked of the page's own server alone: others take no such call from it. */
async function keepName() {
  const player = game.state?.player_id ?? '';
  const token = stores.claims.get(player);
  if (!token || !session.live || base() !== location.origin || !isTokenDue(token, session.serverNow())) return;
  const fresh = await renewToken(fetcher, base(), player, token);
  if (!fresh) return;
  stores.claims.set(player, fresh);
  // The session of now goes on with the new one too.
  await session.command('refresh', { token: fresh }).catch(() => undefined);
}

/**
 * @param {import('./net/wire.js').WireEvent} event
 * @param {boolean} replayed
 * @param {number | null} seq
 */
function happened(event, replayed, seq) {
  const gold = game.state?.gold ?? 0;
  game.event(event, seq);
  const gained = (game.state?.gold ?? 0) - gold;
  if (gained > 0 && !replayed) arena.gain(game.state?.player_id ?? '', gained, clock.now());
  if (dealings.told(event, replayed, seq)) return undefined;
  if (event.ev === 'say' && !event.party) arena.say(event.from, event.text, clock.now());
  const blow = event.ev === 'notice' && !replayed ? blowTaken(event.text) : null;
  if (blow) return log.blow(blow);
  const line = narrate(event, game.state?.player_id ?? '', replayed);
  if (line) log.write(line[0], line[1], line[2] && playerName(line[2]));
  return undefined;
}

/** One's own words stand over one's own player. @param {string} text */
function shout(text) {
  if (game.state) arena.say(game.state.player_id, text, clock.now());
}

/** @param {() => Promise<any>} join */
async function arrive(join) {
  try {
    await join();
    log.write('reply', `You are in ${game.state?.current_room?.room_name ?? 'the room'}.`);
  } catch (error) {
    log.write('error', `No way in: ${/** @type {Error} */ (error).message}`);
  }
  dirty.state = dirty.lists = true;
}

/** @param {string} move */
async function makeMove(move) {
  if (!session.live) return log.write('error', 'Not connected: the move was not sent.');
  if (byId(move, HTMLButtonElement).getAttribute('aria-disabled') === 'true') return undefined;
  try {
    const { ok, target } = await game.act(move);
    const text = narrateMove(move, target && playerName(target), ok);
    if (!target) return log.write('combat', text);
    return log.blow({ way: 'dealt', who: playerName(target), damage: ok.damage, text });
  } catch (error) {
    return log.write('error', /** @type {Error} */ (error).message);
  }
}

/** @param {import('./ui/controls.js').Order} order */
function obey(order) {
  switch (order) {
    case 'use': {
      const item = hud.usable(game);
      return item ? use(item) : log.write('error', 'Nothing that can be used is left.');
    }
    case 'aim':
      return aimNext();
    case 'scenes':
      return panels.toggleScenes();
    case 'netgraph':
      return netgraph.toggle();
    case 'ghost': {
      ghost = !ghost;
      return log.write(
        'link',
        ghost ? 'Ghost: the outline is where the server last said you are.' : 'Ghost off.',
      );
    }
    case 'rooms':
      return rooms.open();
    case 'trade':
      return dealings.toggle();
    case 'help':
      return panels.dialog('help');
    default:
      return panels.chat();
  }
}

/** Aims at the next one by name, after the last to nobody. */
function aimNext() {
  const players = game
    .others()
    .map(({ player }) => player)
    .sort();
  const next = players[game.selected === null ? 0 : players.indexOf(game.selected) + 1] ?? null;
  game.select(next ?? game.selected);
}

/**
 * A point of the arena was clicked: a player is aimed at, a place walked to.
 * @param {number} left
 * @param {number} top
 */
function tap(left, top) {
  canvas.focus();
  const player = arena.playerAt(left, top);
  if (player) game.select(player);
  return player ? null : arena.worldAt(left, top);
}

/** @param {string} item_id */
function use(item_id) {
  const name = game.state?.inventory.find((item) => item.item_id === item_id)?.name ?? item_id;
  return run('use_item', { item_id }, (ok) => `${name} used, health ${ok.health}`);
}

/**
 * Sends a command and logs what came of it; true when it took effect.
 * @param {string} verb
 * @param {object} args
 * @param {(ok: any) => string} words
 * @param {import('./ui/log.js').LineKind} [kind]
 */
async function run(verb, args, words, kind = 'reply') {
  try {
    const ok = await session.command(verb, args);
    log.write(kind, words(ok), kind === 'say' || kind === 'party' ? game.state?.display_name : undefined);
    return true;
  } catch (error) {
    log.write('error', /** @type {Error} */ (error).message);
    return false;
  }
}

/** @param {string} player */
function playerName(player) {
  return game.nameOf(player);
}

/** @param {import('./net/session.js').SessionStatus} status */
function showStatus(status) {
  link.show(status);
  scenes.connect(status.phase === 'live');
  if (status.phase !== 'stopped') return hideEnd();
  const ended = status.code !== 1000 && !status.error;
  if (ended) return showEnd(status);
  hideEnd();
  scenes.leave();
  dealings.leave();
  return login.shut(status.error ? status.reason : '');
}

function hideEnd() {
  const dialog = byId('ended', HTMLDialogElement);
  if (dialog.open) dialog.close();
}

/** @param {import('./net/session.js').SessionStatus} status */
function showEnd(status) {
  const known = status.code === null ? null : closeCode(status.code);
  const why =
    known?.name === 'replaced'
      ? 'This player connected somewhere else, and the newest connection wins.'
      : '';
  say(byId('ended-why', HTMLElement), why || `The server closed the connection: ${status.reason}.`);
  panels.dialog('ended');
}

function picture() {
  const now = clock.now();
  requestAnimationFrame(picture);
  if (document.body.dataset.at !== 'game') return arena.drift(now);
  game.step(controls.held());
  scene = game.scene();
  if (game.defeated) controls.rest();
  arena.draw(scene, { coins: game.coins, ghost: ghost ? game.ghost() : null, goal: controls.goal() }, now);
  map.draw(scene, game.coins, arena.palette, now);
  showPanels(now);
  netgraph.tick(netNumbers, now);
  return scenes.tick(now);
}

/**
 * What changed is shown at once, lists and what only time changes now and then,
 * the dear ones each in a picture of its own. Lists go first: on a slow machine
 * every picture has news, and must not keep them away.
 * @param {number} now
 */
function showPanels(now) {
  const due = now - shown.tick >= TICK_MS;
  if (due) {
    shown.tick = now;
    link.tick();
    dealings.tick(session.serverNow());
  }
  const lists_ms = isCrowd(scene.everyone.length) ? CROWD_LISTS_MS : LISTS_MS;
  if (dirty.lists && now - shown.lists >= lists_ms) {
    dirty.lists = false;
    shown.lists = now;
    showPeople(game, scene.me, dealings.target);
  } else if (dirty.state) {
    dirty.state = false;
    hud.show(game, session.serverNow());
    dealings.show();
  } else if (due) hud.tick(game, session.serverNow());
}

function netNumbers() {
  const { bytes_in, bytes_out } = session.traffic;
  return { ...game.net(), rtt_ms: session.status.rtt_ms, bytes_in, bytes_out };
}

byId('again', HTMLButtonElement).addEventListener('click', () => {
  session.again();
  canvas.focus();
});
for (const id of ['logout', 'another'])
  byId(id, HTMLButtonElement).addEventListener('click', () => session.logout());
byId('help-open', HTMLButtonElement).addEventListener('click', () => panels.dialog('help'));
byId('room-open', HTMLButtonElement).addEventListener('click', () => rooms.open());
byId('help', HTMLDialogElement).addEventListener('close', () => canvas.focus());
byId('ended', HTMLDialogElement).addEventListener('cancel', (event) => event.preventDefault());
window.addEventListener('online', () => session.wake());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') session.wake();
});
window.setInterval(() => {
  if (document.body.dataset.at === 'game') game.step(controls.held());
}, INPUT_POLL_MS);
window.setInterval(keepName, KEEP_NAME_MS);
requestAnimationFrame(picture);
if (session.restore()) enterGame();

Object.defineProperty(window, 'holdfast', {
  value: Object.freeze({
    /** The session's numbers: connection id, newest seq, open commands. */
    get session() {
      return session.numbers;
    },
    state: () => structuredClone(game.state),
    positions: () => game.positions(),
    coins: () => structuredClone(game.coins),
    /** Open trades, how the last ones ended, the party. */
    dealings: () => {
      const { open, ended, reserved, party, invitations } = game.dealings;
      return structuredClone({ open, ended, reserved, party, invitations });
    },
    players: () => game.others().map(({ player, name, health }) => ({ player, name, health })),
    connection: () => session.status,
    corrections: () => game.corrections,
    net: () => game.net(),
    /** Where the last picture has put everyone. */
    drawn: () => ({
      self: scene.me,
      others: Object.fromEntries(scene.everyone.filter(({ own }) => !own).map(({ player, x, y }) => [player, { x, y }])),
    }),
    /** The timeline of each loss: lines with times, total, before and after. */
    incidents: () => structuredClone(scenes.incidents),
  }),
});
