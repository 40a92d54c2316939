import { errors } from '@elastic/elasticsearch';
import { describe, expect, it } from 'vitest';
import { classifyFailure, classifyStatus } from './classify.ts';

describe('an error of Elasticsearch', () => {
  it.each([
    [401, 'security_exception', 'FRESHET_INVALID_CONFIG'],
    [403, 'security_exception', 'FRESHET_INVALID_CONFIG'],
    [403, 'cluster_block_exception', 'FRESHET_STORAGE_FAILED'],
    [404, 'index_not_found_exception', 'FRESHET_STORAGE_FAILED'],
    [413, 'content_too_long', 'FRESHET_DOCUMENT_TOO_LARGE'],
    [429, 'circuit_breaking_exception', 'FRESHET_STORE_UNAVAILABLE'],
    [429, 'es_rejected_execution_exception', 'FRESHET_STORE_UNAVAILABLE'],
    [503, 'search_phase_execution_exception', 'FRESHET_STORE_UNAVAILABLE'],
    [503, 'master_not_discovered_exception', 'FRESHET_STORE_UNAVAILABLE'],
    [400, 'parsing_exception', 'FRESHET_STORAGE_FAILED'],
  ])('with status %d and type %s is %s', (status, type, code) => {
    expect(classifyStatus(status, { type }).code).toBe(code);
  });

  it('of a cluster without a master passes by itself', () => {
    const body = { type: 'cluster_block_exception', reason: 'blocked by: [SERVICE_UNAVAILABLE/2/no master];' };
    expect(classifyStatus(503, body).code).toBe('FRESHET_STORE_UNAVAILABLE');
  });

  it('carries the time after which to come back', () => {
    expect(classifyStatus(429, {}, { retryAfter: '7' })).toMatchObject({ fate: 'retry', retryAfterSeconds: 7 });
    expect(classifyStatus(429, {}, { retryAfter: 'soon' }).retryAfterSeconds).toBeUndefined();
  });

  it('that is none of its replies means that it cannot be reached', () => {
    expect(classifyFailure(new errors.TimeoutError('timed out'))).toMatchObject({ code: 'FRESHET_STORE_UNAVAILABLE' });
    expect(classifyFailure(new errors.ConnectionError('refused'))).toMatchObject({ code: 'FRESHET_STORE_UNAVAILABLE' });
  });

  it('after an abort is the reason of the abort', () => {
    const reason = new Error('enough');
    expect(classifyFailure(new errors.RequestAbortedError('aborted'), AbortSignal.abort(reason))).toBe(reason);
  });
});
