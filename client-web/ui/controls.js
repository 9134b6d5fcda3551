/**
 * Owns the hands: which directions are held (keys, or a finger dragged over the
 * arena), the keys and buttons of moves, chat, the room field. It decides
 * nothing; it calls what it was given.
 */

import { byId } from './dom.js';

/** @type {Readonly<Record<string, readonly [number, number]>>} */
const DIRECTIONS = Object.freeze({
  KeyW: [0, -1], ArrowUp: [0, -1], KeyS: [0, 1], ArrowDown: [0, 1],
  KeyA: [-1, 0], ArrowLeft: [-1, 0], KeyD: [1, 0], ArrowRight: [1, 0],
});
/** @type {Readonly<Record<string, string>>} */
const MOVE_KEYS = Object.freeze({ Digit1: 'attack', Digit2: 'special', Digit3: 'heal', Digit4: 'defend' });
/** A finger must be dragged so far (CSS pixels) to mean a direction. */
const DRAG_PX = 14;
/** Dragged so far it sprints. */
const SPRINT_PX = 90;

/**
 * @typedef {object} Hands
 * @property {(move: string) => void} move
 * @property {(text: string) => void} say
 * @property {(room: string) => void} join
 * @property {(x: number, y: number) => void} tap a point of the canvas, CSS pixels
 * @property {() => void} walked a direction was held for the first time
 */

/** @param {EventTarget | null} target */
const isField = (target) => target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;

/** @param {Hands} hands */
export function createControls(hands) {
  const keys = watchKeys(hands);
  const finger = watchFinger(hands);
  watchForms(hands);
  for (const button of document.querySelectorAll('button[data-move]')) {
    button.addEventListener('click', () => hands.move(/** @type {HTMLElement} */ (button).dataset.move ?? ''));
  }
  return {
    /** @returns {import('../net/wire.js').Step | null} what is held now */
    held: () => keys() ?? finger(),
  };
}

/** @param {Hands} hands */
function watchKeys(hands) {
  /** @type {Set<string>} */
  const down = new Set();
  let sprint = false;
  const playing = () => !byId('game', HTMLElement).hidden;
  document.addEventListener('keydown', (event) => {
    sprint = event.shiftKey;
    if (!playing() || isField(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (DIRECTIONS[event.code]) {
      event.preventDefault();
      if (down.size === 0) hands.walked();
      down.add(event.code);
    } else if (MOVE_KEYS[event.code] && !event.repeat) {
      hands.move(MOVE_KEYS[event.code] ?? '');
    } else if (event.code === 'Enter' && event.target instanceof HTMLCanvasElement) {
      event.preventDefault();
      byId('chat', HTMLInputElement).focus();
    }
  });
  document.addEventListener('keyup', (event) => {
    sprint = event.shiftKey;
    down.delete(event.code);
  });
  window.addEventListener('blur', () => down.clear());
  document.addEventListener('focusin', (event) => {
    if (isField(event.target)) down.clear();
  });
  return () => direction([...down].map((code) => DIRECTIONS[code] ?? [0, 0]), sprint);
}

/**
 * @param {(readonly [number, number])[]} held
 * @param {boolean} sprint
 * @returns {import('../net/wire.js').Step | null}
 */
function direction(held, sprint) {
  const dx = Math.sign(held.reduce((sum, [x]) => sum + x, 0));
  const dy = Math.sign(held.reduce((sum, [, y]) => sum + y, 0));
  return dx === 0 && dy === 0 ? null : [dx, dy, sprint ? 1 : 0];
}

/** @param {Hands} hands */
function watchFinger(hands) {
  const canvas = byId('arena', HTMLCanvasElement);
  /** @type {{ id: number, x: number, y: number, dx: number, dy: number, moved: boolean } | null} */
  let drag = null;
  canvas.addEventListener('pointerdown', (event) => {
    if (drag) return;
    drag = { id: event.pointerId, x: event.clientX, y: event.clientY, dx: 0, dy: 0, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (drag?.id !== event.pointerId || event.pointerType === 'mouse') return;
    drag.dx = event.clientX - drag.x;
    drag.dy = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(drag.dx, drag.dy) > DRAG_PX) {
      drag.moved = true;
      hands.walked();
    }
  });
  canvas.addEventListener('pointerup', (event) => {
    if (drag?.id !== event.pointerId) return;
    if (!drag.moved) hands.tap(event.offsetX, event.offsetY);
    drag = null;
  });
  canvas.addEventListener('pointercancel', () => { drag = null; });
  return () => (drag?.moved ? towards(drag.dx, drag.dy) : null);
}

/**
 * The nearest of the eight directions.
 * @param {number} x
 * @param {number} y
 * @returns {import('../net/wire.js').Step | null}
 */
function towards(x, y) {
  const far = Math.hypot(x, y);
  if (far <= DRAG_PX) return null;
  return [Math.round(x / far), Math.round(y / far), far > SPRINT_PX ? 1 : 0];
}

/** @param {Hands} hands */
function watchForms(hands) {
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
  byId('room-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    hands.join(byId('room', HTMLInputElement).value.trim());
    canvas.focus();
  });
}
