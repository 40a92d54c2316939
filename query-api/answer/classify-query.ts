import type { LegWeights } from '../../ports/document-store/document-store.ts';

/**
 * - `identifier`: looks something up by its exact name (`bullmq.job.extendLock`, `v5.12.8`, a hash, an error code).
 * - `words`: everything else: questions and key words.
 */
export type QueryClass = 'identifier' | 'words';

/**
 * Weight of a leg's scaled score, by class. Meaning carries questions, where both legs count nearly alike: with more weight, a model that
 * has not learned the language of the query would decide. An identifier means nothing to a model that splits it into word pieces, so
 * its dense neighbours are other identifiers: there the words decide and the dense leg breaks ties.
 */
export const LEG_WEIGHTS: Readonly<Record<QueryClass, LegWeights>> = {
  identifier: { lexical: 1, dense: 0.3 },
  words: { lexical: 1, dense: 0.8 },
};

const TOKEN = /\S+/g;
const EDGES = /^[("'`[{<]+|[)"'`\]}>.,;:!?]+$/g;

/** A query is about identifiers when at least half of its words are; questions mostly hold one among many words. */
export function classifyQuery(query: string): QueryClass {
  const tokens = query.match(TOKEN) ?? [];
  const identifiers = tokens.filter((token) => isIdentifier(token.replace(EDGES, '')));
  return identifiers.length > 0 && identifiers.length * 2 >= tokens.length ? 'identifier' : 'words';
}

function isIdentifier(token: string): boolean {
  return (
    /[\p{L}\p{N}](?:_|::|[.@#\\])[\p{L}\p{N}]/u.test(token) || // bullmq.job, max_len, x::y
    /^@[\w-]+\/|\/[\w-]*[\d/]|^\.?\//.test(token) || // @scope/name, 16/B374D848, /var/log
    /\p{Ll}\p{Lu}/u.test(token) || // camelCase
    /^\p{Lu}{2,}[-_]?\d+/u.test(token) || // ERR42, CVE-2026
    /^v?\d+(?:\.\d+)+/.test(token) || // versions
    /^(?=.*\d)[0-9a-f]{7,64}$/i.test(token) || // hashes
    /^--?[a-z][\w-]+$/i.test(token) // command-line flags
  );
}
