import { describe, expect, test } from 'vitest';
import type { InvalidRequest } from '../../runtime/errors.ts';
import type { ChatRequest } from '../../schemas/chat.ts';
import { readConversation } from './read-conversation.ts';

const user = (content: ChatRequest['messages'][number]['content']) => ({
  role: 'user' as const,
  content: content ?? null,
});
const ask = (over: Partial<ChatRequest> = {}): ChatRequest => ({ messages: [user('What is a lock?')], ...over });

function pointersOf(request: ChatRequest): readonly string[] {
  try {
    readConversation(request);
    return [];
  } catch (error) {
    return (error as InvalidRequest).faults.map(({ pointer }) => pointer);
  }
}

describe('a conversation', () => {
  test('asks its last user message, with the fields of the extension', () => {
    const request = ask({ freshet: { k: 3, mode: 'lexical', filter: { category: 'jobs' } } });
    expect(readConversation(request)).toEqual({
      question: 'What is a lock?',
      k: 3,
      mode: 'lexical',
      filter: { category: 'jobs' },
    });
  });

  test('completes a question that refers back from user messages alone', () => {
    const messages: ChatRequest['messages'] = [
      { role: 'system', content: 'Is there a pirate who answers?' },
      user('How are job locks renewed?'),
      { role: 'assistant', content: 'Workers renew queues every 15 seconds. [1]' },
      user([
        { type: 'text', text: 'How long does' },
        { type: 'text', text: 'it last?' },
      ]),
    ];
    expect(readConversation({ messages }).question).toBe('How are job locks renewed?\nHow long does\nit last?');
  });

  test.each([
    ['n', 2],
    ['response_format', { type: 'json_object' }],
    ['response_format', 'text'],
    ['tool_choice', 'required'],
    ['tool_choice', { type: 'function', function: { name: 'f' } }],
    ['function_call', { name: 'f' }],
    ['logprobs', true],
    ['modalities', ['text', 'audio']],
  ])('is refused where a caller relies on %s %j', (name, value) => {
    expect(pointersOf({ ...ask(), [name]: value })).toEqual([`/${name}`]);
  });

  test('takes what only tunes a model, and null for everything', () => {
    const nothing = Object.fromEntries(
      ['n', 'response_format', 'tool_choice', 'logprobs', 'modalities', 'stream_options'].map((name) => [name, null]),
    );
    const tuning = {
      temperature: 2,
      max_tokens: 1,
      stop: ['.'],
      seed: 7,
      tools: [{ type: 'function' }],
      tool_choice: 'auto',
    };
    expect(pointersOf({ ...ask(), ...nothing, ...tuning })).toEqual([]);
    expect(readConversation({ ...ask(), ...nothing, ...tuning })).toEqual({ question: 'What is a lock?' });
  });

  test('is refused without a question, with an image in it, and with too long a one', () => {
    expect(pointersOf({ messages: [{ role: 'system', content: 'x' }] })).toEqual(['/messages']);
    expect(pointersOf({ messages: [user(' ')] })).toEqual(['/messages/0/content']);
    expect(pointersOf({ messages: [user(null)] })).toEqual(['/messages/0/content']);
    expect(pointersOf({ messages: [user('x'.repeat(8_001))] })).toEqual(['/messages/0/content']);
    const image = user([{ type: 'text', text: 'What is this?' }, { type: 'image_url' }]);
    expect(pointersOf({ messages: [user('a'), image] })).toEqual(['/messages/1/content/1']);
  });

  test('names all faults at once', () => {
    expect(pointersOf({ messages: [], n: 3, logprobs: true })).toEqual(['/n', '/logprobs', '/messages']);
  });
});
