/**
 * Owns how a claimed name stays one's own: its token counts for a day, so it is
 * renewToken for a new one while it still does. Free of the DOM.
 */

/** A token with less time left than this is renewToken. */
export const RENEW_BELOW_MS = 18 * 3_600_000;

/**
 * When a token ends, Unix milliseconds; null when it does not say so.
 * @param {string} token a JSON Web Token (RFC 7519)
 */
export function tokenEndsMs(token) {
  try {
    const [, claims = ''] = token.split('.');
    const { exp } = JSON.parse(atob(claims.replace(/-/gu, '+').replace(/_/gu, '/')));
    return Number.isFinite(exp) ? exp * 1_000 : null;
  } catch {
    return null;
  }
}

/**
 * Whether a token is to be renewToken now: it ends within a while, and has not ended yet.
 * @param {string} token
 * @param {number} now Unix milliseconds
 */
export function isTokenDue(token, now) {
  const ends = tokenEndsMs(token);
  return ends !== null && ends > now && ends - now < RENEW_BELOW_MS;
}

/**
 * Exchanges a token; null when the server has none for it, or can't be asked.
 * @param {typeof fetch} fetcher
 * @param {string} base of a gateway
 * @param {string} player
 * @param {string} token
 * @returns {Promise<string | null>}
 */
export async function renewToken(fetcher, base, player, token) {
  try {
    const answer = await fetcher(`${base}/v1/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ player }),
    });
    if (!answer.ok) return null;
    const page = /** @type {{ token?: unknown }} */ (await answer.json());
    return typeof page.token === 'string' ? page.token : null;
  } catch {
    return null;
  }
}
