import { documentId } from '../../../schemas/ids.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import type { Sqlite, Statement } from '../../sqlite.ts';
import type { RemoveBelowVersion } from '../document-store.ts';

/** Range tombstones: the version of a table below which nothing is taken. */
export class Floors {
  readonly #select: Statement<{ version: bigint }>;
  readonly #upsert: Statement<object>;
  readonly #insertLane: Statement<object>;
  readonly #countLanes: Statement<{ lanes: bigint }>;
  readonly #deleteLanes: Statement<object>;

  constructor(db: Sqlite) {
    this.#select = db.prepare('SELECT version FROM floors WHERE source = ? AND "table" = ?');
    this.#upsert = db.prepare(
      `INSERT INTO floors (source, "table", version) VALUES (?, ?, ?)
       ON CONFLICT (source, "table") DO UPDATE SET version = max(version, excluded.version)`,
    );
    this.#insertLane = db.prepare(
      'INSERT OR IGNORE INTO floor_lanes (source, "table", version, lane) VALUES (?, ?, ?, ?)',
    );
    this.#countLanes = db.prepare(
      'SELECT count(*) AS lanes FROM floor_lanes WHERE source = ? AND "table" = ? AND version = ?',
    );
    this.#deleteLanes = db.prepare('DELETE FROM floor_lanes WHERE source = ? AND "table" = ? AND version <= ?');
  }

  /** 0 when the table has none. */
  floor(source: string, table: string): SourceVersion {
    return (this.#select.get(source, table)?.version ?? 0n) as SourceVersion;
  }

  /**
   * Takes one lane's word for a range tombstone.
   * @returns `effective` when every lane has given it and documents below are to be removed, `waiting` when lanes are missing,
   * `stale` when the table has had this floor or a higher one before.
   */
  ask(write: RemoveBelowVersion): 'effective' | 'waiting' | 'stale' {
    const { source, table, version, lane, lanes } = write;
    if (this.floor(source, table) >= version) return 'stale';
    if (lanes > 1) {
      this.#insertLane.run(source, table, version, lane);
      if ((this.#countLanes.get(source, table, version)?.lanes ?? 0n) < BigInt(lanes)) return 'waiting';
    }
    this.#upsert.run(source, table, version);
    this.#deleteLanes.run(source, table, version);
    return 'effective';
  }
}

/** The ids of a table's documents are those from the first of these on and before the second. */
export function idRange(source: string, table?: string): readonly [from: string, to: string] {
  // The character after `/` is `0`; components are percent-encoded, so that no other name begins with `name/`.
  const prefix = documentId({ source, table: table ?? 'x', key: [] });
  const parts = prefix.split('/');
  const from = table === undefined ? `${parts[0]}/` : prefix;
  return [from, `${from.slice(0, -1)}0`];
}
