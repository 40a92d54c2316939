// One question and its answer, streamed; and the same question again when what it rests on has changed.

import { call, events, Trouble, troubleFrom, unreachable } from './api.js';
import { answerNodes, plain } from './answer-text.js';
import { byId, clock, element, isDemo, millis, submitOnEnter } from './dom.js';
import { offerRating, startRating } from './feedback.js';
import { keepAges, markQuote, passageCard } from './passage.js';
import { hidePreview, previewCitations } from './preview.js';
import { refusalNodes } from './refusal.js';
import { whyNodes } from './why.js';

const EXAMPLES = [
  'How many days do I have to return a bicycle?',
  'Until when is the shop open on weekdays?',
  'Can I rent a bicycle?',
  'Which Node.js versions does Fastify v5 support?',
];
/** How long a question that follows a change waits for it, ms. */
const FOLLOW_WAIT_MS = 10_000;

const answer = byId('answer');
/** The answer that is shown, and the question that it belongs to. */
let shown = { question: '', text: '' };
/** The reply on the page, for who points at its citations. */
let latest;
let running;
let onRow = () => undefined;

/** @param editRow is called with a document id whose row the visitor wants to change; gives false where there is none. */
export function startAsking(editRow) {
  onRow = editRow;
  const question = byId('question');
  submitOnEnter(question);
  byId('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    void ask(question.value.trim());
  });
  question.addEventListener('keydown', (event) => event.key === 'Escape' && running?.abort());
  byId('stop').addEventListener('click', () => running?.abort());
  previewCitations(answer, (marker) => {
    const item = byId(`passage-${marker}`);
    const result = latest?.results[marker - 1];
    return item && result && { item, result, quotes: latest.quotes.get(marker) ?? [] };
  });
  startRating();
  keepAges();
  byId('identity').addEventListener('input', showWho);
  showWho();
  if (isDemo) byId('examples').append(...EXAMPLES.map(example));
  const asked = new URLSearchParams(location.search).get('q');
  if (asked) void ask(fill(asked));
}

/**
 * Asks the same again as of a change. Gives the time of the new answer, ms since the epoch, and its text where it is another one;
 * undefined when nothing was asked.
 */
export async function askAgain(after) {
  const before = shown;
  if (before.question === '' || !(await ask(before.question, after))) return undefined;
  return { at: Date.now(), ...(shown.text !== before.text && { text: plain(shown.text) }) };
}

function example(text) {
  const made = element('button', 'chip', text);
  made.type = 'button';
  made.addEventListener('click', () => void ask(fill(text)));
  return made;
}

function fill(text) {
  byId('question').value = text;
  return text;
}

/** Streams one answer. A question that is asked meanwhile ends the one before. True when it was answered. */
async function ask(question, after, settings = {}) {
  if (question === '') return false;
  running?.abort();
  const own = new AbortController();
  running = own;
  const began = performance.now();
  const before = after && shown.question === question ? shown.text : '';
  begin(before !== '');
  const reply = { text: '', results: [], quotes: new Map(), done: undefined };
  latest = reply;
  try {
    const body = {
      question,
      stream: true,
      explain: true,
      ...settings,
      ...(after && { after, waitMs: FOLLOW_WAIT_MS }),
    };
    const response = await call('POST', '/v1/answer', body, own.signal);
    for await (const { event, data } of events(response.body)) take(event, data, reply);
    if (!reply.done) throw unreachable();
    shown = { question, text: reply.done.answer };
    finish(reply, before, performance.now() - began);
    // Who changes a row looks at the row; who asks looks for the answer, which a phone has below its edge.
    if (!after) document.querySelector('.answer-card').scrollIntoView({ block: 'nearest' });
    return true;
  } catch (error) {
    if (own.signal.aborted && running === own) byId('status').textContent = 'Stopped.';
    else if (!own.signal.aborted) fail(error);
    return false;
  } finally {
    if (running === own) end();
  }
}

function take(event, data, reply) {
  if (event === 'retrieval') {
    reply.results = data.results;
    showPassages(data.results);
    showAsOf(data.asOf);
    byId('status').textContent = 'Reading what was found …';
  } else if (event === 'token') {
    reply.text += data.text;
    showAnswer(reply.text, reply.results.length);
  } else if (event === 'citation') {
    cite(data, reply);
  } else if (event === 'done') {
    reply.done = data;
    showAnswer(data.answer, reply.results.length);
  } else if (event === 'error') {
    throw troubleFrom(data);
  }
}

