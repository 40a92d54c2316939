import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { AppendRecord, Log } from '../../ports/log/log.ts';
import { RecordUnreadable } from '../../runtime/errors.ts';
import { layoutKey, type SourceLayout } from '../../schemas/table-layout.ts';
import { CONNECTOR_STATE_TOPIC } from '../../schemas/topics.ts';

const KnownTable = Type.Object({
  name: Type.String({ description: '`schema.table` of the config.' }),
  columns: Type.Array(Type.String()),
  key: Type.Array(Type.String()),
  oid: Type.Integer({ description: '0 where the database has no such number.' }),
  entry: Type.Integer({
    description: 'Number of its entry in the publication; another one means that changes went by.',
  }),
});

/**
 * What the connector of a source knows of it. The place that was reached is not in here: Kafka Connect keeps it, in one transaction
 * with nothing else, and is asked for it.
 */
export const DebeziumSourceState = Type.Object({
  kind: Type.Literal('debezium'),
  epoch: Type.Integer({ minimum: 0, maximum: 255 }),
  phase: Type.Union([Type.Literal('starting'), Type.Literal('snapshot'), Type.Literal('streaming')], {
    description:
      'starting: the stream of this epoch has never run. snapshot: it runs, and rows are being read. streaming: all rows have been read.',
  }),
  instance: Type.Integer({ description: 'Fencing number: the process with the highest one owns the source.' }),
  systemId: Type.String(),
  timeline: Type.Integer(),
  slot: Type.String(),
  publicationOid: Type.Integer(),
  position: Type.String({ description: 'Where the stream of this epoch begins.' }),
  committedAt: Type.Number({
    description: 'What was committed before this time is in the snapshot, ms since the epoch.',
  }),
  tables: Type.Array(KnownTable),
  partitions: Type.Optional(
    Type.Integer({ description: 'Of every source topic, while the rows of this epoch were read.' }),
  ),
});
export type DebeziumSourceState = Type.Static<typeof DebeziumSourceState>;
export type KnownTable = Type.Static<typeof KnownTable>;

const sourceState = Compile(DebeziumSourceState);

/** @throws RecordUnreadable when what is stored is no state of a Debezium source. */
export async function readState(
  log: Log,
  source: string,
  signal: AbortSignal,
): Promise<DebeziumSourceState | undefined> {
  const [record] = await log.latest(CONNECTOR_STATE_TOPIC, [source], signal);
  if (!record?.value) return undefined;
  const state: unknown = JSON.parse(Buffer.from(record.value).toString('utf8'));
  if (!sourceState.Check(state)) throw new RecordUnreadable(`The stored state of source ${source} cannot be read.`);
  return state;
}

export function stateRecord(source: string, state: DebeziumSourceState): AppendRecord {
  return { topic: CONNECTOR_STATE_TOPIC, key: source, value: Buffer.from(JSON.stringify(state)) };
}

/** The record that tells readers of the log what the columns of the source's tables are. */
export function layoutRecord(source: string, layout: SourceLayout): AppendRecord {
  return { topic: CONNECTOR_STATE_TOPIC, key: layoutKey(source), value: Buffer.from(JSON.stringify(layout)) };
}
