import { createHash } from 'node:crypto';
import type { Log, LogRecord, Offset, RecordPlace } from '../ports/log/log.ts';
import { pagesOf } from '../ports/log/partitions.ts';
import type { Clock } from '../runtime/clock.ts';
import { NotFound, type FreshetError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { DeadLetter } from '../schemas/dead-letter.ts';
import { parseDocumentId, type DocumentId } from '../schemas/ids.ts';
import { DEAD_LETTERS_TOPIC } from '../schemas/topics.ts';
import { parseVersion, type SourceVersion } from '../schemas/version.ts';
import { identityOf } from './records.ts';

/** A record that cannot go on, with the stage and the error that said so. */
export interface Rejection {
  readonly record: LogRecord;
  readonly stage: string;
  readonly error: FreshetError;
}

/**
 * Failed documents as records (R10): kept in a compacted topic under the place of the record, found by document under a second key.
 * The payload stays where it is, in the log, and is named by place and hash.
 */
export interface DeadLetters {
  /** Durable when it resolves. Writing the same rejection again counts one more attempt. */
  write(rejections: readonly Rejection[], signal: AbortSignal): Promise<void>;
  /** Oldest first. */
  list(state: DeadLetter['state'] | 'all', limit: number, signal: AbortSignal): Promise<readonly DeadLetter[]>;
  /** @throws NotFound */
  show(id: string, signal: AbortSignal): Promise<DeadLetter>;
  /** Appends the record to its topic again; versions decide whether it still counts. @throws NotFound when the payload is gone. */
  retry(id: string, signal: AbortSignal): Promise<DeadLetter>;
  discard(id: string, signal: AbortSignal): Promise<DeadLetter>;
  /** For each document the versions that are parked: their content must not be guessed from an older one. */
  parked(ids: readonly DocumentId[], signal: AbortSignal): Promise<readonly (readonly SourceVersion[])[]>;
}

export interface DeadLetterOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const SCAN_LIMIT = 1_000;

export function deadLettersIn(options: DeadLetterOptions): DeadLetters {
  return new LoggedDeadLetters(options);
}

class LoggedDeadLetters implements DeadLetters {
  readonly #options: DeadLetterOptions;

  constructor(options: DeadLetterOptions) {
    this.#options = options;
  }

  async write(rejections: readonly Rejection[], signal: AbortSignal): Promise<void> {
    if (rejections.length === 0) return;
    const { log, clock, logger, metrics } = this.#options;
    const letters = rejections.map((rejection) => deadLetter(rejection, clock.now()));
    const ids = letters.map((letter) => letter.id);
    const known = await log.latest(DEAD_LETTERS_TOPIC, ids, signal);
    await this.#store(
      letters.map((letter, index) => ({ ...letter, attempts: 1 + (parse(known[index])?.attempts ?? 0) })),
      signal,
    );
    for (const { stage, code, id, source } of letters) {
      metrics.deadLetters.inc({ stage, code });
      logger.warn('A record is parked as a dead letter; the ones around it go on.', {
        stage,
        code,
        deadLetter: id,
        source,
      });
    }
    metrics.deadLettersOpen.inc(known.filter((record) => record === undefined).length);
  }

  async list(state: DeadLetter['state'] | 'all', limit: number, signal: AbortSignal): Promise<readonly DeadLetter[]> {
    const letters = new Map<string, DeadLetter>();
    for await (const record of this.#scan(signal)) {
      const letter = parse(record);
      if (letter && record.key === letter.id) letters.set(letter.id, letter);
    }
    return [...letters.values()].filter((letter) => state === 'all' || letter.state === state).slice(0, limit);
  }

  async show(id: string, signal: AbortSignal): Promise<DeadLetter> {
    const [record] = await this.#options.log.latest(DEAD_LETTERS_TOPIC, [id], signal);
    const letter = parse(record);
    if (!letter) throw new NotFound('There is no dead letter with this id; `freshet failures list` shows all.');
    return letter;
  }

  async retry(id: string, signal: AbortSignal): Promise<DeadLetter> {
    const letter = await this.show(id, signal);
    const { topic, key, value, headers, partition } = await this.#payload(letter, signal);
    const version = letter.version === undefined ? undefined : parseVersion(letter.version);
    await this.#options.log.append(
      [{ topic, key, value, headers, partition, ...(version !== undefined && { version }) }],
      signal,
    );
    return this.#settle({ ...letter, state: 'retried' }, signal);
  }

  async discard(id: string, signal: AbortSignal): Promise<DeadLetter> {
    return this.#settle({ ...(await this.show(id, signal)), state: 'discarded' }, signal);
  }

  async parked(ids: readonly DocumentId[], signal: AbortSignal): Promise<readonly (readonly SourceVersion[])[]> {
    const records = await this.#options.log.latest(DEAD_LETTERS_TOPIC, ids.map(documentKey), signal);
    return records.map((record) =>
      Object.values(openOf(record)).flatMap((text) => {
        const version = parseVersion(text);
        return version === undefined ? [] : [version];
      }),
    );
  }

  /** Writes letters, and under the key of each document which of its versions are open. */
  async #store(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const ids = [...new Set(letters.flatMap(({ documentId: id }) => (id === undefined ? [] : [id])))];
    const known = await log.latest(DEAD_LETTERS_TOPIC, ids.map(documentKey), signal);
    const records = letters.map((letter) => ({ key: letter.id, value: letter as object }));
    ids.forEach((id, index) => {
      const open = openOf(known[index]);
      for (const letter of letters) {
        if (letter.documentId !== id || letter.version === undefined) continue;
        if (letter.state === 'open') open[letter.id] = letter.version;
        else delete open[letter.id];
      }
      records.push({ key: documentKey(id), value: { open } });
    });
    await log.append(
      records.map(({ key, value }) => ({ topic: DEAD_LETTERS_TOPIC, key, value: Buffer.from(JSON.stringify(value)) })),
      signal,
    );
  }

  async *#scan(signal: AbortSignal): AsyncIterable<LogRecord> {
    const { log } = this.#options;
    for (const { partition, earliest, next } of await log.describe([DEAD_LETTERS_TOPIC], signal)) {
      const from = { topic: DEAD_LETTERS_TOPIC, partition, offset: earliest };
      for await (const page of pagesOf(log, from, next, SCAN_LIMIT, signal)) yield* page;
    }
  }

  async #payload(letter: DeadLetter, signal: AbortSignal): Promise<LogRecord> {
    const place: RecordPlace = { ...letter.pointer, offset: BigInt(letter.pointer.offset) as Offset };
    const [record] = await this.#options.log.fetch(place, 1, signal);
    if (record?.offset !== place.offset) {
      throw new NotFound('The payload of this dead letter has left the log (retention); run a backfill of its source.');
    }
    return record;
  }

  async #settle(letter: DeadLetter, signal: AbortSignal): Promise<DeadLetter> {
    await this.#store([letter], signal);
    this.#options.metrics.deadLettersOpen.set((await this.list('open', Number.MAX_SAFE_INTEGER, signal)).length);
    return letter;
  }
}

