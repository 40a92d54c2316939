import swagger from '@fastify/swagger';
import fastify, {
  type FastifyInstance,
  type FastifyServerOptions,
  type FastifyPluginAsync,
  type FastifyReply,
} from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { InvalidRequest, NotFound } from '../runtime/errors.ts';
import { schemaFaults } from '../runtime/schema-faults.ts';
import { parseStrictJson } from '../runtime/strict-json.ts';
import type { CallerDeps, OperationsDeps, QueryApiDeps, RouteGroup } from './deps.ts';
import { createIdentify, type Identify } from './identity.ts';
import { OPENAPI } from './openapi.ts';
import { PROBLEM_TYPE } from '../schemas/problem.ts';
import { toProblem } from './problem.ts';
import { replyError } from './reply-error.ts';
import { RecentAnswers } from './recent-answers.ts';
import { addRequestContext, newTraceId } from './request-context.ts';
import { answerRoutes } from './routes/answer.ts';
import { chatCompletionRoutes } from './routes/chat-completions.ts';
import { consoleRoutes } from './routes/console.ts';
import { documentRoutes } from './routes/documents.ts';
import { explainRoutes } from './routes/explain.ts';
import { failureRoutes } from './routes/failures.ts';
import { feedbackRoutes } from './routes/feedback.ts';
import { freshnessRoutes } from './routes/freshness.ts';
import { mcpRoutes } from './routes/mcp.ts';
import { modelRoutes } from './routes/models.ts';
import { operationsRoutes } from './routes/operations.ts';
import { searchRoutes } from './routes/search.ts';

/** Bodies of questions; webhooks have limits of their own. */
const BODY_LIMIT_BYTES = 1_048_576;
/** A client that takes longer to send its request is cut off (slow-loris), ms. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than any document id that fits into a request line. */
const MAX_PARAM_CHARS = 16_384;

const ROUTES_OF_CALLERS: readonly RouteGroup[] = [
  searchRoutes,
  answerRoutes,
  chatCompletionRoutes,
  modelRoutes,
  mcpRoutes,
  freshnessRoutes,
  documentRoutes,
  feedbackRoutes,
  failureRoutes,
  explainRoutes,
];

/**
 * The HTTP API. Opens nothing and listens to nothing until `listen`; tests use `inject`. Closing ends open streams with an `error`
 * event and waits for replies under way. Disposes of nothing that it was given.
 * @throws InvalidConfig when the config would let strangers in.
 */
export function buildServer(deps: QueryApiDeps): FastifyInstance {
  const app = buildOperationsServer(deps);
  void app.register(asCaller(createIdentify(deps.config, deps.clock), { ...deps, recentAnswers: new RecentAnswers() }));
  void app.register(async (scope) => consoleRoutes(scope, deps));
  return app;
}

/** Health, metrics and the routes of connectors: what a process listens for that does not answer questions. */
export function buildOperationsServer(deps: OperationsDeps): FastifyInstance {
  const app: FastifyInstance = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // what comes on an open connection while others are finished is answered, too
    routerOptions: { maxParamLength: MAX_PARAM_CHARS },
    schemaController: { compilersFactory },
    frameworkErrors: (error, _request, reply) => {
      const problem = toProblem(error, newTraceId(deps.random));
      void (reply as unknown as FastifyReply).code(problem.status).type(PROBLEM_TYPE).send(problem);
    },
  });
  acceptStrictJson(app);
  addRequestContext(app, deps);
  replyWithProblems(app, deps);
  void app.register(swagger, OPENAPI);
  void app.register(async (scope) => operationsRoutes(scope, deps));
  for (const plugin of deps.plugins) void app.register(plugin);
  return app;
}

type CompilersFactory = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>;

/**
 * The schemas that document a route are the ones that check it. Given at the start rather than set later, so that ajv and its 130
 * modules are not even loaded: they are a tenth of a start. Fastify's type names its own two compilers, hence the cast.
 */
const compilersFactory = {
  buildValidator: () => (route: { readonly schema: TSchema }) => validator(route.schema),
  buildSerializer: () => () => (reply: unknown) => JSON.stringify(reply),
} as unknown as CompilersFactory;

/** Routes that know who asks: nothing behind this hook runs without a principal. */
function asCaller(identify: Identify, deps: CallerDeps): FastifyPluginAsync {
  return async (scope) => {
    scope.addHook('onRequest', async (request) => {
      request.principal = await identify(request.headers);
    });
    for (const addRoutes of ROUTES_OF_CALLERS) addRoutes(scope, deps);
  };
}

/** Nothing is coerced and nothing unknown is dropped (S18). */
function validator(schema: TSchema) {
  const compiled = Compile(schema);
  return (value: unknown) =>
    compiled.Check(value)
      ? { value }
      : {
          error: new InvalidRequest('The request is not of the expected form.', {
            faults: schemaFaults(compiled.Errors(value)),
          }),
        };
}

function acceptStrictJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    const parsed = parseStrictJson(body as Buffer);
    if (parsed.kind === 'value') done(null, parsed.value);
    else done(new InvalidRequest('The body is not JSON as expected.', { faults: [parsed.fault] }));
  });
}

function replyWithProblems(app: FastifyInstance, { logger }: OperationsDeps): void {
  app.setErrorHandler((thrown: Error, request, reply) => {
    void reply.type(PROBLEM_TYPE).send(replyError(thrown, request, reply, logger));
  });
  app.setNotFoundHandler((request, reply) => {
    const problem = toProblem(new NotFound('There is nothing at this address.'), request.traceId);
    void reply.code(404).type(PROBLEM_TYPE).send(problem);
  });
}
