import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { format, resolveConfig } from 'prettier';
import type { OpenApiDocument, OpenApiOperation } from './openapi-bench.ts';
import { root } from './source-files.ts';

/** Chat pages and agents have clients of their own; a webhook is sent by a library of Standard Webhooks, which signs it. */
const ELSEWHERE = ['chat', 'agents', 'webhooks'];

const HEAD = `/*
 * Generated from /openapi.json by \`npm run client\`, do not edit: the types that requests and replies have on the wire, and where each
 * operation is.
 */

`;

/** query-api/client/api-types.ts: a type for every schema that the operations need, and `Operations` and OPERATIONS by operation id. */
export async function clientTypes(document: OpenApiDocument): Promise<string> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { tags = [] }]) => !tags.some((tag) => ELSEWHERE.includes(tag)))
      .map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const shapes = operations.map(({ operation }) => [operation.operationId ?? '', shapeOf(operation)] as const);
  const schema = {
    title: 'Operations',
    description: 'What each operation takes and gives, by its id.',
    ...closed(Object.fromEntries(shapes)),
    definitions: document.components.schemas,
  };
  const types = await compile(withLocalRefs(schema), 'Operations', {
    additionalProperties: false,
    bannerComment: '',
    format: false,
    ignoreMinAndMaxItems: true,
  });
  const places = Object.fromEntries(
    operations.map(({ path, method, operation }) => [operation.operationId, { method, path }]),
  );
  const table = `/** Method and path of every operation; \`{name}\` stands for a parameter. */
export const OPERATIONS = ${JSON.stringify(places)} as const;\n`;
  const config = await resolveConfig(`${root}/query-api/client/api-types.ts`);
  // A comment of one line takes one.
  const short = types.replace(/\/\*\*\n\s*\* (.*)\n\s*\*\//g, '/** $1 */');
  return format(`${HEAD}${short}\n${table}`, { ...config, parser: 'typescript' });
}

/** `{ path?, query?, body?, reply, events? }`: the parts that an operation has. */
function shapeOf({ parameters = [], requestBody, responses }: OpenApiOperation): object {
  const among = (place: 'path' | 'query') => {
    const own = parameters.filter((parameter) => parameter.in === place);
    const required = own.filter((parameter) => parameter.required).map(({ name }) => name);
    const properties = Object.fromEntries(own.map(({ name }) => [name, { type: 'string' }]));
    return own.length === 0 ? {} : { [place]: { type: 'object', properties, required, additionalProperties: false } };
  };
  const good = responses['200'] ?? responses['202'];
  const events = good?.content?.['text/event-stream']?.schema;
  const body = requestBody?.content['application/json']?.schema;
  return closed({
    ...among('path'),
    ...among('query'),
    ...(body && { body }),
    reply: good?.content?.['application/json']?.schema ?? {},
    ...(events && { events }),
  });
}

function closed(properties: Readonly<Record<string, object>>): object {
  const required = Object.keys(properties).filter((name) => name !== 'query');
  return { type: 'object', properties, required, additionalProperties: false };
}

/** JSON Schema keeps what is shared in another place than OpenAPI. */
function withLocalRefs(schema: object): JSONSchema {
  return JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/definitions/')) as JSONSchema;
}
