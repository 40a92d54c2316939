import { join, resolve } from 'node:path';
import type { ResolvedConfig } from '../../runtime/config/config.ts';
import { parseConfig } from '../../runtime/config/load-config.ts';
import { InvalidUsage, ServerRefused } from '../../runtime/errors.ts';
import { drain } from '../../runtime/lifecycle.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import { answerLines } from '../ask.ts';
import { createClient } from '../client.ts';
import { startFreshet, type ProcessParts } from '../compose.ts';
import { integerFlag } from '../parse-flags.ts';
import { listenError, makeDataDir } from '../probes.ts';
import { aborted, allRoles } from '../start.ts';
import type { ExitCode, VerbContext } from '../verb.ts';
import { installedPackages } from './demo-documents.ts';
import { loadPages, PAGES } from './docs-table.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { packageNames, packagePages, type Page } from './package-pages.ts';
import { showProgress } from './progress.ts';
import { SHOP, shopRoutes } from './shop-routes.ts';
import { ShopTable } from './shop-table.ts';

const HOST = '127.0.0.1';
const DEFAULT_PORT = 8080;
/** How many ports after the wanted one are tried. */
const PORTS_TRIED = 20;
/** How long the first question waits for the whole documentation to be searchable, ms; then it is asked of what there is. */
const FIRST_ANSWER_WAIT_MS = 60_000;
/** How often a demo below npm looks whether npm is still there, ms. */
const LOOK_FOR_PARENT_MS = 500;

/** Questions that the documentation of our own runtime dependencies answers. */
const questions = [
  'Which Node.js versions does Fastify v5 support?',
  'How do I verify a JWT with jose?',
  'How do I close a Fastify server gracefully?',
] as const;

/**
 * Starts everything on a PostgreSQL of its own that holds the documentation of the installed npm packages, and answers a first
 * question. Stays up until it is stopped, or ends after the answer with `--once`.
 */
export async function demo(outer: VerbContext): Promise<ExitCode> {
  const context: VerbContext = { ...outer, signal: stopWithNpm(outer) };
  const { output, signal, env, clock, flags } = context;
  const dataDir = resolve(env['FRESHET_DATA_DIR'] ?? join('.freshet', 'demo'));
  await makeDataDir(dataDir);
  const port = await freePort(integerFlag(flags, 'port', 0, 65_535) ?? DEFAULT_PORT);
  output.say('Starting PostgreSQL ...');
  await using postgres = await startEmbeddedPostgres({
    dataDir: join(dataDir, 'postgres'),
    settings: { wal_level: 'logical' },
  });
  const position = await fillTable(postgres.url, context);
  await using shop = await ShopTable.open(postgres.url);
  const config = demoConfig(postgres.url, dataDir, port);
  const logger = createLogger(config.logLevel);
  const routes = (parts: ProcessParts) => shopRoutes(shop, parts);
  const running = await startFreshet({ config, roles: allRoles, logger, signal, routes });
  try {
    output.say(`Freshet is ready at ${running.address}`);
    const answer = await firstAnswer(running.address, position, context);
    if (flags['once'] === true) {
      output.result(answer, (reply) => [`Q: ${questions[0]}`, ...answerLines(reply)]);
      return answer.refused ? 1 : 0;
    }
    for (const line of invitation(answer, running.address)) output.say(line);
    await aborted(signal);
    output.say('Stopping ...');
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    throw error;
  } finally {
    await drain(running, config.shutdownTimeoutMs, clock, logger);
  }
}

/** The config of the demo: a table to read and one to change, each a source of its own. It is checked like any other. */
export function demoConfig(connection: string, dataDir: string, port: number): ResolvedConfig {
  const pages = {
    table: PAGES.table,
    title: 'title',
    body: 'body',
    bodyFormat: 'markdown',
    metadata: ['package', 'path', 'version'],
  };
  const config = {
    dataDir,
    logLevel: 'warn',
    server: { host: HOST, port },
    sources: [
      { name: PAGES.source, kind: 'postgres', connection, tables: [pages] },
      {
        name: SHOP.source,
        kind: 'postgres',
        connection,
        tables: [{ table: SHOP.table, title: 'title', body: 'body' }],
      },
    ],
    // Documentation of public packages: what looks like an address in it is an example.
    pipeline: { pii: { mode: 'off' } },
  };
  // JSON is YAML. No environment: a reference in a path must stay what it is.
  return parseConfig(JSON.stringify(config).replaceAll('${', '$${'), {}, 'the built-in config of the demo');
}

/** Brings the table up to date; gives the position at which it is. */
async function fillTable(url: string, context: VerbContext): Promise<string> {
  const nodeModules = installedPackages();
  const names = await packageNames(nodeModules);
  const progress = showProgress(context.output, 'Reading the documentation of installed packages', names.length);
  let last = '';
  const onPage = (page: Page) => {
    if (page.package === last) return;
    last = page.package;
    progress.advance(page.package);
  };
  const { pages, changed, deleted, position } = await loadPages(url, packagePages(nodeModules), onPage, context.signal);
  progress.end(
    `Table docs.pages holds ${pages} pages of ${names.length} packages (${changed} new or changed, ${deleted} deleted since the last start).`,
  );
  return position;
}

async function freePort(wanted: number): Promise<number> {
  for (let port = wanted; port < wanted + PORTS_TRIED; port++)
    if ((await listenError(HOST, port)) === undefined) return port;
  throw new InvalidUsage(`no port from ${wanted} to ${wanted + PORTS_TRIED - 1} is free; name another one with --port`);
}

/**
 * Asks the first question as of the position at which the table was full: read-your-own-write, as every caller can have it. The words are
 * there within seconds, the vectors follow.
 */
async function firstAnswer(address: string, position: string, { fetch, signal }: VerbContext): Promise<AnswerResponse> {
  const client = createClient(address, {}, fetch, signal);
  const question = { question: questions[0] };
  try {
    const after = { after: { [PAGES.source]: position }, waitMs: FIRST_ANSWER_WAIT_MS };
    return (await client.call('POST', '/v1/answer', { ...question, ...after })) as AnswerResponse;
  } catch (error) {
    if (!(error instanceof ServerRefused) || error.remoteCode !== 'FRESHET_NOT_FRESH_YET') throw error;
    return (await client.call('POST', '/v1/answer', question)) as AnswerResponse;
  }
}

/**
 * A signal that also aborts when npm, below which the demo was started, is gone: npm signals its shell, and not every shell passes that on,
 * so the demo and its database would stay behind.
 */
function stopWithNpm({ env, clock, signal }: VerbContext): AbortSignal {
  if (env['npm_lifecycle_event'] !== 'start') return signal;
  const gone = new AbortController();
  const parent = process.ppid;
  const watch = async () => {
    while (process.ppid === parent) await clock.sleep(LOOK_FOR_PARENT_MS, signal);
    gone.abort(new Error('npm is gone'));
  };
  watch().catch(() => undefined); // the stop was asked for by a signal
  return AbortSignal.any([signal, gone.signal]);
}

function invitation(answer: AnswerResponse, address: string): readonly string[] {
  return [
    '',
    `Q: ${questions[0]}`,
    ...answerLines(answer),
    '',
    'Ask more, in another terminal:',
    ...questions.slice(1).map((question) => `  npx freshet ask --url ${address} "${question}"`),
    '',
    `Or open ${address} in a browser: ask there, change a row, and watch the answer follow.`,
    '',
    'Ctrl-C stops it; what is indexed stays.',
  ];
}
