import { expect } from 'vitest';
import type { Cache } from '../../ports/cache/cache.ts';
import { forgettingStore } from '../../ports/document-store/forgetting-store.ts';
import type { DocumentStore, DocumentWrite } from '../../ports/document-store/document-store.ts';
import { hashEmbedder } from '../../ports/embedder/hash-embedder.ts';
import { extractiveGenerator } from '../../ports/generator/extractive-generator.ts';
import { answerQuestion, type AnswerDeps } from '../../query-api/answer/answer-question.ts';
import { AnswerCache } from '../../query-api/answer/cache/answer-cache.ts';
import { wholeAnswer } from '../../query-api/answer/whole-answer.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import { EvidenceWithdrawn } from '../../runtime/errors.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import type { AnswerResponse } from '../../schemas/answer.ts';
import { documentId, passageId, type DocumentId } from '../../schemas/ids.ts';
import type { Principal } from '../../schemas/principal.ts';
import { sourceVersion } from '../../schemas/version.ts';
import { never } from './builders.ts';

export interface TrialWorld {
  /** Empty. */
  readonly store: DocumentStore;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly random: Random;
}

/** What came of the trials; `hits` tells whether the caches were asked anything worth the name. */
export interface TrialTally {
  asks: number;
  hits: number;
  answered: number;
  /** Hits that differ from what would be written now. */
  stale: number;
  /** Citations of what is not there, in another version, or not for the caller to read. */
  forbidden: number;
  /** Texts of changed or deleted documents that lay in the cache after the write. */
  leftBehind: number;
}

interface Fact {
  readonly id: DocumentId;
  readonly key: string;
  readonly topic: string;
  readonly tenant: string;
  acl: readonly string[] | null;
  version: number;
  readonly better: boolean;
  /** Word that stands in this version of the document and nowhere else. */
  token: string;
  live: boolean;
}

const TOPICS = ['locks', 'queues', 'retries', 'backoff', 'workers', 'streams'];
const TENANTS = ['acme', 'globex'];
const ACLS: readonly (readonly string[] | null)[] = [null, ['staff'], ['legal'], ['staff', 'legal'], []];
const GROUPS: readonly (readonly string[])[] = [[], ['staff'], ['legal'], ['legal', 'staff'], ['staff', 'staff']];

/**
 * Random trials: something happens to the documents (update, delete, revocation, a new document that ranks better), then somebody asks, of either
 * tenant and any groups. Every hit is compared with what is written now without a cache, word for word and citation for citation, every
 * citation with a model of the documents, and after every write the cache is searched for the text that the write has replaced.
 */
