import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { EventInvalid, type RequestFault } from '../../runtime/errors.ts';
import { schemaFaults } from '../../runtime/schema-faults.ts';
import { jsonPointer, parseStrictJson } from '../../runtime/strict-json.ts';
import { POSITION_BITS } from '../../schemas/version.ts';
import { WebhookEvent } from '../../schemas/webhook-event.ts';

const oneEvent = Compile(WebhookEvent);
const manyEvents = Compile(
  Type.Object({ events: Type.Array(WebhookEvent, { minItems: 1, maxItems: 1_000 }) }, { additionalProperties: false }),
);

/**
 * Reads the events of a webhook's body, one or `{events: [...]}`, in their order. Integers beyond 2^53 in `key`, `version` and
 * `metadata` are kept exactly, as text. All or nothing: one bad event refuses the body, so that a sender can repeat it as a whole.
 * @throws EventInvalid naming every fault by its JSON pointer.
 */
export function readEvents(body: Uint8Array): readonly WebhookEvent[] {
  const parsed = parseStrictJson(body);
  if (parsed.kind === 'fault') throw invalid([parsed.fault]);
  const value = withExactIntegers(parsed.value);
  const isBatch = isObject(value) && 'events' in value;
  if (isBatch) {
    if (!manyEvents.Check(value)) throw invalid(schemaFaults(manyEvents.Errors(value)));
    return checked(value.events, (index) => ['events', index]);
  }
  if (!oneEvent.Check(value)) throw invalid(schemaFaults(oneEvent.Errors(value)));
  return checked([value], () => []);
}

/** What a JSON schema does not say: an upsert has a document, and a version fits beside the epoch. */
function checked(
  events: readonly WebhookEvent[],
  pathOf: (index: number) => readonly (string | number)[],
): readonly WebhookEvent[] {
  const faults: RequestFault[] = [];
  for (const [index, event] of events.entries()) {
    if (event.type === 'upsert' && !event.document)
      faults.push({ pointer: jsonPointer([...pathOf(index), 'document']), detail: 'is required for an upsert' });
    if (event.version !== undefined && BigInt(event.version) >> POSITION_BITS !== 0n)
      faults.push({ pointer: jsonPointer([...pathOf(index), 'version']), detail: 'must be below 2^55' });
  }
  if (faults.length > 0) throw invalid(faults);
  return events;
}

function invalid(faults: readonly RequestFault[]): EventInvalid {
  return new EventInvalid('The body is not an event, or a list of events, of the expected form.', { faults });
}

/** The strict parser gives large integers as bigint; where a sender may put one, its text stands for it. */
function withExactIntegers(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (Array.isArray(value['events'])) return { ...value, events: value['events'].map(withExactIntegers) };
  const event: Record<string, unknown> = { ...value };
  for (const field of ['key', 'version']) if (typeof event[field] === 'bigint') event[field] = String(event[field]);
  const document = event['document'];
  if (isObject(document) && isObject(document['metadata'])) {
    const metadata = Object.entries(document['metadata']).map(([name, inner]) => [
      name,
      typeof inner === 'bigint' ? String(inner) : inner,
    ]);
    event['document'] = { ...document, metadata: Object.fromEntries(metadata) as unknown };
  }
  return event;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
