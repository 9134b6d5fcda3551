/**
 * Owns what opens and shuts: behind the scenes (drawer or sheet), the sheets of
 * a phone, dialogs. At most one sheet is open, and Escape shuts it. The trade
 * window opens and shuts itself; on a phone it is one of the sheets.
 */

import { byId, mark } from './dom.js';
import { scenesWish } from './stores.js';

/** From this width on behind the scenes is open on a first visit. */
const OPEN_FROM_PX = 1_200;
/** Up to this width panels are sheets; as in the style sheet. */
const SHEETS_TO_PX = 900;
const SHEETS = /** @type {const} */ (['talk', 'people']);

/**
 * @param {(open: boolean) => void} scenesTurned behind the scenes was opened or shut
 * @param {(focus?: boolean) => void} shutTrade
 */
export function createPanels(scenesTurned, shutTrade) {
  const scenes = byId('scenes', HTMLElement);
  const arena = byId('arena', HTMLCanvasElement);
  const narrow = () => window.innerWidth <= SHEETS_TO_PX;
  /** Whether there are tabs, and panels lie over each other. */
  const sheets = () => byId('tab-talk', HTMLElement).checkVisibility();

  /** @param {string} name @param {boolean} open */
  const sheet = (name, open) => {
    byId(name, HTMLElement).classList.toggle('open', open);
    mark(byId(`tab-${name}`, HTMLElement), 'aria-expanded', String(open));
  };
  /** @param {boolean} open */
  const turn = (open) => {
    if (open && narrow()) for (const name of SHEETS) sheet(name, false);
    if (open && sheets()) shutTrade(false);
    if (scenes.hidden === !open) return;
    scenes.hidden = !open;
    for (const id of ['scenes-open', 'tab-scenes'])
      mark(byId(id, HTMLElement), 'aria-expanded', String(open));
    scenesTurned(open);
  };
  /** By hand: remembered where it does not cover the arena. @param {boolean} open */
  const turnByHand = (open) => {
    turn(open);
    if (!narrow()) scenesWish.set(open);
    if (!open) arena.focus();
  };
  /** @param {'talk' | 'people'} name */
  const toggle = (name) => {
    const open = !byId(name, HTMLElement).classList.contains('open');
    for (const other of SHEETS) sheet(other, other === name && open);
    if (open && narrow()) turn(false);
    if (open) shutTrade(false);
    if (open && name === 'talk') byId('chat', HTMLInputElement).focus();
  };
  const shut = () => {
    for (const name of SHEETS) sheet(name, false);
    if (narrow()) turn(false);
  };

  for (const id of ['scenes-open', 'tab-scenes']) {
    byId(id, HTMLButtonElement).addEventListener('click', () => turnByHand(Boolean(scenes.hidden)));
  }
  byId('scenes-close', HTMLButtonElement).addEventListener('click', () => turnByHand(false));
  for (const name of SHEETS)
    byId(`tab-${name}`, HTMLButtonElement).addEventListener('click', () => toggle(name));
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return;
    shut();
    shutTrade();
  });
  arena.addEventListener('pointerdown', () => {
    shut();
    if (sheets()) shutTrade(false);
  });

  return {
    /** The game begins: on a wide window behind the scenes is open, until it is shut by hand. */
    begin() {
      turn(!narrow() && (scenesWish.get() ?? window.innerWidth >= OPEN_FROM_PX));
    },
    toggleScenes: () => turnByHand(Boolean(scenes.hidden)),
    /** The trade window is open: on a phone no other sheet is. */
    tradeOpened() {
      if (sheets()) shut();
    },
    chat() {
      if (sheets()) {
        shutTrade(false);
        sheet('talk', true);
      }
      byId('chat', HTMLInputElement).focus();
    },
    /** @param {string} id */
    dialog(id) {
      const dialog = byId(id, HTMLDialogElement);
      if (!dialog.open) dialog.showModal();
    },
  };
}
