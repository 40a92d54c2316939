import type { DocumentId } from '../../../schemas/ids.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import { isName } from '../is-name.ts';
import type { Connection } from './connection.ts';
import type { FoundDocument } from './decide-writes.ts';
import { storedId, type DocumentBody } from './document-body.ts';
import { effectiveFloors, type EffectiveFloors, type FloorsState } from './floors.ts';
import { multiGet, type Gotten } from './multi-get.ts';
import { FLOORS_ID, parseState, type StateSource } from './state-records.ts';

/** A document as it was read, with what a conditional write needs. */
export interface FoundForWrite extends FoundDocument {
  /** Left by whoever wrote it last. */
  readonly mark: string;
  readonly seqNo: number;
  readonly primaryTerm: number;
}

/** Documents in the order asked, undefined for unknown ones, and the floors of the same moment. Sees every write that has resolved. */
export type ReadForWrite = (
  ids: readonly DocumentId[],
  whole: boolean,
  signal?: AbortSignal,
) => Promise<{ readonly documents: readonly (FoundForWrite | undefined)[]; readonly floors: EffectiveFloors }>;

/** Of what no document can have for an id. */
const NO_ID = '!none';
const HEAD_FIELDS = ['id', 'version', 'deleted', 'contentHash', 'tenant', 'write'];

/** Reads by id, which Elasticsearch answers from what is durable, not from what is searchable. */
export function readForWrite(
  connection: Connection,
  index: string,
  seen: (floors: EffectiveFloors) => void,
): ReadForWrite {
  return async (ids, whole, signal) => {
    const wanted = ids.map((id) => ({
      _id: isName(id) && id !== '' ? storedId(id) : NO_ID,
      ...(!whole && { _source: HEAD_FIELDS }),
    }));
    const docs = await multiGet<DocumentBody & StateSource>(
      connection,
      index,
      [...wanted, { _id: FLOORS_ID }],
      whole ? { _source_exclude_vectors: false } : {},
      signal,
    );
    const floors = effectiveFloors(parseState<FloorsState>(docs.at(-1)));
    seen(floors);
    return { documents: ids.map((id, i) => foundDocument(id, docs[i], whole)), floors };
  };
}

function foundDocument(
  id: DocumentId,
  gotten: Gotten<DocumentBody & StateSource> | undefined,
  isWhole: boolean,
): FoundForWrite | undefined {
  const source = gotten?._source;
  if (!gotten?.found || !source || source.id !== id) return undefined;
  const { write: mark, ...whole } = source;
  return {
    version: BigInt(whole.version) as SourceVersion,
    deleted: whole.deleted,
    contentHash: whole.contentHash,
    tenant: whole.tenant,
    ...(isWhole && { whole }),
    mark,
    seqNo: gotten._seq_no ?? 0,
    primaryTerm: gotten._primary_term ?? 0,
  };
}