export async function runAnswerTrials(
  count: number,
  { store: inner, cache, clock, random }: TrialWorld,
): Promise<TrialTally> {
  const keys = new Set<string>();
  const watched: Cache = {
    get: (asked, signal) => cache.get(asked, signal),
    set: (entries, signal) => {
      for (const { key } of entries) keys.add(key);
      return cache.set(entries, signal);
    },
    delete: (gone, signal) => cache.delete(gone, signal),
    deleteTagged: (tags, signal) => cache.deleteTagged(tags, signal),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const store = forgettingStore(inner, watched);
  const metrics = createMetrics();
  const answers = new AnswerCache({
    cache: watched,
    ttlMs: 600_000,
    auditShare: 0,
    settings: 'trial',
    clock,
    random,
    metrics,
  });
  const written: AnswerDeps = {
    store,
    embedder: hashEmbedder(),
    generator: extractiveGenerator(),
    sources: [],
    clock,
    metrics,
    logger: silentLogger,
    embedDeadlineMs: 60_000, // a slow machine must not cost the dense leg
  };
  const facts = new Map<DocumentId, Fact>();
  const tally: TrialTally = { asks: 0, hits: 0, answered: 0, stale: 0, forbidden: 0, leftBehind: 0 };
  let serial = 0;
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;

  for (let trial = 0; trial < count; trial++) {
    // Most questions come in bursts between changes: without them no answer would ever be given again.
    if (trial < 12 || random() < 0.3) await change();
    const topic = pick(TOPICS);
    const caller = { tenant: pick(TENANTS), groups: pick(GROUPS) };
    const question = pick([
      `What is the limit of ${topic}?`,
      `What is  the limit of ${topic}? `,
      `what is the LIMIT of ${topic}?`,
      `Is there a limit of ${topic}?`,
    ]);
    await ask(question, caller);
  }
  return tally;

  async function change(): Promise<void> {
    const live = [...facts.values()].filter((fact) => fact.live);
    const kind = live.length < 6 ? 'add' : pick(['add', 'update', 'update', 'delete', 'revoke', 'better'] as const);
    const fact = kind === 'add' || kind === 'better' ? added(kind === 'better') : pick(live);
    const before = fact.token;
    fact.version++;
    fact.token = `token${serial++}x`;
    if (kind === 'revoke') fact.acl = pick(ACLS);
    if (kind === 'delete' || live.length > 40) fact.live = false;
    facts.set(fact.id, fact);
    await store.write([fact.live ? replacement(fact) : removal(fact)]);
    await store.searchable();
    if (before === '') return;
    const all = [...keys];
    for (const [index, value] of (await cache.get(all)).entries()) {
      if (!value) keys.delete(all[index]!);
      else if (Buffer.from(value).includes(before)) tally.leftBehind++;
    }
  }

  function added(better: boolean): Fact {
    const key = `${serial}`;
    const id = documentId({ source: 'help', table: 'public.articles', key: [key] });
    return {
      id,
      key,
      topic: pick(TOPICS),
      tenant: pick(TENANTS),
      acl: pick(ACLS),
      version: 0,
      better,
      token: '',
      live: true,
    };
  }

  async function ask(question: string, caller: Principal): Promise<void> {
    tally.asks++;
    const reply = await asked(question, caller, { ...written, answers });
    if (!reply) return;
    for (const { documentId: id, version, quote } of reply.citations) {
      const fact = facts.get(id as DocumentId);
      const readable = fact?.live && fact.tenant === caller.tenant && mayReadAcl(fact.acl, caller.groups);
      const held =
        fact && sourceVersion(0, BigInt(fact.version)).toString() === version && textOf(fact).includes(quote);
      if (!readable || !held) tally.forbidden++;
    }
    if (!reply.refused) tally.answered++;
    if (!reply.cached) return;
    tally.hits++;
    const { cached: _, usage: _tokens, ...given } = reply;
    const { cached: _now, usage: _cost, ...now } = (await asked(question, caller, written)) ?? reply;
    if (JSON.stringify(given) !== JSON.stringify(now)) tally.stale++;
  }
}

/** Undefined when a cited document went while it was answered: an error, and no answer. */
async function asked(question: string, caller: Principal, deps: AnswerDeps): Promise<AnswerResponse | undefined> {
  try {
    return await wholeAnswer(answerQuestion({ question, k: 3 }, caller, deps, 'trial', { gone: never, left: never }));
  } catch (error) {
    expect(error).toBeInstanceOf(EvidenceWithdrawn);
    return undefined;
  }
}

function mayReadAcl(acl: readonly string[] | null, groups: readonly string[]): boolean {
  return acl === null || acl.some((group) => groups.includes(group));
}

const head = ({ id, key, version }: Fact) => ({
  id,
  version: sourceVersion(0, BigInt(version)),
  source: { name: 'help', table: 'public.articles', key },
  committedAt: 1_700_000_000_000,
});

function textOf({ topic, token, better }: Fact): string {
  const rest = ' Workers have other settings that say little of it. They are told elsewhere.';
  return `The limit of ${topic} is ${token}.${better ? '' : rest}`;
}

function replacement(fact: Fact): DocumentWrite {
  const { id, topic, tenant, acl, version, better } = fact;
  const text = textOf(fact);
  const passage = { id: passageId(id, 0), ordinal: 0, start: 0, end: text.length, text, headings: [], tokens: 20 };
  return {
    kind: 'replace',
    document: {
      kind: 'document',
      ...head(fact),
      position: '0/1',
      tenant,
      acl,
      title: better ? `Limit of ${topic}` : 'Notes',
      parts: [{ name: 'body', text }],
      bodyFormat: 'text',
      metadata: {},
    },
    text,
    passages: [{ ...passage, vectorKey: `${id}@${version}` }],
    vectors: [undefined],
    lineage: { chunker: 'test', piiPolicy: 'off', embedder: 'test' },
    contentHash: `${id}@${version}`,
  };
}

function removal(fact: Fact): DocumentWrite {
  return { kind: 'remove', ...head(fact) };
}
