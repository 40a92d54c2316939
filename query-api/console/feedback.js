// Thumbs for an answer: one click rates it, words may follow.

import { call } from './api.js';
import { byId } from './dom.js';

let rated = { traceId: '', rating: undefined };

export function startRating() {
  for (const rating of ['up', 'down']) byId(`rate-${rating}`).addEventListener('click', () => void rate(rating));
  byId('comment').addEventListener('submit', (event) => {
    event.preventDefault();
    void comment();
  });
}

/** Offers to rate an answer; undefined: there is none. */
export function offerRating(traceId) {
  rated = { traceId, rating: undefined };
  byId('feedback').hidden = traceId === undefined;
  byId('comment').hidden = true;
  byId('comment-text').value = '';
  press(undefined);
  byId('thanks').textContent = '';
}

function press(rating) {
  for (const each of ['up', 'down']) byId(`rate-${each}`).setAttribute('aria-pressed', String(each === rating));
}

async function rate(rating) {
  if (rated.rating === rating) return;
  if (!(await send({ traceId: rated.traceId, rating }))) return;
  rated.rating = rating;
  press(rating);
  byId('thanks').textContent = rating === 'up' ? 'Thank you.' : 'Thank you. What was wrong?';
  byId('comment').hidden = false;
}

async function comment() {
  const text = byId('comment-text').value.trim();
  if (text !== '' && !(await send({ traceId: rated.traceId, rating: rated.rating, comment: text }))) return;
  byId('comment').hidden = true;
  byId('thanks').textContent = 'Thank you, that was sent.';
  byId(`rate-${rated.rating}`).focus();
}

async function send(feedback) {
  try {
    await call('POST', '/v1/feedback', feedback);
    return true;
  } catch (error) {
    byId('thanks').textContent = error.message;
    return false;
  }
}
