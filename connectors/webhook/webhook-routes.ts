import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { Clock } from '../../runtime/clock.ts';
import { MediaTypeUnsupported, NotFound, Overloaded, SignatureInvalid } from '../../runtime/errors.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { Problem, PROBLEM_TYPE } from '../../schemas/problem.ts';
import { WebhookBody } from '../../schemas/webhook-event.ts';
import { readEvents } from './read-events.ts';
import { verifyStandardWebhook } from './signature.ts';
import type { HookIntake } from './hook-intake.ts';

const DEFAULT_MAX_BODY_BYTES = 5_242_880;
const DEFAULT_TOLERANCE_MS = 300_000;

/** Statuses that a delivery may be refused with. */
const REFUSALS = Object.fromEntries(
  [401, 413, 415, 422, 429, 503, 'default'].map((status) => [
    status,
    { description: 'A problem, with a code.', content: { [PROBLEM_TYPE]: { schema: Problem } } },
  ]),
);

const Receipt = Type.Object({ accepted: Type.Integer({ minimum: 0 }), position: Type.String() });

export interface WebhookRoutesOptions {
  readonly intakes: readonly HookIntake[];
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/**
 * POST /v1/hooks/<source> for every webhook source. Order of the checks: source 404, room 429, media type 415, size 413, signature 401
 * over the raw bytes, and only then is the body parsed: 422. 202 when the events are durable, 200 for a repeat.
 */
export function webhookRoutes({ intakes, clock, metrics }: WebhookRoutesOptions): FastifyPluginAsync {
  return async (app) => {
    app.removeAllContentTypeParsers();
    // The bytes stay as they came: the signature is over them, and a parse before it would be work for strangers.
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    app.addHook('onReady', async () => {
      for (const intake of intakes) await intake.open();
    });
    for (const intake of intakes) addHook(app, intake, clock, metrics);
    app.post('/v1/hooks/:source', { schema: { hide: true } as object }, async () => {
      throw new NotFound('There is no webhook source of this name.');
    });
  };
}

function addHook(app: FastifyInstance, intake: HookIntake, clock: Clock, metrics: Metrics): void {
  const { source, config } = intake;
  const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES, signature } = config;
  app.post(
    `/v1/hooks/${source}`,
    {
      bodyLimit: maxBodyBytes,
      // The body is a Buffer here, so the schema documents it and `readEvents` checks it.
      validatorCompiler: () => () => true,
      schema: {
        operationId: `send-${source}`,
        summary: `Signed events of ${source}`,
        tags: ['webhooks'],
        security: [],
        body: WebhookBody,
        response: { 200: Receipt, 202: Receipt, ...REFUSALS },
      } as object,
      onRequest: async (request, reply) => refuseEarly(request, reply, intake, maxBodyBytes),
      onResponse: async (_request, reply) => {
        metrics.hooks.inc({ source, outcome: OUTCOMES[reply.statusCode] ?? 'failed' });
      },
    },
    async (request, reply) => {
      const { headers, body } = request;
      if (!Buffer.isBuffer(body)) throw new MediaTypeUnsupported('The body must be application/json.');
      const verdict = verifyStandardWebhook(
        { headers, body, nowMs: clock.now(), toleranceMs: signature.toleranceMs ?? DEFAULT_TOLERANCE_MS },
        intake.key,
      );
      if (verdict.kind === 'invalid') throw new SignatureInvalid('The signature does not hold for this body and time.');
      const events = readEvents(body);
      const { accepted, position, isReplay } = await intake.accept({ id: verdict.id, events, bytes: body.length });
      return reply.code(isReplay ? 200 : 202).send({ accepted, position });
    },
  );
}

const OUTCOMES: Readonly<Record<number, string>> = {
  200: 'replayed',
  202: 'accepted',
  401: 'unsigned',
  413: 'too-large',
  415: 'wrong-type',
  422: 'invalid',
  429: 'overloaded',
};

/** Refuses before the body is read what no body can make right. */
function refuseEarly({ headers }: FastifyRequest, reply: FastifyReply, intake: HookIntake, maxBodyBytes: number): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw new MediaTypeUnsupported('The body must not be compressed: the signature is over the bytes as they come.');
  const announced = Number(headers['content-length'] ?? maxBodyBytes);
  if (announced > maxBodyBytes) return; // refused as too large before a byte of it is read
  const release = intake.reserve(announced);
  if (!release) throw new Overloaded('Too many deliveries wait to be stored.');
  reply.raw.once('close', release);
}
