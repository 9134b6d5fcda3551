/**
 * Owns the room switcher: the rooms there are, asked for when it opens, and a
 * name of one's own.
 */

import { byId, follow, make, mark, say } from './dom.js';

/**
 * @typedef {import('../net/wire.js').Room} Room
 * @typedef {object} RoomHands
 * @property {() => Promise<Room[]>} list
 * @property {(room: string) => void} join
 * @property {(room: string) => void} together the whole party enters
 * @property {() => string} here
 */

/** @param {RoomHands} hands */
export function createRooms(hands) {
  const dialog = byId('rooms', HTMLDialogElement);
  const empty = byId('room-list-empty', HTMLElement);
  let together = false;
  /** @param {string} room */
  const join = (room) => {
    dialog.close();
    if (together) hands.together(room);
    else if (room !== hands.here()) hands.join(room);
  };
  byId('room-form', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    join(byId('room', HTMLInputElement).value.trim());
  });
  dialog.addEventListener('close', () => byId('arena', HTMLCanvasElement).focus());

  /** @param {Room[]} rooms */
  const show = (rooms) => {
    follow(
      byId('room-list', HTMLUListElement),
      rooms,
      ({ room_id }) => room_id,
      ({ room_id }) => {
        const item = make('li');
        const button = make('button');
        button.type = 'button';
        button.append(make('span', 'who'), make('span', 'count muted'));
        button.addEventListener('click', () => join(room_id));
        item.append(button);
        return item;
      },
      (item, { room_id, room_name, player_count, max_players }) => {
        const button = /** @type {HTMLElement} */ (item.firstElementChild);
        const here = room_id === hands.here();
        mark(button, 'aria-current', String(here));
        say(button.firstElementChild, here ? `${room_name} (you are here)` : room_name);
        say(button.lastElementChild, `${player_count}/${max_players}`);
      },
    );
  };
  return {
    /** @param {boolean} [party] whether the whole party is to enter */
    async open(party = false) {
      together = party;
      say(byId('rooms-title', HTMLElement), party ? 'Enter together' : 'Rooms');
      byId('room', HTMLInputElement).value = '';
      say(empty, 'Asking which rooms there are …');
      empty.hidden = false;
      if (!dialog.open) dialog.showModal();
      try {
        const rooms = await hands.list();
        show(rooms.sort((a, b) => b.player_count - a.player_count));
        empty.hidden = rooms.length > 0;
        say(empty, 'No room is open: name one, and it is.');
      } catch (error) {
        say(empty, `The rooms can't be listed now: ${/** @type {Error} */ (error).message}.`);
      }
    },
  };
}