function documentKey(id: string): string {
  return `~document/${id}`;
}

/** Versions of a document that are parked, by the id of the letter. */
function openOf(record: LogRecord | undefined): Record<string, string> {
  const value = record?.value
    ? (JSON.parse(Buffer.from(record.value).toString('utf8')) as { open: Record<string, string> })
    : undefined;
  return { ...value?.open };
}

function parse(record: LogRecord | undefined): DeadLetter | undefined {
  return record?.value ? (JSON.parse(Buffer.from(record.value).toString('utf8')) as DeadLetter) : undefined;
}

function deadLetter({ record, stage, error }: Rejection, at: number): DeadLetter {
  const { id: documentId, version } = identityOf(record) ?? {};
  return {
    id: `${record.topic}/${record.partition}/${record.offset}`,
    state: 'open',
    stage,
    code: error.code,
    message: error.message,
    attempts: 1,
    source: (documentId && parseDocumentId(documentId)?.source) ?? '',
    ...(documentId !== undefined && { documentId }),
    ...(version !== undefined && { version: version.toString() }),
    pointer: { topic: record.topic, partition: record.partition, offset: record.offset.toString() },
    payloadHash: createHash('sha256')
      .update(record.value ?? new Uint8Array())
      .digest('hex'),
    payloadBytes: record.value?.byteLength ?? 0,
    at,
  };
}
