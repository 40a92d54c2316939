import { createEmbedding } from '../../pipeline/embedding.ts';
import { embeddedText, vectorKey } from '../../pipeline/chunking/embedded-text.ts';
import type { ReplaceDocument } from '../../ports/document-store/document-store.ts';
import { EmbedderUnavailable } from '../../runtime/errors.ts';
import type { Passage } from '../../schemas/document.ts';
import { documentId, passageId } from '../../schemas/ids.ts';
import { documentOf, type FillOptions } from '../retrieval/fill-store.ts';
import type { ChunkingText, Span } from './read-chunking-set.ts';

/** A passage as a chunker makes it. */
export interface CutSpan extends Span {
  /** Headings above it, outermost first. */
  readonly headings: readonly string[];
}

/** A way of cutting texts, by the name that the table gives it. */
export interface Chunker {
  readonly name: string;
  /** Spans in reading order. */
  cut(text: string): readonly CutSpan[];
}

/**
 * Puts texts into the index as a chunker cuts them, with the passage's embedded text, vector and words as the product makes them.
 * @throws what the embedder throws.
 */
export async function fillPassages(
  texts: readonly ChunkingText[],
  { cut }: Pick<Chunker, 'cut'>,
  options: FillOptions,
  signal: AbortSignal,
): Promise<void> {
  const { store, embedder, config, clock } = options;
  const embedding = createEmbedding({ ...options, maxBatchTokens: config.embed.maxBatchTokens });
  for (const { id: key, title, text } of texts) {
    const id = documentId({ source: 'eval', table: 'chunking', key: [key] });
    const document = documentOf(id, { title, parts: [{ name: 'text', text }], bodyFormat: 'text' }, clock);
    const wanted = new Map<string, { vectorKey: string; text: string; tokens: number }>();
    const passages = cut(text).map(({ start, end, headings }, ordinal): Passage => {
      const own = text.slice(start, end);
      const embedded = embeddedText(title, headings, own);
      const named = vectorKey(embedder.model.fingerprint, embedded);
      const tokens = embedder.tokenizer.count(own);
      wanted.set(named, { vectorKey: named, text: embedded, tokens });
      return { id: passageId(id, ordinal), ordinal, start, end, text: own, headings, tokens, vectorKey: named };
    });
    const known = await embedding.lookUp([...wanted.values()], signal);
    const missing = [...wanted.values()].filter((each) => !known.has(each.vectorKey));
    const computed = await embedding.compute(missing, signal);
    const write: ReplaceDocument = {
      kind: 'replace',
      document,
      text,
      passages,
      vectors: passages.map((passage) => known.get(passage.vectorKey) ?? computed.get(passage.vectorKey)),
      lineage: { chunker: '', piiPolicy: '', embedder: embedder.model.fingerprint },
      contentHash: id,
    };
    const [outcome] = await store.write([write], signal);
    if (outcome?.kind === 'refused') throw outcome.error;
  }
  await store.searchable(signal);
  const { passages, passagesWithVector } = await store.progress(signal);
  if (passagesWithVector < passages)
    throw new EmbedderUnavailable(`${passages - passagesWithVector} passages got no vector.`);
}
