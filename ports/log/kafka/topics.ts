import kafkajs from 'kafkajs';
import type { Admin } from 'kafkajs';
import type { Clock } from '../../../runtime/clock.ts';
import { InvalidConfig, NotFound } from '../../../runtime/errors.ts';
import type { Offset, PartitionState, TopicSpec } from '../log.ts';
import { faultType, kafkaError } from './classify-error.ts';
import type { KafkaConnection } from './connection.ts';
import { placeName } from './group-member.ts';
import type { Names } from './names.ts';
import type { FilledKafkaLogOptions } from './options.ts';
import type { PartitionSource } from './partition-source.ts';
import { START_MARK } from './start-offsets.ts';

/** Copies of a partition where there are brokers enough. */
const COPIES = 3;
/** How long a created topic may take to be known everywhere, and how often that is looked at, ms. */
const SETTLE_MS = 15_000;
const LOOK_EVERY_MS = 20;

const BATCH_LIMIT = 'max.message.bytes';
/** Kafka's own default of it. */
const DEFAULT_BATCH_BYTES = 1_048_588;

/** What an append must know of a topic. */
export interface TopicShape {
  readonly partitions: number;
  /** The largest batch of one partition in one request, as it is on the wire. */
  readonly maxBatchBytes: number;
}

/** Creates topics, knows how many partitions they have, and tells how far they and their groups are. */
export class KafkaTopics {
  readonly #options: FilledKafkaLogOptions;
  readonly #names: Names;
  readonly #source: PartitionSource;
  readonly #admin: Admin;
  readonly #clock: Clock;
  readonly #partitions = new Map<string, { readonly count: number; readonly asOfMs: number }>();
  /** By topic, its `max.message.bytes`. */
  readonly #limits = new Map<string, number>();
  readonly #learning = new Map<string, Promise<TopicShape>>();
  #connecting: Promise<void> | undefined;

  constructor(connection: KafkaConnection, options: FilledKafkaLogOptions, names: Names, source: PartitionSource) {
    this.#source = source;
    this.#options = options;
    this.#names = names;
    this.#admin = connection.admin();
    this.#clock = options.clock;
  }

