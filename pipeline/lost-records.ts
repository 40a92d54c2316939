import { Compile } from 'typebox/compile';
import type { Log, LogRecord, Offset, PartitionPlace, PartitionState } from '../ports/log/log.ts';
import { pagesOf } from '../ports/log/partitions.ts';
import type { Clock } from '../runtime/clock.ts';
import type { RecordsLost } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { epochKey, resyncKey, SourceEpoch, type ResyncRequest } from '../schemas/source-epoch.ts';
import { CONNECTOR_STATE_TOPIC, DOCUMENTS_TOPIC, EPOCH_HEADER, VECTORS_TOPIC } from '../schemas/topics.ts';
import { epochOfVersion, parseVersion } from '../schemas/version.ts';
import type { DeferredQueue } from './sinks/deferred-vectors.ts';
import { isMarker, versionOf } from './records.ts';
import type { DocumentId } from '../schemas/ids.ts';

export interface LostRecordsOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Makes up for records that retention deleted before they were read. @returns where to go on. */
export type MakeUp = (lost: RecordsLost, signal: AbortSignal) => Promise<Offset>;

const PAGE = 1_000;
const LOOK_EVERY_MS = 500;
const SAY_EVERY_MS = 30_000;

const sourceEpoch = Compile(SourceEpoch);

/**
 * Has a source read its tables anew, and goes on where that begins. Everything before it in the partition belongs to an older epoch: its
 * rows come again, and its positions must not pass, because they say that everything before them has (I11).
 * @param sourceOf the source that can be read anew; undefined for topics whose changes come once
 * @throws the loss itself where no source can make up for it
 */
export function readSourceAnew(options: LostRecordsOptions, sourceOf: (topic: string) => string | undefined): MakeUp {
  return async (lost, signal) => {
    options.metrics.recordsLost.inc({ topic: lost.topic }, Number(lost.next - lost.from));
    const source = sourceOf(lost.topic);
    if (source === undefined) throw lost;
    return await new Reread(options, source, lost).run(signal);
  };
}

interface BegunEpoch {
  readonly epoch: number;
  /** Of the record that says so. */
  readonly offset: Offset;
}

class Reread {
  readonly #options: LostRecordsOptions;
  readonly #source: string;
  readonly #lost: RecordsLost;

  constructor(options: LostRecordsOptions, source: string, lost: RecordsLost) {
    this.#options = options;
    this.#source = source;
    this.#lost = lost;
  }

