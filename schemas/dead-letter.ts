import Type from 'typebox';

/** Where the payload of a dead letter lies: the record itself, by place. Its text is not copied. */
export const RecordPointer = Type.Object({ topic: Type.String(), partition: Type.Integer(), offset: Type.String() });
export type RecordPointer = Type.Static<typeof RecordPointer>;

/** A record that could not be indexed, with everything needed to find out why and to try again. Holds no text of a document. */
export const DeadLetter = Type.Object({
  id: Type.String({ description: '`<topic>/<partition>/<offset>` of the record.' }),
  state: Type.Union([Type.Literal('open'), Type.Literal('retried'), Type.Literal('discarded')]),
  stage: Type.String(),
  code: Type.String({ description: 'Stable error code, see docs/ERRORS.md.' }),
  message: Type.String(),
  attempts: Type.Integer({ minimum: 1 }),
  source: Type.String(),
  documentId: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  pointer: RecordPointer,
  payloadHash: Type.String({ description: 'SHA-256 of the payload, hexadecimal.' }),
  payloadBytes: Type.Integer(),
  at: Type.Number({ description: 'ms since the epoch' }),
});
export type DeadLetter = Type.Static<typeof DeadLetter>;
