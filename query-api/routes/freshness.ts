import Type from 'typebox';
import { AsOf } from '../../schemas/query.ts';
import type { RouteGroup } from '../deps.ts';
import { asOf } from '../answer/wait-for-position.ts';
import { isAdmin } from '../may-administer.ts';
import { responses } from '../openapi.ts';

const Reached = Type.Object({ position: Type.String(), committedAt: Type.Number() });

const SourceFreshness = Type.Object({
  kind: Type.String(),
  position: Type.Optional(Type.String({ description: 'Every change up to it is searchable.' })),
  committedAt: Type.Optional(Type.Number({ description: 'Commit time of the position, ms since the epoch.' })),
  complete: Type.Optional(Reached),
  connected: Type.Optional(Type.Boolean()),
  state: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
  lagRecords: Type.Optional(Type.Integer()),
  freshnessSeconds: Type.Optional(
    Type.Object({ p50: Type.Optional(Type.Number()), p99: Type.Optional(Type.Number()) }),
  ),
  documents: Type.Optional(Type.Integer({ description: 'For operators: of all tenants.' })),
  passages: Type.Optional(Type.Integer({ description: 'For operators: of all tenants.' })),
});

const Freshness = Type.Object({
  asOf: AsOf,
  sources: Type.Record(Type.String(), SourceFreshness),
  coverage: Type.Object({ dense: Type.Number({ minimum: 0, maximum: 1 }) }),
  at: Type.Number({ description: 'ms since the epoch' }),
});
type Freshness = Type.Static<typeof Freshness>;

/** GET /v1/freshness: how far the index is, by source. Counts are of all tenants and therefore for operators only (I10). */
export const freshnessRoutes: RouteGroup = (app, deps) => {
  app.get(
    '/v1/freshness',
    {
      schema: {
        summary: 'How far the index is, by source',
        tags: ['freshness'],
        response: responses(Freshness, 401, 503),
      },
    },
    async (request): Promise<Freshness> => {
      const [conditions, progress] = await Promise.all([
        deps.freshness(request.left),
        deps.store.progress(request.left),
      ]);
      const isForOperator = isAdmin(request, deps.config);
      const sources: Freshness['sources'] = {};
      for (const { name, kind } of deps.config.sources) {
        const reached = progress.sources[name];
        const { reason, freshnessSeconds, ...condition } = conditions[name] ?? {};
        sources[name] = {
          kind,
          ...(reached?.searchable && {
            position: reached.searchable.position,
            committedAt: reached.searchable.committedAt,
          }),
          ...(reached?.complete && {
            complete: { position: reached.complete.position, committedAt: reached.complete.committedAt },
          }),
          ...condition,
          ...(freshnessSeconds && { freshnessSeconds: { ...freshnessSeconds } }),
          ...(isForOperator && reason !== undefined && { reason }),
          ...(isForOperator && reached && { documents: reached.documents, passages: reached.passages }),
        };
      }
      const { passages, passagesWithVector } = progress;
      return {
        asOf: asOf(progress),
        sources,
        coverage: { dense: passages === 0 ? 1 : Math.min(1, passagesWithVector / passages) },
        at: deps.clock.now(),
      };
    },
  );
};
