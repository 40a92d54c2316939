import { join } from 'node:path';
import { readLines } from './read-lines.ts';

/** A sentence or summary with the text it is said to rest on. */
export interface SupportPair {
  readonly claim: string;
  readonly evidence: string;
  readonly supported: boolean;
  /** Part of the set that is reported for itself. */
  readonly part: string;
}

interface WiceClaim {
  readonly claim: string;
  readonly evidence: readonly string[];
  readonly label: string;
}

/**
 * Claims of Wikipedia with the pages they cite (Kamoi et al. 2023). What is supported in part only is not supported. The even half chose
 * the threshold of the checker, the odd half did not.
 */
export async function wicePairs(root: string): Promise<readonly SupportPair[] | undefined> {
  const claims = await readLines<WiceClaim>(join(root, 'wice', 'dev.jsonl'));
  return claims?.map(({ claim, evidence, label }, index) => ({
    claim,
    evidence: evidence.join('\n'),
    supported: label === 'supported',
    part: index % 2 === 0 ? 'wice, half that tuned' : 'wice, other half',
  }));
}

interface Summary {
  readonly domain: string;
  readonly doc_id: string;
  readonly summary: string;
  readonly consistent: number;
}

/** Summaries of texts, some with a small error put in (Laban et al. 2023); one part a domain. */
export async function summeditsPairs(root: string): Promise<readonly SupportPair[] | undefined> {
  const folder = join(root, 'summedits');
  const summaries = await readLines<Summary>(join(folder, 'pairs.jsonl'));
  const texts = await readLines<{ readonly _id: string; readonly text: string }>(join(folder, 'corpus.jsonl'));
  const byId = new Map(texts?.map(({ _id, text }) => [_id, text]));
  return summaries?.map(({ domain, doc_id: id, summary, consistent }) => ({
    claim: summary,
    evidence: byId.get(id) ?? '',
    supported: consistent === 1,
    part: `summedits, ${domain}`,
  }));
}
