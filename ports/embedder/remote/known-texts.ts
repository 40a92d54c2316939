import type { Random } from '../../../runtime/clock.ts';
import { EmbeddingInvalid } from '../../../runtime/errors.ts';
import { checkReply, cosine } from './check-reply.ts';

/** Sentences without a common word or subject, so that no model takes one for another. */
const SENTENCES = [
  'The river froze over in the night.',
  'A violin needs four strings.',
  'Our invoice is due on Friday.',
  'Whales breathe air like cats do.',
];
/** Least cosine between two vectors of one text: half precision and int8 activations move a vector by 0.003 with its neighbours in the batch. */
const SAME_TEXT_COSINE = 0.98;
/** One request in this many carries a known text along: it costs some ten tokens. */
const REQUESTS_PER_CHECK = 32;
/** Requests in a row that carry one after something odd. */
const CHECKS_AFTER_DOUBT = 8;

/** A known text that travels among others. */
export interface Passenger {
  readonly text: string;
  readonly vector: Float32Array;
  /** Its place among the texts of the request. */
  readonly position: number;
}

/** What a check of all known texts found: they are right, they stand in another order, or they have other vectors. */
export type KnownTextsVerdict = 'right' | 'reordered' | 'changed';

/**
 * Texts whose vectors are known from the start. Protocols that answer with a bare list say nothing about which vector belongs to which
 * text, and a model that is swapped behind its address says nothing at all; a known text at a random place of a request shows both.
 */
export class KnownTexts {
  readonly #vectors: readonly Float32Array[];
  readonly #random: Random;
  #untilCheck = 0;
  #doubtful = CHECKS_AFTER_DOUBT;

  constructor(vectors: readonly Float32Array[], random: Random) {
    this.#vectors = vectors;
    this.#random = random;
  }

  /** Embeds each known text in a request of its own, where no order can be wrong. @throws what `send` throws, EmbeddingInvalid. */
  static async learn(
    send: (texts: readonly string[]) => Promise<readonly Float32Array[]>,
    random: Random,
  ): Promise<{ readonly known: KnownTexts; readonly dimensions: number }> {
    const vectors: Float32Array[] = [];
    let dimensions: number | undefined;
    for (const sentence of SENTENCES) {
      const reply = await send([sentence]);
      dimensions ??= reply[0]?.length ?? 0;
      const checked = checkReply(reply, 1, dimensions);
      const [vector] = checked.kind === 'checked' ? checked.vectors : [];
      if (!vector || dimensions === 0) {
        const reason = checked.kind === 'unusable' ? checked.reason : 'the vector is zero or not finite';
        throw new EmbeddingInvalid(`The embedder's answer to a probe is unusable: ${reason}.`);
      }
      vectors.push(vector);
    }
    return { known: new KnownTexts(vectors, random), dimensions: dimensions ?? 0 };
  }

  /** Something odd happened: the next requests are checked. */
  doubt(): void {
    this.#doubtful = CHECKS_AFTER_DOUBT;
  }

  /** Whether the next request carries a known text, so that a place is left for it. */
  get isDue(): boolean {
    return this.#doubtful > 0 || this.#untilCheck === 0;
  }

  /** A known text for a request of `count` texts, when its turn has come. One text alone has no order. */
  passengerFor(count: number): Passenger | undefined {
    if (count < 2) return undefined;
    if (this.#doubtful > 0) this.#doubtful--;
    else if (this.#untilCheck > 0) {
      this.#untilCheck--;
      return undefined;
    } else this.#untilCheck = REQUESTS_PER_CHECK - 1;
    const which = Math.floor(this.#random() * SENTENCES.length);
    const vector = this.#vectors[which];
    const text = SENTENCES[which];
    if (!vector || !text) return undefined;
    const position = Math.floor(this.#random() * (count + 1));
    // The middle stays in its place when the order is reversed.
    return { text, vector, position: 2 * position === count ? 0 : position };
  }

  /** Whether the vector at a passenger's place is its own. */
  static recognises({ vector }: Passenger, found: Float32Array | undefined): boolean {
    return found?.length === vector.length && cosine(vector, found) >= SAME_TEXT_COSINE;
  }

  /** Sends all known texts in one request, from the last to the first. @throws what `send` throws. */
  async verify(send: (texts: readonly string[]) => Promise<readonly Float32Array[]>): Promise<KnownTextsVerdict> {
    const expected = this.#vectors.toReversed();
    const dimensions = expected[0]?.length ?? 0;
    const checked = checkReply(await send(SENTENCES.toReversed()), expected.length, dimensions);
    if (checked.kind === 'unusable') return 'changed';
    const same = (a: Float32Array | undefined, b: Float32Array | undefined): boolean =>
      a !== undefined && b !== undefined && cosine(a, b) >= SAME_TEXT_COSINE;
    if (expected.every((vector, index) => same(vector, checked.vectors[index]))) return 'right';
    return expected.every((vector) => checked.vectors.some((found) => same(vector, found))) ? 'reordered' : 'changed';
  }
}
