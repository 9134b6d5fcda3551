/**
 * Owns sums of goods: gold and quantities of items, as trades and gifts name
 * them. Pure; nothing is changed in place.
 */

/**
 * @typedef {import('../net/wire.js').Goods} Goods
 * @typedef {import('../net/wire.js').GoodsItem} GoodsItem
 * @typedef {Pick<import('../net/wire.js').PlayerState, 'gold' | 'inventory'>} Purse
 */

/** Most of one good in one trade. */
export const QUANTITY_MAX = 1_000_000_000;
/** Most kinds of items on one side. */
export const KINDS_MAX = 16;
/** Gold is counted like an item of this id; no item is called so. */
export const GOLD = '';

/** The items that the reference game has. */
export const ITEMS = Object.freeze([
  Object.freeze({ item_id: 'sword-001', name: 'Iron Sword' }),
  Object.freeze({ item_id: 'potion-001', name: 'Health Potion' }),
]);

/** What is not known is called by its id. @param {string} item_id */
export const itemName = (item_id) => ITEMS.find((item) => item.item_id === item_id)?.name ?? item_id;

/** @param {Goods} goods */
export const isNothing = ({ gold, items }) => !gold && (items ?? []).length === 0;

/** What there is of each good. @param {Goods} goods @returns {[id: string, quantity: number][]} gold first */
export function counted({ gold, items = [] }) {
  /** @type {[string, number][]} */
  const rows = items.map(({ item_id, quantity }) => [item_id, quantity]);
  return gold ? [[GOLD, gold], ...rows] : rows;
}

/** @param {Goods} goods @param {string} id of an item, or GOLD */
export const quantityIn = (goods, id) => counted(goods).find(([one]) => one === id)?.[1] ?? 0;

/** Goods as the wire says them. @param {Iterable<readonly [id: string, quantity: number]>} rows @returns {Goods} */
export function goodsOf(rows) {
  let gold = 0;
  /** @type {GoodsItem[]} */
  const items = [];
  for (const [id, quantity] of rows) {
    if (quantity <= 0) continue;
    if (id === GOLD) gold += quantity;
    else items.push({ item_id: id, quantity });
  }
  return { ...(gold > 0 && { gold }), ...(items.length > 0 && { items }) };
}

/** All of them together. @param {readonly Goods[]} list @returns {Goods} */
export function sum(list) {
  /** @type {Map<string, number>} */
  const total = new Map();
  for (const goods of list) {
    for (const [id, quantity] of counted(goods)) total.set(id, (total.get(id) ?? 0) + quantity);
  }
  return goodsOf(total);
}

/** What a player could give now. @param {Purse} purse @param {string} id of an item, or GOLD */
export function held({ gold, inventory }, id) {
  if (id === GOLD) return gold;
  return inventory.find(({ item_id }) => item_id === id)?.quantity ?? 0;
}

/** What of it the player has not got. @param {Purse} purse @param {Goods} goods @returns {Goods} */
export function lacking(purse, goods) {
  return goodsOf(counted(goods).map(([id, quantity]) => [id, quantity - held(purse, id)]));
}

/** @param {string} id of an item, or GOLD @param {number} quantity */
function goodWords(id, quantity) {
  if (id === GOLD) return `${quantity} gold`;
  return quantity === 1 ? itemName(id) : `${itemName(id)} ×${quantity}`;
}

/** Goods in words, `nothing` for none. @param {Goods} goods */
export function goodsWords(goods) {
  const words = counted(goods).map(([id, quantity]) => goodWords(id, quantity));
  if (words.length < 2) return words[0] ?? 'nothing';
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
