/**
 * Owns the party in the list of people: invitations, who is in it, who leads,
 * and the dialog that begins one.
 */

import { showCrest } from '../view/blazon.js';
import { sentence } from './deal-words.js';
import { byId, follow, icon, make, mark, say } from './dom.js';

/**
 * @typedef {import('../sim/game.js').Game} Game
 * @typedef {import('../net/wire.js').Party} Party
 *
 * @typedef {object} PartyHands each says itself what came of it
 * @property {(party_id: string) => void} join
 * @property {(player: string) => void} kick
 * @property {() => void} leave
 * @property {() => void} together
 */

/** @param {Game} game @param {PartyHands} hands */
export function createParty(game, hands) {
  createDialog(game);
  byId('party-leave', HTMLButtonElement).addEventListener('click', hands.leave);
  byId('party-together', HTMLButtonElement).addEventListener('click', hands.together);
  return () => {
    const { party, invitations, leads } = game.dealings;
    say(byId('party-name', HTMLElement), party?.name ?? '');
    showInvitations(game, invitations, hands);
    showMembers(game, party, hands);
    byId('party-begin', HTMLElement).hidden = party !== null;
    byId('party-together', HTMLElement).hidden = !leads;
    const leave = byId('party-leave', HTMLElement);
    leave.hidden = party === null;
    say(leave, leads && party?.on_leader_left === 'end' ? 'Disband' : 'Leave');
    showChatTo(party);
  };
}

/** Whom the chat speaks to can be chosen while there is a party. @param {Party | null} party */
function showChatTo(party) {
  const to = byId('chat-to', HTMLButtonElement);
  to.hidden = party === null;
  if (!party) mark(to, 'aria-pressed', 'false');
  const partyOnly = isToParty();
  mark(byId('chat', HTMLInputElement), 'placeholder', partyOnly ? 'Say to the party' : 'Say something');
}

/** Whether what is said goes to the party. */
export const isToParty = () => byId('chat-to', HTMLElement).getAttribute('aria-pressed') === 'true';

/** @param {Game} game */
function createDialog(game) {
  const dialog = byId('party-new', HTMLDialogElement);
  const form = byId('party-form', HTMLFormElement);
  const called = byId('party-called', HTMLInputElement);
  const error = byId('party-error', HTMLElement);
  const begin = byId('party-begin', HTMLButtonElement);
  /** @param {string} text */
  const complain = (text) => {
    say(error, text);
    error.hidden = text === '';
  };
  begin.addEventListener('click', () => {
    complain('');
    const name = game.state?.display_name ?? '';
    called.value = `${Array.from(name).slice(0, 24).join('')}'s party`;
    if (!dialog.open) dialog.showModal();
    called.select();
  });
  byId('party-stop', HTMLButtonElement).addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => (begin.checkVisibility() ? begin : byId('arena', HTMLCanvasElement)).focus());
  byId('chat-to', HTMLButtonElement).addEventListener('click', () => {
    mark(byId('chat-to', HTMLElement), 'aria-pressed', String(!isToParty()));
    showChatTo(game.dealings.party);
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const left = new FormData(form).get('left') === 'end' ? 'end' : 'pass_on';
    try {
      await game.dealings.createParty(called.value.trim(), left);
      dialog.close();
    } catch (refused) {
      complain(sentence(/** @type {Error} */ (refused).message));
    }
  });
}

/** @param {Game} game @param {Party[]} invitations @param {PartyHands} hands */
function showInvitations(game, invitations, hands) {
  follow(
    byId('invitations', HTMLUListElement),
    invitations,
    ({ party_id }) => party_id,
    ({ party_id, leader }) => {
      const item = make('li', 'member');
      const join = make('button', 'primary', 'Join');
      join.type = 'button';
      join.addEventListener('click', () => hands.join(party_id));
      item.append(crestOf(leader), make('span', 'who'), join);
      return item;
    },
    (item, { name, leader }) => {
      const [, who, join] = item.children;
      say(who, `${name}, led by ${game.nameOf(leader)}`);
      if (join) mark(join, 'aria-label', `Join ${name}`);
    },
  );
}

/** @param {Game} game @param {Party | null} party @param {PartyHands} hands */
function showMembers(game, party, hands) {
  const me = game.state?.player_id ?? '';
  follow(
    byId('members', HTMLUListElement),
    party?.members ?? [],
    (player) => player,
    (player) => {
      const item = make('li', 'member');
      const crown = make('span', 'crown');
      crown.append(icon('crown'), make('span', 'unseen', 'leads'));
      const kick = make('button', 'only-icon quiet');
      kick.type = 'button';
      kick.append(icon('close'));
      kick.addEventListener('click', () => hands.kick(player));
      item.append(crestOf(player), make('span', 'who'), crown, kick);
      return item;
    },
    (item, player) => {
      const [, who, crown, kick] = /** @type {HTMLElement[]} */ ([...item.children]);
      const name = game.nameOf(player);
      say(who, player === me ? `${name} (you)` : name);
      item.classList.toggle('me', player === me);
      if (crown) crown.hidden = player !== party?.leader;
      if (!kick) return;
      kick.hidden = !game.dealings.leads || player === me;
      mark(kick, 'aria-label', `Send ${name} away`);
    },
  );
}

/** @param {string} player */
function crestOf(player) {
  const crest = make('canvas', 'crest');
  crest.setAttribute('aria-hidden', 'true');
  crest.width = crest.height = 64;
  showCrest(crest, player);
  return crest;
}
