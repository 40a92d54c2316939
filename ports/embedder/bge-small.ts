import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ModelMismatch } from '../../runtime/errors.ts';
import type { EmbedderModel } from './embedder.ts';
import { WordPieceTokenizer, type WordPieceFile } from './wordpiece.ts';

const NAME = 'bge-small-en-v1.5-int8';
const DIMENSIONS = 384;
/** Positions of the model, [CLS] and [SEP] included. */
export const MAX_POSITIONS = 512;
/** Tokens before and after each text. */
export const CLS_TOKEN = 101;
/** Ends each text. */
export const SEP_TOKEN = 102;
/** The model was trained with it in front of queries, and with nothing in front of passages. */
export const QUERY_PREFIX = 'Represent this sentence for searching relevant passages: ';

/** The model in the tree, read but not loaded. */
export interface BgeSmall {
  readonly model: EmbedderModel;
  readonly tokenizer: WordPieceTokenizer;
  readonly modelPath: string;
  /** Hex SHA-256 that the model file must have. */
  readonly sha256: string;
}

/** The package's root, from the sources and from dist/ alike: the nearest folder above that holds package.json. */
function packageRoot(): URL {
  const beside = new URL('../../', import.meta.url);
  return existsSync(new URL('package.json', beside)) ? beside : new URL('../', beside);
}

/** Reads vocabulary and checksums. @throws ModelMismatch when a file of the model is missing or the vocabulary is not the right one. */
export async function readBgeSmall(folder = new URL(`models/${NAME}/`, packageRoot())): Promise<BgeSmall> {
  const read = async (file: string): Promise<Buffer> => {
    try {
      return await readFile(new URL(file, folder));
    } catch (cause) {
      throw new ModelMismatch(`The model ${NAME} lacks its file ${file}.`, { cause });
    }
  };
  const [vocabulary, checksums] = await Promise.all([read('tokenizer.json'), read('SHA256SUMS')]);
  const sums = new Map(
    checksums
      .toString('utf8')
      .split('\n')
      .map((line) => line.split(/\s+/))
      .map(([sum = '', file = '']) => [file, sum]),
  );
  const sha256 = sums.get('model.onnx');
  const vocabularySum = createHash('sha256').update(vocabulary).digest('hex');
  if (sha256 === undefined || sums.get('tokenizer.json') !== vocabularySum) {
    throw new ModelMismatch(`The vocabulary of the model ${NAME} does not have its expected SHA-256.`);
  }
  const parameters = ['pooling=cls', 'norm=l2', `positions=${MAX_POSITIONS}`, `query=${QUERY_PREFIX}`];
  return {
    model: {
      name: NAME,
      revision: sha256.slice(0, 12),
      dimensions: DIMENSIONS,
      maxTokens: MAX_POSITIONS - 2,
      fingerprint: createHash('sha256')
        .update([NAME, sha256, vocabularySum, ...parameters].join('\n'))
        .digest('hex')
        .slice(0, 12),
    },
    tokenizer: new WordPieceTokenizer(JSON.parse(vocabulary.toString('utf8')) as WordPieceFile),
    modelPath: fileURLToPath(new URL('model.onnx', folder)),
    sha256,
  };
}
