import type { Broker, Cluster } from 'kafkajs';
import type { Clock } from '../../../runtime/clock.ts';
import { NotFound } from '../../../runtime/errors.ts';
import type { LogRecord, Offset, PartitionPlace, RecordPlace } from '../log.ts';
import { faultType, kafkaError } from './classify-error.ts';
import { decodeRecords, type FetchedPartition, type WirePartition } from './decode-records.ts';
import type { Names } from './names.ts';

/** Values that one `fetch` may hold in memory, bytes. */
const MAX_FETCH_BYTES = 16_777_216;
/** How much is asked of one partition at a time; a larger record comes all the same. */
export const PARTITION_FETCH_BYTES = 1_048_576;
/** kafkajs' number for READ_COMMITTED. */
const READ_COMMITTED = 1;
const ATTEMPTS = 12;
const PAUSE_MS = 20;

/** First and next offset of a partition. */
export interface PartitionEnds {
  readonly earliest: Offset;
  readonly next: Offset;
}

interface TopicNotice {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
}

/** A fetch met a position that the partition does not have. */
export class PositionGone extends Error {
  readonly place: PartitionPlace;

  constructor(place: PartitionPlace, options: ErrorOptions) {
    super(`a position of ${place.topic}/${place.partition} is outside of the partition`, options);
    this.place = place;
  }
}

/** Reads partitions at places of its choice, without a group. */
export class PartitionSource {
  readonly #open: () => Cluster;
  readonly #names: Names;
  readonly #clock: Clock;
  readonly #brokers: readonly string[];
  #cluster: Cluster;
  #topics = new Set<string>();
  #connecting: Promise<void> | undefined;

  constructor(
    open: () => Cluster,
    names: Names,
    { brokers, clock }: { readonly brokers: readonly string[]; readonly clock: Clock },
  ) {
    this.#clock = clock;
    this.#open = open;
    this.#cluster = open();
    this.#names = names;
    this.#brokers = brokers;
  }

  /** Learns where topics are; those that do not exist are left out. @throws LogUnavailable */
  async know(topics: readonly string[], refresh = false): Promise<void> {
    try {
      await this.#connect();
      for (const topic of topics) await this.#target(topic);
      if (refresh) await this.#refresh();
      else await this.#cluster.refreshMetadataIfNecessary();
    } catch (error) {
      throw kafkaError(error, 'learn where topics are', this.#brokers);
    }
  }

  async #connect(): Promise<void> {
    this.#connecting ??= this.#cluster.connect();
    await this.#connecting.catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
  }

