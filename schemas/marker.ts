import Type from 'typebox';

/**
 * Position markers travel through the same partitions as the changes, so that whoever has passed one has passed every change
 * before it. A *lane* is one partition's path; a source's position is the least over all its lanes (I11).
 */
export const Watermark = Type.Object({
  kind: Type.Literal('watermark'),
  source: Type.String(),
  lane: Type.String({ description: 'Topic and partition the marker came through, e.g. `helpdesk.public.articles/0`.' }),
  lanes: Type.Integer({ minimum: 1, description: 'How many lanes the source has at this position.' }),
  position: Type.String({ description: 'Every change up to here came before this marker.' }),
  committedAt: Type.Number({ description: 'Commit time of the position, ms since the epoch.' }),
  epoch: Type.Integer({ minimum: 0 }),
});
export type Watermark = Type.Static<typeof Watermark>;

/**
 * A range tombstone: everything of one table below `version` is gone, and stays gone when it arrives late. Written for TRUNCATE,
 * and at the end of a re-snapshot for the rows that vanished meanwhile.
 */
export const RemoveBelow = Type.Object({
  kind: Type.Literal('remove-below'),
  source: Type.String(),
  table: Type.String(),
  version: Type.String({ description: 'Decimal SourceVersion; documents with a lower one are removed.' }),
  reason: Type.Union([Type.Literal('truncate'), Type.Literal('snapshot')]),
  lane: Type.String(),
  lanes: Type.Integer({
    minimum: 1,
    description: 'With reason snapshot it takes effect when it has come through every lane of the table.',
  }),
  position: Type.String(),
  committedAt: Type.Number(),
});
export type RemoveBelow = Type.Static<typeof RemoveBelow>;

/** A record that concerns positions or whole tables instead of one document. Passes every stage. */
export const Marker = Type.Union([Watermark, RemoveBelow]);
export type Marker = Watermark | RemoveBelow;
