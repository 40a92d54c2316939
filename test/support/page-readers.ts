import { below, pick } from '../../load-tests/simulator/random.ts';
import { systemClock, type Random } from '../../runtime/clock.ts';
import { documentId } from '../../schemas/ids.ts';
import type { LiveProduct } from './live-product.ts';
import type { PageLedger, ServedPage } from './page-ledger.ts';
import { pageName, PAGES, PAGES_TABLE, SOURCE } from './page-load.ts';

/** A reply of the product that no reader should get: not even while it starts or stops. */
export class BadReply extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** Whether readers must put up with a status, as with 503 while an engine is away. */
export type IsFair = (status: number) => boolean;

/** Asks whatever runs, one request after the other, until the signal aborts. That nothing answers is no fault: it may be dead. */
export async function readPages(
  running: () => LiveProduct,
  ledger: PageLedger,
  random: Random,
  signal: AbortSignal,
  { isFair = () => false, maxPauseMs = 0 }: { readonly isFair?: IsFair; readonly maxPauseMs?: number } = {},
): Promise<void> {
  while (!signal.aborted) {
    const product = running();
    try {
      await pick(random, [readSearch, readDocument])(product, ledger, random, signal);
      if (maxPauseMs > 0) await systemClock.sleep(below(random, maxPauseMs), signal);
    } catch (error) {
      if (error instanceof BadReply && !isFair(error.status)) throw error;
      await systemClock.sleep(10, signal).catch(() => undefined); // it is being started again
    }
  }
}

async function readDocument(product: LiveProduct, ledger: PageLedger, random: Random, signal: AbortSignal) {
  await product.address;
  await lookUp(product, ledger, pageName(below(random, PAGES)), signal);
}

/** Reads one page and has it judged; its sequence number and text, or undefined when there is none. */
export async function lookUp(
  product: LiveProduct,
  ledger: PageLedger,
  id: string,
  signal?: AbortSignal,
): Promise<{ readonly seq: number; readonly text: string } | undefined> {
  const before = ledger.floors();
  const path = `/v1/documents/${encodeURIComponent(documentId({ source: SOURCE, table: PAGES_TABLE.table, key: [id] }))}`;
  const { status, body } = await product.get<Omit<ServedPage, 'id'> & { readonly text: string }>(path, signal);
  if (status === 404) {
    ledger.sawNone(id, before);
    return undefined;
  }
  if (status !== 200) throw new BadReply(`${path} answered ${status}: ${JSON.stringify(body)}`, status);
  ledger.sawPage({ ...body, id }, (committed) => committed === body.text, before);
  return { seq: Number(body.title), text: body.text };
}

async function readSearch(product: LiveProduct, ledger: PageLedger, random: Random, signal: AbortSignal) {
  await product.address;
  const before = ledger.floors();
  const query = `paragraph ${below(random, 60)} watermarks offsets pipeline`;
  const mode = pick(random, ['lexical', 'hybrid'] as const);
  const { status, body } = await product.search({ query, k: 50, mode }, signal);
  if (status !== 200) throw new BadReply(`search answered ${status}: ${JSON.stringify(body)}`, status);
  const versions = new Map<string, string>();
  for (const { source, title, version, text } of body.results) {
    const id = source.key;
    if (versions.has(id) && versions.get(id) !== version) ledger.violate('torn', `${id} is served in two versions`);
    versions.set(id, version);
    ledger.sawPage({ id, title, version }, (committed) => committed.includes(text), before);
  }
}
