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

/** POST /v1/feedback: what a caller thought of a reply, for whoever reads the log. A comment may hold anything, so only its length is kept. */
export const feedbackRoutes: RouteGroup = (app, { logger, config, metrics }) => {
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
      logger.info('A caller rated a reply.', {
        traceId,
        rating,
        tenant: request.principal.tenant,
        commentChars: comment.length,
      });
      // The caller who rates is the one who asked, and gets the arm that he had then.
      const { arms } = assignArms(config.experiments ?? [], request.principal, unitOf(request.headers));
      for (const [experiment, arm] of Object.entries(arms)) metrics.experimentFeedback.inc({ experiment, arm, rating });
      return reply.code(202).send({ accepted: true });
    },
  );
};
