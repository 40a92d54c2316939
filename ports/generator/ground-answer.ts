import type { ExplainedStatement } from '../../schemas/explanation.ts';
import type { GroundingPassage } from './generator.ts';
import { ABBREVIATION } from './split-sentences.ts';
import { isStatement, supportingQuote } from './supporting-quote.ts';

/** A piece of a grounded answer, in the order in which it is sent. */
export type GroundedPiece =
  | { readonly kind: 'token'; readonly text: string }
  | { readonly kind: 'citation'; readonly marker: number; readonly quote: string };

/**
 * Share of a claim's words that the passage it names must say. On the development set of WiCE 0.45 parts supported from unsupported claims best
 * (balanced accuracy 0.77; 0.73 at 0.3 and at 0.5); claims against evidence for other claims pass in 0.3 % of cases.
 */
const CITED_SUPPORT = 0.45;
/** The same for a passage that the model did not name: at 0.6 no unrelated passage of WiCE passed, and 5 % of unsupported claims did. */
const FOUND_SUPPORT = 0.6;

/** Follows a statement that no passage supports, in mode `mark`. */
export const UNVERIFIED = ' [unverified]';
const MARKER = /^\[\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*\]/;
/** What may still become a marker. */
const MARKER_BEGINNING = /^\[[\d,;\s]{0,15}$/;
const FENCE = '```';
const CLOSERS = '"\'”’)*_`';

/**
 * Turns the text of a model, in pieces of any size, into an answer whose citations hold. A marker `[n]` that ends a claim is sent, with a citation
 * after it, iff passage n has a quote that supports the claim; any other marker is left out. A sentence that states something without such a
 * marker gets one when some passage says the same; else it is followed by `[unverified]` (mode `mark`) or left out (`drop`). In mode `mark` text is
 * passed on as it comes, but for what may be a marker or the space before one; in mode `drop` sentence by sentence. Pure but for its state: how
 * the text was cut into pieces changes nothing.
 */
export class AnswerGrounder {
  readonly #passages: readonly GroundingPassage[];
  readonly #mode: 'mark' | 'drop';
  #pieces: GroundedPiece[] = [];
  /** In mode `drop`, pieces of the sentence that is not decided yet. */
  #held: GroundedPiece[] = [];
  /** Read, and not understood without what follows. */
  #unread = '';
  /** The sentence so far without its markers; since its last marker that held; the claim of that marker, for one right behind it. */
  #sentence = '';
  #claim = '';
  #lastClaim = '';
  #cited = false;
  /** The sentence has its full stop; markers may follow. `gap`: white space since. */
  #stopped = false;
  #gap = '';
  #inFence = false;
  #citations = 0;
  /** Of the sentence: passages it rests on, and those it named in vain. */
  #markers: number[] = [];
  #rejected: number[] = [];
  readonly #onStatement: ((statement: ExplainedStatement) => void) | undefined;

  /** @param onStatement is told what became of each sentence that states or cites something, when that is decided. */
  constructor(
    passages: readonly GroundingPassage[],
    mode: 'mark' | 'drop',
    onStatement?: (statement: ExplainedStatement) => void,
  ) {
    this.#passages = passages;
    this.#mode = mode;
    this.#onStatement = onStatement;
  }

  /** Citations so far. */
  get citations(): number {
    return this.#citations;
  }

  /** Takes the next piece of text. @returns what may be sent now. */
  push(text: string): readonly GroundedPiece[] {
    this.#unread += text;
    this.#read(false);
    return this.#take();
  }

  /** No more text. @returns the rest. */
  end(): readonly GroundedPiece[] {
    this.#read(true);
    this.#settle();
    return this.#take();
  }

  #read(ended: boolean): void {
    let at = 0;
    while (at < this.#unread.length) {
      const length = this.#readAt(this.#unread.slice(at), ended);
      if (length === 0) break;
      at += length;
    }
    this.#unread = this.#unread.slice(at);
  }

  /** Reads one thing at the beginning of `rest`. @returns its length; 0 when more text is needed to know what it is. */
  #readAt(rest: string, ended: boolean): number {
    const char = rest.charAt(0);
    if (char === '`' && this.#atLineStart()) {
      if (!ended && rest.length < FENCE.length && FENCE.startsWith(rest)) return 0;
      if (rest.startsWith(FENCE)) return this.#readFence();
    }
    if (this.#inFence) return this.#say(char);
    if (char === '[' && !this.#inCode()) {
      const marker = MARKER.exec(rest);
      if (marker) return this.#readMarkers(marker[0], marker[1] ?? '');
      if (!ended && MARKER_BEGINNING.test(rest)) return 0;
    }
    if (this.#stopped) return this.#readBehindStop(char);
    if (char === '\n') return this.#readLineEnd();
    if ((char === '.' || char === '!' || char === '?') && rest.length === 1 && !ended) return 0;
    // White space may be followed by a marker that is left out.
    if (/\s/.test(char)) this.#gap += char;
    else this.#say(char);
    if (endsSentence(this.#sentence, rest.charAt(1))) this.#stopped = true;
    return 1;
  }

  #readFence(): number {
    if (!this.#inFence) this.#settle();
    this.#say(FENCE);
    this.#stopped = this.#inFence;
    this.#inFence = !this.#inFence;
    return FENCE.length;
  }

  #readBehindStop(char: string): number {
    if (/\s/.test(char)) {
      this.#gap += char;
      // A marker may stand on the line below a block of code, and not below a sentence.
      if (char === '\n' && !this.#sentence.endsWith(FENCE)) this.#settle();
      return 1;
    }
    if (CLOSERS.includes(char) && this.#gap === '') return this.#say(char);
    this.#settle();
    return this.#readAt(char, true);
  }

  #readLineEnd(): number {
    this.#gap += '\n';
    this.#settle();
    return 1;
  }

  /** Adds text to the sentence, with the white space before it. */
  #say(text: string): number {
    const words = this.#gap + text;
    this.#gap = '';
    this.#sentence += words;
    this.#claim += words;
    this.#emit({ kind: 'token', text: words });
    return text.length;
  }

  #readMarkers(written: string, numbers: string): number {
    const claim = isEmpty(this.#claim) ? this.#lastClaim : this.#claim;
    let held = false;
    for (const number of numbers.split(/[,;]/)) {
      const passage = this.#passages.find(({ marker }) => marker === Number(number));
      const found = passage && supportingQuote(claim, passage);
      if (!found || found.support < CITED_SUPPORT) {
        this.#rejected.push(Number(number));
        continue;
      }
      this.#cite(Number(number), found.quote);
      this.#lastClaim = claim;
      this.#claim = '';
      held = true;
    }
    // The space before a marker that is left out goes with it.
    if (!held) this.#gap = this.#gap.replaceAll(/[^\n]/g, '');
    return written.length;
  }

  #cite(marker: number, quote: string): void {
    // The white space that the model put before its marker, or one space before one of ours.
    const gap = this.#gap === '' && !this.#cited ? ' ' : this.#gap.replaceAll(/[^\n]*\n[^]*/g, '\n');
    this.#gap = '';
    this.#emit({ kind: 'token', text: `${gap}[${marker}]` }, { kind: 'citation', marker, quote });
    this.#cited = true;
    this.#citations++;
    this.#markers.push(marker);
  }

  /** The sentence has ended: what it states is cited by now, or is supported by some passage, or is marked or left out. */
  #settle(): void {
    const gap = this.#gap;
    this.#gap = '';
    const claim = this.#claim;
    let outcome: ExplainedStatement['outcome'] = 'cited';
    if (isStatement(claim)) {
      const found = this.#findSupport(claim);
      if (found) {
        if (!this.#cited) outcome = 'found';
        this.#cite(found.marker, found.quote);
      } else if (!this.#cited || this.#mode === 'mark') {
        outcome = this.#mode === 'mark' ? 'unverified' : 'dropped';
        this.#refuse();
      }
    }
    this.#tell(outcome);
    this.#gap = '';
    this.#pieces.push(...this.#held);
    this.#held = [];
    if (gap !== '') this.#pieces.push({ kind: 'token', text: gap });
    this.#sentence = this.#claim = this.#lastClaim = '';
    this.#cited = false;
    this.#stopped = false;
  }

  #tell(outcome: ExplainedStatement['outcome']): void {
    const [text, markers, rejectedMarkers] = [this.#sentence.trim(), this.#markers, this.#rejected];
    this.#markers = [];
    this.#rejected = [];
    // Without a citation it is a lead-in, a question or a heading, unless it was refused.
    if (outcome === 'cited' && markers.length === 0) return;
    this.#onStatement?.({ text, outcome, markers, rejectedMarkers });
  }

  #refuse(): void {
    if (this.#mode === 'drop') this.#held = [];
    else this.#emit({ kind: 'token', text: UNVERIFIED });
  }

  #findSupport(claim: string): { readonly marker: number; readonly quote: string } | undefined {
    let best: { readonly marker: number; readonly quote: string; readonly support: number } | undefined;
    for (const passage of this.#passages) {
      const found = supportingQuote(claim, passage);
      if (found && found.support >= FOUND_SUPPORT && found.support > (best?.support ?? 0))
        best = { marker: passage.marker, ...found };
    }
    return best;
  }

  #emit(...pieces: GroundedPiece[]): void {
    (this.#mode === 'drop' ? this.#held : this.#pieces).push(...pieces);
  }

  #take(): readonly GroundedPiece[] {
    const pieces = joinTokens(this.#pieces);
    this.#pieces = [];
    return pieces;
  }

  #atLineStart(): boolean {
    return /(?:^|\n)[ \t]*$/.test(this.#sentence + this.#gap);
  }

  #inCode(): boolean {
    return (this.#sentence.split('`').length - 1) % 2 === 1;
  }
}

/** Whether a sentence ends here. `next` is empty at the end of the text. */
function endsSentence(sentence: string, next: string): boolean {
  if (/[。！？]$/.test(sentence)) return true;
  if (!/[.!?]["'”’)*_`]*$/.test(sentence) || !(next === '' || /[\s["'”’)*_`]/.test(next))) return false;
  return !ABBREVIATION.test(sentence) && !/^\s*\d{1,3}\.$/.test(sentence);
}

function isEmpty(claim: string): boolean {
  return !/[\p{L}\p{N}]/u.test(claim);
}

function joinTokens(pieces: readonly GroundedPiece[]): readonly GroundedPiece[] {
  const joined: GroundedPiece[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (piece.kind === 'token' && last?.kind === 'token')
      joined.splice(-1, 1, { kind: 'token', text: last.text + piece.text });
    else joined.push(piece);
  }
  return joined;
}
