/**
 * Owns the panels: vitals, moves and their cooldown, players, inventory,
 * leaderboard, room. Each is a plain function of the game's state; names only
 * ever become text.
 */

import { FLAGS } from '../net/wire.js';
import { byId, follow, hueOf, make, say } from './dom.js';

/**
 * @typedef {import('../sim/game.js').Game} Game
 * @typedef {import('../net/wire.js').PlayerState} PlayerState
 * @typedef {{ select: (player: string) => void, use: (item: string) => void }} HudHandlers
 */

/** Items that can be used up; the wire does not say which. @param {string} id */
const isUsable = (id) => /^potion\b/u.test(id);
/** Length of a cooldown, to draw how much of it is left. */
const COOLDOWN_MS = 5_000;

/** @param {HudHandlers} handlers */
export function createHud(handlers) {
  return {
    /** @param {Game} game everything that changes with the state */
    show(game) {
      const state = game.state;
      if (!state) return;
      showVitals(state);
      showRoom(state, game.others().length + 1);
      showPlayers(game, handlers);
      showInventory(state, handlers);
      showTop(game);
    },
    /**
     * What changes with time alone; call for each picture.
     * @param {Game} game
     * @param {number} serverNow
     */
    tick(game, serverNow) {
      showMoves(game, serverNow);
    },
  };
}

/** @param {PlayerState} state */
function showVitals(state) {
  const part = state.max_health > 0 ? state.health / state.max_health : 0;
  const meter = byId('health', HTMLElement);
  meter.setAttribute('aria-valuemax', String(state.max_health));
  meter.setAttribute('aria-valuenow', String(state.health));
  meter.dataset.level = part > 0.5 ? 'good' : part > 0.25 ? 'low' : 'bad';
  byId('health-fill', HTMLElement).style.setProperty('transform', `scaleX(${part})`);
  say(byId('health-text', HTMLElement), `${state.health} / ${state.max_health}`);
  for (const name of /** @type {const} */ (['level', 'xp', 'score', 'gold'])) {
    say(byId(name, HTMLElement), String(state[name]));
  }
  byId('fallen', HTMLElement).hidden = state.health > 0;
}

let shownRoom = '';
/**
 * @param {PlayerState} state
 * @param {number} here everyone who is seen; the state counts those of the moment of joining
 */
function showRoom(state, here) {
  const room = state.current_room;
  const field = byId('room', HTMLInputElement);
  const id = room?.room_id ?? '';
  if (id !== shownRoom && document.activeElement !== field) field.value = id;
  shownRoom = id;
  say(byId('room-count', HTMLElement), room ? `${here}/${room.max_players}` : 'none');
}

/**
 * @param {Game} game
 * @param {HudHandlers} handlers
 */
function showPlayers(game, handlers) {
  const others = game.others().sort((a, b) => a.name.localeCompare(b.name));
  follow(byId('players', HTMLUListElement), others, ({ player }) => player, ({ player }) => {
    const item = make('li');
    const button = make('button', 'player');
    button.type = 'button';
    const swatch = make('span', 'swatch');
    swatch.style.setProperty('--hue', String(hueOf(player)));
    button.append(swatch, make('span', 'who'), make('span', 'mark'), make('span', 'hp'));
    button.addEventListener('click', () => handlers.select(player));
    item.append(button);
    return item;
  }, (item, { player, name, health, flags }) => {
    const button = /** @type {HTMLElement} */ (item.firstElementChild);
    const [, who, mark, hp] = button.children;
    button.setAttribute('aria-pressed', String(player === game.selected));
    if (who) say(who, name);
    if (mark) say(mark, markOf(flags));
    if (hp) say(hp, String(health));
  });
  byId('alone', HTMLElement).hidden = others.length > 0;
}

/** @param {number} flags */
function markOf(flags) {
  if ((flags & FLAGS.defeated) !== 0) return 'defeated';
  if ((flags & FLAGS.lost) !== 0) return 'away';
  return (flags & FLAGS.defending) !== 0 ? 'defending' : '';
}

/**
 * @param {PlayerState} state
 * @param {HudHandlers} handlers
 */
function showInventory(state, handlers) {
  follow(byId('inventory', HTMLUListElement), state.inventory, ({ item_id }) => item_id, ({ item_id, name }) => {
    const item = make('li', 'item');
    item.append(make('span', 'who'), make('span', 'count'));
    if (isUsable(item_id)) {
      const use = make('button', '', 'Use');
      use.type = 'button';
      use.setAttribute('aria-label', `Use ${name}`);
      use.addEventListener('click', () => handlers.use(item_id));
      item.append(use);
    }
    return item;
  }, (item, { name, quantity }) => {
    const [who, count] = item.children;
    if (who) say(who, name);
    if (count) say(count, `×${quantity}`);
  });
}

/** @param {Game} game */
function showTop(game) {
  follow(byId('top', HTMLOListElement), game.top, ([player]) => player, () => {
    const item = make('li', 'rank');
    item.append(make('span', 'place'), make('span', 'who'), make('span', 'points'));
    return item;
  }, (item, [player, name, score, rank]) => {
    item.classList.toggle('me', player === game.state?.player_id);
    const [place, who, points] = item.children;
    if (place) say(place, String(rank));
    if (who) say(who, name);
    if (points) say(points, String(score));
  });
  byId('top-empty', HTMLElement).hidden = game.top.length > 0;
}

/**
 * @param {Game} game
 * @param {number} serverNow
 */
function showMoves(game, serverNow) {
  const until = game.state?.cooldowns.find(({ move_type }) => move_type === 'special')?.until_ms ?? 0;
  const left = Math.max(0, until - serverNow);
  for (const button of document.querySelectorAll('button[data-move]')) {
    const off = game.defeated || (button.id === 'special' && left > 0);
    button.setAttribute('aria-disabled', String(off));
  }
  const part = Math.min(1, left / COOLDOWN_MS);
  byId('cooldown', HTMLElement).style.setProperty('transform', `scaleX(${part.toFixed(3)})`);
  say(byId('special-note', HTMLElement), left > 0 ? `in ${(left / 1000).toFixed(1)} s` : '40 damage');
  const target = game.target();
  const name = game.others().find(({ player }) => player === target)?.name;
  const how = target === game.selected ? 'Aiming at' : 'Nearest:';
  say(byId('aim', HTMLElement), name ? `${how} ${name}` : 'Nobody to strike: blows are practice');
}
