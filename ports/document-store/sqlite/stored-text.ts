/*
 * Text as bytes, so that what is read is what was written: the binding cuts text at a NUL when it reads it, and UTF-8 has no lone
 * surrogates. Spans count UTF-16 code units, so a passage is cut out of the bytes without decoding the document.
 */

/** A text in the narrowest encoding that holds it. */
export interface StoredText {
  readonly isWide: boolean;
  readonly bytes: Uint8Array;
}

/** Latin-1 where that holds every character, else UTF-16. */
export function encodeText(text: string): StoredText {
  // oxlint-disable-next-line no-control-regex -- the range is the encoding's, NUL included
  const isWide = !/^[\u0000-\u00ff]*$/.test(text);
  return { isWide, bytes: Buffer.from(text, isWide ? 'utf16le' : 'latin1') };
}

/** The text that `encodeText` was given. */
export function decodeText(bytes: Uint8Array, isWide: boolean): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.toString(isWide ? 'utf16le' : 'latin1');
}
