import { classifyStatus } from './classify.ts';
import type { Connection } from './connection.ts';

/** One document of a multi-get. */
export interface Gotten<Source> {
  readonly found?: boolean;
  readonly _seq_no?: number;
  readonly _primary_term?: number;
  readonly _source?: Source;
  readonly error?: { readonly type?: string; readonly reason?: string };
}

/** What is asked for: a document, with all of its source unless some fields are named. */
export interface Wanted {
  readonly _id: string;
  readonly _source?: readonly string[];
}

/**
 * Documents by `_id`, in the order asked, from what is durable and not only from what is searchable.
 * @throws StoreUnavailable when a shard cannot answer: a document is never taken for missing because its shard is.
 */
export async function multiGet<Source>(
  connection: Connection,
  index: string,
  docs: readonly Wanted[],
  query: Readonly<Record<string, string | boolean>>,
  signal?: AbortSignal,
): Promise<readonly Gotten<Source>[]> {
  const reply = await connection.repeatable<{ readonly docs: readonly Gotten<Source>[] }>(
    'read documents',
    { method: 'POST', path: `/${index}/_mget`, query, body: { docs } },
    signal,
    ({ docs: gotten }) => {
      const error = gotten.find((each) => each.error)?.error;
      if (error) throw classifyStatus(error.type === 'index_not_found_exception' ? 404 : 503, error);
    },
  );
  return reply.docs;
}
