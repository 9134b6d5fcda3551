/**
 * Owns the pointer over the arena: a finger that is dragged is a stick, shown
 * where the finger came down; a tap or a click means a place or a player.
 */

import { byId } from './dom.js';

/** A finger must be dragged so far (CSS pixels) to mean a direction. */
const DRAG_PX = 12;
/** Dragged so far it sprints. */
const SPRINT_PX = 64;
/** The knob does not leave its ring. */
const KNOB_PX = 36;

/**
 * @typedef {import('../net/wire.js').Step} Step
 * @typedef {{ tap: (left: number, top: number, sprint: boolean) => void, walked: () => void }} Hands
 */

/**
 * @param {Hands} hands
 * @returns {() => Step | null} what the finger holds now
 */
export function createStick(hands) {
  const canvas = byId('arena', HTMLCanvasElement);
  /** @type {{ id: number, x: number, y: number, dx: number, dy: number, moved: boolean } | null} */
  let drag = null;
  canvas.addEventListener('pointerdown', (event) => {
    if (drag || event.button !== 0) return;
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
    if (drag.moved) showStick(drag);
  });
  const end = (/** @type {PointerEvent} */ event) => {
    if (drag?.id !== event.pointerId) return;
    const tapped = !drag.moved && event.type === 'pointerup';
    drag = null;
    showStick(null);
    if (tapped) hands.tap(event.offsetX, event.offsetY, event.shiftKey);
  };
  canvas.addEventListener('pointerup', end);
  canvas.addEventListener('pointercancel', end);
  return () => (drag?.moved ? towards(drag.dx, drag.dy) : null);
}

/** @param {{ x: number, y: number, dx: number, dy: number } | null} drag */
function showStick(drag) {
  const stick = byId('stick', HTMLElement);
  const knob = byId('stick-knob', HTMLElement);
  stick.dataset.held = String(drag !== null);
  if (!drag) {
    stick.style.transform = knob.style.transform = '';
    return;
  }
  stick.style.transform = '';
  const rest = stick.getBoundingClientRect();
  const [left, top] = [drag.x - rest.left - rest.width / 2, drag.y - rest.top - rest.height / 2];
  stick.style.transform = `translate(${left}px, ${top}px)`;
  const far = Math.hypot(drag.dx, drag.dy) || 1;
  const part = Math.min(far, KNOB_PX) / far;
  knob.style.transform = `translate(${drag.dx * part}px, ${drag.dy * part}px)`;
}

/**
 * The nearest of the eight directions.
 * @param {number} x
 * @param {number} y
 * @returns {Step | null}
 */
export function towards(x, y) {
  const far = Math.hypot(x, y);
  if (far <= DRAG_PX) return null;
  return [Math.round(x / far), Math.round(y / far), far > SPRINT_PX ? 1 : 0];
}
