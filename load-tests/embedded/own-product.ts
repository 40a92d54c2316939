import { join } from 'node:path';
import { startFreshet, type RunningFreshet } from '../../cli/compose.ts';
import { removeBelowRecords, watermarkRecords, type Lanes } from '../../connectors/postgres/markers.ts';
import { createPiiPolicy, type PiiPolicy } from '../../pipeline/pii/policy.ts';
import { chunk, CHUNKER_VERSION, type ChunkStageOptions } from '../../pipeline/stages/chunk.ts';
import { filterPii } from '../../pipeline/stages/filter-pii.ts';
import type { DocumentStore } from '../../ports/document-store/document-store.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import type { AppendRecord, Log } from '../../ports/log/log.ts';
import { openDocumentStore, openLog } from '../../ports/registry.ts';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import type { ConfigFile, ResolvedConfig } from '../../runtime/config/config.ts';
import { parseConfig } from '../../runtime/config/load-config.ts';
import { createLogger } from '../../runtime/logger.ts';
import { Opened } from '../../runtime/opened.ts';
import type { Document } from '../../schemas/document.ts';
import { envelopeVersion, type Envelope } from '../../schemas/envelope.ts';
import { documentId, type DocumentId } from '../../schemas/ids.ts';
import { formatLsn, parseLsn, type Lsn } from '../../schemas/lsn.ts';
import { tableTopic, VERSION_HEADER } from '../../schemas/topics.ts';
import { sourceVersion, type SourceVersion } from '../../schemas/version.ts';
import type { PeerChange, PeerDocument } from './peer-corpus.ts';

const SOURCE = 'peers';
const TABLE = { schema: 'public', table: 'documents' };
const NAME = `${TABLE.schema}.${TABLE.table}`;
const TOPIC = tableTopic(SOURCE, TABLE.schema, TABLE.table);
/** Rows of one append, as the snapshot of a connector has them. */
const PAGE_ROWS = 1_000;
const LIST_PAGE = 1_000;
/** How often it is looked whether all has arrived, ms. */
const LOOK_EVERY_MS = 4;
const FIRST_LSN = 16_777_216n;
const LSN_STEP = 64n;

/** Passages that the index should not have, and those that it lacks. */
export interface Differences {
  readonly stale: number;
  readonly missing: number;
  readonly passages: number;
}

/**
 * The product with its own log and index in one process, fed as its connector for PostgreSQL feeds it: rows of a snapshot or changes of the
 * stream go durably into the log of the source, and every stage up to the index takes them from there. Nothing of it is left out or set lower;
 * only the database and its wire are missing.
 */
export class OwnProduct implements AsyncDisposable {
  readonly #config: ResolvedConfig;
  readonly #running: RunningFreshet;
  readonly #log: Log;
  readonly #store: DocumentStore;
  readonly #owned: AsyncDisposable;
  readonly #chunking: ChunkStageOptions;
  readonly #pii: PiiPolicy;
  #lsn = FIRST_LSN;
  /** Rises with every snapshot. */
  #epoch = -1;

  constructor(
    config: ResolvedConfig,
    embedder: Embedder,
    opened: {
      readonly running: RunningFreshet;
      readonly log: Log;
      readonly store: DocumentStore;
      readonly owned: AsyncDisposable;
    },
  ) {
    this.#config = config;
    this.#running = opened.running;
    this.#log = opened.log;
    this.#store = opened.store;
    this.#owned = opened.owned;
    const { tokenizer, model } = embedder;
    this.#chunking = { ...config.pipeline.chunk, tokenizer, fingerprint: model.fingerprint };
    this.#pii = createPiiPolicy(config.pipeline.pii);
  }

  get address(): string {
    return this.#running.address;
  }

  get store(): DocumentStore {
    return this.#store;
  }

