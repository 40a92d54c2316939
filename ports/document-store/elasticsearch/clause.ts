/** A clause of Elasticsearch's query language. Built from typed values only: nothing of a request is ever a key of it. */
export interface Clause {
  readonly [kind: string]: object;
}
