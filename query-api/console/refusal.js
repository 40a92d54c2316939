// What to do when the index holds no answer.

import { button, element, isDemo } from './dom.js';

/** Passages of a second look. */
const MORE = 20;

const WHY = {
  retrieval: 'No passage that you may read comes near the question.',
  generator: 'The nearest passages say too little of what was asked, and nothing is made up here.',
  verification: 'An answer was written, and no sentence of it could be tied to a passage, so it is not shown.',
};

/**
 * @param found how many passages were near. @param again asks again with other settings. @param showNearest opens the passages.
 */
export function refusalNodes({ explanation, reason }, { found, again, showNearest }) {
  const box = element('div', 'refusal');
  box.append(element('p', 'hint', WHY[explanation?.refusedBy] ?? reason ?? ''));
  if (isDemo) box.append(element('p', 'hint', 'Add a row that says it, and this question gets its answer.'));
  box.append(element('p', 'hint strong', 'What you can try'));
  box.append(element('p', 'hint', 'Ask with the words that the document itself would use, one thing at a time.'));
  const actions = element('div', 'actions');
  if (found > 0) actions.append(button('Read the nearest passages', 'quiet small', showNearest));
  if ((explanation?.k ?? 0) < MORE)
    actions.append(button(`Look further: ${MORE} passages`, 'quiet small', () => again({ k: MORE })));
  box.append(actions);
  return box;
}