  /** Reads the whole table: what it does not hold any more is gone afterwards. Resolves when the index is there, vectors included. */
  async snapshot(rows: readonly PeerDocument[]): Promise<void> {
    this.#epoch++;
    const position = this.#nextPosition();
    for (let from = 0; from < rows.length; from += PAGE_ROWS)
      await this.#log.append(rows.slice(from, from + PAGE_ROWS).map((row) => this.#record('r', row.id, row, position)));
    const at = { lsn: position, committedAt: systemClock.now() };
    const version = sourceVersion(this.#epoch, 0n);
    await this.#log.append(removeBelowRecords(this.#lanes, TABLE, { version, reason: 'snapshot', position: at }));
    await this.#reach(position);
  }

  /** Changes of the stream, each with a position of its own. Resolves when the index is there, vectors included. */
  async change(changes: readonly PeerChange[]): Promise<void> {
    const records = changes.map((change) =>
      change.op === 'd'
        ? this.#record('d', change.id, undefined, this.#nextPosition())
        : this.#record('u', change.id, change, this.#nextPosition()),
    );
    for (let from = 0; from < records.length; from += PAGE_ROWS)
      await this.#log.append(records.slice(from, from + PAGE_ROWS));
    await this.#reach(this.#nextPosition());
  }

  /** Passages that the product makes of a document, without its index. */
  passagesOf(row: PeerDocument): readonly string[] {
    const { document } = filterPii(documentOf(row), this.#pii);
    return chunk(document, this.#chunking).passages.map(({ text }) => text);
  }

  /** What is in the index, passage by passage, beside a fresh chunking of what should be there. */
  async compare(rows: readonly PeerDocument[]): Promise<Differences> {
    const wanted = new Set(rows.flatMap((row) => this.passagesOf(row).map((text) => `${idOf(row.id)}\0${text}`)));
    const passages = wanted.size;
    let stale = 0;
    for await (const passage of this.#stored()) if (!wanted.delete(passage)) stale++;
    return { stale, missing: wanted.size, passages };
  }

  async *#stored(): AsyncGenerator<string> {
    for (let after: DocumentId | undefined; ;) {
      const page = await this.#store.list({ limit: LIST_PAGE, source: SOURCE, ...(after && { after }) });
      for (const document of await this.#store.read(page.map(({ id }) => id)))
        for (const passage of document?.passages ?? []) yield `${document?.id}\0${passage.text}`;
      after = page.at(-1)?.id;
      if (!after) return;
    }
  }

  get #lanes(): Lanes {
    return { source: SOURCE, tables: [TABLE], partitions: this.#config.log.partitions };
  }

  #nextPosition(): Lsn {
    return (this.#lsn += LSN_STEP) as Lsn;
  }

  #record(op: Envelope['op'], key: string, row: PeerDocument | undefined, position: Lsn): AppendRecord {
    const lsn = formatLsn(position);
    const now = systemClock.now();
    const envelope: Envelope = {
      op,
      before: op === 'd' ? { id: key } : null,
      after: row ? { id: row.id, title: row.title, body: row.text } : null,
      source: {
        connector: 'postgresql',
        name: SOURCE,
        ...TABLE,
        lsn,
        commitLsn: lsn,
        ts_ms: now,
        snapshot: op === 'r' ? 'true' : 'false',
        epoch: this.#epoch,
      },
      ts_ms: now,
    };
    return {
      topic: TOPIC,
      key: idOf(key),
      value: Buffer.from(JSON.stringify(envelope)),
      headers: { [VERSION_HEADER]: String(envelopeVersion(envelope)) },
    };
  }

  async #reach(position: Lsn): Promise<void> {
    await this.#log.append(
      watermarkRecords(this.#lanes, { lsn: position, committedAt: systemClock.now() }, this.#epoch),
    );
    for (;;) {
      const { sources } = await this.#store.progress();
      const { complete } = sources[SOURCE] ?? {};
      if (complete && (parseLsn(complete.position) ?? 0n) >= position && complete.epoch >= this.#epoch) return;
      await systemClock.sleep(LOOK_EVERY_MS);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#owned[Symbol.asyncDispose]());
  }
}

/** @param file laid over the defaults, key by key at the top level. */
export async function openOwnProduct(
  folder: string,
  embedder: Embedder,
  file: Partial<ConfigFile> = {},
): Promise<OwnProduct> {
  const tables = [{ table: NAME, title: 'title', body: 'body', bodyFormat: 'markdown' }];
  // Nobody takes the role connectors: the source is there for its topic and its mapping, and is never called.
  const sources = [{ name: SOURCE, kind: 'postgres', connection: 'postgres://nobody@127.0.0.1:1/none', tables }];
  const text = JSON.stringify({ logLevel: 'warn', server: { port: 0 }, embedder: { kind: 'hash' }, sources, ...file });
  const config = parseConfig(text, { FRESHET_DATA_DIR: join(folder, 'state') }, join(folder, 'freshet.yaml'));
  const logger = createLogger('warn');
  const abort = new AbortController();
  await using opened = new Opened();
  const running = opened.use(
    await startFreshet({ config, roles: ['prepare', 'index', 'query'], logger, signal: abort.signal, embedder }),
  );
  opened.defer(async () => abort.abort());
  const parts = { clock: systemClock, random: systemRandom, logger };
  const log = opened.use(await openLog(config, parts));
  const store = opened.use(await openDocumentStore(config, embedder.model, CHUNKER_VERSION, parts));
  return new OwnProduct(config, embedder, { running, log, store, owned: opened.move() });
}

function idOf(key: string): DocumentId {
  return documentId({ source: SOURCE, table: NAME, key: [key] });
}

function documentOf({ id, title, text }: PeerDocument): Document {
  return {
    kind: 'document',
    id: idOf(id),
    source: { name: SOURCE, table: NAME, key: id },
    version: 1n as SourceVersion,
    position: '0/1',
    committedAt: 0,
    title,
    parts: [{ name: 'body', text }],
    bodyFormat: 'markdown',
    tenant: 'default',
    acl: null,
    metadata: {},
  };
}
