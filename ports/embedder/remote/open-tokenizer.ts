import { readFile } from 'node:fs/promises';
import { ModelMismatch } from '../../../runtime/errors.ts';
import { readBgeSmall } from '../bge-small.ts';
import type { Tokenizer } from '../embedder.ts';
import { WordPieceTokenizer, type WordPieceFile } from '../../onnx/wordpiece.ts';
import { approximateTokenizer } from './approximate-tokenizer.ts';

/**
 * Whose tokens passages are measured in. `bge`: BERT's uncased vocabulary, which comes with Freshet and which bge, e5, gte, MiniLM and
 * other English models share. `file`: the `tokenizer.json` of the model, if it is an uncased WordPiece one. `approximate`: an estimate that is
 * rather too high, for all others.
 */
export type TokenizerChoice =
  { readonly kind: 'bge' } | { readonly kind: 'file'; readonly path: string } | { readonly kind: 'approximate' };

/** A tokenizer and whether its counts are those of the model. */
export interface OpenedTokenizer {
  readonly tokenizer: Tokenizer;
  readonly exact: boolean;
}

/** @throws ModelMismatch when the file is missing or is of a kind that cannot be read; the message says what to do. */
export async function openTokenizer(choice: TokenizerChoice): Promise<OpenedTokenizer> {
  switch (choice.kind) {
    case 'bge':
      return { tokenizer: (await readBgeSmall()).tokenizer, exact: true };
    case 'file':
      return { tokenizer: await readTokenizerFile(choice.path), exact: true };
    case 'approximate':
      return { tokenizer: approximateTokenizer, exact: false };
  }
}

/** The parts of a `tokenizer.json` that decide whether our WordPiece gives its tokens. */
interface TokenizerFile {
  readonly normalizer?: {
    readonly type?: unknown;
    readonly lowercase?: unknown;
    readonly strip_accents?: unknown;
  } | null;
  readonly pre_tokenizer?: { readonly type?: unknown } | null;
  readonly model?: {
    readonly type?: unknown;
    readonly vocab?: unknown;
    readonly unk_token?: unknown;
    readonly max_input_chars_per_word?: unknown;
    readonly continuing_subword_prefix?: unknown;
  };
}

async function readTokenizerFile(path: string): Promise<Tokenizer> {
  let file: TokenizerFile;
  try {
    file = JSON.parse(await readFile(path, 'utf8')) as TokenizerFile;
  } catch (cause) {
    throw new ModelMismatch(`The tokenizer file ${path} cannot be read, or is not JSON.`, { cause });
  }
  const problem = problemOf(file);
  if (problem) {
    throw new ModelMismatch(
      `The tokenizer file ${path} ${problem}. Freshet reads uncased BERT WordPiece vocabularies; for this model set ` +
        'embedder.tokenizer.kind to "approximate", which counts rather too many tokens and makes shorter passages.',
    );
  }
  return new WordPieceTokenizer(file as WordPieceFile);
}

/** Why a file's tokens would not be ours; undefined when they would. */
function problemOf({ normalizer, pre_tokenizer: preTokenizer, model }: TokenizerFile): string | undefined {
  if (model?.type !== 'WordPiece') return `has a model of type ${named(model?.type)}, not WordPiece`;
  if (normalizer?.type !== 'BertNormalizer')
    return `has a normalizer of type ${named(normalizer?.type)}, not BertNormalizer`;
  if (normalizer.lowercase !== true || normalizer.strip_accents === false)
    return 'keeps the case or the accents of letters';
  if (preTokenizer?.type !== 'BertPreTokenizer')
    return `splits words by ${named(preTokenizer?.type)}, not BertPreTokenizer`;
  const { vocab, unk_token: unknown, max_input_chars_per_word: longest, continuing_subword_prefix: prefix } = model;
  if (typeof vocab !== 'object' || vocab === null || typeof unknown !== 'string' || typeof longest !== 'number') {
    return 'lacks its vocabulary';
  }
  return prefix === undefined || prefix === '##' ? undefined : `marks inner pieces with another prefix than ##`;
}

function named(type: unknown): string {
  return typeof type === 'string' ? type : 'unknown';
}
