import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { TSchema } from 'typebox';
import { Problem } from './problem.ts';

/** OpenAPI 3.1, from the schemas that check the requests. */
export const OPENAPI: FastifyDynamicSwaggerOptions = {
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

/** Replies of a route for its documentation: the good one, and a problem for every status that it may refuse with. */
export function responses(ok: TSchema, ...problemStatuses: readonly number[]): Record<number, TSchema> {
  const all: Record<number, TSchema> = { 200: ok };
  for (const status of problemStatuses) all[status] = Problem;
  return all;
}
