import { describe, expect, test } from 'vitest';
import { questionTerms } from './question-terms.ts';

const stems = (question: string) => questionTerms(question).map(({ stem }) => stem);

describe('what a question is about', () => {
  test('leaves out the words that a Chinese question is built with, and the pairs that they would make', () => {
    expect(stems('《流浪地球》的导演是谁？')).toEqual(['流浪', '浪地', '地球', '导演']);
    expect(stems('神舟发射是什么时候')).toEqual(['神舟', '舟发', '发射']);
  });

  test('leaves out German articles and question words', () => {
    expect(stems('Wie viele Stadien hat der Verein?')).toEqual(['stadien', 'verein']);
  });

  test('is every word of it when it has nothing else', () => {
    expect(stems('what is it?')).toEqual(['what', 'is', 'it']);
    expect(stems('是谁？')).toEqual([]);
  });
});
