/**
 * Owns the drawing of the timeline: each incident's lines with their
 * milliseconds, the total, and the proof side by side.
 */

import { msWords } from '../behind/words.js';
import { byId, follow, make, mark, say } from './dom.js';

/**
 * @typedef {import('../behind/timeline.js').Timeline} Timeline
 * @typedef {import('../behind/timeline.js').Incident} Incident
 * @typedef {import('../behind/proof.js').Proof} Proof
 */

const hours = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
});

let newest = 0;

/** @param {Timeline} timeline */
export function showTimeline(timeline) {
  const [first] = timeline.incidents;
  if (first && first.id > newest) {
    newest = first.id;
    byId('what-happened', HTMLElement).scrollIntoView({ block: 'start' });
  }
  byId('timeline-empty', HTMLElement).hidden = timeline.incidents.length > 0;
  follow(
    byId('timeline', HTMLElement),
    timeline.incidents,
    ({ id }) => String(id),
    create,
    (element, incident) => {
      const [head, steps, total, proof] = element.children;
      mark(element, 'data-open', String(incident.open));
      mark(element, 'data-cause', incident.cause);
      say(head?.firstElementChild, incident.title);
      say(head?.lastElementChild, hours.format(incident.began_ms));
      if (steps) showSteps(steps, incident);
      say(total, incident.open ? under(incident) : `Total: ${incident.total}`);
      if (proof) showProof(/** @type {HTMLElement} */ (proof), timeline.proof(incident));
    },
  );
}

function create() {
  const article = make('article', 'incident');
  const head = make('h4');
  head.append(make('span'), make('time'));
  const proof = make('div', 'proof-box');
  proof.hidden = true;
  article.append(head, make('ol', 'steps'), make('p', 'total'), proof);
  return article;
}

/** @param {Incident} incident */
function under({ lost, back_ms }) {
  if (back_ms !== null) return 'Back; waiting for the first input to count again …';
  return lost ? 'Reconnecting …' : 'Waiting for what comes of it …';
}

/**
 * @param {Element} list
 * @param {Incident} incident
 */
function showSteps(list, incident) {
  follow(
    list,
    incident.lines.map((line, place) => ({ ...line, place })),
    ({ what, place }) => `${place} ${what}`,
    () => {
      const step = make('li', 'step');
      step.append(make('span', 'at'), make('span', 'knot'), make('span', 'what'));
      return step;
    },
    (step, { at_ms, text, tone, what }) => {
      mark(step, 'data-tone', tone);
      mark(step, 'data-what', what);
      const passed = Math.max(0, Math.round(at_ms - incident.began_ms));
      say(step.firstElementChild, passed === 0 ? '0 ms' : `+${msWords(passed)}`);
      say(step.lastElementChild, text);
    },
  );
}

/**
 * @param {HTMLElement} box
 * @param {Proof | null} proof
 */
function showProof(box, proof) {
  box.hidden = proof === null;
  if (!proof) return;
  if (!box.firstElementChild) box.append(proofTable(), make('p', 'verdict'));
  const body = box.querySelector('tbody');
  if (body) {
    follow(
      body,
      proof.rows,
      ({ name }) => name,
      () => {
        const row = make('tr');
        const name = make('th');
        name.scope = 'row';
        row.append(name, make('td'), make('td'), make('td'));
        return row;
      },
      (row, { name, before, after, same }) => {
        const [title, was, is, verdict] = row.children;
        say(title, name);
        say(was, before);
        say(is, after);
        if (!verdict) return;
        verdict.className = same ? 'same' : 'changed';
        say(verdict, same ? '= equal' : `≠ ${proof.why}`);
      },
    );
  }
  say(
    box.lastElementChild,
    proof.same ? 'Nothing lost: before equals after.' : `Changed, and why: ${proof.why}.`,
  );
}

function proofTable() {
  const table = make('table', 'proof');
  const head = make('thead');
  const row = make('tr');
  for (const title of ['', 'At the loss', 'After the resume', '']) {
    const cell = title ? make('th', '', title) : make('td');
    if (cell instanceof HTMLTableCellElement && title) cell.scope = 'col';
    row.append(cell);
  }
  head.append(row);
  table.append(head, make('tbody'));
  return table;
}
