import type { AnswerEvent, Citation } from '../../schemas/answer.ts';

/**
 * What the markers of an answer stand for, as Markdown to put below it: one line for each, in the order of their first use. Empty
 * without citations.
 * @param titles by passage id
 */
export function sourceList(citations: readonly Citation[], titles: ReadonlyMap<string, string>): string {
  const lines = new Map<number, string>();
  for (const { marker, passageId, documentId, committedAt } of citations) {
    if (lines.has(marker)) continue;
    const title = (titles.get(passageId) ?? '').replace(/\s+/g, ' ').trim();
    const changed = new Date(committedAt).toISOString().slice(0, 'yyyy-mm-ddThh:mm'.length).replace('T', ' ');
    lines.set(marker, `- [${marker}] ${title === '' ? '' : `${title}, `}\`${documentId}\`, changed ${changed} UTC`);
  }
  return lines.size === 0 ? '' : `\n\nSources:\n\n${[...lines.values()].join('\n')}`;
}

/** Passes the events on, and keeps the titles of what was retrieved. */
export async function* keepTitles(
  events: AsyncIterable<AnswerEvent>,
  titles: Map<string, string>,
): AsyncIterable<AnswerEvent> {
  for await (const event of events) {
    if (event.event === 'retrieval')
      for (const { passageId, title } of event.data.results) titles.set(passageId, title);
    yield event;
  }
}
