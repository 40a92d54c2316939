// One passage as a card: where it is from, how old it is, and the words of it that were quoted.

import { age, button, byId, element, millis } from './dom.js';

/** How often ages are written anew, ms. */
const AGE_EVERY_MS = 5_000;

/** @param id of the card. @param extra elements beside the title. */
export function passageCard(result, id, extra = []) {
  const item = element('li', 'card');
  item.id = id;
  item.tabIndex = -1;
  const head = element('div', 'head');
  head.append(
    element('span', 'number', String(result.rank)),
    element('b', '', result.title || readable(result.documentId)),
    ...extra,
  );
  item.append(head);
  const path = headingsBelow(result);
  if (path.length > 0) item.append(element('div', 'path', path.join(' › ')));
  item.append(element('div', 'text', result.text), origin(result));
  return item;
}

/** Headings above the passage, without the title itself. */
const headingsBelow = ({ title, headings = [] }) => (headings[0] === title ? headings.slice(1) : headings);

/** Title and headings in one line. */
export const pathOf = (result) => [result.title || readable(result.documentId), ...headingsBelow(result)].join(' › ');

/** From where, committed when, in the index how long after; the version for who looks closely. */
function origin({ documentId, committedAt, indexedAt, version }) {
  const made = element('div', 'origin');
  made.append(`${readable(documentId)} · `, ageOf(committedAt), ` · ${lagOf(committedAt, indexedAt)}`);
  made.append(element('span', 'version', ` · version ${version}`));
  return made;
}

export function ageOf(committedAt) {
  const made = element('time', '', `committed ${age(committedAt)}`);
  made.dateTime = new Date(committedAt).toISOString();
  return made;
}

/** A snapshot reads rows long after they were committed: then the time between says nothing about Freshet. */
const LIVE_MS = 600_000;
const lagOf = (committedAt, indexedAt) =>
  indexedAt - committedAt < LIVE_MS
    ? `indexed ${millis(Math.max(0, indexedAt - committedAt))} later`
    : `indexed ${age(indexedAt)}`;

/** Ages go on while the page is looked at. */
export function keepAges() {
  setInterval(() => {
    if (document.hidden) return;
    for (const each of document.querySelectorAll('time'))
      each.textContent = `committed ${age(Date.parse(each.dateTime))}`;
  }, AGE_EVERY_MS);
}

/** Marks quoted words in a card. */
export function markQuote(item, quote) {
  const text = item.querySelector('.text');
  for (const node of text.childNodes) {
    const at = node.nodeType === Node.TEXT_NODE ? node.data.indexOf(quote) : -1;
    if (at === -1) continue;
    const quoted = node.splitText(at);
    quoted.splitText(quote.length);
    quoted.replaceWith(element('mark', '', quote));
    showMark(item);
    return;
  }
}

/** Brings a card and its quoted words into sight, and the keyboard to it; `from` is where it goes back to. */
export function openPassage(item, from) {
  for (const other of document.querySelectorAll('.passages .opened')) shut(other);
  const folded = item.closest('details');
  if (folded) folded.open = true;
  item.classList.add('opened');
  const back = button('Back to the answer', 'quiet small back', () => {
    shut(item);
    // The answer may have been written anew meanwhile.
    const target = from.isConnected ? from : byId('question');
    target.focus();
  });
  item.querySelector('.head').append(back);
  showMark(item);
  item.scrollIntoView({ block: 'nearest' });
  item.focus({ preventScroll: true });
}

/** Scrolls the text to its first quoted words, with what stands before them in sight. */
function showMark(item) {
  const [text, mark] = [item.querySelector('.text'), item.querySelector('mark')];
  if (mark) text.scrollTop = mark.offsetTop - text.offsetTop - text.clientHeight / 3;
}

function shut(item) {
  item.classList.remove('opened');
  item.querySelector('.back')?.remove();
}

export function readable(documentId) {
  try {
    return decodeURIComponent(documentId);
  } catch {
    return documentId;
  }
}
