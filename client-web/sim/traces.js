/**
 * A game over a bad line, in virtual time, for tests of sim/. Manual:
 *
 *   const seen = watch(TRACES.jitter20, { hz: 20 });   // alice walks, bob watches
 *   seen.corrections, seen.jump, seen.underruns, …     // see Seen
 *
 * Two pages (the real Game), each with a way up and a way down whose delay a
 * trace says; a way keeps order, as TCP does, so what a late one holds up comes
 * in a burst. The server walks with sim/step.js, takes input at once and tells
 * frames at its beat, which is always a little late, as sleeping is; a frame
 * carries what changed, or nothing goes. Clocks differ. Everything random comes
 * from a seed.
 */

import { Game } from './game.js';
import { STEP_MS, WALK_UNITS, move } from './step.js';

/** One picture. */
export const PICTURE_MS = 1000 / 60;
/** Walking, in units a millisecond. */
const PACE = WALK_UNITS / STEP_MS;
/** The server's clock when the page's says 0. */
const SERVER_AHEAD_MS = 1_795_345_219_033;
/** From input to stored. */
const STORE_MS = 8;
/** When measuring begins: the line is known by then. */
const SETTLED_AT_MS = 2_000;

/**
 * @typedef {(at: number, random: () => number) => number} Delay of what goes at a time, in milliseconds
 * @typedef {import('../net/wire.js').Step} Step
 * @typedef {import('../net/wire.js').Point} Point
 *
 * @typedef {object} Seen what came of it
 * @property {number} corrections of alice's prediction
 * @property {number} backwards pictures in which bob's drawn time ran backwards
 * @property {number} jump most units that alice moved in one of bob's pictures
 * @property {number} pace 95th percentile of how far a picture's move is off the walk's, 1 is all of it
 * @property {number} underruns part of bob's pictures
 * @property {number} own most pictures from a key to alice's own move; the first one is 1
 * @property {number[]} seen milliseconds from each key to bob's picture that shows it, in order
 * @property {{ at: number, ms: number }[]} behind how far bob's picture of alice is behind the server
 * @property {number} delay_ms as bob's page says it, in the end
 */

/** Between two numbers. @param {number} least @param {number} most @returns {Delay} */
const between = (least, most) => (_, random) => least + random() * (most - least);

/**
 * A way that lets nothing through for a while; then everything comes at once.
 * @param {number} from
 * @param {number} ms
 * @param {Delay} otherwise
 * @returns {Delay}
 */
export const stalled = (from, ms, otherwise) => (at, random) => {
  const delay = otherwise(at, random);
  return at + delay >= from && at < from + ms ? Math.max(delay, from + ms - at) : delay;
};

/** @type {Record<'steady' | 'jitter20' | 'jitter50' | 'stall' | 'ramp', Delay>} */
export const TRACES = {
  steady: between(50, 50),
  jitter20: between(30, 70),
  jitter50: between(25, 125),
  stall: stalled(6_000, 250, between(45, 55)),
  ramp: (at, random) => 50 + Math.min(Math.max((at - 4_000) / 25, 0), 200) + random() * 10,
};

/** Holds right all the time. @returns {Step} */
export const onward = () => [1, 0, 0];

/** Walks, stops, walks back. @param {number} at @returns {Step | null} */
export const stopAndGo = (at) => {
  const phase = at % 2_230;
  if (phase < 790) return [1, 0, 0];
  return phase >= 1_130 && phase < 1_920 ? [-1, 0, 0] : null;
};

/**
 * A random number generator that a seed decides.
 * @param {number} seed
 */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Events in the order of their times. */
class World {
  now = 0;
  /** @type {{ at: number, run: () => void }[]} */ #events = [];

