import type { Connection } from './connection.ts';
import type { EffectiveFloors } from './floors.ts';
import { belowFloors } from './scope-query.ts';

/** Live documents, their passages, and those that have a vector. */
export interface Counts {
  readonly documents: number;
  readonly passages: number;
  readonly vectors: number;
}

const MAX_SOURCES = 10_000;

interface CountsReply {
  readonly aggregations: {
    readonly sources: {
      readonly buckets: readonly {
        readonly key: string;
        readonly doc_count: number;
        readonly passages: { readonly value: number };
        readonly vectors: { readonly value: number };
      }[];
    };
  };
}

/** Counts by source, of what has been refreshed. */
export async function countBySource(
  connection: Connection,
  index: string,
  floors: EffectiveFloors,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Counts>> {
  const { aggregations } = await connection.repeatable<CountsReply>(
    'count documents',
    {
      method: 'POST',
      path: `/${index}/_search`,
      query: { allow_partial_search_results: false },
      body: {
        size: 0,
        track_total_hits: false,
        query: { bool: { filter: [{ term: { deleted: false } }], must_not: belowFloors(floors) } },
        aggs: {
          sources: {
            terms: { field: 'source', size: MAX_SOURCES },
            aggs: { passages: { sum: { field: 'passageCount' } }, vectors: { sum: { field: 'vectorCount' } } },
          },
        },
      },
    },
    signal,
  );
  return new Map(
    aggregations.sources.buckets.map(({ key, doc_count: documents, passages, vectors }) => [
      decodeURIComponent(key),
      { documents, passages: passages.value, vectors: vectors.value },
    ]),
  );
}
