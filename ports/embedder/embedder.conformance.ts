import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Embedder } from './embedder.ts';

const TEXTS = [
  'The backup runs every night at two.',
  'Eine Zeile mit Umlauten: Größe, Übung.',
  '日本語の文章。',
  'emoji 👩‍👩‍👧‍👦 and a lone surrogate \ud800',
  '',
  '   \n\t ',
  'word '.repeat(3_000),
] as const;

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

/** The meaning of the port `embedder`, for every adapter. */
export function embedderConformance(name: string, open: () => Promise<Embedder>): void {
  describe(`embedder: ${name}`, () => {
    let embedder: Embedder;
    beforeAll(async () => {
      embedder = await open();
    });
    afterAll(async () => {
      await embedder[Symbol.asyncDispose]();
    });

    it('gives one finite unit vector of the stated size per text, whatever the text', async () => {
      const vectors = await embedder.embed(TEXTS, 'passage');
      expect(vectors).toHaveLength(TEXTS.length);
      for (const vector of vectors) {
        expect(vector).toBeInstanceOf(Float32Array);
        expect(vector).toHaveLength(embedder.model.dimensions);
        expect(dot(vector, vector)).toBeCloseTo(1, 4);
      }
    });

    it('keeps the order of the texts', async () => {
      const together = await embedder.embed(TEXTS, 'passage');
      const reversed = await embedder.embed([...TEXTS].reverse(), 'passage');
      expect([...reversed].reverse()).toEqual(together);
    });

    it('gives the same vector for the same text, alone or among others', async () => {
      const [alone] = await embedder.embed([TEXTS[0]], 'passage');
      const among = await embedder.embed([TEXTS[6], TEXTS[0], TEXTS[2]], 'passage');
      expect(among[1]).toEqual(alone);
    });

    it('puts texts with a common subject nearer than texts without', async () => {
      const [query] = await embedder.embed(['when does the nightly backup run'], 'query');
      const [near, far] = await embedder.embed(
        ['The nightly backup will run at two in the morning.', 'Whisk three eggs into the flour.'],
        'passage',
      );
      expect(dot(query!, near!)).toBeGreaterThan(dot(query!, far!));
    });

    it('embeds no texts as no vectors', async () => {
      expect(await embedder.embed([], 'passage')).toEqual([]);
    });

    it('is safe to call concurrently', async () => {
      const calls = TEXTS.map((text) => embedder.embed([text], 'passage'));
      const vectors = (await Promise.all(calls)).map(([vector]) => vector);
      expect(vectors).toEqual(await embedder.embed(TEXTS, 'passage'));
    });

    it('refuses a call that is already aborted with its reason, and serves the next', async () => {
      const reason = new Error('no longer wanted');
      await expect(embedder.embed(['text'], 'passage', AbortSignal.abort(reason))).rejects.toBe(reason);
      expect(await embedder.embed(['text'], 'passage')).toHaveLength(1);
    });

    it('states a model whose fingerprint is short and whose limits are positive', () => {
      const { dimensions, maxTokens, fingerprint } = embedder.model;
      expect(dimensions).toBeGreaterThan(0);
      expect(maxTokens).toBeGreaterThan(0);
      expect(fingerprint).toMatch(/^[0-9a-f]{8,64}$/);
    });

    it('has as many token starts as tokens, ascending, inside the text', () => {
      for (const text of TEXTS) {
        const starts = [...embedder.tokenizer.starts(text)];
        expect(starts).toHaveLength(embedder.tokenizer.count(text));
        expect(starts).toEqual([...starts].sort((a, b) => a - b));
        for (const start of starts) expect(start).toBeLessThan(text.length);
      }
    });

    it('counts tokens additively at white space', () => {
      const { tokenizer } = embedder;
      const parts = TEXTS.map((text) => tokenizer.count(text));
      expect(tokenizer.count(TEXTS.join('\n'))).toBe(parts.reduce((sum, count) => sum + count, 0));
    });
  });
}
