import { expect, it } from 'vitest';
import { embeddedText, vectorKey } from './embedded-text.ts';

it('title and headings stand in one line above the text, repeated ones once', () => {
  expect(embeddedText('Guide', ['Guide', 'Install'], 'Run it.')).toBe('Guide > Install\n\nRun it.');
});

it('a text without context is embedded as it is, a title without text alone', () => {
  expect(embeddedText('', [], 'Run it.')).toBe('Run it.');
  expect(embeddedText('Guide', [], '')).toBe('Guide');
});

it('the vector key changes with the text and with the model, and with nothing else', () => {
  const key = vectorKey('model', 'text');
  expect(vectorKey('model', 'text')).toBe(key);
  expect(vectorKey('model', 'other')).not.toBe(key);
  expect(vectorKey('other', 'text')).not.toBe(key);
  expect(vectorKey('mode', 'ltext')).not.toBe(key);
  expect(key).toMatch(/^[\w-]{22}$/);
});
