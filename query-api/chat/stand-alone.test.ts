import { describe, expect, test } from 'vitest';
import { refersBack, standAlone } from './stand-alone.ts';

const LOCKS = 'How are job locks renewed?';

describe('a question refers back when', () => {
  test.each([
    'How long does it last?',
    'And can I change the interval?',
    'What about delayed jobs?',
    'Why is that?',
    'Does that work on Windows?',
    'Who maintains them?',
    'What does this error mean?',
    'Why?',
    'How so?',
    'Tell me more',
  ])('it points at something unnamed: %s', (question) => {
    expect(refersBack(question)).toBe(true);
  });

  test.each([
    LOCKS,
    'Is it possible to delete a locked job while it runs?',
    'How long does it take to build the index?',
    'If a job fails twice with an error, is it retried?',
    'Which setting says that a queue is paused?',
    'What is an API key?',
    'What is S3?',
    'Redis version',
    'Wie lange gilt eine Sperre?',
    '任务锁多久过期？',
  ])('and else it does not: %s', (question) => {
    expect(refersBack(question)).toBe(false);
  });
});

describe('a question that refers back', () => {
  test('takes the nearest earlier question that stands alone before it', () => {
    const earlier = ['What is a queue?', LOCKS, 'And how often?'];
    expect(standAlone('Can I change it?', earlier, 1_000)).toBe(`${LOCKS}\nCan I change it?`);
  });

  test('stays as it is when nothing stands alone before it, when it is a repetition, and when both are too long', () => {
    expect(standAlone('Why?', [], 1_000)).toBe('Why?');
    expect(standAlone('Why?', ['And then?'], 1_000)).toBe('Why?');
    expect(standAlone('Why?', [LOCKS], LOCKS.length)).toBe('Why?');
  });

  test('is the only one that is changed', () => {
    expect(standAlone('What is a worker?', [LOCKS], 1_000)).toBe('What is a worker?');
  });
});
