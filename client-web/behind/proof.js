/**
 * Owns the proof that nothing was lost: what a player had when the connection
 * went, beside what the server says after the resume. Pure.
 */

/**
 * @typedef {import('../net/wire.js').PlayerState} PlayerState
 * @typedef {{ gold: number, score: number, xp: number, items: string }} Goods
 * @typedef {{ name: string, before: string, after: string, same: boolean }} ProofRow
 * @typedef {{ rows: ProofRow[], same: boolean, why: string }} Proof
 */

/**
 * @param {PlayerState} state
 * @returns {Goods}
 */
export function goodsOf(state) {
  const items = [...state.inventory].sort((a, b) => (a.item_id < b.item_id ? -1 : 1));
  return {
    gold: state.gold,
    score: state.score,
    xp: state.xp,
    items: items.map(({ name, quantity }) => `${name} ×${quantity}`).join(', ') || 'none',
  };
}

/**
 * @param {Goods} before
 * @param {Goods} after
 * @param {{ replayed: number, resync: boolean, commands: number[] }} meanwhile
 * @returns {Proof}
 */
export function compare(before, after, meanwhile) {
  const row = (/** @type {string} */ name, /** @type {keyof Goods} */ key) => {
    const [was, is] = [String(before[key]), String(after[key])];
    return { name, before: was, after: is, same: was === is };
  };
  const rows = [row('Gold', 'gold'), row('Items', 'items'), row('Score', 'score'), row('XP', 'xp')];
  const same = rows.every((one) => one.same);
  return { rows, same, why: same ? '' : whyOf(meanwhile) };
}

/** @param {{ replayed: number, resync: boolean, commands: number[] }} meanwhile */
function whyOf({ replayed, resync, commands }) {
  const reasons = [];
  if (replayed > 0) reasons.push(`${replayed} event${replayed === 1 ? '' : 's'} replayed`);
  if (resync) reasons.push('newest state taken whole');
  if (commands.length > 0) reasons.push(`command ${commands.join(', ')} had run`);
  return reasons.join(', ') || 'the game went on meanwhile';
}
