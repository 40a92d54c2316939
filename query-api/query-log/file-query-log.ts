import { appendFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { QueryRecord } from '../../schemas/query-record.ts';
import { newTraceId } from '../request-context.ts';
import type { QueryLog } from './query-log.ts';

export interface FileQueryLogOptions {
  /** Made when there is something to write; only its owner may enter. */
  readonly folder: string;
  readonly mode: 'metadata' | 'redacted';
  readonly maxFileBytes: number;
  readonly retentionDays: number;
  /** Takes personal data out of a question. @throws whatever: the words are left out then. */
  readonly redact: (question: string, tenant: string) => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'queryLogRecords'>;
}

/** Records that wait for the disk. A record is 2 to 20 kB, so this is some megabytes at most. */
export const MAX_QUEUED_RECORDS = 1_000;
/** Records of one write: redacting them is work for the event loop, which must get its turn in between. */
const BATCH_RECORDS = 20;
/** Records that come within it are one write, ms. A crash loses no more than that. */
const LINGER_MS = 200;
const RETIRE_EVERY_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** `<day>T<time>-<process>.jsonl`: several processes may share a folder. */
const FILE_NAME = /^(\d{4}-\d\d-\d\d)T[\w-]+\.jsonl$/;

/**
 * A query log as files of JSON lines, each of one UTC day. What cannot be written is given up: a full disk costs the log, not the answers. It is
 * counted in `freshet_query_log_records_total` and said once.
 */
export function openFileQueryLog(options: FileQueryLogOptions): QueryLog {
  return new FileQueryLog(options);
}

class FileQueryLog implements QueryLog {
  readonly #options: FileQueryLogOptions;
  readonly #process: string;
  readonly #closing = new AbortController();
  readonly #retiring: Promise<void>;
  readonly #queue: QueryRecord[] = [];
  #draining: Promise<void> | undefined;
  #file: { readonly path: string; readonly day: string; bytes: number } | undefined;
  #isFailing = false;

  constructor(options: FileQueryLogOptions) {
    this.#options = options;
    this.#process = newTraceId(options.random).slice(0, 8);
    this.#retiring = this.#keepRetiring();
  }

  record(record: QueryRecord): void {
    if (this.#queue.length >= MAX_QUEUED_RECORDS) return this.#count('dropped', 1);
    this.#queue.push(record);
    this.#draining ??= this.#drain();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#draining;
    await this.#retiring;
  }

  async #drain(): Promise<void> {
    await this.#options.clock.sleep(LINGER_MS, this.#closing.signal).catch(() => undefined);
    while (this.#queue.length > 0) await this.#write(this.#queue.splice(0, BATCH_RECORDS));
    this.#draining = undefined;
  }

  async #write(records: readonly QueryRecord[]): Promise<void> {
    const lines = records.map((record) => `${JSON.stringify(this.#clean(record))}\n`);
    try {
      for (const line of lines) await this.#append(line);
      this.#count('written', records.length);
      this.#isFailing = false;
    } catch (error) {
      this.#count('failed', records.length);
      if (!this.#isFailing)
        this.#options.logger.warn('The query log cannot be written; questions are answered without it.', {
          folder: this.#options.folder,
          cause: (error as NodeJS.ErrnoException).code ?? 'unknown',
        });
      this.#isFailing = true;
    }
  }

  async #append(line: string): Promise<void> {
    const { clock, folder, maxFileBytes } = this.#options;
    const bytes = Buffer.byteLength(line);
    const now = new Date(clock.now()).toISOString();
    const day = now.slice(0, 10);
    const file = this.#file;
    const isFull = file !== undefined && file.bytes > 0 && file.bytes + bytes > maxFileBytes;
    if (!file || file.day !== day || isFull) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const path = join(folder, `${now.replace(/[:.]/g, '-')}-${this.#process}.jsonl`);
      // Two files of one millisecond are one file, which may then be larger than it should.
      this.#file = { path, day, bytes: 0 };
      await this.#retire();
    }
    if (!this.#file) return;
    await appendFile(this.#file.path, line, { mode: 0o600 });
    this.#file.bytes += bytes;
  }

  /** The record as it may stand on disk. */
  #clean({ question, ...record }: QueryRecord): object {
    const { mode, redact } = this.#options;
    const counted = { ...record, questionChars: question.length };
    if (mode === 'metadata') return counted;
    try {
      return { ...counted, question: redact(question, record.tenant) };
    } catch {
      return counted; // what could not be redacted is not written
    }
  }

  async #keepRetiring(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#retire();
      await clock.sleep(RETIRE_EVERY_MS, signal).catch(() => undefined);
    }
  }

  /** Removes files of days that are over and done with. Nothing else in the folder is touched. */
  async #retire(): Promise<void> {
    const { folder, clock, retentionDays } = this.#options;
    const oldest = new Date(clock.now() - retentionDays * DAY_MS).toISOString().slice(0, 10);
    const names = await readdir(folder).catch(() => []);
    for (const name of names) {
      const day = FILE_NAME.exec(name)?.[1];
      if (day !== undefined && day < oldest) await rm(join(folder, name), { force: true }).catch(() => undefined);
    }
  }

  #count(outcome: 'written' | 'dropped' | 'failed', records: number): void {
    this.#options.metrics.queryLogRecords.inc({ outcome }, records);
  }
}
