import type { SearchResponse, SearchResult } from '../schemas/query.ts';
import { clientFor } from './client.ts';
import { queryRequest } from './query-request.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Longest excerpt of a passage in a list, characters. */
const EXCERPT_CHARS = 240;

/** Prints the passages that the server finds, best first. */
export async function search(context: VerbContext): Promise<ExitCode> {
  const body = { query: context.words.join(' '), ...queryRequest(context.flags) };
  const client = await clientFor(context);
  const reply = (await client.call('POST', '/v1/search', body)) as SearchResponse;
  context.output.result(reply, ({ results }) =>
    results.length === 0 ? ['Nothing found.'] : results.flatMap((result) => [...resultLines(result), '']).slice(0, -1),
  );
  return 0;
}

function resultLines(result: SearchResult): readonly string[] {
  const text = result.text.replace(/\s+/g, ' ').trim();
  const excerpt = text.length > EXCERPT_CHARS ? `${text.slice(0, EXCERPT_CHARS).trimEnd()}...` : text;
  return [
    `${result.rank}. ${result.title || '(no title)'}`,
    `   ${result.passageId}  changed ${new Date(result.committedAt).toISOString()}`,
    `   ${excerpt}`,
  ];
}
