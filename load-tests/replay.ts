import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startEmbeddedPostgres } from '../cli/demo/embedded-postgres.ts';
import { packageRoot } from '../cli/package-root.ts';
import { systemClock } from '../runtime/clock.ts';
import type { ConfigFile } from '../runtime/config/config.ts';
import { documentId } from '../schemas/ids.ts';
import { onEngines } from './replay/on-engines.ts';
import { judgeProbe, type Probe, type ProbeVerdict } from './replay/judge-probe.ts';

/*
 * `npm run replay -- <folder>`: drives the real history of a documentation repository through a real Postgres table and the
 * running product, asks over HTTP on the way, and compares the final index with the final state. Prints a table and exits 1 when
 * a bound is broken.
 */

interface Page {
  readonly _id: string;
  readonly title: string;
  readonly text: string;
}

interface HistoryEvent extends Partial<Page> {
  readonly seq: number;
  readonly op: 'create' | 'update' | 'delete' | 'rename';
  readonly _id: string;
  readonly prev_id?: string;
}

const SOURCE = 'docs';
const FOUND_AT_LEAST = 0.98;
const WAIT_MS = 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    embedder: { type: 'string', default: 'onnx' },
    mode: { type: 'string', default: 'hybrid' },
    keep: { type: 'boolean', default: false },
    // Public documentation is compared letter for letter, so its example addresses must stay; `--pii mask` shows what the filter takes.
    pii: { type: 'string', default: 'off' },
    misses: { type: 'string', default: '10' },
    // On the engines that the environment names, with Debezium in between, each role a process of its own.
    cluster: { type: 'boolean', default: false },
  },
});
const [folder] = positionals;
if (folder === undefined || !existsSync(join(folder, 'events.jsonl'))) {
  process.stderr.write(
    'Usage: npm run replay -- <folder with snapshot.jsonl, events.jsonl, probes.jsonl, final.jsonl> [--embedder onnx|hash] [--mode hybrid|lexical] [--cluster]\n',
  );
  process.exit(2);
}

const workDir = await mkdtemp(join(tmpdir(), 'freshet-replay-'));
const started = performance.now();
try {
  process.exitCode = (await replay(folder)) ? 0 : 1;
} finally {
  if (!values.keep) await rm(workDir, { recursive: true, force: true });
}

async function replay(from: string): Promise<boolean> {
  const [snapshot, events, probes, final] = await Promise.all([
    lines<Page>(from, 'snapshot'),
    lines<HistoryEvent>(from, 'events'),
    lines<Probe>(from, 'probes'),
    lines<Page>(from, 'final'),
  ]);
  await using postgres = values.cluster ? await onEngines() : await embedded();
  const client = new pg.Client({ connectionString: postgres.url });
  client.on('error', () => undefined); // the server goes away at the end
  await client.connect();
  await client.query('CREATE TABLE pages (id text PRIMARY KEY, title text, body text)');
  for (const page of snapshot)
    await client.query('INSERT INTO pages VALUES ($1, $2, $3)', [page._id, page.title, page.text]);
  const product = await startProduct(postgres.url, postgres.config);
  try {
    const verdicts = await drive(client, product.address, events, probes);
    const ids = new Set([...snapshot, ...events, ...final].map((one) => one._id));
    const differences = await compareFinal(product.address, await position(client), final, ids);
    return report(basename(from), events.length, verdicts, differences);
  } finally {
    await client.end();
    await Promise.all(product.children.map((child) => ended(child)));
  }
}

async function lines<T>(from: string, name: string): Promise<T[]> {
  const text = await readFile(join(from, `${name}.jsonl`), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line, withoutNul) as T);
}

/** A text column of PostgreSQL cannot hold NUL. */
function withoutNul(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\0', '') : value;
}

async function embedded(): Promise<{ url: string; config: Partial<ConfigFile> } & AsyncDisposable> {
  const postgres = await startEmbeddedPostgres({ dataDir: join(workDir, 'postgres'), port: 0 });
  return { url: postgres.url, config: {}, [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose]() };
}