  /** @param {number} at @param {() => void} run */
  at(at, run) {
    let place = this.#events.length;
    while (place > 0 && /** @type {{ at: number }} */ (this.#events[place - 1]).at > at) place -= 1;
    this.#events.splice(place, 0, { at, run });
  }

  /** @param {number} until */
  play(until) {
    for (let next = this.#events.shift(); next && next.at <= until; next = this.#events.shift()) {
      this.now = next.at;
      next.run();
    }
  }
}

/** One direction of a line. */
class Way {
  #free = 0;

  /** @param {World} world @param {Delay} delay @param {() => number} random */
  constructor(world, delay, random) {
    this.world = world;
    this.delay = delay;
    this.random = random;
  }

  /** @param {() => void} arrive */
  send(arrive) {
    this.#free = Math.max(this.#free, this.world.now + this.delay(this.world.now, this.random));
    this.world.at(this.#free, arrive);
  }
}

/** @typedef {{ at: Point, input: number, toldInput: number, told: Point | null, page: Page }} Player */

/** The server of two players, who are entities 1 and 2. */
class Server {
  /** @type {Player[]} */ players = [];

  /** @param {World} world @param {number} hz @param {() => number} random */
  constructor(world, hz, random) {
    this.world = world;
    this.hz = hz;
    this.random = random;
    this.#beat();
  }

  /** @param {number} entity @param {number} seq @param {Step[]} steps */
  walk(entity, seq, steps) {
    this.world.at(this.world.now + STORE_MS, () => {
      const player = /** @type {Player} */ (this.players[entity - 1]);
      steps.forEach((step, place) => {
        if (seq + place <= player.input) return;
        player.input = seq + place;
        player.at = move(player.at, step);
      });
    });
  }

  #beat() {
    const late = 0.3 + this.random() * 1.5;
    this.world.at(this.world.now + 1000 / this.hz + late, () => {
      this.#tell();
      this.#beat();
    });
  }

  #tell() {
    const tick = Math.floor((SERVER_AHEAD_MS + this.world.now) / STEP_MS);
    const rows = this.players.flatMap((player, place) => {
      const moved = player.told === null || player.told.x !== player.at.x || player.told.y !== player.at.y;
      player.told = player.at;
      return moved ? [[place + 1, player.at.x, player.at.y, 100, 0]] : [];
    });
    for (const player of this.players) {
      if (rows.length === 0 && player.input === player.toldInput) continue;
      player.toldInput = player.input;
      const frame = { ev: 'room', tick, in: player.input, e: rows };
      player.page.down.send(() => player.page.game.event(frame));
    }
  }
}

/** A page: the real game on a session that is a pair of ways. */
class Page {
  /**
   * @param {World} world
   * @param {Server} server
   * @param {{ entity: number, name: string, start: Point, up: Way, down: Way }} who
   * @param {import('./game.js').GameOptions} options
   */
  constructor(world, server, { entity, name, start, up, down }, options) {
    this.name = name;
    this.down = down;
    const session = {
      live: true,
      inputSeq: 0,
      command: () => Promise.resolve({}),
      serverNow: () => SERVER_AHEAD_MS + world.now,
      /** @param {number} seq @param {Step[]} steps */
      input: (seq, steps) => up.send(() => server.walk(entity, seq, steps)),
    };
    const handlers = { changed: () => undefined, hit: () => undefined };
    this.game = new Game(session, () => world.now, handlers, options);
    server.players.push({ at: start, input: 0, toldInput: 0, told: null, page: this });
    const room = { room_id: 'arena', room_name: 'Room arena', player_count: 2, max_players: 20 };
    const state = { player_id: name, display_name: name, current_room: room, health: 100, ...start };
    this.game.welcome(/** @type {any} */ ({ ev: 'welcome', player: name, state }));
    this.game.event({ ev: 'roster', players: [[1, 'alice', 'Alice'], [2, 'bob', 'Bob']], full: true });
  }

