import type { DocumentStore, DocumentWrite, StoredDocument } from '../../ports/document-store/document-store.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import type { Random } from '../../runtime/clock.ts';
import { textsOf } from '../../pipeline/stages/embed.ts';
import { projectRow } from '../../pipeline/mapping/project-row.ts';
import { documentBody } from '../../schemas/document.ts';
import { UNAVAILABLE } from '../../schemas/envelope.ts';
import type { DeadLetter } from '../../schemas/dead-letter.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import { formatLsn, parseLsn, ZERO_LSN, type Lsn } from '../../schemas/lsn.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import { pick } from './random.ts';
import { SOURCE, TABLE, type HistoryEntry, type SimulatedSource } from './source.ts';

/** A broken invariant, by its number in docs/SPEC.md. */
export interface Violation {
  readonly invariant: string;
  readonly what: string;
}

/** What a reader searches for. */
const SEARCHED = ['river', 'delta', 'stream', 'flood'];

interface Claim {
  readonly position: Lsn;
  readonly epoch: number;
}

/** Looks at the index from outside while the pipeline runs, and compares it with the source's history. */
export class Checker {
  readonly violations: Violation[] = [];
  readonly #source: SimulatedSource;
  readonly #store: DocumentStore;
  readonly #embedder: Embedder;
  readonly #random: Random;
  /** Highest version seen of every document, and whether it was a tombstone. */
  readonly #seen = new Map<DocumentId, SourceVersion>();
  /**
   * What was read of a document, until a write names it: reading is most of a look. Damage by a write that names another document is
   * seen by `look`, which reads what it picks in any case, and at the end.
   */
  readonly #unchanged = new Map<DocumentId, StoredDocument | undefined>();
  /** Something was written since the last look at a few documents. */
  #isWritten = false;

  constructor(source: SimulatedSource, store: DocumentStore, embedder: Embedder, random: Random) {
    this.#source = source;
    this.#store = store;
    this.#embedder = embedder;
    this.#random = random;
  }

  fail(invariant: string, what: string): void {
    if (this.violations.length < 20) this.violations.push({ invariant, what });
  }

  /** Call it with everything that is sent to the store, also when only a part of it arrives. */
  onWrite(writes: readonly DocumentWrite[]): void {
    this.#isWritten = true;
    for (const write of writes) {
      if (write.kind === 'remove-below') this.#unchanged.clear();
      else if (write.kind === 'replace') this.#unchanged.delete(write.document.id);
      else if (write.kind !== 'advance') this.#unchanged.delete(write.id);
    }
  }

