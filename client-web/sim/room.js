/**
 * Owns what is known of the room: who the entity numbers are (roster) and the
 * newest state of each (room frames, whole or delta). One's own entity is the
 * one the roster gives to one's player, else the first of a whole frame.
 */

/**
 * @typedef {{ entity: number, x: number, y: number, health: number, flags: number }} Entity
 * @typedef {{ player: string, name: string }} Who
 * @typedef {import('../net/wire.js').RoomFrame} RoomFrame
 */

export class Room {
  /** @type {Map<number, Entity>} */ #entities = new Map();
  /** @type {Map<number, Who>} */ #roster = new Map();
  /** @type {number | null} */ #own = null;
  #me = '';

  /** @param {string} player whose page this is */
  begin(player) {
    this.#me = player;
    this.clear();
  }

  clear() {
    this.#entities.clear();
    this.#roster.clear();
    this.#own = null;
  }

  get entities() {
    return this.#entities;
  }

  get own() {
    return this.#own === null ? null : this.#entities.get(this.#own) ?? null;
  }

  /** @param {number} entity */
  who(entity) {
    return this.#roster.get(entity) ?? null;
  }

  /** @param {number} entity */
  isOwn(entity) {
    return entity === this.#own;
  }

  /** Everyone else who is here and has a name. @returns {(Entity & Who)[]} */
  others() {
    const here = [];
    for (const { entity, x, y, health, flags } of this.#entities.values()) {
      const who = this.#roster.get(entity);
      if (!who || who.player === this.#me) continue;
      here.push({ entity, x, y, health, flags, player: who.player, name: who.name });
    }
    return here;
  }

  /**
   * A number may mean somebody else now, as in another room: what was known of
   * it is forgotten.
   * @param {import('../net/wire.js').Roster} roster
   * @returns {number[]} the numbers of which nothing is known any more
   */
  applyRoster(roster) {
    const before = new Map(this.#roster);
    if (roster.full) this.#roster.clear();
    for (const [entity, player, name] of roster.players) {
      this.#roster.set(entity, { player, name });
      if (player === this.#me) this.#own = entity;
    }
    const gone = [...this.#entities.keys()].filter((entity) => {
      const [was, is] = [before.get(entity), this.#roster.get(entity)];
      return is ? was && was.player !== is.player : roster.full;
    });
    for (const entity of gone) this.#entities.delete(entity);
    return gone;
  }

  /**
   * @param {RoomFrame} frame
   * @returns {{ own: Entity | null, changed: Entity[], gone: number[], hits: { entity: number, by: number }[], news: boolean }}
   * one's own row, the rows, who left, whose health moved, and whether there
   * is news beside positions
   */
  applyFrame(frame) {
    const rows = (frame.e ?? []).map(([entity, x, y, health, flags]) => ({ entity, x, y, health, flags }));
    if (frame.full && this.#own === null && rows[0]) this.#own = rows[0].entity;
    const hits = rows.flatMap((row) => {
      const by = row.health - (this.#entities.get(row.entity)?.health ?? row.health);
      return by === 0 ? [] : [{ entity: row.entity, by }];
    });
    const turned = rows.some((row) => this.#entities.get(row.entity)?.flags !== row.flags);
    const gone = this.#leave(frame, new Set(rows.map((row) => row.entity)));
    for (const row of rows) this.#entities.set(row.entity, row);
    const own = rows.find((row) => row.entity === this.#own) ?? null;
    return { own, changed: rows, gone, hits, news: turned || hits.length > 0 || gone.length > 0 };
  }

  /**
   * @param {RoomFrame} frame
   * @param {Set<number>} here
   */
  #leave(frame, here) {
    const gone = frame.full ? [...this.#entities.keys()].filter((entity) => !here.has(entity)) : [...(frame.gone ?? [])];
    for (const entity of gone) this.#entities.delete(entity);
    return gone;
  }
}
