import { describe, expect, it } from 'vitest';
import { bulkVerdicts, type BulkItem } from './bulk-verdict.ts';

/** Items as Elasticsearch 9.5.3 sent them; reasons are cut. */
const captured = {
  created: { create: { status: 201 } },
  exists: {
    create: {
      status: 409,
      error: {
        type: 'version_conflict_engine_exception',
        reason: '[1]: version conflict, document already exists (current version [1])',
      },
    },
  },
  changed: {
    index: {
      status: 409,
      error: {
        type: 'version_conflict_engine_exception',
        reason: '[1]: version conflict, required seqNo [9], primary term [1]. current document has seqNo [0]',
      },
    },
  },
  missing: {
    update: { status: 404, error: { type: 'document_missing_exception', reason: '[2]: document missing' } },
  },
  unmapped: {
    index: {
      status: 400,
      error: { type: 'strict_dynamic_mapping_exception', reason: '[1:9] mapping set to strict, [nope] is not allowed' },
    },
  },
  notUnitLength: {
    index: {
      status: 400,
      error: {
        type: 'document_parsing_exception',
        reason: '[1:10] failed to parse',
        caused_by: { type: 'illegal_argument_exception', reason: 'Preview of invalid vector: [1.0, 1.0]' },
      },
    },
  },
  immenseTerm: {
    index: {
      status: 400,
      error: { type: 'document_parsing_exception', reason: "Preview of field's value: 'the words of the document'" },
    },
  },
  rejected: {
    index: {
      status: 429,
      error: { type: 'es_rejected_execution_exception', reason: 'rejected execution of TimedRunnable' },
    },
  },
  diskFull: {
    index: {
      status: 429,
      error: {
        type: 'cluster_block_exception',
        reason: 'index [cap] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]',
      },
    },
  },
  noIndex: {
    index: {
      status: 404,
      error: { type: 'index_not_found_exception', reason: 'no such index [gone]' },
    },
  },
  noPrimary: {
    index: {
      status: 503,
      error: { type: 'unavailable_shards_exception', reason: 'primary shard is not active' },
    },
  },
  memory: { index: { status: 429, error: { type: 'circuit_breaking_exception', reason: '[parent] Data too large' } } },
} satisfies Record<string, BulkItem>;

const judge = (item: BulkItem) => bulkVerdicts([item], 1)[0]!;

describe('the verdict on an item of a bulk', () => {
  it.each([
    ['created', 'stored'],
    ['exists', 'conflict'],
    ['changed', 'conflict'],
    ['missing', 'conflict'],
    ['unmapped', 'refused'],
    ['notUnitLength', 'refused'],
    ['immenseTerm', 'refused'],
    ['rejected', 'again'],
    ['noPrimary', 'again'],
    ['memory', 'again'],
    ['diskFull', 'failed'],
    ['noIndex', 'failed'],
  ] as const)('%s is %s', (name, kind) => {
    expect(judge(captured[name]).kind).toBe(kind);
  });

  it('is for its item only, in the order of the request', () => {
    const items = [captured.created, captured.rejected, captured.unmapped, captured.exists];
    expect(bulkVerdicts(items, 4).map(({ kind }) => kind)).toEqual(['stored', 'again', 'refused', 'conflict']);
  });

  it('is to send it again where the reply lacks it', () => {
    expect(bulkVerdicts([captured.created], 2).map(({ kind }) => kind)).toEqual(['stored', 'again']);
  });

  it('holds no text of a document', () => {
    const verdict = judge(captured.immenseTerm);
    expect(verdict.kind === 'refused' && verdict.error.message).toBe(
      'the index cannot store this document (document_parsing_exception)',
    );
  });

  it('says what to do about a full disk', () => {
    const verdict = judge(captured.diskFull);
    expect(verdict.kind === 'failed' && verdict.error).toMatchObject({
      code: 'FRESHET_STORAGE_FAILED',
      message: expect.stringContaining('free space') as string,
    });
  });
});
