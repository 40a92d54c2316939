// The text of an answer, with its [n] as links to the passages.

import { element } from './dom.js';

/** A line break of the source is no line break of the answer; an empty line is. */
const flow = (text) => text.replace(/([^\n])\n(?=[^\n])/g, '$1 ');

/** An answer without its markers, in one line. */
export const plain = (text) => flow(text).replace(/\s*\[\d{1,3}\]/g, '');

/** @param count passages there are: a marker above it is no link. @param prefix of the ids of the passages. */
export function answerNodes(text, count, prefix) {
  return (
    flow(text)
      // A number that begins a line belongs to nothing.
      .replace(/ (?=\[\d{1,3}\])/g, '\u00a0')
      .split(/\[(\d{1,3})\]/)
      .map((part, index) => {
        if (index % 2 === 0) return document.createTextNode(part);
        if (Number(part) < 1 || Number(part) > count) return document.createTextNode(`[${part}]`);
        const link = element('a', 'cite', part);
        link.href = `#${prefix}${part}`;
        link.dataset.marker = part;
        link.setAttribute('aria-label', `Source ${part}`);
        return link;
      })
  );
}
