import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { textOf } from '../corpus.ts';
import type { PeerChange, PeerDocument } from './peer-corpus.ts';

const CHARACTERS = 2_200;
/** One document in so many has a sentence changed, and one in so many is deleted. */
const CHANGED_IN = 100;

/** Writes a corpus in the form of the peers into a folder, for where theirs is not there. */
export function makeCorpus(folder: string, documents: number): void {
  mkdirSync(folder, { recursive: true });
  const before = Array.from({ length: documents }, (_, n) => documentOf(n));
  const changes: PeerChange[] = [];
  const after = before.flatMap((document, n) => {
    if (n % CHANGED_IN === 1) changes.push({ op: 'd', id: document.id });
    if (n % CHANGED_IN === 0) changes.push({ op: 'u', ...document, text: withOtherSentence(document.text) });
    if (n % CHANGED_IN > 1) return [document];
    return n % CHANGED_IN === 1 ? [] : [{ ...document, text: withOtherSentence(document.text) }];
  });
  const states = { v1: before, v2: after, delta: changes };
  const sha256: Record<string, string> = {};
  for (const [name, lines] of Object.entries(states)) {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    writeFileSync(join(folder, `${name}.jsonl`), text);
    sha256[name] = createHash('sha256').update(text).digest('hex');
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ docs: documents, sha256 }));
}

function documentOf(n: number): PeerDocument {
  return { id: `doc-${String(n).padStart(7, '0')}`, title: `Document ${n}`, text: textOf(n, CHARACTERS) };
}

function withOtherSentence(text: string): string {
  const sentences = text.split('. ');
  sentences[sentences.length >> 1] = 'Revised: nothing of it is as it was';
  return sentences.join('. ');
}