/** @param isFollowing the last answer stays until the new one is there, so that the eye sees it change and not vanish. */
function begin(isFollowing) {
  byId('reply').hidden = false;
  byId('empty').hidden = true;
  byId('stop').hidden = false;
  byId('before').hidden = true;
  byId('why').hidden = true;
  offerRating(undefined);
  answer.className = 'busy';
  answer.setAttribute('aria-busy', 'true');
  byId('status').textContent = isFollowing ? 'The table has changed; asking again …' : 'Looking for it …';
  if (isFollowing) return;
  answer.textContent = '';
  byId('asof').textContent = '';
  showPassages([]);
}

function finish({ done, results }, before, tookMs) {
  const { answer: text, refused } = done;
  answer.classList.toggle('refused', refused);
  byId('status').textContent = refused
    ? `Nothing in the index answers that (${millis(tookMs)}).`
    : `Answered in ${millis(tookMs)}, with its sources.`;
  if (refused) showRefusal(done, results);
  showWhy(done, results);
  offerRating(done.traceId);
  if (before === '' || before === text) return;
  byId('status').textContent = 'The answer has changed with the table.';
  byId('before').replaceChildren('Before: ', element('del', '', plain(before)));
  byId('before').hidden = false;
  answer.classList.add('changed');
}

function showRefusal(done, results) {
  byId('cited').replaceChildren();
  const again = (settings) => void ask(shown.question, undefined, settings);
  answer.append(refusalNodes(done, { found: results.length, again, showNearest }));
  if (results.length === 0) return;
  // What was quoted before the refusal is near, too.
  byId('passages').replaceChildren(...results.map(passage));
  byId('others').firstElementChild.textContent = `The nearest ${results.length === 1 ? 'passage' : 'passages'}`;
  byId('others').hidden = false;
}

function showNearest() {
  byId('others').open = true;
  byId('others').firstElementChild.focus();
}

function showWhy(done, results) {
  byId('why').hidden = !done.explanation;
  byId('why').firstElementChild.textContent = done.refused ? 'Why no answer' : 'Why this answer';
  if (done.explanation) byId('why-panel').replaceChildren(...whyNodes(done, results));
}

function end() {
  running = undefined;
  byId('stop').hidden = true;
  answer.classList.remove('busy');
  answer.removeAttribute('aria-busy');
}

function fail(error) {
  answer.className = 'failed';
  answer.textContent = error instanceof Error ? error.message : String(error);
  byId('status').textContent = 'No answer.';
  showPassages([]);
  byId('asof').textContent = error instanceof Trouble && error.code.startsWith('FRESHET') ? error.code : '';
}

/** The answer with its [n] as links to the passages. */
function showAnswer(text, count) {
  hidePreview();
  answer.classList.remove('changed', 'refused', 'failed');
  answer.replaceChildren(...answerNodes(text, count, 'passage-'));
}

function showPassages(results) {
  byId('cited').replaceChildren();
  byId('passages').replaceChildren(...results.map(passage));
  countOthers();
}

function countOthers() {
  const count = byId('passages').childElementCount;
  byId('others').hidden = count === 0;
  byId('others').firstElementChild.textContent = `${count} more ${count === 1 ? 'passage' : 'passages'} that came near`;
}

function passage(result) {
  const edit = onRow(result.documentId);
  return passageCard(result, `passage-${result.rank}`, edit ? [edit] : []);
}

/** Puts a quoted passage in front of the others and marks the quoted words in it. */
function cite({ marker, quote }, reply) {
  const item = byId(`passage-${marker}`);
  if (!item) return;
  reply.quotes.set(marker, [...(reply.quotes.get(marker) ?? []), quote]);
  byId('cited').append(item);
  countOthers();
  markQuote(item, quote);
}

function showAsOf(asOf) {
  const sources = Object.entries(asOf).map(([name, { committedAt }]) => `${clock(committedAt)} (${name})`);
  byId('asof').textContent = sources.length === 0 ? '' : `As of ${sources.join(', ')}`;
  byId('asof').title = Object.entries(asOf)
    .map(([name, { position }]) => `${name} at ${position}`)
    .join(', ');
}

function showWho() {
  const [tenant, groups, key] = ['tenant', 'groups', 'key'].map((id) => byId(id).value.trim());
  byId('who').textContent = key ? 'the owner of a key' : `tenant ${tenant || 'default'}${groups ? `, ${groups}` : ''}`;
}
