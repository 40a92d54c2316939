import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { ProcessParts } from '../compose.ts';
import { capturedTopic } from '../../connectors/captured-tables.ts';
import { waitForPosition } from '../../query-api/answer/wait-for-position.ts';
import { requireAdmin } from '../../query-api/may-administer.ts';
import { NotFreshYet } from '../../runtime/errors.ts';
import { documentId } from '../../schemas/ids.ts';
import type { Committed, ShopRow, ShopTable } from './shop-table.ts';
import { traceChange, type Journey } from './trace-change.ts';

/** The source of the demo that visitors may change. */
export const SHOP = { source: 'shop', table: 'shop.articles' } as const;

/** How long a change is waited for before the reply says that it is still on its way, ms. */
const JOURNEY_WAIT_MS = 20_000;
const MAX_TITLE_CHARS = 200;
const MAX_BODY_CHARS = 4_000;

const Id = Type.Object({ id: Type.String({ pattern: '^[0-9]{1,9}$' }) });
const Content = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: MAX_TITLE_CHARS }),
    body: Type.String({ minLength: 1, maxLength: MAX_BODY_CHARS }),
  },
  { additionalProperties: false },
);
type Content = Type.Static<typeof Content>;

/** Reply to a change: what ran, and how long the change took to be searchable; no journey while it is still on its way. */
interface ChangeReply {
  readonly row: ShopRow;
  readonly documentId: string;
  readonly sql: string;
  readonly position: string;
  readonly journey?: Journey;
}

/**
 * `/demo/rows`: lets the console read and change the table of the demo. Only `freshet demo` mounts it, and only pages of this machine may
 * call it. A change is plain SQL to the source; it reaches the index through the log like any other.
 */
export function shopRoutes(table: ShopTable, parts: ProcessParts): FastifyPluginAsync {
  return async (app) => {
    app.addHook('onRequest', async (request) => requireAdmin(request, parts.config));
    const hidden = { hide: true };
    app.get('/demo/rows', { schema: hidden }, async () => ({ ...SHOP, rows: await table.list() }));
    app.post<{ Body: Content }>('/demo/rows', { schema: { ...hidden, body: Content } }, async (request) =>
      follow(await table.insert(request.body.title, request.body.body), parts, request),
    );
    app.put<{ Body: Content; Params: Type.Static<typeof Id> }>(
      '/demo/rows/:id',
      { schema: { ...hidden, params: Id, body: Content } },
      async (request) => {
        const { title, body } = request.body;
        return follow(await table.update(Number(request.params.id), title, body), parts, request);
      },
    );
    app.delete<{ Params: Type.Static<typeof Id> }>(
      '/demo/rows/:id',
      { schema: { ...hidden, params: Id } },
      async (request) => follow(await table.delete(Number(request.params.id)), parts, request),
    );
  };
}

/** Waits until a search is sure to see a commit, by the promise that every caller has (`after`), and says when it was where. */
async function follow(
  { value, sql, position }: Committed<ShopRow>,
  parts: ProcessParts,
  request: FastifyRequest,
): Promise<ChangeReply> {
  const id = documentId({ ...SHOP, key: [String(value.id)] });
  const committed = { row: value, documentId: id, sql, position };
  const wait = { after: { [SHOP.source]: position }, waitFor: 'searchable', waitMs: JOURNEY_WAIT_MS } as const;
  try {
    await waitForPosition(wait, parts.config.sources, parts.store, parts.clock, request);
  } catch (error) {
    if (error instanceof NotFreshYet) return committed;
    throw error;
  }
  const searchableAt = parts.clock.now();
  return {
    ...committed,
    journey: await traceChange(id, capturedTopic(SHOP.source, SHOP), searchableAt, parts, request.gone),
  };
}
