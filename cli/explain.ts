import { clientFor } from './client.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Prints what is known of a document or passage, and why it is (not) searchable. */
export async function explain(context: VerbContext): Promise<ExitCode> {
  const [id = ''] = context.words;
  const client = await clientFor(context);
  const reply = await client.call('GET', `/v1/admin/explain/${encodeURIComponent(id)}`);
  context.output.result(reply, (explanation) => [JSON.stringify(explanation, undefined, 2)]);
  return 0;
}
