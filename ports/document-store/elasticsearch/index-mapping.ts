/** Version of what the index holds and how; an index of another one cannot be read. */
export const INDEX_FORMAT = 1;

/** Most passages that one document can have: nested objects, of which Elasticsearch takes 10,000 unless told otherwise. */
export const MAX_PASSAGES = 100_000;
/** Most passages of one document that one leg gives. */
export const MAX_INNER_HITS = 100;

/** What decides settings and mapping of a generation. */
export interface IndexShape {
  /** Length of every vector. */
  readonly dimensions: number;
  readonly shards: number;
  readonly replicas: number;
  /** Elasticsearch refreshes at least this often by itself, ms; positions ask for it sooner. */
  readonly refreshIntervalMs: number;
  /** Analyzer of the words: `english`, `standard`, or any other that the cluster has built in. */
  readonly analyzer: string;
}

/** Kept in `_source` and nowhere else. */
const STORED_ONLY = { type: 'keyword', index: false, doc_values: false } as const;
const STORED_NUMBER = { type: 'long', index: false, doc_values: false } as const;
/** By the analyzer of the language, and word by word for identifiers, phrases and stop words. */
const WORDS = { type: 'text', analyzer: 'words', fields: { exact: { type: 'text', analyzer: 'standard' } } } as const;

/** Body of the request that creates a generation. */
export function indexBody(shape: IndexShape): object {
  const { dimensions, shards, replicas, refreshIntervalMs, analyzer } = shape;
  return {
    settings: {
      number_of_shards: shards,
      number_of_replicas: replicas,
      refresh_interval: `${Math.max(1, Math.round(refreshIntervalMs))}ms`,
      // With two replicas one lost node leaves two copies; a write that only one copy would hold waits for another.
      'write.wait_for_active_shards': replicas >= 2 ? '2' : '1',
      'mapping.nested_objects.limit': MAX_PASSAGES,
      // An erasure merges away what was removed, however little of a segment it is.
      'merge.policy.expunge_deletes_allowed': 0,
      analysis: { analyzer: { words: { type: analyzer } } },
    },
    mappings: { _meta: { freshetFormat: INDEX_FORMAT }, dynamic: 'strict', properties: properties(dimensions) },
  };
}

function properties(dimensions: number): object {
  return {
    id: { type: 'keyword' },
    version: { type: 'long' },
    deleted: { type: 'boolean' },
    source: { type: 'keyword' },
    table: { type: 'keyword' },
    tenant: { type: 'keyword' },
    open: { type: 'boolean' },
    readers: { type: 'keyword' },
    fields: { type: 'keyword' },
    passageCount: { type: 'integer', index: false },
    vectorCount: { type: 'integer', index: false },
    position: STORED_ONLY,
    committedAt: STORED_NUMBER,
    indexedAt: STORED_NUMBER,
    contentHash: STORED_ONLY,
    shown: STORED_ONLY,
    rest: STORED_ONLY,
    text: STORED_ONLY,
    write: STORED_ONLY,
    state: STORED_ONLY,
    passages: {
      type: 'nested',
      properties: {
        ordinal: STORED_NUMBER,
        start: STORED_NUMBER,
        end: STORED_NUMBER,
        tokens: STORED_NUMBER,
        headings: STORED_ONLY,
        raw: STORED_ONLY,
        words: WORDS,
        titleWords: WORDS,
        headingWords: WORDS,
        vectorKey: { type: 'keyword' },
        hasVector: { type: 'boolean' },
        vector: {
          type: 'dense_vector',
          dims: dimensions,
          // Vectors are of unit length, and unlike `cosine` this keeps the bytes as they were given.
          similarity: 'dot_product',
          index_options: { type: 'int8_hnsw' },
        },
      },
    },
  };
}