  /** Where a player is in the picture. @param {import('./game.js').Scene} scene @param {string} player */
  static find(scene, player) {
    return scene.everyone.find((one) => one.player === player);
  }
}

/**
 * Alice walks by a script, bob watches; every way has the trace's delay.
 * @param {Delay} trace
 * @param {{ hz?: number, seconds?: number, seed?: number, script?: (at: number) => Step | null } &
 *   import('./game.js').GameOptions} [options]
 * @returns {Seen}
 */
export function watch(trace, { hz = 20, seconds = 12, seed = 1, script = onward, ...options } = {}) {
  const world = new World();
  const random = randomOf(seed);
  const way = () => new Way(world, trace, randomOf(Math.floor(random() * 2 ** 32)));
  const server = new Server(world, hz, randomOf(seed + 1));
  /** @param {number} entity @param {string} name @param {Point} start */
  const open = (entity, name, start) =>
    new Page(world, server, { entity, name, start, up: way(), down: way() }, options);
  const alice = open(1, 'alice', { x: 500, y: 900 });
  const bob = open(2, 'bob', { x: 900, y: 500 });
  const notes = new Notes(world, server);
  pictures(world, random() * PICTURE_MS, () => {
    const held = world.now < 500 ? null : script(world.now - 500);
    notes.key(held);
    alice.game.step(held);
    notes.own(Page.find(alice.game.scene(), 'alice'));
  });
  pictures(world, random() * PICTURE_MS, () => {
    notes.watched(Page.find(bob.game.scene(), 'alice'), bob.game.drawnTime);
  });
  world.play(seconds * 1_000);
  const { underruns, drawn, delay_ms } = bob.game.net();
  return { ...notes.summary(), corrections: alice.game.corrections, underruns: underruns / drawn, delay_ms };
}

/** @param {World} world @param {number} from @param {() => void} draw */
function pictures(world, from, draw) {
  const next = () => {
    draw();
    pictures(world, world.now + PICTURE_MS, draw);
  };
  world.at(from, next);
}

/** What the two pages showed, picture by picture. */
class Notes {
  #held = false;
  /** @type {{ at: number, pictures: number, from: Point | null } | null} */ #key = null;
  /** Keys that bob has not seen yet. @type {{ at: number, dx: number }[]} */ #unseen = [];
  /** @type {Point | null} */ #ownBefore = null;
  /** @type {{ x: number, at: number } | null} */ #before = null;
  #time = -Infinity;
  #backwards = 0;
  #own = 0;
  /** @type {number[]} */ #moves = [];
  /** @type {number[]} */ #paces = [];
  /** @type {number[]} */ #seen = [];
  /** @type {{ at: number, ms: number }[]} */ #behind = [];

  /** @param {World} world @param {Server} server */
  constructor(world, server) {
    this.world = world;
    this.server = server;
  }

  /** A key is down or not, at this picture. @param {Step | null} held */
  key(held) {
    if (held && !this.#held) {
      this.#key = { at: this.world.now, pictures: 0, from: this.#ownBefore };
      const known = this.#before && this.world.now > SETTLED_AT_MS;
      if (known) this.#unseen.push({ at: this.world.now, dx: held[0] });
    }
    this.#held = held !== null;
  }

  /** @param {Point | undefined} at where alice sees herself */
  own(at) {
    if (!at) return;
    if (this.#key) {
      this.#key.pictures += 1;
      const { from, pictures: shown } = this.#key;
      if (from && Math.abs(at.x - from.x) > 0.01) {
        this.#own = Math.max(this.#own, shown);
        this.#key = null;
      }
    }
    this.#ownBefore = { x: at.x, y: at.y };
  }

  /** @param {Point | undefined} at where bob sees alice @param {number | null} time */
  watched(at, time) {
    if (!at || time === null) return;
    if (time < this.#time) this.#backwards += 1;
    this.#time = time;
    const { now } = this.world;
    const truth = /** @type {Player} */ (this.server.players[0]).at;
    const before = this.#before;
    this.#before = { x: at.x, at: now };
    if (!before || now < SETTLED_AT_MS) return;
    const moved = Math.abs(at.x - before.x);
    this.#moves.push(moved);
    this.#behind.push({ at: now, ms: Math.abs(truth.x - at.x) / PACE });
    const usual = PACE * (now - before.at);
    if (this.#held) this.#paces.push(Math.abs(moved - usual) / usual);
    const key = this.#unseen[0];
    if (key && (at.x - before.x) * key.dx > 0.01) {
      this.#seen.push(now - key.at);
      this.#unseen.shift();
    }
  }

  summary() {
    return {
      backwards: this.#backwards,
      jump: Math.max(...this.#moves),
      pace: percentile(this.#paces, 0.95),
      own: this.#own,
      seen: this.#seen,
      behind: this.#behind,
    };
  }
}

/** @param {number[]} numbers @param {number} part */
export function percentile(numbers, part) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
