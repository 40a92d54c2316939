// The same question with two settings, side by side, and what differs in their sources.

import { answerNodes } from './answer-text.js';
import { call, events, troubleFrom, unreachable } from './api.js';
import { byId, element, millis } from './dom.js';
import { markQuote, passageCard } from './passage.js';
import { hidePreview, previewCitations } from './preview.js';

const MODES = [
  ['hybrid', 'words and meaning'],
  ['lexical', 'words alone'],
  ['dense', 'meaning alone'],
];
const RERANK = [
  ['', 'as configured'],
  ['true', 'on'],
  ['false', 'off'],
];
const SIDES = ['a', 'b'];
/** What differs at first, so that a first click already shows something. */
const FIRST_MODE = { a: 'hybrid', b: 'lexical' };
const FIRST_K = 8;
const MAX_K = 100;

let running;

export function startComparing() {
  for (const side of SIDES) fillSettings(side);
  const details = byId('compare').querySelector('details');
  details.addEventListener('toggle', () => {
    const question = byId('compare-question');
    if (details.open && question.value === '') question.value = byId('question').value;
  });
  byId('compare-form').addEventListener('submit', (event) => {
    event.preventDefault();
    void compare(byId('compare-question').value.trim());
  });
}

function select(name, label, options, value) {
  const made = element('label', '', label);
  const input = element('select');
  input.name = name;
  for (const [each, text] of options) input.append(new Option(text, each));
  input.value = value;
  made.append(input);
  return made;
}

function fillSettings(side) {
  const k = element('label', '', 'Passages');
  const input = element('input');
  Object.assign(input, { type: 'number', name: 'k', min: 1, max: MAX_K, value: FIRST_K, required: true });
  k.append(input);
  document
    .querySelector(`fieldset[data-side="${side}"]`)
    .append(select('mode', 'Search by', MODES, FIRST_MODE[side]), k, select('rerank', 'Reranker', RERANK, ''));
}

function settingsOf(side) {
  const value = (name) => document.querySelector(`fieldset[data-side="${side}"] [name="${name}"]`).value;
  const rerank = value('rerank');
  return { mode: value('mode'), k: Number(value('k')), ...(rerank !== '' && { rerank: rerank === 'true' }) };
}

async function compare(question) {
  if (question === '') return;
  running?.abort();
  const own = new AbortController();
  running = own;
  byId('compare-replies').hidden = false;
  byId('compare-status').textContent = 'Asking both …';
  const replies = await Promise.all(SIDES.map((side) => answerSide(side, question, own.signal)));
  if (own.signal.aborted) return;
  byId('compare-status').textContent = markDifferences(replies);
}

/** Streams one side into its article. Gives its reply, of which `done` is undefined where it failed. */
async function answerSide(side, question, signal) {
  const settings = settingsOf(side);
  const view = sideView(side, settings);
  const reply = { side, view, results: [], quotes: new Map(), text: '', done: undefined };
  const began = performance.now();
  previewCitations(view.answer, (marker) => {
    const [item, result] = [byId(`${side}-passage-${marker}`), reply.results[marker - 1]];
    return item && result && { item, result, quotes: reply.quotes.get(marker) ?? [] };
  });
  try {
    const body = { question, stream: true, ...settings };
    const response = await call('POST', '/v1/answer', body, signal);
    for await (const event of events(response.body)) take(event, reply);
    if (!reply.done) throw unreachable();
    const verb = reply.done.refused ? 'Refused' : 'Answered';
    view.status.textContent = `${verb} in ${millis(performance.now() - began)}`;
    view.answer.classList.toggle('refused', reply.done.refused);
  } catch (error) {
    if (signal.aborted) return reply;
    view.answer.classList.add('failed');
    view.answer.textContent = error.message;
    view.status.textContent = 'No answer.';
  }
  return reply;
}

function sideView(side, { mode, k, rerank }) {
  const article = document.querySelector(`article[data-side="${side}"]`);
  const words = MODES.find(([each]) => each === mode)[1];
  const title = element('h3', '', `${side.toUpperCase()} `);
  const order = rerank === undefined ? '' : `, reranker ${rerank ? 'on' : 'off'}`;
  title.append(element('small', '', `${words}, ${k} ${k === 1 ? 'passage' : 'passages'}${order}`));
  const status = element('p', 'note', 'Looking for it …');
  const answer = element('div', 'answer');
  answer.setAttribute('aria-live', 'polite');
  const sources = element('ol', 'passages');
  sources.setAttribute('aria-label', `Passages of ${side.toUpperCase()}`);
  article.replaceChildren(title, status, answer, sources);
  return { status, answer, sources };
}

function take({ event, data }, reply) {
  const { side, view } = reply;
  const show = (text) => {
    hidePreview();
    view.answer.replaceChildren(...answerNodes(text, reply.results.length, `${side}-passage-`));
  };
  if (event === 'retrieval') {
    reply.results = data.results;
    view.sources.replaceChildren(...data.results.map((each) => passageCard(each, `${side}-passage-${each.rank}`)));
  } else if (event === 'token') {
    reply.text += data.text;
    show(reply.text);
  } else if (event === 'citation') {
    const item = byId(`${side}-passage-${data.marker}`);
    reply.quotes.set(data.marker, [...(reply.quotes.get(data.marker) ?? []), data.quote]);
    item.classList.add('quoted');
    markQuote(item, data.quote);
  } else if (event === 'done') {
    reply.done = data;
    show(data.answer);
  } else if (event === 'error') {
    throw troubleFrom(data);
  }
}

/** Says on each passage where the other side has it, and gives the sum in a sentence. */
function markDifferences([a, b]) {
  if (!a.done || !b.done) return 'One side has no answer.';
  const ranks = (reply) => new Map(reply.results.map(({ passageId, rank }) => [passageId, rank]));
  let both = 0;
  for (const [own, other] of [
    [a, b],
    [b, a],
  ]) {
    const there = ranks(other);
    for (const { passageId, rank } of own.results) {
      const at = there.get(passageId);
      if (own === a && at !== undefined) both++;
      const item = byId(`${own.side}-passage-${rank}`);
      const name = other.side.toUpperCase();
      const text = at === undefined ? `not in ${name}` : at === rank ? `same in ${name}` : `${at} in ${name}`;
      item.classList.toggle('alone', at === undefined);
      item.querySelector('.head').append(element('span', 'difference', text));
    }
  }
  const same = a.done.answer === b.done.answer ? 'The answers are the same' : 'The answers differ';
  const [onlyA, onlyB] = [a.results.length - both, b.results.length - both];
  return `${same}; ${both} ${both === 1 ? 'passage' : 'passages'} in both, ${onlyA} in A alone, ${onlyB} in B alone.`;
}
