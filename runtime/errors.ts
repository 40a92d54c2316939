/** What the worker does now: send the same thing again, park the record, or stop the process. */
export type Fate = 'retry' | 'dead-letter' | 'fatal';

/**
 * The root of every error that is ours. Callers branch on `fate` or `code`, never on the message; text of documents never
 * enters `message` or `detail`.
 */
export abstract class FreshetError extends Error {
  /** Stable, `FRESHET_...`, documented in docs/ERRORS.md. */
  abstract readonly code: string;
  abstract readonly fate: Fate;
  /** For the status of an HTTP reply, where the error reaches a caller. */
  readonly status: number = 500;
  /** Seconds after which a retry makes sense, where the failing side said so. */
  readonly retryAfterSeconds?: number;

  override get name(): string {
    return this.constructor.name;
  }
}

/** The log refused or could not be reached; nothing was appended, or the append may be repeated. */
export class LogUnavailable extends FreshetError {
  readonly code = 'FRESHET_LOG_UNAVAILABLE';
  readonly fate = 'retry';
  override readonly status = 503;
}

/** Stands for the places of a `RecordsLost` that only shows its code. */
const NOTHING_LOST = { group: '', topic: '', partition: 0, from: 0n, next: 1n } as const;

/**
 * Retention has deleted records that a consumer group had not read. Changes of tables are read again by themselves; webhooks come once, and
 * their worker stops until `log.retentionMs` is raised and the sender has sent again. Accepted by committing `next`.
 */
export class RecordsLost extends FreshetError {
  readonly code = 'FRESHET_RECORDS_LOST';
  readonly fate = 'fatal';
  override readonly status = 503;
  readonly topic: string;
  readonly partition: number;
  /** The first offset that the group had not read. */
  readonly from: bigint;
  /** The first offset that is still there. */
  readonly next: bigint;

  constructor(
    lost: { readonly group: string } & Pick<RecordsLost, 'topic' | 'partition' | 'from' | 'next'> = NOTHING_LOST,
  ) {
    const { group, topic, partition, from, next } = lost;
    super(
      `Retention deleted offsets ${from} to ${next - 1n} of ${topic}/${partition} before the group ${group} had read them; ` +
        'read the source of the topic anew and raise its retention',
    );
    this.topic = topic;
    this.partition = partition;
    this.from = from;
    this.next = next;
  }
}

/** A record is larger than its topic takes; nothing of its append was stored. The message names key and size, never the value. */
export class RecordTooLarge extends FreshetError {
  readonly code = 'FRESHET_RECORD_TOO_LARGE';
  readonly fate = 'dead-letter';
  override readonly status = 413;
}

/** The store of log or index is full, read-only or damaged; an operator must act. */
export class StorageFailed extends FreshetError {
  readonly code = 'FRESHET_STORAGE_FAILED';
  readonly fate = 'fatal';
  override readonly status = 503;
}

/** The document store could not be reached; the write may or may not have been applied and is repeated. */
export class StoreUnavailable extends FreshetError {
  readonly code = 'FRESHET_STORE_UNAVAILABLE';
  readonly fate = 'retry';
  override readonly status = 503;
}

/** The document store refused one document for good. */
export class DocumentRefused extends FreshetError {
  readonly code = 'FRESHET_DOCUMENT_REFUSED';
  readonly fate = 'dead-letter';
}

/** The schedule of jobs could not be reached; no run was started, or it may have been and is joined by the next attempt. */
export class JobsUnavailable extends FreshetError {
  readonly code = 'FRESHET_JOBS_UNAVAILABLE';
  readonly fate = 'retry';
  override readonly status = 503;
}

/** The embedder refused or timed out; the batch is intact and may be sent again. */
export class EmbedderUnavailable extends FreshetError {
  readonly code = 'FRESHET_EMBEDDER_UNAVAILABLE';
  readonly fate = 'retry';
  override readonly status = 503;
  declare readonly retryAfterSeconds?: number;

