import type { AppendRecord } from '../../ports/log/log.ts';
import type { Random } from '../../runtime/clock.ts';
import type { TableConfig } from '../../runtime/config/config.ts';
import { NEW_KEY_HEADER, OLD_KEY_HEADER, UNAVAILABLE, type Envelope, type Row } from '../../schemas/envelope.ts';
import { documentId, type DocumentId } from '../../schemas/ids.ts';
import { formatLsn, type Lsn } from '../../schemas/lsn.ts';
import type { RemoveBelow, Watermark } from '../../schemas/marker.ts';
import { tableTopic, VERSION_HEADER } from '../../schemas/topics.ts';
import { sourceVersion, type SourceVersion } from '../../schemas/version.ts';
import { below, pick } from './random.ts';

export const SOURCE = 'sim';
export const TOPIC = tableTopic(SOURCE, 'public', 'articles');
export const TABLE: TableConfig = {
  table: 'public.articles',
  title: 'title',
  body: ['summary', 'body'],
  tenant: { column: 'tenant' },
  acl: { column: 'groups' },
  metadata: ['category'],
};

/** One version that the source had, or the end of a document. */
export interface HistoryEntry {
  readonly version: SourceVersion;
  readonly epoch: number;
  /** Commit position from which on a claim of freshness includes this entry. */
  readonly position: bigint;
  /** undefined: deleted. */
  readonly row: Row | undefined;
}

const WORDS = [
  'river',
  'delta',
  'spring',
  'basin',
  'flood',
  'stream',
  'current',
  'meander',
  'estuary',
  'source',
  'index',
  'passage',
  'vector',
  'tide',
  'brook',
  'canal',
];
const KEYS = 14;

/** A record that every stage takes and no store can hold: a NUL in the name of a tenant. */
const REFUSED_BY_THE_STORE = JSON.stringify({
  source: SOURCE,
  event: { id: '1', type: 'upsert', collection: 'articles', key: '1', document: { body: 'x', tenant: 'a\0b' } },
  receivedAt: 0,
  version: '1',
  position: '0/0',
});

/**
 * A table that changes, and the log of its changes as the Postgres connector writes it: transactions, one position for all rows of
 * a COPY, unchanged TOAST left out, key changes in two halves, TRUNCATE and re-snapshots as range tombstones, and after every
 * restart of the connector the last transactions once more.
 */
export class SimulatedSource {
  readonly history = new Map<DocumentId, HistoryEntry[]>();
  /** Versions below which everything of the table is gone: TRUNCATE and re-snapshots. */
  readonly floors: SourceVersion[] = [];
  /** Keys of records that must become dead letters. */
  readonly poisoned: string[] = [];
  readonly #random: Random;
  readonly #partitions: number;
  readonly #rows = new Map<string, Row>();
  #lsn = 1_000n;
  #epoch = 1;
  #events = 0;
  #sent: AppendRecord[][] = [];
  #lastWatermark: Pick<Watermark, 'position' | 'epoch'> | undefined;

  constructor(random: Random, partitions: number) {
    this.#random = random;
    this.#partitions = partitions;
  }

  /** The newest position that was announced, when there is one. */
  get lastWatermark(): Pick<Watermark, 'position' | 'epoch'> | undefined {
    return this.#lastWatermark;
  }

  get events(): number {
    return this.#events;
  }

