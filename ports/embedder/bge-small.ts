import { createHash } from 'node:crypto';
import { MAX_POSITIONS, modelFolder, readModel, type LocalModel } from '../onnx/read-model.ts';
import type { EmbedderModel } from './embedder.ts';

const NAME = 'bge-small-en-v1.5-int8';
const DIMENSIONS = 384;
/** The model was trained with it in front of queries, and with nothing in front of passages. */
export const QUERY_PREFIX = 'Represent this sentence for searching relevant passages: ';

/** The embedding model in the tree, read but not loaded. */
export interface BgeSmall extends LocalModel {
  readonly model: EmbedderModel;
}

/** Reads vocabulary and checksums. @throws ModelMismatch when a file of the model is missing or the vocabulary is not the right one. */
export async function readBgeSmall(folder = modelFolder(NAME)): Promise<BgeSmall> {
  const local = await readModel(NAME, folder);
  const { sha256, vocabularySha256 } = local;
  const parameters = ['pooling=cls', 'norm=l2', `positions=${MAX_POSITIONS}`, `query=${QUERY_PREFIX}`];
  return {
    ...local,
    model: {
      name: NAME,
      revision: sha256.slice(0, 12),
      dimensions: DIMENSIONS,
      maxTokens: MAX_POSITIONS - 2,
      fingerprint: createHash('sha256')
        .update([NAME, sha256, vocabularySha256, ...parameters].join('\n'))
        .digest('hex')
        .slice(0, 12),
    },
  };
}
