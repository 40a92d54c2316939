import { quantile } from '../metrics/bootstrap.ts';
import { surfaceRequests, type SurfaceRequest } from './leak-surfaces.ts';
import {
  canaryId,
  canaryWord,
  send,
  writeCanary,
  type Canary,
  type ProbeCaller,
  type ProbeReply,
  type ProbeTarget,
} from './probe-target.ts';

/** Something that a caller was shown and may not see. Names tenants and groups, never the words of a canary. */
export interface LeakFinding {
  readonly surface: string;
  readonly caller: string;
  /** Whose canary it was. */
  readonly canary: string;
  readonly found: string;
}

export interface LeakReport {
  readonly callers: readonly string[];
  readonly canaries: number;
  readonly requests: number;
  /** How often a caller was shown its own canary. 0 proves nothing about the others: the probe then fails. */
  readonly ownShown: number;
  readonly surfaces: readonly string[];
  readonly findings: readonly LeakFinding[];
  /** Median time to say 404 of a document that is not the caller's and of one that does not exist, ms. For people: not judged. */
  readonly timingsMs: { readonly forbidden: number; readonly unknown: number };
}

export interface LeakProbeOptions {
  readonly target: ProbeTarget;
  /** At least two, of which each may not read something that another may. */
  readonly callers: readonly ProbeCaller[];
  /** How long a canary may take to be searchable, ms. */
  readonly limitMs: number;
}

interface Planted extends Canary {
  readonly id: string;
  readonly lure: string;
  readonly secret: string;
}

const POLL_MS = 25;
/** Pairs of requests whose times are compared. */
const TIMED = 15;

/**
 * Plants a canary for every tenant and every group of the callers, then asks every surface for each of them as every caller, and
 * searches what comes back, to the last header, for the secrets of canaries that are not the caller's. Takes every canary back.
 * @throws ServerUnreachable, ServerRefused.
 */
export async function probeLeaks(options: LeakProbeOptions, signal: AbortSignal): Promise<LeakReport> {
  const { target, callers } = options;
  const planted = plan(target, callers);
  const report = { requests: 0, ownShown: 0, surfaces: new Set<string>(), findings: [] as LeakFinding[] };
  try {
    for (const each of planted) await writeCanary(each, 1, target, signal);
    await untilSearchable(planted, options, signal);
    for (const caller of callers) {
      const forbidden = planted.filter((each) => !mayRead(caller, each));
      for (const canary of planted)
        for (const request of surfaceRequests(canary.lure, canary.id)) {
          const reply = await ask(request, caller, target, signal);
          report.requests++;
          report.surfaces.add(request.surface);
          const text = `${reply.headers}\n${reply.body}`;
          if (mayRead(caller, canary) && text.includes(canary.secret)) report.ownShown++;
          for (const other of forbidden)
            if (text.includes(other.secret)) report.findings.push(finding(request.surface, caller, other, 'its text'));
        }
      for (const canary of forbidden) report.findings.push(...(await tellsApart(canary, caller, target, signal)));
      report.findings.push(...(await countsOf(caller, target, signal)));
    }
    return {
      ...report,
      surfaces: [...report.surfaces],
      findings: distinct(report.findings),
      callers: callers.map(nameOf),
      canaries: planted.length,
      timingsMs: await timings(planted, options, signal),
    };
  } finally {
    for (const { key } of planted) await writeCanary({ key }, 2, target, signal).catch(() => undefined);
  }
}

/** A canary for every member of each tenant, one for each group in it, and one for a group that nobody is in. */
function plan(target: ProbeTarget, callers: readonly ProbeCaller[]): readonly Planted[] {
  return [...new Set(callers.map(({ tenant }) => tenant))].flatMap((tenant) => {
    const own = callers.filter((each) => each.tenant === tenant);
    const groups = new Set([canaryWord(target.random), ...own.flatMap((each) => each.groups)]);
    return [...[...groups].map((group) => [group]), null].map((acl) => plant(tenant, acl, target));
  });
}

function plant(tenant: string, acl: readonly string[] | null, { source, random }: ProbeTarget): Planted {
  const [key, lure, secret] = [canaryWord(random), canaryWord(random), canaryWord(random)];
  const body = `The canary ${lure} says that its secret is ${secret}.`;
  const canary = { key, title: `Canary ${lure} ${secret}`, body, tenant, acl, metadata: { lure, secret } };
  return { ...canary, id: canaryId(source, key), lure, secret };
}

function mayRead({ tenant, groups }: ProbeCaller, canary: Canary): boolean {
  return canary.tenant === tenant && (canary.acl === null || canary.acl.some((group) => groups.includes(group)));
}