  constructor(message: string, options: ErrorOptions & { readonly retryAfterSeconds?: number } = {}) {
    super(message, options);
    if (options.retryAfterSeconds !== undefined) this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The embedder answered with something that is not one finite vector of the right size per text; nothing of it is indexed. */
export class EmbeddingInvalid extends FreshetError {
  readonly code = 'FRESHET_EMBEDDING_INVALID';
  readonly fate = 'dead-letter';
}

/** The embedder's model is not the one that the index was built with. */
export class ModelMismatch extends FreshetError {
  readonly code = 'FRESHET_MODEL_MISMATCH';
  readonly fate = 'fatal';
}

/** The schema registry cannot be reached or refuses our credentials; records wait, because their schemas are not known. */
export class SchemaRegistryUnavailable extends FreshetError {
  readonly code = 'FRESHET_SCHEMA_REGISTRY_UNAVAILABLE';
  readonly fate = 'retry';
  override readonly status = 503;
}

/** A record of a source topic is not what its connector writes (not JSON, wrong shape, invalid UTF-8, too deep). */
export class RecordUnreadable extends FreshetError {
  readonly code = 'FRESHET_RECORD_UNREADABLE';
  readonly fate = 'dead-letter';
}

/** A row does not fit the mapping: a mapped column is missing, or a tenant or ACL column holds something unusable. */
export class MappingFailed extends FreshetError {
  readonly code = 'FRESHET_MAPPING_FAILED';
  readonly fate = 'dead-letter';
}

/** A change left an unchanged TOASTed column out, and no earlier version of the document is known to take it from. */
export class ContentUnavailable extends FreshetError {
  readonly code = 'FRESHET_CONTENT_UNAVAILABLE';
  readonly fate = 'dead-letter';
}

/** A document is larger than `pipeline.maxDocumentBytes`. */
export class DocumentTooLarge extends FreshetError {
  readonly code = 'FRESHET_DOCUMENT_TOO_LARGE';
  readonly fate = 'dead-letter';
  override readonly status = 413;
}

/** The PII filter could not finish; the document is not indexed, because an unfiltered one must not be. */
export class PiiFilterFailed extends FreshetError {
  readonly code = 'FRESHET_PII_FILTER_FAILED';
  readonly fate = 'dead-letter';
}

/** The document could not be cut into passages. */
export class ChunkingFailed extends FreshetError {
  readonly code = 'FRESHET_CHUNKING_FAILED';
  readonly fate = 'dead-letter';
}

/** Something failed that no adapter classified; the record is parked so that its neighbours go on. */
export class Unclassified extends FreshetError {
  readonly code = 'FRESHET_UNCLASSIFIED';
  readonly fate = 'dead-letter';
}

/** A source cannot be reached, or refuses; the connector tries again with growing delays. */
export class SourceUnavailable extends FreshetError {
  readonly code = 'FRESHET_SOURCE_UNAVAILABLE';
  readonly fate = 'retry';
  override readonly status = 503;
}

/** A source is set up in a way that cannot work (wal_level, missing table, no key, missing right); the message says how to mend it. */
export class SourceMisconfigured extends FreshetError {
  readonly code = 'FRESHET_SOURCE_MISCONFIGURED';
  readonly fate = 'fatal';
}

/** A newer instance reads this source; this one must stop. */
export class SourceFenced extends FreshetError {
  readonly code = 'FRESHET_SOURCE_FENCED';
  readonly fate = 'fatal';
}

/** The index has not reached the position that the request waits for. */
export class NotFreshYet extends FreshetError {
  readonly code = 'FRESHET_NOT_FRESH_YET';
  readonly fate = 'retry';
  override readonly status = 503;
  override readonly retryAfterSeconds = 1;
}

/** One thing that is wrong with a request, by JSON pointer. Never holds what the caller sent. */
export interface RequestFault {
  readonly pointer: string;
  readonly detail: string;
}

/** A request is not of the expected form; `faults` lists everything that is wrong with it. */
export class InvalidRequest extends FreshetError {
  readonly code = 'FRESHET_INVALID_REQUEST';
  readonly fate = 'fatal';
  override readonly status = 400;
  readonly faults: readonly RequestFault[];

  constructor(message: string, options: ErrorOptions & { readonly faults?: readonly RequestFault[] } = {}) {
    super(message, options);
    this.faults = options.faults ?? [];
  }
}

/** The body of a webhook is signed and yet not an event that can be taken; `faults` lists everything that is wrong with it. */
export class EventInvalid extends FreshetError {
  readonly code = 'FRESHET_EVENT_INVALID';
  readonly fate = 'fatal';
  override readonly status = 422;
  readonly faults: readonly RequestFault[];

  constructor(message: string, options: ErrorOptions & { readonly faults?: readonly RequestFault[] } = {}) {
    super(message, options);
    this.faults = options.faults ?? [];
  }
}

/** The body of a request is larger than the route takes; nothing of it was used. */
export class RequestTooLarge extends FreshetError {
  readonly code = 'FRESHET_REQUEST_TOO_LARGE';
  readonly fate = 'fatal';
  override readonly status = 413;
}

/** The body of a request is of a media type or content encoding that the route does not take. */
export class MediaTypeUnsupported extends FreshetError {
  readonly code = 'FRESHET_MEDIA_TYPE_UNSUPPORTED';
  readonly fate = 'fatal';
  override readonly status = 415;
}

/** The caller is known and may not do this. */
export class Forbidden extends FreshetError {
  readonly code = 'FRESHET_FORBIDDEN';
  readonly fate = 'fatal';
  override readonly status = 403;
}

/**
 * Why a reranker gave no order.
 * - `timeout`: not in time.
 * - `busy`: as many requests are under way and wait as may be.
 * - `down`: it failed several times in a row and is left alone for a while.
 * - `overloaded`: it asked for a pause.
 * - `failed`: no reply, a broken one, or a failing server.
 * - `refused`: it will not take these texts.
 * - `forbidden`: key, address or model are wrong; an operator has to act.
 * - `unusable`: it replied, but not with one finite score for each text.
 */
export type RerankFailure =
  'timeout' | 'busy' | 'down' | 'overloaded' | 'failed' | 'refused' | 'forbidden' | 'unusable';

/** The reranker gave no usable order in time; the results keep the order that both legs gave them. */
export class RerankerUnavailable extends FreshetError {
  readonly code = 'FRESHET_RERANKER_UNAVAILABLE';
  readonly fate = 'retry';
  override readonly status = 503;
  readonly failure: RerankFailure;

  constructor(message?: string, options?: ErrorOptions & { readonly failure?: RerankFailure }) {
    super(message, options);
    this.failure = options?.failure ?? 'failed';
  }
}

/** The generator failed, stalled past its deadline or broke off; no answer was completed. */
export class GeneratorUnavailable extends FreshetError {
  readonly code = 'FRESHET_GENERATOR_UNAVAILABLE';
  readonly fate = 'retry';
  override readonly status = 503;
  declare readonly retryAfterSeconds?: number;

  constructor(message: string, options: ErrorOptions & { readonly retryAfterSeconds?: number } = {}) {
    super(message, options);
    if (options.retryAfterSeconds !== undefined) this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** A document that the answer cites was deleted or closed to the caller while the answer was being written. Ask again. */
export class EvidenceWithdrawn extends FreshetError {
  readonly code = 'FRESHET_EVIDENCE_WITHDRAWN';
  readonly fate = 'retry';
  override readonly status = 503;
}

/** The process is stopping and takes no more work. */
export class ShuttingDown extends FreshetError {
  readonly code = 'FRESHET_SHUTTING_DOWN';
  readonly fate = 'retry';
  override readonly status = 503;
  override readonly retryAfterSeconds = 5;
}

/** One fault of a config file, as an operator mends it. Never holds the value of a secret or of an environment variable. */
export interface ConfigFault {
  /** Key path as in the file, `sources[0].tables[1].body`; empty for the file as a whole. */
  readonly path: string;
  /** Both from 1; absent when the fault has no place in the file. */
  readonly line?: number;
  readonly column?: number;
  /** What is wrong, what is expected and how to mend it, as a sentence part. */
  readonly problem: string;
}

/** The config file is unusable; the message names every bad key, where it stands and what is expected. */
export class InvalidConfig extends FreshetError {
  readonly code = 'FRESHET_INVALID_CONFIG';
  readonly fate = 'fatal';
  /** Every fault of the file, in its order; empty when the error is not about a file. */
  readonly faults: readonly ConfigFault[];

  constructor(message?: string, options?: ErrorOptions & { readonly faults?: readonly ConfigFault[] }) {
    super(message, options);
    this.faults = options?.faults ?? [];
  }
}

/** No valid credentials, or none at all where they are needed. */
export class Unauthenticated extends FreshetError {
  readonly code = 'FRESHET_UNAUTHENTICATED';
  readonly fate = 'fatal';
  override readonly status = 401;
}

/** The signature of a webhook does not match, or its time is outside the replay window. */
export class SignatureInvalid extends FreshetError {
  readonly code = 'FRESHET_SIGNATURE_INVALID';
  readonly fate = 'fatal';
  override readonly status = 401;
}

/** There is nothing under this name, or nothing that the caller may see. */
export class NotFound extends FreshetError {
  readonly code = 'FRESHET_NOT_FOUND';
  readonly fate = 'fatal';
  override readonly status = 404;
}

/** More is waiting than the process may hold; try again after the stated time. */
export class Overloaded extends FreshetError {
  readonly code = 'FRESHET_OVERLOADED';
  readonly fate = 'retry';
  override readonly status = 429;
  override readonly retryAfterSeconds = 1;
}

/** A command line is not of the expected form: an unknown verb or flag, a missing value. The process exits with 2. */
export class InvalidUsage extends FreshetError {
  readonly code = 'FRESHET_INVALID_USAGE';
  readonly fate = 'fatal';
}

/** The server cannot listen where `server.host` and `server.port` say, mostly because another program does. The process exits with 1. */
export class AddressUnavailable extends FreshetError {
  readonly code = 'FRESHET_ADDRESS_UNAVAILABLE';
  readonly fate = 'fatal';
}

/** A command needs the running server and nothing answers at its address. */
export class ServerUnreachable extends FreshetError {
  readonly code = 'FRESHET_SERVER_UNREACHABLE';
  readonly fate = 'retry';
}

/** The running server answered a command with an error of its own; the message holds the server's code and words. */
export class ServerRefused extends FreshetError {
  readonly code = 'FRESHET_SERVER_REFUSED';
  readonly fate = 'fatal';
  /** The code that the server stated, as docs/ERRORS.md lists it; undefined when the reply had none. */
  readonly remoteCode: string | undefined;

  constructor(message: string, options?: ErrorOptions & { readonly remoteCode?: string | undefined }) {
    super(message, options);
    this.remoteCode = options?.remoteCode;
  }
}

/** Gives a foreign error a class of ours; what is ours already stays as it is. Aborts are not errors of ours and pass through. */
export function classify(error: unknown): FreshetError {
  if (error instanceof FreshetError) return error;
  return new Unclassified(error instanceof Error ? error.message : String(error), { cause: error });
}
