/**
 * Owns the lists of people: who is in the room, who leads. The players' list is
 * capped: in a crowd it holds those who are nearest.
 */

import { FLAGS } from '../net/wire.js';
import { showCrest } from '../view/blazon.js';
import { byId, follow, make, mark, say } from './dom.js';
import { createActs, mayInvite } from './target.js';

/** So many players are listed. */
const LISTED_MAX = 30;
const byName = new Intl.Collator().compare;

/**
 * @typedef {import('../sim/game.js').Game} Game
 * @typedef {ReturnType<Game['others']>[number]} Other
 */

/** Whether so many are not all listed. @param {number} count */
export const isCrowd = (count) => count > LISTED_MAX;

/**
 * @param {Game} game
 * @param {import('../net/wire.js').Point | null} me where one is drawn
 * @param {import('./target.js').TargetHands} hands
 */
export function showPeople(game, me, hands) {
  showPlayers(game, me, hands);
  showTop(game);
}

/**
 * Those who are listed, by name; in a crowd the nearest.
 * @param {Other[]} others
 * @param {import('../net/wire.js').Point} me
 */
function listed(others, me) {
  let shown = others;
  if (isCrowd(others.length)) {
    const far = (/** @type {Other} */ { x, y }) => (x - me.x) ** 2 + (y - me.y) ** 2;
    shown = others.sort((a, b) => far(a) - far(b)).slice(0, LISTED_MAX);
  }
  return shown.sort((a, b) => byName(a.name, b.name));
}

/**
 * @param {Game} game
 * @param {import('../net/wire.js').Point | null} me
 * @param {import('./target.js').TargetHands} hands
 */
function showPlayers(game, me, hands) {
  const others = game.others();
  const count = others.length;
  const rows = listed(others, me ?? { x: 0, y: 0 });
  follow(
    byId('players', HTMLUListElement),
    rows,
    ({ player }) => player,
    ({ player }) => {
      const item = make('li');
      const button = make('button', 'player');
      button.type = 'button';
      const crest = make('canvas', 'crest');
      crest.width = crest.height = 48;
      crest.setAttribute('aria-hidden', 'true');
      showCrest(crest, player);
      button.append(crest, make('span', 'who'), make('span', 'mark'), make('span', 'hp'));
      button.addEventListener('click', () => hands.select(player));
      item.append(button, createActs(player, hands));
      return item;
    },
    (item, { player, name, health, flags }) => {
      const button = /** @type {HTMLElement} */ (item.firstElementChild);
      const [, who, state, hp] = button.children;
      mark(button, 'aria-pressed', String(player === game.selected));
      const acts = /** @type {HTMLElement} */ (item.lastElementChild);
      acts.hidden = player !== game.selected;
      /** @type {HTMLElement} */ (acts.lastElementChild).hidden = !mayInvite(game, player);
      say(who, name);
      say(state, markOf(flags));
      say(hp, String(health));
    },
  );
  say(byId('players-count', HTMLElement), count > 0 ? String(count) : '');
  byId('alone', HTMLElement).hidden = count > 0;
  const more = byId('players-more', HTMLElement);
  more.hidden = count <= LISTED_MAX;
  say(more, `and ${count - LISTED_MAX} more, further away`);
}

/** @param {number} flags */
function markOf(flags) {
  if ((flags & FLAGS.defeated) !== 0) return 'defeated';
  if ((flags & FLAGS.lost) !== 0) return 'away';
  return (flags & FLAGS.defending) !== 0 ? 'defending' : '';
}

/** @param {Game} game */
function showTop(game) {
  follow(
    byId('top', HTMLOListElement),
    game.top,
    ([player]) => player,
    () => {
      const item = make('li', 'rank');
      item.append(make('span', 'place'), make('span', 'who'), make('span', 'points'));
      return item;
    },
    (item, [player, name, score, rank]) => {
      item.classList.toggle('me', player === game.state?.player_id);
      const [place, who, points] = item.children;
      say(place, String(rank));
      say(who, name);
      say(points, String(score));
    },
  );
  byId('top-empty', HTMLElement).hidden = game.top.length > 0;
}
