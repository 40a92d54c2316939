import { Compile } from 'typebox/compile';
import type { LogRecord } from '../../ports/log/log.ts';
import { RecordUnreadable } from '../../runtime/errors.ts';
import { Envelope } from '../../schemas/envelope.ts';
import { Marker } from '../../schemas/marker.ts';
import { HookRecord } from '../../schemas/webhook-event.ts';

const envelope = Compile(Envelope);
const marker = Compile(Marker);
const hook = Compile(HookRecord);
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** What a source topic holds, told apart by shape. */
export type SourceRecord =
  | { readonly kind: 'marker'; readonly marker: Marker }
  | { readonly kind: 'envelope'; readonly envelope: Envelope }
  | { readonly kind: 'hook'; readonly hook: HookRecord };

/**
 * Reads the value of a record of a source topic.
 * @throws RecordUnreadable naming what is wrong and where, never the text itself.
 */
export function readSourceRecord(record: Pick<LogRecord, 'value'>): SourceRecord {
  const value = parseJson(record.value ?? new Uint8Array());
  try {
    return sourceRecord(value);
  } catch (error) {
    // The parser takes any depth; the check of a recursive schema runs out of stack.
    if (error instanceof RangeError) throw new RecordUnreadable('The record is nested too deeply.');
    throw error;
  }
}

function sourceRecord(value: unknown): SourceRecord {
  if (typeof value !== 'object' || value === null) throw new RecordUnreadable('The record is JSON, but not an object.');
  if ('kind' in value) {
    if (marker.Check(value)) return { kind: 'marker', marker: value };
    throw unreadable('marker', marker.Errors(value));
  }
  if ('event' in value) {
    if (hook.Check(value)) return { kind: 'hook', hook: value };
    throw unreadable('webhook event', hook.Errors(value));
  }
  if (envelope.Check(value)) return { kind: 'envelope', envelope: value as Envelope };
  throw unreadable('change envelope', envelope.Errors(value));
}

function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new RecordUnreadable('The record is not valid UTF-8.', { cause });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, which must not reach a log.
    throw new RecordUnreadable(
      error instanceof SyntaxError ? 'The record is not JSON.' : 'The record is nested too deeply.',
    );
  }
}

function unreadable(
  what: string,
  errors: readonly { readonly instancePath: string; readonly message: string }[],
): RecordUnreadable {
  const faults = errors.slice(0, 3).map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
  return new RecordUnreadable(`The record is not a ${what}: ${faults.join('; ')}.`);
}
