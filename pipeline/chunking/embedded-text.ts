import { hash } from 'node:crypto';

/** Bytes of SHA-256 that are kept: 2^-64 chance of a collision among 2^32 passages. */
const KEY_BYTES = 16;

/**
 * What is embedded of a passage: title and headings as one line of context, then the text. The title alone stands for a document
 * without text. A heading that repeats the one above it (or the title) is written once.
 */
export function embeddedText(title: string, headings: readonly string[], text: string): string {
  const path: string[] = [];
  for (const part of [title.trim(), ...headings]) if (part !== '' && part !== path.at(-1)) path.push(part);
  const context = path.join(' > ');
  if (context === '') return text;
  return text === '' ? context : `${context}\n\n${text}`;
}

/**
 * Names the vector of a text under one model: equal keys mean equal vectors, so an unchanged passage is not embedded again (SPEC I7).
 * @param fingerprint of the embedder's model.
 */
export function vectorKey(fingerprint: string, embedded: string): string {
  // In one call: a Hash object for each passage costs twice as much.
  return hash('sha256', `${fingerprint}\0${embedded}`, 'buffer').toString('base64url', 0, KEY_BYTES);
}
