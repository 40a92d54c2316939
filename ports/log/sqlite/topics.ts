import { InvalidConfig, NotFound } from '../../../runtime/errors.ts';
import type { Sqlite, Statement } from '../../sqlite.ts';
import type { TopicSpec } from '../log.ts';
import type { PartitionNumber } from './schema.ts';

/** A topic as it was created. */
export interface Topic {
  readonly name: string;
  readonly compacted: boolean;
  readonly retentionMs: number | undefined;
  /** By partition. */
  readonly numbers: readonly PartitionNumber[];
}

/** One partition of a topic, from 0. */
export interface Partition {
  readonly topic: string;
  readonly partition: number;
}

/** The topics there are, kept in memory: a topic never goes away and never changes its partitions. */
export class Topics {
  readonly #db: Sqlite;
  readonly #byName = new Map<string, Topic>();
  readonly #byNumber = new Map<PartitionNumber, Partition>();
  readonly #select: Statement<{ name: string; cleanup: string; retention_ms: bigint | null }>;
  readonly #partitions: Statement<{ number: bigint; topic: string; partition: bigint }>;

  constructor(db: Sqlite) {
    this.#db = db;
    this.#select = db.prepare('SELECT name, cleanup, retention_ms FROM topics ORDER BY name');
    this.#partitions = db.prepare('SELECT number, topic, partition FROM partitions ORDER BY topic, partition');
    db.snapshot(() => this.#load());
  }

  create(specs: readonly TopicSpec[]): void {
    const insert = this.#db.prepare(
      `INSERT INTO topics (name, cleanup, retention_ms) VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET cleanup = excluded.cleanup, retention_ms = excluded.retention_ms`,
    );
    const insertPartition = this.#db.prepare('INSERT INTO partitions (topic, partition) VALUES (?, ?)');
    this.#db.transaction(() => {
      this.#load();
      for (const { name, partitions, cleanup, retentionMs } of specs) {
        const known = this.#byName.get(name);
        if (known && known.numbers.length !== partitions)
          throw new InvalidConfig(
            `topic ${name} has ${known.numbers.length} partitions, not ${partitions}; the number cannot be changed, because ` +
              'records of one key would land in different partitions',
          );
        insert.run(name, cleanup, retentionMs ?? null);
        for (let partition = 0; !known && partition < partitions; partition++) insertPartition.run(name, partition);
      }
    });
    this.#db.snapshot(() => this.#load());
  }

  find(name: string): Topic | undefined {
    const known = this.#byName.get(name);
    if (known) return known;
    this.#db.snapshot(() => this.#load()); // another process may have created it
    return this.#byName.get(name);
  }

  /** @throws NotFound */
  get(name: string): Topic {
    const topic = this.find(name);
    if (!topic) throw new NotFound(`there is no topic ${name}`);
    return topic;
  }

  /** @throws NotFound */
  number(topic: string, partition: number): PartitionNumber {
    const number = this.get(topic).numbers[partition];
    if (number === undefined) throw new NotFound(`topic ${topic} has no partition ${partition}`);
    return number;
  }

  partition(number: PartitionNumber): Partition {
    const known = this.#byNumber.get(number);
    if (known) return known;
    this.#db.snapshot(() => this.#load());
    const loaded = this.#byNumber.get(number);
    if (!loaded) throw new NotFound(`there is no partition with number ${number}`);
    return loaded;
  }

  all(): readonly Topic[] {
    this.#db.snapshot(() => this.#load());
    return [...this.#byName.values()];
  }

  #load(): void {
    const numbers = new Map<string, PartitionNumber[]>();
    this.#byNumber.clear();
    for (const { number, topic, partition } of this.#partitions.all()) {
      this.#byNumber.set(number, { topic, partition: Number(partition) });
      const list = numbers.get(topic);
      if (list) list.push(number);
      else numbers.set(topic, [number]);
    }
    this.#byName.clear();
    for (const { name, cleanup, retention_ms: retentionMs } of this.#select.all())
      this.#byName.set(name, {
        name,
        compacted: cleanup === 'compact',
        retentionMs: retentionMs === null ? undefined : Number(retentionMs),
        numbers: numbers.get(name) ?? [],
      });
  }
}
