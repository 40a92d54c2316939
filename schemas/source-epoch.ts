import Type from 'typebox';

/**
 * What a connector says when it begins to read its tables anew: from here on its changes have this epoch, and what came before is
 * superseded. It answers every request that stands before it.
 */
export const SourceEpoch = Type.Object({ epoch: Type.Integer({ minimum: 0 }) });
export type SourceEpoch = Type.Static<typeof SourceEpoch>;

/** What a reader of the log asks of a connector when retention has deleted changes that it had not read. */
export const ResyncRequest = Type.Object({
  topic: Type.String(),
  partition: Type.Integer({ minimum: 0 }),
  from: Type.String({ description: 'First offset that was not read.' }),
  next: Type.String({ description: 'First offset that is still there.' }),
  at: Type.Number({ description: 'ms since the epoch' }),
});
export type ResyncRequest = Type.Static<typeof ResyncRequest>;

/** Key of a source's `SourceEpoch` in `freshet.connector-state`. */
export function epochKey(source: string): string {
  return `~epoch/${source}`;
}

/** Key of the newest `ResyncRequest` to a source in `freshet.connector-state`. */
export function resyncKey(source: string): string {
  return `~resync/${source}`;
}
