import { clientFor } from './client.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Prints how far the index is, per source. */
export async function status(context: VerbContext): Promise<ExitCode> {
  const client = await clientFor(context);
  const reply = await client.call('GET', '/v1/freshness');
  context.output.result(reply, (freshness) => [JSON.stringify(freshness, undefined, 2)]);
  return 0;
}
