/**
 * Owns the log: a polite live region of what happened, newest at the bottom,
 * bounded. It follows its end unless someone scrolled up to read.
 */

import { byId, make } from './dom.js';

const LINES_MAX = 200;

/**
 * @typedef {'notice' | 'combat' | 'reply' | 'error' | 'say' | 'link'} LineKind
 * @typedef {(kind: LineKind, text: string, from?: string) => void} Write
 */

/** @returns {Write} */
export function createLog() {
  const list = byId('log', HTMLOListElement);
  return (kind, text, from) => {
    const following = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const line = make('li', `line ${kind}`);
    if (from) line.append(make('b', 'from', from), ' ');
    line.append(make('span', '', text));
    list.append(line);
    while (list.children.length > LINES_MAX) list.firstElementChild?.remove();
    if (following) list.scrollTop = list.scrollHeight;
  };
}