  async #target(topic: string): Promise<void> {
    if (this.#topics.has(topic)) return;
    try {
      await this.#cluster.addTargetTopic(this.#names.toWire(topic));
      this.#topics.add(topic);
    } catch (error) {
      if (faultType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
    }
  }

  async #refresh(): Promise<void> {
    try {
      if (!this.#cluster.isConnected()) await this.#cluster.connect();
      await this.#cluster.refreshMetadata();
    } catch (error) {
      if (faultType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
      // A topic was deleted. kafkajs would ask for it for ever and learn nothing about the others: begin anew without it.
      const topics = this.#topics;
      void this.#cluster.disconnect().catch(() => undefined);
      this.#cluster = this.#open();
      this.#topics = new Set();
      this.#connecting = undefined;
      await this.#connect();
      for (const topic of topics) await this.#target(topic);
    }
  }

  /** Partitions of a topic as last learnt, in their order; empty when it is not known. */
  partitions(topic: string): readonly number[] {
    return this.#cluster
      .findTopicPartitionMetadata(this.#names.toWire(topic))
      .map(({ partitionId }) => partitionId)
      .toSorted((a, b) => a - b);
  }

  /** By the broker that leads them. Partitions without a leader are left out. */
  byLeader<T extends PartitionPlace>(places: readonly T[]): Map<string, T[]> {
    const leaders = new Map<string, T[]>();
    for (const place of places) {
      const [leader] = Object.keys(
        this.#cluster.findLeaderForPartitions(this.#names.toWire(place.topic), [place.partition]),
      );
      if (leader === undefined || leader === '-1') continue;
      const known = leaders.get(leader);
      if (known) known.push(place);
      else leaders.set(leader, [place]);
    }
    return leaders;
  }

  /**
   * One request to one broker. Errors are the client's own, unclassified: whoever reads in a loop refreshes what it knows and goes on.
   * @throws PositionGone
   */
  async fetchFrom(
    leader: string,
    places: readonly (RecordPlace & { readonly maxBytes: number })[],
    options: { readonly maxWaitMs: number; readonly maxBytes: number },
  ): Promise<readonly FetchedPartition[]> {
    const broker: Broker = await this.#cluster.findBroker({ nodeId: leader });
    const positions = new Map(places.map((place) => [`${place.topic}/${place.partition}`, place.offset]));
    const topics = new Map<string, { partition: number; fetchOffset: string; maxBytes: number }[]>();
    for (const { topic, partition, offset, maxBytes } of places) {
      const wire = this.#names.toWire(topic);
      const list = topics.get(wire) ?? [];
      topics.set(wire, [...list, { partition, fetchOffset: offset.toString(), maxBytes }]);
    }
    try {
      const reply = (await broker.fetch({
        replicaId: -1,
        isolationLevel: READ_COMMITTED,
        maxWaitTime: options.maxWaitMs,
        minBytes: options.maxWaitMs > 0 ? 1 : 0,
        maxBytes: options.maxBytes,
        topics: Array.from(topics, ([topic, partitions]) => ({ topic, partitions })),
      })) as {
        readonly responses: readonly { readonly topicName: string; readonly partitions: readonly WirePartition[] }[];
      };
      return reply.responses.flatMap(({ topicName, partitions }) => {
        const topic = this.#names.fromWire(topicName) ?? topicName;
        return partitions.map((one) =>
          decodeRecords(topic, positions.get(`${topic}/${one.partition}`) ?? (0n as Offset), one),
        );
      });
    } catch (error) {
      if (faultType(error) !== 'OFFSET_OUT_OF_RANGE') throw error;
      const { topic = '', partition = 0 } = error as { readonly topic?: string; readonly partition?: number };
      throw new PositionGone({ topic: this.#names.fromWire(topic) ?? topic, partition }, { cause: error });
    }
  }

  /** Where partitions begin and end now. Partitions that are gone are left out. @throws LogUnavailable */
  async ends(places: readonly PartitionPlace[], which: 'both' | 'next' = 'both'): Promise<Map<string, PartitionEnds>> {
    return this.#again('look where partitions end', async () => {
      const list = async (fromBeginning: boolean): Promise<Map<string, Offset>> => {
        const found = (await this.#cluster.fetchTopicsOffset(
          byTopic(places).map(([topic, partitions]) => ({
            topic: this.#names.toWire(topic),
            partitions: partitions.map((partition) => ({ partition })),
            fromBeginning,
          })),
        )) as readonly TopicNotice[];
        return new Map(
          found.flatMap(({ topic, partitions }) =>
            partitions.map(({ partition, offset }) => [
              `${this.#names.fromWire(topic)}/${partition}`,
              BigInt(offset) as Offset,
            ]),
          ),
        );
      };
      if (places.length === 0) return new Map();
      const [next, earliest] = await Promise.all([list(false), which === 'both' ? list(true) : undefined]);
      return new Map(
        Array.from(next, ([place, offset]) => [
          place,
          { earliest: earliest?.get(place) ?? (0n as Offset), next: offset },
        ]),
      );
    });
  }

  /** As `Log.fetch`. */
  async read(from: RecordPlace, limit: number, signal?: AbortSignal): Promise<readonly LogRecord[]> {
    const { topic, partition } = from;
    await this.know([topic]);
    if (!this.partitions(topic).includes(partition)) {
      await this.know([topic], true);
      if (!this.partitions(topic).includes(partition))
        throw new NotFound(`there is no partition ${partition} of a topic ${topic}`);
    }
    const records: LogRecord[] = [];
    let bytes = 0;
    for (let offset = from.offset; ;) {
      signal?.throwIfAborted();
      const page = await this.page({ topic, partition, offset });
      for (const record of page.records) {
        const size = record.value?.byteLength ?? 0;
        if (records.length === limit || (records.length > 0 && bytes + size > MAX_FETCH_BYTES)) return records;
        records.push(record);
        bytes += size;
      }
      if (page.next >= page.end) return records;
      offset = page.next;
    }
  }

  /** What one request brings of one partition, at once; from its beginning when the place lies before. @throws LogUnavailable */
  async page(place: RecordPlace): Promise<FetchedPartition> {
    return this.#again('read records', async () => {
      const request = { ...place, maxBytes: PARTITION_FETCH_BYTES };
      const [leader] = this.byLeader([request]).keys();
      if (leader === undefined) throw new Error(`${place.topic}/${place.partition} has no leader`);
      try {
        const [page] = await this.fetchFrom(leader, [request], { maxWaitMs: 0, maxBytes: PARTITION_FETCH_BYTES });
        if (!page) throw new Error('the reply names no partition');
        return page;
      } catch (error) {
        if (!(error instanceof PositionGone)) throw error;
        const ends = (await this.ends([place])).get(`${place.topic}/${place.partition}`);
        if (!ends || place.offset >= ends.next) {
          const end = ends?.next ?? place.offset;
          return { ...place, records: [], bytes: 0, next: end, end };
        }
        return this.page({ ...place, offset: ends.earliest });
      }
    });
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect();
  }

  /** Leaders move and connections break: what is known is refreshed, and the work tried again, a few times. */
  async #again<T>(doing: string, work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const failure = kafkaError(error, doing, this.#brokers);
        if (failure.fate !== 'retry' || attempt === ATTEMPTS) throw failure;
        await this.#clock.sleep(PAUSE_MS * attempt);
        await this.know([], true);
      }
    }
  }
}

function byTopic(places: readonly PartitionPlace[]): [string, number[]][] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of places) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  return [...topics];
}