  /** As `Log.createTopics`. Settings of a topic that exists are left as an operator made them. */
  async create(specs: readonly TopicSpec[], signal?: AbortSignal): Promise<void> {
    const known = await this.#counts();
    const missing = specs.filter(({ name }) => !known.has(name));
    await this.#createMissing(missing);
    const growing: { topic: string; count: number }[] = [];
    for (const { name, partitions } of specs) {
      const count = known.get(name);
      if (count === undefined || count === partitions) continue;
      if (count > partitions)
        throw new InvalidConfig(
          `topic ${name} has ${count} partitions, not ${partitions}; Kafka cannot take partitions away: ask for ${count} or more`,
        );
      growing.push({ topic: this.#names.toWire(name), count: partitions });
    }
    if (growing.length > 0)
      await this.#call('add partitions', (admin) => admin.createPartitions({ topicPartitions: growing }));
    await this.#settled(missing.length + growing.length > 0 ? specs : [], signal);
    await this.#learnLimits(specs.map(({ name }) => name));
  }

  /**
   * What an append must know of a topic, as far as it is known without asking; undefined when nobody has asked yet. What is older than
   * `metadataMaxAgeMs` is asked for again on the side, so that new partitions are noticed.
   */
  shape(topic: string): TopicShape | undefined {
    const known = this.#partitions.get(topic);
    const maxBatchBytes = this.#limits.get(topic);
    if (!known || maxBatchBytes === undefined) return undefined;
    if (this.#clock.monotonicMs() - known.asOfMs >= this.#options.metadataMaxAgeMs) {
      this.#partitions.set(topic, { ...known, asOfMs: this.#clock.monotonicMs() });
      void this.#counts([topic]).then(
        (counts) => counts.has(topic) || this.#partitions.delete(topic),
        () => undefined, // whoever appends meets the same error
      );
    }
    return { partitions: known.count, maxBatchBytes };
  }

  /** Asks what an append must know of a topic; calls that come meanwhile share the answer. @throws NotFound */
  learn(topic: string): Promise<TopicShape> {
    const learning = this.#learning.get(topic) ?? this.#learn(topic).finally(() => this.#learning.delete(topic));
    this.#learning.set(topic, learning);
    return learning;
  }

  async #learn(topic: string): Promise<TopicShape> {
    const partitions = (await this.#counts([topic])).get(topic);
    if (partitions === undefined) throw new NotFound(`there is no topic ${topic}`);
    await this.#learnLimits([topic]);
    return { partitions, maxBatchBytes: this.#limits.get(topic) ?? DEFAULT_BATCH_BYTES };
  }

  async #learnLimits(topics: readonly string[]): Promise<void> {
    const unknown = topics.filter((topic) => !this.#limits.has(topic));
    if (unknown.length === 0) return;
    const resources = unknown.map((topic) => ({
      type: kafkajs.ConfigResourceTypes.TOPIC,
      name: this.#names.toWire(topic),
      configNames: [BATCH_LIMIT],
    }));
    try {
      const { resources: found } = await this.#call('read the settings of topics', (admin) =>
        admin.describeConfigs({ includeSynonyms: false, resources }),
      );
      for (const { resourceName, configEntries } of found) {
        const value = configEntries.find(({ configName }) => configName === BATCH_LIMIT)?.configValue;
        const topic = this.#names.fromWire(resourceName);
        if (topic !== undefined && value) this.#limits.set(topic, Number(value));
      }
    } catch (error) {
      // Made a moment ago, perhaps by another process, and not yet known to the broker that was asked: whoever appends asks again.
      if (error instanceof NotFound) return;
      if (!(error instanceof InvalidConfig)) throw error;
    }
    // Whoever may not read settings goes by Kafka's default.
    for (const topic of unknown) if (!this.#limits.has(topic)) this.#limits.set(topic, DEFAULT_BATCH_BYTES);
  }

  /** As `Log.describe`; the bytes of a partition are not known. */
  async describe(topics: readonly string[]): Promise<PartitionState[]> {
    const counts = await this.#counts(topics.length === 0 ? undefined : topics);
    for (const topic of topics) if (!counts.has(topic)) throw new NotFound(`there is no topic ${topic}`);
    const names = [...counts.keys()].toSorted();
    const groups = await this.#groupOffsets(names);
    await this.#source.know(names);
    const places = names.flatMap((topic) =>
      Array.from({ length: counts.get(topic) ?? 0 }, (_, partition) => ({ topic, partition })),
    );
    const ends = await this.#source.ends(places);
    return places.flatMap((place): PartitionState[] => {
      const found = ends.get(placeName(place));
      return found ? [{ ...place, ...found, groups: groups.get(placeName(place)) ?? {}, bytes: 0 }] : [];
    });
  }

  /** Forgets what a group has committed, so that it would begin anew. Idempotent. @throws LogUnavailable while it has members. */
  async forgetGroup(group: string): Promise<void> {
    try {
      await this.#call('forget a group', (admin) => admin.deleteGroups([this.#names.toWire(group)]));
    } catch (error) {
      const { groups = [] } = ((error as Error).cause ?? {}) as { readonly groups?: readonly { error?: unknown }[] };
      if (groups.length === 0 || groups.some((one) => faultType(one.error) !== 'GROUP_ID_NOT_FOUND')) throw error;
    }
  }

  async close(): Promise<void> {
    await this.#admin.disconnect();
  }

  async #createMissing(specs: readonly TopicSpec[]): Promise<void> {
    if (specs.length === 0) return;
    const { replicationFactor } = this.#options;
    const copies =
      replicationFactor ??
      Math.min(COPIES, (await this.#call('count brokers', (admin) => admin.describeCluster())).brokers.length);
    const topics = specs.map((spec) => ({
      topic: this.#names.toWire(spec.name),
      numPartitions: spec.partitions,
      replicationFactor: copies,
      configEntries: this.#settings(spec, copies),
    }));
    // Another process may be creating them, too: that is success.
    await this.#call('create topics', (admin) => admin.createTopics({ topics, waitForLeaders: false }));
  }

  #settings({ cleanup, retentionMs }: TopicSpec, copies: number): { name: string; value: string }[] {
    const { maxRecordBytes, minCompactionLagMs } = this.#options;
    const settings: Readonly<Record<string, string>> = {
      'cleanup.policy': cleanup,
      [BATCH_LIMIT]: String(maxRecordBytes + BATCH_OVERHEAD_BYTES),
      // A resolved append survives the loss of one broker.
      'min.insync.replicas': String(Math.max(1, copies - 1)),
      ...(cleanup === 'delete' ? { 'retention.ms': String(retentionMs ?? -1) } : {}),
      ...(cleanup === 'compact' ? { 'min.compaction.lag.ms': String(minCompactionLagMs) } : {}),
    };
    return Object.entries(settings).map(([name, value]) => ({ name, value }));
  }

  /** Waits until every broker that is asked knows the topics: an append right after must not be refused. */
  async #settled(specs: readonly TopicSpec[], signal?: AbortSignal): Promise<void> {
    const until = this.#clock.monotonicMs() + SETTLE_MS;
    while (specs.length > 0) {
      const known = await this.#counts();
      if (specs.every(({ name, partitions }) => (known.get(name) ?? 0) >= partitions)) return;
      if (this.#clock.monotonicMs() > until) return;
      await this.#clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  /** Partition counts of the topics that exist; of all in the namespace when none is named. */
  async #counts(topics?: readonly string[]): Promise<Map<string, number>> {
    const wire = topics?.map((topic) => this.#names.toWire(topic));
    const found = await this.#call('list topics', async (admin) => {
      try {
        return (await admin.fetchTopicMetadata(wire && { topics: wire })).topics;
      } catch (error) {
        if (!wire || faultType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
        const all = (await admin.fetchTopicMetadata()).topics;
        return all.filter(({ name }) => wire.includes(name));
      }
    });
    const counts = new Map<string, number>();
    const asOfMs = this.#clock.monotonicMs();
    for (const { name, partitions } of found) {
      const topic = this.#names.fromWire(name);
      // A topic whose partitions have no leader yet cannot be used.
      if (topic === undefined || partitions.length === 0 || partitions.some(({ leader }) => leader < 0)) continue;
      counts.set(topic, partitions.length);
      this.#partitions.set(topic, { count: partitions.length, asOfMs });
    }
    return counts;
  }

  async #groupOffsets(topics: readonly string[]): Promise<Map<string, Record<string, Offset>>> {
    const byPlace = new Map<string, Record<string, Offset>>();
    const { groups } = await this.#call('list groups', (admin) => admin.listGroups());
    for (const { groupId } of groups) {
      const group = this.#names.fromWire(groupId);
      if (!group?.startsWith(this.#options.groupPrefix)) continue;
      const committed = await this.#call('read the offsets of a group', (admin) =>
        admin.fetchOffsets({ groupId, topics: topics.map((topic) => this.#names.toWire(topic)) }),
      );
      for (const { topic, partitions } of committed)
        for (const { partition, offset, metadata } of partitions) {
          if (offset.startsWith('-') || metadata === START_MARK) continue;
          const place = placeName({ topic: this.#names.fromWire(topic) ?? topic, partition });
          const known = byPlace.get(place) ?? {};
          known[group] = BigInt(offset) as Offset;
          byPlace.set(place, known);
        }
    }
    return byPlace;
  }

  async #call<T>(doing: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      this.#connecting ??= this.#admin.connect();
      await this.#connecting;
      return await work(this.#admin);
    } catch (error) {
      this.#connecting = undefined;
      throw kafkaError(error, doing, this.#options.brokers);
    }
  }
}

/** What a batch of one record adds to it, bytes: its header and the lengths. */
export const BATCH_OVERHEAD_BYTES = 512;