/** Waits until a search shows each canary to a caller that may read it. One that nobody may read is written before those. */
async function untilSearchable(
  planted: readonly Planted[],
  { target, callers, limitMs }: LeakProbeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = target;
  const began = clock.monotonicMs();
  for (const canary of planted) {
    const caller = callers.find((each) => mayRead(each, canary));
    if (!caller) continue;
    const searches = surfaceRequests(canary.lure, canary.id).filter(({ path }) => path === '/v1/search');
    const isShown = async (): Promise<boolean> => {
      for (const search of searches)
        if ((await ask(search, caller, target, signal)).body.includes(canary.secret)) return true;
      return false;
    };
    while (!(await isShown())) {
      if (clock.monotonicMs() - began > limitMs) return; // ownShown tells
      await clock.sleep(POLL_MS, signal);
    }
  }
}

function ask(request: SurfaceRequest, caller: ProbeCaller, target: ProbeTarget, signal: AbortSignal) {
  const headers = { ...request.headers, ...caller.headers };
  const body = request.body === undefined ? {} : { body: request.body };
  return send(request.method, request.path, { headers, ...body }, target, signal);
}

/** A document that is not the caller's and one that does not exist must get the same reply. */
async function tellsApart(
  canary: Planted,
  caller: ProbeCaller,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<readonly LeakFinding[]> {
  const pairs = await Promise.all(
    [canary.id, canaryId(target.source, canaryWord(target.random))].map(async (id) => {
      const asked = surfaceRequests(canary.lure, id).filter(({ surface }) =>
        ['document', 'mcp, explain'].includes(surface),
      );
      const replies: { surface: string; said: string }[] = [];
      for (const request of asked) {
        const reply = await ask(request, caller, target, signal);
        replies.push({ surface: request.surface, said: `${reply.status} ${withoutIds(reply, id)}` });
      }
      return replies;
    }),
  );
  const [forbidden = [], unknown = []] = pairs;
  return forbidden
    .filter(({ said }, index) => said !== unknown[index]?.said)
    .map(({ surface }) =>
      finding(surface, caller, canary, 'that it exists: the reply differs from that for no document'),
    );
}

/** What of a reply may differ from call to call. */
function withoutIds({ body }: ProbeReply, id: string): string {
  return body
    .replaceAll(id, '')
    .replaceAll(encodeURIComponent(id), '')
    .replaceAll(/"(?:traceId|instance)":"[^"]*"/g, '');
}

/** Counts are of all tenants, and for operators. */
async function countsOf(
  caller: ProbeCaller,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<readonly LeakFinding[]> {
  const { headers } = caller;
  const operator = await send('GET', '/v1/admin/failures', { headers }, target, signal);
  if (operator.status === 200) return [];
  const { body } = await send('GET', '/v1/freshness', { headers }, target, signal);
  if (!/"(?:documents|passages)":\d/.test(body)) return [];
  return [
    { surface: 'freshness', caller: nameOf(caller), canary: 'all tenants', found: 'how many documents there are' },
  ];
}

async function timings(
  planted: readonly Planted[],
  { target, callers }: LeakProbeOptions,
  signal: AbortSignal,
): Promise<LeakReport['timingsMs']> {
  const forbidden: number[] = [];
  const unknown: number[] = [];
  const [caller] = callers;
  const canary = planted.find((each) => caller && !mayRead(caller, each));
  if (!caller || !canary) return { forbidden: Number.NaN, unknown: Number.NaN };
  for (let i = 0; i < TIMED; i++)
    for (const [times, key] of [[forbidden, canary.key] as const, [unknown, canaryWord(target.random)] as const]) {
      const path = `/v1/documents/${encodeURIComponent(canaryId(target.source, key))}`;
      times.push((await send('GET', path, { headers: caller.headers }, target, signal)).tookMs);
    }
  const median = (times: readonly number[]) =>
    quantile(
      times.toSorted((a, b) => a - b),
      0.5,
    );
  return { forbidden: median(forbidden), unknown: median(unknown) };
}

function finding(surface: string, caller: ProbeCaller, canary: Canary, found: string): LeakFinding {
  const whose = nameOf({ tenant: canary.tenant, groups: canary.acl ?? [] });
  return { surface, caller: nameOf(caller), canary: whose, found };
}

function nameOf({ tenant, groups }: Pick<ProbeCaller, 'tenant' | 'groups'>): string {
  return groups.length === 0 ? tenant : `${tenant} (${groups.join(', ')})`;
}

function distinct(findings: readonly LeakFinding[]): readonly LeakFinding[] {
  return [...new Map(findings.map((each) => [JSON.stringify(each), each])).values()];
}
