/**
 * Owns what belongs to the reference game, for those who play it by a client of
 * their own: its state, rooms, moves and names, put together in Game.
 */

export { FLAGS, displayName, playerId } from './net/wire.js';
export { Game, HOME_ROOM } from './sim/game.js';
export { Room } from './sim/room.js';

/**
 * @typedef {import('./net/wire.js').EntityRow} EntityRow
 * @typedef {import('./net/wire.js').Item} Item
 * @typedef {import('./net/wire.js').PlayerState} PlayerState
 * @typedef {import('./net/wire.js').Rank} Rank
 * @typedef {import('./net/wire.js').RoomFrame} RoomFrame
 * @typedef {import('./net/wire.js').Roster} Roster
 * @typedef {import('./net/wire.js').Welcome} Welcome
 * @typedef {import('./sim/game.js').Drawn} Drawn
 * @typedef {import('./sim/game.js').GameHandlers} GameHandlers
 * @typedef {import('./sim/game.js').GameNet} GameNet
 * @typedef {import('./sim/game.js').Scene} Scene
 */
