import { DocumentRefused, type FreshetError } from '../../../runtime/errors.ts';
import { classifyStatus, type ErrorBody } from './classify.ts';

/** One item of a bulk reply, as Elasticsearch sends it; the key is the operation. */
export interface BulkItem {
  readonly [operation: string]: { readonly status: number; readonly error?: ErrorBody };
}

/**
 * What became of one item, and so what happens to it next:
 * - `stored`: durable on every copy in sync.
 * - `conflict`: the document is not what it was read as. It may have been this very write, whose first reply was lost: read and compare.
 * - `again`: nothing is known to be wrong with it; the same item is sent again after a delay.
 * - `refused`: it will never be taken; its neighbours are not affected.
 * - `failed`: nothing will be taken until an operator acts.
 */
export type BulkVerdict =
  | { readonly kind: 'stored' }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'again'; readonly error: FreshetError }
  | { readonly kind: 'refused'; readonly error: FreshetError }
  | { readonly kind: 'failed'; readonly error: FreshetError };

/** Errors of an item that come with status 400 and yet are nobody's fault. */
const PASSING = new Set([
  'es_rejected_execution_exception',
  'circuit_breaking_exception',
  'unavailable_shards_exception',
]);

/** Judges every item of a bulk reply, in the order of the request. An item that the reply lacks is sent again. */
export function bulkVerdicts(items: readonly (BulkItem | undefined)[], expected: number): BulkVerdict[] {
  return Array.from({ length: expected }, (_, i) => verdict(Object.values(items[i] ?? {})[0]));
}

function verdict(result: BulkItem[string] | undefined): BulkVerdict {
  if (!result) return { kind: 'again', error: classifyStatus(503, { type: 'item_missing_in_reply' }) };
  const { status, error = {} } = result;
  if (status >= 200 && status < 300) return { kind: 'stored' };
  // 404 on an update: the document that was read is gone. Only an operator deletes; read again.
  if (status === 409 || error.type === 'document_missing_exception') return { kind: 'conflict' };
  const type = error.type ?? '';
  const classified = classifyStatus(PASSING.has(type) ? 503 : status, error);
  if (classified.fate === 'retry') return { kind: 'again', error: classified };
  // A full disk comes as 429 like an overload, and does not pass by itself.
  const isRefusal = status === 400 || classified.fate === 'dead-letter';
  if (!isRefusal) return { kind: 'failed', error: classified };
  // The reason quotes the document, so only the type is kept.
  return { kind: 'refused', error: new DocumentRefused(`the index cannot store this document (${type || status})`) };
}