async function startProduct(
  connection: string,
  engines: Partial<ConfigFile>,
): Promise<{ address: string; children: readonly ChildProcess[] }> {
  const config = join(workDir, 'freshet.yaml');
  await writeFile(
    config,
    JSON.stringify({
      dataDir: join(workDir, 'state'),
      logLevel: 'warn',
      server: { port: 0 },
      embedder: { kind: values.embedder },
      pipeline: { pii: { mode: values.pii } },
      ...engines,
      sources: [
        {
          name: SOURCE,
          kind: values.cluster ? 'debezium' : 'postgres',
          connection,
          tables: [{ table: 'public.pages', title: 'title', body: 'body', bodyFormat: 'markdown' }],
        },
      ],
    }),
  );
  const others = values.cluster ? ['connectors', 'prepare', 'index'].map((roles) => start(config, roles)) : [];
  const query = start(config, values.cluster ? 'query' : 'connectors,prepare,index,query');
  await Promise.all(others.map((other) => other.address));
  const address = await query.address;
  while (
    !(await fetch(`${address}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ))
  )
    await systemClock.sleep(100);
  return { address, children: [...others, query].map(({ child }) => child) };
}

function start(config: string, roles: string): { readonly child: ChildProcess; readonly address: Promise<string> } {
  const bin = new URL('bin/freshet.js', packageRoot()).pathname;
  const child = spawn(process.execPath, [bin, 'start', '--config', config, '--roles', roles], {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, ...(values.cluster && { FRESHET_DATA_DIR: join(workDir, `state-${roles}`) }) },
  });
  const address = new Promise<string>((resolve, reject) => {
    let printed = '';
    child.stderr.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk);
      printed += chunk.toString();
      const match = /http:\/\/[\d.:]+/.exec(printed);
      if (match) resolve(match[0]);
    });
    child.on('exit', (code) => reject(new Error(`freshet start ended with ${code}`)));
  });
  return { child, address };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

/** Applies the history; at every point where probes are due, waits for the position of the last commit and asks them. */
async function drive(
  client: pg.Client,
  address: string,
  events: readonly HistoryEvent[],
  probes: readonly Probe[],
): Promise<ProbeVerdict[]> {
  const due = groupBySeq(probes);
  const verdicts: ProbeVerdict[] = [];
  for (const event of events) {
    await apply(client, event);
    const asked = due.get(event.seq);
    if (!asked) continue;
    const after = await position(client);
    for (const probe of asked) verdicts.push(await ask(address, probe, after));
    if (process.stdout.isTTY)
      process.stdout.write(`\r${event.seq}/${events.length} changes, ${verdicts.length} probes`);
  }
  if (process.stdout.isTTY) process.stdout.write('\n');
  return verdicts;
}

function groupBySeq(probes: readonly Probe[]): Map<number, Probe[]> {
  const groups = new Map<number, Probe[]>();
  for (const probe of probes) groups.set(probe.eval_after_seq, [...(groups.get(probe.eval_after_seq) ?? []), probe]);
  return groups;
}

async function apply(client: pg.Client, event: HistoryEvent): Promise<void> {
  const { _id, title, text } = event;
  switch (event.op) {
    case 'create':
    case 'update':
      await client.query('INSERT INTO pages VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET title = $2, body = $3', [
        _id,
        title,
        text,
      ]);
      return;
    case 'rename':
      await client.query('UPDATE pages SET id = $1, title = $2, body = $3 WHERE id = $4', [
        _id,
        title,
        text,
        event.prev_id,
      ]);
      return;
    case 'delete':
      await client.query('DELETE FROM pages WHERE id = $1', [_id]);
      return;
  }
}

async function position(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  return rows[0]?.lsn ?? '0/0';
}

async function ask(address: string, probe: Probe, after: string): Promise<ProbeVerdict> {
  const body = { query: probe.query, k: 10, mode: values.mode, after: { [SOURCE]: after }, waitMs: WAIT_MS };
  const asked = performance.now();
  const reply = await fetch(`${address}/v1/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!reply.ok) throw new Error(`search answered ${reply.status}: ${await reply.text()}`);
  const { results } = (await reply.json()) as { results: { documentId: string; text: string }[] };
  return judgeProbe(
    probe,
    results,
    documentId({ source: SOURCE, table: 'public.pages', key: [probe.doc] }),
    performance.now() - asked,
  );
}

/** Ids whose text in the index is not the final one, or which are there and should not be. */
async function compareFinal(
  address: string,
  after: string,
  final: readonly Page[],
  ids: ReadonlySet<string>,
): Promise<string[]> {
  await fetch(`${address}/v1/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'end', k: 1, after: { [SOURCE]: after }, waitMs: WAIT_MS }),
  });
  const expected = new Map(final.map((page) => [page._id, page]));
  const differences: string[] = [];
  for (const id of ids) {
    const reply = await fetch(
      `${address}/v1/documents/${encodeURIComponent(documentId({ source: SOURCE, table: 'public.pages', key: [id] }))}`,
    );
    const page = expected.get(id);
    if (!page) {
      if (reply.status !== 404) differences.push(`${id}: is served and should be gone`);
      continue;
    }
    const document = reply.ok ? ((await reply.json()) as { title: string; text: string }) : undefined;
    if (!document) differences.push(`${id}: is missing (${reply.status})`);
    else if (document.text !== page.text || document.title !== page.title) differences.push(`${id}: has other text`);
  }
  return differences;
}

function report(
  name: string,
  changes: number,
  verdicts: readonly ProbeVerdict[],
  differences: readonly string[],
): boolean {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const stale = verdicts.filter((verdict) => verdict.stale).length;
  const forbidden = verdicts.filter((verdict) => verdict.forbidden).length;
  const wanted = verdicts.filter((verdict) => verdict.found !== undefined);
  const found = wanted.filter((verdict) => verdict.found).length;
  const took = verdicts.map((verdict) => verdict.tookMs).sort((a, b) => a - b);
  const at = (share: number): string =>
    (took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0).toFixed(0);
  print(
    `${name}: ${changes} changes, ${verdicts.length} probes, ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
  print(`  stale text returned      ${stale}`);
  print(`  deleted text returned    ${forbidden}`);
  print(
    `  fresh and created found  ${found} of ${wanted.length} (${((100 * found) / Math.max(1, wanted.length)).toFixed(2)} %)`,
  );
  for (const type of ['insert', 'update', 'create']) {
    const some = wanted.filter((verdict) => verdict.type === type);
    print(`    ${type.padEnd(8)}               ${some.filter((verdict) => verdict.found).length} of ${some.length}`);
  }
  print(`  commit to reply          p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`);
  print(
    `  final index              ${differences.length === 0 ? 'equals final.jsonl' : `${differences.length} differences`}`,
  );
  for (const difference of differences.slice(0, Number(values.misses))) print(`    ${difference}`);
  for (const miss of wanted.filter((verdict) => !verdict.found).slice(0, Number(values.misses)))
    print(`    not found: ${miss.probe} (${miss.type}) ${miss.why}`);
  return stale === 0 && forbidden === 0 && found >= FOUND_AT_LEAST * wanted.length && differences.length === 0;
}
