import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { HOOK_SECRET, startProduct, type Product } from '../../test/support/product.ts';
import { probeFreshness } from './freshness-probe.ts';
import { probeLeaks } from './leak-probe.ts';
import { surfaceRequests } from './leak-surfaces.ts';
import type { ProbeCaller, ProbeTarget } from './probe-target.ts';

const signal = new AbortController().signal;
let product: Product;
beforeAll(async () => {
  product = await startProduct({
    sources: [{ name: 'crm', kind: 'webhook', signature: { scheme: 'standard-webhooks', secret: HOOK_SECRET } }],
  });
});
afterAll(() => product[Symbol.asyncDispose]());

const caller = (tenant: string, ...groups: string[]): ProbeCaller => ({
  tenant,
  groups,
  headers: { 'x-freshet-tenant': tenant, 'x-freshet-groups': groups.join(',') },
});
/** The same name of a group in two tenants is two groups. */
const CALLERS = [caller('acme', 'staff'), caller('acme'), caller('globex', 'staff')];

let seed = 0;
const target = (changes: Partial<ProbeTarget> = {}): ProbeTarget => ({
  address: product.address(),
  source: 'crm',
  secret: HOOK_SECRET,
  fetch: globalThis.fetch,
  clock: systemClock,
  random: seededRandom(++seed),
  ...changes,
});

type Fetch = typeof globalThis.fetch;
const urlOf = (input: Parameters<Fetch>[0]): string =>
  typeof input === 'string' ? input : input instanceof URL ? input.href : input.url;
const sentIn = (init: Parameters<Fetch>[1]): string => (typeof init?.body === 'string' ? init.body : '');
/** A server that takes the caller for another one wherever `when` says so. */
const confusing =
  (when: (url: string, body: string) => boolean): Fetch =>
  (input, init) => {
    const confused = { 'x-freshet-tenant': 'globex', 'x-freshet-groups': 'staff' };
    const isConfused = when(urlOf(input), sentIn(init)) && !urlOf(input).includes('/v1/hooks/');
    const headers = { ...(init?.headers as Record<string, string>), ...(isConfused && confused) };
    return fetch(input, { ...init, headers });
  };
const leaks = (planted: Fetch, callers = CALLERS) =>
  probeLeaks({ target: target({ fetch: planted }), callers, limitMs: 20_000 }, signal);

