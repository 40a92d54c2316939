import { runScenarios } from '../run-scenarios.ts';
import { embedderBound } from './embedder-bound.ts';
import { freshness } from './freshness.ts';
import { ingest } from './ingest.ts';
import { recovery } from './recovery.ts';

/*
 * `npm run bench`: questions to the product in the embedded profile, each beside a rival or a floor in the same run where there is one. See
 * load-tests/README.md.
 */
await runScenarios([ingest, embedderBound, freshness, recovery], 'load-tests/embedded/baseline.json');
