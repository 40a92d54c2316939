import type { AttachVectors, DocumentStore, StoredDocument } from '../../ports/document-store/document-store.ts';
import type { DocumentId } from '../../schemas/ids.ts';

/**
 * Attaches vectors while others of the same batch are still being computed, so that a kill costs no more than what the model has in hand, and
 * little is left to write when the last vector comes: the model does not wait for the index between two batches. What comes during a write
 * shares the next one. Best effort: a write that fails is left to the end of the batch, which writes whatever is not kept.
 */
export class VectorsOnArrival {
  readonly #store: DocumentStore;
  readonly #signal: AbortSignal;
  readonly #documents = new Map<string, StoredDocument[]>();
  readonly #kept = new Map<DocumentId, Set<string>>();
  #arrived = new Map<string, Float32Array>();
  #writing: Promise<void> | undefined;

  constructor(store: DocumentStore, documents: readonly StoredDocument[], signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
    for (const document of documents)
      for (const { vectorKey } of document.passages) {
        const having = this.#documents.get(vectorKey);
        if (!having) this.#documents.set(vectorKey, [document]);
        else if (having.at(-1) !== document) having.push(document);
      }
  }

  add(vectorKey: string, vector: Float32Array): void {
    this.#arrived.set(vectorKey, vector);
    this.#writing ??= this.#write();
  }

  /** Whether a vector of a document is in the index. Ask after `settled`. */
  keeps(document: DocumentId, vectorKey: string): boolean {
    return this.#kept.get(document)?.has(vectorKey) ?? false;
  }

  /** Resolves when no write is under way; never throws. */
  async settled(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #write(): Promise<void> {
    await Promise.resolve(); // the texts of one batch of the model arrive one after the other in this turn
    try {
      while (this.#arrived.size > 0 && !this.#signal.aborted) {
        const vectors = this.#arrived;
        this.#arrived = new Map();
        await this.#attach(vectors);
      }
    } catch {
      this.#arrived.clear(); // whoever writes the batch writes these, and meets the error if it is still there
    } finally {
      this.#writing = undefined;
    }
  }

  async #attach(vectors: ReadonlyMap<string, Float32Array>): Promise<void> {
    const documents = new Set([...vectors.keys()].flatMap((key) => this.#documents.get(key) ?? []));
    const writes = Array.from(documents, (document) => attachment(document, vectors));
    const outcomes = await this.#store.write(writes, this.#signal);
    writes.forEach(({ id, vectors: attached }, place) => {
      if (outcomes[place]?.kind !== 'applied') return;
      const kept = this.#kept.get(id) ?? new Set<string>();
      for (const { vectorKey } of attached) kept.add(vectorKey);
      this.#kept.set(id, kept);
    });
  }
}

/** The vectors that a document misses, of those that are given. */
export function attachment(
  { id, version, passages }: StoredDocument,
  vectors: ReadonlyMap<string, Float32Array>,
): AttachVectors {
  const attached: AttachVectors['vectors'] = passages.flatMap(({ ordinal, vectorKey, hasVector }) => {
    const vector = hasVector ? undefined : vectors.get(vectorKey);
    return vector ? [{ ordinal, vectorKey, vector }] : [];
  });
  return { kind: 'attach-vectors', id, version, vectors: attached };
}
