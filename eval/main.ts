import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../runtime/clock.ts';
import { parseConfig } from '../runtime/config/load-config.ts';
import { htmlReport } from './report/html-report.ts';
import { differenceTable, textTable } from './report/text-table.ts';
import { RETRIEVAL_SETS, runRetrievalSuite, type RetrievalReport } from './retrieval/retrieval-suite.ts';

/*
 * `npm run eval -- [--suite retrieval] [--sets adi,scifact] [--data <folder>] [--against <report.json>]`: how well the words, the vectors
 * and both together find the relevant documents of public collections, with the settings that the product ships with. Prints the table
 * and writes it as a page and as JSON; `--against` compares with the JSON of an earlier run, query by query.
 */
const { values } = parseArgs({
  options: {
    suite: { type: 'string', default: 'retrieval' },
    data: { type: 'string', default: '../shared/data/eval' },
    sets: { type: 'string', default: RETRIEVAL_SETS.join(',') },
    out: { type: 'string', default: '.freshet/eval/retrieval.html' },
    against: { type: 'string' },
    vectors: {
      type: 'string',
      default: join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'freshet', 'eval', 'vectors.db'),
    },
    'max-tokens': { type: 'string' },
    'overlap-tokens': { type: 'string' },
    threads: { type: 'string', default: '0' },
  },
});
const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join('\n')}\n`);
if (values.suite !== 'retrieval') {
  process.stderr.write(`There is no suite ${values.suite}; there is: retrieval.\n`);
  process.exit(2);
}
const chunk = {
  ...(values['max-tokens'] && { maxTokens: Number(values['max-tokens']) }),
  ...(values['overlap-tokens'] && { overlapTokens: Number(values['overlap-tokens']) }),
};
// No source is opened: all settings but the source's are those of a config that says nothing about them.
const sources = [
  {
    name: 'eval',
    kind: 'webhook',
    signature: { scheme: 'standard-webhooks', secret: 'whsec_bm90IHVzZWQgYnkgYW55Ym9keQ==' },
  },
];
const file = JSON.stringify({ sources, pipeline: { chunk }, embedder: { threads: Number(values.threads) } });
const report = await runRetrievalSuite(
  {
    dataRoot: values.data,
    sets: values.sets.split(','),
    vectorFile: values.vectors,
    config: parseConfig(file, {}, 'eval'),
    clock: systemClock,
    say: (line) => void process.stderr.write(`${line}\n`),
  },
  new AbortController().signal,
);
print(textTable(report));
if (values.against !== undefined) {
  const earlier = JSON.parse(await readFile(values.against, 'utf8')) as RetrievalReport;
  print(['', ...differenceTable(earlier, report)]);
}
await mkdir(dirname(values.out), { recursive: true });
await writeFile(values.out, htmlReport(report));
await writeFile(values.out.replace(/(\.html)?$/, '.json'), JSON.stringify(report));
print(['', `The page is ${values.out}.`]);
