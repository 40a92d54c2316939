import type { LegResult } from '../retrieval/measure-set.ts';
import type { RetrievalReport } from '../retrieval/retrieval-suite.ts';
import { LEGS } from '../retrieval/run-queries.ts';
import { intervalPlot, type PlotGroup } from './interval-plot.ts';
import { element, escapeMarkup } from './svg.ts';
import { COLUMNS, legRows } from './text-table.ts';

const STYLE = `
:root { color-scheme: light dark; --page: #fff; --text: #1c2128; --muted: #5b6470; --line: #d8dde3; --raised: #f5f7f9;
  --series-0: #b35c00; --series-1: #0067a8; --series-2: #0a7a55; }
@media (prefers-color-scheme: dark) { :root { --page: #14181d; --text: #e3e7ec; --muted: #9aa4b0; --line: #343c46; --raised: #1c2229;
  --series-0: #f0a04b; --series-1: #5db4ee; --series-2: #4cc79a; } }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem 4rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; } p { margin: .4rem 0; }
.note { color: var(--muted); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
thead th { background: var(--raised); } tr.hybrid td { font-weight: 600; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
.grid { stroke: var(--line); } .tick, .figure { fill: var(--muted); } .label { fill: var(--text); font-size: 13px; }
.interval { stroke-width: 2; opacity: .55; } .floor { stroke: var(--text); stroke-width: 2; }
${LEGS.map((_, i) => `.series-${i} .mark { fill: var(--series-${i}); } .series-${i} .interval { stroke: var(--series-${i}); }`).join('\n')}
.key { display: flex; gap: 1.25rem; flex-wrap: wrap; } .key b { font-weight: 600; }
${LEGS.map((_, i) => `.key .k${i} { color: var(--series-${i}); }`).join(' ')}
`;

/** The report as one page that needs nothing besides itself. */
export function htmlReport(report: RetrievalReport): string {
  const { model, reranker, chunk, sets, missing } = report;
  const settings = `${model}, passages of at most ${chunk.maxTokens} tokens with an overlap of ${chunk.overlapTokens}`;
  const body = [
    element('h1', {}, 'Retrieval'),
    paragraph(`One setting for all sets: ${settings}. Documents are ranked by their best passage.`),
    ...(reranker === undefined ? [] : [paragraph(`Every leg is reranked: ${reranker}.`)]),
    ...(missing.length > 0 ? [paragraph(`Not on this machine: ${missing.join(', ')}.`)] : []),
    element('h2', {}, 'nDCG@10 with 95 % intervals'),
    `<p class="key">${LEGS.map((leg, i) => `<b class="k${i}">${['■', '●', '◆'][i] ?? ''} ${leg}</b>`).join('')}<span>❘ floor</span></p>`,
    intervalPlot(
      'nDCG@10 by set and leg',
      sets.map((set) => groupOf(set.set, set.legs, set.floors)),
    ),
    element('h2', {}, 'Table'),
    table(report),
    paragraph(
      'The floor is a plain baseline over whole documents, as the README of the data states it; where it has no figure for the same model, that of MiniLM.',
    ),
    element('h2', {}, 'Sets'),
    sizes(report),
  ];
  return pageOf('retrieval', body);
}

/** A page with the style of all reports. @param body markup. */
export function pageOf(title: string, body: readonly string[]): string {
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>Freshet: ${escapeMarkup(title)}</title><style>${STYLE}</style></head><body>${body.join('\n')}</body></html>\n`,
  ].join('');
}

function groupOf(
  name: string,
  legs: readonly LegResult[],
  floors: RetrievalReport['sets'][number]['floors'],
): PlotGroup {
  const marks = legs.map(({ leg, ndcg10 }) => ({
    series: LEGS.indexOf(leg),
    name: leg,
    value: ndcg10,
    floor: floors[leg]?.ndcg10,
  }));
  return { name, marks };
}

function table(report: RetrievalReport): string {
  const rows = legRows(report).map(({ set, leg, cells }) =>
    element('tr', { class: leg }, ...[set, leg, ...cells].map(cell)),
  );
  return tableOf(['set', 'leg', ...COLUMNS], rows);
}

function sizes({ sets }: RetrievalReport): string {
  const rows = sets.map(({ set, documents, passages, queries }) =>
    element('tr', {}, ...[set, '', String(documents), String(passages), String(queries)].map(cell)),
  );
  return tableOf(['set', '', 'documents', 'passages', 'queries'], rows);
}

export function tableOf(header: readonly string[], rows: readonly string[]): string {
  const head = element('tr', {}, ...header.map((name) => element('th', { scope: 'col' }, escapeMarkup(name))));
  return `<div class="scroll"><table><thead>${head}</thead><tbody>${rows.join('')}</tbody></table></div>`;
}

export function cell(text: string): string {
  return element('td', {}, escapeMarkup(text));
}

export function paragraph(text: string): string {
  return element('p', { class: 'note' }, escapeMarkup(text));
}
