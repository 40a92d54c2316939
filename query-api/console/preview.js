// What a citation rests on, while the pointer or the keyboard is on it.

import { byId, element } from './dom.js';
import { ageOf, openPassage, pathOf } from './passage.js';

/** Space that is kept to the edges of the window, px. */
const EDGE_PX = 12;

/**
 * Shows the quoted words beside a citation of `container`, and opens its passage when it is chosen.
 * @param find gives { result, quotes, item } for a marker, undefined when there is none.
 */
export function previewCitations(container, find) {
  const show = ({ target }) => {
    const link = target.closest?.('.cite');
    const found = link && find(Number(link.dataset.marker));
    if (found) open(link, found);
  };
  container.addEventListener('pointerover', (event) => event.pointerType === 'mouse' && show(event));
  container.addEventListener('focusin', show);
  for (const end of ['pointerout', 'focusout']) container.addEventListener(end, hidePreview);
  container.addEventListener('keydown', (event) => event.key === 'Escape' && hidePreview());
  container.addEventListener('click', (event) => {
    const link = event.target.closest?.('.cite');
    const found = link && find(Number(link.dataset.marker));
    if (!found) return;
    event.preventDefault();
    hidePreview();
    openPassage(found.item, link);
  });
}

export function hidePreview() {
  byId('preview').hidden = true;
}

function open(link, { result, quotes }) {
  const preview = byId('preview');
  preview.replaceChildren(element('b', '', pathOf(result)));
  for (const quote of quotes) preview.append(element('q', '', quote));
  const foot = element('small');
  foot.append(ageOf(result.committedAt), ' · opens in its passage');
  preview.append(foot);
  preview.hidden = false;
  link.setAttribute('aria-describedby', 'preview');
  const [at, own] = [link.getBoundingClientRect(), preview.getBoundingClientRect()];
  const left = Math.min(Math.max(EDGE_PX, at.left - 24), innerWidth - own.width - EDGE_PX);
  const below = at.bottom + 8;
  const top = below + own.height < innerHeight ? below : at.top - own.height - 8;
  preview.style.left = `${left}px`;
  preview.style.top = `${Math.max(EDGE_PX, top)}px`;
}
