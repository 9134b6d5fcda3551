/**
 * Owns the status chip: in words, colour and a number, how it stands with the
 * connection. Honest: it shows what the connection does, not what one hopes.
 */

import { byId, say } from './dom.js';

/** "resumed" is shown for so long before "live" takes its place. */
const RESUMED_SHOWN_MS = 5_000;

/** @typedef {import('../net/session.js').SessionStatus} SessionStatus */

export function createStatus() {
  const chip = byId('status', HTMLElement);
  const text = byId('status-text', HTMLElement);
  const rtt = byId('status-rtt', HTMLElement);
  let resumed = '';
  let timer = 0;
  /** @type {SessionStatus | null} */
  let last = null;

  const draw = () => {
    if (!last) return;
    const live = last.phase === 'live';
    chip.dataset.phase = last.phase;
    say(text, live && resumed ? resumed : wordsOf(last));
    say(rtt, live && last.rtt_ms !== null ? ` ${last.rtt_ms} ms` : '');
    chip.title = last.node ? `server ${last.node}` : '';
  };
  return {
    /** @param {SessionStatus} status */
    show(status) {
      last = status;
      draw();
    },
    /** @param {import('../net/wire.js').Welcome} welcome */
    welcomed(welcome) {
      clearTimeout(timer);
      resumed = welcome.ev === 'welcome' ? '' : 'resumed';
      if (welcome.ev === 'resumed') resumed = `resumed, ${welcome.replayed ?? 0} replayed`;
      if (resumed) timer = window.setTimeout(() => { resumed = ''; draw(); }, RESUMED_SHOWN_MS);
      draw();
    },
  };
}

/** @param {SessionStatus} status */
function wordsOf(status) {
  switch (status.phase) {
    case 'idle': return 'signed out';
    case 'connecting': return status.attempt > 0 ? `reconnecting (attempt ${status.attempt})` : 'connecting';
    case 'live': return 'live';
    case 'waiting': return `reconnecting (attempt ${status.attempt})`;
    default: return status.reason || 'disconnected';
  }
}
