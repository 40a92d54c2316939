import Type from 'typebox';

/** RFC 9457 problem details, as every error reply of the API. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: '`urn:freshet:error:` and the code.' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable; branch on this.' }),
    detail: Type.Optional(Type.String()),
    errors: Type.Optional(
      Type.Array(Type.Object({ pointer: Type.String({ description: 'RFC 6901' }), detail: Type.String() }), {
        description: 'Everything that is wrong with the request.',
      }),
    ),
    traceId: Type.Optional(Type.String()),
  },
  { description: 'RFC 9457 problem details' },
);
export type Problem = Type.Static<typeof Problem>;

/** Media type of a problem. */
export const PROBLEM_TYPE = 'application/problem+json';