describe('the leak probe', () => {
  it('finds nothing in the product, on no surface, though every caller is shown what is its own', async () => {
    const report = await leaks(fetch);
    expect(report.findings).toEqual([]);
    expect(report.surfaces).toEqual([...new Set(surfaceRequests('l', 'a/b/c').map(({ surface }) => surface))]);
    // Canaries of a tenant: for all, for staff, for nobody. Own ones: two and one and two; by search, answer, chat, agents and the document.
    expect(report.canaries).toBe(6);
    expect(report.ownShown).toBeGreaterThanOrEqual(5 * 8);
  });

  it('catches a server that confuses callers on every surface that shows documents', async () => {
    // Nobody is taken for acme: its own canaries are waited for in vain, and last.
    const callers = [caller('globex', 'staff'), caller('acme')];
    const planted = { target: target({ fetch: confusing(() => true) }), callers, limitMs: 4_000 };
    const { findings } = await probeLeaks(planted, signal);
    expect(new Set(findings.map(({ surface }) => surface))).toEqual(
      new Set([
        'search, hybrid',
        'search, lexical',
        'search, dense',
        'search, filter',
        'answer',
        'answer, stream',
        'chat',
        'chat, stream',
        'mcp, search',
        'mcp, ask',
        'mcp, explain',
        'document',
      ]),
    );
    expect(new Set(findings.map((each) => each.caller))).toEqual(new Set(['acme']));
    expect(new Set(findings.map(({ canary }) => canary))).toEqual(new Set(['globex', 'globex (staff)']));
  });

  it('names the one surface that leaks', async () => {
    const planted = confusing((url, sent) => url.includes('/v1/answer') && sent.includes('"stream":true'));
    const { findings } = await leaks(planted, [caller('acme'), caller('globex', 'staff')]);
    expect(findings.map(({ surface, found }) => [surface, found])).toEqual([
      ['answer, stream', 'its text'],
      ['answer, stream', 'its text'],
    ]);
  });

  it('that was shown nothing of its own says so', async () => {
    const planted = confusing(() => true);
    const report = await probeLeaks(
      { target: target({ fetch: planted }), callers: [caller('acme'), caller('umbrella')], limitMs: 100 },
      signal,
    );
    expect(report).toMatchObject({ ownShown: 0, findings: [] });
  });

  it('catches a group that is not looked at, in an error or a header as well as in a body', async () => {
    let secret = '';
    const planted: Fetch = async (input, init) => {
      const sent = sentIn(init);
      // Of acme's canary for staff, whatever is asked for.
      if (sent.includes('"acl":["staff"]') && sent.includes('"acme"')) secret = /secret is (\w+)/.exec(sent)?.[1] ?? '';
      const reply = await fetch(input, init);
      return reply.status === 400 ? new Response('{}', { status: 400, headers: { 'x-debug': secret } }) : reply;
    };
    const { findings } = await leaks(planted);
    expect(findings.map(({ surface }) => surface)).toContain('error, bad filter');
    expect(new Set(findings.map(({ canary }) => canary))).toEqual(new Set(['acme (staff)']));
    expect(new Set(findings.map((each) => each.caller))).toEqual(new Set(['acme', 'globex (staff)']));
  });

  it('catches a server that says forbidden where it should say unknown', async () => {
    const ids = new Set<string>();
    const planted: Fetch = async (input, init) => {
      const key = /"key":"(\w+)"/.exec(sentIn(init))?.[1];
      if (urlOf(input).includes('/v1/hooks/') && key) ids.add(key);
      const reply = await fetch(input, init);
      const isKnown = [...ids].some((id) => urlOf(input).includes(id));
      return reply.status === 404 && isKnown ? new Response('{}', { status: 403 }) : reply;
    };
    const { findings } = await leaks(planted, [caller('acme'), caller('globex')]);
    expect(new Set(findings.map(({ surface, found }) => `${surface}: ${found}`))).toEqual(
      new Set(['document: that it exists: the reply differs from that for no document']),
    );
  });

  it('takes its canaries back', async () => {
    await leaks(fetch, [caller('acme'), caller('globex')]);
    const left = () => product.found('canary secret says', { mode: 'lexical' }, { tenant: 'acme' });
    await expect.poll(left, { timeout: 20_000 }).toEqual([]);
  });
});

describe('the freshness probe', () => {
  const probe = (planted: Fetch, limitMs = 20_000, rounds = 3) =>
    probeFreshness({ target: target({ fetch: planted }), caller: caller('acme'), rounds, limitMs }, signal);

  it('sees every insert, update and delete of the product', async () => {
    const { steps } = await probe(fetch);
    expect(steps.map(({ step, rounds, missed }) => [step, rounds, missed])).toEqual([
      ['insert', 3, 0],
      ['update', 3, 0],
      ['delete', 3, 0],
    ]);
    for (const { minMs, medianMs, maxMs } of steps) {
      expect(minMs).toBeGreaterThan(0);
      expect(medianMs).toBeGreaterThanOrEqual(minMs);
      expect(maxMs).toBeGreaterThanOrEqual(medianMs);
    }
  });

  it('misses what a server that keeps old replies does not show', async () => {
    const kept = new Map<string, Response>();
    const stale: Fetch = async (input, init) => {
      const asked = sentIn(init);
      const old = kept.get(asked);
      if (old) return old.clone();
      const reply = await fetch(input, init);
      // What was found once is found for ever: a cache that no change empties.
      if (urlOf(input).endsWith('/v1/search') && (await reply.clone().text()).includes('"text":'))
        kept.set(asked, reply.clone());
      return reply;
    };
    const { steps } = await probe(stale, 300, 1);
    expect(steps.map(({ step, missed }) => [step, missed])).toEqual([
      ['insert', 0],
      ['update', 1],
      ['delete', 1],
    ]);
    expect(steps[1]?.medianMs).toBeNaN();
  });
});
