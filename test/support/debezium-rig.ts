import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import type { Connector } from '../../connectors/connector.ts';
import { debeziumConnector } from '../../connectors/debezium/debezium-connector.ts';
import type { DebeziumSourceConfig } from '../../connectors/debezium/debezium-source.ts';
import { openKafkaLog, type KafkaLog } from '../../ports/log/kafka-log.ts';
import type { LogRecord, Offset, TopicSpec } from '../../ports/log/log.ts';
import { deadLettersIn } from '../../pipeline/dead-letters.ts';
import { decodeChange } from '../../pipeline/stages/decode-change.ts';
import { Blocked, type Stage, type Verdict } from '../../pipeline/stage.ts';
import { pipelineTopics } from '../../pipeline/topics.ts';
import { systemClock } from '../../runtime/clock.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import { createMetrics, type Metrics } from '../../runtime/metrics.ts';
import type { Document, DocumentChange } from '../../schemas/document.ts';
import { positionOrder } from '../../schemas/source-position.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import { capturedTopic, discoverTopics } from '../../connectors/captured-tables.ts';

export function engine(name: 'KAFKA_TEST_URL' | 'CONNECT_TEST_URL' | 'POSTGRES_TEST_URL' | 'MARIADB_TEST_URL'): string {
  const url = process.env[name];
  if (!url) throw new Error(`${name} is not set: run npm run engines first`);
  return url;
}

/** A Debezium source on the shared engines, in a namespace of its own. Disposing removes its connectors and topics. */
export interface DebeziumRig extends AsyncDisposable {
  readonly log: KafkaLog;
  readonly metrics: Metrics;
  config: DebeziumSourceConfig;
  start(logger?: Logger): { readonly connector: Connector; readonly ended: Promise<void>; stop(): Promise<void> };
  /** Every record of the source's topics so far, partition by partition. */
  records(): Promise<readonly LogRecord[]>;
  /** What the pipeline makes of the records: verdicts that park are errors, by code. */
  decoded(): Promise<{
    readonly changes: readonly DocumentChange[];
    readonly parked: readonly string[];
    /** Through which partitions the versions of each document came. */
    readonly partitions: ReadonlyMap<string, ReadonlySet<number>>;
  }>;
  /** The documents that an index would hold. */
  documents(): Promise<ReadonlyMap<string, Document>>;
  /** Resolves once every lane has a watermark at or beyond the position, in the epoch or a later one. */
  reached(position: string, epoch?: number): Promise<void>;
  connect<T>(method: string, path: string): Promise<T>;
}

const never = new AbortController().signal;

