/**
 * Owns what belongs to the reference game, for those who play it by a client of
 * their own: its state, rooms, moves, names, coins, trades and parties, put
 * together in Game.
 */

export { FLAGS, displayName, playerId } from './net/wire.js';
export { Coins } from './sim/coins.js';
export { Dealings, isOver } from './sim/dealings.js';
export { Game, HOME_ROOM } from './sim/game.js';
export { GOLD, ITEMS, counted, goodsOf, goodsWords, isNothing, itemName, lacking, quantityIn, sum } from './sim/goods.js';
export { Room } from './sim/room.js';

/**
 * @typedef {import('./net/wire.js').CoinsEvent} CoinsEvent
 * @typedef {import('./net/wire.js').EntityRow} EntityRow
 * @typedef {import('./net/wire.js').GameEvent} GameEvent
 * @typedef {import('./net/wire.js').Goods} Goods
 * @typedef {import('./net/wire.js').GoodsItem} GoodsItem
 * @typedef {import('./net/wire.js').Item} Item
 * @typedef {import('./net/wire.js').OnLeaderLeft} OnLeaderLeft
 * @typedef {import('./net/wire.js').Party} Party
 * @typedef {import('./net/wire.js').PartyEvent} PartyEvent
 * @typedef {import('./net/wire.js').PlayerState} PlayerState
 * @typedef {import('./net/wire.js').Rank} Rank
 * @typedef {import('./net/wire.js').RoomFrame} RoomFrame
 * @typedef {import('./net/wire.js').Roster} Roster
 * @typedef {import('./net/wire.js').Trade} Trade
 * @typedef {import('./net/wire.js').TradeEvent} TradeEvent
 * @typedef {import('./net/wire.js').Welcome} Welcome
 * @typedef {import('./sim/coins.js').Coin} Coin
 * @typedef {import('./sim/dealings.js').Deal} Deal
 * @typedef {import('./sim/game.js').Drawn} Drawn
 * @typedef {import('./sim/game.js').GameHandlers} GameHandlers
 * @typedef {import('./sim/game.js').GameNet} GameNet
 * @typedef {import('./sim/game.js').Scene} Scene
 */
