import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { EmbedderUnavailable, EmbeddingInvalid, ModelMismatch } from '../../runtime/errors.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { checkVector } from '../embedder/check-vectors.ts';
import { ModelThreads } from './model-threads.ts';

/**
 * A thread that speaks the worker's protocol without a model: the first token of a text says what to do. It answers a passage only
 * when told to by `release`, so that tests decide what overtakes what.
 */
const FAKE = `
import { parentPort, workerData } from 'node:worker_threads';
const order = [];
const answer = ({ id, tokens }) => {
  const [what, value] = tokens;
  order.push(value);
  const vector = what === 2 ? [NaN, 0] : what === 3 ? [1] : [0, 1];
  if (what === 4) process.exit(1);
  if (what === 5) { order.length--; parentPort.postMessage({ kind: 'output', id, output: Float32Array.from([Math.cos(order.indexOf(value)), Math.sin(order.indexOf(value))]) }); return; }
  if (what === 6) { parentPort.postMessage({ kind: 'failed', id, reason: 'model-failed', message: 'out of memory' }); return; }
  if (what === 7) return;
  parentPort.postMessage({ kind: 'output', id, output: Float32Array.from(vector) });
};
if (workerData.damaged) parentPort.postMessage({ kind: 'failed', reason: 'model-damaged', message: 'checksum' });
else { parentPort.on('message', answer); parentPort.postMessage({ kind: 'ready' }); }
`;
const ANSWER = 1;
const NAN = 2;
const SHORT = 3;
const DIE = 4;
const ORDER = 5;
const FAIL = 6;
const HANG = 7;

function open(options: { readonly threads?: number; readonly damaged?: () => boolean } = {}) {
  const started: boolean[] = [];
  const pool = new ModelThreads({
    threads: options.threads ?? 1,
    what: 'model',
    check: (vector) => checkVector(vector, 2),
    unavailable: EmbedderUnavailable,
    logger: silentLogger,
    start: (first) => {
      started.push(first);
      return new Worker(new URL(`data:text/javascript,${encodeURIComponent(FAKE)}`), {
        workerData: { damaged: options.damaged?.() ?? false },
      });
    },
  });
  return {
    started,
    pool,
    run: (texts: readonly (readonly number[])[], urgent = false, signal?: AbortSignal) =>
      pool.run(texts.length, (i) => ({ tokens: Uint32Array.from(texts[i]!) }), urgent, signal),
  };
}

describe('ModelThreads', () => {
  it('answers in the order of the texts', async () => {
    const { pool, run } = open();
    await using _ = pool;
    const vectors = await run([[ANSWER], [ANSWER], [ANSWER]]);
    expect(vectors).toEqual([Float32Array.of(0, 1), Float32Array.of(0, 1), Float32Array.of(0, 1)]);
  });

  it('lets a query overtake the passages that wait', async () => {
    const { pool, run } = open();
    await using _ = pool;
    const passages = run([
      [ANSWER, 1],
      [ANSWER, 2],
      [ANSWER, 3],
      [ANSWER, 4],
      [ORDER, 9],
    ]);
    const query = run([[ANSWER, 9]], true);
    const vectors = await passages;
    await query;
    // The last passage answers with the query's place among all texts: before the passages, because all of them waited.
    expect(vectors[4]).toEqual(Float32Array.of(1, 0));
  });

  it('fails what a dead thread held, and starts another for the next call', async () => {
    const { pool, run, started } = open();
    await using _ = pool;
    await expect(run([[DIE]])).rejects.toThrow(EmbedderUnavailable);
    expect(await run([[ANSWER]])).toHaveLength(1);
    expect(started).toEqual([true, false]);
  });

  it('serves the calls that waited behind a dead thread', async () => {
    const { pool, run } = open();
    await using _ = pool;
    const dying = run([[DIE]]);
    const held = run([[HANG]]);
    const waiting = run([[ANSWER]]);
    await expect(dying).rejects.toThrow(EmbedderUnavailable);
    await expect(held).rejects.toThrow(EmbedderUnavailable);
    expect(await waiting).toHaveLength(1);
  });

  it('calls a damaged model a mismatch and does not load it in a loop', async () => {
    const { pool, run, started } = open({ damaged: () => true });
    await using _ = pool;
    await expect(run([[ANSWER]])).rejects.toThrow(ModelMismatch);
    expect(started).toHaveLength(1);
  });

  it('loads again at the next call after a model that did not load', async () => {
    let damaged = true;
    const { pool, run } = open({ damaged: () => damaged });
    await using _ = pool;
    await expect(run([[ANSWER]])).rejects.toThrow(ModelMismatch);
    damaged = false;
    expect(await run([[ANSWER]])).toHaveLength(1);
  });

  it.each([
    ['a vector with NaN', NAN],
    ['a vector of the wrong size', SHORT],
  ])('refuses %s', async (_, what) => {
    const { pool, run } = open();
    await using _pool = pool;
    await expect(run([[what]])).rejects.toThrow(EmbeddingInvalid);
  });

  it('a failed text fails its call and no other', async () => {
    const { pool, run } = open();
    await using _ = pool;
    const failing = run([[FAIL], [ANSWER], [ANSWER]]);
    const other = run([[ANSWER]]);
    await expect(failing).rejects.toThrow(EmbedderUnavailable);
    expect(await other).toHaveLength(1);
  });

  it('an aborted call ends at once with the reason and leaves nothing waiting', async () => {
    const { pool, run } = open();
    await using _ = pool;
    const controller = new AbortController();
    const asked: number[] = [];
    const call = pool.run(
      1_000,
      (i) => {
        asked.push(i);
        return { tokens: Uint32Array.of(HANG) };
      },
      false,
      controller.signal,
    );
    const reason = new Error('shutdown');
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(await run([[ANSWER]], true)).toHaveLength(1);
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  it('starts a second thread only when passages wait', async () => {
    const { pool, run, started } = open({ threads: 2 });
    await using _ = pool;
    await run([[ANSWER]], true);
    expect(started).toHaveLength(1);
    await run(Array.from({ length: 20 }, () => [ANSWER]));
    expect(started).toEqual([true, false]);
  });

  it('refuses work once it is closed, and fails what it held', async () => {
    const { pool, run } = open();
    await run([[ANSWER]]);
    const held = run([[HANG]]);
    const failed = expect(held).rejects.toThrow(EmbedderUnavailable);
    await pool[Symbol.asyncDispose]();
    await failed;
    await expect(run([[ANSWER]])).rejects.toThrow(EmbedderUnavailable);
  });
});
