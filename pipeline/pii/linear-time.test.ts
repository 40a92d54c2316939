import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createPiiPolicy } from './policy.ts';
import { redact } from './redact.ts';

const policy = createPiiPolicy({ mode: 'mask' });
const SMALL = 1 << 14;
const FACTOR = 8;
/** Linear is 8, quadratic 64; the room in between is for a busy machine. */
const LIMIT = 32;

/** CPU time of this process in µs, the better of two. */
function cost(text: string): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 2; i++) {
    const before = process.cpuUsage();
    try {
      redact({ name: 'body', text }, policy, 'acme', new Map());
    } catch {
      // A text that is refused must be refused in time, too.
    }
    const spent = process.cpuUsage(before);
    best = Math.min(best, spent.user + spent.system);
  }
  return best;
}

describe('linear time', () => {
  it.each([
    '1',
    '1 ',
    '1-',
    'a1',
    '9'.repeat(9) + ' ',
    '078-05-1123 ',
    'A9 ',
    '1.1.',
    '(1',
    '+1 ',
    '0 (',
    'a',
    '号',
    '\u200b',

    '@',
    'a@',
    'a@b.',
    'a@b.co',
    ':',
    '::',
    '1:',
    'a:',
    '://',
    'http://a:',
    '=',
    'password=',
    'password=a1',
    '"a":',

    '[',
    '[EMAIL',
    '[EMAIL]',
    '-----BEGIN ',
    'PRIVATE KEY-----',
    '-----BEGIN PRIVATE KEY-----',
    'eyJ-1-',
    'eyJ1.',
    'ghp_1',
    '%',
    '%25',
    '%2540',
    '&',
    '&#',
    '&#64;',
    '\\u0040',
    'SSN ',
    'born May 3 1980 ',
    'GB29 NWBK ',
    '4111 1111 ',
  ])('eight times as much of %j costs about eight times as much', (unit) => {
    const ofSize = (size: number) => unit.repeat(Math.ceil(size / unit.length));
    cost(ofSize(SMALL));
    expect(cost(ofSize(SMALL * FACTOR)) / Math.max(cost(ofSize(SMALL)), 500)).toBeLessThan(LIMIT);
  });

  it('no shipped expression can backtrack: no look-around, back reference, or quantified group that holds a quantifier', () => {
    const files = readdirSync('pipeline/pii', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => `pipeline/pii/${file}`);
    const expressions = [...files, 'pipeline/stages/filter-pii.ts'].flatMap((file) =>
      literals(readFileSync(file, 'utf8')).map((source) => ({ file, source })),
    );
    expect(expressions.length).toBeGreaterThan(30);
    expect(expressions.filter(({ source }) => faultOf(source) !== undefined)).toEqual([]);
    for (const file of files) expect(readFileSync(file, 'utf8')).not.toContain('new RegExp');
  });

  it('and the check itself finds what it is for', () => {
    for (const bad of ['(a+)+b', '(?:a*)*', '(a|b*){2,}', '(x)\\1', 'a(?=b)', '(?<!a)b', 'a+b+', 'x.*y'])
      expect(faultOf(bad)).toBeDefined();
    for (const good of ['^a+$', '[^a]+', '(?:ab){5}c', '^(?:a|b{2})?$', '\\d{1,3}(?:st|nd)?'])
      expect(faultOf(good)).toBeUndefined();
  });
});

/** Regular expressions of a source file: what stands between slashes where a value may begin. */
function literals(code: string): string[] {
  const withoutComments = code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
  const literal = /(?:[(,=:[!&|?{};]|=>|return)\s*\/((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+)\/[dgimsuvy]*/g;
  return [...withoutComments.matchAll(literal)].map((match) => match[1] ?? '');
}

/** Why an expression might take more than linear time; undefined when it cannot. */
function faultOf(source: string): string | undefined {
  const plain = source.replace(/\\./g, 'e').replace(/\[[^\]]*\]/g, 'c');
  if (/\\[1-9k]/.test(source)) return 'back reference';
  if (/\(\?(?:[=!]|<[=!])/.test(plain)) return 'look-around';
  const unbounded = plain.match(/[*+]|\{\d+,\}/g) ?? [];
  // One unbounded repetition is linear when it cannot be entered at every place of a long run.
  const isWhole = /^c[*+]$/.test(plain);
  if (unbounded.length > 1) return 'two unbounded repetitions';
  if (unbounded.length === 1 && !plain.startsWith('^') && !isWhole) return 'unanchored unbounded repetition';
  return isNested(plain) ? 'nested repetition' : undefined;
}

/** A group with a repetition of variable length inside is itself repeated more than a fixed number of times. */
function isNested(plain: string): boolean {
  const open: { holds: boolean }[] = [];
  for (let i = 0; i < plain.length; i++) {
    const rest = plain.slice(i);
    if (rest.startsWith('(')) open.push({ holds: false });
    else if (rest.startsWith(')')) {
      const group = open.pop();
      const repeats = /^\)(?:[*+]|\{\d+,\d*\})/.test(rest);
      if (group?.holds && repeats) return true;
      if (group?.holds || repeats) for (const outer of open) outer.holds = true;
    } else if (/^(?:[*+]|\{\d+,\d*\})/.test(rest)) for (const group of open) group.holds = true;
  }
  return false;
}
