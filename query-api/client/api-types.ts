/*
 * Generated from /openapi.json by `npm run client`, do not edit: the types that requests and replies have on the wire, and where each
 * operation is.
 */

export type AnswerEvent =
  | {
      event: 'retrieval';
      data: {
        results: SearchResult[];
        asOf: AsOf;
        traceId: string;
      };
    }
  | {
      event: 'token';
      data: {
        text: string;
      };
    }
  | {
      event: 'citation';
      data: Citation;
    }
  | {
      event: 'done';
      data: AnswerResponse;
    }
  | {
      event: 'error';
      data: {
        code: string;
        title: string;
        detail?: string;
      };
    };

/** What each operation takes and gives, by its id. */
export interface Operations {
  live: {
    reply: {
      alive: boolean;
    };
  };
  ready: {
    reply: {
      ready: boolean;
      reasons: string[];
    };
  };
  search: {
    body: SearchRequest;
    reply: SearchResponse;
  };
  answer: {
    body: AnswerRequest;
    reply: AnswerResponse;
    events: AnswerEvent;
  };
  freshness: {
    reply: Freshness;
  };
  readDocument: {
    path: {
      id: string;
    };
    reply: {
      documentId: string;
      title: string;
      /** What spans point into, UTF-16 code units. */
      text: string;
      version: string;
      committedAt: number;
      indexedAt: number;
      position: string;
      source: DocumentSource;
      metadata: {
        [k: string]: string | number | boolean | null | string[];
      };
      contentHash: string;
      lineage: {
        chunker: string;
        piiPolicy: string;
        embedder: string;
      };
      passages: {
        passageId: string;
        span: {
          start: number;
          end: number;
        };
        headings: string[];
        hasVector: boolean;
      }[];
    };
  };
  sendFeedback: {
    body: {
      traceId: string;
      rating: 'up' | 'down';
      comment?: string;
    };
    reply: {
      accepted: boolean;
    };
  };
  listFailures: {
    query?: {
      state?: string;
      source?: string;
      code?: string;
      limit?: string;
    };
    reply: {
      failures: DeadLetter[];
    };
  };
  showFailure: {
    path: {
      id: string;
    };
    reply: DeadLetter;
  };
  retryFailure: {
    path: {
      id: string;
    };
    reply: DeadLetter;
  };
  discardFailure: {
    path: {
      id: string;
    };
    reply: DeadLetter;
  };
  explainDocument: {
    path: {
      id: string;
    };
    reply: Explanation;
  };
}
export interface SearchRequest {
  query: string;
  /** How many passages. */
  k?: number;
  mode?: 'hybrid' | 'lexical' | 'dense';
  filter?: Filter;
  /** Whether a reranker orders the results; absent: as the config says. */
  rerank?: boolean;
  /** Whether the reply says, in `explanation`, why it is as it is. */
  explain?: boolean;
  /** Positions by source that the reply must include. */
  after?: {
    [k: string]: string;
  };
  waitFor?: 'searchable' | 'complete';
  /** How long to wait for `after`, ms. */
  waitMs?: number;
}
export interface Filter {
  [k: string]:
    | string
    | number
    | boolean
    | (string | number | boolean)[]
    | {
        gte?: string | number;
        lt?: string | number;
      };
}
export interface SearchResponse {
  results: SearchResult[];
  asOf: AsOf;
  coverage: {
    /** Share of live passages that have their vector. */
    dense: number;
  };
  /** Legs that were asked for and could not run in time. */
  degraded?: 'dense'[];
  /** Where reranking was asked for: true when the results stand in the order of the reranker, false when there is none or it gave none in time. */
  reranked?: boolean;
  timingsMs: {
    [k: string]: number;
  };
  /** The arm of each experiment that took part; absent when there is none. */
  experiments?: {
    [k: string]: string;
  };
  explanation?: {
    /** What the query looks like; decides how much each leg counts. */
    queryClass: 'identifier' | 'words';
    mode: 'hybrid' | 'lexical' | 'dense';
    k: number;
    legs: {
      lexical: 'ran' | 'not-asked' | 'late';
      dense: 'ran' | 'not-asked' | 'late';
    };
    /** kept-order: a new order was asked for, and there is no reranker or it gave none in time. */
    rerank: 'off' | 'reranked' | 'kept-order';
    passages: {
      passageId: string;
      documentId: string;
      title: string;
      ranks: {
        /** Found by its words at this place. */
        lexical?: number;
        /** Found by its meaning at this place. */
        dense?: number;
        /** Place after both lists became one. */
        fused: number;
        /** Place that the reranker gave it. */
        reranked?: number;
      };
      /** True while its vector is still to come, so that only its words could find it. */
      vectorPending?: boolean;
      outcome: 'returned' | 'beyond-k' | 'copy';
    }[];
  };
  traceId: string;
}
export interface SearchResult {
  passageId: string;
  documentId: string;
  title: string;
  /** Headings above the passage, outermost first. */
  headings: string[];
  text: string;
  rank: number;
  version: string;
  committedAt: number;
  indexedAt: number;
  source: DocumentSource;
  span: {
    start: number;
    end: number;
  };
  metadata: {
    [k: string]: string | number | boolean | null | string[];
  };
}
export interface DocumentSource {
  name: string;
  table: string;
  key: string;
}
export interface AsOf {
  [k: string]: {
    position: string;
    committedAt: number;
  };
}
export interface AnswerRequest {
  question: string;
  /** How many passages. */
  k?: number;
  mode?: 'hybrid' | 'lexical' | 'dense';
  filter?: Filter;
  /** Whether a reranker orders the results; absent: as the config says. */
  rerank?: boolean;
  /** Whether the reply says, in `explanation`, why it is as it is. */
  explain?: boolean;
  /** Positions by source that the reply must include. */
  after?: {
    [k: string]: string;
  };
  waitFor?: 'searchable' | 'complete';
  /** How long to wait for `after`, ms. */
  waitMs?: number;
  /**
   * What was said before, oldest first. A question that refers back is asked with the earlier question that it refers to; what the assistant said is never evidence.
   *
   * @maxItems 100
   */
  history?: {
    role: 'user' | 'assistant';
    content: string;
  }[];
  stream?: boolean;
}
export interface AnswerResponse {
  answer: string;
  citations: Citation[];
  refused: boolean;
  reason?: string;
  cached: boolean;
  asOf: AsOf;
  /** Where reranking was asked for: true when the results stand in the order of the reranker, false when there is none or it gave none in time. */
  reranked?: boolean;
  model: string;
  /** Name and version of the prompt, when a model was asked. */
  prompt?: string;
  usage: Usage;
  /** The arm of each experiment that took part; absent when there is none. */
  experiments?: {
    [k: string]: string;
  };
  explanation?: {
    /** What the query looks like; decides how much each leg counts. */
    queryClass: 'identifier' | 'words';
    mode: 'hybrid' | 'lexical' | 'dense';
    k: number;
    legs: {
      lexical: 'ran' | 'not-asked' | 'late';
      dense: 'ran' | 'not-asked' | 'late';
    };
    /** kept-order: a new order was asked for, and there is no reranker or it gave none in time. */
    rerank: 'off' | 'reranked' | 'kept-order';
    /** In their final order. Those that the caller may no longer read when the answer ends are left out. */
    passages: {
      passageId: string;
      documentId: string;
      title: string;
      ranks: {
        /** Found by its words at this place. */
        lexical?: number;
        /** Found by its meaning at this place. */
        dense?: number;
        /** Place after both lists became one. */
        fused: number;
        /** Place that the reranker gave it. */
        reranked?: number;
      };
      /** True while its vector is still to come, so that only its words could find it. */
      vectorPending?: boolean;
      outcome: 'cited' | 'read' | 'over-budget' | 'beyond-k' | 'copy';
      /** Its number in the answer. */
      marker?: number;
      /** True when only its first sentences fitted into the prompt. */
      cut?: boolean;
    }[];
    statements: {
      text: string;
      outcome: 'cited' | 'found' | 'unverified' | 'dropped' | 'weak';
      /** Passages that support it. */
      markers: number[];
      /** Passages it named that do not support it. */
      rejectedMarkers: number[];
    }[];
    /** Citations that were left out because their words are not in the passage they name. */
    rejectedQuotes: {
      marker: number;
    }[];
    /** retrieval: nothing was found; generator: the passages hold no answer; verification: no citation held. */
    refusedBy?: 'retrieval' | 'generator' | 'verification';
    /** ms by step, and `total`. */
    timingsMs: {
      [k: string]: number;
    };
  };
  traceId: string;
}
export interface Citation {
  /** The number in brackets in the answer. */
  marker: number;
  passageId: string;
  documentId: string;
  /** Words of the passage, letter for letter. */
  quote: string;
  version: string;
  committedAt: number;
}
export interface Usage {
  promptTokens: number;
  completionTokens: number;
  /** True when the server told no numbers, and characters were counted instead. */
  approximate?: boolean;
  /** By the prices in the config; absent without them. */
  costUsd?: number;
}
export interface Freshness {
  asOf: AsOf;
  sources: {
    [k: string]: {
      kind: string;
      /** Every change up to it is searchable. */
      position?: string;
      /** Commit time of the position, ms since the epoch. */
      committedAt?: number;
      complete?: {
        position: string;
        committedAt: number;
      };
      connected?: boolean;
      state?: string;
      reason?: string;
      lagRecords?: number;
      freshnessSeconds?: {
        p50?: number;
        p99?: number;
      };
      /** For operators: of all tenants. */
      documents?: number;
      /** For operators: of all tenants. */
      passages?: number;
    };
  };
  coverage: {
    dense: number;
  };
  /** ms since the epoch */
  at: number;
}
export interface DeadLetter {
  /** `<topic>/<partition>/<offset>` of the record. */
  id: string;
  state: 'open' | 'retried' | 'discarded';
  stage: string;
  /** Stable error code, see docs/ERRORS.md. */
  code: string;
  message: string;
  attempts: number;
  source: string;
  documentId?: string;
  version?: string;
  pointer: {
    topic: string;
    partition: number;
    offset: string;
  };
  /** SHA-256 of the payload, hexadecimal. */
  payloadHash: string;
  payloadBytes: number;
  /** ms since the epoch */
  at: number;
}
export interface Explanation {
  documentId: string;
  searchable: boolean;
  reason: string;
  version?: string;
  deleted?: boolean;
  position?: string;
  committedAt?: number;
  indexedAt?: number;
  contentHash?: string;
  tenant?: string;
  acl?: string[] | null;
  lineage?: {
    chunker: string;
    piiPolicy: string;
    embedder: string;
  };
  passages?: {
    passageId: string;
    span: {
      start: number;
      end: number;
    };
    tokens: number;
    vectorKey: string;
    hasVector: boolean;
  }[];
}

/** Method and path of every operation; `{name}` stands for a parameter. */
export const OPERATIONS = {
  live: { method: 'GET', path: '/livez' },
  ready: { method: 'GET', path: '/readyz' },
  search: { method: 'POST', path: '/v1/search' },
  answer: { method: 'POST', path: '/v1/answer' },
  freshness: { method: 'GET', path: '/v1/freshness' },
  readDocument: { method: 'GET', path: '/v1/documents/{id}' },
  sendFeedback: { method: 'POST', path: '/v1/feedback' },
  listFailures: { method: 'GET', path: '/v1/admin/failures' },
  showFailure: { method: 'GET', path: '/v1/admin/failures/{id}' },
  retryFailure: { method: 'POST', path: '/v1/admin/failures/{id}/retry' },
  discardFailure: { method: 'POST', path: '/v1/admin/failures/{id}/discard' },
  explainDocument: { method: 'GET', path: '/v1/admin/explain/{id}' },
} as const;
