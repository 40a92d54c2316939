import { join } from 'node:path';
import { createPiiPolicy } from '../../pipeline/pii/policy.ts';
import { redact } from '../../pipeline/pii/redact.ts';
import { openFileQueryLog, type FileQueryLogOptions } from '../../query-api/query-log/file-query-log.ts';
import type { QueryLog } from '../../query-api/query-log/query-log.ts';
import type { ResolvedConfig } from '../../runtime/config/config.ts';

type Parts = Pick<FileQueryLogOptions, 'clock' | 'random' | 'logger' | 'metrics'>;

/**
 * The query log that the config asks for, redacted by the rules that documents are redacted by. Questions are not sources: whoever keeps documents
 * as they are has not said so of what people ask, so `pipeline.pii.mode: off` means mask here.
 */
export function openQueryLog({ dataDir, queryLog, pipeline }: ResolvedConfig, parts: Parts): QueryLog | undefined {
  const { mode, ...limits } = queryLog;
  if (mode === 'off') return undefined;
  const policy = createPiiPolicy(pipeline.pii.mode === 'off' ? { ...pipeline.pii, mode: 'mask' } : pipeline.pii);
  const clean = (question: string, tenant: string) =>
    redact({ name: 'question', text: question }, policy, tenant, new Map());
  return openFileQueryLog({ ...parts, ...limits, mode, folder: join(dataDir, 'queries'), redact: clean });
}
