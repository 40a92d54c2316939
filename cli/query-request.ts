import { MAX_K, type SearchRequest } from '../schemas/query.ts';
import { choiceFlag, integerFlag, listFlag } from './parse-flags.ts';
import { parseFilter } from './parse-filter.ts';
import type { Flags } from './verb.ts';

/** What `search` and `ask` send beside the words themselves. @throws InvalidUsage */
export function queryRequest(flags: Flags): Omit<SearchRequest, 'query'> {
  const k = integerFlag(flags, 'k', 1, MAX_K);
  const mode = choiceFlag(flags, 'mode', ['hybrid', 'lexical', 'dense']);
  const rerank = choiceFlag(flags, 'rerank', ['on', 'off']);
  const filter = parseFilter(listFlag(flags, 'filter'));
  return {
    ...(k !== undefined && { k }),
    ...(mode && { mode }),
    ...(rerank && { rerank: rerank === 'on' }),
    ...(filter && { filter }),
  };
}
