// The picture of the stream: where a change is, and when it was there.

import { byId, millis } from './dom.js';

const STATIONS = ['row', 'log', 'chunk', 'index', 'answer'];
/** The way takes a few hundredths of a second; it is shown slowed down to this, ms. */
const SLOW_MOTION_MS = 1_100;

const station = (name) => document.querySelector(`[data-station="${name}"]`);
let travel = 0;

function time(name, text) {
  const output = station(name).querySelector('output');
  output.textContent = text;
  station(name).classList.toggle('reached', text !== '');
}

/** A change was sent to the database. */
export function depart(what) {
  travel++;
  for (const name of STATIONS) time(name, '');
  station('row').classList.add('reached');
  byId('journey').textContent = `${what} is being committed …`;
}

/** Shows when the change was where, and what came of it ("searchable", "gone"). All times are of one clock and count from the commit. */
export async function arrive(what, journey, outcome) {
  if (!journey) {
    byId('journey').textContent =
      `${what} is committed and still on its way: the index has a lot to do. It loses nothing and catches up.`;
    return;
  }
  const { committedAt = journey.searchableAt, loggedAt, preparedAt, indexedAt, searchableAt } = journey;
  const after = (at) => (at === undefined ? 'passed' : millis(at - committedAt));
  const own = travel;
  byId('journey').replaceChildren(
    `${what}: ${outcome} `,
    Object.assign(document.createElement('strong'), { textContent: millis(searchableAt - committedAt) }),
    ' after the commit.',
  );
  const times = { row: 'commit', log: after(loggedAt), chunk: after(preparedAt), index: after(indexedAt) };
  const names = Object.keys(times);
  move(names.length);
  for (const [index, name] of names.entries()) {
    await new Promise((resolve) => setTimeout(resolve, index === 0 ? 0 : stepMs()));
    if (own !== travel) return;
    time(name, times[name]);
  }
}

/** @param at when the answer was on the page, ms since the epoch; undefined when there was no question */
export function answered(journey, at) {
  if (!journey?.committedAt) return;
  const own = travel;
  setTimeout(
    () => own === travel && time('answer', at === undefined ? 'ask first' : millis(at - journey.committedAt)),
    stepMs() * (STATIONS.length - 1),
  );
}

const isCalm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
const stepMs = () => (isCalm() ? 0 : SLOW_MOTION_MS / (STATIONS.length - 1));

function move() {
  if (isCalm()) return;
  const stops = STATIONS.map((_, index) => `${(100 * index) / (STATIONS.length - 1)}%`);
  byId('drop').animate(
    stops.map((left) => ({ left, opacity: 1 })),
    { duration: SLOW_MOTION_MS, easing: 'linear' },
  );
}
