import Type from 'typebox';
import { AsOf } from '../schemas/query.ts';
import { asOf } from './answer/wait-for-position.ts';
import type { QueryApiDeps } from './deps.ts';

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

/** Reply of GET /v1/freshness. */
export const Freshness = Type.Object({
  asOf: AsOf,
  sources: Type.Record(Type.String(), SourceFreshness),
  coverage: Type.Object({ dense: Type.Number({ minimum: 0, maximum: 1 }) }),
  at: Type.Number({ description: 'ms since the epoch' }),
});
export type Freshness = Type.Static<typeof Freshness>;

/** How far the index is, by source. Counts and reasons are of all tenants and therefore for operators only (I10). */
export async function readFreshness(
  deps: Pick<QueryApiDeps, 'freshness' | 'store' | 'config' | 'clock'>,
  isForOperator: boolean,
  signal: AbortSignal,
): Promise<Freshness> {
  const [conditions, progress] = await Promise.all([deps.freshness(signal), deps.store.progress(signal)]);
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
}
