import { InvalidUsage } from '../runtime/errors.ts';
import { closest } from '../runtime/closest.ts';
import type { DeadLetter } from '../schemas/dead-letter.ts';
import { clientFor, type Client } from './client.ts';
import { table } from './output.ts';
import { choiceFlag, textFlag } from './parse-flags.ts';
import type { ExitCode, VerbContext } from './verb.ts';

const actions = ['list', 'show', 'retry', 'discard'] as const;
const states = ['open', 'retried', 'discarded'] as const;

/** Lists, shows, retries or discards dead letters. */
export async function failures(context: VerbContext): Promise<ExitCode> {
  const [word = '', ...ids] = context.words;
  const action = actions.find((candidate) => candidate === word);
  if (!action) {
    const near = closest(word, actions);
    throw new InvalidUsage(
      `failures takes one of ${actions.join(', ')}; got ${JSON.stringify(word)}${near ? `; did you mean ${near}?` : ''}`,
    );
  }
  const state = choiceFlag(context.flags, 'state', states) ?? 'open';
  const isAll = context.flags['all'] === true;
  if (action !== 'list' && ids.length === 0 && !(isAll && action === 'retry'))
    throw new InvalidUsage(`failures ${action} needs the id of a dead letter (\`freshet failures list\` shows them)`);
  const client = await clientFor(context, 'operator');
  switch (action) {
    case 'list': {
      const found = await listFailures(client, state, textFlag(context.flags, 'source'));
      context.output.result({ failures: found }, () => listLines(found, state));
      return 0;
    }
    case 'show':
      return show(context, client, ids);
    case 'retry':
    case 'discard': {
      const source = textFlag(context.flags, 'source');
      const chosen = isAll ? (await listFailures(client, 'open', source)).map(({ id }) => id) : ids;
      return change(context, client, action, chosen);
    }
  }
}

async function listFailures(
  client: Client,
  state: DeadLetter['state'],
  source: string | undefined,
): Promise<readonly DeadLetter[]> {
  const query = new URLSearchParams({ state, limit: '1000', ...(source !== undefined && { source }) });
  const reply = (await client.call('GET', `/v1/admin/failures?${query.toString()}`)) as {
    readonly failures: readonly DeadLetter[];
  };
  return reply.failures;
}

function listLines(found: readonly DeadLetter[], state: string): readonly string[] {
  if (found.length === 0) return [`No ${state} dead letters.`];
  return table([
    ['ID', 'STAGE', 'CODE', 'TRIES', 'AT', 'DOCUMENT'],
    ...found.map((letter) => [
      letter.id,
      letter.stage,
      letter.code,
      letter.attempts,
      new Date(letter.at).toISOString(),
      letter.documentId ?? '-',
    ]),
  ]);
}

async function show(context: VerbContext, client: Client, ids: readonly string[]): Promise<ExitCode> {
  const letters: DeadLetter[] = [];
  for (const id of ids) letters.push((await client.call('GET', pathOf(id))) as DeadLetter);
  context.output.result(letters.length === 1 ? letters[0] : letters, () => letters.flatMap(showLines));
  return 0;
}

function showLines(letter: DeadLetter): readonly string[] {
  const { pointer } = letter;
  return table([
    ['dead letter', letter.id],
    ['state', letter.state],
    ['source', letter.source],
    ['document', `${letter.documentId ?? 'not known'}${letter.version ? ` at version ${letter.version}` : ''}`],
    ['stage', letter.stage],
    ['code', `${letter.code} (docs/ERRORS.md)`],
    ['message', letter.message],
    ['attempts', letter.attempts],
    ['at', new Date(letter.at).toISOString()],
    ['record', `${pointer.topic}, partition ${pointer.partition}, offset ${pointer.offset}`],
    ['payload', `${letter.payloadBytes} bytes, SHA-256 ${letter.payloadHash}`],
  ]);
}

async function change(
  context: VerbContext,
  client: Client,
  action: 'retry' | 'discard',
  ids: readonly string[],
): Promise<ExitCode> {
  const done: string[] = [];
  for (const id of ids) {
    await client.call('POST', `${pathOf(id)}/${action}`);
    done.push(id);
  }
  const past = action === 'retry' ? 'retried' : 'discarded';
  context.output.result({ [past]: done }, () =>
    done.length === 0 ? [`Nothing to ${action}.`] : done.map((id) => `${past} ${id}`),
  );
  return 0;
}

function pathOf(id: string): string {
  return `/v1/admin/failures/${encodeURIComponent(id)}`;
}
