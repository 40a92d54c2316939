import type { Cache } from '../../ports/cache/cache.ts';
import type { DocumentStore } from '../../ports/document-store/document-store.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import type { LogRecord, Offset } from '../../ports/log/log.ts';
import { openSqliteLog } from '../../ports/log/sqlite-log.ts';
import { deadLettersIn } from '../../pipeline/dead-letters.ts';
import { documentsRecord } from '../../pipeline/records.ts';
import { indexRoutes } from '../../pipeline/topology.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { FilledPipeline } from '../../runtime/config/config.ts';
import { EmbedderUnavailable } from '../../runtime/errors.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Document } from '../../schemas/document.ts';
import { documentId, parseDocumentId, type DocumentId } from '../../schemas/ids.ts';
import type { Principal } from '../../schemas/principal.ts';
import { sourceVersion } from '../../schemas/version.ts';
import type { RetrievalSet } from './read-set.ts';

export interface FillOptions {
  readonly store: DocumentStore;
  readonly embedder: Embedder;
  readonly cache: Cache;
  readonly config: FilledPipeline;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Told how many documents are in the store. */
  readonly onProgress?: (documents: number) => void;
}

/** Who asks, and whose the documents are. */
export const PRINCIPAL: Principal = { tenant: 'default', groups: [] };
const SOURCE = 'eval';
/** Documents of one batch: enough to keep two threads of the model busy, few enough to see the progress. */
const BATCH_DOCUMENTS = 200;
/** The model may take as long as it needs, ms. */
const PATIENCE_MS = 3_600_000;

/** Puts the documents of a set into the index. @throws what `fillDocuments` throws. */
export function fillStore(set: RetrievalSet, options: FillOptions, signal: AbortSignal): Promise<void> {
  const documents = set.documents.map(({ id: key, title, text }) =>
    documentOf(
      documentId({ source: SOURCE, table: set.name, key: [key] }),
      { title, parts: [{ name: 'text', text }], bodyFormat: 'text' },
      options.clock,
    ),
  );
  return fillDocuments(documents, options, signal);
}

/**
 * Puts documents into the index through the flow that the product runs between `freshet.documents` and the index: the same
 * chunker, the same embedded text, the same write.
 * @throws what the flow rejects: a document that is left out would count as not found.
 */
export async function fillDocuments(
  documents: readonly Document[],
  options: FillOptions,
  signal: AbortSignal,
): Promise<void> {
  const { store, clock, metrics, config, onProgress } = options;
  await using log = openSqliteLog({ path: ':memory:', clock });
  const [route] = indexRoutes({
    ...options,
    log,
    deadLetters: deadLettersIn({ log, clock, metrics, logger: silentLogger }),
    config: { ...config, embed: { ...config.embed, inlineBudgetMs: PATIENCE_MS } },
    logger: silentLogger,
    indexWorkers: 1,
  });
  for (let from = 0; from < documents.length; from += BATCH_DOCUMENTS) {
    const records = documents.slice(from, from + BATCH_DOCUMENTS).map((each) => recordOf(each, clock));
    const run = { signal, clock, observe: () => undefined, later: () => undefined };
    for (const ending of (await route?.flow.process(records, run)) ?? [])
      if (ending.kind === 'rejected') throw ending.error;
    onProgress?.(from + records.length);
  }
  const { passages, passagesWithVector } = await store.progress(signal);
  if (passagesWithVector < passages)
    throw new EmbedderUnavailable(`${passages - passagesWithVector} passages got no vector.`);
}

/** The document of a set that a document of the index is. */
export function setIdOf(id: DocumentId): string {
  return parseDocumentId(id)?.key[0] ?? id;
}

/** A document as decoding leaves it: of the tenant that asks, for everybody, in its first version. */
export function documentOf(
  id: DocumentId,
  content: Pick<Document, 'title' | 'parts' | 'bodyFormat'>,
  clock: Clock,
): Document {
  const { source = '', table = '', key = [] } = parseDocumentId(id) ?? {};
  return {
    kind: 'document',
    id,
    version: sourceVersion(0, 1n),
    source: { name: source, table, key: key.join(',') },
    position: '0/1',
    committedAt: clock.now(),
    tenant: PRINCIPAL.tenant,
    acl: null,
    metadata: {},
    ...content,
  };
}

function recordOf(document: Document, clock: Clock): LogRecord {
  const { topic, value, headers } = documentsRecord(document, 0);
  return {
    topic,
    partition: 0,
    offset: 0n as Offset,
    key: document.id,
    value,
    headers: headers ?? {},
    timestamp: clock.now(),
  };
}
