import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { openapiDocument } from '../test/support/openapi-bench.ts';
import { nameSchemas } from './openapi-names.ts';

const document = await openapiDocument();
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
);
/** What identifies nobody. */
const open = operations.filter(({ operation }) => operation.security?.length === 0);

describe('/openapi.json', () => {
  test('is an OpenAPI 3.1 document, by its meta schema', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone({ ...document }));
    expect({ valid, errors, version: validator.version }).toEqual({ valid: true, errors: undefined, version: '3.1' });
  });

  test('refers to no schema that it does not have', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name,
    );
    expect(refs.filter((name) => !(String(name) in document.components.schemas))).toEqual([]);
    expect(refs).toContain('AnswerEvent');
  });

  test('names every operation once', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
    expect(operations.filter(({ operation }) => !operation.summary || !operation.tags?.length)).toEqual([]);
  });

  test.each(operations)('$name says what a refusal looks like', ({ name, operation: { responses, requestBody } }) => {
    const isOpen = open.some((other) => other.name === name && !name.includes('/hooks/'));
    const statuses = Object.keys(responses);
    const expected = [...(isOpen ? [] : ['401', 'default']), ...(requestBody ? ['413', '415'] : [])];
    expect(expected.filter((status) => !statuses.includes(status))).toEqual([]);
    const bare = Object.entries(responses).filter(([status, { content }]) => status !== '202' && !content);
    expect(bare).toEqual([]);
  });

  test.each(['/v1/answer', '/v1/chat/completions'])('%s says what its stream is made of', (path) => {
    const { responses } = document.paths[path]!['post']!;
    expect(Object.keys(responses['200']?.content ?? {})).toEqual(['application/json', 'text/event-stream']);
  });
});

test('two schemas of one name are refused, because a client could be told only one of them', () => {
  const two = { a: { title: 'Usage', type: 'object' }, b: { title: 'Usage', type: 'string' } };
  expect(() => nameSchemas(two)).toThrow('two schemas are called Usage');
});

test('a property that is called title is no name', () => {
  expect(nameSchemas({ properties: { title: { type: 'string' } } })).toMatchObject({
    properties: { title: { type: 'string' } },
  });
});
