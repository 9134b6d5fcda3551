/**
 * Owns how coins look: they drop in, turn slowly, and fly up when somebody has
 * picked them up. What is kept of each is a time; a picture makes nothing new.
 */

/** Units a coin is wide, half. */
export const COIN_RADIUS = 12;
const DROP_MS = 380;
const FLY_MS = 520;
const TURN_MS = 520;
/** As many fly at once. */
const FLYING_MAX = 24;
/** Times of coins that are gone are forgotten when there are so many too many. */
const SLACK = 64;

/**
 * @typedef {import('../sim/coins.js').Coin} Coin
 * @typedef {import('./arena.js').Camera} Camera
 * @typedef {import('./sprites.js').Sprite} Sprite
 * @typedef {{ coin: Sprite, shadow: Sprite, glint: Sprite }} Pictures
 * @typedef {{ x: number, y: number, at: number }} Flying
 */

export class CoinView {
  /** @type {Map<number, number>} when each was seen first */ #since = new Map();
  /** @type {Flying[]} */ #flying = [];
  #next = 0;

  /**
   * Somebody has picked one up.
   * @param {Coin} coin
   * @param {number} now
   */
  taken({ coin, x, y }, now) {
    this.#since.delete(coin);
    const slot = this.#next % FLYING_MAX;
    this.#next += 1;
    const one = this.#flying[slot] ?? { x, y, at: now };
    one.x = x;
    one.y = y;
    one.at = now;
    this.#flying[slot] = one;
  }

  /** How many fly now. @param {number} now */
  flying(now) {
    return this.#flying.filter(({ at }) => now - at < FLY_MS).length;
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Camera} camera
   * @param {readonly Coin[]} coins
   * @param {Pictures} pictures
   * @param {number} now
   * @param {boolean} calm nothing moves
   */
  draw(pen, camera, coins, pictures, now, calm) {
    for (let nth = 0; nth < coins.length; nth += 1) {
      const one = coins[nth];
      if (one) this.#lie(pen, camera, one, pictures, now, calm);
    }
    for (let nth = 0; nth < this.#flying.length; nth += 1) {
      const one = this.#flying[nth];
      if (one && now - one.at < FLY_MS) fly(pen, camera, one, pictures, (now - one.at) / FLY_MS, calm);
    }
    if (this.#since.size > coins.length + SLACK) this.#since.clear();
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Camera} camera
   * @param {Coin} one
   * @param {Pictures} pictures
   * @param {number} now
   * @param {boolean} calm
   */
  #lie(pen, { scale, x, y, width, height }, one, { coin, shadow }, now, calm) {
    let since = this.#since.get(one.coin);
    if (since === undefined) {
      since = now;
      this.#since.set(one.coin, since);
    }
    const left = (one.x - x) * scale + width / 2;
    const top = (one.y - y) * scale + height / 2;
    if (left < -40 || top < -80 || left > width + 40 || top > height + 40) return;
    const part = calm ? 1 : Math.min(1, (now - since) / DROP_MS);
    const high = (1 - bounce(part)) * 46 * scale;
    const turned = calm ? 1 : Math.max(0.22, Math.abs(Math.cos(now / TURN_MS + one.coin * 1.7)));
    pen.globalAlpha = part;
    pen.drawImage(shadow.image, left - shadow.width / 2, top - shadow.height / 2, shadow.width, shadow.height);
    const wide = coin.width * turned;
    pen.drawImage(coin.image, left - wide / 2, top - coin.height / 2 - high, wide, coin.height);
    pen.globalAlpha = 1;
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Camera} camera
 * @param {Flying} one
 * @param {Pictures} pictures
 * @param {number} part of its way, 0 to 1
 * @param {boolean} calm
 */
function fly(pen, { scale, x, y, width, height }, one, { coin, glint }, part, calm) {
  const left = (one.x - x) * scale + width / 2;
  const top = (one.y - y) * scale + height / 2;
  const size = calm ? 1 : 0.5 + part * 1.1;
  pen.globalAlpha = 1 - part;
  pen.drawImage(glint.image, left - (glint.width * size) / 2, top - (glint.height * size) / 2, glint.width * size, glint.height * size);
  const high = calm ? 0 : part * (2 - part) * 44 * scale;
  const wide = coin.width * (calm ? 1 : Math.max(0.2, Math.abs(Math.cos(part * 9))));
  pen.drawImage(coin.image, left - wide / 2, top - coin.height / 2 - high, wide, coin.height);
  pen.globalAlpha = 1;
}

/** Falls, and springs up once. @param {number} part */
function bounce(part) {
  if (part < 0.6) return (part / 0.6) ** 2;
  const spring = (part - 0.8) / 0.2;
  return 1 - 0.16 * (1 - spring * spring);
}
