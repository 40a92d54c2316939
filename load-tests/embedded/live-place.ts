import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../cli/demo/embedded-postgres.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { ConfigFile } from '../../runtime/config/config.ts';
import type { SearchRequest, SearchResponse } from '../../schemas/query.ts';
import { ask } from '../ask.ts';
import { idOf, SOURCE, TABLE } from '../corpus.ts';
import { until } from '../measure.ts';
import { startProcess, type RoleProcess } from '../processes.ts';
import type { LoopDelay } from './event-loop.ts';

const ALL_ROLES = 'connectors,prepare,index,query';
const WAIT_MS = 1_800_000;
const INSERT_ROWS = 500;

/** A row of the table that the product follows. */
export interface TableRow {
  readonly n: number;
  readonly title: string;
  readonly body: string;
}

/**
 * PostgreSQL and `freshet start` in the embedded profile, each a process of its own, with everything durable. Disposing removes all.
 */
export class LivePlace implements AsyncDisposable {
  readonly database: pg.Client;
  readonly #postgres: EmbeddedPostgres;
  readonly #folder: string;
  readonly #products: RoleProcess[] = [];

  constructor(postgres: EmbeddedPostgres, database: pg.Client, folder: string, config: Partial<ConfigFile>) {
    this.database = database;
    this.#postgres = postgres;
    this.#folder = folder;
    const tables = [{ table: TABLE, title: 'title', body: 'body' }];
    const file: Partial<ConfigFile> = {
      logLevel: 'warn',
      server: { port: 0 },
      embedder: { kind: 'hash' },
      sources: [{ name: SOURCE, kind: 'postgres', connection: postgres.url, tables }],
      ...config,
    };
    writeFileSync(this.#configFile, JSON.stringify(file));
  }

  get #configFile(): string {
    return join(this.#folder, 'freshet.yaml');
  }

  get #loopFile(): string {
    return join(this.#folder, 'loop.json');
  }

  get dataDir(): string {
    return join(this.#folder, 'state');
  }

  /** The process that was started last. */
  get product(): RoleProcess {
    const newest = this.#products.at(-1);
    if (!newest) throw new Error('nothing was started here');
    return newest;
  }

  /** Starts the product on what there is, as a supervisor does after its end. */
  start(): RoleProcess {
    process.env['BENCH_LOOP_FILE'] = this.#loopFile;
    const watch = fileURLToPath(new URL('watch-loop-main.js', import.meta.url));
    const started = startProcess(this.#configFile, ALL_ROLES, { dataDir: this.dataDir, node: ['--import', watch] });
    this.#products.push(started);
    return started;
  }

  /** Rows in one transaction, some hundred at a time. */
  async insert(rows: readonly TableRow[]): Promise<void> {
    for (let from = 0; from < rows.length; from += INSERT_ROWS) {
      const page = rows.slice(from, from + INSERT_ROWS);
      const values = page.map((_, i) => `($${3 * i + 1}, $${3 * i + 2}, $${3 * i + 3})`).join(',');
      await this.database.query(
        `INSERT INTO articles VALUES ${values}`,
        page.flatMap(({ n, title, body }) => [n, title, body]),
      );
    }
  }

  async search(request: SearchRequest): Promise<SearchResponse> {
    return ask<SearchResponse>(`${await this.product.address}/v1/search`, request);
  }

  /** Whether a search shows row `n`, and with this text where one is given. */
  async shows(n: number, request: SearchRequest, text?: string): Promise<boolean> {
    const { results } = await this.search(request);
    return results.some(
      (result) => result.documentId === idOf(n) && (text === undefined || result.text.includes(text)),
    );
  }

  /** The position that covers everything that is committed now. */
  async position(): Promise<string> {
    const { rows } = await this.database.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    return rows[0]?.lsn ?? '';
  }

  /** Resolves when the index has everything that is committed now. */
  async caughtUp(waitFor: 'searchable' | 'complete' = 'complete'): Promise<void> {
    const after = { [SOURCE]: await this.position() };
    const hasIt = async (): Promise<boolean> => {
      try {
        await this.search({ query: 'anything', k: 1, mode: 'lexical', after, waitFor, waitMs: 10_000 });
        return true;
      } catch (error) {
        const { failure } = this.product;
        if (failure !== undefined) throw new Error(`the product ended: ${failure}`, { cause: error });
        return false;
      }
    };
    await until('the index has everything', WAIT_MS, hasIt);
  }

  /** Value of a metric of the product, by its name and labels as the page has them; 0 when it is not there. */
  async metric(name: string): Promise<number> {
    const line = (await this.product.metrics()).split('\n').find((one) => one.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1) ?? 0);
  }

  /** How long the event loop of the product was blocked since the last call. */
  async loopDelay(): Promise<LoopDelay> {
    await rm(this.#loopFile, { force: true });
    process.kill(this.product.pid, 'SIGUSR2');
    await until('the delay of the event loop', 10_000, () => Promise.resolve(existsSync(this.#loopFile)), 10);
    await systemClock.sleep(10); // it is written in one go, but not at once
    return JSON.parse(readFileSync(this.#loopFile, 'utf8')) as LoopDelay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#products.map((product) => product.kill()));
    await this.database.end();
    await this.#postgres.stop();
    await rm(this.#postgres.dataDir, { recursive: true, force: true });
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** @param config laid over the defaults, key by key at the top level. */
export async function openLivePlace(config: Partial<ConfigFile> = {}): Promise<LivePlace> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
  await chmod(folder, 0o755); // the server runs as another user where this one is root
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') });
  const database = new pg.Client({ connectionString: postgres.url });
  database.on('error', () => undefined); // it goes at the end
  await database.connect();
  await database.query('CREATE TABLE articles (id int PRIMARY KEY, title text, body text)');
  return new LivePlace(postgres, database, folder, config);
}
