import Type, { type TObject } from 'typebox';
import { AnswerResponse } from '../../schemas/answer.ts';
import { AnswerRequest, SearchRequest, SearchResponse } from '../../schemas/query.ts';
import { wholeAnswer } from '../answer/whole-answer.ts';
import type { CallerDeps } from '../deps.ts';
import { explainDocument, Explanation } from '../explain-document.ts';
import { mayRead } from '../may-read.ts';
import { Freshness, readFreshness } from '../read-freshness.ts';
import { serveAnswer, serveSearch, type Asking } from '../serve-query.ts';
import { answerText, explanationText, freshnessText, searchText } from './model-text.ts';

/** Who calls, and what ends the call. */
export type ToolCall = Omit<Asking, 'route'>;

/** What a tool gives: the JSON of the HTTP API, and the same for a model to read. */
export interface ToolResult {
  readonly content: object;
  readonly text: string;
}

/** One tool. `run` gets arguments that `input` has accepted; it throws what the HTTP route of the same name throws. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  /** For the model that chooses among tools. */
  readonly description: string;
  readonly input: TObject;
  readonly output: TObject;
  run(input: unknown, call: ToolCall, deps: CallerDeps): Promise<ToolResult>;
}

const NoInput = Type.Object({}, { additionalProperties: false });
// Why a reply is as it is costs a model more tokens than it is worth to it.
const Search = Type.Omit(SearchRequest, ['explain'], { additionalProperties: false });
const Ask = Type.Omit(AnswerRequest, ['stream', 'history', 'explain'], { additionalProperties: false });
const Explain = Type.Object(
  { id: Type.String({ description: 'Id of a document or passage, as search results have it.' }) },
  { additionalProperties: false },
);
/** Names of groups are for operators. */
const ExplanationForCaller = Type.Omit(Explanation, ['tenant', 'acl']);

/**
 * The tools of POST /mcp. They show a caller what it may search, and never more: also an operator's model works for whoever wrote the
 * text it last read, so what is for operators stays with the command line and /v1/admin.
 */
export const TOOLS: readonly Tool[] = [
  {
    name: 'search',
    title: 'Search',
    description:
      "Finds passages of the organisation's documents for a query, by words and by meaning, best first, with where they are from and when they changed. Use it to read sources yourself; use ask for a finished answer.",
    input: Search,
    output: SearchResponse,
    run: async (input, call, deps) => {
      const content = await serveSearch(input as SearchRequest, { ...call, route: 'mcp' }, deps);
      return { content, text: searchText(content) };
    },
  },
  {
    name: 'ask',
    title: 'Ask',
    description:
      "Answers one question from the organisation's documents, with a verified quotation for every citation, or says that it does not know. The question must stand alone: it knows nothing of your conversation.",
    input: Ask,
    output: AnswerResponse,
    run: async (input, call, deps) => {
      const events = serveAnswer(input as Type.Static<typeof Ask>, { ...call, route: 'mcp' }, deps);
      const content = await wholeAnswer(events);
      return { content, text: answerText(content) };
    },
  },
  {
    name: 'freshness',
    title: 'Freshness',
    description:
      'Says up to which time the changes of each source are searchable. Use it before you say that something does not exist, or when an answer looks old.',
    input: NoInput,
    output: Freshness,
    run: async (_input, { signals }, deps) => {
      const content = await readFreshness(deps, false, signals.left);
      return { content, text: freshnessText(content) };
    },
  },
  {
    name: 'explain',
    title: 'Explain a document',
    description:
      'Says of one document or passage whether it is searchable, at which version and since when. Takes an id from search or ask. Shows no text.',
    input: Explain,
    output: ExplanationForCaller,
    run: async (input, { principal, signals }, deps) => {
      const { id } = input as Type.Static<typeof Explain>;
      // One reply for unknown, deleted and forbidden: a caller cannot tell them apart (I10).
      const isFor = (document: Parameters<Parameters<typeof explainDocument>[2]>[0]) =>
        document !== undefined && !document.deleted && mayRead(principal, document);
      const { tenant: _tenant, acl: _acl, ...content } = await explainDocument(id, deps.store, isFor, signals.left);
      return { content, text: explanationText(content) };
    },
  },
];
