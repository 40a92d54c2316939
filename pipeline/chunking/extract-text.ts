import type { BodyFormat } from '../../schemas/document.ts';
import { htmlToText } from './html-to-text.ts';

/** What is chunked, stored and shown. Spans of passages count in it. */
export interface ExtractedText {
  readonly text: string;
  readonly format: 'text' | 'markdown';
}

/** The readable text of a body: HTML becomes light Markdown, text and Markdown stay as they are, so that spans point into the source. */
export function extractText(body: string, format: BodyFormat): ExtractedText {
  if (format === 'html') return { text: htmlToText(body), format: 'markdown' };
  return { text: body, format };
}
