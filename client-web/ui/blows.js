/**
 * Owns the joining of blows in the log: in a fight one line tells of many, so
 * that neither eyes nor a screen reader are flooded. Pure.
 */

/** Blows that follow each other within this belong to one line. */
const PAUSE_MS = 4_000;
/** No line collects for longer. */
const LINE_MS = 12_000;

/**
 * @typedef {{ line: number, began: number, last: number, count: number, damage: number,
 *   who: Set<string> }} Open
 */
/** @typedef {{ way: 'taken' | 'dealt', who: string, damage: number, text: string }} Blow */
/**
 * Which line a blow is in, and what that now says.
 * @typedef {{ line: number, text: string, fresh: boolean }} Told
 */

export class Blows {
  #lines = 0;
  /** @type {Map<'taken' | 'dealt', Open>} */
  #open = new Map();

  /**
   * @param {Blow} blow
   * @param {number} now
   * @returns {Told}
   */
  add({ way, who, damage, text }, now) {
    const open = this.#open.get(way);
    if (!open || now - open.last > PAUSE_MS || now - open.began > LINE_MS) {
      this.#lines += 1;
      this.#open.set(way, {
        line: this.#lines,
        began: now,
        last: now,
        count: 1,
        damage,
        who: new Set([who]),
      });
      return { line: this.#lines, text, fresh: true };
    }
    open.last = now;
    open.count += 1;
    open.damage += damage;
    open.who.add(who);
    return { line: open.line, text: sum(way, open), fresh: false };
  }
}

/**
 * @param {'taken' | 'dealt'} way
 * @param {{ count: number, damage: number, who: Set<string> }} open
 */
function sum(way, { count, damage, who }) {
  const [first = 'somebody'] = who;
  const others = who.size - 1;
  const names = others === 0 ? first : `${first} and ${others} other${others === 1 ? '' : 's'}`;
  const blows = `${count} blows, ${damage} damage`;
  return way === 'taken' ? `${names} attacked you: ${blows}` : `You struck ${names}: ${blows}`;
}

/**
 * The blow that a notice tells of; null when it tells of something else.
 * @param {string} text
 * @returns {Blow | null}
 */
export function blowTaken(text) {
  const found = /^(.+) attacked you for (\d+) damage\b/u.exec(text);
  return found ? { way: 'taken', who: found[1] ?? '', damage: Number(found[2]), text } : null;
}
