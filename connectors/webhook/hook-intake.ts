import type { AppendRecord, Log, LogRecord, Offset } from '../../ports/log/log.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { WebhookSourceConfig } from '../../runtime/config/config.ts';
import { LogUnavailable, SourceMisconfigured } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { retry } from '../../runtime/retry.ts';
import { CONNECTOR_STATE_TOPIC, hookTopic } from '../../schemas/topics.ts';
import type { WebhookEvent } from '../../schemas/webhook-event.ts';
import type { Connector, ConnectorHealth, ConnectorState } from '../connector.ts';
import {
  eventRecord,
  HOOK_IDS_TOPIC,
  idKey,
  idRecord,
  readState,
  stateRecord,
  watermarkRecords,
} from './delivery-records.ts';
import { standardWebhooksKey } from './signature.ts';

export interface HookIntakeOptions {
  readonly config: WebhookSourceConfig;
  readonly log: Log;
  /** Partitions of the source's topic. */
  readonly partitions: number;
  /** How long the log keeps the events, ms. */
  readonly retentionMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** A verified delivery. */
export interface Delivery {
  readonly id: string;
  readonly events: readonly WebhookEvent[];
  /** Of the body, for the limits. */
  readonly bytes: number;
}

export interface Receipt {
  /** Events that were new. */
  readonly accepted: number;
  /** Waiting for it waits for every event of the delivery. */
  readonly position: string;
  /** The delivery, or each of its events, had been taken before: nothing changed. */
  readonly isReplay: boolean;
}

interface Waiting extends Delivery {
  readonly receivedAt: number;
  resolve(receipt: Receipt): void;
  reject(error: unknown): void;
}

/** A sender repeats a delivery for days, under one id and with fresh timestamps; after this time it counts as new, ms. */
const ID_RETENTION_MS = 7 * 86_400_000;
/** Ids that one append looks at to find those that have expired: more than it adds, so that the topic cannot grow for ever. */
const SWEEP_RECORDS = 64;
/** Between two tries to reach the log at the start, ms. */
const OPEN_BACKOFF = { minDelayMs: 1_000, maxDelayMs: 10_000 };
/** An append takes deliveries up to here; what is above waits for the next. */
const MAX_GROUP_EVENTS = 1_000;
const MAX_GROUP_BYTES = 8_388_608;
/** Bytes of bodies between their first byte and their reply; above it senders are told to come back (I8). */
const MAX_RESERVED_BYTES = 67_108_864;
/** Positions in one millisecond before the counter runs ahead of the clock. */
const COUNTER_BITS = 12n;

/**
 * Takes signed events and answers only when they are durable in the log. Deliveries that come while an append is under way share
 * the next one. Ids are appended only when their events are durable: an append can be cut, and a sender that repeats a delivery whose id
 * is known is told that it was taken. A crash between the two makes the repeated delivery a second change, which loses nothing.
 */
export class HookIntake implements Connector {
  readonly source: string;
  readonly key: Buffer;
  readonly #options: HookIntakeOptions;
  #state: ConnectorState = 'connecting';
  #reason: string | undefined;
  /** The last position that was given out; undefined until the state was read. */
  #position: bigint | undefined;
  #waiting: Waiting[] = [];
  #reservedBytes = 0;
  #opening: Promise<void> | undefined;
  #draining: Promise<void> | undefined;
  #sweepFrom = 0n as Offset;
  /** When the oldest id that is left expires, ms since the epoch. */
  #nextSweepAt = 0;

  /** @throws SourceMisconfigured when the secret cannot be one. */
  constructor(options: HookIntakeOptions) {
    this.source = options.config.name;
    this.key = standardWebhooksKey(options.config.signature.secret);
    this.#options = options;
  }

  get config(): WebhookSourceConfig {
    return this.#options.config;
  }

  /** Creates the topics and takes up the position where it was left. Deliveries are refused as not ready before. Idempotent. */
  async open(signal?: AbortSignal): Promise<void> {
    this.#opening ??= this.#open(signal).catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    await this.#opening;
  }

  async #open(signal?: AbortSignal): Promise<void> {
    const { log, partitions, retentionMs, clock, metrics } = this.#options;
    await log.createTopics(
      [
        { name: hookTopic(this.source), partitions, cleanup: 'delete', retentionMs },
        { name: HOOK_IDS_TOPIC, partitions: 1, cleanup: 'compact' },
        { name: CONNECTOR_STATE_TOPIC, partitions: 1, cleanup: 'compact' },
      ],
      signal,
    );
    const [state] = await log.latest(CONNECTOR_STATE_TOPIC, [this.source], signal);
    const position = state?.value ? this.#readState(state.value) : 0n;
    // Tells the index where the source stands also before the first event, and in a partition that no event came through yet.
    await log.append(
      [...watermarkRecords(this.source, partitions, position, clock.now()), stateRecord(this.source, position)],
      signal,
    );
    this.#position = position;
    this.#state = 'streaming';
    metrics.sourceConnected.set({ source: this.source }, 1);
  }

