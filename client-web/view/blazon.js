/**
 * Owns what a player looks like: a round shield whose colours and figure
 * follow from the player's id, the same on every page. Pure but for the pen.
 */

/** Colours of shields; the first ones bear light figures, brass bears dark ones. */
const FIELDS = Object.freeze([
  '#a63d30',
  '#2d669c',
  '#3b7547',
  '#75477f',
  '#43505e',
  '#26767a',
  '#95395f',
  '#c0892b',
]);
const ARGENT = '#f4efe2';
const OR = '#eec864';
const SABLE = '#27303b';
const RIM = '#1a212a';

/**
 * A number that belongs to a text, the same on every page.
 * @param {string} text
 */
export function hashOf(text) {
  let hash = 2166136261;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16777619);
  hash ^= hash >>> 15;
  return Math.imul(hash, 2246822519) >>> 0;
}

/** @typedef {{ field: string, charge: string, figure: number }} Blazon */

/**
 * @param {string} player
 * @returns {Blazon}
 */
export function blazonOf(player) {
  const hash = hashOf(player);
  const field = FIELDS[hash % FIELDS.length] ?? ARGENT;
  const light = (hash >>> 8) % 3 === 0 ? OR : ARGENT;
  return { field, charge: field === FIELDS[7] ? SABLE : light, figure: (hash >>> 12) % FIGURES.length };
}

/** Figures on a shield of radius 1, from heraldry's plainest. @type {readonly ((pen: Pen) => void)[]} */
const FIGURES = Object.freeze([
  (pen) => pen.rect(-0.3, -1, 0.6, 2), // a pale
  (pen) => pen.rect(-1, -0.3, 2, 0.6), // a fess
  (pen) =>
    band(pen, [
      [-1, -0.62],
      [-0.62, -1],
      [1, 0.62],
      [0.62, 1],
    ]), // a bend
  (pen) =>
    band(pen, [
      [0, -0.55],
      [1, 0.3],
      [1, 0.85],
      [0, 0],
      [-1, 0.85],
      [-1, 0.3],
    ]), // a chevron
  (pen) => {
    pen.rect(-0.24, -1, 0.48, 2);
    pen.rect(-1, -0.24, 2, 0.48);
  }, // a cross
  (pen) => {
    // a saltire
    band(pen, [
      [-1, -0.72],
      [-0.72, -1],
      [1, 0.72],
      [0.72, 1],
    ]);
    band(pen, [
      [-1, 0.72],
      [-0.72, 1],
      [1, -0.72],
      [0.72, -1],
    ]);
  },
  (pen) => {
    pen.rect(0, -1, 1, 1);
    pen.rect(-1, 0, 1, 1);
  }, // quarterly
  (pen) => pen.rect(0, -1, 1, 2), // per pale
  (pen) => {
    pen.moveTo(0.44, 0);
    pen.arc(0, 0, 0.44, 0, Math.PI * 2);
  }, // a roundel
  (pen) =>
    band(pen, [
      [0, -0.75],
      [0.6, 0],
      [0, 0.75],
      [-0.6, 0],
    ]), // a lozenge
  (pen) =>
    band(pen, [
      [-1, -1],
      [1, -1],
      [0, 0.35],
    ]), // a pile
  (pen) => {
    for (const [x, y] of [
      [-0.4, -0.3],
      [0.4, -0.3],
      [0, 0.42],
    ])
      disc(pen, x ?? 0, y ?? 0);
  }, // three bezants
]);

/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Pen */

/**
 * @param {Pen} pen
 * @param {number} x
 * @param {number} y
 */
function disc(pen, x, y) {
  pen.moveTo(x + 0.24, y);
  pen.arc(x, y, 0.24, 0, Math.PI * 2);
}

/**
 * @param {Pen} pen
 * @param {number[][]} points
 */
function band(pen, points) {
  points.forEach(([x = 0, y = 0], at) => (at === 0 ? pen.moveTo(x, y) : pen.lineTo(x, y)));
  pen.closePath();
}

/**
 * Draws a shield around the pen's origin.
 * @param {Pen} pen
 * @param {Blazon} blazon
 * @param {number} radius
 */
export function drawShield(pen, { field, charge, figure }, radius) {
  pen.save();
  pen.scale(radius, radius);
  pen.beginPath();
  pen.arc(0, 0, 1, 0, Math.PI * 2);
  pen.save();
  pen.clip();
  pen.fillStyle = field;
  pen.fillRect(-1, -1, 2, 2);
  pen.beginPath();
  FIGURES[figure]?.(pen);
  pen.fillStyle = charge;
  pen.fill();
  pen.restore();
  pen.beginPath();
  pen.arc(0, 0, 0.955, 0, Math.PI * 2);
  pen.lineWidth = 0.11;
  pen.strokeStyle = RIM;
  pen.stroke();
  pen.beginPath();
  pen.arc(0, 0, 0.86, Math.PI * 1.1, Math.PI * 1.75);
  pen.lineWidth = 0.07;
  pen.strokeStyle = '#ffffff66';
  pen.stroke();
  pen.restore();
}

/**
 * Draws a player's shield into a small canvas of a panel.
 * @param {HTMLCanvasElement} canvas
 * @param {string} player
 */
export function showCrest(canvas, player) {
  if (canvas.dataset.player === player) return;
  canvas.dataset.player = player;
  const pen = canvas.getContext('2d');
  if (!pen) return;
  const half = canvas.width / 2;
  pen.setTransform(1, 0, 0, 1, half, half);
  pen.clearRect(-half, -half, half * 2, half * 2);
  drawShield(pen, blazonOf(player), half - 1);
}
