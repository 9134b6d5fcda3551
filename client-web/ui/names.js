/**
 * Owns made-up names for visitors who bring none. Pure.
 */

const FIRST = Object.freeze(
  [
    'Amber', 'Bold', 'Brave', 'Bright', 'Brisk', 'Calm', 'Clever', 'Copper',
    'Eager', 'Gentle', 'Golden', 'Hardy', 'Jolly', 'Keen', 'Kind', 'Lively',
    'Lucky', 'Merry', 'Nimble', 'Noble', 'Quick', 'Quiet', 'Ready', 'Silver',
    'Sly', 'Steady', 'Stout', 'Sunny', 'Swift', 'Trusty', 'Wily', 'Witty',
  ],
);
const SECOND = Object.freeze(
  [
    'Badger', 'Bear', 'Beaver', 'Crane', 'Crow', 'Dormouse', 'Falcon', 'Finch',
    'Fox', 'Goose', 'Hare', 'Hawk', 'Hedgehog', 'Heron', 'Ibex', 'Jay',
    'Kestrel', 'Lark', 'Lynx', 'Marten', 'Mole', 'Newt', 'Otter', 'Owl',
    'Puffin', 'Raven', 'Robin', 'Stoat', 'Swan', 'Toad', 'Vole', 'Wren',
  ],
);

/**
 * Two words that go together.
 * @param {() => number} random in [0, 1)
 */
export function madeUpName(random) {
  const pick = (/** @type {readonly string[]} */ words) =>
    words[Math.floor(random() * words.length)] ?? words[0];
  return `${pick(FIRST)} ${pick(SECOND)}`;
}