export async function debeziumRig(
  source: Omit<DebeziumSourceConfig, 'name' | 'kind'> & { readonly name?: string },
  partitions = 2,
): Promise<DebeziumRig> {
  const id = crypto.randomUUID().replaceAll('-', '').slice(0, 12);
  const namespace = `dbz-${id}`;
  const stateDir = mkdtempSync(join(tmpdir(), 'freshet-dbz-'));
  const brokers = engine('KAFKA_TEST_URL').split(',');
  const log = await openKafkaLog({
    brokers,
    namespace,
    stateDir,
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
  });
  const metrics = createMetrics();
  const stops: (() => Promise<void>)[] = [];
  const read = new Map<string, LogRecord[]>();
  const rig: DebeziumRig = {
    log,
    metrics,
    config: { name: `s${id}`, kind: 'debezium', slot: `slot_${id}`, publication: `pub_${id}`, ...source },
    start(logger = silentLogger) {
      const abort = new AbortController();
      const connector = debeziumConnector({
        config: rig.config,
        connectUrl: engine('CONNECT_TEST_URL'),
        brokers: brokers.join(),
        namespace,
        log,
        partitions,
        clock: systemClock,
        random: Math.random,
        logger,
        metrics,
      });
      const ended = connector.run(abort.signal);
      ended.catch(() => undefined);
      const stop = async (): Promise<void> => {
        abort.abort();
        await ended.catch(() => undefined);
      };
      stops.push(stop);
      return { connector, ended, stop };
    },
    async records() {
      for (const { topic, partition, earliest, next } of await log.describe(
        tableTopicSpecs(rig.config, partitions).map(({ name }) => name),
      )) {
        const lane = read.get(`${topic}/${partition}`) ?? [];
        read.set(`${topic}/${partition}`, lane);
        for (let offset = lane.at(-1)?.offset ?? ((earliest - 1n) as Offset); offset + 1n < next;) {
          const page = await log.fetch({ topic, partition, offset: (offset + 1n) as Offset }, 1_000);
          lane.push(...page);
          const last = page.at(-1);
          if (!last) break;
          offset = last.offset;
        }
      }
      return [...read.values()].flat();
    },
    async decoded() {
      const tables = new Map(rig.config.tables.map((table) => [capturedTopic(rig.config.name, table), table]));
      const deadLetters = deadLettersIn({ log, clock: systemClock, logger: silentLogger, metrics });
      const stage = decodeChange({ tables, log, deadLetters, maxDocumentBytes: 50_000_000, clock: systemClock });
      const { records, verdicts } = await runAsRead(stage, await rig.records());
      const partitions = new Map<string, Set<number>>();
      for (const verdict of verdicts)
        for (const { change, partition } of verdict.kind === 'emit' ? verdict.values : [])
          if (change.kind === 'document')
            partitions.set(change.id, (partitions.get(change.id) ?? new Set()).add(partition));
      return {
        partitions,
        changes: verdicts.flatMap((one) => (one.kind === 'emit' ? one.values.map(({ change }) => change) : [])),
        parked: verdicts.flatMap((one, index) =>
          one.kind === 'reject' ? [`${placeOf(records[index])} ${one.error.code}: ${one.error.message}`] : [],
        ),
      };
    },
    async documents() {
      const { changes, parked } = await rig.decoded();
      if (parked.length > 0) throw new Error(parked.join('\n'));
      return indexed(changes);
    },
    async reached(position, epoch = 0) {
      const target = positionOrder(position) ?? 0n;
      const wanted = rig.config.tables.length * partitions;
      for (;;) {
        const lanes = new Set<string>();
        for (const { value } of await rig.records()) {
          const text = value ? Buffer.from(value).toString() : '';
          if (!text.startsWith('{"kind":"watermark"')) continue;
          const mark = JSON.parse(text) as { lane: string; position: string; epoch: number };
          if (mark.epoch >= epoch && (positionOrder(mark.position) ?? 0n) >= target) lanes.add(mark.lane);
        }
        if (lanes.size === wanted) return;
        await systemClock.sleep(150);
      }
    },
    async connect(method, path) {
      const response = await fetch(`${engine('CONNECT_TEST_URL')}${path}`, { method });
      const text = await response.text();
      return (text === '' ? undefined : JSON.parse(text)) as never;
    },
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await stop();
      const names = await rig.connect<string[]>('GET', '/connectors');
      for (const name of names.filter((each) => each.includes(rig.config.name)))
        await rig.connect('DELETE', `/connectors/${name}`);
      await log[Symbol.asyncDispose]();
      const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
      await admin.connect();
      const topics = (await admin.listTopics()).filter((each) => each.includes(id));
      await admin.deleteTopics({ topics }).catch(() => undefined);
      await admin.disconnect();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
  const topics = [...pipelineTopics(partitions, 3_600_000), ...tableTopicSpecs(rig.config, partitions)];
  // A busy broker may not know yet what it has just made.
  await log.createTopics(topics).catch(() => log.createTopics(topics));
  // Nor, of many, who leads them.
  for (let isKnown = false; !isKnown;)
    isKnown = await log.describe(topics.map(({ name }) => name)).then(
      () => true,
      () => false,
    );
  return rig;
}

/**
 * Runs the stage as a worker does: within a partition by offset, across partitions by time, and whatever has to wait for another
 * partition a little later. A clock that is set back turns no partition round.
 */
async function runAsRead<T>(
  stage: Stage<LogRecord, T>,
  all: readonly LogRecord[],
): Promise<{ readonly records: readonly LogRecord[]; readonly verdicts: readonly Verdict<T>[] }> {
  const delayMs = new Map<string, number>();
  for (;;) {
    const reached = new Map<string, number>();
    const records = all
      .map((record) => {
        const lane = `${record.topic}/${record.partition}`;
        const at = Math.max(record.timestamp + (delayMs.get(placeOf(record)) ?? 0), reached.get(lane) ?? 0);
        reached.set(lane, at);
        return { record, at };
      })
      .toSorted((a, b) => a.at - b.at)
      .map(({ record }) => record);
    try {
      return { records, verdicts: await stage.run(records, never) };
    } catch (cause) {
      if (!(cause instanceof Blocked)) throw cause;
      const place = placeOf(records[cause.index]);
      delayMs.set(place, 1 + (delayMs.get(place) ?? 0));
    }
  }
}

function placeOf(record: LogRecord | undefined): string {
  return `${record?.topic}/${record?.partition}/${record?.offset}`;
}

function tableTopicSpecs(config: DebeziumSourceConfig, partitions: number): readonly TopicSpec[] {
  return discoverTopics(config, partitions).filter(({ name }) => name.startsWith(`${config.name}.`));
}

/** The rule that the whole product lives by: the higher version wins, a deletion is one, a range tombstone refuses what is below. */
function indexed(changes: readonly DocumentChange[]): ReadonlyMap<string, Document> {
  const entries = new Map<string, { readonly version: SourceVersion; readonly document?: Document }>();
  const floors = new Map<string, bigint>();
  const lanes = new Map<string, Set<string>>();
  for (const change of changes) {
    if (change.kind === 'remove-below') {
      const marker = `${change.table}@${change.version}`;
      const seen = (lanes.get(marker) ?? new Set()).add(change.lane);
      lanes.set(marker, seen);
      const floor = BigInt(change.version);
      if (seen.size >= change.lanes && floor > (floors.get(change.table) ?? 0n)) floors.set(change.table, floor);
    }
    if (change.kind !== 'document' && change.kind !== 'tombstone') continue;
    const before = entries.get(change.id);
    if (before && before.version >= change.version) continue;
    entries.set(change.id, { version: change.version, ...(change.kind === 'document' && { document: change }) });
  }
  const live = [...entries].flatMap(([id, { version, document }]): [string, Document][] =>
    document && version >= (floors.get(document.source.table) ?? 0n) ? [[id, document]] : [],
  );
  return new Map(live.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
