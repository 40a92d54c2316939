import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { TSchema } from 'typebox';
import { Problem, PROBLEM_TYPE } from '../schemas/problem.ts';
import { withNames } from './openapi-names.ts';

/** OpenAPI 3.1, from the schemas that check the requests. */
export const OPENAPI: FastifyDynamicSwaggerOptions = {
  transform: ({ schema, url }) => ({ schema: withNames(schema), url }),
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Freshet',
      version: '1',
      description: 'Search and answers over an index that is as fresh, complete and private as its sources.',
    },
    tags: [
      { name: 'questions', description: 'Search, answers, documents, feedback' },
      { name: 'chat', description: 'For chat pages and clients that speak the API of OpenAI' },
      { name: 'agents', description: 'For programs that speak the Model Context Protocol' },
      { name: 'freshness', description: 'How far the index is' },
      { name: 'webhooks', description: 'Changes that are pushed' },
      { name: 'operations', description: 'Health, metrics, dead letters' },
    ],
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      },
    },
    security: [{ bearer: [] }, { apiKey: [] }, {}],
  },
};

/** A reply of one status, by media type, as Fastify and OpenAPI write it. */
interface Reply {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: TSchema }>>;
}

type Replies = Record<number | string, TSchema | Reply>;

/** Replies of a route for its documentation: the good one, and a problem for every status that it may refuse with. */
export function responses(ok: TSchema | Reply, ...problemStatuses: readonly number[]): Replies {
  return { 200: ok, ...refusals(...problemStatuses) };
}

/** A problem for every status that a route may refuse with, and for any other one. */
export function refusals(...statuses: readonly number[]): Replies {
  const refusal: Reply = {
    description: 'A problem, with a code.',
    content: { [PROBLEM_TYPE]: { schema: Problem } },
  };
  return Object.fromEntries([...statuses, 'default'].map((status) => [status, refusal]));
}

/** The good reply of a route that streams on demand: one value, or the events that it would end. */
export function streamed(whole: TSchema, event: TSchema): Reply {
  return {
    description: 'One reply; with stream: true its events, one after the other.',
    content: { 'application/json': { schema: whole }, 'text/event-stream': { schema: event } },
  };
}
