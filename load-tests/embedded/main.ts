import { runScenarios } from '../run-scenarios.ts';
import { embedderBound } from './embedder-bound.ts';
import { freshness } from './freshness.ts';
import { ingest } from './ingest.ts';
import { lexicalFirst } from './lexical-first.ts';
import { queryOverhead } from './query-overhead.ts';
import { recovery } from './recovery.ts';
import { stages } from './stages.ts';
import { start } from './start.ts';
import { vectorLeg } from './vector-leg.ts';
import { webhooks } from './webhooks.ts';

/*
 * `npm run bench`: questions to the product in the embedded profile, each beside a rival or a floor in the same run where there is one. See
 * load-tests/README.md.
 */
await runScenarios(
  [ingest, embedderBound, freshness, recovery, lexicalFirst, webhooks, vectorLeg, queryOverhead, stages, start],
  'load-tests/embedded/baseline.json',
);
