import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isEntity, type Entity } from './entities.ts';
import { createPiiPolicy } from './policy.ts';
import { findPii, redact } from './redact.ts';

const DATA = '../shared/data';
const VECTORS = `${DATA}/security/pii_recognizer_vectors_dev.jsonl`;
const SYNTHETIC = `${DATA}/security/pii_presidio_synth_v2_dev.jsonl`;
const DOCS = ['dev-bullmq', 'dev-cocoindex'].map((name) => `${DATA}/eval/cdc-docs/${name}`);
const PROSE = ['climate-fever-evidence', 'medline', 'scifact', 'hotpotqa-sample100'].map(
  (name) => `${DATA}/eval/${name}/corpus.jsonl`,
);

const policy = createPiiPolicy({ mode: 'mask' });
const body = (text: string) => ({ name: 'body', text });
const rows = <T>(file: string): T[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
const report = (lines: readonly string[]) => process.stdout.write(`${lines.join('\n')}\n`);
const percent = (part: number, whole: number) => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`);

interface Tally {
  rows: number;
  exact: number;
  expected: number;
  found: number;
  surplus: number;
  spans: number;
  exactSpans: number;
  byDefault: number;
}

interface Vector {
  readonly entity: string;
  readonly text: string;
  readonly expected: number;
  readonly positions: readonly (readonly [number, number])[] | null;
}

describe.skipIf(!existsSync(VECTORS))('measured: recogniser vectors (skipped where the shared data is absent)', () => {
  it('finds what Presidio expects of each recogniser, and nothing where it expects nothing', () => {
    const tallies = new Map<string, Tally>();
    for (const row of rows<Vector>(VECTORS)) addVector(tallies, row);
    const all = [...tallies.values()];
    const sum = (pick: (tally: Tally) => number) => all.reduce((total, tally) => total + pick(tally), 0);
    report([
      'entity, recall, surplus hits, rows with the exact count, exact spans, found by the default policy',
      ...[...tallies].map(
        ([entity, t]) =>
          `${entity.padEnd(26)} ${percent(t.found, t.expected).padStart(8)} ${String(t.surplus).padStart(3)} ` +
          `${t.exact}/${t.rows} ${t.exactSpans}/${t.spans} ${t.byDefault}/${t.expected}`,
      ),
      `all: recall ${percent(
        sum((t) => t.found),
        sum((t) => t.expected),
      )}, surplus ${sum((t) => t.surplus)}, ` +
        `exact ${sum((t) => t.exact)}/${sum((t) => t.rows)}, by default ${percent(
          sum((t) => t.byDefault),
          sum((t) => t.expected),
        )}`,
    ]);
    expect(sum((t) => t.found) / sum((t) => t.expected)).toBeGreaterThan(0.985);
    expect(sum((t) => t.surplus)).toBeLessThanOrEqual(3);
    expect(sum((t) => t.exactSpans) / sum((t) => t.spans)).toBeGreaterThan(0.97);
  });
});

function addVector(tallies: Map<string, Tally>, { entity, text, expected, positions }: Vector): void {
  const tally = tallies.get(entity) ?? newTally();
  tallies.set(entity, tally);
  const found = isEntity(entity)
    ? findPii(body(text), createPiiPolicy({ mode: 'mask', entities: [entity] })).map(({ start, end }) => [start, end])
    : [];
  tally.rows++;
  tally.expected += expected;
  tally.found += Math.min(found.length, expected);
  tally.surplus += Math.max(0, found.length - expected);
  if (found.length === expected) tally.exact++;
  tally.byDefault += Math.min(findPii(body(text), policy).length, expected);
  if (!positions) return;
  tally.spans++;
  if (JSON.stringify(found) === JSON.stringify(positions)) tally.exactSpans++;
}

const newTally = (): Tally => ({
  rows: 0,
  exact: 0,
  expected: 0,
  found: 0,
  surplus: 0,
  spans: 0,
  exactSpans: 0,
  byDefault: 0,
});

interface Sentence {
  readonly text: string;
  readonly spans: readonly { readonly type: string; readonly start: number; readonly end: number }[];
}

describe.skipIf(!existsSync(SYNTHETIC))(
  'measured: synthetic sentences (skipped where the shared data is absent)',
  () => {
    it('the default policy covers the structured entities and touches nothing else', () => {
      const recall = new Map<string, { found: number; all: number }>();
      const surplus = new Map<Entity, number>();
      for (const { text, spans } of rows<Sentence>(SYNTHETIC)) {
        const findings = findPii(body(text), policy);
        for (const span of spans) {
          const count = recall.get(span.type) ?? { found: 0, all: 0 };
          recall.set(span.type, count);
          count.all++;
          if (findings.some(({ start, end }) => start <= span.start && end >= span.end)) count.found++;
        }
        for (const { start, end, entity } of findings)
          if (!spans.some((span) => span.start < end && span.end > start))
            surplus.set(entity, (surplus.get(entity) ?? 0) + 1);
      }
      const structured = [
        'CREDIT_CARD',
        'EMAIL_ADDRESS',
        'IBAN_CODE',
        'IP_ADDRESS',
        'PHONE_NUMBER',
        'US_SSN',
        'US_DRIVER_LICENSE',
      ];
      report(
        structured.map(
          (type) => `${type.padEnd(20)} recall ${recall.get(type)?.found ?? 0}/${recall.get(type)?.all ?? 0}`,
        ),
      );
      report([`hits outside every marked span: ${JSON.stringify(Object.fromEntries(surplus))}`]);
      for (const type of structured) {
        const { found = 0, all = 1 } = recall.get(type) ?? {};
        expect(found / all, type).toBeGreaterThan(0.93);
      }
      expect([...surplus.values()].reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(3);
    });
  },
);

interface Probe {
  readonly fresh_text?: string;
  readonly stale_text?: string;
}

describe.skipIf(!DOCS.every(existsSync))('measured: documentation (skipped where the shared data is absent)', () => {
  it('changes no line of it but those with an e-mail address', () => {
    const lines = DOCS.flatMap((folder) => rows<Probe>(`${folder}/probes.jsonl`)).flatMap(
      ({ fresh_text: fresh, stale_text: stale }) => [fresh, stale].filter((line) => line !== undefined),
    );
    const changed = lines.filter((line) => redact(body(line), policy, 'acme', new Map()) !== line);
    report([`probe lines changed: ${changed.length} of ${lines.length}`]);
    expect(changed.filter((line) => !line.includes('@'))).toEqual([]);
    expect(changed.length).toBeLessThanOrEqual(lines.length / 1_000);
  });

  it('finds no more than a handful of values in whole documents, and says which', () => {
    const counts = new Map<Entity, number>();
    for (const { text } of DOCS.flatMap((folder) => rows<{ text: string }>(`${folder}/final.jsonl`)))
      redact(body(text), policy, 'acme', counts);
    report([`found in documentation: ${JSON.stringify(Object.fromEntries(counts))}`]);
    expect([...counts.keys()].filter((entity) => entity !== 'EMAIL_ADDRESS')).toEqual([]);
  });
});

describe.skipIf(!PROSE.every(existsSync))('measured: throughput (skipped where the shared data is absent)', () => {
  it('prints the speed on prose in which every document has digits', () => {
    const texts = PROSE.flatMap((file) => rows<{ text?: string }>(file))
      .map(({ text = '' }) => text)
      .filter((text) => /\d/.test(text));
    const bytes = texts.reduce((total, text) => total + Buffer.byteLength(text), 0);
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 8; round++) {
      const before = process.cpuUsage();
      for (const text of texts) redact(body(text), policy, 'acme', new Map());
      const spent = process.cpuUsage(before);
      best = Math.min(best, spent.user + spent.system);
    }
    report([`filtered ${(bytes / 1e6).toFixed(1)} MB at ${(bytes / best).toFixed(0)} MB/s of CPU time`]);
    expect(best).toBeLessThan(Number.POSITIVE_INFINITY);
  });
});
