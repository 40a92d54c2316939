import type { AppendRecord, Log } from '../ports/log/log.ts';
import { epochKey, resyncKey, type SourceEpoch } from '../schemas/source-epoch.ts';
import { CONNECTOR_STATE_TOPIC } from '../schemas/topics.ts';

/** The record that says that a source's tables are read anew; goes into the append of the state that says so. */
export function epochRecord(source: string, epoch: number): AppendRecord {
  const value: SourceEpoch = { epoch };
  return { topic: CONNECTOR_STATE_TOPIC, key: epochKey(source), value: Buffer.from(JSON.stringify(value)) };
}

/** Whether a reader of the log has asked for the tables to be read anew since they were last. */
export async function isResyncAsked(log: Log, source: string, signal: AbortSignal): Promise<boolean> {
  const [asked, begun] = await log.latest(CONNECTOR_STATE_TOPIC, [resyncKey(source), epochKey(source)], signal);
  return asked !== undefined && (begun === undefined || asked.offset > begun.offset);
}
