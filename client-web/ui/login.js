/**
 * Owns the gate: a name that is filled in already (the last one, or a made-up
 * one), Enter to play, and the reason when the server says no.
 */

import { displayName, playerId } from '../net/wire.js';
import { showCrest } from '../view/blazon.js';
import { byId } from './dom.js';
import { madeUpName } from './names.js';
import { rememberedName } from './stores.js';

/** @param {(player: string, name: string) => void} enter */
export function createLogin(enter) {
  const form = byId('login', HTMLFormElement);
  const input = byId('name', HTMLInputElement);
  const error = byId('login-error', HTMLElement);
  const game = byId('game', HTMLElement);
  const arena = byId('arena', HTMLCanvasElement);
  const crest = () => showCrest(byId('name-crest', HTMLCanvasElement), playerId(input.value) || 'nobody');
  input.value = rememberedName.get() || madeUpName(Math.random);
  input.addEventListener('input', crest);
  input.select();
  crest();

  /** @param {string} text */
  const complain = (text) => {
    error.textContent = text;
    error.hidden = text === '';
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const name = displayName(input.value);
    const player = playerId(name);
    if (!player) return complain('Please give a name.');
    rememberedName.set(name);
    complain('');
    return enter(player, name);
  });

  return {
    /** Shows the game and moves the focus into it. */
    open() {
      document.body.dataset.at = 'game';
      game.inert = false;
      arena.tabIndex = 0;
      arena.focus();
    },
    /** @param {string} [why] shows the gate again, with a reason */
    shut(why = '') {
      document.body.dataset.at = 'gate';
      game.inert = true;
      arena.tabIndex = -1;
      complain(why);
      input.focus();
      input.select();
    },
  };
}
