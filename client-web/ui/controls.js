/**
 * Owns the hands: which directions are held (keys, stick, a place that was
 * clicked), the keys and buttons of moves and panels, chat. It decides nothing;
 * it calls what it was given.
 */

import { byId } from './dom.js';
import { createStick } from './stick.js';
import { Walker } from './walker.js';

/** @type {Readonly<Record<string, readonly [number, number]>>} */
const DIRECTIONS = Object.freeze({
  KeyW: [0, -1],
  ArrowUp: [0, -1],
  KeyS: [0, 1],
  ArrowDown: [0, 1],
  KeyA: [-1, 0],
  ArrowLeft: [-1, 0],
  KeyD: [1, 0],
  ArrowRight: [1, 0],
});
/** @type {Readonly<Record<string, string>>} */
const MOVE_KEYS = Object.freeze({ Digit1: 'attack', Digit2: 'special', Digit3: 'heal', Digit4: 'defend' });
/** @type {Readonly<Record<string, Order>>} */
const ORDER_KEYS = Object.freeze({
  Digit5: 'use',
  KeyQ: 'aim',
  KeyB: 'scenes',
  KeyN: 'netgraph',
  KeyG: 'ghost',
  KeyR: 'rooms',
  KeyT: 'trade',
});

/**
 * @typedef {import('../net/wire.js').Point} Point
 * @typedef {import('../net/wire.js').Step} Step
 * @typedef {'use' | 'aim' | 'scenes' | 'netgraph' | 'ghost' | 'rooms' | 'trade' | 'help' | 'chat'} Order
 *
 * @typedef {object} Hands
 * @property {(move: string) => void} move
 * @property {(order: Order) => void} order
 * @property {(text: string) => void} say
 * @property {(left: number, top: number) => Point | null} tap on the canvas; the place to walk to, if any
 * @property {() => Point | null} me where one's own player is
 * @property {() => number} now
 * @property {() => void} walked a direction was held for the first time
 */

/** @param {EventTarget | null} target */
const isField = (target) => target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
/** Arrows scroll there. @param {EventTarget | null} target */
const isScrolled = (target) => target instanceof Element && target.closest('#log, #scenes-body') !== null;

/** @param {Hands} hands */
export function createControls(hands) {
  const walker = new Walker();
  const keys = watchKeys(hands);
  const finger = createStick({
    walked: hands.walked,
    tap: (left, top, sprint) => {
      const place = hands.tap(left, top);
      if (!place) return;
      walker.go(place, sprint, hands.now());
      hands.walked();
    },
  });
  watchChat(hands);
  for (const button of document.querySelectorAll('button[data-move]')) {
    button.addEventListener('click', () =>
      hands.move(/** @type {HTMLElement} */ (button).dataset.move ?? ''),
    );
  }
  return {
    /** @returns {Step | null} what is held now */
    held() {
      const held = keys() ?? finger();
      if (held) walker.stop();
      return held ?? walker.held(hands.me(), hands.now());
    },
    /** Where a click sent one's player. */
    goal: () => walker.goal,
    rest: () => walker.stop(),
  };
}

/** @param {Hands} hands */
function watchKeys(hands) {
  /** @type {Set<string>} */
  const down = new Set();
  let sprint = false;
  document.addEventListener('keydown', (event) => {
    sprint = event.shiftKey;
    if (!isPlaying() || isField(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (DIRECTIONS[event.code]) {
      if (event.code.startsWith('Arrow') && isScrolled(event.target)) return;
      event.preventDefault();
      if (down.size === 0) hands.walked();
      down.add(event.code);
    } else if (!event.repeat) pressed(event, hands);
  });
  document.addEventListener('keyup', (event) => {
    sprint = event.shiftKey;
    // On a Mac the keyup of a letter does not come while Command is held.
    if (event.key === 'Meta') down.clear();
    down.delete(event.code);
  });
  window.addEventListener('blur', () => down.clear());
  document.addEventListener('focusin', (event) => {
    if (isField(event.target)) down.clear();
  });
  return () =>
    direction(
      [...down].map((code) => DIRECTIONS[code] ?? [0, 0]),
      sprint,
    );
}

/** Keys mean something in the game, and not while a dialog asks. */
function isPlaying() {
  return document.body.dataset.at === 'game' && !document.querySelector('dialog[open]');
}

/**
 * @param {KeyboardEvent} event
 * @param {Hands} hands
 */
function pressed(event, hands) {
  const move = MOVE_KEYS[event.code];
  const order = event.key === '?' ? 'help' : ORDER_KEYS[event.code];
  if (move) return hands.move(move);
  const free = event.target === document.body || event.target instanceof HTMLCanvasElement;
  if (event.code === 'Enter' && free) {
    event.preventDefault();
    return hands.order('chat');
  }
  if (!order) return undefined;
  event.preventDefault();
  return hands.order(order);
}

/**
 * @param {(readonly [number, number])[]} held
 * @param {boolean} sprint
 * @returns {Step | null}
 */
function direction(held, sprint) {
  if (held.length === 0) return null;
  const dx = Math.sign(held.reduce((sum, [x]) => sum + x, 0));
  const dy = Math.sign(held.reduce((sum, [, y]) => sum + y, 0));
  return dx === 0 && dy === 0 ? null : [dx, dy, sprint ? 1 : 0];
}

/** @param {Hands} hands */
function watchChat(hands) {
  const canvas = byId('arena', HTMLCanvasElement);
  const chat = byId('chat', HTMLInputElement);
  byId('chat-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    const text = chat.value.trim();
    if (text) hands.say(text);
    chat.value = '';
    canvas.focus();
  });
  chat.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') canvas.focus();
  });
}