  async run(signal: AbortSignal): Promise<void> {
    const again = {
      operation: 'take up the position of webhooks',
      attempts: Number.POSITIVE_INFINITY,
      ...OPEN_BACKOFF,
    };
    await retry(() => this.open(signal), { ...this.#options, ...again }, signal);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#state = 'stopped';
    await this.#draining;
    this.#options.metrics.sourceConnected.set({ source: this.source }, 0);
  }

  health(): ConnectorHealth {
    return {
      state: this.#state,
      ...(this.#reason !== undefined && { reason: this.#reason }),
      ...(this.#position !== undefined && { position: this.#position.toString() }),
    };
  }

  /**
   * Sets memory aside for a body that is about to be read, so that a burst is refused before it is read. Returns what gives it back;
   * undefined when there is no room.
   */
  reserve(bytes: number): (() => void) | undefined {
    if (this.#reservedBytes + bytes > MAX_RESERVED_BYTES) return undefined;
    this.#reservedBytes += bytes;
    let isHeld = true;
    return () => {
      if (isHeld) this.#reservedBytes -= bytes;
      isHeld = false;
    };
  }

  /**
   * Takes a verified delivery. Resolves when its events are durable; a repeat of what was taken changes nothing.
   * @throws LogUnavailable and StorageFailed from the log, or when the connector is not open: the sender repeats the delivery.
   */
  async accept(delivery: Delivery): Promise<Receipt> {
    if (this.#state !== 'streaming') throw new LogUnavailable('The connector takes no events right now.');
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...delivery, receivedAt: this.#options.clock.now(), resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** One append at a time: positions reach the log in the order in which they were given out, whatever the log does with calls. */
  async #drain(): Promise<void> {
    await Promise.resolve(); // deliveries of the same turn come along
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#store(group);
        this.#reason = undefined;
      } catch (error) {
        this.#reason = 'The last delivery could not be stored.';
        for (const delivery of group) delivery.reject(error);
      }
    }
    this.#draining = undefined;
  }

  #takeGroup(): readonly Waiting[] {
    let events = 0;
    let bytes = 0;
    let count = 0;
    for (const delivery of this.#waiting) {
      events += delivery.events.length;
      bytes += delivery.bytes;
      if (count > 0 && (events > MAX_GROUP_EVENTS || bytes > MAX_GROUP_BYTES)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #store(group: readonly Waiting[]): Promise<void> {
    const { log, partitions, clock, metrics } = this.#options;
    const seen = await this.#seenIds(group);
    const records: AppendRecord[] = [];
    const settle: (() => void)[] = [];
    for (const delivery of group) {
      const deliveryKey = idKey(this.source, 'delivery', delivery.id);
      const fresh = seen.has(deliveryKey) ? [] : delivery.events.filter(({ id }) => this.#isFirst(id, seen, records));
      if (!seen.has(deliveryKey)) records.push(idRecord(deliveryKey, delivery.receivedAt));
      seen.add(deliveryKey);
      for (const event of fresh)
        records.push(eventRecord(this.source, event, this.#nextPosition(), delivery.receivedAt));
      const position = String(this.#position);
      settle.push(() => {
        for (const { type } of fresh) metrics.sourceChanges.inc({ source: this.source, op: type });
        delivery.resolve({ accepted: fresh.length, position, isReplay: fresh.length === 0 });
      });
    }
    if (records.length > 0) {
      const position = this.#position ?? 0n;
      const isId = ({ topic }: AppendRecord): boolean => topic === HOOK_IDS_TOPIC;
      await log.append([
        ...records.filter((record) => !isId(record)),
        ...watermarkRecords(this.source, partitions, position, clock.now()),
        stateRecord(this.source, position),
      ]);
      await log.append([...records.filter(isId), ...(await this.#expiredIds())]);
    }
    for (const run of settle) run();
  }

  #isFirst(eventId: string, seen: Set<string>, records: AppendRecord[]): boolean {
    const key = idKey(this.source, 'event', eventId);
    if (seen.has(key)) return false;
    seen.add(key);
    records.push(idRecord(key, this.#options.clock.now()));
    return true;
  }

  async #seenIds(group: readonly Waiting[]): Promise<Set<string>> {
    const keys = group.flatMap(({ id, events }) => [
      idKey(this.source, 'delivery', id),
      ...events.map((event) => idKey(this.source, 'event', event.id)),
    ]);
    const found = await this.#options.log.latest(HOOK_IDS_TOPIC, keys);
    return new Set(keys.filter((_key, index) => found[index] !== undefined));
  }

  /** Tombstones for ids that no sender repeats any more. Reads the topic from its oldest record on, a little with every append. */
  async #expiredIds(): Promise<AppendRecord[]> {
    const { log, clock } = this.#options;
    if (clock.now() < this.#nextSweepAt) return [];
    const from = { topic: HOOK_IDS_TOPIC, partition: 0, offset: this.#sweepFrom };
    const expired: LogRecord[] = [];
    for (const record of await log.fetch(from, SWEEP_RECORDS)) {
      this.#nextSweepAt = record.timestamp + ID_RETENTION_MS;
      if (clock.now() < this.#nextSweepAt) break;
      this.#sweepFrom = (record.offset + 1n) as Offset;
      if (record.value !== null) expired.push(record);
    }
    // An id that came again after it had expired has a newer record, which must stay.
    const keys = expired.map(({ key }) => key);
    const newest = await log.latest(HOOK_IDS_TOPIC, keys);
    return keys
      .filter((_key, index) => newest[index]?.offset === expired[index]?.offset)
      .map((key) => ({ topic: HOOK_IDS_TOPIC, key, value: null }));
  }

  /** Time and a counter, and never less than before: a clock that is set back makes the counter run on (I3). */
  #nextPosition(): bigint {
    const byClock = BigInt(this.#options.clock.now()) << COUNTER_BITS;
    const next = (this.#position ?? 0n) + 1n;
    this.#position = byClock > next ? byClock : next;
    return this.#position;
  }

  #readState(value: Uint8Array): bigint {
    try {
      return readState(value);
    } catch (cause) {
      throw new SourceMisconfigured(`The source ${this.source} was of another kind before; give it a new name.`, {
        cause,
      });
    }
  }
}
