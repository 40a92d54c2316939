import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ResolvedConfig } from '../../runtime/config/config.ts';
import { parseConfig } from '../../runtime/config/load-config.ts';
import { InvalidUsage } from '../../runtime/errors.ts';
import { drain } from '../../runtime/lifecycle.ts';
import { createLogger } from '../../runtime/logger.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import { answerLines } from '../ask.ts';
import { createClient } from '../client.ts';
import { startFreshet, type RunningFreshet } from '../compose.ts';
import { packageRoot } from '../package-root.ts';
import { integerFlag } from '../parse-flags.ts';
import { listenError, makeDataDir } from '../probes.ts';
import { aborted, allRoles } from '../start.ts';
import type { ExitCode, VerbContext } from '../verb.ts';
import { loadPages } from './docs-table.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { packageNames, packagePages, type Page } from './package-pages.ts';
import { showProgress } from './progress.ts';

const HOST = '127.0.0.1';
const DEFAULT_PORT = 8080;
/** How many ports after the wanted one are tried. */
const PORTS_TRIED = 20;
/** How often the first question is asked again while the index fills, ms. */
const ASK_AGAIN_MS = 500;

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
export async function demo(context: VerbContext): Promise<ExitCode> {
  const { output, signal, env, clock, flags } = context;
  const dataDir = resolve(env['FRESHET_DATA_DIR'] ?? join('.freshet', 'demo'));
  await makeDataDir(dataDir);
  const port = await freePort(integerFlag(flags, 'port', 0, 65_535) ?? DEFAULT_PORT);
  output.say('Starting PostgreSQL ...');
  await using postgres = await startEmbeddedPostgres({
    dataDir: join(dataDir, 'postgres'),
    settings: { wal_level: 'logical' },
  });
  await fillTable(postgres.url, context);
  const config = demoConfig(postgres.url, dataDir, port);
  const logger = createLogger(config.logLevel);
  const running = await startFreshet({ config, roles: allRoles, logger, signal });
  try {
    output.say(`Freshet is ready at ${running.address}`);
    const answer = await firstAnswer(running, context);
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

/** The config of the demo: one table of one database. It is checked like any other. */
export function demoConfig(connection: string, dataDir: string, port: number): ResolvedConfig {
  const table = {
    table: 'docs.pages',
    title: 'title',
    body: 'body',
    bodyFormat: 'markdown',
    metadata: ['package', 'path', 'version'],
  };
  const config = {
    dataDir,
    logLevel: 'warn',
    server: { host: HOST, port },
    sources: [{ name: 'docs', kind: 'postgres', connection, tables: [table] }],
    // Documentation of public packages: what looks like an address in it is an example.
    pipeline: { pii: { mode: 'off' } },
  };
  // JSON is YAML. No environment: a reference in a path must stay what it is.
  return parseConfig(JSON.stringify(config).replaceAll('${', '$${'), {}, 'the built-in config of the demo');
}

async function fillTable(url: string, context: VerbContext): Promise<void> {
  const nodeModules = installedPackages();
  const names = await packageNames(nodeModules);
  const progress = showProgress(context.output, 'Reading the documentation of installed packages', names.length);
  let last = '';
  const onPage = (page: Page) => {
    if (page.package === last) return;
    last = page.package;
    progress.advance(page.package);
  };
  const { pages, changed, deleted } = await loadPages(url, packagePages(nodeModules), onPage, context.signal);
  progress.end(
    `Table docs.pages holds ${pages} pages of ${names.length} packages (${changed} new or changed, ${deleted} deleted since the last start).`,
  );
}

/** Where npm has put the packages: in our own folder, or, as a dependency of another package, around it. */
function installedPackages(): string {
  const own = fileURLToPath(new URL('node_modules/', packageRoot()));
  return existsSync(own) ? own : fileURLToPath(new URL('..', packageRoot()));
}

async function freePort(wanted: number): Promise<number> {
  for (let port = wanted; port < wanted + PORTS_TRIED; port++)
    if ((await listenError(HOST, port)) === undefined) return port;
  throw new InvalidUsage(`no port from ${wanted} to ${wanted + PORTS_TRIED - 1} is free; name another one with --port`);
}

/** Asks the first question until the index holds its answer, or everything is indexed. */
async function firstAnswer(running: RunningFreshet, { clock, fetch, signal }: VerbContext): Promise<AnswerResponse> {
  const client = createClient(running.address, {}, fetch, signal);
  let isCaughtUp = false;
  const caughtUp = running.caughtUp(signal).then(() => void (isCaughtUp = true));
  // It may fail while an answer is awaited; the race below is where that is heard.
  caughtUp.catch(() => undefined);
  for (;;) {
    // Read before asking: an answer that was given after catching up is the last word.
    const isLast = isCaughtUp;
    const answer = (await client.call('POST', '/v1/answer', { question: questions[0] })) as AnswerResponse;
    if (!answer.refused || isLast) return answer;
    await Promise.race([caughtUp, clock.sleep(ASK_AGAIN_MS, signal)]);
  }
}

function invitation(answer: AnswerResponse, address: string): readonly string[] {
  return [
    '',
    `Q: ${questions[0]}`,
    ...answerLines(answer),
    '',
    'Ask more, here or in another terminal:',
    ...questions.slice(1).map((question) => `  npx freshet ask --url ${address} "${question}"`),
    `  or open ${address}`,
    '',
    'Ctrl-C stops it; what is indexed stays.',
  ];
}
