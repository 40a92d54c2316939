// Why an answer is as it is, from the explanation that came with it: a picture, and the same in words.

import { element, millis } from './dom.js';
import { pathOf } from './passage.js';

/** Passages that the picture shows; a phone has room for no more. */
const ROWS = 8;
const [WIDTH, ROW, TOP] = [320, 26, 8];
const [LEFT, MIDDLE, RIGHT] = [22, WIDTH / 2, WIDTH - 22];

const OUTCOMES = {
  cited: 'quoted in the answer',
  read: 'read, not quoted',
  'over-budget': 'left out: the prompt was full',
  'beyond-k': 'left out: behind the last place',
  copy: 'left out: another has the same text',
};
const STATEMENTS = {
  cited: 'stands in its source',
  found: 'had no source named; one was found',
  unverified: 'no source says it; marked so',
  dropped: 'no source says it; left out',
  weak: 'came nearest, and covers too little of the question',
};
const STEPS = {
  wait: 'wait for changes',
  embed: 'turn the question into numbers',
  search: 'search',
  rerank: 'rerank',
  generate: 'write and check the answer',
};

/** @param answer the `done` event of an answer that was asked for with `explain`. @param results what it was written from. */
export function whyNodes({ explanation, model, prompt, cached, refused }, results) {
  const { passages, statements, timingsMs } = explanation;
  const shown = passages.slice(0, ROWS);
  const made = [element('p', 'why-lead', lead(explanation, { model, prompt, cached, refused }))];
  if (shown.length > 0) made.push(picture(explanation, shown), wayOfPassages(explanation, shown, results));
  if (statements.length > 0) made.push(element('h4', '', 'What became of each sentence'), sentences(statements));
  made.push(element('h4', '', 'Where the time went'), steps(timingsMs));
  return made;
}

function lead({ passages, legs, rerank, k, rejectedQuotes }, { model, prompt, cached, refused }) {
  const ways = [legs.lexical === 'ran' && 'by their words', legs.dense === 'ran' && 'by their meaning'].filter(Boolean);
  const cited = passages.filter(({ outcome }) => outcome === 'cited').length;
  const parts = [
    `Up to ${k} passages were looked for ${ways.join(' and ')}; ${cited === 0 ? 'none is' : cited === 1 ? 'one is' : `${cited} are`} quoted.`,
  ];
  if (legs.dense === 'late')
    parts.push('The meaning of the question was not ready in time, so its words decided alone.');
  if (rerank === 'reranked') parts.push('A reranker read the best of them and put them in order.');
  if (rerank === 'kept-order') parts.push('No reranker gave an order in time, so the order stayed.');
  if (rejectedQuotes.length > 0)
    parts.push(`${rejectedQuotes.length} quotes were left out: their words are not in the passage.`);
  const writer = `${model} ${refused ? 'read them' : 'wrote it'}${prompt ? `, with the prompt ${prompt}` : ''}.`;
  const quoted = refused ? '' : 'The answer is put together from quoted sentences, without a model.';
  parts.push(model === 'extractive' ? quoted : writer);
  if (cached) parts.push('It was written before for the same passages.');
  return parts.join(' ');
}

