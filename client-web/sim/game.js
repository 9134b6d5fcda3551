/**
 * Owns what the page knows of the game and puts session and simulation
 * together: the player's state, the room and its coins, dealings, prediction of
 * oneself, interpolation of the others, the beat of input, the choice of a
 * target. Free of the DOM: drawing and panels read from here, the session is
 * handed in.
 */

import { FLAGS } from '../net/wire.js';
import { Coins } from './coins.js';
import { Dealings } from './dealings.js';
import { Interpolation } from './interpolation.js';
import { Prediction } from './prediction.js';
import { Room } from './room.js';
import { STEP_MS, walkMs } from './step.js';

/** The room that everyone joins first. */
export const HOME_ROOM = 'arena';
/** So many arenas are tried before the page gives up. */
const ARENAS_MAX = 50;
/** After a stall at most so many steps are caught up. */
const CATCH_UP_MAX = 4;
/**
 * A walk is drawn as if it had begun one picture earlier, so that the picture
 * after a key already shows it.
 */
const LEAD_MS = 1000 / 60;
/** A correction fades over so long. */
const FADE_MS = 120;
/** A larger correction is a jump, not a slip. */
const JUMP_UNITS = 256;
/** So many names of players are kept, also of those who are elsewhere by now. */
const NAMES_MAX = 500;

/**
 * @typedef {import('../net/wire.js').Point} Point
 * @typedef {import('../net/wire.js').Step} Step
 * @typedef {import('../net/wire.js').PlayerState} PlayerState
 * @typedef {import('../net/wire.js').Rank} Rank
 *
 * @typedef {object} GameSession what the game needs of the session
 * @property {boolean} live
 * @property {number} inputSeq
 * @property {(verb: string, args?: object, retries?: number) => Promise<any>} command
 * @property {(seq: number, steps: Step[]) => void} input
 * @property {() => number} serverNow
 * @property {(seq: number) => void} [acknowledged] input up to here is stored
 *
 * @typedef {object} GameOptions for measurements: what is drawn without them
 * @property {boolean} [predict] one's own player walks at once
 * @property {boolean} [interpolate] the others are drawn between two places
 *
 * @typedef {object} GameNet
 * @property {number} delay_ms how far in the past the others are drawn
 * @property {number} jitter_ms of arrivals
 * @property {number} underruns pictures that showed somebody who walks beyond the newest place
 * @property {number} drawn pictures
 * @property {number} frames room frames
 * @property {number} frame_gap_ms between the last two
 * @property {number} pending_steps that no `in` has passed
 * @property {number} corrections
 *
 * @typedef {import('./room.js').Entity & import('./room.js').Who & { own: boolean, selected: boolean }} Drawn
 * @typedef {{ me: Point | null, everyone: Drawn[] }} Scene one picture; oneself is the last of everyone
 *
 * @typedef {object} GameHandlers
 * @property {() => void} changed the state, the room or the ranks are new
 * @property {(player: string, by: number) => void} hit someone's health moved
 * @property {(coin: import('./coins.js').Coin) => void} [taken] somebody has picked up a coin
 */

