import type { Metrics } from '../../runtime/metrics.ts';
import type { PiiPolicy } from '../pii/policy.ts';
import { eachValue, emit, type Stage } from '../stage.ts';
import type { DecodedChange } from './decode-change.ts';
import { filterPii } from './filter-pii.ts';

/** Redacts documents before anything else sees them. A document that cannot be filtered is rejected, never passed on (R22). */
export function filterPiiStage(policy: PiiPolicy, metrics: Metrics): Stage<DecodedChange, DecodedChange> {
  return eachValue<DecodedChange, DecodedChange>('filter-pii', (decoded) => {
    const { change } = decoded;
    if (change.kind !== 'document') return emit(decoded);
    const { document, findings } = filterPii(change, policy);
    for (const [entity, count] of findings) metrics.piiFindings.inc({ entity }, count);
    return emit({ ...decoded, change: document });
  });
}
