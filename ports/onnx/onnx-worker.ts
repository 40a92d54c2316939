// The thread in which the model runs: one text at a time, queries before passages. onnxruntime-node runs a model in the thread
// that asks for it, tens of ms long, so this must not be the thread that serves requests.
import { eventLoopTurn } from '../../runtime/clock.ts';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';

/** What the thread is started with. */
export interface OnnxWorkerOptions {
  readonly modelPath: string;
  /** `unit-vector`: the last hidden state of the first token ([CLS]), scaled to unit length; `logit`: the one number of a cross-encoder. */
  readonly output: 'unit-vector' | 'logit';
  /** Hex SHA-256 that the model file must have; undefined when another thread has checked it. */
  readonly sha256: string | undefined;
}

/** A text, or two that are read together: token ids, special tokens included. */
export interface OnnxText {
  readonly tokens: Uint32Array;
  /** Index of the first token of the second text; undefined when there is one. */
  readonly secondFrom?: number;
}

/** A text for the model. */
export interface OnnxRequest extends OnnxText {
  readonly id: number;
  readonly urgent: boolean;
}

/** Asks the thread to end once the text in hand is done: ended from outside, the runtime aborts the whole process. */
export type OnnxClose = 'close';

/** What the thread answers. `failed` without an id: it cannot run at all and ends. */
export type OnnxReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'output'; readonly id: number; readonly output: Float32Array }
  | {
      readonly kind: 'failed';
      readonly id?: number;
      readonly reason: 'model-damaged' | 'model-failed';
      readonly message: string;
    };

const port = parentPort;
if (!port) throw new Error('onnx-worker runs as a worker thread only.');
const { modelPath, sha256, output } = workerData as OnnxWorkerOptions;

const urgent: OnnxRequest[] = [];
const patient: OnnxRequest[] = [];
let running = false;
let closing = false;

const reply = (message: OnnxReply): void => {
  port.postMessage(message);
};
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Reads and checks the model once; undefined when it cannot be used, which has been reported by then. */
async function load(): Promise<InferenceSession | undefined> {
  try {
    if (sha256 !== undefined) {
      const actual = createHash('sha256')
        .update(await readFile(modelPath))
        .digest('hex');
      if (actual !== sha256) {
        reply({
          kind: 'failed',
          reason: 'model-damaged',
          message: 'The model file does not have its expected SHA-256.',
        });
        return undefined;
      }
    }
    // One thread per session: several sessions in parallel beat one session with several threads (docs/adr/0004-tokenizer.md).
    return await InferenceSession.create(modelPath, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  } catch (error) {
    reply({ kind: 'failed', reason: 'model-failed', message: messageOf(error) });
    return undefined;
  }
}

/** What the model gives of one text. */
async function run(session: InferenceSession, { tokens, secondFrom = tokens.length }: OnnxText): Promise<Float32Array> {
  const { length } = tokens;
  const shape = [1, length];
  const ids = new BigInt64Array(length);
  for (let i = 0; i < length; i++) ids[i] = BigInt(tokens[i] ?? 0);
  const { last_hidden_state: states, logits } = await session.run({
    input_ids: new Tensor('int64', ids, shape),
    attention_mask: new Tensor('int64', new BigInt64Array(length).fill(1n), shape),
    token_type_ids: new Tensor('int64', new BigInt64Array(length).fill(1n, secondFrom), shape),
  });
  if (output === 'logit') return Float32Array.from((logits?.data as Float32Array | undefined) ?? []);
  return unitVector((states?.data as Float32Array | undefined)?.subarray(0, states?.dims[2] ?? 0) ?? []);
}

function unitVector(state: ArrayLike<number>): Float32Array {
  const vector = Float32Array.from(state);
  let square = 0;
  for (const value of vector) square += value * value;
  const scale = 1 / Math.sqrt(square);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] ?? 0) * scale;
  return vector;
}

const loaded = load();

async function work(): Promise<void> {
  const session = await loaded;
  if (!session || running) return;
  running = true;
  for (;;) {
    const next = closing ? undefined : (urgent.shift() ?? patient.shift());
    if (!next) break;
    try {
      reply({ kind: 'output', id: next.id, output: await run(session, next) });
    } catch (error) {
      reply({ kind: 'failed', id: next.id, reason: 'model-failed', message: messageOf(error) });
    }
    // Lets a query that came in meanwhile be queued before the next passage is chosen.
    await eventLoopTurn();
  }
  running = false;
  if (closing) port?.close();
}

port.on('message', (request: OnnxRequest | OnnxClose) => {
  if (request === 'close') {
    closing = true;
    void work();
    return;
  }
  (request.urgent ? urgent : patient).push(request);
  void work();
});
if (await loaded) reply({ kind: 'ready' });
else port.close();
