import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { RecordUnreadable } from '../../runtime/errors.ts';
import type { AppendRecord, Log } from '../../ports/log/log.ts';
import { CONNECTOR_STATE_TOPIC } from '../../schemas/topics.ts';

const KnownTable = Type.Object({
  name: Type.String({ description: '`schema.table` of the config.' }),
  oid: Type.Integer(),
  columns: Type.Array(Type.String()),
  key: Type.Array(Type.String()),
  publicationRel: Type.Integer({
    description: 'Number of its entry in the publication: another one means that changes went by unseen.',
  }),
});

const SnapshotProgress = Type.Object({
  done: Type.Array(Type.String()),
  current: Type.Union([Type.String(), Type.Null()]),
  lastKey: Type.Union([Type.Array(Type.String()), Type.Null()], {
    description: 'Key of the last row that is in the log.',
  }),
  rows: Type.Integer(),
});

/** A snapshot that was interrupted and went on: rows show changes that the stream has yet to bring. */
const Resumed = Type.Object({
  pgSnapshot: Type.String({
    description: 'What the rows show that were read last, as pg_current_snapshot() prints it.',
  }),
  upTo: Type.String({ description: 'No transaction that commits behind this place is among it.' }),
  tables: Type.Array(Type.String(), { description: 'Tables, as in the config, of which rows may show such changes.' }),
});

/**
 * What a Postgres source knows of itself, kept in the log beside the changes it covers and appended with them in one call, so that
 * position and changes cannot part.
 */
export const SourceState = Type.Object({
  slot: Type.String(),
  systemId: Type.String(),
  timeline: Type.Integer(),
  publicationOid: Type.Integer(),
  position: Type.String({ description: 'End of the last transaction that is in the log as a whole.' }),
  committedAt: Type.Number(),
  lastCommit: Type.Union([Type.Object({ endLsn: Type.String(), committedAt: Type.Number() }), Type.Null()], {
    description: 'The last transaction that was streamed. A server that does not know it is another history (R12).',
  }),
  epochs: Type.Array(Type.Object({ epoch: Type.Integer(), fromCommitLsn: Type.String() }), { minItems: 1 }),
  snapshot: Type.Union([SnapshotProgress, Type.Null()]),
  resumed: Type.Optional(Resumed),
  tables: Type.Array(KnownTable),
  partitions: Type.Optional(
    Type.Integer({ description: 'Of every source topic, while the rows of this epoch were read.' }),
  ),
  instance: Type.Integer({ description: 'Fencing number: the process with the highest one owns the source.' }),
});
export type SourceState = Type.Static<typeof SourceState>;
export type Resumed = Type.Static<typeof Resumed>;
export type SnapshotProgress = Type.Static<typeof SnapshotProgress>;
export type KnownTable = Type.Static<typeof KnownTable>;

const sourceState = Compile(SourceState);

/** The epoch that rows and changes get now. Every (re-)snapshot makes a new slot, so that a slot's whole stream has one epoch. */
export function currentEpoch(state: SourceState): number {
  return state.epochs.at(-1)?.epoch ?? 0;
}

/** The record that stores the state; goes into the same append as what it covers. */
export function stateRecord(source: string, state: SourceState): AppendRecord {
  return { topic: CONNECTOR_STATE_TOPIC, key: source, value: Buffer.from(JSON.stringify(state)) };
}

/** @throws RecordUnreadable when what is stored is no state of a Postgres source. */
export async function readState(log: Log, source: string, signal: AbortSignal): Promise<SourceState | undefined> {
  const [record] = await log.latest(CONNECTOR_STATE_TOPIC, [source], signal);
  if (!record?.value) return undefined;
  const state: unknown = JSON.parse(Buffer.from(record.value).toString('utf8'));
  if (!sourceState.Check(state)) throw new RecordUnreadable(`The stored state of source ${source} cannot be read.`);
  return state;
}
