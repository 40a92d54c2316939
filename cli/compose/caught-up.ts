import type { DocumentStore } from '../../ports/document-store/document-store.ts';
import type { Log } from '../../ports/log/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ResolvedConfig } from '../../runtime/config/config.ts';
import { SourceMisconfigured } from '../../runtime/errors.ts';
import { parseLsn } from '../../schemas/lsn.ts';
import { CONNECTOR_STATE_TOPIC } from '../../schemas/topics.ts';
import { debeziumSource } from './sources.ts';
import type { Work } from './work.ts';

const LOOK_EVERY_MS = 50;

/** By source, the position that covers everything committed before the call. A webhook that never got an event has none. */
export async function positionsNow(
  config: ResolvedConfig,
  log: Log,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, bigint>> {
  const positions = new Map<string, bigint>();
  for (const source of config.sources) {
    if (source.kind === 'postgres') {
      const { captureCurrentPosition } = await import('../../connectors/postgres/current-position.ts');
      positions.set(source.name, await captureCurrentPosition(source, signal));
      continue;
    }
    if (source.kind === 'debezium') {
      const { captureCurrentPosition } = await import('../../connectors/debezium/current-position.ts');
      positions.set(source.name, await captureCurrentPosition(debeziumSource(source, config), signal));
      continue;
    }
    const { readState } = await import('../../connectors/webhook/delivery-records.ts');
    const [state] = await log.latest(CONNECTOR_STATE_TOPIC, [source.name], signal);
    if (state?.value) positions.set(source.name, readState(state.value));
  }
  return positions;
}

/**
 * Resolves when every passage of the positions is in the index, vectors included.
 * @throws SourceMisconfigured when something has stopped that would have to get there.
 */
export async function awaitCaughtUp(
  positions: ReadonlyMap<string, bigint>,
  store: DocumentStore,
  work: Work,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const { sources } = await store.progress(signal);
    const isBehind = [...positions].some(
      ([source, position]) => numberOf(sources[source]?.complete?.position) < position,
    );
    if (!isBehind) return;
    const [stopped] = work.stopped;
    if (stopped)
      throw new SourceMisconfigured(`${stopped[0]} has stopped before the index caught up: ${stopped[1].message}`, {
        cause: stopped[1],
      });
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

function numberOf(position: string | undefined): bigint {
  return position === undefined ? -1n : (parseLsn(position) ?? BigInt(position));
}