  /** One look at a few documents, whether they were written or not, the claim of freshness, and a search. */
  async look(): Promise<void> {
    const ids = [...this.#source.history.keys()];
    if (ids.length === 0 || !this.#isWritten) return;
    this.#isWritten = false;
    const some = [pick(this.#random, ids), pick(this.#random, ids), pick(this.#random, ids)];
    for (const id of some) this.#unchanged.delete(id);
    await this.#lookAt([...new Set(some)]);
    await this.#searchShowsOnlyWhatItMay();
  }

  /** A look at every document, for the moments at which a claim or a half-done write could be seen. */
  async lookAtAll(): Promise<void> {
    await this.#lookAt([...this.#source.history.keys()]);
  }

  async #lookAt(ids: readonly DocumentId[]): Promise<void> {
    const { searchable, complete } = await this.#claims();
    await this.#readChanged(ids);
    for (const id of ids) {
      const document = this.#unchanged.get(id);
      this.#versionNeverFalls(id, document);
      if (searchable) this.#claimHolds(id, document, searchable);
      if (complete) this.#hasItsVectors(id, document, complete);
    }
  }

  async #claims(): Promise<{ searchable: Claim | undefined; complete: Claim | undefined }> {
    const { searchable, complete } = (await this.#store.progress()).sources[SOURCE] ?? {};
    const claimOf = (progress: typeof searchable): Claim | undefined =>
      progress && { position: parseLsn(progress.position) ?? ZERO_LSN, epoch: progress.epoch };
    return { searchable: claimOf(searchable), complete: claimOf(complete) };
  }

  /** Reads those of the documents that were written since they were last read. */
  async #readChanged(ids: readonly DocumentId[]): Promise<void> {
    const changed = ids.filter((id) => !this.#unchanged.has(id));
    const documents = await this.#store.read(changed);
    changed.forEach((id, index) => {
      this.#contentIsOfItsVersion(id, documents[index]);
      this.#unchanged.set(id, documents[index]);
    });
  }

  #versionNeverFalls(id: DocumentId, document: StoredDocument | undefined): void {
    const before = this.#seen.get(id);
    // A range tombstone removes documents and tombstones below it, and refuses what comes late in their place. The lowest one that
    // explains the absence counts: higher ones may not have arrived yet.
    const floor = document
      ? undefined
      : this.#source.floors.find((version) => before !== undefined && version >= before);
    if (before !== undefined && (document?.version ?? floor ?? -1n) < before) {
      const broken = this.#entry(id, before)?.row === undefined ? 'I2' : 'I3';
      this.fail(broken, `${id} went from version ${before} to ${document?.version ?? 'nothing'}`);
    }
    const now = document?.version ?? floor;
    if (now !== undefined) this.#seen.set(id, now);
  }

  #contentIsOfItsVersion(id: DocumentId, document: StoredDocument | undefined): void {
    if (!document) return;
    const entry = this.#entry(id, document.version);
    if (document.deleted) {
      if (!entry || entry.row)
        this.fail('I5', `${id} is deleted as of version ${document.version}, which the source never deleted`);
      return;
    }
    if (!entry?.row)
      return this.fail('I5', `${id} is served in version ${document.version}, which the source never committed`);
    const expected = projectRow(entry.row, TABLE, undefined);
    if (document.text.includes(UNAVAILABLE) || document.title.includes(UNAVAILABLE))
      this.fail('I5', `${id} holds the placeholder of an unchanged column`);
    else if (document.text !== documentBody(expected.parts) || document.title !== expected.title)
      this.fail('I4', `${id} has other text than its version ${document.version}`);
    if (document.tenant !== expected.tenant || JSON.stringify(document.acl) !== JSON.stringify(expected.acl))
      this.fail('I10', `${id} has other permissions than its version ${document.version}`);
    for (const passage of document.passages) {
      if (document.text.slice(passage.start, passage.end) !== passage.text)
        this.fail('I4', `a passage of ${id} is not of its text`);
    }
  }

  /** Everything up to the claimed position is in the index, or something newer. */
  #claimHolds(id: DocumentId, document: StoredDocument | undefined, claim: Claim): void {
    const promised = this.#promised(id, claim);
    if (!promised) return;
    const shown = document && !document.deleted ? document.version : undefined;
    if (
      promised.row === undefined
        ? shown !== undefined && shown <= promised.version
        : (document?.version ?? -1n) < promised.version && !this.#goneSince(id, promised)
    ) {
      this.fail(
        'I11',
        `${id} is claimed as of ${formatLsn(claim.position)} (epoch ${claim.epoch}) but shows ${shown ?? 'nothing'} for version ${promised.version}`,
      );
    }
  }

  /** A document that is complete as of the claimed position has all vectors of that version, unless it is newer. */
  #hasItsVectors(id: DocumentId, document: StoredDocument | undefined, claim: Claim): void {
    if (!document || document.version !== this.#promised(id, claim)?.version) return;
    if (!document.passages.every(({ hasVector }) => hasVector))
      this.fail('I11', `${id} is claimed to be complete as of ${formatLsn(claim.position)} but misses vectors`);
  }