function drawn(name, attributes) {
  const made = document.createElementNS(document.querySelector('svg').namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Words on the left, meaning on the right, and between them what both came to; a line for each passage, from its places to its last one. */
function picture({ legs }, shown) {
  const figure = element('figure', 'why-picture');
  const heads = element('div', 'why-heads');
  heads.setAttribute('aria-hidden', 'true');
  heads.append(element('span', '', 'By words'), element('span', '', 'Together'), element('span', '', 'By meaning'));
  const rows = shown.length;
  const isFar = shown.some(({ ranks }) => (ranks.lexical ?? 0) > rows || (ranks.dense ?? 0) > rows);
  const height = TOP * 2 + ROW * (rows + Number(isFar));
  const svg = drawn('svg', { viewBox: `0 0 ${WIDTH} ${height}`, 'aria-hidden': 'true' });
  // What is quoted is drawn last, over the rest.
  const order = shown.map((passage, index) => ({ passage, index })).toSorted((a, b) => isCited(a) - isCited(b));
  const y = (rank) => TOP + ROW * (Math.min(rank, rows + 1) - 0.5);
  for (const { passage, index } of order) {
    const group = drawn('g', { class: passage.outcome });
    for (const [leg, x] of [
      ['lexical', LEFT],
      ['dense', RIGHT],
    ]) {
      const rank = passage.ranks[leg];
      if (rank === undefined || legs[leg] !== 'ran') continue;
      const bend = (x + MIDDLE) / 2;
      group.append(
        drawn('path', { d: `M${x} ${y(rank)}C${bend} ${y(rank)} ${bend} ${y(index + 1)} ${MIDDLE} ${y(index + 1)}` }),
      );
      // Places further down share one dot.
      group.append(...dot(x, y(rank), rank > rows ? '…' : rank));
    }
    group.append(...dot(MIDDLE, y(index + 1), index + 1));
    svg.append(group);
  }
  figure.append(heads, svg);
  return figure;
}

const isCited = ({ passage }) => Number(passage.outcome === 'cited');

function dot(x, y, rank) {
  const label = drawn('text', { x, y: y + 4, 'text-anchor': 'middle' });
  label.textContent = String(rank);
  return [drawn('circle', { cx: x, cy: y, r: 11 }), label];
}

function wayOfPassages({ legs, rerank, passages }, shown, results) {
  const list = element('ol', 'why-list');
  for (const [index, { title, documentId, ranks, outcome, cut, vectorPending, marker }] of shown.entries()) {
    const item = element('li', outcome);
    item.append(
      element('span', 'number', String(index + 1)),
      element('b', '', marker ? pathOf(results[marker - 1]) : title || documentId),
    );
    const ways = [
      legs.lexical === 'ran' && (ranks.lexical ? `${nth(ranks.lexical)} by words` : 'not found by words'),
      legs.dense === 'ran' &&
        (ranks.dense
          ? `${nth(ranks.dense)} by meaning`
          : vectorPending
            ? 'its meaning is still to come'
            : 'not found by meaning'),
      rerank === 'reranked' && ranks.fused !== index + 1 && `${nth(ranks.fused)} before reranking`,
    ].filter(Boolean);
    const end = cut ? 'read in part: the prompt was full' : OUTCOMES[outcome];
    item.append(element('small', '', `${ways.join(', ')} → ${end}`));
    list.append(item);
  }
  const further = passages.length - shown.length;
  if (further > 0) list.append(element('li', 'why-more', `and ${further} further down`));
  return list;
}

function nth(rank) {
  const tail = rank % 100 > 10 && rank % 100 < 14 ? 'th' : (['th', 'st', 'nd', 'rd'][rank % 10] ?? 'th');
  return `${rank}${tail}`;
}

function sentences(statements) {
  const list = element('ul', 'why-sentences');
  for (const { text, outcome, markers, rejectedMarkers } of statements) {
    const item = element('li', outcome);
    item.append(element('q', '', text));
    const named = rejectedMarkers.length > 0 ? `; it named ${rejectedMarkers.join(', ')} in vain` : '';
    const from = markers.length > 0 ? ` (${markers.join(', ')})` : '';
    item.append(element('small', '', `${STATEMENTS[outcome]}${from}${named}`));
    list.append(item);
  }
  return list;
}

function steps({ total, ...each }) {
  const list = element('dl', 'why-steps');
  for (const [step, ms] of Object.entries(each)) {
    const bar = element('progress');
    bar.max = Math.max(1, total);
    bar.value = ms;
    bar.setAttribute('aria-label', STEPS[step] ?? step);
    const value = element('dd');
    value.append(bar, element('span', '', ms < 1 ? '< 1 ms' : millis(ms)));
    list.append(element('dt', '', STEPS[step] ?? step), value);
  }
  list.append(element('dt', 'sum', 'together'), element('dd', 'sum', millis(total)));
  return list;
}
