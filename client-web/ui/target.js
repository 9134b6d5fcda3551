/**
 * Owns what can be done with the player who is aimed at, besides striking: a
 * card over the arena, and the same buttons in the list of a phone.
 */

import { showCrest } from '../view/blazon.js';
import { byId, make, say } from './dom.js';

/**
 * @typedef {import('../sim/game.js').Game} Game
 *
 * @typedef {object} TargetHands
 * @property {(player: string) => void} select aims, or lets go
 * @property {(kind: 'trade' | 'gift', player: string) => void} deal
 * @property {(player: string) => void} invite
 */

/** @param {Game} game @param {string} player whether a player may be invited */
export const mayInvite = (game, player) =>
  game.dealings.leads && !(game.dealings.party?.members ?? []).includes(player);

/** @param {Game} game @param {TargetHands} hands */
export function createTarget(game, hands) {
  const press = (/** @type {string} */ id, /** @type {(player: string) => void} */ act) =>
    byId(id, HTMLButtonElement).addEventListener('click', () => {
      if (game.selected !== null) act(game.selected);
    });
  press('target-trade', (player) => hands.deal('trade', player));
  press('target-gift', (player) => hands.deal('gift', player));
  press('target-invite', hands.invite);
  press('target-shut', (player) => {
    hands.select(player);
    byId('arena', HTMLCanvasElement).focus();
  });
  /** @param {boolean} away something else has its place */
  return (away) => {
    const { selected } = game;
    const card = byId('target', HTMLElement);
    const here = selected !== null && game.others().some(({ player }) => player === selected);
    card.hidden = away || !here;
    if (selected === null || card.hidden) return;
    const name = game.nameOf(selected);
    showCrest(byId('target-crest', HTMLCanvasElement), selected);
    say(byId('target-name', HTMLElement), name);
    say(byId('target-id', HTMLElement), name.toLowerCase() === selected ? '' : selected);
    byId('target-invite', HTMLElement).hidden = !mayInvite(game, selected);
  };
}

/** The buttons of a row in the list. @param {string} player @param {TargetHands} hands */
export function createActs(player, hands) {
  const acts = make('div', 'acts row-acts');
  const add = (/** @type {string} */ words, /** @type {() => void} */ act) => {
    const button = make('button', '', words);
    button.type = 'button';
    button.addEventListener('click', act);
    acts.append(button);
  };
  add('Trade', () => hands.deal('trade', player));
  add('Gift', () => hands.deal('gift', player));
  add('Invite', () => hands.invite(player));
  return acts;
}
