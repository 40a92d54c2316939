import type { AppendRecord } from '../../ports/log/log.ts';
import { documentId } from '../../schemas/ids.ts';
import type { Watermark } from '../../schemas/marker.ts';
import { CONNECTOR_STATE_TOPIC, hookTopic, VERSION_HEADER } from '../../schemas/topics.ts';
import { sourceVersion } from '../../schemas/version.ts';
import type { HookRecord, WebhookEvent } from '../../schemas/webhook-event.ts';

/** Ids of deliveries and events that were taken, so that a repeat has no effect. Compacted: the newest record of an id is kept. */
export const HOOK_IDS_TOPIC = 'freshet.hook-ids';

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Key of a delivery's or an event's id. The two never collide: an event may carry the id of its delivery. */
export function idKey(source: string, kind: 'delivery' | 'event', id: string): string {
  return `${source}/${kind}/${id}`;
}

/** The record of one event; `position` is its place in the order of arrival, and its version where the sender states none. */
export function eventRecord(source: string, event: WebhookEvent, position: bigint, receivedAt: number): AppendRecord {
  const record: HookRecord = {
    source,
    // The text of a deleted document has no use and must not be kept.
    event: event.type === 'delete' ? withoutDocument(event) : event,
    receivedAt,
    version: sourceVersion(0, event.version === undefined ? position : BigInt(event.version)).toString(),
    position: position.toString(),
  };
  const key = documentId({ source, table: event.collection, key: [String(event.key)] });
  return { topic: hookTopic(source), key, value: json(record), headers: { [VERSION_HEADER]: record.version } };
}

/** One marker for every partition: whoever has passed all of them has passed every event up to `position`. */
export function watermarkRecords(source: string, partitions: number, position: bigint, at: number): AppendRecord[] {
  const topic = hookTopic(source);
  return Array.from({ length: partitions }, (_, partition) => {
    const marker: Watermark = {
      kind: 'watermark',
      source,
      lane: `${topic}/${partition}`,
      lanes: partitions,
      position: position.toString(),
      committedAt: at,
      epoch: 0,
    };
    return { topic, partition, key: `watermark/${partition}`, value: json(marker) };
  });
}

export function idRecord(key: string, at: number): AppendRecord {
  return { topic: HOOK_IDS_TOPIC, key, value: json({ at }) };
}

/** What the connector reads back at start: the last position it gave out. */
export function stateRecord(source: string, position: bigint): AppendRecord {
  return { topic: CONNECTOR_STATE_TOPIC, key: source, value: json({ position: position.toString() }) };
}

/** @throws TypeError when the record was not written by this connector: the source's name was another kind's before. */
export function readState(value: Uint8Array): bigint {
  const state: unknown = JSON.parse(Buffer.from(value).toString());
  const position = (state as { position?: unknown } | null)?.position;
  if (typeof position !== 'string' || !/^\d{1,20}$/.test(position))
    throw new TypeError('the state of the source was not written by the webhook connector');
  return BigInt(position);
}

function withoutDocument({ document: _document, ...rest }: WebhookEvent): WebhookEvent {
  return rest;
}
