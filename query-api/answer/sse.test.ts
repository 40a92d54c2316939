import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { GenerateEvent, Generator } from '../../ports/generator/generator.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { queryBench, type QueryBench } from '../../test/support/query-api.ts';

const open: QueryBench[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

/** A generator that says one word and then waits until it is stopped. */
function endless() {
  const stopped = new AbortController();
  const generator: Generator = {
    model: 'endless',
    async *generate(_request, signal): AsyncIterable<GenerateEvent> {
      yield { kind: 'token', text: 'word' };
      try {
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        });
      } finally {
        stopped.abort();
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { generator, stopped: stopped.signal };
}

async function ask(bench: QueryBench, signal?: AbortSignal) {
  await bench.index({ key: '1', text: 'some words' });
  await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = bench.app.server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/v1/answer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ question: 'words', mode: 'lexical', stream: true }),
    ...(signal && { signal }),
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let seen = '';
  const until = async (text: string) => {
    while (!seen.includes(text)) {
      const { value, done } = await reader.read();
      if (done) break;
      seen += value;
    }
    return seen;
  };
  return { until };
}

describe('a streamed answer', () => {
  test('is ended, and its generation with it, when the caller goes away', async () => {
    const { generator, stopped } = endless();
    const bench = queryBench({ generator });
    open.push(bench);
    const caller = new AbortController();
    const { until } = await ask(bench, caller.signal);
    await until('event: token');
    const ended = once(stopped, 'abort');
    caller.abort();
    await ended;
    expect(stopped.aborted).toBe(true);
  });

  test('ends with an error event when the server closes, and does not hold it up', async () => {
    const { generator, stopped } = endless();
    const bench = queryBench({ generator });
    const { until } = await ask(bench);
    await until('event: token');
    const closed = bench[Symbol.asyncDispose]();
    expect(await until('event: error')).toContain('FRESHET_SHUTTING_DOWN');
    await closed;
    expect(stopped.aborted).toBe(true);
  });

  test('carries a heartbeat comment every 15 seconds while nothing else comes', async () => {
    const clock = new FakeClock();
    const bench = queryBench({ generator: endless().generator, clock });
    open.push(bench);
    const { until } = await ask(bench);
    await until('event: token');
    await clock.advance(15_000);
    expect(await until(': heartbeat')).toContain(': heartbeat\n\n');
    await clock.advance(45_000);
    expect(await until('event: error')).toContain('FRESHET_GENERATOR_UNAVAILABLE');
  });
});
