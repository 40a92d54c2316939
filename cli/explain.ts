import { InvalidUsage } from '../runtime/errors.ts';
import type { DeadLetter } from '../schemas/dead-letter.ts';
import { parseDocumentId, parsePassageId } from '../schemas/ids.ts';
import { clientFor } from './client.ts';
import type { ExitCode, VerbContext } from './verb.ts';
import { table } from './output.ts';

/** What `GET /v1/admin/explain/<id>` says. */
interface Explanation {
  readonly documentId: string;
  readonly searchable: boolean;
  readonly reason: string;
  readonly version?: string;
  readonly deleted?: boolean;
  readonly position?: string;
  readonly committedAt?: number;
  readonly indexedAt?: number;
  readonly tenant?: string;
  readonly acl?: readonly string[] | null;
  readonly lineage?: { readonly chunker: string; readonly piiPolicy: string; readonly embedder: string };
  readonly passages?: readonly {
    readonly passageId: string;
    readonly span: { readonly start: number; readonly end: number };
    readonly tokens: number;
    readonly hasVector: boolean;
  }[];
}

type Explained = Explanation & { readonly deadLetters: readonly DeadLetter[] };

/** Prints what is known of a document or passage, and why it is (not) searchable. */
export async function explain(context: VerbContext): Promise<ExitCode> {
  const [id = ''] = context.words;
  const documentId = parsePassageId(id)?.documentId ?? id;
  if (!parseDocumentId(documentId))
    throw new InvalidUsage(
      `explain expects a document id (<source>/<table>/<key>) or a passage id (<document id>#<ordinal>); got ${JSON.stringify(id)}`,
    );
  const client = await clientFor(context, 'operator');
  const explanation = (await client.call('GET', `/v1/admin/explain/${encodeURIComponent(id)}`)) as Explanation;
  const { failures } = (await client.call('GET', '/v1/admin/failures?state=open&limit=1000')) as {
    readonly failures: readonly DeadLetter[];
  };
  const deadLetters = failures.filter((letter) => letter.documentId === documentId);
  context.output.result({ ...explanation, deadLetters }, explanationLines);
  return 0;
}

function explanationLines(found: Explained): readonly string[] {
  const at = (ms: number | undefined) => (ms === undefined ? '-' : new Date(ms).toISOString());
  const facts: (readonly [string, string])[] = [
    ['document', found.documentId],
    ['searchable', `${found.searchable ? 'yes' : 'no'}. ${found.reason}`],
  ];
  if (found.version !== undefined) {
    facts.push(['version', `${found.version}${found.deleted ? ' (deleted)' : ''}`]);
    facts.push([
      'position',
      `${found.position ?? '-'}, committed ${at(found.committedAt)}, indexed ${at(found.indexedAt)}`,
    ]);
  }
  if (found.tenant !== undefined) facts.push(['tenant', found.tenant]);
  if (found.acl !== undefined)
    facts.push(['may read', found.acl === null ? 'every member of the tenant' : found.acl.join(', ') || 'nobody']);
  if (found.lineage) {
    const { chunker, embedder, piiPolicy } = found.lineage;
    facts.push(['lineage', `chunker ${chunker}, embedder ${embedder}, PII policy ${piiPolicy || 'none'}`]);
  }
  const passages = (found.passages ?? []).map((passage) => [
    passage.passageId,
    `${passage.span.start} to ${passage.span.end}`,
    passage.tokens,
    passage.hasVector ? 'yes' : 'no',
  ]);
  return [
    ...table(facts),
    ...(passages.length > 0 ? ['', ...table([['PASSAGE', 'SPAN', 'TOKENS', 'VECTOR'], ...passages])] : []),
    ...found.deadLetters.flatMap((letter) => [
      '',
      `A newer change of it is a dead letter: ${letter.id}, ${letter.code} in ${letter.stage}.`,
      `  ${letter.message}`,
      `  Mend the cause, then \`freshet failures retry ${letter.id}\`.`,
    ]),
  ];
}
