import { Worker } from 'node:worker_threads';
import type { LocalModel } from './read-model.ts';
import type { OnnxWorkerOptions } from './onnx-worker.ts';

/** Compiled code runs the worker beside it; from the sources, in tests, it is the one that `npm run build` made: Node 20 reads no types. */
export const onnxWorkerUrl = import.meta.url.endsWith('.ts')
  ? new URL('../../dist/ports/onnx/onnx-worker.js', import.meta.url)
  : new URL('./onnx-worker.js', import.meta.url);

/**
 * Starts a thread of a model.
 * @param output what it gives of each text. @param first whether no thread has checked the model's file yet.
 */
export function startWorker(
  { modelPath, sha256 }: LocalModel,
  output: OnnxWorkerOptions['output'],
  first: boolean,
): Worker {
  const workerData: OnnxWorkerOptions = { modelPath, output, sha256: first ? sha256 : undefined };
  return new Worker(onnxWorkerUrl, { workerData, name: 'freshet-onnx' });
}
