import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ModelMismatch } from '../../runtime/errors.ts';
import { WordPieceTokenizer, type WordPieceFile } from './wordpiece.ts';

/** Positions of a BERT model, special tokens included. */
export const MAX_POSITIONS = 512;
/** Before the first text. */
export const CLS_TOKEN = 101;
/** After each text. */
export const SEP_TOKEN = 102;

/** A model in the tree, read but not loaded. */
export interface LocalModel {
  readonly tokenizer: WordPieceTokenizer;
  readonly modelPath: string;
  /** Hex SHA-256 that the model file must have. */
  readonly sha256: string;
  /** Hex SHA-256 that the vocabulary has. */
  readonly vocabularySha256: string;
}

/** The package's root, from the sources and from dist/ alike: the nearest folder above that holds package.json. */
function packageRoot(): URL {
  const beside = new URL('../../', import.meta.url);
  return existsSync(new URL('package.json', beside)) ? beside : new URL('../', beside);
}

/** Where a model of this name lies in the tree. */
export function modelFolder(name: string): URL {
  return new URL(`models/${name}/`, packageRoot());
}

/**
 * Reads vocabulary and checksums of a model; its weights are checked by the thread that loads them.
 * @throws ModelMismatch when a file is missing or the vocabulary is not the right one.
 */
export async function readModel(name: string, folder = modelFolder(name)): Promise<LocalModel> {
  const read = async (file: string): Promise<Buffer> => {
    try {
      return await readFile(new URL(file, folder));
    } catch (cause) {
      throw new ModelMismatch(`The model ${name} lacks its file ${file}.`, { cause });
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
  const vocabularySha256 = createHash('sha256').update(vocabulary).digest('hex');
  if (sha256 === undefined || sums.get('tokenizer.json') !== vocabularySha256) {
    throw new ModelMismatch(`The vocabulary of the model ${name} does not have its expected SHA-256.`);
  }
  return {
    tokenizer: new WordPieceTokenizer(JSON.parse(vocabulary.toString('utf8')) as WordPieceFile),
    modelPath: fileURLToPath(new URL('model.onnx', folder)),
    sha256,
    vocabularySha256,
  };
}
