import type { FastifySchema } from 'fastify';
import type { TSchema } from 'typebox';
import { AnswerEvent, AnswerResponse, Citation, Usage } from '../schemas/answer.ts';
import { ChatChunk, ChatCompletion, ChatError, ChatModel, ChatModelList, ChatRequest } from '../schemas/chat.ts';
import { DeadLetter } from '../schemas/dead-letter.ts';
import { DocumentSource } from '../schemas/document.ts';
import { Problem } from '../schemas/problem.ts';
import { AnswerRequest, AsOf, Filter, SearchRequest, SearchResponse, SearchResult } from '../schemas/query.ts';
import { Explanation } from './explain-document.ts';
import { Freshness } from './read-freshness.ts';

/** Schemas that the document names once and refers to: clients that are generated from it name their types so. */
const NAMED: Readonly<Record<string, TSchema>> = {
  AnswerEvent,
  AnswerRequest,
  AnswerResponse,
  AsOf,
  ChatChunk,
  ChatCompletion,
  ChatError,
  ChatModel,
  ChatModelList,
  ChatRequest,
  Citation,
  DeadLetter,
  DocumentSource,
  Explanation,
  Filter,
  Freshness,
  Problem,
  SearchRequest,
  SearchResponse,
  SearchResult,
  Usage,
};

const nameOf = new Map(Object.entries(NAMED).map(([name, schema]) => [JSON.stringify(schema), name]));

/** A value of JSON, as documents and schemas are. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * A copy of a route's schema in which every part that is one of the named schemas, letter for letter, has that name as its `title`. Done
 * before @fastify/swagger translates the schemas, which changes their letters.
 */
export function withNames(schema: FastifySchema): FastifySchema {
  return titled(JSON.parse(JSON.stringify(schema)) as Json) as FastifySchema;
}

function titled(value: Json): Json {
  if (value === null || typeof value !== 'object') return value;
  const name = nameOf.get(JSON.stringify(value));
  const copy = mapped(value, titled);
  return name === undefined ? copy : { title: name, ...(copy as object) };
}

/**
 * The document with every schema that has a title moved to `components.schemas`, and a reference in its place.
 * @throws Error when two different schemas have one title.
 */
export function nameSchemas(document: object): object {
  const schemas: Record<string, Json> = {};
  const hoist = (value: Json): Json => {
    if (value === null || typeof value !== 'object') return value;
    const copy = mapped(value, hoist) as { readonly [key: string]: Json };
    const { title, ...schema } = copy;
    if (typeof title !== 'string' || !(title in NAMED)) return copy;
    if (title in schemas && JSON.stringify(schemas[title]) !== JSON.stringify(schema))
      throw new Error(`two schemas are called ${title}`);
    schemas[title] = schema;
    return { $ref: `#/components/schemas/${title}` };
  };
  const hoisted = hoist(JSON.parse(JSON.stringify(document)) as Json) as { readonly [key: string]: Json };
  const inOrder = Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return { ...hoisted, components: { ...(hoisted['components'] as object), schemas: inOrder } };
}

function mapped(value: Exclude<Json, null | boolean | number | string>, map: (part: Json) => Json): Json {
  if (Array.isArray(value)) return value.map(map);
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, map(part as Json)]));
}
