import { documentId } from '../../../schemas/ids.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import type { RemoveBelowVersion } from '../document-store.ts';

/** `<source>/<table>`, both as document ids encode them. */
export type TableKey = string;

/** The version of each table below which nothing is taken. */
export type EffectiveFloors = ReadonlyMap<TableKey, SourceVersion>;

/** Range tombstones as they are stored, all tables in one record. Versions are decimal strings. */
export interface FloorsState {
  readonly [table: TableKey]: {
    /** The effective one; 0 while none is. */
    readonly version: string;
    /** Every document below it has been removed; until then a repeat of the write removes what is left. */
    readonly isSwept: boolean;
    /** Lanes that have asked, by the version that they asked for; only above `version`. */
    readonly asked: { readonly [version: string]: readonly string[] };
  };
}

/** The key of a table. */
export function tableKey(source: string, table: string): TableKey {
  return documentId({ source, table, key: [] }).slice(0, -1);
}

/** The key of the table that a document id belongs to; undefined for what is not an id. */
export function tableKeyOf(id: string): TableKey | undefined {
  const end = id.lastIndexOf('/');
  return end > 0 ? id.slice(0, end) : undefined;
}

/** Both halves as the index holds them: encoded. */
export function parseTableKey(key: TableKey): { readonly source: string; readonly table: string } {
  const slash = key.indexOf('/');
  return { source: key.slice(0, slash), table: key.slice(slash + 1) };
}

/** What writes and searches go by. */
export function effectiveFloors(state: FloorsState | undefined): EffectiveFloors {
  return new Map(
    Object.entries(state ?? {}).flatMap(([key, { version }]) =>
      version === '0' ? [] : [[key, BigInt(version) as SourceVersion] as const],
    ),
  );
}

/** The higher one for each table: they never go down. */
export function highestFloors(a: EffectiveFloors, b: EffectiveFloors): EffectiveFloors {
  const highest = new Map(a);
  for (const [table, floor] of b) if (floor > (highest.get(table) ?? -1n)) highest.set(table, floor);
  return highest;
}

/** What became of one lane's word for a range tombstone. */
export type FloorAnswer = 'effective' | 'waiting' | 'stale';

/** Takes one lane's word. `state` is undefined where nothing changes. */
export function askFloor(
  stored: FloorsState | undefined,
  write: RemoveBelowVersion,
): { readonly answer: FloorAnswer; readonly state: FloorsState | undefined } {
  const key = tableKey(write.source, write.table);
  const former = stored?.[key] ?? { version: '0', isSwept: true, asked: {} };
  if (BigInt(former.version) >= write.version) return { answer: 'stale', state: undefined };
  const version = String(write.version);
  const lanes = [...new Set([...(former.asked[version] ?? []), write.lane])];
  if (lanes.length < write.lanes) {
    const asked = { ...former.asked, [version]: lanes };
    return { answer: 'waiting', state: { ...stored, [key]: { ...former, asked } } };
  }
  const higher = Object.entries(former.asked).filter(([each]) => BigInt(each) > write.version);
  const floor = { version, isSwept: false, asked: Object.fromEntries(higher) };
  return { answer: 'effective', state: { ...stored, [key]: floor } };
}

/** The state once every document below `version` is gone; undefined where it does not change. */
export function sweptFloor(
  stored: FloorsState | undefined,
  key: TableKey,
  version: SourceVersion,
): FloorsState | undefined {
  const floor = stored?.[key];
  if (!floor || floor.isSwept || BigInt(floor.version) !== version) return undefined;
  return { ...stored, [key]: { ...floor, isSwept: true } };
}
