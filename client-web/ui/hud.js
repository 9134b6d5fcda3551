/**
 * Owns the deck: vitals, what is in force, moves and their cooldown, inventory,
 * and the room in the bar. Each is a plain function of the game's state.
 */

import { showCrest } from '../view/blazon.js';
import { byId, follow, icon, make, mark, say } from './dom.js';

/**
 * @typedef {import('../sim/game.js').Game} Game
 * @typedef {import('../net/wire.js').PlayerState} PlayerState
 */

/** Items that can be used up; the wire does not say which. @param {string} id */
const isUsable = (id) => /^potion\b/u.test(id);
/** Length of a cooldown, to draw how much of it is left. */
const COOLDOWN_MS = 5_000;
/** A defeated player stands up after so long. */
const RISE_MS = 5_000;
/** @type {Readonly<Record<string, string>>} */
const BUFF_NAMES = Object.freeze({ defend: 'Defending', defending: 'Defending', defense: 'Defending' });

export class Hud {
  /** @type {(item: string) => void} */ #use;
  /** @type {number | null} server time; null while standing */ #fellAt = null;
  #player = '';

  /** @param {(item: string) => void} use */
  constructor(use) {
    this.#use = use;
  }

  /** The first thing that can be used, for its key. @param {Game} game */
  usable(game) {
    return game.state?.inventory.find(({ item_id }) => isUsable(item_id))?.item_id ?? null;
  }

  /**
   * Everything that changes with the state.
   * @param {Game} game
   * @param {number} serverNow
   */
  show(game, serverNow) {
    const state = game.state;
    if (!state) return;
    if (state.health > 0 || this.#player !== state.player_id) this.#fellAt = null;
    else this.#fellAt ??= serverNow;
    this.#player = state.player_id;
    showVitals(state);
    showInventory(state, this.#use);
    const room = state.current_room;
    say(byId('room-name', HTMLElement), room ? room.room_id : 'no room');
    say(byId('room-count', HTMLElement), room ? `${game.others().length + 1}/${room.max_players}` : '');
    this.tick(game, serverNow);
  }

  /**
   * What changes with time alone; call some times a second.
   * @param {Game} game
   * @param {number} serverNow
   */
  tick(game, serverNow) {
    const state = game.state;
    if (!state) return;
    showMoves(game, state, serverNow);
    showBuffs(state, serverNow);
    showAim(game);
    this.#showFallen(state, serverNow);
  }

  /**
   * @param {PlayerState} state
   * @param {number} serverNow
   */
  #showFallen(state, serverNow) {
    const fallen = byId('fallen', HTMLElement);
    fallen.hidden = state.health > 0;
    if (fallen.hidden) return;
    const left = (this.#fellAt ?? serverNow) + RISE_MS - serverNow;
    say(
      byId('fallen-left', HTMLElement),
      left > 0 ? `You stand up in ${Math.ceil(left / 1000)} s.` : 'You stand up in a moment.',
    );
  }
}

/** @param {PlayerState} state */
function showVitals(state) {
  const part = state.max_health > 0 ? state.health / state.max_health : 0;
  const meter = byId('health', HTMLElement);
  mark(meter, 'aria-valuemax', String(state.max_health));
  mark(meter, 'aria-valuenow', String(state.health));
  mark(meter, 'data-level', part > 0.5 ? 'good' : part > 0.25 ? 'low' : 'bad');
  byId('health-fill', HTMLElement).style.transform = `scaleX(${part})`;
  say(byId('health-text', HTMLElement), `${state.health} / ${state.max_health}`);
  for (const name of /** @type {const} */ (['level', 'xp', 'score', 'gold'])) {
    const number = byId(name, HTMLElement);
    const more = name === 'gold' && number.textContent !== '' && state.gold > Number(number.textContent);
    say(number, String(state[name]));
    // The other of two equal animations begins anew.
    if (more) mark(number, 'data-bump', number.dataset.bump === 'a' ? 'b' : 'a');
  }
  say(byId('self-name', HTMLElement), state.display_name);
  showCrest(byId('crest', HTMLCanvasElement), state.player_id);
}

/**
 * @param {PlayerState} state
 * @param {(item: string) => void} use
 */
function showInventory(state, use) {
  const first = state.inventory.find(({ item_id }) => isUsable(item_id))?.item_id;
  follow(
    byId('inventory', HTMLUListElement),
    state.inventory,
    ({ item_id }) => item_id,
    ({ item_id }) => {
      const item = make('li', 'item');
      const picture = /^sword/u.test(item_id) ? 'attack' : isUsable(item_id) ? 'potion' : 'thing';
      item.append(icon(picture), make('span', 'who'), make('span', 'count'));
      if (!isUsable(item_id)) return item;
      const button = make('button');
      button.type = 'button';
      button.dataset.use = item_id;
      button.addEventListener('click', () => use(item_id));
      item.append(button);
      if (item_id === first) {
        const key = make('kbd', '', '5');
        key.setAttribute('aria-hidden', 'true');
        item.append(key);
      }
      return item;
    },
    (item, { name, quantity }) => {
      const [, who, count] = item.children;
      say(who, name);
      say(count, `×${quantity}`);
      mark(item, 'title', `${name} ×${quantity}`);
      const button = item.querySelector('button');
      if (button) mark(button, 'aria-label', `Use ${name}, ${quantity} left`);
    },
  );
}

/**
 * @param {Game} game
 * @param {PlayerState} state
 * @param {number} serverNow
 */
function showMoves(game, state, serverNow) {
  const until = state.cooldowns.find(({ move_type }) => move_type === 'special')?.until_ms ?? 0;
  const left = Math.max(0, until - serverNow);
  for (const name of ['attack', 'special', 'heal', 'defend']) {
    const off = game.defeated || (name === 'special' && left > 0);
    mark(byId(name, HTMLButtonElement), 'aria-disabled', String(off));
  }
  byId('cooldown', HTMLElement).style.transform = `scaleY(${Math.min(1, left / COOLDOWN_MS).toFixed(3)})`;
  say(byId('special-note', HTMLElement), left > 0 ? `in ${(left / 1000).toFixed(1)} s` : '40 damage');
}

/**
 * @param {PlayerState} state
 * @param {number} serverNow
 */
function showBuffs(state, serverNow) {
  const now = state.buffs.filter(({ until_ms }) => until_ms > serverNow);
  follow(
    byId('buffs', HTMLUListElement),
    now,
    ({ kind }) => kind,
    () => make('li', 'buff'),
    (item, { kind, until_ms }) => {
      say(item, `${BUFF_NAMES[kind] ?? kind} ${((until_ms - serverNow) / 1000).toFixed(1)} s`);
    },
  );
}

/** @param {Game} game */
function showAim(game) {
  const target = game.target();
  const name = game.others().find(({ player }) => player === target)?.name;
  const how = target === game.selected ? 'Aiming at' : 'Nearest:';
  say(byId('aim', HTMLElement), name ? `${how} ${name}` : 'Nobody to strike: blows are practice');
}
