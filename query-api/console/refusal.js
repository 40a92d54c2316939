// What to do when the index holds no answer.

import { button, element, isDemo } from './dom.js';

const WHY = {
  retrieval: 'No passage that you may read comes near the question.',
  generator: 'The nearest passages say too little of what was asked, and nothing is made up here.',
  verification: 'An answer was written, and no sentence of it could be tied to a passage, so it is not shown.',
};

/** @param ask asks again with other settings. */
export function refusalNodes({ explanation, reason }, found, ask) {
  const box = element('div', 'refusal');
  box.append(element('p', 'hint', WHY[explanation?.refusedBy] ?? reason ?? ''));
  if (isDemo) box.append(element('p', 'hint', 'Add a row that says it, and this question gets its answer.'));
  const tries = element('ul', 'tries');
  tries.append(element('li', '', 'Ask with the words that the document itself would use, one thing at a time.'));
  if (found > 0)
    tries.append(element('li', '', 'Look at the nearest passages below: perhaps it is there in other words.'));
  if ((explanation?.k ?? 0) < 20) {
    const more = element('li');
    more.append(button('Look at 20 passages instead', 'quiet small', () => ask({ k: 20 })));
    tries.append(more);
  }
  box.append(element('p', 'hint strong', 'What you can try'), tries);
  return box;
}
