import { closest } from '../runtime/closest.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { table } from './output.ts';
import { commonFlagHelp } from './parse-flags.ts';
import type { ExitCode, Verb, VerbContext } from './verb.ts';

/** Prints the overview, or the usage of one verb. */
export async function help({ words, output, verbs }: VerbContext): Promise<ExitCode> {
  const [name] = words;
  if (name === undefined)
    output.result({ verbs: verbs.map(({ name, summary, usage }) => ({ name, summary, usage })) }, () =>
      overview(verbs),
    );
  else output.result(verbNamed(name, verbs), verbHelp);
  return 0;
}

/** Verbs of the contract that this version does not have yet. */
const foreseenVerbs: readonly string[] = ['backfill', 'reconcile', 'upgrade', 'erase', 'plan', 'eval'];

/** @throws InvalidUsage with the nearest verb. */
export function verbNamed(name: string, verbs: readonly Verb[]): Verb {
  const verb = verbs.find((candidate) => candidate.name === name);
  if (verb) return verb;
  if (foreseenVerbs.includes(name)) throw new InvalidUsage(`\`freshet ${name}\` is not in this version`);
  const near = closest(
    name,
    verbs.map((candidate) => candidate.name),
  );
  throw new InvalidUsage(
    `unknown verb ${JSON.stringify(name)}${near ? `; did you mean \`freshet ${near}\`?` : ''} (\`freshet help\` lists them)`,
  );
}

/** The overview that `freshet help` and `freshet --help` print. */
export function overview(verbs: readonly Verb[]): readonly string[] {
  return [
    'Freshet keeps a retrieval index as fresh, complete and private as the systems that feed it.',
    '',
    'usage: freshet <verb> [--config <file>] [--json]',
    '',
    ...table(verbs.map((verb) => [`  ${verb.name}`, verb.summary])),
    '',
    '`freshet help <verb>` shows its flags. Exit codes: 0 done, 1 failed, 2 wrong usage or config.',
  ];
}

/** Usage, summary and flags of one verb. */
export function verbHelp(verb: Verb): readonly string[] {
  const flags = Object.entries({ ...verb.flagHelp, ...commonFlagHelp });
  return [
    `usage: freshet ${verb.usage}`,
    '',
    `${verb.name} ${verb.summary}.`,
    '',
    ...table(flags.map(([flag, meaning]) => [`  --${flag}`, meaning])),
  ];
}
