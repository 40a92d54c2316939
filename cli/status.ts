import { clientFor } from './client.ts';
import { table } from './output.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** What `GET /v1/freshness` says of a source, as far as status shows it. Counts are there for operators only. */
interface SourceFreshness {
  readonly kind: string;
  readonly position?: string;
  readonly committedAt?: number;
  readonly connected?: boolean;
  readonly state?: string;
  readonly reason?: string;
  readonly lagRecords?: number;
  readonly freshnessSeconds?: { readonly p50?: number; readonly p99?: number };
  readonly documents?: number;
  readonly passages?: number;
}

interface Status {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly sources: Readonly<Record<string, SourceFreshness>>;
  readonly coverage: { readonly dense: number };
  readonly deadLetters: Readonly<Record<string, number>>;
}

/** The server lists at most this many dead letters at once. */
const MAX_LISTED = 1_000;

/** Prints how far the index is, per source, and whether the engines are well. 1 when the server is not ready. */
export async function status(context: VerbContext): Promise<ExitCode> {
  const client = await clientFor(context, 'operator');
  const freshness = (await client.call('GET', '/v1/freshness')) as Pick<Status, 'sources' | 'coverage'>;
  const readiness = (await client.readiness()) as Pick<Status, 'ready' | 'reasons'>;
  const { failures } = (await client.call('GET', `/v1/admin/failures?state=open&limit=${MAX_LISTED}`)) as {
    readonly failures: readonly { readonly source: string }[];
  };
  const deadLetters: Record<string, number> = {};
  for (const { source } of failures) deadLetters[source] = (deadLetters[source] ?? 0) + 1;
  const reply: Status = { ...readiness, ...freshness, deadLetters };
  context.output.result(reply, statusLines);
  return reply.ready ? 0 : 1;
}

/** A line per source, then what is wrong. */
export function statusLines(status: Status): readonly string[] {
  const rows = Object.entries(status.sources).map(([name, source]) => [
    name,
    source.kind,
    source.state ?? (source.connected === false ? 'not connected' : '-'),
    source.position ?? '-',
    source.lagRecords ?? '-',
    seconds(source.freshnessSeconds?.p50),
    seconds(source.freshnessSeconds?.p99),
    source.documents ?? '-',
    source.passages ?? '-',
    deadLettersOf(status.deadLetters[name] ?? 0),
  ]);
  const reasons = Object.entries(status.sources).flatMap(([name, source]) =>
    source.reason === undefined ? [] : [`${name}: ${source.reason}`],
  );
  return [
    ...table([
      ['SOURCE', 'KIND', 'STATE', 'POSITION', 'LAG', 'FRESH P50', 'FRESH P99', 'DOCUMENTS', 'PASSAGES', 'DEAD LETTERS'],
      ...rows,
    ]),
    '',
    `Passages with their vector: ${(status.coverage.dense * 100).toFixed(1)} %.`,
    ...reasons,
    status.ready ? 'Ready.' : `Not ready: ${status.reasons.join('; ')}`,
  ];
}

function seconds(value: number | undefined): string {
  if (value === undefined) return '-';
  return value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(1)} s`;
}

function deadLettersOf(count: number): string {
  return count >= MAX_LISTED ? `${MAX_LISTED} or more` : String(count);
}
