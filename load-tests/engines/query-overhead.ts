import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { changes, randomOf, wordOf } from '../corpus.ts';
import { Figures, load, onLanes, quantile, secondsOf, type Scenario } from '../measure.ts';
import { ask } from '../ask.ts';
import { openPlace } from './place.ts';

const CONCURRENCY = [1, 20] as const;
const WAIT_MS = 300_000;

interface Recorder extends AsyncDisposable {
  readonly url: string;
  /** Bodies of `_msearch` that passed, oldest first. */
  readonly searches: { readonly path: string; readonly body: string }[];
}

export const queryOverhead: Scenario = {
  name: 'query-overhead',
  question: 'What does POST /v1/search add to the searches that it sends to Elasticsearch? (hybrid, k 8)',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const elasticsearch = (process.env['ELASTICSEARCH_TEST_URL'] ?? '').split(',')[0] ?? '';
    await using recorder = await startRecorder(elasticsearch);
    await using place = await openPlace();
    const documents = quick ? 200 : 1_000;
    const fillers = [place.start('prepare'), place.start('index')];
    await place.fill(changes(0, documents));
    const { passages } = await place.awaitIndexed(documents, WAIT_MS);
    await Promise.all(fillers.map((child) => child.kill()));
    const requests = Array.from({ length: quick ? 60 : 1_000 }, (_, n) => ({ query: wordsOf(n), k: 8 }));

    // Once through the recorder, for the bodies; never timed.
    const recorded = place.start('query', { elasticsearch: recorder.url });
    const query = place.start('query');
    const [through, direct] = await Promise.all([recorded.address, query.address]);
    await onLanes(4, requests.length, async (n) => void (await ask(`${through}/v1/search`, requests[n])));
    await recorded.kill();
    const { searches } = recorder;

    for (let round = 0; round < rounds; round++)
      for (const lanes of CONCURRENCY) {
        const half = requests.length / 2;
        const askRaw = async (n: number): Promise<void> => {
          const { path, body } = searches[n % searches.length] ?? { path: '', body: '' };
          await ask(`${elasticsearch}${path}`, body);
        };
        const askApi = async (n: number): Promise<void> => void (await ask(`${direct}/v1/search`, requests[n]));
        // There and back again: an index that has just been filled becomes faster for a while.
        const first = await latencies(lanes, half, askRaw);
        const api = both(await latencies(lanes, half, askApi), await latencies(lanes, half, askApi));
        const raw = both(first, await latencies(lanes, half, askRaw));
        const add = (what: string, unit: string, value: number, atMost?: number): void =>
          figures.add(
            `${lanes} at a time: ${what}`,
            unit,
            value,
            atMost === undefined ? undefined : { atMost, from: 'G9' },
          );
        for (const [label, share, atMost] of [
          ['p50', 0.5, 3],
          ['p99', 0.99, 10],
        ] as const) {
          add(`raw _msearch, ${label}`, 'ms', quantile(raw.ms, share));
          add(`/v1/search, ${label}`, 'ms', quantile(api.ms, share));
          add(`added, ${label}`, 'ms', quantile(api.ms, share) - quantile(raw.ms, share), atMost);
        }
        add('raw', 'requests/s', raw.perSecond);
        add('/v1/search', 'requests/s', api.perSecond);
        figures.add(`${lanes} at a time: /v1/search / raw`, 'ratio', api.perSecond / raw.perSecond, {
          atLeast: 0.9,
          from: 'G9',
        });
        add('load average', '', load());
        say(
          `${lanes} at a time: raw p50 ${quantile(raw.ms, 0.5).toFixed(1)} ms, API ${quantile(api.ms, 0.5).toFixed(1)} ms`,
        );
      }
    return {
      figures: figures.all,
      notes: [
        `${passages} passages. The raw requests are byte for byte what the product sent for the same questions; a search whose legs met two versions is not among them.`,
        'Both sides are asked in a closed loop, so that at 20 at a time the cores are full and "added" is mostly the share of CPU that the product takes from Elasticsearch; 1 at a time shows what it adds by itself.',
        'Hash embedder in process: a model for queries comes on top.',
      ],
    };
  },
};

type Latencies = Awaited<ReturnType<typeof latencies>>;

function both(a: Latencies, b: Latencies): Latencies {
  return { ms: [...a.ms, ...b.ms], perSecond: 2 / (1 / a.perSecond + 1 / b.perSecond) };
}

function wordsOf(n: number): string {
  const random = randomOf(n + 77);
  return Array.from({ length: 4 }, () => wordOf(random)).join(' ');
}

async function latencies(
  lanes: number,
  count: number,
  request: (n: number) => Promise<void>,
): Promise<{ readonly ms: readonly number[]; readonly perSecond: number }> {
  await onLanes(lanes, Math.ceil(count / 5), request); // warms both sides alike
  const ms: number[] = [];
  const seconds = await secondsOf(() =>
    onLanes(lanes, count, async (n) => void ms.push(1000 * (await secondsOf(() => request(n))))),
  );
  return { ms, perSecond: count / seconds };
}

/** Passes requests on to Elasticsearch and remembers searches. */
async function startRecorder(target: string): Promise<Recorder> {
  const searches: { path: string; body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const path = request.url ?? '/';
      if (path.includes('_msearch')) searches.push({ path, body: body.toString() });
      const type = request.headers['content-type'];
      fetch(`${target}${path}`, {
        method: request.method ?? 'GET',
        headers: { ...(type !== undefined && { 'content-type': type }), accept: request.headers.accept ?? '*/*' },
        ...(body.length > 0 && { body }),
      }).then(
        async (reply) => {
          response.writeHead(reply.status, {
            'content-type': reply.headers.get('content-type') ?? 'application/json',
            'x-elastic-product': 'Elasticsearch',
          });
          response.end(Buffer.from(await reply.arrayBuffer()));
        },
        () => response.writeHead(502).end(),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    searches,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
