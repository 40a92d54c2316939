import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A document of the corpora that every peer is measured with. */
export interface PeerDocument {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

/** What turns the first state of a corpus into the second. */
export type PeerChange = ({ readonly op: 'u' } & PeerDocument) | { readonly op: 'd'; readonly id: string };

/** Two states of a corpus and the changes between them. */
export interface PeerCorpus {
  readonly sha: string;
  readonly before: readonly PeerDocument[];
  readonly after: readonly PeerDocument[];
  readonly changes: readonly PeerChange[];
}

/** Reads a folder as `gen_corpus.py` writes it; the first `limit` documents of it. */
export function readPeerCorpus(folder: string, limit = Number.POSITIVE_INFINITY): PeerCorpus {
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
    readonly sha256: { readonly v1: string };
  };
  const before = linesOf<PeerDocument>(join(folder, 'v1.jsonl')).slice(0, limit);
  const last = before.at(-1)?.id ?? '';
  const known = <T extends { readonly id: string }>(documents: readonly T[]): readonly T[] =>
    documents.filter(({ id }) => id <= last);
  return {
    sha: manifest.sha256.v1.slice(0, 12),
    before,
    after: known(linesOf<PeerDocument>(join(folder, 'v2.jsonl'))),
    changes: known(linesOf<PeerChange>(join(folder, 'delta.jsonl'))),
  };
}

function linesOf<T>(path: string): readonly T[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}
