/**
 * Owns the composition of the page: the one file that knows every part. Net and
 * sim get their clock, socket and storage here; ui and view get what to call.
 * `window.holdfast` is a window into it for tests and the curious, read only.
 */

import { closeCode } from './net/close_codes.js';
import { Session } from './net/session.js';
import { Game } from './sim/game.js';
import { createControls } from './ui/controls.js';
import { byId, hueOf, say } from './ui/dom.js';
import { createHud } from './ui/hud.js';
import { createLog } from './ui/log.js';
import { createLogin } from './ui/login.js';
import { createStatus } from './ui/status.js';
import { narrate, narrateMove } from './ui/narrate.js';
import { claimStore, sessionStore } from './ui/stores.js';
import { Arena } from './view/arena.js';

/** The beat of input is looked at so often, also when nothing is drawn. */
const INPUT_POLL_MS = 25;

const clock = {
  now: () => performance.now(),
  setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => window.setTimeout(run, ms),
  clearTimeout: (/** @type {number} */ timer) => window.clearTimeout(timer),
};
const env = { WebSocket, clock, random: Math.random };
const stores = { session: sessionStore(), claims: claimStore() };
const scheme = location.protocol === 'https:' ? 'wss' : 'ws';

const write = createLog();
const chip = createStatus();
const login = createLogin((player, name) => {
  login.open();
  session.login(player, name);
});

/** @type {Session} */
const session = new Session(env, stores, `${scheme}://${location.host}/ws`, {
  status: showStatus,
  welcome: welcomed,
  event: (event, replayed) => {
    game.event(event);
    const line = narrate(event, game.state?.player_id ?? '', replayed);
    if (line) write(...line);
  },
  refused: (error) => write('error', error.message || error.code),
});
const arena = new Arena(byId('arena', HTMLCanvasElement), hueOf);
const hud = createHud({
  select: (player) => game.select(player),
  use: (item_id) => run('use_item', { item_id }, (ok) => `${nameOf(item_id)} used, health ${ok.health}`),
});
const game = new Game(session, clock.now, {
  changed: () => hud.show(game),
  hit: (player, by) => arena.float(player, by, clock.now()),
});
const controls = createControls({
  move: makeMove,
  say: (text) => run('say', { text }, () => text, 'say'),
  join: (room) => enter(() => game.join(room)),
  tap: (x, y) => {
    const player = arena.playerAt(x, y);
    if (player) game.select(player);
    byId('arena', HTMLCanvasElement).focus();
  },
  walked: () => document.body.classList.add('walked'),
});

/** @param {import('./net/wire.js').Welcome} welcome */
function welcomed(welcome) {
  chip.welcomed(welcome);
  game.welcome(welcome);
  hud.show(game);
  if (welcome.ev === 'resync') write('link', 'Back, with the newest state.');
  if (welcome.ev === 'resumed') write('link', `Back, ${welcome.replayed ?? 0} missed events replayed.`);
  session.command('top').then((ok) => game.rank(ok.top), () => undefined);
  if (!welcome.state.current_room) enter(() => game.arrive());
}

/** @param {() => Promise<any>} join */
async function enter(join) {
  try {
    await join();
    write('reply', `You are in ${game.state?.current_room?.room_name ?? 'the room'}.`);
  } catch (error) {
    write('error', `No way in: ${/** @type {Error} */ (error).message}`);
  }
  hud.show(game);
}

/** @param {string} move */
async function makeMove(move) {
  const button = byId(move, HTMLButtonElement);
  if (!session.live) return write('error', 'Not connected: the move was not sent.');
  if (button.getAttribute('aria-disabled') === 'true') return undefined;
  try {
    const { ok, target } = await game.act(move);
    return write('combat', narrateMove(move, target && playerName(target), ok));
  } catch (error) {
    return write('error', /** @type {Error} */ (error).message);
  }
}

/**
 * Sends a command and logs what came of it.
 * @param {string} verb
 * @param {object} args
 * @param {(ok: any) => string} words
 * @param {import('./ui/log.js').LineKind} [kind]
 */
async function run(verb, args, words, kind = 'reply') {
  try {
    const ok = await session.command(verb, args);
    write(kind, words(ok), kind === 'say' ? game.state?.display_name : undefined);
  } catch (error) {
    write('error', /** @type {Error} */ (error).message);
  }
}

/** @param {string} player */
function playerName(player) {
  return game.others().find((other) => other.player === player)?.name ?? player;
}

/** @param {string} item */
function nameOf(item) {
  return game.state?.inventory.find(({ item_id }) => item_id === item)?.name ?? item;
}

/** @param {import('./net/session.js').SessionStatus} status */
function showStatus(status) {
  chip.show(status);
  const playing = status.phase !== 'idle' && status.phase !== 'stopped';
  byId('room-form', HTMLElement).hidden = !playing;
  byId('logout', HTMLElement).hidden = !playing;
  const ended = byId('ended', HTMLElement);
  const show = status.phase === 'stopped' && status.code !== 1000 && !status.error;
  if (show && ended.hidden) showEnd(status);
  ended.hidden = !show;
  if (status.phase === 'stopped' && !show) login.shut(status.error ? status.reason : '');
}

/** @param {import('./net/session.js').SessionStatus} status */
function showEnd(status) {
  const known = status.code === null ? null : closeCode(status.code);
  const why = known?.name === 'replaced' ? 'This player connected somewhere else, and the newest connection wins.' : '';
  say(byId('ended-why', HTMLElement), why || `The server closed the connection: ${status.reason}.`);
  byId('ended', HTMLElement).hidden = false;
  byId('again', HTMLButtonElement).focus();
}

function picture() {
  const now = clock.now();
  game.step(controls.held());
  if (!byId('game', HTMLElement).hidden) {
    arena.draw(game.scene(), now);
    hud.tick(game, session.serverNow());
  }
  requestAnimationFrame(picture);
}

byId('again', HTMLButtonElement).addEventListener('click', () => {
  session.again();
  byId('arena', HTMLCanvasElement).focus();
});
byId('logout', HTMLButtonElement).addEventListener('click', () => session.logout());
window.addEventListener('online', () => session.wake());
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') session.wake();
});
window.setInterval(() => game.step(controls.held()), INPUT_POLL_MS);
requestAnimationFrame(picture);
if (session.restore()) login.open();

Object.defineProperty(window, 'holdfast', {
  value: Object.freeze({
    /** The session's numbers: connection id, newest seq, open commands. */
    get session() { return session.numbers; },
    state: () => structuredClone(game.state),
    positions: () => game.positions(),
    players: () => game.others().map(({ player, name, health }) => ({ player, name, health })),
    connection: () => session.status,
    corrections: () => game.corrections,
  }),
});
