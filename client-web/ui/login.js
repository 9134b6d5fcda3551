/**
 * Owns the gate: the name, remembered for the next visit, Enter to play, and
 * the reason when the server says no.
 */

import { displayName, playerId } from '../net/wire.js';
import { byId } from './dom.js';
import { rememberedName } from './stores.js';

/** @param {(player: string, name: string) => void} enter */
export function createLogin(enter) {
  const form = byId('login', HTMLFormElement);
  const input = byId('name', HTMLInputElement);
  const error = byId('login-error', HTMLElement);
  const gate = byId('gate', HTMLElement);
  const game = byId('game', HTMLElement);
  input.value = rememberedName.get();
  input.select();

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
    /** Shows the arena and moves the focus into it. */
    open() {
      gate.hidden = true;
      game.hidden = false;
      byId('arena', HTMLCanvasElement).focus();
    },
    /** @param {string} [why] shows the gate again, with a reason */
    shut(why = '') {
      game.hidden = true;
      gate.hidden = false;
      complain(why);
      input.focus();
    },
  };
}
