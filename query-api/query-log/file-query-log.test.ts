import { mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock, type Clock } from '../../runtime/clock.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import type { QueryRecord } from '../../schemas/query-record.ts';
import { MAX_QUEUED_RECORDS, openFileQueryLog, type FileQueryLogOptions } from './file-query-log.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'freshet-query-log-')), 'queries');
});
afterEach(async () => rm(join(folder, '..'), { recursive: true, force: true }));

const NOON = Date.UTC(2026, 10, 24, 12);

/** Stands at a time until it is told otherwise. */
function clockAt(start: number): Clock & { at: number } {
  const clock = { ...systemClock, at: start, now: () => clock.at };
  return clock;
}

const aRecord = (over: Partial<QueryRecord> = {}): QueryRecord => ({
  at: NOON,
  traceId: 'ab',
  route: 'answer',
  tenant: 'acme',
  question: 'Where does ann@example.com live?',
  outcome: 'answered',
  passages: ['help/public.articles/1#0'],
  stepsMs: { total: 3 },
  ...over,
});

function opened(options: Partial<FileQueryLogOptions> = {}) {
  const metrics = createMetrics();
  const clock = clockAt(NOON);
  const log = openFileQueryLog({
    folder,
    mode: 'redacted',
    maxFileBytes: 1_000_000,
    retentionDays: 7,
    redact: (question) => question.replace(/\S+@\S+/, '[EMAIL]'),
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    metrics,
    ...options,
  });
  const outcomes = async () => {
    const { values } = await metrics.queryLogRecords.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value]));
  };
  return { log, clock, outcomes };
}

async function lines(): Promise<readonly Record<string, unknown>[]> {
  const names = (await readdir(folder)).toSorted();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => text.trimEnd().split('\n')).map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the query log', () => {
  test('keeps a question redacted, one line of JSON each, in a file that only its owner reads', async () => {
    const { log, outcomes } = opened();
    log.record(aRecord());
    log.record(aRecord({ question: 'Why\nso?', outcome: 'refused' }));
    await log[Symbol.asyncDispose]();
    const { question: _raw, ...rest } = aRecord();
    expect(await lines()).toEqual([
      { ...rest, question: 'Where does [EMAIL] live?', questionChars: 32 },
      { ...rest, question: 'Why\nso?', questionChars: 7, outcome: 'refused' },
    ]);
    const [name = ''] = await readdir(folder);
    expect(name).toMatch(/^2026-11-24T12-00-00-000Z-[0-9a-f]{8}\.jsonl$/);
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await outcomes()).toEqual({ written: 2 });
  });

  test('with metadata only has no word of a question', async () => {
    const { log } = opened({ mode: 'metadata' });
    log.record(aRecord());
    await log[Symbol.asyncDispose]();
    const [line] = await lines();
    expect(line).toMatchObject({ questionChars: 32, tenant: 'acme' });
    expect(JSON.stringify(line)).not.toContain('live');
  });

  test('leaves a question out that cannot be redacted', async () => {
    const redact = () => {
      throw new Error('canary');
    };
    const { log } = opened({ redact });
    log.record(aRecord());
    await log[Symbol.asyncDispose]();
    const [line] = await lines();
    expect(line).toMatchObject({ questionChars: 32 });
    expect(line).not.toHaveProperty('question');
  });

  test('drops and counts what comes faster than the disk, and takes no time of whoever records', async () => {
    const { log, outcomes } = opened();
    for (let index = 0; index < MAX_QUEUED_RECORDS + 5; index++) log.record(aRecord());
    expect(await outcomes()).toEqual({ dropped: 5 });
    await log[Symbol.asyncDispose]();
    expect(await lines()).toHaveLength(MAX_QUEUED_RECORDS);
  });

  test('begins another file when one is full, and loses no line by it', async () => {
    let at = NOON;
    const clock: Clock = { ...systemClock, now: () => at++ }; // files are named by the time
    const { log } = opened({ maxFileBytes: 1_000, clock });
    for (let index = 0; index < 50; index++) log.record(aRecord({ traceId: String(index) }));
    await log[Symbol.asyncDispose]();
    const names = await readdir(folder);
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) expect((await stat(join(folder, name))).size).toBeLessThanOrEqual(1_000);
    expect((await lines()).map(({ traceId }) => traceId)).toEqual(
      Array.from({ length: 50 }, (_, index) => String(index)),
    );
  });

  test('removes files of days that are over, by their names, and nothing that is not its own', async () => {
    const { log: first } = opened();
    first.record(aRecord());
    await first[Symbol.asyncDispose]();
    const [name = ''] = await readdir(folder);
    await writeFile(join(folder, 'notes.txt'), 'mine');
    await utimes(join(folder, 'notes.txt'), 0, 0);
    const DAY_MS = 86_400_000;
    const onLastDay = opened({ clock: clockAt(NOON + 7 * DAY_MS) });
    await onLastDay.log[Symbol.asyncDispose]();
    expect((await readdir(folder)).toSorted()).toEqual([name, 'notes.txt']);
    const later = opened({ clock: clockAt(NOON + 8 * DAY_MS) });
    await later.log[Symbol.asyncDispose]();
    expect(await readdir(folder)).toEqual(['notes.txt']);
  });

  test('begins another file with the day', async () => {
    const { log, clock } = opened();
    log.record(aRecord());
    await until(async () => (await readdir(folder).catch(() => [])).length === 1);
    clock.at = NOON + 86_400_000;
    log.record(aRecord());
    await log[Symbol.asyncDispose]();
    expect((await readdir(folder)).map((name) => name.slice(0, 10)).toSorted()).toEqual(['2026-11-24', '2026-11-25']);
  });

  test('that cannot be written is said once and counted, and comes back by itself', async () => {
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
    await writeFile(folder, 'a file where the folder should be');
    const { log, outcomes } = opened({ logger });
    for (let index = 0; index < 30; index++) log.record(aRecord());
    await until(async () => (await outcomes())['failed'] === 30);
    expect(warnings).toHaveLength(1);
    await rm(folder);
    log.record(aRecord());
    await log[Symbol.asyncDispose]();
    expect(await lines()).toHaveLength(1);
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await systemClock.sleep(5);
}
