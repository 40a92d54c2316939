import { expect } from 'vitest';
import { StorageFailed } from '../../runtime/errors.ts';
import type { Row } from '../../schemas/envelope.ts';
import type { TestDatabase } from './postgres.ts';
import { brokenPromises } from './replay.ts';
import type { RunningConnector, SourceRig } from './source-rig.ts';

/** Makes the log fail for good at its n-th append from now, 0 for the next one: nothing of that append is stored, as in a crash. */
export function crashAtAppend(rig: SourceRig, n: number): void {
  let left = n;
  rig.log.beforeAppend = () => {
    if (left-- <= 0) throw new StorageFailed('The test ends the process here.');
  };
}

/** The log works again. */
export function repair(rig: SourceRig): void {
  rig.log.beforeAppend = () => undefined;
}

/** Waits until the connector has either ended or caught up; true when it has ended. */
export async function endsOrCatchesUp(rig: SourceRig, running: RunningConnector): Promise<boolean> {
  return await Promise.race([
    running.ended.then(
      () => true,
      () => true,
    ),
    rig.caughtUp().then(() => false),
  ]);
}

/** The log says exactly what the query says, and no watermark has promised too much. */
export async function expectEqualTable(rig: SourceRig, database: TestDatabase, query: string): Promise<void> {
  const table = await database.sql<Record<string, unknown>>(query);
  const order = (rows: readonly unknown[]): string[] => rows.map((row) => canonical(row as Row)).toSorted();
  expect(order(rig.content())).toEqual(order(table));
  expect(brokenPromises(rig.log.records)).toEqual([]);
}

function canonical(row: object): string {
  return JSON.stringify(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
