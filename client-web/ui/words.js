/**
 * Owns the words about the connection: chip, banner, announcements. Honest:
 * they say what the connection does, not what one hopes. Pure.
 */

/** A round trip of more than this is slow, where the session does not say so itself. */
const SLOW_MS = 250;
/** A quiet line is worth a banner after so long; the chip has said it before. */
const QUIET_MS = 1_500;
/** With a last round trip below this it is the silence since that is slow. */
const QUICK_MS = 100;

/**
 * @typedef {import('../net/session.js').SessionStatus & { slow?: boolean, quiet_since?: number | null, retry_at?: number | null }} Status
 * @typedef {'idle' | 'live' | 'slow' | 'news' | 'connecting' | 'waiting' | 'stopped'} ChipPhase
 * @typedef {{ phase: ChipPhase, text: string }} ChipWords
 */

/**
 * The browser says that there is no network, and the connection does not
 * contradict it: a server on this very machine stays reachable without.
 * @param {Status} status
 * @param {boolean} online what the browser believes of its network
 */
function isOffline(status, online) {
  if (online || status.phase === 'idle' || status.phase === 'stopped') return false;
  return status.phase !== 'live' || isSlow(status);
}

/**
 * @param {Status} status
 * @param {string} news what just happened; stands in for "live"
 * @param {boolean} online what the browser believes of its network
 * @param {number} now on the session's clock
 * @returns {ChipWords}
 */
export function chipWords(status, news, online, now) {
  if (isOffline(status, online)) return { phase: 'waiting', text: 'offline' };
  const trip = status.rtt_ms === null ? '' : ` ${status.rtt_ms} ms`;
  switch (status.phase) {
    case 'idle':
      return { phase: 'idle', text: 'signed out' };
    case 'connecting':
      return {
        phase: 'connecting',
        text: status.attempt > 0 ? `reconnecting (attempt ${status.attempt})` : 'connecting',
      };
    case 'waiting':
      return {
        phase: 'waiting',
        text: `reconnecting ${inSeconds(status, now)}(attempt ${status.attempt})`,
      };
    case 'live':
      if (news && typeof status.quiet_since !== 'number') return { phase: 'news', text: news };
      if (!isSlow(status)) return { phase: 'live', text: `live${trip}` };
      return {
        phase: 'slow',
        text: (status.rtt_ms ?? 0) >= QUICK_MS ? `slow${trip}` : 'slow, no answer yet',
      };
    default:
      return { phase: 'stopped', text: status.reason || 'disconnected' };
  }
}

/** @param {Status} status */
function isSlow(status) {
  return status.slow ?? (status.rtt_ms ?? 0) > SLOW_MS;
}

/**
 * @param {Status} status
 * @param {number} now
 */
function inSeconds(status, now) {
  if (typeof status.retry_at !== 'number') return '';
  return `in ${(Math.max(0, status.retry_at - now) / 1000).toFixed(1)} s `;
}

/**
 * What a welcome means to somebody who was here before.
 * @param {{ ev: string, node: string, replayed?: number }} welcome
 * @param {string} before the node that was spoken to before; empty at first
 */
export function newsOf(welcome, before) {
  if (welcome.ev === 'welcome') return '';
  const moved = before !== '' && before !== welcome.node;
  const how = moved ? `taken over by ${welcome.node}` : 'resumed';
  if (welcome.ev === 'resync') return moved ? how : 'resumed with the newest state';
  if (moved && !welcome.replayed) return how;
  return `${how}, ${counted(welcome.replayed ?? 0, 'event')} replayed`;
}

/**
 * @param {number} count
 * @param {string} noun
 */
export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/**
 * What the banner says; null when there is nothing to say.
 * @param {Status} status
 * @param {boolean} online what the browser believes of its network
 * @param {number} now on the session's clock
 */
export function bannerWords(status, online, now) {
  if (isOffline(status, online)) {
    return {
      title: 'Your device is offline.',
      why: 'Nothing is lost: your player keeps its place, and what you ordered is sent once, later.',
      next: 'Tries again at once when the network is back.',
    };
  }
  if (status.phase === 'live') return quietWords(status, now);
  if (status.phase === 'idle' || status.phase === 'stopped') return null;
  const next =
    status.phase === 'waiting'
      ? `Next attempt ${inSeconds(status, now) || 'soon '}(attempt ${status.attempt}).`
      : `Trying now (attempt ${Math.max(1, status.attempt)}).`;
  return {
    title: 'No connection.',
    why: 'Nothing is lost: your player is stored and keeps its place. The page comes back to it by itself.',
    next,
  };
}

/**
 * A line that has gone quiet, before it is given up.
 * @param {Status} status
 * @param {number} now
 */
function quietWords({ quiet_since }, now) {
  const quiet = typeof quiet_since === 'number' ? now - quiet_since : 0;
  if (quiet < QUIET_MS) return null;
  return {
    title: 'The line is quiet.',
    why: 'Nothing is lost: what you ordered is kept, and is sent once.',
    next: `No answer for ${(quiet / 1000).toFixed(1)} s; soon another connection is tried.`,
  };
}
