import { runScenarios } from '../run-scenarios.ts';
import { backfill } from './backfill.ts';
import { freshness } from './freshness.ts';
import { nestedOrFlat } from './nested-or-flat.ts';
import { partitions } from './partitions.ts';
import { pipelineCost } from './pipeline-cost.ts';
import { queryOverhead } from './query-overhead.ts';
import { recovery } from './recovery.ts';
import { webhooks } from './webhooks.ts';

/*
 * `npm run bench:engines`: questions to the product on the engines that `npm run engines` starts, each beside the bare engine in the same run.
 * See load-tests/README.md.
 */
await runScenarios(
  [pipelineCost, freshness, queryOverhead, partitions, recovery, backfill, webhooks, nestedOrFlat],
  'load-tests/engines/baseline.json',
);
