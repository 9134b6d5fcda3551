/**
 * Owns how goods look: a picture and words for each, and the stepper that a
 * quantity is chosen by. All names are text.
 */

import { GOLD, counted, itemName } from '../sim/goods.js';
import { byId, follow, icon, make, mark, say } from './dom.js';

/** @typedef {import('../net/wire.js').Goods} Goods */

/** The picture of a good, by its id. @param {string} id */
export function pictureOf(id) {
  if (id === GOLD) return 'coin';
  if (/^sword\b/u.test(id)) return 'attack';
  return /^potion\b/u.test(id) ? 'potion' : 'thing';
}

/** @param {string} id */
export const goodName = (id) => (id === GOLD ? 'Gold' : itemName(id));

/**
 * Goods in a list, one a row.
 * @param {string} list id of the element
 * @param {Goods} goods
 */
export function showGoods(list, goods) {
  const rows = counted(goods);
  /** @type {[string, number][]} */
  const shown = rows.length > 0 ? rows : [['nothing', 0]];
  follow(
    byId(list, HTMLUListElement),
    shown,
    ([id], place = shown.findIndex(([one]) => one === id)) => `${place} ${id}`,
    ([id, quantity]) => {
      const item = make('li', quantity === 0 ? 'good muted' : 'good');
      if (quantity === 0) item.append(make('span', 'who'));
      else item.append(icon(pictureOf(id)), make('span', 'who'), make('b', 'count'));
      item.dataset.kind = quantity === 0 ? 'none' : id === GOLD ? 'gold' : 'item';
      return item;
    },
    (item, [id, quantity]) => {
      say(item.querySelector('.who'), quantity === 0 ? 'nothing' : goodName(id));
      say(item.querySelector('.count'), id === GOLD ? String(quantity) : `×${quantity}`);
    },
  );
}

/**
 * @typedef {object} Stepper a good whose quantity is chosen
 * @property {HTMLElement} element
 * @property {(most: number) => void} limit
 * @property {() => number} value
 * @property {(value: number) => void} put
 */

/**
 * @param {string} id of the good
 * @param {string} way `you give` or `you get`
 * @param {(() => void)} changed
 * @returns {Stepper}
 */
export function createStepper(id, way, changed) {
  const step = id === GOLD ? 5 : 1;
  const name = goodName(id);
  let most = 0;
  const element = make('li', 'good');
  element.dataset.kind = id === GOLD ? 'gold' : 'item';
  const field = make('input');
  field.type = 'text';
  field.inputMode = 'numeric';
  field.pattern = '[0-9]*';
  field.maxLength = 10;
  field.autocomplete = 'off';
  field.value = '0';
  field.setAttribute('aria-label', `${name}, how much ${way}`);
  const value = () => Math.min(most, Math.max(0, Math.floor(Number(field.value.replace(/\D/gu, '')) || 0)));
  const less = stepButton('−', `Less ${name} ${way}`, () => put(value() - step));
  const more = stepButton('+', `More ${name} ${way}`, () => put(value() + step));
  const label = make('span', 'good-name');
  label.append(icon(pictureOf(id)), make('span', 'who', name), make('small', 'muted'));
  const row = make('span', 'stepper');
  row.append(less, field, more);
  element.append(label, row);

  const show = () => {
    mark(less, 'aria-disabled', String(value() <= 0));
    mark(more, 'aria-disabled', String(value() >= most));
    element.classList.toggle('chosen', value() > 0);
  };
  /** @param {number} wanted */
  const put = (wanted) => {
    field.value = String(Math.min(most, Math.max(0, wanted)));
    show();
    changed();
  };
  field.addEventListener('input', () => {
    show();
    changed();
  });
  field.addEventListener('blur', () => put(value()));
  field.addEventListener('focus', () => field.select());
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
    event.preventDefault();
    put(value() + (event.key === 'ArrowUp' ? step : -step));
  });
  return {
    element,
    /** Also what was chosen already. */
    limit(next) {
      most = next;
      if (Number(field.value) > most) field.value = String(most);
      show();
    },
    value,
    put,
  };
}

/** @param {string} sign @param {string} label @param {() => void} press */
function stepButton(sign, label, press) {
  const button = make('button', 'step-button', sign);
  button.type = 'button';
  button.setAttribute('aria-label', label);
  button.addEventListener('click', press);
  return button;
}