  /** The next transaction as records, ready to append as one. */
  next(): readonly AppendRecord[] {
    const chance = this.#random();
    if (chance < 0.012 && this.#sent.length > 3) return this.#resnapshot();
    if (chance < 0.02) return this.#truncate();
    if (chance < 0.1 && this.#sent.length > 0) return this.#again();
    if (chance < 0.14) return this.#copy();
    const changes = below(this.#random, 6) === 0 ? 1 + below(this.#random, 8) : 1;
    const records = Array.from({ length: changes }, () => this.#change()).flat();
    return this.#committed(records);
  }

  /** Live rows by document, for the final comparison. */
  live(): Map<DocumentId, Row> {
    return new Map([...this.#rows].map(([key, row]) => [idOf(key), row]));
  }

  #committed(records: AppendRecord[]): AppendRecord[] {
    const transaction = [...records, ...this.#watermarks()];
    this.#sent.push(transaction);
    if (this.#sent.length > 6) this.#sent.shift();
    return transaction;
  }

  /** A restarted connector sends the last transactions again, in order. */
  #again(): AppendRecord[] {
    this.#events++;
    return this.#sent.slice(below(this.#random, this.#sent.length)).flat();
  }

  /** All rows of a COPY share one position. */
  #copy(): AppendRecord[] {
    this.#lsn += 8n;
    const first = below(this.#random, KEYS);
    const keys = Array.from({ length: 2 + below(this.#random, 5) }, (_, n) => `k${(first + n) % KEYS}`);
    this.#events += keys.length;
    return this.#committed(keys.map((key) => this.#write(key, this.#freshRow(), this.#rows.has(key) ? 'u' : 'c')));
  }

  #change(): AppendRecord[] {
    this.#events++;
    this.#lsn += BigInt(1 + below(this.#random, 40));
    const key = `k${below(this.#random, KEYS)}`;
    const row = this.#rows.get(key);
    const kind = this.#random();
    if (kind < 0.03) return [this.#poison()];
    if (!row) return [this.#write(key, this.#freshRow(), 'c')];
    if (kind < 0.15) return [this.#remove(key)];
    if (kind < 0.23) return this.#rename(key, row);
    if (kind < 0.45) return [this.#write(key, { ...row, category: pick(this.#random, WORDS) }, 'u', ['body'])];
    if (kind < 0.55) return [this.#write(key, { ...row }, 'u', ['body'])];
    if (kind < 0.65)
      return [this.#write(key, { ...row, groups: [pick(this.#random, ['red', 'blue'])] }, 'u', ['body', 'summary'])];
    return [this.#write(key, { ...row, body: edit(this.#random, String(row['body'])) }, 'u')];
  }

  #freshRow(): Row {
    const sentences = 1 + below(this.#random, 12);
    return {
      title: `${pick(this.#random, WORDS)} ${below(this.#random, 100)}`,
      summary: sentence(this.#random),
      body: Array.from({ length: sentences }, () => sentence(this.#random)).join(' '),
      tenant: pick(this.#random, ['acme', 'umbrella']),
      groups: pick(this.#random, [['red'], ['blue'], ['red', 'blue'], []]),
      category: pick(this.#random, WORDS),
    };
  }

  #write(
    key: string,
    row: Row,
    op: 'c' | 'u',
    untouched: readonly string[] = [],
    headers: Record<string, string> = {},
  ): AppendRecord {
    this.#rows.set(key, row);
    const version = sourceVersion(this.#epoch, this.#lsn);
    this.#note(key, version, row);
    const sent = Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, untouched.includes(name) ? UNAVAILABLE : value]),
    );
    return this.#record(key, op, sent, version, headers);
  }

  #remove(key: string, headers: Record<string, string> = {}): AppendRecord {
    this.#rows.delete(key);
    const version = sourceVersion(this.#epoch, this.#lsn);
    this.#note(key, version, undefined);
    return this.#record(key, 'd', null, version, headers);
  }

  /** Both halves have one position; the second leaves the body out. */
  #rename(key: string, row: Row): AppendRecord[] {
    const target = `k${below(this.#random, KEYS * 2)}`;
    if (this.#rows.has(target))
      return [this.#write(key, { ...row, title: `${pick(this.#random, WORDS)} again` }, 'u', ['body'])];
    return [
      this.#remove(key, { [NEW_KEY_HEADER]: JSON.stringify({ id: target }) }),
      this.#write(target, row, 'c', ['body', 'summary'], { [OLD_KEY_HEADER]: JSON.stringify({ id: key }) }),
    ];
  }

  #poison(): AppendRecord {
    const key = documentId({ source: SOURCE, table: TABLE.table, key: [`poison${this.#events}`] });
    this.poisoned.push(key);
    const broken = pick(this.#random, [
      '{"op":',
      '[]',
      '{"op":"c","before":null,"after":{"title":"x"},"source":{},"ts_ms":1}',
      '\ud800',
      REFUSED_BY_THE_STORE,
    ]);
    return { topic: TOPIC, key, value: broken === '\ud800' ? Uint8Array.of(0xff, 0xfe, 0x00) : Buffer.from(broken) };
  }

  #truncate(): AppendRecord[] {
    this.#events++;
    this.#lsn += 8n;
    const version = sourceVersion(this.#epoch, this.#lsn);
    this.floors.push(version);
    for (const key of this.#rows.keys()) this.#note(key, version, undefined);
    this.#rows.clear();
    return this.#committed(this.#markers((lane) => this.#removeBelow(version, 'truncate', lane, 1)));
  }

  /** Changes are lost, then everything is read again under a new epoch; what vanished meanwhile goes by a range tombstone. */
  #resnapshot(): AppendRecord[] {
    this.#events++;
    const before = new Set(this.#rows.keys());
    for (let lost = below(this.#random, 4); lost > 0; lost--) {
      const key = `k${below(this.#random, KEYS)}`;
      if (this.#random() < 0.5) this.#rows.delete(key);
      else this.#rows.set(key, this.#freshRow());
    }
    this.#epoch++;
    this.#lsn += 100n;
    this.#sent = []; // a new slot does not know the old transactions
    const version = sourceVersion(this.#epoch, 0n);
    this.floors.push(version);
    const reads = [...this.#rows].map(([key, row]) => {
      this.#note(key, version, row);
      return this.#record(key, 'r', row, version, {});
    });
    for (const key of before) if (!this.#rows.has(key)) this.#note(key, version, undefined);
    return this.#committed([
      ...reads,
      ...this.#markers((lane) => this.#removeBelow(version, 'snapshot', lane, this.#partitions)),
    ]);
  }

  #removeBelow(version: SourceVersion, reason: RemoveBelow['reason'], lane: string, lanes: number): RemoveBelow {
    return {
      kind: 'remove-below',
      source: SOURCE,
      table: TABLE.table,
      version: version.toString(),
      reason,
      lane,
      lanes,
      position: formatLsn(this.#lsn as Lsn),
      committedAt: 0,
    };
  }

  #watermarks(): AppendRecord[] {
    this.#lsn += 1n;
    this.#lastWatermark = { position: formatLsn(this.#lsn as Lsn), epoch: this.#epoch };
    return this.#markers((lane) => ({
      kind: 'watermark',
      source: SOURCE,
      lane,
      lanes: this.#partitions,
      position: formatLsn(this.#lsn as Lsn),
      committedAt: 0,
      epoch: this.#epoch,
    }));
  }

  #markers(marker: (lane: string) => Watermark | RemoveBelow): AppendRecord[] {
    return Array.from({ length: this.#partitions }, (_, partition) => {
      const content = marker(`${TOPIC}/${partition}`);
      return {
        topic: TOPIC,
        key: `~${content.kind}/${SOURCE}`,
        value: Buffer.from(JSON.stringify(content)),
        partition,
      };
    });
  }

  #note(key: string, version: SourceVersion, row: Row | undefined): void {
    const id = idOf(key);
    const entries = this.history.get(id) ?? [];
    entries.push({ version, epoch: this.#epoch, position: this.#lsn + 1n, row });
    this.history.set(id, entries);
  }

  #record(
    key: string,
    op: Envelope['op'],
    row: Row | null,
    version: SourceVersion,
    headers: Record<string, string>,
  ): AppendRecord {
    const lsn = op === 'r' ? '0/0' : formatLsn(this.#lsn as Lsn);
    const source: Envelope['source'] = {
      connector: 'postgresql',
      name: SOURCE,
      schema: 'public',
      table: 'articles',
      lsn,
      commitLsn: formatLsn(this.#lsn as Lsn),
      ts_ms: 0,
      snapshot: op === 'r' ? 'true' : 'false',
      epoch: this.#epoch,
    };
    const envelope: Envelope = { op, before: null, after: row, source, ts_ms: 0 };
    return {
      topic: TOPIC,
      key: idOf(key),
      // Spread in a way of its own, as Kafka Connect does.
      partition: (Number(key.slice(1)) * 7 + 3) % this.#partitions,
      value: Buffer.from(JSON.stringify(envelope)),
      headers: { ...headers, [VERSION_HEADER]: version.toString() },
    };
  }
}

export function idOf(key: string): DocumentId {
  return documentId({ source: SOURCE, table: TABLE.table, key: [key] });
}

function sentence(random: Random): string {
  return `The ${pick(random, WORDS)} and the ${pick(random, WORDS)} of ${pick(random, WORDS)} ${below(random, 1_000)} meet.`;
}

function edit(random: Random, body: string): string {
  const sentences = body.split('. ');
  sentences[below(random, sentences.length)] = sentence(random).slice(0, -1);
  return sentences.join('. ');
}
