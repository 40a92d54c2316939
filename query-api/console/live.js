// The figures of the stream, from the routes that operators and their dashboards read.

import { call, UNREACHABLE } from './api.js';
import { age, byId, element, millis } from './dom.js';

const EVERY_MS = 2_000;
/** Points of the line: two minutes. */
const POINTS = 60;
/** Below this many waiting changes nobody has to be told to wait. */
const MANY_WAITING = 20;

const rates = [];
let last;

/** Shows the figures for as long as the page is open. @param also is awaited in every round. */
export async function watch(also) {
  for (;;) {
    if (!document.hidden) await refresh(also);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

async function refresh(also) {
  const alert = byId('alert');
  try {
    const [freshness, metrics] = await Promise.all([
      call('GET', '/v1/freshness').then((reply) => reply.json()),
      call('GET', '/metrics').then((reply) => reply.text()),
    ]);
    showRate(total(metrics, 'freshet_source_changes_total'));
    showDead(total(metrics, 'freshet_dead_letters_open'));
    showFreshness(freshness);
    await also();
    if (!alert.hidden) alert.hidden = true;
  } catch (error) {
    // Text that stays the same is not written again: a screen reader would say it again.
    if (alert.hidden || alert.textContent !== error.message) alert.textContent = error.message;
    alert.hidden = false;
    if (error.code === UNREACHABLE) last = undefined;
  }
}

/** The sum of a metric over all its labels. */
function total(metrics, name) {
  const lines = metrics.matchAll(new RegExp(`^${name}(?:\\{[^\\n]*\\})? ([\\d.e+]+)$`, 'gm'));
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}

function showRate(changes) {
  const now = performance.now();
  const rate = last ? Math.max(0, ((changes - last.changes) * 1_000) / (now - last.at)) : 0;
  last = { changes, at: now };
  rates.push(rate);
  if (rates.length > POINTS) rates.shift();
  byId('rate').textContent = rate === 0 ? '0' : rate.toFixed(rate < 10 ? 1 : 0);
  const top = Math.max(1, ...rates);
  const x = (index) => (120 * (index + POINTS - rates.length)) / (POINTS - 1);
  byId('spark').firstElementChild.setAttribute(
    'points',
    rates.map((each, i) => `${x(i)},${22 - (20 * each) / top}`).join(' '),
  );
}

function showDead(count) {
  byId('dead').textContent = count.toLocaleString();
  byId('dead').classList.toggle('bad', count > 0);
  byId('dead-note').textContent =
    count > 0 ? 'see them with: npx freshet failures list' : 'changes put aside with a reason; there are none';
}

function showFreshness({ sources, coverage }) {
  const all = Object.values(sources);
  const lag = all.reduce((sum, { lagRecords = 0 }) => sum + lagRecords, 0);
  byId('lag').textContent = lag.toLocaleString();
  const [fastest] = all
    .filter(({ freshnessSeconds }) => freshnessSeconds?.p50 !== undefined)
    .toSorted((a, b) => a.freshnessSeconds.p50 - b.freshnessSeconds.p50);
  if (fastest) {
    const { p50, p99 = p50 } = fastest.freshnessSeconds;
    byId('fresh').textContent = `≤ ${millis(p50 * 1_000)}`;
    byId('fresh-note').textContent = `for half of the changes; 99 of 100 within ${millis(p99 * 1_000)}`;
  }
  showFilling(lag, coverage.dense);
  byId('sources').replaceChildren(...Object.entries(sources).map(([name, source]) => sourceCard(name, source)));
}

const share = (part) => (part > 0 && part < 0.01 ? 'less than 1 %' : `${Math.floor(part * 100)} %`);

function showFilling(lag, dense) {
  const parts = [];
  if (lag >= MANY_WAITING) parts.push(`${lag.toLocaleString()} changes are still on their way into the index.`);
  if (dense < 1)
    parts.push(
      `The index is still filling: ${share(dense)} of the passages have their meaning as numbers. Until then they are found by their words.`,
    );
  byId('filling').hidden = parts.length === 0;
  if (parts.length === 0) return;
  const bar = element('progress');
  bar.value = dense;
  bar.setAttribute('aria-label', 'Passages with their meaning');
  byId('filling').replaceChildren(bar, element('span', '', parts.join(' ')));
}

function sourceCard(name, source) {
  const card = element('article', 'card');
  const title = element('h3', '', name);
  const condition = source.connected === false ? 'bad' : source.position === undefined ? 'unknown' : '';
  title.prepend(element('span', `dot ${condition}`.trim()));
  const facts = element('dl');
  const row = (term, value) => value !== undefined && facts.append(element('dt', '', term), element('dd', '', value));
  row('state', source.state);
  row('as of', source.committedAt === undefined ? undefined : age(source.committedAt));
  row('position', source.position ?? 'none yet');
  row('waiting', source.lagRecords?.toLocaleString());
  row('documents', source.documents?.toLocaleString());
  row('passages', source.passages?.toLocaleString());
  row('reason', source.reason);
  card.append(title, facts);
  return card;
}