export class Game {
  /** @type {GameSession} */ #session;
  /** @type {GameHandlers} */ #handlers;
  /** @type {() => number} */ #now;
  /** @type {PlayerState | null} */ #state = null;
  /** @type {Rank[]} */ #top = [];
  #room = new Room();
  #coins = new Coins();
  #dealings;
  /** @type {Map<string, string>} */ #names = new Map();
  #prediction = new Prediction();
  /** @type {Interpolation<import('./room.js').Entity>} */
  #interpolation = new Interpolation({
    takes: (from, to) => walkMs(from, to, (to.flags & FLAGS.sprinting) !== 0),
  });
  #options;
  #frames = { count: 0, at: -Infinity, gap: 0 };
  /** @type {string | null} */ #selected = null;
  #wantedRoom = HOME_ROOM;
  #stepAt = -Infinity;
  #walking = false;
  /** @type {Point | null} */ #before = null;
  /** @type {{ x: number, y: number, at: number }} */ #slip = { x: 0, y: 0, at: -Infinity };

  /**
   * @param {GameSession} session
   * @param {() => number} now local milliseconds
   * @param {GameHandlers} handlers
   * @param {GameOptions} [options]
   */
  constructor(session, now, handlers, { predict = true, interpolate = true } = {}) {
    this.#options = { predict, interpolate };
    this.#session = session;
    this.#now = now;
    this.#handlers = handlers;
    this.#dealings = new Dealings(session);
  }

  get state() {
    return this.#state;
  }

  get top() {
    return this.#top;
  }

  get selected() {
    return this.#selected;
  }

  get corrections() {
    return this.#prediction.corrections;
  }

  /** Trades, the party, and the verbs for them. */
  get dealings() {
    return this.#dealings;
  }

  /** Coins that lie in the room; the same list all the time. */
  get coins() {
    return this.#coins.lying;
  }

  /** What a player is called; who was never met is called by the id. @param {string} player */
  nameOf(player) {
    return this.#names.get(player) ?? player;
  }

  /** Server time at which the others are drawn; never runs backwards. */
  get drawnTime() {
    return this.#interpolation.time;
  }

  /** How it stands with the simulation, for people and measurements. @returns {GameNet} */
  net() {
    const { delayMs, jitterMs, underruns, drawn } = this.#interpolation;
    return {
      delay_ms: Math.round(delayMs),
      jitter_ms: Math.round(jitterMs),
      underruns,
      drawn,
      frames: this.#frames.count,
      frame_gap_ms: Math.round(this.#frames.gap),
      pending_steps: this.#prediction.pending,
      corrections: this.#prediction.corrections,
    };
  }

  /** Where the server last said that I am. @returns {Point | null} */
  ghost() {
    const base = this.#prediction.base;
    return base && { x: base.x, y: base.y };
  }

  get defeated() {
    return this.#state !== null && this.#state.health <= 0;
  }

  others() {
    return this.#room.others();
  }

  /** @param {import('../net/wire.js').Welcome} welcome */
  welcome(welcome) {
    const fresh = welcome.ev === 'welcome' || this.#state === null;
    this.#state = welcome.state;
    this.#name(welcome.player, welcome.state.display_name);
    this.#dealings.welcome(welcome);
    // The room tells of those that lie there now.
    this.#coins.clear();
    if (fresh) {
      this.#room.begin(welcome.player);
      this.#interpolation.clear();
      this.#selected = null;
      this.#prediction.reset(welcome.state, this.#session.inputSeq);
      this.#before = null;
    } else {
      for (const { seq, steps } of this.#prediction.unacknowledged()) this.#session.input(seq, steps);
    }
    this.#handlers.changed();
  }

  /** Joins the arena, or the next one that has a place; returns the room. */
  async arrive() {
    if (this.#state?.current_room) return this.#state.current_room.room_id;
    for (let n = 1; n <= ARENAS_MAX; n += 1) {
      const room = n === 1 ? this.#wantedRoom : `${HOME_ROOM}-${n}`;
      try {
        await this.join(room);
        return room;
      } catch (error) {
        if (/** @type {any} */ (error).code !== 'room_full') throw error;
      }
    }
    throw new Error('every arena is full');
  }

  /** @param {string} room_id */
  async join(room_id) {
    const ok = await this.#session.command('join_room', { room_id }, 3);
    this.#wantedRoom = room_id;
    if (ok.room && typeof ok.room === 'object') this.#merge({ current_room: ok.room });
    return ok;
  }

  /**
   * Makes a move; blows go to the target, or are practice without one.
   * @param {string} move_type
   */
  act(move_type) {
    const blow = move_type === 'attack' || move_type === 'special';
    const target = blow ? this.target() : null;
    const args = target ? { move_type, target_player_id: target } : { move_type };
    return this.#session.command('execute_move', args).then((ok) => ({ ok, target }));
  }

  /** Who would be struck: the selected, else the nearest one still standing. */
  target() {
    if (!this.#state?.current_room) return null;
    const others = this.others();
    const selected = others.find(({ player }) => player === this.#selected);
    if (selected) return selected.player;
    const me = this.#prediction.at ?? { x: 0, y: 0 };
    const standing = others.filter(({ flags }) => (flags & FLAGS.defeated) === 0);
    const far = standing
      .map(({ player, x, y }) => ({ player, far: (x - me.x) ** 2 + (y - me.y) ** 2 }))
      .sort((a, b) => a.far - b.far);
    return far[0]?.player ?? null;
  }

  /** @param {string | null} player selects, or lets go when selected already */
  select(player) {
    this.#selected = player === this.#selected ? null : player;
    this.#handlers.changed();
  }

  /**
   * @param {import('../net/wire.js').WireEvent} event
   * @param {number | null} [seq] the journal position of a numbered one
   */
  event(event, seq = null) {
    if (event.ev === 'room') return this.#frame(/** @type {any} */ (event));
    if (event.ev === 'coins') return this.#lie(/** @type {any} */ (event));
    const news = this.#dealings.event(event, seq);
    if (event.ev === 'player') this.#merge(event.set);
    else if (event.ev === 'roster') this.#named(/** @type {any} */ (event));
    else if (event.ev === 'leaderboard') return this.rank(event.top);
    else if (!news) return undefined;
    return this.#handlers.changed();
  }

  /** @param {Rank[]} top */
  rank(top) {
    this.#top = top;
    for (const [player, name] of top) this.#name(player, name);
    this.#handlers.changed();
  }

  /** @param {import('../net/wire.js').CoinsEvent} event */
  #lie(event) {
    for (const coin of this.#coins.apply(event)) this.#handlers.taken?.(coin);
  }

  /** @param {string} player @param {string} name */
  #name(player, name) {
    if (this.#names.size >= NAMES_MAX && !this.#names.has(player)) this.#names.clear();
    this.#names.set(player, name);
  }

  /**
   * The beat of input: call often; takes the steps that are due.
   * @param {Step | null} held null when no direction is
   */
  step(held) {
    const now = this.#now();
    if (!held || !this.#mayMove()) {
      this.#walking = false;
      return;
    }
    const due = now - this.#stepAt;
    if (due < STEP_MS) return;
    const steady = this.#walking && due < STEP_MS * (CATCH_UP_MAX + 1);
    this.#walking = true;
    const count = steady ? Math.floor(due / STEP_MS) : 1;
    this.#stepAt = steady ? this.#stepAt + count * STEP_MS : Math.max(now - LEAD_MS, this.#stepAt + STEP_MS);
    const steps = Array.from({ length: count }, () => held);
    const seqs = steps.map((step) => {
      this.#before = this.#prediction.at;
      return this.#prediction.take(step);
    });
    this.#session.input(seqs[0] ?? 0, steps);
  }

  #mayMove() {
    const here = this.#state?.current_room && !this.defeated;
    return Boolean(here) && this.#session.live && !this.#prediction.full;
  }

  /** Where everyone is as far as the page knows, by player id. */
  positions() {
    /** @type {[string, Point][]} */
    const at = this.others().map(({ player, x, y }) => [player, { x, y }]);
    const me = this.#prediction.at;
    if (me && this.#state) at.push([this.#state.player_id, { x: me.x, y: me.y }]);
    return Object.fromEntries(at);
  }

  /** What is drawn now: everyone in the room, oneself last. @returns {Scene} */
  scene() {
    const now = this.#now();
    this.#interpolation.advance(now);
    const others = this.others().map((other) => {
      const { entity, health, flags, player, name } = other;
      const { x, y } = (this.#options.interpolate && this.#interpolation.at(entity)) || other;
      return { entity, x, y, health, flags, player, name, own: false, selected: player === this.#selected };
    });
    const me = this.#options.predict ? this.#drawnSelf(now) : this.ghost();
    const state = this.#state;
    if (!me || !state) return { me: null, everyone: others };
    const flags = this.#room.own?.flags ?? 0;
    const { player_id: player, display_name: name, health } = state;
    const own = { entity: -1, player, name, health, flags, ...me, own: true, selected: false };
    return { me, everyone: [...others, own] };
  }

  /** @param {number} now */
  #drawnSelf(now) {
    const at = this.#prediction.at;
    if (!at) return null;
    const part = Math.min(Math.max((now - this.#stepAt) / STEP_MS, 0), 1);
    const before = this.#before ?? at;
    const left = Math.max(0, 1 - (now - this.#slip.at) / FADE_MS);
    return {
      x: before.x + (at.x - before.x) * part + this.#slip.x * left,
      y: before.y + (at.y - before.y) * part + this.#slip.y * left,
    };
  }

  /** @param {import('../net/wire.js').Roster} roster */
  #named(roster) {
    for (const [, player, name] of roster.players) this.#name(player, name);
    for (const entity of this.#room.applyRoster(roster)) this.#interpolation.remove(entity);
  }

  /** @param {import('../net/wire.js').RoomFrame} frame */
  #frame(frame) {
    const now = this.#now();
    const { count, at } = this.#frames;
    this.#frames = { count: count + 1, at: now, gap: count > 0 ? now - at : 0 };
    const { own, changed, gone, hits, news } = this.#room.applyFrame(frame);
    for (const entity of gone) this.#interpolation.remove(entity);
    for (const row of changed) {
      if (!this.#room.isOwn(row.entity)) this.#interpolation.put(row.entity, frame.tick, row);
    }
    this.#interpolation.frame(frame.tick, now);
    this.#slide(this.#prediction.reconcile(own, frame.in), now);
    if (frame.in !== undefined) this.#session.acknowledged?.(frame.in);
    for (const { entity, by } of hits) {
      const who = this.#room.who(entity);
      if (who) this.#handlers.hit(who.player, by);
    }
    if (news) this.#handlers.changed();
  }

  /**
   * A correction moves the picture softly, unless it is a jump.
   * @param {Point} off
   * @param {number} now
   */
  #slide(off, now) {
    if (off.x === 0 && off.y === 0) return;
    this.#before = null;
    const jump = Math.hypot(off.x, off.y) > JUMP_UNITS;
    this.#slip = jump ? { x: 0, y: 0, at: now } : { ...off, at: now };
  }

  /** @param {Partial<PlayerState>} set */
  #merge(set) {
    if (!this.#state) return;
    const from = this.#state.current_room?.room_id;
    this.#state = { ...this.#state, ...set };
    const room = this.#state.current_room?.room_id;
    if (from !== room) this.#coins.clear();
    if (from !== room && !room) this.#room.clear();
    this.#handlers.changed();
  }
}
