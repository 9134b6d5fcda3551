/**
 * Owns the buttons that break things. They are there only where the server is
 * a demo, act by its control, and say what came of it.
 */

import { Control } from '../behind/control.js';
import { byId, mark, say } from './dom.js';

const CUT_MS = 5_000;
const DELAY = Object.freeze({ delay_ms: 100, jitter_ms: 20 });
/** The show is asked for so often while its buttons are there. */
const SHOW_MS = 1_000;
/** Where nobody answers, so seldom. */
const ABSENT_MS = 15_000;

/**
 * @typedef {import('../behind/control.js').Show} Show
 * @typedef {{ node: () => string, serverNow: () => number }} DemoEnv
 */

/**
 * @param {typeof fetch} fetcher
 * @param {import('../behind/timeline.js').Timeline} timeline
 * @param {DemoEnv} env
 */
export function createDemo(fetcher, timeline, env) {
  const root = byId('demo', HTMLElement);
  const said = byId('demo-said', HTMLElement);
  /** @type {Control | null} */ let control = null;
  /** @type {Show | null} */ let show = null;
  let askedAt = -Infinity;

  /** @param {string} text @param {boolean} [bad] */
  const tell = (text, bad = false) => {
    said.classList.toggle('error', bad);
    say(said, text);
  };
  const draw = () => {
    const delayed = (show?.network.delay_ms ?? 0) > 0;
    mark(byId('demo-delay', HTMLElement), 'aria-pressed', String(delayed));
    mark(byId('demo-cut', HTMLElement), 'aria-disabled', String((show?.network.cut_ms ?? 0) > 0));
  };
  /** @param {'kill' | 'drain' | 'cut' | 'delay'} kind @param {any} args */
  const order = async (kind, args) => {
    if (!control) return;
    const traced = kind !== 'delay';
    if (traced) timeline.order({ kind, node: env.node(), ms: args.ms }, env.serverNow());
    try {
      const answer = await control.order(kind, args);
      if (traced) timeline.done(answer.done_at_ms);
      show = answer.show;
      tell(wordsOf(kind, args, show));
    } catch (error) {
      if (traced) timeline.failed();
      tell(`Not done: ${/** @type {Error} */ (error).message}`, true);
    }
    draw();
  };

  /** Asks how the show stands, now and then. */
  const refresh = async () => {
    if (!control || performance.now() - askedAt < (show ? SHOW_MS : ABSENT_MS)) return;
    askedAt = performance.now();
    show = await control.show().catch(() => show);
    // On another machine the control is out of reach, and the buttons could do nothing.
    root.hidden = show === null;
    draw();
  };

  byId('demo-kill', HTMLElement).addEventListener('click', () => order('kill', { node: env.node() }));
  byId('demo-drain', HTMLElement).addEventListener('click', () => order('drain', { node: env.node() }));
  byId('demo-cut', HTMLElement).addEventListener('click', () => {
    if ((show?.network.cut_ms ?? 0) <= 0) order('cut', { ms: CUT_MS });
  });
  byId('demo-delay', HTMLElement).addEventListener('click', () => {
    order('delay', (show?.network.delay_ms ?? 0) > 0 ? { delay_ms: 0, jitter_ms: 0 } : DELAY);
  });

  return {
    /** @returns {import('../behind/control.js').ShowGateway[]} */
    gateways: () => show?.gateways ?? [],
    /** The nodes named a control, or none. @param {string | null} base */
    async found(base) {
      if (base === null) {
        root.hidden = true;
        control = show = null;
        return;
      }
      if (control?.base !== base) control = new Control(fetcher, base);
      await refresh();
    },
    refresh,
  };
}

/**
 * @param {'kill' | 'drain' | 'cut' | 'delay'} kind
 * @param {any} args
 * @param {Show} show
 */
function wordsOf(kind, args, show) {
  const back = `it starts again ${(show.returns_after_ms / 1_000).toFixed(0)} s after it is gone`;
  switch (kind) {
    case 'kill':
      return `${args.node} was killed; ${back}.`;
    case 'drain':
      return `${args.node} hands its players over and ends; ${back}.`;
    case 'cut':
      return `Nothing passes for ${args.ms / 1_000} s.`;
    default:
      return args.delay_ms > 0
        ? `Every round trip is ${args.delay_ms} ± ${args.jitter_ms} ms longer.`
        : 'The network is as it was.';
  }
}
