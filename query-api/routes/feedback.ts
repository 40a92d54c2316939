import Type from 'typebox';
import type { RouteGroup } from '../deps.ts';
import { assignArms, unitOf } from '../experiments/assign-arms.ts';
import { refusals } from '../openapi.ts';

export const Feedback = Type.Object(
  {
    traceId: Type.String({ pattern: '^[0-9a-f]{32}$' }),
    rating: Type.Union([Type.Literal('up'), Type.Literal('down')]),
    comment: Type.Optional(Type.String({ maxLength: 4_000 })),
  },
  { additionalProperties: false },
);
export type Feedback = Type.Static<typeof Feedback>;

const UNKNOWN = { model: 'unknown', prompt: 'unknown', outcome: 'unknown' };

/**
 * POST /v1/feedback: what a caller thought of a reply. Counted by model and prompt when this process gave the answer to the same tenant, once
 * for each answer; any other trace id may be made up, and is counted apart as `unknown`. A comment may hold anything, so only its length is
 * kept, in the log.
 */
export const feedbackRoutes: RouteGroup = (app, { logger, config, metrics, recentAnswers }) => {
  app.post<{ Body: Feedback }>(
    '/v1/feedback',
    {
      schema: {
        operationId: 'sendFeedback',
        summary: 'Says whether a reply was good',
        tags: ['questions'],
        body: Feedback,
        response: { 202: Type.Object({ accepted: Type.Boolean() }), ...refusals(400, 401, 413, 415) },
      },
    },
    async (request, reply) => {
      const { traceId, rating, comment = '' } = request.body;
      const { tenant } = request.principal;
      const rated = recentAnswers.rate(traceId, tenant);
      if (rated !== 'rated') {
        const { model, prompt, outcome } = rated === 'unknown' ? UNKNOWN : rated;
        metrics.feedback.inc({ rating, model, prompt, outcome });
      }
      logger.info('A caller rated a reply.', {
        traceId,
        rating,
        tenant,
        known: rated !== 'unknown',
        commentChars: comment.length,
      });
      // The caller who rates is the one who asked, and gets the arm that he had then.
      const { arms } = assignArms(config.experiments ?? [], request.principal, unitOf(request.headers));
      for (const [experiment, arm] of Object.entries(arms)) metrics.experimentFeedback.inc({ experiment, arm, rating });
      return reply.code(202).send({ accepted: true });
    },
  );
};
