import { parseUrl, type CrossFault, type PartialConfig } from './cross-fault.ts';

/** The keys that each kind of server needs. With `extractive` the others wait for a kind that comes from the environment. */
const NEEDED = { extractive: [], tgi: ['url'], openai: ['url', 'model'] } as const;

/** What each generator needs besides the form of its keys. */
export function* checkGenerator({ generator }: PartialConfig): Generator<CrossFault> {
  if (!generator) return;
  yield* checkServer(generator, 'generator');
  const fallbacks = generator.fallbacks ?? [];
  for (const [index, fallback] of fallbacks.entries())
    if (fallback) yield* checkServer(fallback, `generator.fallbacks[${index}]`);
  if ((generator.kind ?? 'extractive') === 'extractive' && fallbacks.length > 0)
    yield { path: 'generator.fallbacks', problem: 'mean nothing to kind `extractive`, which needs no server' };
}

function* checkServer(
  server: {
    readonly kind?: keyof typeof NEEDED | undefined;
    readonly url?: string | undefined;
    readonly model?: string | undefined;
  },
  path: string,
): Generator<CrossFault> {
  const kind = server.kind ?? 'extractive';
  for (const key of NEEDED[kind])
    if (server[key] === undefined) yield { path: `${path}.${key}`, problem: `missing; kind \`${kind}\` needs it` };
  const protocol = server.url === undefined ? 'http:' : parseUrl(server.url)?.protocol;
  if (protocol !== 'http:' && protocol !== 'https:')
    yield { path: `${path}.url`, problem: 'expected a URL that begins with http:// or https://' };
}
