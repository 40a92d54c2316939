import type { LogRecord } from '../../ports/log/log.ts';
import { positionOrder } from '../../schemas/source-position.ts';
import { EPOCH_HEADER } from '../../schemas/topics.ts';

interface WireChange {
  readonly kind?: string;
  readonly position?: string;
  readonly epoch?: number;
  readonly op?: string;
  readonly source?: { readonly lsn?: number; readonly snapshot?: string; readonly txId?: number };
}

/**
 * Changes that come first after a watermark which says that they came before it: each is a broken promise (I11).
 * @param records partition by partition, in order
 * @param commitEnds where each transaction ends in the database's log, by its number
 */
export function brokenPromises(
  records: readonly LogRecord[],
  commitEnds: ReadonlyMap<number, bigint>,
): { readonly broken: readonly string[]; readonly checked: number } {
  const seen = new Set<string>();
  const promised = new Map<string, { readonly epoch: number; readonly position: bigint }>();
  const broken: string[] = [];
  for (const record of records) {
    const value = record.value ? (JSON.parse(Buffer.from(record.value).toString()) as WireChange) : {};
    const lane = `${record.topic}/${record.partition}`;
    if (value.kind === 'watermark') {
      promised.set(lane, { epoch: value.epoch ?? 0, position: positionOrder(value.position ?? '') ?? 0n });
      continue;
    }
    const end = commitEnds.get(value.source?.txId ?? -1);
    if (end === undefined || value.op === 'r') continue;
    const change = `${record.key} ${value.op} ${value.source?.lsn}`;
    const promise = promised.get(lane);
    const isCovered = promise?.epoch === Number(record.headers[EPOCH_HEADER] ?? 0) && promise.position >= end;
    if (isCovered && !seen.has(change)) broken.push(change);
    seen.add(change);
  }
  return { broken, checked: seen.size };
}
