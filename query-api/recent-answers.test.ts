import { expect, test } from 'vitest';
import type { AnswerResponse } from '../schemas/answer.ts';
import { RecentAnswers } from './recent-answers.ts';

const anAnswer = (traceId: string, over: Partial<AnswerResponse> = {}): AnswerResponse => ({
  answer: '',
  citations: [],
  refused: false,
  cached: false,
  asOf: {},
  model: 'qwen',
  usage: { promptTokens: 0, completionTokens: 0 },
  traceId,
  ...over,
});

test('the oldest answers are forgotten first, so that memory stays bounded', () => {
  const recent = new RecentAnswers(2);
  for (const traceId of ['a', 'b', 'c']) recent.add(anAnswer(traceId, { prompt: 'p/1' }), 'acme');
  expect(recent.rate('a', 'acme')).toBe('unknown');
  for (const traceId of ['b', 'c'])
    expect(recent.rate(traceId, 'acme')).toEqual({ tenant: 'acme', model: 'qwen', prompt: 'p/1', outcome: 'answered' });
});

test('an answer is rated once, and by its own tenant', () => {
  const recent = new RecentAnswers();
  recent.add(anAnswer('a', { refused: true }), 'acme');
  expect(recent.rate('a', 'other')).toBe('unknown');
  expect(recent.rate('a', 'acme')).toMatchObject({ outcome: 'refused', prompt: 'none' });
  expect(recent.rate('a', 'acme')).toBe('rated');
});
