import type { DocumentStore, StoreProgress } from '../../ports/document-store/document-store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { InvalidRequest, NotFreshYet, type RequestFault } from '../../runtime/errors.ts';
import type { SourceConfig } from '../../runtime/config/config.ts';
import { jsonPointer } from '../../runtime/strict-json.ts';
import { normalizeAfter, parseLsn } from '../../schemas/lsn.ts';
import type { AsOf } from '../../schemas/query.ts';
import { positionOrder } from '../../schemas/source-position.ts';

/** Reading the progress costs one indexed row; a wait is answered at most this much late, ms. */
const POLL_MS = 4;
/** How long a request waits that asks for a position and names no limit, ms. */
const DEFAULT_WAIT_MS = 5_000;

export interface PositionWait {
  readonly after: Readonly<Record<string, string>>;
  readonly waitFor: 'searchable' | 'complete';
  readonly waitMs?: number;
}

/** What ends a request early: `gone` whatever may take long, a wait or a stream; `left` all of it. */
export interface RequestSignals {
  readonly gone: AbortSignal;
  readonly left: AbortSignal;
}

type Targets = ReadonlyMap<string, bigint>;

/**
 * Resolves with the progress of the index as soon as it has passed every position of `after`. Call it before the search reads, and
 * state the returned progress as `asOf`: the search then sees at least that much (I11).
 * @throws InvalidRequest for a source that does not exist or a position of the wrong form, NotFreshYet after `waitMs`.
 */
export async function waitForPosition(
  wait: PositionWait,
  sources: readonly SourceConfig[],
  store: DocumentStore,
  clock: Clock,
  { gone, left }: RequestSignals,
): Promise<StoreProgress> {
  const targets = parseTargets(wait.after, sources);
  const deadline = clock.monotonicMs() + (wait.waitMs ?? DEFAULT_WAIT_MS);
  for (;;) {
    const progress = await store.progress(left);
    if (hasReached(progress, targets, wait.waitFor)) return progress;
    const leftMs = deadline - clock.monotonicMs();
    if (leftMs <= 0) throw new NotFreshYet('The index has not reached the position that the request waits for.');
    await clock.sleep(Math.min(POLL_MS, leftMs), gone);
  }
}

/** What a reply may claim: the position below which nothing is missing, of every source that has one. */
export function asOf(progress: StoreProgress): AsOf {
  const reached: AsOf = {};
  for (const [source, { searchable }] of Object.entries(progress.sources))
    if (searchable) reached[source] = { position: searchable.position, committedAt: searchable.committedAt };
  return reached;
}

/** The forms of position that a source's callers know, and how they are told. */
const FORMS: Readonly<Record<SourceConfig['kind'], string>> = {
  postgres: 'an LSN such as 16/B374D848',
  webhook: 'a decimal position',
  debezium: 'a position of its database, such as 16/B374D848 or binlog.000012:4711',
};

/** The number behind a position that a caller waits for. */
function parsePosition(kind: SourceConfig['kind'], text: string): bigint | undefined {
  const lsn = kind === 'webhook' ? undefined : parseLsn(text);
  if (lsn !== undefined) return normalizeAfter(lsn);
  if (kind === 'debezium') return positionOrder(text);
  return kind === 'webhook' && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}

function parseTargets(after: PositionWait['after'], sources: readonly SourceConfig[]): Targets {
  const kinds = new Map(sources.map(({ name, kind }) => [name, kind]));
  const faults: RequestFault[] = [];
  const targets = new Map<string, bigint>();
  for (const [name, text] of Object.entries(after)) {
    const kind = kinds.get(name);
    const position = kind && parsePosition(kind, text);
    if (position !== undefined) targets.set(name, position);
    else
      faults.push({
        pointer: jsonPointer(['after', name]),
        detail: kind === undefined ? 'is not a source' : `must be ${FORMS[kind]}`,
      });
  }
  if (faults.length > 0) throw new InvalidRequest('The request waits for a position that cannot exist.', { faults });
  return targets;
}

function hasReached(progress: StoreProgress, targets: Targets, level: 'searchable' | 'complete'): boolean {
  for (const [source, target] of targets) {
    const reached = progress.sources[source]?.[level]?.position;
    // The index holds positions of both forms; the form tells which, so the kind of the source is not needed here.
    const position = reached === undefined ? undefined : (parseLsn(reached) ?? BigInt(reached));
    if (position === undefined || position < target) return false;
  }
  return true;
}
