import { ChunkingFailed, FreshetError } from '../../runtime/errors.ts';
import { documentBody, type Document, type Passage } from '../../schemas/document.ts';
import { passageId } from '../../schemas/ids.ts';
import { chunkText, type ChunkOptions } from '../chunking/chunk-text.ts';
import { embeddedText, vectorKey } from '../chunking/embedded-text.ts';
import { extractText } from '../chunking/extract-text.ts';

/**
 * Changes whenever the same document would give other passages, vector keys or words (extraction, borders, embedded text, what is
 * looked up); part of a passage's lineage and of a generation's name, so that an older index is built anew.
 */
export const CHUNKER_VERSION = '2';

export interface ChunkStageOptions extends ChunkOptions {
  /** Of the embedder's model: passages get another vector key under another model. */
  readonly fingerprint: string;
}

/** The text that is stored and the passages that are spans of it. */
export interface ChunkedDocument {
  readonly text: string;
  readonly passages: readonly Passage[];
}

/**
 * Cuts a document into passages, in reading order. Pure: the same document gives the same passages and vector keys. A document with a
 * title and no text has one passage, empty, whose vector is the title's; one with neither has none.
 * @throws ChunkingFailed when the body cannot be read; the message never holds its text.
 */
export function chunk(document: Document, options: ChunkStageOptions): ChunkedDocument {
  try {
    const { text, format } = extractText(documentBody(document.parts), document.bodyFormat);
    const spans = chunkText(text, format, options);
    if (spans.length === 0 && document.title.trim() !== '') spans.push({ start: 0, end: 0, headings: [], tokens: 0 });
    return {
      text,
      passages: spans.map((span, ordinal) => {
        const passage = text.slice(span.start, span.end);
        return {
          id: passageId(document.id, ordinal),
          ordinal,
          start: span.start,
          end: span.end,
          text: passage,
          headings: span.headings,
          tokens: span.tokens,
          vectorKey: vectorKey(options.fingerprint, embeddedText(document.title, span.headings, passage)),
        };
      }),
    };
  } catch (cause) {
    if (cause instanceof FreshetError) throw cause;
    throw new ChunkingFailed('The document could not be cut into passages.', { cause });
  }
}