  async run(signal: AbortSignal): Promise<Offset> {
    const { log, logger } = this.#options;
    const { topic, partition } = this.#lost;
    let next = this.#lost.next as Offset;
    let begun = await this.#begun(signal);
    for (;;) {
      const [first] = await log.fetch({ topic, partition, offset: next }, 1, signal);
      // What was lost came before a record of an epoch that has ended: it has been made up for.
      if (begun && first && (epochOfRecord(first) ?? 0) < begun.epoch) break;
      begun = await this.#begunAfter(await this.#ask(next), signal);
      const { earliest } = await stateOf(log, this.#lost, signal);
      // Retention may have gone on meanwhile, and have taken of the new epoch, too.
      if (earliest <= next) break;
      next = earliest;
    }
    const from = await this.#beginOf(begun.epoch, next, signal);
    logger.warn('Changes that were lost come again from their source.', {
      source: this.#source,
      topic,
      partition,
      from: String(from),
    });
    return from;
  }

  /** @returns the place of the request */
  async #ask(next: Offset): Promise<Offset> {
    const { log, clock, logger } = this.#options;
    const { topic, partition } = this.#lost;
    const request: ResyncRequest = {
      topic,
      partition,
      from: String(this.#lost.from),
      next: String(next),
      at: clock.now(),
    };
    const key = resyncKey(this.#source);
    const [place] = await log.append([
      { topic: CONNECTOR_STATE_TOPIC, key, value: Buffer.from(JSON.stringify(request)) },
    ]);
    if (!place) throw new TypeError('the log told no place of a record');
    logger.error('Retention deleted changes before they were read; their source is asked to read its tables again.', {
      source: this.#source,
      ...request,
    });
    return place.offset;
  }

  async #begun(signal: AbortSignal): Promise<BegunEpoch | undefined> {
    const [record] = await this.#options.log.latest(CONNECTOR_STATE_TOPIC, [epochKey(this.#source)], signal);
    const value = record?.value && parse(record.value);
    return record && sourceEpoch.Check(value) ? { epoch: value.epoch, offset: record.offset } : undefined;
  }

  async #begunAfter(asked: Offset, signal: AbortSignal): Promise<BegunEpoch> {
    const { clock, logger } = this.#options;
    for (let saidMs = clock.monotonicMs(); ;) {
      const begun = await this.#begun(signal);
      if (begun && begun.offset > asked) return begun;
      if (clock.monotonicMs() - saidMs >= SAY_EVERY_MS) {
        saidMs = clock.monotonicMs();
        logger.error(
          'Changes were lost, and their source has yet to read its tables again: see that its connector runs.',
          {
            source: this.#source,
          },
        );
      }
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  /** The first record of an epoch, or the end when there is none yet. */
  async #beginOf(epoch: number, from: Offset, signal: AbortSignal): Promise<Offset> {
    const { log } = this.#options;
    const { topic, partition } = this.#lost;
    const { next: end } = await stateOf(log, this.#lost, signal);
    for await (const records of pagesOf(log, { topic, partition, offset: from }, end, PAGE, signal)) {
      const found = records.find((record) => (epochOfRecord(record) ?? 0) >= epoch);
      if (found) return found.offset;
    }
    return end;
  }
}

/**
 * Asks again for the vectors of every document of the partition: those that have theirs cost a look. What was asked before is
 * superseded by it, and its positions must not pass.
 */
export function askForVectorsAgain(options: LostRecordsOptions, deferred: DeferredQueue): MakeUp {
  const { log, logger, metrics } = options;
  return async (lost, signal) => {
    const { partition } = lost;
    metrics.recordsLost.inc({ topic: lost.topic }, Number(lost.next - lost.from));
    const { next: end } = await stateOf(log, { topic: VECTORS_TOPIC, partition }, signal);
    const { earliest, next } = await stateOf(log, { topic: DOCUMENTS_TOPIC, partition }, signal);
    const from = { topic: DOCUMENTS_TOPIC, partition, offset: earliest };
    let asked = 0;
    for await (const records of pagesOf(log, from, next, PAGE, signal)) {
      const again = records.flatMap((record) => {
        const version = isMarker(record) ? undefined : versionOf(record);
        return version === undefined ? [] : [{ id: record.key as DocumentId, version, partition }];
      });
      await deferred.append(again, [], signal);
      asked += again.length;
    }
    logger.error('Retention deleted what asked for vectors; they are asked for again.', {
      partition,
      documents: asked,
    });
    return end;
  };
}

async function stateOf(log: Log, place: PartitionPlace, signal: AbortSignal): Promise<PartitionState> {
  const state = (await log.describe([place.topic], signal)).find(({ partition }) => partition === place.partition);
  if (!state) throw new TypeError(`${place.topic} has no partition ${place.partition}`);
  return state;
}

/** The epoch of a change or a marker; undefined when it does not say. */
export function epochOfRecord({ headers, value }: Pick<LogRecord, 'headers' | 'value'>): number | undefined {
  const stamped = headers[EPOCH_HEADER];
  if (stamped !== undefined) return Number(stamped);
  interface Told {
    readonly epoch?: unknown;
    readonly version?: unknown;
    readonly source?: { readonly epoch?: unknown };
  }
  const told = value && (parse(value) as Told | null | undefined);
  const epoch = told?.source?.epoch ?? told?.epoch;
  if (typeof epoch === 'number') return epoch;
  const version = typeof told?.version === 'string' ? parseVersion(told.version) : undefined;
  return version === undefined ? undefined : epochOfVersion(version);
}

function parse(value: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return undefined;
  }
}
