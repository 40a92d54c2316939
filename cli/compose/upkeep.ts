import type { Offset } from '../../ports/log/log.ts';
import { lagOf } from '../../ports/log/partitions.ts';
import type { Jobs } from '../../ports/jobs/jobs.ts';
import type { DeadLetters } from '../../pipeline/dead-letters.ts';
import { EMBED_GROUP } from '../../pipeline/sinks/deferred-vectors.ts';
import { PREPARE_GROUP } from '../../pipeline/topics.ts';
import type { EngineLog } from '../../ports/registry.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { DOCUMENTS_TOPIC, VECTORS_TOPIC } from '../../schemas/topics.ts';

const RETENTION_EVERY_MS = 300_000;
const GAUGES_EVERY_MS = 5_000;

export interface UpkeepParts {
  readonly log: EngineLog;
  /** Once over all processes. */
  readonly jobs: Jobs;
  /** In each process: a gauge belongs to the process that shows it. */
  readonly ownJobs: Jobs;
  readonly deadLetters: DeadLetters;
  readonly indexGroup: string;
  readonly sourceTopics: readonly string[];
  readonly metrics: Metrics;
}

/** Work by the clock: retention and compaction of the log, and the gauges that no batch updates. */
export async function scheduleUpkeep({
  log,
  jobs,
  ownJobs,
  deadLetters,
  indexGroup,
  sourceTopics,
  metrics,
}: UpkeepParts): Promise<void> {
  if (log.maintain)
    await jobs.schedule({
      name: 'retention',
      everyMs: RETENTION_EVERY_MS,
      async run(signal) {
        const open = await deadLetters.list('open', Number.MAX_SAFE_INTEGER, signal);
        await log.maintain?.(
          { keep: open.map(({ pointer }) => ({ ...pointer, offset: BigInt(pointer.offset) as Offset })) },
          signal,
        );
      },
    });
  const groups = new Map([
    ...sourceTopics.map((topic) => [topic, PREPARE_GROUP] as const),
    [DOCUMENTS_TOPIC, indexGroup],
    [VECTORS_TOPIC, EMBED_GROUP],
  ]);
  await ownJobs.schedule({
    name: 'gauges',
    everyMs: GAUGES_EVERY_MS,
    async run(signal) {
      const lags = new Map<string, number>();
      for (const state of await log.describe([...groups.keys()], signal)) {
        const { topic } = state;
        lags.set(topic, (lags.get(topic) ?? 0) + lagOf(state, groups.get(topic) ?? ''));
      }
      for (const [topic, lag] of lags) metrics.lag.set({ group: groups.get(topic) ?? '', topic }, lag);
      metrics.deadLettersOpen.set((await deadLetters.list('open', Number.MAX_SAFE_INTEGER, signal)).length);
    },
  });
}