  /** The newest entry that a claim includes. */
  #promised(id: DocumentId, claim: Claim): HistoryEntry | undefined {
    return this.#source.history
      .get(id)
      ?.findLast(({ epoch, position }) => epoch < claim.epoch || (epoch === claim.epoch && position <= claim.position));
  }

  /** A range tombstone newer than the claim may have removed a document early. */
  #goneSince(id: DocumentId, promised: HistoryEntry): boolean {
    return (this.#source.history.get(id) ?? []).some(
      (entry) => entry.row === undefined && entry.version > promised.version,
    );
  }

  async #searchShowsOnlyWhatItMay(): Promise<void> {
    const principal = {
      tenant: pick(this.#random, ['acme', 'umbrella', 'nobody']),
      groups: pick(this.#random, [[], ['red'], ['blue']]),
    };
    const text = SEARCHED.join(' ');
    const [vector = new Float32Array()] = await this.#embedder.embed([text], 'query');
    const { lexical, dense } = await this.#store.search({
      scope: { principal, filter: {} },
      lexical: { text, depth: 50 },
      dense: { vector, depth: 50 },
    });
    const versions = new Map<DocumentId, SourceVersion>();
    for (const hit of [...lexical, ...dense]) {
      const row = this.#entry(hit.documentId, hit.version)?.row;
      if (!row) this.fail('I5', `search returns ${hit.documentId} in a version that was never committed`);
      else if (
        row['tenant'] !== principal.tenant ||
        !(row['groups'] as readonly string[]).some((group) => principal.groups.some((own) => own === group))
      )
        this.fail('I10', `search shows ${hit.documentId} to a caller who may not see it`);
      else if (!documentBody(projectRow(row, TABLE, undefined).parts).includes(hit.passage.text))
        this.fail('I4', `search shows a passage of ${hit.documentId} that its version does not have`);
      else if (
        lexical.includes(hit) &&
        !SEARCHED.some((word) => `${hit.title} ${hit.passage.text}`.toLowerCase().includes(word))
      )
        this.fail('I4', `search finds a passage of ${hit.documentId} by words that it does not have`);
      if ((versions.get(hit.documentId) ?? hit.version) !== hit.version)
        this.fail('I4', `one reply mixes versions of ${hit.documentId}`);
      versions.set(hit.documentId, hit.version);
    }
  }

  #entry(id: DocumentId, version: SourceVersion): HistoryEntry | undefined {
    return this.#source.history.get(id)?.find((entry) => entry.version === version);
  }

  /** After quiescence: the index equals the live source, same ids, same text, nothing else; and every vector is there. */
  async final(deadLetters: readonly DeadLetter[]): Promise<void> {
    const live = this.#source.live();
    const listed = await this.#store.list({ limit: 10_000 });
    const ids = listed.map((summary) => summary.id);
    for (const id of ids)
      if (!live.has(id))
        this.fail(this.#source.history.has(id) ? 'I2' : 'I5', `${id} is in the index but not in the source`);
    const documents = await this.#store.read([...live.keys()], { vectors: true });
    for (const [index, [id, row]] of [...live].entries()) {
      const document = documents[index];
      const expected = projectRow(row, TABLE, undefined);
      if (!document || document.deleted) this.fail('I1', `${id} is in the source but not in the index`);
      else if (document.text !== documentBody(expected.parts) || document.title !== expected.title)
        this.fail('I1', `${id} has old text after everything was processed`);
      else if (document.passages.some((passage) => !passage.vector))
        this.fail('I1', `${id} misses vectors after everything was processed`);
      else if (
        JSON.stringify(document.metadata) !== JSON.stringify(expected.metadata) ||
        JSON.stringify(document.acl) !== JSON.stringify(expected.acl)
      )
        this.fail('I1', `${id} has old metadata or permissions`);
      else if (!(await this.#vectorsAreOfTheirTexts(document))) this.fail('I4', `${id} has a vector of another text`);
    }
    await this.#everythingIsClaimed();
    this.#deadLettersAreTheRightOnes(deadLetters);
  }

  async #vectorsAreOfTheirTexts({ title, passages }: StoredDocument): Promise<boolean> {
    const texts = textsOf(title, passages).map(({ text }) => text);
    const vectors = await this.#embedder.embed(texts, 'passage');
    return passages.every(({ vector }, index) => String(vector) === String(vectors[index]));
  }

  /** Once everything is processed both positions are the source's last. */
  async #everythingIsClaimed(): Promise<void> {
    const { searchable, complete } = (await this.#store.progress()).sources[SOURCE] ?? {};
    const last = this.#source.lastWatermark;
    if (!last) return;
    for (const [level, claim] of Object.entries({ searchable, complete }))
      if (claim?.position !== last.position || claim.epoch !== last.epoch)
        this.fail('I11', `${level} as of ${claim?.position}, but everything up to ${last.position} is processed`);
  }

  /** Broken records are dead letters, and nothing else is. */
  #deadLettersAreTheRightOnes(deadLetters: readonly DeadLetter[]): void {
    const parked = new Set(deadLetters.map((letter) => letter.documentId ?? letter.id));
    const broken = new Set(this.#source.poisoned);
    for (const key of broken) if (!parked.has(key)) this.fail('I9', `the broken record ${key} is not a dead letter`);
    for (const letter of deadLetters) {
      if (!broken.has(letter.documentId ?? ''))
        this.fail(
          'I9',
          `${letter.documentId} version ${letter.version} is a dead letter for no reason: ${letter.code} ${letter.message}`,
        );
    }
  }
}
