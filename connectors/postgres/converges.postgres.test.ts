import fc from 'fast-check';
import { test } from 'vitest';
import { testDatabase } from '../../test/support/postgres.ts';
import { crashAtAppend, endsOrCatchesUp, expectEqualTable, repair } from '../../test/support/source-faults.ts';
import { sourceRig } from '../../test/support/source-rig.ts';

const NOTES = { table: 'public.notes', body: 'body', metadata: ['n'] };
const id = fc.integer({ min: 1, max: 8 });
const big = `(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 300))`;

/** One statement on a table of eight possible keys, so that histories collide. */
const statement = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(id, fc.boolean()).map(([key, isBig]) => upsert(key, isBig ? big : `'text'`)) },
  { weight: 3, arbitrary: id.map((key) => `UPDATE notes SET n = n + 1 WHERE id = ${key}`) },
  { weight: 2, arbitrary: id.map((key) => `DELETE FROM notes WHERE id = ${key}`) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(id, id)
      .map(
        ([from, to]) =>
          `UPDATE notes SET id = ${to} WHERE id = ${from} AND NOT EXISTS (SELECT FROM notes WHERE id = ${to})`,
      ),
  },
  { weight: 1, arbitrary: fc.constant('TRUNCATE notes') },
);

function upsert(key: number, body: string): string {
  return `INSERT INTO notes VALUES (${key}, ${body}, 0) ON CONFLICT (id) DO UPDATE SET body = excluded.body`;
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .array(statement, { minLength: 1, maxLength: 5 })
      .map((sql) => ({ kind: 'transaction' as const, sql })),
  },
  {
    weight: 2,
    // While nothing runs the table changes: rows that are read afterwards are younger than those before.
    arbitrary: fc
      .tuple(fc.nat({ max: 4 }), fc.array(statement, { maxLength: 6 }))
      .map(([appends, sql]) => ({ kind: 'crash' as const, appends, sql })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'resync' as const }) },
);

test('any history of transactions, crashes and lost slots ends in the content of the table', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), fc.boolean(), async (steps, isFull) => {
      await using database = await testDatabase();
      await database.sql('CREATE TABLE notes (id int PRIMARY KEY, body text, n int)');
      if (isFull) await database.sql('ALTER TABLE notes REPLICA IDENTITY FULL');
      const rig = sourceRig(database, [NOTES], { maxInFlightBytes: 65_536, snapshotBatchRows: 2 });
      let running = rig.start();
      for (const one of steps) {
        if (one.kind === 'transaction') await database.sql(`BEGIN; ${one.sql.join('; ')}; COMMIT`);
        else if (one.kind === 'crash') {
          crashAtAppend(rig, one.appends);
          await database.sql('UPDATE notes SET n = n + 1');
          if (await endsOrCatchesUp(rig, running)) running = rig.start();
          repair(rig);
          await running.stop();
          for (const each of one.sql) await database.sql(each);
          running = rig.start();
        } else {
          await running.stop();
          await database.dropSlots();
          running = rig.start();
        }
      }
      await rig.caughtUp(running);
      await expectEqualTable(rig, database, 'SELECT id, body, n FROM notes');
      await running.stop();
    }),
    { numRuns: 25, interruptAfterTimeLimit: 120_000, endOnFailure: true },
  );
});
